"""The measurement update of the network filter: all stations and types at once, clocks eliminated exactly.

Receiver and satellite clocks, and every bias that is common to a receiver or a satellite at an epoch,
are projected out; what remains is the information of all double differences with their full
covariance, for any pattern of visibility. The worst surprise of an epoch is rejected and the update
repeated, so a single bad observation cannot bend the state.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.network_state import NetworkPolicy, NetworkState, reset_arc
from models.observables import ionosphere_factor
from models.reduction import OBSERVATION_TYPES
from models.validity import Flag
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray

_MAX_ROUNDS = 6  # of rejections in one epoch before the epoch is taken as it is
_PER_METRE = 1e6  # wavelengths as whole micrometres, to be compared
_MEDIAN_CHI2 = 0.455  # median of chi-square with one degree of freedom


@dataclass(frozen=True)
class Observed:
    """The observations of one network epoch, one row an arc of the state (in the order of the arcs).

    Attributes:
        arc: Index of the arc in the state, shape ``(n,)``.
        code_m, phase_m: Observed minus computed on two carriers, shape ``(2, n)``.
        wavelength_m: Of the carriers, shape ``(2, n)``.
        signal: Signals of the codes, shape ``(2, n)``.
        elevation_rad, slant_factor, wet_mapping: Shape ``(n,)``.
        use_code: Whether the codes take part, shape ``(n,)``.
        flags: Findings so far, ``validity.Flag``, shape ``(n,)``.
    """

    arc: IntArray
    code_m: FloatArray
    phase_m: FloatArray
    wavelength_m: FloatArray
    signal: IntArray
    elevation_rad: FloatArray
    slant_factor: FloatArray
    wet_mapping: FloatArray
    use_code: BoolArray
    flags: IntArray

    @property
    def mu(self) -> FloatArray:
        """Ionospheric delay relative to GPS L1, shape ``(2, n)``."""
        return ionosphere_factor(self.wavelength_m)


def start_cyc(state: NetworkState, observed: Observed, row: int) -> FloatArray:
    """Return the ambiguities that code and the predicted ionosphere suggest, shape ``(2,)``."""
    vertical = state.mean[state.ionosphere_index(observed.arc[row : row + 1])[0]]
    delay = observed.mu[:, row] * observed.slant_factor[row] * vertical
    apart_m = observed.phase_m[:, row] - observed.code_m[:, row]
    start: FloatArray = (apart_m + 2.0 * delay) / observed.wavelength_m[:, row]
    return start


def design(state: NetworkState, observed: Observed) -> FloatArray:
    """Return the partial derivatives of the four observation types, shape ``(4, n, state)``.

    Types in the order code and phase, first and second carrier each; clocks are not part of the state.
    """
    rows = np.arange(len(observed.arc))
    matrix = np.zeros((4, len(rows), len(state.mean)))
    ionosphere = state.ionosphere_index(observed.arc)
    matrix[:, :, 0] = observed.wet_mapping
    matrix[:, rows, 1 + state.arc_station[observed.arc]] = observed.wet_mapping
    for kind, (band, is_code) in enumerate(OBSERVATION_TYPES):
        delay = observed.mu[band] * observed.slant_factor
        matrix[kind, rows, ionosphere] = delay if is_code else -delay
        if not is_code:
            matrix[kind, rows, ionosphere + 1 + band] = observed.wavelength_m[band]
    return matrix


def clock_free_basis(receiver: IntArray, transmitter: IntArray, weight: FloatArray) -> FloatArray:
    """Return an orthonormal basis of what receiver and satellite clocks cannot explain.

    Args:
        receiver: Which receiver clock is in each observation of one type, shape ``(n,)``.
        transmitter: Which satellite clock, shape ``(n,)``.
        weight: One over the standard deviations, shape ``(n,)``.

    Returns:
        Columns orthogonal to all weighted clock columns, shape ``(n, k)``; applied to whitened observations
        they leave white noise. With complete visibility ``k = (stations - 1) (satellites - 1)``.
    """
    receivers = (receiver[:, None] == np.unique(receiver)[None, :]).astype(np.float64)
    transmitters = (transmitter[:, None] == np.unique(transmitter)[None, :]).astype(np.float64)
    clocks = np.hstack([receivers, transmitters]) * weight[:, None]
    left, singular, _ = np.linalg.svd(clocks, full_matrices=True)
    rank = int(np.count_nonzero(singular > 1e-9 * singular[0])) if len(singular) else 0
    basis: FloatArray = left[:, rank:]
    return basis


def _whitener(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, kind: int, inflation: float
) -> FloatArray:
    """Return what turns observations of one type into white noise without clocks, shape ``(n, k)``.

    Every signal has clocks of its own, at the receiver and at the satellite, since every code has biases of its own:
    so stations that track L2W and others that track L2C are never differenced in their codes. Phases of one frequency
    are aligned whatever the code, hence share the satellite's clock; the receiver's is free per signal, which also
    takes a quarter of a cycle that a receiver left in.
    """
    band, is_code = OBSERVATION_TYPES[kind]
    station, satellite = state.arc_station[observed.arc], state.arc_satellite[observed.arc]
    sd = policy.code_sd_m if is_code else policy.phase_sd_m
    weight = 1.0 / np.sqrt(inflation * elevation_variance_m2(sd, observed.elevation_rad))
    used = observed.use_code if is_code else np.ones(len(station), dtype=np.bool_)
    signal = observed.signal[band]
    receiver = station * 1000 + signal
    carrier = np.rint(observed.wavelength_m[band] * _PER_METRE).astype(np.int64)
    transmitter = satellite * 1_000_000 + (signal if is_code else carrier)
    blocks = []
    for system in np.unique(satellite // 100):
        rows = np.flatnonzero(used & (satellite // 100 == system))
        if len(rows):
            small = clock_free_basis(receiver[rows], transmitter[rows], weight[rows])
            block = np.zeros((len(station), small.shape[1]))
            block[rows] = small * weight[rows, None]
            blocks.append(block)
    return np.hstack(blocks) if blocks else np.zeros((len(station), 0))


def update(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[NetworkState, Observed, int, FloatArray]:
    """Update with all observations; the worst surprises are rejected and the update repeated.

    Returns:
        State, observations with new flags, number of restarted arcs, mean squared surprise of the phases
        per station (NaN where it has none).
    """
    resets = 0
    for round_ in range(_MAX_ROUNDS + 1):
        mean, covariance, surprise = _try_update(policy, state, observed, inflation)
        worst = _worst(state, observed, surprise, policy.innovation_limit)
        if not worst or round_ == _MAX_ROUNDS:
            break
        resets += len(worst)
        flags, use_code = observed.flags.copy(), observed.use_code.copy()
        for kind, row in worst:
            flags[row] |= Flag.INNOVATION
            if OBSERVATION_TYPES[kind][1]:
                use_code[row] = False
            else:
                # An unknown ambiguity takes the surprise, whatever its cause; a wrong fix of the past ends here too.
                state = reset_arc(policy, state, int(observed.arc[row]), start_cyc(state, observed, row))
        observed = replace(observed, flags=flags, use_code=use_code)
    nis = np.full(len(state.stations), np.nan)
    for index in range(len(state.stations)):
        rows = state.arc_station[observed.arc] == index
        if rows.any():
            nis[index] = float(np.median(surprise[2:, rows] ** 2)) / _MEDIAN_CHI2
    return replace(state, mean=mean, covariance=covariance), observed, resets, nis


def _worst(state: NetworkState, observed: Observed, surprise: FloatArray, limit: float) -> list[tuple[int, int]]:
    """Return type and row of the surprises to reject: the worst, and others that share no clock with it.

    One bad observation surprises those that share a clock with it, so of those only the worst is rejected in a round.
    """
    size = np.abs(surprise)
    chosen: list[tuple[int, int]] = []
    receivers: set[tuple[int, int]] = set()
    satellites: set[int] = set()
    for flat in np.argsort(-size, axis=None):
        kind, row = divmod(int(flat), size.shape[1])
        if size[kind, row] <= limit:
            break
        satellite = int(state.arc_satellite[observed.arc[row]])
        receiver = (int(state.arc_station[observed.arc[row]]), satellite // 100)
        if receiver not in receivers and satellite not in satellites:
            receivers.add(receiver)
            satellites.add(satellite)
            chosen.append((kind, row))
    return chosen


def _try_update(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the updated mean and covariance, and the normalised surprise, shape ``(4, n)``.

    Source:
        Kalman update on observations whitened and freed of clocks; surprise as in data snooping, Baarda
        (1968): ``[S^-1 v]_i / sqrt([S^-1]_ii)``.
    """
    matrix = design(state, observed)
    values = np.concatenate([observed.code_m, observed.phase_m])
    bases = [_whitener(policy, state, observed, kind, inflation) for kind in range(len(OBSERVATION_TYPES))]
    blocks = [basis.T @ matrix[kind] for kind, basis in enumerate(bases)]
    innovations = [basis.T @ values[kind] for kind, basis in enumerate(bases)]
    h = np.vstack(blocks)
    v = np.concatenate(innovations) - h @ state.mean
    if not len(v):
        return state.mean, state.covariance, np.zeros((4, len(observed.arc)))
    cross = state.covariance @ h.T
    s = h @ cross
    s.flat[:: len(s) + 1] += 1.0
    factor = cho_factor(s, lower=True, check_finite=False)
    # The inverse is well conditioned, its eigenvalues being below one, and the surprises need it anyway.
    inverse = cho_solve(factor, np.eye(len(s)), check_finite=False)
    gain = cross @ inverse
    mean = state.mean + gain @ v
    covariance = state.covariance - gain @ cross.T
    covariance = 0.5 * (covariance + covariance.T)
    solved = inverse @ v
    surprise = np.zeros((4, len(observed.arc)))
    start = 0
    for kind, basis in enumerate(bases):
        part = slice(start, start + basis.shape[1])
        start += basis.shape[1]
        top = basis @ solved[part]
        variance = np.einsum("ij,ij->i", basis @ inverse[part, part], basis)
        safe = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
        surprise[kind, safe] = top[safe] / np.sqrt(variance[safe])
    return mean, covariance, surprise
