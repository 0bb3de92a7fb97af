"""The answer to one rover epoch, from a snapshot: pure, the same for HTTP, MQTT and replay."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.answer import Answer, refusal
from gpsgrid.explanation import explain
from gpsgrid.grid import cell_at
from gpsgrid.rover_start import RoverStart, rover_start
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
    MIN_SATELLITES,
    Corrections,
    RoverPolicy,
    RoverSolution,
    RoverStatus,
    cautious,
    common_rows,
    solve,
)
from stations.antex import AntennaCalibration
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import Reason
from stations.frames import enu_rotation_at
from stations.gpstime import to_iso
from stations.signals import satellite_name

_IONOSPHERE_WALK_M_PER_SQRT_S = 0.7e-3  # zenith; measured against correction age, research note section 7
_CLOCK_DRIFT_M_PER_S = 1.5e-3  # extrapolation of a satellite clock, 5e-12 s/s; RTKLIB's sclkstab


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
    """

    name: str
    epoch: StationEpoch
    calibration: AntennaCalibration | None
    antenna_height_m: float
    warnings: tuple[str, ...] = ()
    approximate_m: FloatArray | None = None
    explain: bool = False


@dataclass(frozen=True)
class QueryPolicy:
    """Limits of what is answered.

    Attributes:
        rover: Constants of the rover solution.
        maximum_distance_m: A rover farther than this from every station is outside the network.
        maximum_age_s: Oldest network epoch used.
        resolution: H3 resolution of the cells.
    """

    rover: RoverPolicy = RoverPolicy()
    maximum_distance_m: float = 120_000.0
    maximum_age_s: float = 30.0
    resolution: int = 5


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
    for master in masters:
        solution = _solve(service, posterior, request, raw, start.position_m, master)
        if solution.status is not RoverStatus.NONE:
            break
    answer = _worded(network, request, start, solution, (cell, master), age_s)
    if request.explain:
        common = _common(service, posterior, request, begun, solution.position_m, master)
        answer = replace(answer, explanation=explain(policy.rover, service.snapshot, request.epoch, common, solution))
    return answer


def _common(
    service: Service,
    posterior: Posterior,
    request: RoverRequest,
    begun: RoverStart,
    position_m: FloatArray,
    master: str,
) -> Common:
    """Return what a solution was computed from, once more at its position."""
    snapshot = service.snapshot
    rover = reduce_epoch(begun.raw, snapshot.ephemerides, position_m, request.calibration)
    rover = rover.rows(~np.isin(rover.satellite, snapshot.wrong_orbits))
    base = snapshot.reduced[master]
    rows, base_rows = common_rows(service.policy.rover, rover, base)
    corrections = _corrections(snapshot, posterior, rover.rows(rows), base.rows(base_rows), master)
    sd_m = reference_sd_m(rover.satellite[rows] // 100, corrections.ionosphere_covariance_m2)
    return Common(master, rover, base, rows, base_rows, corrections, sd_m, begun.screened)


def _few_or(satellites: int, otherwise: Reason) -> Reason:
    return Reason.TOO_FEW_SATELLITES if satellites < MIN_SATELLITES else otherwise


def _masters(service: Service, position_m: FloatArray) -> list[str]:
    """Return the stations with data that are near enough, nearest first."""
    distances = sorted(
        (float(np.linalg.norm(service.network.station(name).marker_m - position_m)), name)
        for name in service.snapshot.reduced
    )
    return [name for distance, name in distances if distance <= service.policy.maximum_distance_m]


def _solve(
    service: Service,
    posterior: Posterior,
    request: RoverRequest,
    raw: Observables,
    reference_m: FloatArray,
    master: str,
) -> RoverSolution:
    """Solve twice: the second round is linearised at the position that the first one found."""
    snapshot = service.snapshot
    rover_policy = service.policy.rover if snapshot.resolved else cautious(service.policy.rover)
    for _ in range(2):
        rover = reduce_epoch(raw, snapshot.ephemerides, reference_m, request.calibration)
        rover = rover.rows(~np.isin(rover.satellite, snapshot.wrong_orbits))
        base = snapshot.reduced[master]
        rows, base_rows = common_rows(rover_policy, rover, base)
        rover, base = rover.rows(rows), base.rows(base_rows)
        corrections = _corrections(snapshot, posterior, rover, base, master)
        solution = solve(rover_policy, rover, base, corrections, reference_m, may_fix=snapshot.trusted)
        if solution.status is RoverStatus.NONE:
            break
        reference_m = solution.position_m
    return solution


def _corrections(snapshot: Snapshot, posterior: Posterior, rover: Reduced, base: Reduced, master: str) -> Corrections:
    """Return what the network knows about rover minus master, older knowledge being worth less."""
    ionosphere_m, covariance = difference(posterior, field_points(rover), field_points(base))
    covariance = covariance * snapshot.inflation
    index = snapshot.state.stations.index(master)
    zwd_m, zwd_covariance = zwd_at(snapshot.policy, snapshot.state, rover.receiver_m, index)
    age_s = abs(rover.raw.time_ns - base.raw.time_ns) / NS_PER_S
    if age_s > 0.0:
        walk = _IONOSPHERE_WALK_M_PER_SQRT_S**2 * age_s * rover.slant_factor**2
        covariance = covariance + np.diag(walk + (_CLOCK_DRIFT_M_PER_S * age_s) ** 2)
    return Corrections(ionosphere_m, covariance, zwd_m, zwd_covariance)


def _worded(
    network: Network,
    request: RoverRequest,
    start: CodePosition,
    solution: RoverSolution,
    place: tuple[str, str],
    age_s: float,
) -> Answer:
    """Return the solution, found in a cell against a master (``place``), as an answer at the marker."""
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
        age_s,
        *place,
        None,
        solution.reason,
        request.warnings,
    )
