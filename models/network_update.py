"""The measurement update of the network filter: all stations and types at once, clocks eliminated exactly.

Receiver and satellite clocks, and every bias that is common to a receiver or a satellite at an epoch,
are projected out; what remains is the information of all double differences with their full
covariance, for any pattern of visibility. The worst surprise of an epoch is rejected and the update
repeated, so a single bad observation cannot bend the state.
"""

from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.linalg import blas, lapack

from models import steadiness
from models.clock_jumps import MILLISECOND_M
from models.medians import median_by_group
from models.network_arcs import renew_arc
from models.network_state import NetworkPolicy, NetworkState
from models.observables import ionosphere_factor
from models.reduction import OBSERVATION_TYPES
from models.validity import Flag
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray

_MAX_ROUNDS = 6  # of rejections in one epoch before the epoch is taken as it is
_PER_METRE = 1e6  # wavelengths as whole micrometres, to be compared
_FEWEST_FOR_CLOCK = 3  # arcs of a receiver that agree on it
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
    def steady(self) -> BoolArray:
        """Which arcs the filter learns from, shape ``(n,)``."""
        steady: BoolArray = (self.flags & Flag.UNSTEADY) == 0
        return steady

    @property
    def mu(self) -> FloatArray:
        """Ionospheric delay relative to GPS L1, shape ``(2, n)``."""
        return ionosphere_factor(self.wavelength_m)


def start_cyc(state: NetworkState, observed: Observed, row: int) -> FloatArray:
    """Return the ambiguities that code and the predicted ionosphere suggest, shape ``(2,)``."""
    vertical = state.mean[state.ionosphere_index(observed.arc[row : row + 1])[0]]
    delay = observed.mu[:, row] * observed.slant_factor[row] * vertical
    apart_m = observed.phase_m[:, row] - observed.code_m[:, row] - _phase_clock_m(state, observed, row)
    start: FloatArray = (apart_m + 2.0 * delay) / observed.wavelength_m[:, row]
    return start


def _phase_clock_m(state: NetworkState, observed: Observed, row: int) -> float:
    """Return how far a receiver's phases are ahead of its codes, whole milliseconds, nearly always none.

    A receiver that sets back the clock of its codes only leaves phases, and the ambiguities of old arcs, where they
    were; an arc that begins afterwards would begin 300 km from those.
    """
    arc, systems = observed.arc, state.arc_satellite // 100
    like = (state.arc_station[arc] == state.arc_station[arc[row]]) & (systems[arc] == systems[arc[row]])
    old = np.flatnonzero(like & (state.arc_epochs[arc] > 0))
    old = old[old != row]
    if len(old) < _FEWEST_FOR_CLOCK:
        return 0.0
    ambiguity_m = state.mean[state.ionosphere_index(arc[old]) + 1] * observed.wavelength_m[0, old]
    ahead_m = float(np.median(observed.phase_m[0, old] - observed.code_m[0, old] - ambiguity_m))
    return float(np.rint(ahead_m / MILLISECOND_M)) * MILLISECOND_M


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


@dataclass(frozen=True)
class _Block:
    """Observations of one type and system, white and without clocks.

    Attributes:
        kind: Index of the observation type.
        rows: Observations that take part, shape ``(m,)``.
        basis: Turns them into white noise, shape ``(m, k)``.
        place: Where the ``k`` results stand among those of all blocks.
    """

    kind: int
    rows: IntArray
    basis: FloatArray
    place: slice


