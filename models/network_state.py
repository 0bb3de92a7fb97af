"""The state of the network filter: its layout, and how time passes.

State vector, in this order (``docs/conventions.md``): the common zenith wet delay ``z0``, one
relative zenith delay per station, then per arc (a station-satellite pair tracked without
interruption) three numbers: ionosphere as zenith equivalent on L1 in metres, and the two ambiguities
in cycles. Receiver and satellite clocks are not in the state; the update eliminates them.

Nothing here knows observations; rule for maintainers: every change of the layout lives in this file. How arcs come, go
and begin anew is in ``models.network_arcs``.
"""

from dataclasses import dataclass, replace

import numba
import numpy as np

from models import signal_memory
from models.signal_memory import SignalMemory, SignalPolicy
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.signals import Constellation

PER_ARC = 3


@dataclass(frozen=True)
class NetworkPolicy:
    """Constants of the network filter. Noise is deliberately pessimistic: see ``code_sd_m``.

    Attributes:
        code_sd_m: Zenith code noise. Three times the real one: code multipath is coloured, and honest
            white noise gave wrong network fixes that were then held.
        phase_sd_m: Zenith phase noise, pessimistic for the same reason.
        correlation_s: Observations closer together than this are counted as one (coloured multipath).
        update_interval_s: The filter takes in observations this often; in between, slips are looked for and the phases
            of the epoch are handed on with the ambiguities as they are. Far below ``correlation_s``, nothing is lost.
        update_phase_s: If not 0, the filter takes them in when the epoch passes a multiple of the interval plus this,
            so that filters of one process can take turns whatever gaps there were.
        minimum_elevation_rad: Observations below are not used.
        ionosphere_sd_m, ionosphere_length_m, ionosphere_tau_s: Zenith ionosphere difference between
            stations: Matern 3/2 in space, first-order Gauss-Markov in time.
        zwd_common_sd_m, zwd_walk_m_per_sqrt_s: Common zenith wet delay.
        zwd_relative_sd_m, zwd_length_m, zwd_tau_s: Relative zenith wet delay of the stations.
        ambiguity_sd_cyc: Prior of a new ambiguity about code minus phase.
        maximum_gap_s: An arc not seen for longer is forgotten.
        ar_minimum_epochs, ar_minimum_s, ar_elevation_rad: Which arcs may be fixed: old enough in both, high enough.
        ar_success_rate: Bootstrapped success rate that a subset of ambiguities must have.
        hold_sd_cyc: Standard deviation with which integers are held.
        slip_floor_m, slip_slope_m: Jump of a phase difference that is called a slip, plus slope over sin(el).
        innovation_limit: Data-snooping limit of the normalised innovation.
        patience_limit, patience: Below this limit, and so often, a surprise of an arc whose integers are held makes it
            unsteady only: multipath wears off, and its integers are still right.
        unsteady_floor_m, unsteady_slope_m: Wandering of an ionosphere-free phase against known geometry, root mean
            square over a minute, above which the filter does not learn from an arc: floor plus slope over sin(el).
        reset_nis, reset_epochs, reset_s: A station whose phases misfit by more than this for so long starts anew.
        odd_sigma, odd_epochs, odd_s: A satellite of which an arc's ionosphere is so far from the neighbours', for so
            long, starts anew.
        odd_again_s, odd_share: When more than this share of the satellites, and more than one, were such within this
            time of each other, the fault lies deeper: all start anew.
        conflict_sd_cyc, conflict_cyc: An open cycle this well known and yet this far from an integer contradicts
            something that is held. When that lasts, everything starts anew if it is more than ``conflict_share`` of the
            cycles known so well, and an arc that is alone in it forgets its ambiguities after ``conflict_arc_s``.
        systems: Constellations that the network solves. GLONASS is not among them: its integers need inter-frequency
            biases, and its ionosphere follows from the others.
        stagnant_s, stagnant_share: Cycles this old should long have been fixed; when more than this share of them
            is open, something that is held keeps them open, with the same consequence.
        signals: Limits of the tests of codes, third carriers and strength.
    """

    code_sd_m: float = 0.3
    phase_sd_m: float = 0.002
    correlation_s: float = 30.0
    update_interval_s: float = 5.0
    update_phase_s: float = 0.0
    minimum_elevation_rad: float = float(np.radians(8.0))
    ionosphere_sd_m: float = 0.17
    ionosphere_length_m: float = 300_000.0
    ionosphere_tau_s: float = 7200.0
    zwd_common_sd_m: float = 0.1
    zwd_walk_m_per_sqrt_s: float = 1e-4
    zwd_relative_sd_m: float = 0.010
    zwd_length_m: float = 150_000.0
    zwd_tau_s: float = 14_400.0
    ambiguity_sd_cyc: float = 15.0
    maximum_gap_s: float = 95.0
    ar_minimum_epochs: int = 8
    ar_minimum_s: float = 120.0
    ar_elevation_rad: float = float(np.radians(10.0))
    ar_success_rate: float = 0.9995
    hold_sd_cyc: float = 1e-3
    slip_floor_m: float = 0.045
    slip_slope_m: float = 0.020
    innovation_limit: float = 5.0
    patience_limit: float = 12.0
    patience: int = 3
    unsteady_floor_m: float = 0.025
    unsteady_slope_m: float = 0.010
    reset_nis: float = 4.0
    reset_epochs: int = 40
    reset_s: float = 1200.0
    odd_sigma: float = 5.0
    odd_epochs: int = 10
    odd_s: float = 300.0
    odd_again_s: float = 3600.0
    odd_share: float = 0.2
    conflict_sd_cyc: float = 0.1
    conflict_cyc: float = 0.2
    conflict_share: float = 0.1
    conflict_arc_s: float = 60.0
    stagnant_s: float = 1800.0
    stagnant_share: float = 0.3
    signals: SignalPolicy = SignalPolicy()
    systems: tuple[int, ...] = (Constellation.GPS, Constellation.GALILEO, Constellation.QZSS, Constellation.BEIDOU)


