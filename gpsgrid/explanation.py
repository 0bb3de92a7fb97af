"""Why a position came out as it did, satellite by satellite, in words of a surveyor.

Everything is computed once more at the position that was answered, from what the solution was made of: it explains,
and changes nothing. Residuals are rover minus master less the corrections, less what all satellites of a system have in
common; a phase residual is the distance from the nearest whole cycle, and so means something only beside a position
that is known to centimetres.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gpsgrid.satellite_residuals import Common, SatelliteResidual, residuals_of
from gpsgrid.snapshot import Snapshot
from models.observables import Observables, observables
from models.rover import MIN_SATELLITES, RoverPolicy, RoverSolution, RoverStatus
from stations.epoch import StationEpoch
from stations.signals import SIGNALS, Constellation, constellation_of, satellite_name

_DISTURBED = 4.0  # variance scale of a satellite: its ionosphere is twice as rough as usual
_SYSTEM_WORDS = {Constellation.GLONASS: "GLONASS", Constellation.SBAS: "SBAS", Constellation.NAVIC: "NavIC"}
_STATUS_WORDS = {
    "too_few": "too few integers are certain enough to be tried ({attempted}; success rate {rate:.1%})",
    "ratio": (
        "the second-best integers fit nearly as well: ratio {ratio:.2f} where {threshold:.2f} is needed for "
        "{attempted} integers"
    ),
    "fit": "the best integers do not fit: {fit:.1f} per integer, 1 is expected",
    "search_limit": "the search for integers was given up: the geometry is hopeless",
    "singular": "the ambiguities cannot be told apart",
    "fixed_all": "all {attempted} integers are fixed: ratio {ratio:.2f} where {threshold:.2f} is needed",
    "fixed_partial": "{attempted} integers are fixed: ratio {ratio:.2f} where {threshold:.2f} is needed",
}


class Cause(StrEnum):
    """Why a satellite was used or not; stable codes."""

    USED = "used"
    ONE_CARRIER = "one_carrier"
    SYSTEM = "system_not_used"
    NO_ORBIT = "no_orbit"
    WRONG_ORBIT = "wrong_orbit"
    LOW = "low"
    NOT_AT_MASTER = "not_at_master"
    HALF_CYCLE = "half_cycle"
    ALONE = "alone"
    CODE = "code_residual"
    IONOSPHERE = "ionosphere"
    NO_POSITION = "no_position"


@dataclass(frozen=True)
class SatelliteFinding:
    """What became of a satellite of the rover's epoch.

    Attributes:
        satellite: RINEX name.
        used: Whether the position was computed with it.
        cause: Why, as a code.
        text: The same in words.
        elevation_rad, azimuth_rad: NaN without a position or an orbit.
        carriers: RINEX codes of the residuals, such as ``1C``.
        code_residual_m, phase_residual_m: By carrier; NaN where there is none.
        ionosphere_m: Slant delay on L1 predicted at the rover less that at the master; NaN without.
        ionosphere_sd_m: Of it, against the best known satellite of the system; NaN without.
        disturbance: How much rougher than usual its ionosphere is now, as a ratio of variances; 1 is usual.
    """

    satellite: str
    used: bool
    cause: Cause
    text: str
    elevation_rad: float = float("nan")
    azimuth_rad: float = float("nan")
    carriers: tuple[str, ...] = ()
    code_residual_m: tuple[float, ...] = ()
    phase_residual_m: tuple[float, ...] = ()
    ionosphere_m: float = float("nan")
    ionosphere_sd_m: float = float("nan")
    disturbance: float = float("nan")


@dataclass(frozen=True)
class Explanation:
    """An answer explained.

    Attributes:
        text: What decided the status, in words.
        ratio: Squared norm of the second-best integers over that of the best; NaN when none were compared.
        threshold: What it had to reach.
        integers: How many were tried together.
        satellites: All of the rover's epoch, ascending.
    """

    text: str
    ratio: float
    threshold: float
    integers: int
    satellites: tuple[SatelliteFinding, ...]


def explain(
    policy: RoverPolicy, snapshot: Snapshot, epoch: StationEpoch, common: Common | None, solution: RoverSolution | None
) -> Explanation:
    """Return why an answer is what it is.

    Args:
        policy: With which the rover was solved.
        snapshot: From which.
        epoch: Of the rover.
        common: What the solution was computed from; ``None`` when it did not come to that.
        solution: The outcome; ``None`` when there was none.
    """
    raw = observables(epoch)
    residuals = {} if common is None or solution is None else residuals_of(policy, common, solution)
    findings = []
    for satellite in np.unique(epoch.satellite).tolist():
        cause, text = _before_solving(policy, snapshot, epoch, raw, satellite, common)
        if cause is None and (common is None or solution is None):
            cause, text = Cause.NO_POSITION, "not used: there is no position to judge it by"
        if cause is not None or common is None or solution is None:
            findings.append(_finding(satellite, cause or Cause.NO_POSITION, text, snapshot, common, None))
            continue
        one = residuals[satellite]
        cause, text = _after_solving(policy, snapshot, satellite, solution, one, common.master)
        findings.append(_finding(satellite, cause, text, snapshot, common, one))
    if solution is None:
        return Explanation("it did not come to a solution", np.nan, np.nan, 0, tuple(findings))
    fix = solution.fix
    if fix is None:
        text = solution.reason or str(solution.status)
        return Explanation(text, np.nan, np.nan, 0, tuple(findings))
    words = _STATUS_WORDS[str(fix.status)].format(
        attempted=fix.attempted, rate=fix.success_rate, ratio=fix.ratio, threshold=fix.threshold, fit=fix.fit
    )
    if fix.accepted and solution.status is RoverStatus.FLOAT:
        words += f", but {solution.reason}"
    return Explanation(words, fix.ratio, fix.threshold, fix.attempted, tuple(findings))


def _before_solving(
    policy: RoverPolicy,
    snapshot: Snapshot,
    epoch: StationEpoch,
    raw: Observables,
    satellite: int,
    common: Common | None,
) -> tuple[Cause | None, str]:
    """Return why a satellite did not come as far as the solution, ``None`` if it did."""
    system = constellation_of(satellite)
    if system not in policy.systems:
        return Cause.SYSTEM, f"not used: {_SYSTEM_WORDS.get(system, system.name)} takes no part in positions"
    if satellite not in raw.satellite:
        rows = epoch.satellite == satellite
        whole = rows & ~np.isnan(epoch.pseudorange_m) & ~np.isnan(epoch.phase_cyc)
        codes = " ".join(SIGNALS[number].code for number in epoch.signal[whole].tolist()) or "no signal"
        return Cause.ONE_CARRIER, f"not used: code and phase are needed on two carriers, and there is {codes}"
    if satellite not in snapshot.ephemerides:
        return Cause.NO_ORBIT, "not used: no station has told its orbit yet, or it is out of date or unhealthy"
    if satellite in snapshot.wrong_orbits:
        return Cause.WRONG_ORBIT, "refused: its broadcast orbit does not fit the codes of the whole network"
    return (None, "") if common is None else _not_common(policy, satellite, common)


def _not_common(policy: RoverPolicy, satellite: int, common: Common) -> tuple[Cause | None, str]:
    """Return why rover and master do not have a satellite in common, ``None`` if they do."""
    if satellite in common.screened:
        return Cause.CODE, "refused: its code is kilometres off at the approximate position"
    limit_deg = np.degrees(policy.minimum_elevation_rad)
    place = np.flatnonzero(common.rover.satellite == satellite)
    if not len(place) or common.rover.elevation_rad[place[0]] <= policy.minimum_elevation_rad:
        high = f"{np.degrees(common.rover.elevation_rad[place[0]]):.1f}" if len(place) else "less than 3"
        return Cause.LOW, f"not used: {high} degrees above the horizon, {limit_deg:.0f} are needed"
    at_base = np.flatnonzero(common.base.satellite == satellite)
    if not len(at_base):
        return Cause.NOT_AT_MASTER, f"not used: station {common.master} does not observe it on two carriers"
    if common.base.elevation_rad[at_base[0]] <= policy.minimum_elevation_rad:
        return Cause.LOW, f"not used: too low at station {common.master}, {limit_deg:.0f} degrees are needed"
    if common.rover.raw.half_cycle[place[0]] or common.base.raw.half_cycle[at_base[0]]:
        where = "at the rover" if common.rover.raw.half_cycle[place[0]] else f"at station {common.master}"
        return Cause.HALF_CYCLE, f"refused: the receiver {where} says that its phase may be off by half a cycle"
    alone = np.count_nonzero(common.rover.satellite[common.rows] // 100 == satellite // 100) < 2
    return (Cause.ALONE, "not used: it is the only one of its system in common") if alone else (None, "")


def _after_solving(
    policy: RoverPolicy,
    snapshot: Snapshot,
    satellite: int,
    solution: RoverSolution,
    one: SatelliteResidual,
    master: str,
) -> tuple[Cause, str]:
    """Return what the solution made of a satellite that reached it."""
    rough = float(snapshot.scales[satellite])
    sd_mm = one.ionosphere_sd_m * 1000.0
    if satellite in solution.satellites:
        known = f"ionosphere predicted to {sd_mm:.0f} mm" if np.isfinite(sd_mm) else "reference of its system"
        return Cause.USED, f"used: {known}, code residual {one.worst_m:+.2f} m"
    if satellite not in solution.dropped:
        few = f"not used: fewer than {MIN_SATELLITES} satellites were left"
        return Cause.NO_POSITION, few
    if one.surprise > policy.outlier_limit:
        text = (
            f"refused: code {one.worst_carrier} is off by {one.worst_m:+.2f} m against station {master}, "
            f"{one.surprise:.1f} times its standard deviation; multipath at either end?"
        )
        return Cause.CODE, text
    kind = "a disturbed" if rough > _DISTURBED else "a"
    beside = f", variance {rough:.0f} times the usual" if rough > _DISTURBED else ""
    return (
        Cause.IONOSPHERE,
        f"refused: predicted ionosphere {sd_mm:.0f} mm on {kind} satellite{beside}; left out in search of a fix",
    )


def _finding(
    satellite: int, cause: Cause, text: str, snapshot: Snapshot, common: Common | None, one: SatelliteResidual | None
) -> SatelliteFinding:
    name, rough = satellite_name(satellite), float(snapshot.scales[satellite])
    words = f"{name} {text}"
    if one is not None:
        return SatelliteFinding(
            name,
            cause is Cause.USED,
            cause,
            words,
            one.elevation_rad,
            one.azimuth_rad,
            one.carriers,
            one.code_m,
            one.phase_m,
            one.ionosphere_m,
            one.ionosphere_sd_m,
            rough,
        )
    place = np.zeros(0, dtype=np.int64) if common is None else np.flatnonzero(common.rover.satellite == satellite)
    if common is None or not len(place):
        return SatelliteFinding(name, used=False, cause=cause, text=words, disturbance=rough)
    elevation_rad, azimuth_rad = float(common.rover.elevation_rad[place[0]]), float(common.rover.azimuth_rad[place[0]])
    return SatelliteFinding(name, False, cause, words, elevation_rad, azimuth_rad, disturbance=rough)  # noqa: FBT003 - a row