def _whiteners(policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float) -> list[_Block]:
    """Return what turns the observations into white noise without clocks.

    Every signal has clocks of its own, at the receiver and at the satellite, since every code has biases of its own:
    so stations that track L2W and others that track L2C are never differenced in their codes. Phases of one frequency
    are aligned whatever the code, hence share the satellite's clock; the receiver's is free per signal, which also
    takes a quarter of a cycle that a receiver left in. Systems share no clock, hence fall apart.
    """
    station, satellite = state.arc_station[observed.arc], state.arc_satellite[observed.arc]
    unit_weight = 1.0 / np.sqrt(inflation * elevation_variance_m2(1.0, observed.elevation_rad))
    blocks: list[_Block] = []
    start = 0
    for system in np.unique(satellite // 100):
        mine = (satellite // 100 == system) & observed.steady
        known: dict[bytes, FloatArray] = {}
        for kind, (band, is_code) in enumerate(OBSERVATION_TYPES):
            rows = np.flatnonzero(mine & observed.use_code) if is_code else np.flatnonzero(mine)
            if not len(rows):
                continue
            signal = observed.signal[band, rows]
            carrier = np.rint(observed.wavelength_m[band, rows] * _PER_METRE).astype(np.int64)
            _, receiver = np.unique(station[rows] * 1000 + signal, return_inverse=True)
            transmitters = satellite[rows] * 1_000_000 + (signal if is_code else carrier)
            _, transmitter = np.unique(transmitters, return_inverse=True)
            # Types differ by a factor of all weights, so what clocks cannot explain is most often the same.
            key = rows.tobytes() + receiver.tobytes() + transmitter.tobytes()
            if key not in known:
                known[key] = clock_free_basis(receiver, transmitter, unit_weight[rows])
            weight = unit_weight[rows] / (policy.code_sd_m if is_code else policy.phase_sd_m)
            basis = known[key] * weight[:, None]
            blocks.append(_Block(kind, rows, basis, slice(start, start + basis.shape[1])))
            start += basis.shape[1]
    return blocks


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
        mean, covariance, surprise = try_update(policy, state, observed, inflation)
        worst = _worst(state, observed, surprise, policy.innovation_limit)
        if not worst or round_ == _MAX_ROUNDS:
            break
        resets += len(worst)
        flags, use_code = observed.flags.copy(), observed.use_code.copy()
        for kind, row in worst:
            flags[row] |= Flag.INNOVATION
            if OBSERVATION_TYPES[kind][1]:
                use_code[row] = False
            elif _bears(policy, state, int(observed.arc[row]), float(surprise[kind, row])):
                flags[row] |= Flag.UNSTEADY
                state = _unsettled(policy, state, observed, row)
            else:
                # An unknown ambiguity takes the surprise, whatever its cause; a wrong fix of the past ends here too.
                state = renew_arc(policy, state, int(observed.arc[row]), start_cyc(state, observed, row))
        observed = replace(observed, flags=flags, use_code=use_code)
    station = np.tile(state.arc_station[observed.arc[observed.steady]], 2)
    squares = surprise[2:, observed.steady].ravel() ** 2
    nis = median_by_group(squares, station, len(state.stations)) / _MEDIAN_CHI2
    return replace(state, mean=mean, covariance=covariance), observed, resets, nis


def _bears(policy: NetworkPolicy, state: NetworkState, arc: int, surprise: float) -> bool:
    """Return whether the integers of an arc bear a surprise of its phases: they were held, and nothing has jumped."""
    return bool(
        state.arc_held[arc] and state.arc_surprises[arc] < policy.patience and abs(surprise) < policy.patience_limit
    )


def _unsettled(policy: NetworkPolicy, state: NetworkState, observed: Observed, row: int) -> NetworkState:
    """Return the state with an arc that counts as unsteady until its phases have been quiet for a while."""
    arc = observed.arc[row]
    rough, unsteady, surprises = state.arc_rough_m2.copy(), state.arc_unsteady.copy(), state.arc_surprises.copy()
    limit_m = steadiness.limit_m(
        observed.elevation_rad[row : row + 1], policy.unsteady_floor_m, policy.unsteady_slope_m
    )
    rough[arc] = steadiness.bounded_m2(np.full(1, np.inf), limit_m)[0]
    unsteady[arc] = True
    surprises[arc] += 1
    return replace(state, arc_rough_m2=rough, arc_unsteady=unsteady, arc_surprises=surprises)


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


def try_update(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the updated mean and covariance, and the normalised surprise, shape ``(4, n)``.

    An observation is of two zenith delays, one ionosphere and at most one ambiguity, and a block is of one system, so
    products with the design are gathered. With ``S = L L'`` and ``W = L^-1 H P`` the covariance loses ``W' W``.

    Source:
        Kalman update on observations whitened and freed of clocks; surprise as in data snooping, Baarda
        (1968): ``[S^-1 v]_i / sqrt([S^-1]_ii)``.
    """
    surprise = np.zeros((4, len(observed.arc)))
    blocks = _whiteners(policy, state, observed, inflation)
    size = blocks[-1].place.stop if blocks else 0
    if not size:
        return state.mean, state.covariance, surprise
    values = np.concatenate([observed.code_m, observed.phase_m])
    cross, v = np.empty((size, len(state.mean))), np.empty(size)
    for block in blocks:
        cross[block.place] = block.basis.T @ _observed(state, observed, block, state.covariance)
        predicted = _observed(state, observed, block, state.mean[:, None])[:, 0]
        v[block.place] = block.basis.T @ (values[block.kind, block.rows] - predicted)
    s = np.empty((size, size))
    transposed = np.ascontiguousarray(cross.T)
    for block in blocks:
        s[block.place] = block.basis.T @ _observed(state, observed, block, transposed)
    s.flat[:: size + 1] += 1.0
    factor, failed = lapack.dpotrf(s.T, lower=1, clean=1, overwrite_a=1)
    if failed:
        message = f"covariance of {size} innovations is not positive definite (leading minor {failed})"
        raise np.linalg.LinAlgError(message)
    # A Fortran-ordered copy of cross is what BLAS solves in place.
    scaled = blas.dtrsm(1.0, factor, cross, lower=1)
    whitened = blas.dtrsv(factor, v, lower=1)
    # Lower in the order of Fortran is upper in that of C.
    covariance = blas.dsyrk(-1.0, scaled, beta=1.0, c=state.covariance.T, trans=1, lower=1).T
    _mirror_inplace(covariance)
    mean = state.mean + whitened @ scaled
    solved = blas.dtrsv(factor, whitened, lower=1, trans=1)
    inverse_factor, _ = lapack.dtrtri(factor, lower=1, overwrite_c=1)
    variance = np.zeros((4, len(observed.arc)))
    for block in blocks:
        surprise[block.kind, block.rows] = block.basis @ solved[block.place]
        part = inverse_factor[block.place.start :, block.place] @ block.basis.T
        variance[block.kind, block.rows] = np.einsum("ij,ij->j", part, part)
    safe = variance > 1e-12 * np.maximum(variance.max(axis=1, keepdims=True), 1e-300)
    return mean, covariance, np.where(safe, surprise / np.sqrt(np.where(safe, variance, 1.0)), 0.0)


def _observed(state: NetworkState, observed: Observed, block: _Block, values: FloatArray) -> FloatArray:
    """Return the design of a block times a matrix of shape ``(state, k)``, shape ``(m, k)``."""
    band, is_code = OBSERVATION_TYPES[block.kind]
    rows = block.rows
    arc = observed.arc[rows]
    ionosphere = state.ionosphere_index(arc)
    delay = (observed.mu[band, rows] * observed.slant_factor[rows])[:, None]
    result = observed.wet_mapping[rows, None] * (values[0] + values[1 + state.arc_station[arc]])
    if is_code:
        return np.asarray(result + delay * values[ionosphere])
    result = result - delay * values[ionosphere]
    return np.asarray(result + observed.wavelength_m[band, rows, None] * values[ionosphere + 1 + band])


@numba.njit(cache=True)
def _mirror_inplace(upper: FloatArray) -> None:
    """Copy the upper triangle of a C-ordered matrix to the lower one."""
    for i in range(len(upper)):
        for j in range(i):
            upper[i, j] = upper[j, i]


def try_update_slow(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Do as `try_update` with whole matrices; for the tests."""
    matrix = design(state, observed)
    values = np.concatenate([observed.code_m, observed.phase_m])
    surprise = np.zeros((4, len(observed.arc)))
    blocks = _whiteners(policy, state, observed, inflation)
    h = np.vstack([block.basis.T @ matrix[block.kind][block.rows] for block in blocks])
    v = np.concatenate([block.basis.T @ values[block.kind, block.rows] for block in blocks]) - h @ state.mean
    cross = state.covariance @ h.T
    inverse = np.linalg.solve(h @ cross + np.eye(len(v)), np.eye(len(v)))
    gain = cross @ inverse
    covariance = state.covariance - gain @ cross.T
    for block in blocks:
        top = block.basis @ (inverse @ v)[block.place]
        variance = np.einsum("ij,jk,ik->i", block.basis, inverse[block.place, block.place], block.basis)
        safe = variance > 1e-12 * variance.max()
        surprise[block.kind, block.rows[safe]] = top[safe] / np.sqrt(variance[safe])
    return state.mean + gain @ v, 0.5 * (covariance + covariance.T), surprise