@dataclass(frozen=True)
class NetworkState:
    """What the network filter carries from epoch to epoch.

    Attributes:
        time_ns: Epoch of the state; -1 before the first.
        stations: Station names in the order of all station indexes.
        station_m: Their positions, ECEF, shape ``(station, 3)``.
        mean, covariance: State and its covariance, shapes ``(state,)`` and ``(state, state)``.
        arc_station, arc_satellite: Station index and satellite of each arc, shape ``(arc,)``.
        arc_epochs: Epochs since the ambiguities of the arc were (re)set, shape ``(arc,)``.
        arc_seen_ns: Last observation, shape ``(arc,)``.
        arc_lock_ms: Lock time at the last observation, shape ``(arc,)``.
        arc_phase_m: Reduced phases at the last observation, shape ``(2, arc)``.
        arc_wavelength_m: Of the two carriers that the ambiguities belong to, shape ``(2, arc)``.
        arc_walk_m, arc_rough_m2: How far each arc's ionosphere-free phase is from its slow mean, and the mean square of
            that (``models.steadiness``), shape ``(arc,)``.
        arc_drift_m: How far its zenith ionosphere has drifted within a minute (``models.ionosphere_activity``), shape
            ``(arc,)``.
        arc_unsteady: Whether it wandered too far at the last observation, shape ``(arc,)``.
        arc_held: Whether its ambiguities were integers that are held, shape ``(arc,)``.
        arc_odd: Epochs in a row in which the arc's ionosphere was doubted, shape ``(arc,)``.
        arc_conflict: Epochs in a row in which the arc closed a cycle that contradicts what is held, shape ``(arc,)``.
        arc_relapses: How often it has forgotten its ambiguities for that, shape ``(arc,)``.
        arc_surprises: How often its phases surprised the filter while its integers were held, shape ``(arc,)``.
        misfit_epochs: Epochs in a row in which a station's phases misfit, shape ``(station,)``.
        conflict_epochs: Epochs in a row in which open cycles contradicted what is held, many at once.
        updated_ns: When the filter last took in observations, -1 if never.
        odd_ns: When a satellite was last dropped for being odd, -1 if never.
        odd_count: How many satellites were, each within ``odd_again_s`` of the one before.
        ionosphere_scale: By how much the standard deviations of the ionosphere's prior are widened.
        signals: What the tests of codes, third carriers and strength remember, keyed by station and satellite.
    """

    time_ns: int
    stations: tuple[str, ...]
    station_m: FloatArray
    mean: FloatArray
    covariance: FloatArray
    arc_station: IntArray
    arc_satellite: IntArray
    arc_epochs: IntArray
    arc_seen_ns: IntArray
    arc_lock_ms: IntArray
    arc_phase_m: FloatArray
    arc_wavelength_m: FloatArray
    arc_walk_m: FloatArray
    arc_rough_m2: FloatArray
    arc_drift_m: FloatArray
    arc_unsteady: BoolArray
    arc_held: BoolArray
    arc_odd: IntArray
    arc_conflict: IntArray
    arc_relapses: IntArray
    arc_surprises: IntArray
    misfit_epochs: IntArray
    conflict_epochs: int = 0
    odd_ns: int = -1
    odd_count: int = 0
    updated_ns: int = -1
    ionosphere_scale: float = 1.0
    signals: SignalMemory = signal_memory.empty()

    @property
    def first_arc(self) -> int:
        """Index of the first arc's ionosphere in the state vector."""
        return 1 + len(self.stations)

    def ionosphere_index(self, arcs: IntArray) -> IntArray:
        """Return where the ionosphere of these arcs stands in the state vector; ambiguities follow."""
        return self.first_arc + PER_ARC * arcs


