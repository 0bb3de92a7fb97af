"""The answer to one rover epoch, from a snapshot: pure, the same for HTTP, MQTT and replay."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.answer import Answer, refusal
from gpsgrid.grid import cell_at
from gpsgrid.snapshot import Snapshot, field_points
from models.atmosphere import zwd_at
from models.code_position import CodePosition, code_position
from models.field.cell import difference
from models.field.solve import Posterior
from models.reduction import DualFrequency, Reduced, dual_frequency, reduce_epoch
from models.rover import MIN_SATELLITES, Corrections, RoverPolicy, RoverSolution, RoverStatus, common_rows, solve
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
    """

    name: str
    epoch: StationEpoch
    calibration: AntennaCalibration | None
    antenna_height_m: float
    warnings: tuple[str, ...] = ()


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


def answer_rover(
    policy: QueryPolicy,
    network: Network,
    snapshot: Snapshot,
    posterior_of: Callable[[Snapshot, str], Posterior],
    request: RoverRequest,
) -> Answer:
    """Return the answer to a query.

    Args:
        policy: Limits.
        network: For frame and names.
        snapshot: The network epoch to use.
        posterior_of: Returns the field of a cell at a snapshot (the engine keeps them).
        request: The query.
    """
    age_s = (request.epoch.time_ns - snapshot.time_ns) / NS_PER_S

    def refuse(reason: Reason, text: str) -> Answer:
        refused = refusal(request.name, reason, text, request.epoch.time_ns, network.frame, network.epoch)
        return replace(refused, age_s=age_s, warnings=request.warnings)

    if abs(age_s) > policy.maximum_age_s:
        text = (
            f"rover epoch {to_iso(request.epoch.time_ns)}, network epoch {to_iso(snapshot.time_ns)}: "
            f"{age_s:.1f} s apart, at most {policy.maximum_age_s:.0f} s can be bridged"
        )
        return refuse(Reason.STALE_NETWORK, text)
    raw = dual_frequency(request.epoch)
    if len(raw.satellite) < MIN_SATELLITES:
        seen = len(np.unique(request.epoch.satellite))
        text = (
            f"{len(raw.satellite)} satellites with code and phase on GPS L1 C/A and L2 P(Y) ({seen} in the body); "
            f"at least {MIN_SATELLITES} are needed"
        )
        few = seen < MIN_SATELLITES
        return refuse(Reason.TOO_FEW_SATELLITES if few else Reason.UNSUPPORTED_SIGNAL, text)
    start = code_position(raw, snapshot.ephemerides)
    if start is None:
        known = sum(int(satellite) in snapshot.ephemerides for satellite in raw.satellite)
        text = f"no position from the pseudoranges of {known} satellites with a known orbit; are they raw and undamaged?"
        few = known < MIN_SATELLITES
        return refuse(Reason.TOO_FEW_SATELLITES if few else Reason.NO_CODE_POSITION, text)
    masters = _masters(policy, network, snapshot, start.position_m)
    if not masters:
        nearest = min(
            (float(np.linalg.norm(s.marker_m - start.position_m)), s.id) for s in network.stations
        )
        text = (
            f"the nearest station, {nearest[1]}, is {nearest[0] / 1000:.0f} km away; at most "
            f"{policy.maximum_distance_m / 1000:.0f} km from a station that delivers data can be served"
        )
        return refuse(Reason.OUTSIDE_NETWORK, text)
    cell = cell_at(start.position_m, policy.resolution)
    master, solution = _solve(policy, network, snapshot, posterior_of(snapshot, cell), request, raw, start, masters)
    return _worded(network, request, start, solution, cell, master, age_s)


def _masters(policy: QueryPolicy, network: Network, snapshot: Snapshot, position_m: FloatArray) -> list[str]:
    """Return the stations with data that are near enough, nearest first."""
    distances = sorted(
        (float(np.linalg.norm(network.station(name).marker_m - position_m)), name) for name in snapshot.reduced
    )
    return [name for distance, name in distances if distance <= policy.maximum_distance_m]


def _solve(
    policy: QueryPolicy,
    network: Network,
    snapshot: Snapshot,
    posterior: Posterior,
    request: RoverRequest,
    raw: DualFrequency,
    start: CodePosition,
    masters: list[str],
) -> tuple[str, RoverSolution]:
    """Solve against the nearest station with enough common satellites."""
    master, solution = masters[0], None
    for master in masters:
        reference_m = start.position_m
        # Twice: the second round is linearised at the float or fixed position of the first.
        for _ in range(2):
            rover = reduce_epoch(raw, snapshot.ephemerides, reference_m, request.calibration)
            base = snapshot.reduced[master]
            rows, base_rows = common_rows(policy.rover, rover, base)
            rover, base = rover.rows(rows), base.rows(base_rows)
            corrections = _corrections(network, snapshot, posterior, rover, base, master)
            solution = solve(policy.rover, rover, base, corrections, reference_m)
            if solution.status is RoverStatus.NONE:
                break
            reference_m = solution.position_m
        if solution is not None and solution.status is not RoverStatus.NONE:
            break
    if solution is None:
        message = "no master station to solve against"
        raise ValueError(message)
    return master, solution


def _corrections(
    network: Network, snapshot: Snapshot, posterior: Posterior, rover: Reduced, base: Reduced, master: str
) -> Corrections:
    """Return what the network knows about rover minus master, older knowledge being worth less."""
    del network
    ionosphere_m, covariance = difference(posterior, field_points(rover), field_points(base))
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
    cell: str,
    master: str,
    age_s: float,
) -> Answer:
    """Return the solution as an answer at the marker."""
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
        cell,
        master,
        None,
        solution.reason,
        request.warnings,
    )
