"""From one aligned network epoch to a snapshot: reduce, filter, hand on delays, fit the robust field."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from gpsgrid.saved_state import SolverState
from gpsgrid.snapshot import Snapshot
from models import coordinates_monitor, network, network_state
from models.atmosphere import StationDelays, station_delays
from models.coordinates_monitor import MonitorInfo, MonitorPolicy, Verdict
from models.ephemeris import EphemerisStore
from models.field import scale
from models.field.kernels import FieldPoints, Hyperparameters
from models.field.robust import RobustField, RobustPolicy, filter_reweight_retrain
from models.field.solve import FieldObservations
from models.medians import median_by_group
from models.network import NetworkInfo
from models.network_reduction import Site, reduce_stations, site
from models.network_resume import with_stations
from models.observables import network_observables
from models.reduction import Reduced
from stations.align import NetworkEpoch
from stations.antex import AntennaCalibration
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.navigation_kinds import Ephemeris

_DOUBT_SIGMA = 4.0
_LARGEST_SQUARE = 25.0  # one gross error must not be remembered for an hour
_LARGEST_INFLATION = 100.0
_WRONG_ORBIT_M = (
    50.0  # of the median code residual over the stations; noise, delays and broadcast orbits are below 20 m
)
_START_UP_S = 600.0
_SETTLED_S = 300.0  # integers that were fixed wrongly in the first minutes have been contradicted by then
_SHARE_HALF_LIFE_S = 120.0
_CONTRADICTED_S = 60.0
_TRUSTED_SHARE = 0.4  # of the double differences; a wrong coordinate of 10 cm leaves 0.1 to 0.3
_LONGEST_GAP_S = 60.0
_MISFIT_HALF_LIFE_S = 300.0  # as long as the satellite scales remember

_FEWEST_FOR_CLOCK = 4

RECEIVERS = 1_000_000  # integers per station: pairs of signals
SATELLITE_SLOTS = 800  # satellite integers are below 100 * number of constellations

DEFAULT_HYPERPARAMETERS = Hyperparameters(vtec_sd_m=0.25, residual_sd_m=0.05, station_offset_sd_m=10.0)
"""Before anything is learned: a rough day, 8 mm zenith per 20 km twice, because too smooth a prior makes wrong fixes.