def matern32(distance_m: FloatArray, length_m: float) -> FloatArray:
    """Return the Matern 3/2 correlation of distances (Rasmussen and Williams 2006, eq. 4.17)."""
    scaled = np.sqrt(3.0) * distance_m / length_m
    correlation: FloatArray = (1.0 + scaled) * np.exp(-scaled)
    return correlation


def _distances(station_m: FloatArray) -> FloatArray:
    distances: FloatArray = np.linalg.norm(station_m[:, None, :] - station_m[None, :, :], axis=-1)
    return distances


def ionosphere_prior_m2(policy: NetworkPolicy, station_m: FloatArray) -> FloatArray:
    """Return the prior covariance of one satellite's zenith ionosphere at stations, shape ``(n, n)``."""
    return policy.ionosphere_sd_m**2 * matern32(_distances(station_m), policy.ionosphere_length_m)


def zwd_prior_m2(policy: NetworkPolicy, station_m: FloatArray) -> FloatArray:
    """Return the prior covariance of the relative zenith wet delays, shape ``(n, n)``."""
    return policy.zwd_relative_sd_m**2 * np.exp(-_distances(station_m) / policy.zwd_length_m)


def init(policy: NetworkPolicy, stations: tuple[str, ...], station_m: FloatArray) -> NetworkState:
    """Return the state before the first observation.

    Args:
        policy: Constants.
        stations: Names; their order is the meaning of station indexes from now on.
        station_m: Positions, ECEF metres, shape ``(station, 3)``.
    """
    count = len(stations)
    covariance = np.zeros((1 + count, 1 + count))
    covariance[0, 0] = policy.zwd_common_sd_m**2
    covariance[1:, 1:] = zwd_prior_m2(policy, station_m)
    empty = np.zeros(0, dtype=np.int64)
    return NetworkState(
        -1,
        stations,
        station_m,
        np.zeros(1 + count),
        covariance,
        empty,
        empty,
        empty,
        empty,
        empty,
        np.zeros((2, 0)),
        np.zeros((2, 0)),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0, dtype=np.bool_),
        np.zeros(0, dtype=np.bool_),
        empty,
        empty,
        empty,
        empty,
        np.zeros(count, dtype=np.int64),
    )


def predict(policy: NetworkPolicy, state: NetworkState, time_ns: int) -> NetworkState:
    """Return the state at ``time_ns``: walks and Gauss-Markov processes have moved on.

    Source:
        First-order Gauss-Markov: Gelb (1974), eq. 3.6-10. The stationary covariance is the spatial
        prior, so space and time are separable.
    """
    if state.time_ns < 0:
        return replace(state, time_ns=time_ns)
    dt_s = (time_ns - state.time_ns) / NS_PER_S
    first, count = state.first_arc, len(state.stations)
    decay = np.ones(len(state.mean))
    decay_zwd = np.exp(-dt_s / policy.zwd_tau_s)
    decay_iono = np.exp(-dt_s / policy.ionosphere_tau_s)
    decay[1 : 1 + count] = decay_zwd
    decay[first::PER_ARC] = decay_iono
    covariance = _decayed(state.covariance, decay)
    covariance[0, 0] += policy.zwd_walk_m_per_sqrt_s**2 * dt_s
    covariance[1 : 1 + count, 1 : 1 + count] += (1.0 - decay_zwd**2) * zwd_prior_m2(policy, state.station_m)
    prior = (1.0 - decay_iono**2) * state.ionosphere_scale**2 * ionosphere_prior_m2(policy, state.station_m)
    _grow_inplace(covariance, prior, state.arc_station, state.arc_satellite, first)
    return replace(state, time_ns=time_ns, mean=state.mean * decay, covariance=covariance)


def widened(policy: NetworkPolicy, state: NetworkState, scale: float) -> NetworkState:
    """Return the state with another scale of the ionosphere's prior; what a narrower one taught is doubted."""
    more = scale**2 - state.ionosphere_scale**2
    if more <= 0.0:
        return replace(state, ionosphere_scale=scale)
    covariance = state.covariance.copy()
    prior = more * ionosphere_prior_m2(policy, state.station_m)
    _grow_inplace(covariance, prior, state.arc_station, state.arc_satellite, state.first_arc)
    return replace(state, covariance=covariance, ionosphere_scale=scale)


@numba.njit(cache=True)
def _decayed(covariance: FloatArray, decay: FloatArray) -> FloatArray:
    out = np.empty_like(covariance)
    for i in range(len(decay)):
        for j in range(len(decay)):
            out[i, j] = covariance[i, j] * decay[i] * decay[j]
    return out


@numba.njit(cache=True)
def _grow_inplace(
    covariance: FloatArray, prior_m2: FloatArray, station: IntArray, satellite: IntArray, first: int
) -> None:
    """Add what the ionosphere of the arcs gained; arcs of different satellites are independent."""
    for i in range(len(station)):
        for j in range(len(station)):
            if satellite[i] == satellite[j]:
                covariance[first + PER_ARC * i, first + PER_ARC * j] += prior_m2[station[i], station[j]]
