"""Which station's coordinate is wrong: verdicts on the offsets that :mod:`models.coordinates_filter` estimates.

Independent of all integers, so that wrong integers, which agree with a wrong coordinate, cannot hide it. One station
is blamed when moving it explains what the offsets of all stations say, and moving any other does not; stations are
added to the blamed ones one by one, fewer than half of all. Heights are tied to the wet delay: an error in height is
seen later, and must be larger, than one in east or north.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models import coordinates_filter
from models.coordinates_filter import OffsetPolicy, OffsetState
from models.reduction import Reduced
from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S


class Verdict(StrEnum):
    """What is known about a declared coordinate."""

    UNKNOWN = "unknown"
    GOOD = "good"
    SUSPICIOUS = "suspicious"
    WRONG = "wrong"


@dataclass(frozen=True)
class MonitorPolicy:
    """Constants of the verdicts.

    Attributes:
        offsets: Of the filter.
        declared_sd_m: What right coordinates and calibrations are off by, and what averaging does not remove: east,
            north, up.
        suspicious_chi2, wrong_chi2: Of three offsets of one station, over their covariance.
        margin_chi2: By how much the blamed station must explain more than the next.
        smallest_m: Offsets shorter than this are never called wrong: horizontal, vertical.
        known_sd_m: A horizontal offset known less well than this is no verdict.
        lasting_s: For how long a change to or from ``wrong`` must last.
    """

    offsets: OffsetPolicy = OffsetPolicy()
    declared_sd_m: tuple[float, float, float] = (0.008, 0.008, 0.016)
    suspicious_chi2: float = 16.3
    wrong_chi2: float = 25.0
    margin_chi2: float = 13.8
    smallest_m: tuple[float, float] = (0.03, 0.06)
    known_sd_m: float = 0.03
    lasting_s: float = 300.0


@dataclass(frozen=True)
class Judgement:
    """The verdict on one station.

    Attributes:
        verdict: Where it stands.
        offset_m: Declared minus estimated position, east, north, up.
        sd_m: Standard deviations of that.
        since_ns: When the verdict came into force.
    """

    verdict: Verdict
    offset_m: tuple[float, float, float]
    sd_m: tuple[float, float, float]
    since_ns: int


@dataclass(frozen=True)
class MonitorState:
    """What the monitor carries.

    Attributes:
        filter: State of the offset filter.
        judgements: By station, in the order of the filter's stations.
        pending_ns: Since when each station's evidence has spoken against its verdict, -1 if it does not, shape
            ``(station,)``.
    """

    filter: OffsetState
    judgements: tuple[Judgement, ...]
    pending_ns: IntArray


@dataclass(frozen=True)
class MonitorInfo:
    """What is known after a step.

    Attributes:
        judgements: By name.
        changed: Names whose verdict changed in this step.
    """

    judgements: Mapping[str, Judgement]
    changed: tuple[str, ...]

    def of(self, verdict: Verdict) -> tuple[str, ...]:
        """Return the stations with this verdict, in the order of the network."""
        return tuple(name for name, one in self.judgements.items() if one.verdict is verdict)


def init(policy: MonitorPolicy, stations: tuple[str, ...], station_m: FloatArray) -> MonitorState:
    """Return a state without knowledge; ``station_m`` are declared positions, ECEF, shape ``(station, 3)``."""
    sd = policy.offsets.offset_sd_m
    unknown = Judgement(Verdict.UNKNOWN, (0.0, 0.0, 0.0), (sd, sd, sd), -1)
    return MonitorState(
        coordinates_filter.init(policy.offsets, stations, station_m),
        (unknown,) * len(stations),
        np.full(len(stations), -1, dtype=np.int64),
    )


def step(
    policy: MonitorPolicy, state: MonitorState, epochs: Mapping[str, Reduced], time_ns: int
) -> tuple[MonitorState, MonitorInfo]:
    """Take in a network epoch; most are passed over (``OffsetPolicy.interval_s``).

    Args:
        policy: Constants.
        state: Of the step before.
        epochs: Reduced observations by station, also of stations that are excluded elsewhere.
        time_ns: Epoch.
    """
    stations = state.filter.stations
    before = state.filter.time_ns
    if before >= 0 and time_ns - before < (policy.offsets.interval_s - 0.5) * NS_PER_S:
        return state, MonitorInfo(dict(zip(stations, state.judgements, strict=True)), ())
    filtered = coordinates_filter.step(policy.offsets, state.filter, epochs, time_ns)
    evidence = _evidence(policy, filtered)
    judgements, pending = [], state.pending_ns.copy()
    for k, (old, (says, offset_m, sd_m)) in enumerate(zip(state.judgements, evidence, strict=True)):
        verdict = says
        crossing = (says is Verdict.WRONG) != (old.verdict is Verdict.WRONG)
        if not crossing:
            pending[k] = -1
        elif pending[k] < 0:
            pending[k] = time_ns
        if crossing and time_ns - pending[k] < policy.lasting_s * NS_PER_S:
            verdict = Verdict.WRONG if old.verdict is Verdict.WRONG else Verdict.SUSPICIOUS
        elif crossing:
            pending[k] = -1
        judgements.append(Judgement(verdict, offset_m, sd_m, old.since_ns if verdict is old.verdict else time_ns))
    changed = tuple(
        name
        for name, old, new in zip(stations, state.judgements, judgements, strict=True)
        if old.verdict is not new.verdict
    )
    state = replace(state, filter=filtered, judgements=tuple(judgements), pending_ns=pending)
    return state, MonitorInfo(dict(zip(stations, judgements, strict=True)), changed)


_Vector = tuple[float, float, float]


def _evidence(policy: MonitorPolicy, filtered: OffsetState) -> list[tuple[Verdict, _Vector, _Vector]]:
    """Return what this epoch alone says of each station: verdict, offset and standard deviation.

    Source:
        Outlier identification by the test for one more parameter block, Teunissen (2006), Testing Theory, ch. 4;
        the covariance holds the datum that the observations leave open.
    """
    offsets, covariance = filtered.offsets()
    count = len(filtered.stations)
    covariance = covariance + np.diag(np.tile(np.square(policy.declared_sd_m), count))
    weight = _precision(covariance)
    blamed: list[int] = []
    doubtful: set[int] = set()
    while True:
        tested = {k: _fit([*blamed, k], offsets, weight) for k in range(count) if k not in blamed}
        order = sorted(tested, key=lambda k: -tested[k][2])
        doubtful |= {k for k in order if tested[k][2] > policy.suspicious_chi2}
        if not order or tested[order[0]][2] <= policy.wrong_chi2:
            break
        first = order[0]
        next_chi2 = tested[order[1]][2] if len(order) > 1 else 0.0
        too_many = 2 * (len(blamed) + 1) >= count
        if too_many or tested[first][2] - next_chi2 < policy.margin_chi2:
            break
        blamed.append(first)
        doubtful = set()  # what the others seemed to be off by may be its doing
    result = []
    for k in range(count):
        others = [j for j in blamed if j != k]
        b, cov, _ = _fit([*others, k], offsets, weight)
        sd = np.sqrt(np.diagonal(cov))
        if k in blamed and _large(policy, b):
            verdict = Verdict.WRONG
        elif k in blamed or k in doubtful:
            verdict = Verdict.SUSPICIOUS
        else:
            horizontal = float(np.sqrt(np.linalg.eigvalsh(cov[:2, :2])[-1]))
            verdict = Verdict.GOOD if horizontal <= policy.known_sd_m else Verdict.UNKNOWN
        result.append((verdict, _vector(b), _vector(sd)))
    return result


def _fit(blocks: list[int], offsets: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return the offset of the last station when only these are off, its covariance, and its chi-square."""
    columns = (3 * np.array(blocks)[:, None] + np.arange(3)).ravel()
    covariance = _precision(weight[np.ix_(columns, columns)])
    estimate: FloatArray = covariance @ (weight[columns] @ offsets)
    b, cov = estimate[-3:], covariance[-3:, -3:]
    return b, cov, float(b @ np.linalg.solve(cov, b))


def _precision(covariance: FloatArray) -> FloatArray:
    """Return the inverse of a small, positive definite matrix, itself wanted and not only its products."""
    factor = cho_factor(covariance, lower=True, check_finite=False)
    precision: FloatArray = cho_solve(factor, np.eye(len(covariance)), check_finite=False)
    return precision


def _large(policy: MonitorPolicy, offset_m: FloatArray) -> bool:
    horizontal, vertical = policy.smallest_m
    return bool(np.hypot(offset_m[0], offset_m[1]) >= horizontal or abs(float(offset_m[2])) >= vertical)


def _vector(values: FloatArray) -> _Vector:
    east, north, up = values.tolist()
    return east, north, up
