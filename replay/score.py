"""How good a track is, against the truth: what was promised, what was kept, and whether the sigmas are honest.

A fix is a row whose status is ``fixed`` or ``partial``. Shares are of all epochs with a known truth, also
those without a position, unless the name says otherwise. Thresholds are those of the literature on single-epoch
network RTK: centimetre is 2 cm horizontally and 5 cm vertically.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from replay.track import TrackRow
from replay.truth import Truth
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.frames import enu_rotation_at
from stations.gpstime import to_iso

CENTIMETRE_H_M, CENTIMETRE_V_M = 0.02, 0.05
ONE_CENTIMETRE_H_M = 0.01
WRONG_H_M, WRONG_V_M = 0.05, 0.15
PERCENTILES = (50, 68, 95, 99)

_HOUR_NS = 3600 * NS_PER_S


@dataclass(frozen=True)
class Spread:
    """Distribution of the sizes of something; NaN where there is nothing.

    Attributes:
        p50: Median; p68, p95, p99: further percentiles.
        rms: Root mean square.
    """

    p50: float
    p68: float
    p95: float
    p99: float
    rms: float


@dataclass(frozen=True)
class HourScore:
    """The epochs of one hour.

    Attributes:
        start_gpst: ISO 8601.
        epochs: How many.
        fixed_percent, centimetre_percent: As in :class:`Score`.
        wrong_fixes: How many.
        horizontal_p95_m: Of the fixes.
    """

    start_gpst: str
    epochs: int
    fixed_percent: float
    centimetre_percent: float
    wrong_fixes: int
    horizontal_p95_m: float


@dataclass(frozen=True)
class Score:
    """Result of :func:`score`.

    Attributes:
        epochs: Rows with a known truth.
        without_truth: Rows without; they count nowhere else.
        positions_percent: Epochs with a position of any kind.
        fixed_percent: Epochs with a fix.
        centimetre_percent: Epochs with H <= 2 cm and V <= 5 cm, of whatever status.
        fixed_centimetre_percent: Those of them that are fixes.
        one_centimetre_percent: Epochs with H <= 1 cm.
        wrong_fixes: Fixes with H > 5 cm or V > 15 cm.
        wrong_fixes_percent: Of the fixes.
        horizontal_m, vertical_m: Errors of the fixes.
        vertical_mean_m: Mean of the vertical errors of the fixes, up is positive.
        sigma_ratio_e, sigma_ratio_n, sigma_ratio_u: RMS of error over stated standard deviation; 1 is honest.
        age_s: Of the network epochs used.
        latency_ms: Of all answers, where it was measured.
        hours: The same in short, hour by hour.
        first_fix_s: From the first epoch to the first fix; NaN without one.
    """

    epochs: int
    without_truth: int
    positions_percent: float
    fixed_percent: float
    centimetre_percent: float
    fixed_centimetre_percent: float
    one_centimetre_percent: float
    wrong_fixes: int
    wrong_fixes_percent: float
    horizontal_m: Spread
    vertical_m: Spread
    vertical_mean_m: float
    sigma_ratio_e: float
    sigma_ratio_n: float
    sigma_ratio_u: float
    age_s: Spread
    latency_ms: Spread
    hours: tuple[HourScore, ...]
    first_fix_s: float = math.nan

    def as_dict(self) -> dict[str, object]:
        """Return the score for JSON: what is not known is ``None``."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class _Errors:
    """Errors against the truth, rows are epochs; NaN without position."""

    error_enu_m: FloatArray
    sd_enu_m: FloatArray
    fix: BoolArray

    @property
    def horizontal_m(self) -> FloatArray:
        return np.hypot(self.error_enu_m[:, 0], self.error_enu_m[:, 1])

    @property
    def vertical_m(self) -> FloatArray:
        return np.abs(self.error_enu_m[:, 2])

    def within(self, horizontal_m: float, vertical_m: float = math.inf) -> BoolArray:
        # Comparisons with NaN are false: an epoch without position is not within anything.
        return (self.horizontal_m <= horizontal_m) & (self.vertical_m <= vertical_m)

    @property
    def wrong(self) -> BoolArray:
        return self.fix & ~self.within(WRONG_H_M, WRONG_V_M)

    def take(self, rows: BoolArray) -> "_Errors":
        return _Errors(self.error_enu_m[rows], self.sd_enu_m[rows], self.fix[rows])