Station offsets are free: they also hold the datum of undifferenced ambiguities.
"""


QUIET_HYPERPARAMETERS = Hyperparameters(vtec_sd_m=0.12, residual_sd_m=0.02, station_offset_sd_m=10.0)
"""A quiet mid-latitude night: for a lone base, which has no neighbours to learn from."""


@dataclass
class NetworkSolver:
    """Carries the network filter and the satellite scales from epoch to epoch.

    Attributes:
        network: Stations and their coordinates.
        calibrations: Antenna calibration by station.
        policy: Constants of the network filter.
        hyper: Hyperparameters in force; replaced from outside when better ones are learned.
        coordinates: Constants of the watch over declared coordinates.
    """

    network: Network
    calibrations: Mapping[str, AntennaCalibration | None]
    policy: network_state.NetworkPolicy
    hyper: Hyperparameters = DEFAULT_HYPERPARAMETERS
    coordinates: MonitorPolicy = MonitorPolicy()

    def __post_init__(self) -> None:
        """Start without knowledge."""
        self.sites = {
            station.id: site(station.reference_point_m, self.calibrations[station.id])
            for station in self.network.stations
        }
        self.restart()

    def restart(self) -> None:
        """Forget everything but the hyperparameters, as when time has been set back."""
        names = tuple(station.id for station in self.network.stations)
        positions = np.array([station.marker_m for station in self.network.stations])
        self._monitor = coordinates_monitor.init(self.coordinates, names, positions)
        self._excluded: tuple[str, ...] = ()
        self._start_filter()

    def _start_filter(self) -> None:
        names = tuple(station.id for station in self.network.stations)
        positions = np.array([station.marker_m for station in self.network.stations])
        self._state = network_state.init(self.policy, names, positions)
        self._scales = scale.init(SATELLITE_SLOTS)
        self._misfit = 1.0
        self._running_s = 0.0
        self._share = 1.0
        self._contradicted_s = 0.0
        self._doubted: frozenset[tuple[int, int]] = frozenset()

    @property
    def time_ns(self) -> int:
        """Last network epoch, -1 before the first."""
        return self._state.time_ns

    def carried(self) -> SolverState:
        """Return what is carried from epoch to epoch; it is frozen, so nothing is copied."""
        doubted = tuple(sorted(self._doubted))
        return SolverState(self._state, self._scales, self.hyper, self._misfit, self._share, self._running_s, doubted)

    def resume(self, carried: SolverState, kept: Collection[str]) -> None:
        """Go on from what was carried; stations that are not kept begin anew, the integers of the others stay.

        Raises:
            GpsgridError: ``UNUSABLE_STATE``: scales for another number of satellites.
        """
        if len(carried.scales.scale) != SATELLITE_SLOTS:
            message = (
                f"the saved state has scales of {len(carried.scales.scale)} satellites, expected {SATELLITE_SLOTS}"
            )
            raise GpsgridError(Reason.UNUSABLE_STATE, message)
        before = carried.network.stations
        names = tuple(station.id for station in self.network.stations)
        positions = np.array([station.marker_m for station in self.network.stations])
        self._state = with_stations(self.policy, carried.network, names, positions, kept)
        self._scales, self.hyper = carried.scales, carried.hyper
        self._misfit, self._share, self._running_s = carried.misfit, carried.share, carried.running_s
        self._doubted = frozenset((names.index(before[k]), s) for k, s in carried.doubted if before[k] in kept)

    def solve(self, epoch: NetworkEpoch, store: EphemerisStore) -> Snapshot:
        """Take in a network epoch; return the new picture."""
        ephemerides = store.selection(epoch.time_ns)
        reduced, wrong = reduced_network(epoch, ephemerides, self.policy, self.sites)
        return self.solve_reduced(epoch.time_ns, reduced, ephemerides, wrong)

    def solve_reduced(
        self,
        time_ns: int,
        reduced: dict[str, Reduced],
        ephemerides: Mapping[int, Ephemeris],
        wrong: tuple[int, ...],
    ) -> Snapshot:
        """Take in observations that are reduced; return the new picture.

        Args:
            time_ns: Epoch of the network.
            reduced: By station, only stations of this solver.
            ephemerides: With which they were reduced.
            wrong: Satellites that were left out because their orbit is wrong.
        """
        reduced, coordinates = self._with_right_coordinates(reduced, time_ns)
        elapsed_s = max(0.0, (time_ns - self._state.time_ns) / NS_PER_S) if self._state.time_ns >= 0 else 0.0
        if elapsed_s > self.policy.maximum_gap_s:
            self._share, self._running_s = 1.0, 0.0  # the filter forgets all arcs: it starts up once more
        self._state, info = network.step(self.policy, self._state, reduced, time_ns, self._doubted)
        delays = station_delays(self._state, info)
        observations_ = field_observations(self._state, delays, reduced)
        scales = self._scales.scale
        field = filter_reweight_retrain(self.hyper, observations_, scales, RobustPolicy())
        self._scales = _next_scales(self._scales, observations_, delays, field, elapsed_s)
        self._misfit = _next_misfit(self._misfit, field, elapsed_s)
        self._doubted = doubted_arcs(delays, field)
        return Snapshot(
            time_ns,
            reduced,
            ephemerides,
            self.policy,
            self._state,
            info,
            delays,
            observations_,
            self.hyper,
            scales,
            field,
            min(max(1.0, self._misfit), _LARGEST_INFLATION),
            self._trusted(info, elapsed_s) and not coordinates.of(Verdict.SUSPICIOUS),
            not len(info.fixed) or (self._running_s >= _SETTLED_S and info.fixed_share >= _TRUSTED_SHARE),
            wrong,
            coordinates,
            self._state.stations,
        )

    def doubt(self, station: str, satellite: int) -> None:
        """Let a neighbour's other integers speak against an arc at the next epoch."""
        self._doubted |= {(self._state.stations.index(station), satellite)}

    def _with_right_coordinates(
        self, reduced: dict[str, Reduced], time_ns: int
    ) -> tuple[dict[str, Reduced], MonitorInfo]:
        """Return the observations without stations whose coordinate is wrong, and what is known of all coordinates.

        Whatever such a station has been part of is bent, so that a change of who is left out starts the filter anew.
        """
        self._monitor, info = coordinates_monitor.step(self.coordinates, self._monitor, reduced, time_ns)
        wrong = info.of(Verdict.WRONG)
        if wrong != self._excluded:
            self._excluded = wrong
            self._start_filter()
        return {name: one for name, one in reduced.items() if name not in wrong}, info

    def _trusted(self, info: NetworkInfo, elapsed_s: float) -> bool:
        """Return whether the network holds enough integers; while it starts, it need not yet."""
        if info.station_restarts:
            self._running_s = 0.0
        self._running_s += min(elapsed_s, _LONGEST_GAP_S)
        keep = 0.5 ** (elapsed_s / _SHARE_HALF_LIFE_S)
        self._share = keep * self._share + (1.0 - keep) * _held_share(info)
        # Cycles that are known well and near no integer say that something held is wrong; for a moment they may err.
        self._contradicted_s = self._contradicted_s + elapsed_s if self._state.conflict_epochs else 0.0
        if self._contradicted_s > _CONTRADICTED_S:
            return False
        return self._running_s < _START_UP_S or self._share >= _TRUSTED_SHARE


def _held_share(info: NetworkInfo) -> float:
    """Return the share of the network's integers that it holds; a lone base has none to hold, and misses none."""
    return info.fixed_share if len(info.fixed) else 1.0


