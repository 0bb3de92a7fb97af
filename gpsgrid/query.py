"""The answer to one rover epoch, from a snapshot: pure, the same for HTTP, MQTT and replay."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.answer import Answer, refusal
from gpsgrid.explanation import Explanation, explain
from gpsgrid.grid import cell_at
from gpsgrid.rover_start import rover_start
from gpsgrid.satellite_residuals import Common
from gpsgrid.snapshot import Snapshot, field_points
from gpsgrid.virtual_place import reference_sd_m
from models.atmosphere import zwd_at
from models.code_position import CodePosition
from models.field.cell import difference
from models.field.solve import Posterior
from models.observables import Observables, observables
from models.reduction import Reduced, reduce_epoch
from models.rover import (
    CLOCK_DRIFT_M_PER_S,
    IONOSPHERE_WALK_M_PER_SQRT_S,
    MIN_SATELLITES,
    Corrections,
    RoverPolicy,
    RoverSolution,
    RoverStatus,
    cautious,
    common_rows,
    solve,
)
from models.session_state import Motion, SessionPolicy
from stations.antex import AntennaCalibration
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import Reason
from stations.frames import enu_rotation_at
from stations.gpstime import to_iso
from stations.signals import satellite_name


@dataclass(frozen=True)
class RoverRequest:
    """A decoded query.

    Attributes:
        name: What the asker called it.
        epoch: Observations.
        calibration: Of the rover's antenna, or ``None``.
        antenna_height_m: Marker to antenna reference point.
        warnings: Collected while decoding.
        approximate_m: Where the rover roughly is, ECEF, shape ``(3,)``; ``None`` when nobody said.
        explain: Whether the answer says of every satellite what became of it.
        session: Name of the session; empty for a single epoch.
        motion: What the session assumes of the rover.
    """

    name: str
    epoch: StationEpoch
    calibration: AntennaCalibration | None
    antenna_height_m: float
    warnings: tuple[str, ...] = ()
    approximate_m: FloatArray | None = None
    explain: bool = False
    session: str = ""
    motion: Motion = Motion.FREE


@dataclass(frozen=True)
class QueryPolicy:
    """Limits of what is answered.

    Attributes:
        rover: Constants of the rover solution.
        maximum_distance_m: A rover farther than this from every station is outside the network.
        maximum_age_s: Oldest network epoch used.
        resolution: H3 resolution of the cells.
        session: Constants of sessions; rover and motion in it are those of the query.
    """

    rover: RoverPolicy = RoverPolicy()
    maximum_distance_m: float = 120_000.0
    maximum_age_s: float = 30.0
    resolution: int = 5
    session: SessionPolicy = SessionPolicy()


@dataclass(frozen=True)
class Service:
    """What a query is answered from.

    Attributes:
        policy: Limits.
        network: For frame, names and coordinates.
        snapshot: The network epoch to use.
        posterior_of: Returns the field of a cell at that epoch (the engine keeps them).
    """

    policy: QueryPolicy
    network: Network
    snapshot: Snapshot
    posterior_of: Callable[[Snapshot, str], Posterior]


def answer_rover(service: Service, request: RoverRequest) -> Answer:
    """Return the answer to a query: a position, or a refusal that says why and what to do."""
    place = place_rover(service, request)
    if isinstance(place, Answer):
        return place
    return worded(place, request, *solve_single(place, request))


@dataclass(frozen=True, eq=False)
class Place:
    """Where a rover is, about, and who serves it.

    Attributes:
        service: With the snapshot of the cluster that serves the place.
        raw: Observations.
        start: Position from code.
        masters: Stations near enough, nearest first.
        cell: H3 index.
        posterior: Field of the cell.
        age_s: Rover epoch minus network epoch.
        screened: Satellites whose codes are kilometres off.
        warnings: Collected on the way.
    """

    service: Service
    raw: Observables
    start: CodePosition
    masters: tuple[str, ...]
    cell: str
    posterior: Posterior
    age_s: float
    screened: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


def place_rover(service: Service, request: RoverRequest) -> Place | Answer:
    """Return where a rover is and who serves it, or a refusal that says why nobody does."""
    policy, network, snapshot = service.policy, service.network, service.snapshot
    age_s = (request.epoch.time_ns - snapshot.time_ns) / NS_PER_S

    def refuse(reason: Reason, text: str) -> Answer:
        refused = refusal(request.name, reason, text, request.epoch.time_ns, network.frame, network.epoch)
        said = explain(policy.rover, snapshot, request.epoch, None, None) if request.explain else None
        return replace(refused, age_s=age_s, warnings=request.warnings, explanation=said)

    if abs(age_s) > policy.maximum_age_s:
        text = (
            f"rover epoch {to_iso(request.epoch.time_ns)}, network epoch {to_iso(snapshot.time_ns)}: "
            f"{age_s:.1f} s apart, at most {policy.maximum_age_s:.0f} s can be bridged"
        )
        return refuse(Reason.STALE_NETWORK, text)
    raw = observables(request.epoch)
    seen = len(np.unique(request.epoch.satellite))
    if len(raw.satellite) < MIN_SATELLITES:
        text = (
            f"{len(raw.satellite)} satellites with code and phase on two carriers ({seen} in the body); "
            f"at least {MIN_SATELLITES} are needed"
        )
        return refuse(_few_or(seen, Reason.UNSUPPORTED_SIGNAL), text)
    begun = rover_start(raw, snapshot.ephemerides, request.approximate_m)
    raw, start, request = begun.raw, begun.position, replace(request, warnings=(*request.warnings, *begun.warnings))
    if start is None:
        known = sum(int(satellite) in snapshot.ephemerides for satellite in raw.satellite)
        text = (
            f"no position from the pseudoranges of {known} satellites with a known orbit (at least "
            f"{MIN_SATELLITES} are needed); are they raw and undamaged?"
        )
        return refuse(_few_or(known, Reason.NO_CODE_POSITION), text)
    service = replace(service, snapshot=snapshot.near(start.position_m))
    masters = _masters(service, start.position_m)
    if not masters:
        distance_m, nearest = min(
            (float(np.linalg.norm(s.marker_m - start.position_m)), s.id) for s in network.stations
        )
        text = (
            f"the nearest station, {nearest}, is {distance_m / 1000:.0f} km away; at most "
            f"{policy.maximum_distance_m / 1000:.0f} km from a station that delivers data can be served"
        )
        return refuse(Reason.OUTSIDE_NETWORK, text)
    cell = cell_at(start.position_m, policy.resolution)
    posterior = service.posterior_of(service.snapshot, cell)
    return Place(service, raw, start, tuple(masters), cell, posterior, age_s, begun.screened, begun.warnings)


def solve_single(place: Place, request: RoverRequest, policy: RoverPolicy | None = None) -> tuple[RoverSolution, str]:
    """Return the position from this epoch alone, and the master it was found with.

    Args:
        place: Where the rover is and who serves it.
        request: Its epoch.
        policy: Constants, when more is known of the rover than of others.
    """
    for master in place.masters:
        solution = _solve(place, request, master, policy or place.service.policy.rover)
        if solution.status is not RoverStatus.NONE:
            break
    return solution, master


def common_at(place: Place, request: RoverRequest, position_m: FloatArray, master: str) -> Common:
    """Return what a solution was computed from against a master, once more at its position (ECEF of ``(3,)``)."""
    snapshot, policy = place.service.snapshot, place.service.policy.rover
    rover = reduce_epoch(place.raw, snapshot.ephemerides, position_m, request.calibration)
    rover = rover.rows(~np.isin(rover.satellite, snapshot.wrong_orbits))
    base = snapshot.reduced[master]
    rows, base_rows = common_rows(policy, rover, base)
    corrections = corrections_between(place, rover.rows(rows), base.rows(base_rows), master)
    sd_m = reference_sd_m(rover.satellite[rows] // 100, corrections.ionosphere_covariance_m2)
    return Common(master, rover, base, rows, base_rows, corrections, sd_m, place.screened)


def _explained(place: Place, request: RoverRequest, solution: RoverSolution, master: str) -> Explanation:
    """Return what became of every satellite."""
    common = common_at(place, request, solution.position_m, master)
    return explain(place.service.policy.rover, place.service.snapshot, request.epoch, common, solution)


def _few_or(satellites: int, otherwise: Reason) -> Reason:
    return Reason.TOO_FEW_SATELLITES if satellites < MIN_SATELLITES else otherwise


def _masters(service: Service, position_m: FloatArray) -> list[str]:
    """Return the stations with data that are near enough, nearest first."""
    distances = sorted(
        (float(np.linalg.norm(service.network.station(name).marker_m - position_m)), name)
        for name in service.snapshot.reduced
    )
    return [name for distance, name in distances if distance <= service.policy.maximum_distance_m]


def _solve(place: Place, request: RoverRequest, master: str, policy: RoverPolicy) -> RoverSolution:
    """Solve twice: the second round is linearised at the position that the first one found."""
    snapshot, reference_m = place.service.snapshot, place.start.position_m
    rover_policy = policy if snapshot.resolved else cautious(policy)
    for _ in range(2):
        rover, base = common_observations(place, request, master, reference_m)
        corrections = _aged(corrections_between(place, rover, base, master), rover, base)
        solution = solve(rover_policy, rover, base, corrections, reference_m, may_fix=snapshot.trusted)
        if solution.status is RoverStatus.NONE:
            break
        reference_m = solution.position_m
    return solution


def common_observations(
    place: Place, request: RoverRequest, master: str, reference_m: FloatArray
) -> tuple[Reduced, Reduced]:
    """Return the observations of rover, reduced at a place (ECEF of ``(3,)``), and master that both have."""
    snapshot = place.service.snapshot
    rover = reduce_epoch(place.raw, snapshot.ephemerides, reference_m, request.calibration)
    rover = rover.rows(~np.isin(rover.satellite, snapshot.wrong_orbits))
    base = snapshot.reduced[master]
    rows, base_rows = common_rows(place.service.policy.rover, rover, base)
    return rover.rows(rows), base.rows(base_rows)


def corrections_between(place: Place, rover: Reduced, base: Reduced, master: str) -> Corrections:
    """Return what the network knows about rover minus master at its own epoch."""
    snapshot = place.service.snapshot
    ionosphere_m, covariance = difference(place.posterior, field_points(rover), field_points(base))
    index = snapshot.state.stations.index(master)
    zwd_m, zwd_covariance = zwd_at(snapshot.policy, snapshot.state, rover.receiver_m, index)
    return Corrections(ionosphere_m, covariance * snapshot.inflation, zwd_m, zwd_covariance)


def _aged(corrections: Corrections, rover: Reduced, base: Reduced) -> Corrections:
    """Return corrections that are worth less, as they are older than the rover's observations."""
    age_s = abs(rover.raw.time_ns - base.raw.time_ns) / NS_PER_S
    if age_s == 0.0:
        return corrections
    walk = IONOSPHERE_WALK_M_PER_SQRT_S**2 * age_s * rover.slant_factor**2
    covariance = corrections.ionosphere_covariance_m2 + np.diag(walk + (CLOCK_DRIFT_M_PER_S * age_s) ** 2)
    return replace(corrections, ionosphere_covariance_m2=covariance)


def worded(place: Place, request: RoverRequest, solution: RoverSolution, master: str) -> Answer:
    """Return a solution, found against a master, as an answer at the marker."""
    network, start = place.service.network, place.start
    status, position_m, covariance = solution.status, solution.position_m, solution.covariance_m2
    if status is RoverStatus.NONE:
        status, position_m, covariance = RoverStatus.CODE, start.position_m, start.covariance_m2
    up = enu_rotation_at(position_m)[2]
    return Answer(
        request.name,
        request.epoch.time_ns,
        status,
        position_m - request.antenna_height_m * up,
        covariance,
        network.frame,
        network.epoch,
        tuple(satellite_name(s) for s in solution.satellites),
        tuple(satellite_name(s) for s in solution.dropped),
        solution.wrong_fix_probability,
        place.age_s,
        place.cell,
        master,
        None,
        solution.reason,
        (*request.warnings, *place.warnings),
        explanation=_explained(place, request, solution, master) if request.explain else None,
    )