def score(rows: Sequence[TrackRow], truth: Truth) -> Score:
    """Score a track.

    Args:
        rows: All epochs of the rover, also the failed ones.
        truth: In the same frame.

    Raises:
        GpsgridError: ``NO_OBSERVATIONS``, the truth is not known at any epoch of the track.
    """
    known = [(row, true_m) for row in rows if (true_m := truth.at(row.time_ns)) is not None]
    if not known:
        span = (
            f"the track has {to_iso(rows[0].time_ns)} to {to_iso(rows[-1].time_ns)}" if rows else "the track is empty"
        )
        message = f"nothing to score: {span}, and the truth has none of its epochs; are both of the same day?"
        raise GpsgridError(Reason.NO_OBSERVATIONS, message)
    errors = errors_of(known)
    return _summary(known, errors, len(rows) - len(known))


def errors_of(known: Sequence[tuple[TrackRow, FloatArray]]) -> _Errors:
    """Return the errors of rows whose true position, ECEF of shape ``(3,)``, is beside them."""
    error_enu_m = np.array(
        [enu_rotation_at(true_m) @ (np.array(row.position_m) - true_m) for row, true_m in known]
    ).reshape(-1, 3)
    sd_enu_m = np.array([row.sd_enu_m for row, _ in known]).reshape(-1, 3)
    return _Errors(error_enu_m, sd_enu_m, np.array([row.claimed for row, _ in known], dtype=np.bool_))


def _summary(known: Sequence[tuple[TrackRow, FloatArray]], errors: _Errors, without_truth: int) -> Score:
    centimetre = errors.within(CENTIMETRE_H_M, CENTIMETRE_V_M)
    fixes = errors.take(errors.fix)
    wrong = int(errors.wrong.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = fixes.error_enu_m / fixes.sd_enu_m
    east, north, up = (_rms(ratio[:, axis]) for axis in range(3))
    return Score(
        epochs=len(known),
        without_truth=without_truth,
        positions_percent=_percent(np.isfinite(errors.horizontal_m)),
        fixed_percent=_percent(errors.fix),
        centimetre_percent=_percent(centimetre),
        fixed_centimetre_percent=_percent(centimetre & errors.fix),
        one_centimetre_percent=_percent(errors.within(ONE_CENTIMETRE_H_M)),
        wrong_fixes=wrong,
        wrong_fixes_percent=_percent(fixes.wrong),
        horizontal_m=_spread(fixes.horizontal_m),
        vertical_m=_spread(fixes.vertical_m),
        vertical_mean_m=_mean(fixes.error_enu_m[:, 2]),
        sigma_ratio_e=east,
        sigma_ratio_n=north,
        sigma_ratio_u=up,
        age_s=_spread(np.array([row.age_s for row, _ in known])),
        latency_ms=_spread(np.array([row.latency_ms for row, _ in known])),
        hours=_hours(np.array([row.time_ns for row, _ in known], dtype=np.int64) // _HOUR_NS, errors),
        first_fix_s=_first_fix_s([row for row, _ in known]),
    )


def _first_fix_s(rows: Sequence[TrackRow]) -> float:
    first = next((row.time_ns for row in rows if row.claimed), None)
    return math.nan if first is None else (first - rows[0].time_ns) / NS_PER_S


def _hours(hour: IntArray, errors: _Errors) -> tuple[HourScore, ...]:
    found = []
    for one in np.unique(hour).tolist():
        part = errors.take(hour == one)
        found.append(
            HourScore(
                to_iso(int(one) * _HOUR_NS)[:16],
                len(part.fix),
                _percent(part.fix),
                _percent(part.within(CENTIMETRE_H_M, CENTIMETRE_V_M)),
                int(part.wrong.sum()),
                _spread(part.take(part.fix).horizontal_m).p95,
            )
        )
    return tuple(found)


def _percent(flags: BoolArray) -> float:
    return 100.0 * float(np.mean(flags)) if len(flags) else 0.0


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else math.nan


def _spread(values: FloatArray) -> Spread:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(*(math.nan,) * 5)
    p50, p68, p95, p99 = np.percentile(finite, PERCENTILES).tolist()
    return Spread(p50, p68, p95, p99, _rms(finite))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