def reduced_network(
    epoch: NetworkEpoch,
    ephemerides: Mapping[int, Ephemeris],
    policy: network_state.NetworkPolicy,
    sites: Mapping[str, Site],
) -> tuple[dict[str, Reduced], tuple[int, ...]]:
    """Return the reduced observations of stations with a satellite in use, and satellites whose orbit is wrong."""
    raws = network_observables(epoch.stations)
    # What the filter does not use costs as much to reduce as what it does.
    ours = {name: raw.rows(np.isin(raw.satellite // 100, policy.systems)) for name, raw in raws.items()}
    seeing = {name: raw for name, raw in ours.items() if len(raw.satellite)}
    return without_wrong_orbits(reduce_stations(seeing, ephemerides, sites))


def field_observations(
    state: network_state.NetworkState, delays: StationDelays, reduced: dict[str, Reduced]
) -> FieldObservations:
    """Return the delays of the network as observations of the field, same rows.

    What is one station to an operator is several receivers to the field, ``RECEIVERS`` integers apart: the offsets that
    biases and the datum of the ambiguities leave are different for every pair of signals.
    """
    receiver = np.zeros(len(delays.station), dtype=np.int64)
    pierce_m, slant_factor = np.zeros((len(receiver), 3)), np.zeros(len(receiver))
    for station in np.unique(delays.station).tolist():
        one, mine = reduced[state.stations[station]], np.flatnonzero(delays.station == station)
        row = np.searchsorted(one.satellite, delays.satellite[mine])
        signal = np.take_along_axis(one.raw.signal, one.raw.pair, axis=0)[:, row]
        receiver[mine] = station * RECEIVERS + signal[0] * 1000 + signal[1]
        pierce_m[mine], slant_factor[mine] = one.pierce_m[row], one.slant_factor[row]
    points = FieldPoints(delays.satellite, pierce_m, state.station_m[delays.station], slant_factor)
    return FieldObservations(points, receiver, delays.ionosphere_m, delays.variance_m2, delays.clean)


def without_wrong_orbits(reduced: dict[str, Reduced]) -> tuple[dict[str, Reduced], tuple[int, ...]]:
    """Return the observations without satellites whose codes no station can explain, and which those are.

    An ephemeris can pass every check of its numbers and still be of another satellite or time. At known coordinates
    the codes show it: less the receiver's clock, all stations see the same large residual.
    """
    enough = [one for one in reduced.values() if len(one.satellite) >= _FEWEST_FOR_CLOCK]
    if not enough:
        return reduced, ()
    satellite = np.concatenate([one.satellite for one in enough])
    code_m = np.concatenate([one.code_m[0] for one in enough])
    station = np.repeat(np.arange(len(enough)), [len(one.satellite) for one in enough])
    clocks, clock = np.unique(station * SATELLITE_SLOTS + satellite // 100, return_inverse=True)
    residual_m = code_m - median_by_group(code_m, clock, len(clocks))[clock]
    names, owner = np.unique(satellite, return_inverse=True)
    median_m = median_by_group(residual_m, owner, len(names))
    wrong = tuple(names[np.abs(median_m) > _WRONG_ORBIT_M].tolist())
    if not wrong:
        return reduced, wrong
    return {name: one.rows(~np.isin(one.satellite, wrong)) for name, one in reduced.items()}, wrong


def doubted_arcs(delays: StationDelays, field: RobustField) -> frozenset[tuple[int, int]]:
    """Return station indexes and satellites whose fixed delay the field refuses by far.

    The network filter asks for persistence before it lets go of the integers: the field knows the ionosphere of the
    day, and so sees a wrong integer on both frequencies (83 mm), which the filter's own wide prior lets pass.
    """
    refused = delays.fixed & (field.weight == 0.0) & (np.abs(field.loo_z) > _DOUBT_SIGMA)
    rows = np.flatnonzero(refused)
    return frozenset(zip(delays.station[rows].tolist(), delays.satellite[rows].tolist(), strict=True))


def _next_scales(
    state: scale.ScaleState,
    observations: FieldObservations,
    delays: StationDelays,
    field: RobustField,
    elapsed_s: float,
) -> scale.ScaleState:
    """Let the leave-one-out residuals of good, fixed rows say how rough each satellite's ionosphere is."""
    good = (field.weight > 0.0) & delays.fixed & np.isfinite(field.loo_z)
    return scale.step(state, observations.points.satellite[good], field.loo_z[good], elapsed_s)


def _next_misfit(misfit: float, field: RobustField, elapsed_s: float) -> float:
    """Follow the mean squared leave-one-out residual of the rows in use; one means that the model is right."""
    z = field.loo_z[(field.weight > 0.0) & np.isfinite(field.loo_z)]
    if not len(z):
        return misfit
    keep = 0.5 ** (elapsed_s / _MISFIT_HALF_LIFE_S)
    return float(keep * misfit + (1.0 - keep) * np.mean(np.minimum(z**2, _LARGEST_SQUARE)))
