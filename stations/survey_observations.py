"""Statistics of observations, epoch by epoch: satellites, signals, locks, signal strength, gaps."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import BoolArray
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.epoch_series import EpochSeries
from stations.lock_arcs import LockArcs
from stations.signals import SIGNALS, Constellation, satellite_name
from stations.survey_report import EpochsSeen, SignalSeen, SystemSeen

_GAP_INTERVALS = 1.5
_MOST_SPACINGS = 10_000  # different ones; a stream with more has no interval
_KEPT_SAMPLES = 12
_BEIDOU_OFFSET_NS = 14 * NS_PER_S


@dataclass
class _Signal:
    satellites: set[int] = field(default_factory=set)
    observations: int = 0
    codes: int = 0
    phases: int = 0
    half_cycles: int = 0
    slips: int = 0
    longest_lock_ms: int = 0
    cn0_count: int = 0
    cn0_sum: float = 0.0
    cn0_low: float = math.inf
    cn0_high: float = -math.inf


class ObservationSurvey:
    """Accumulates the epochs of one station.

    Attributes:
        arcs: Judges lock times; it wants to know the message of the observations.
        samples: A few epochs, spread over what came.
    """

    def __init__(self, *, exact_locks: bool = False) -> None:
        """Start without epochs.

        Args:
            exact_locks: Lock times are the ages of arcs, as from RINEX, and not indicators.
        """
        self.arcs = LockArcs(exact=exact_locks)
        self.samples: list[StationEpoch] = []
        self._series = EpochSeries()
        self._signals: dict[int, _Signal] = defaultdict(_Signal)
        self._satellites: dict[int, set[int]] = defaultdict(set)
        self._rows: Counter[int] = Counter()
        self._dual: Counter[int] = Counter()
        self._epochs: Counter[int] = Counter()
        self._newest_ns: dict[int, int] = {}
        self._ahead_ns: Counter[int] = Counter()
        self._spacings_ns: Counter[int] = Counter()
        self._count = 0
        self._first_ns = self._last_ns = 0
        self._stride = 1

    def add(self, epoch: StationEpoch) -> None:
        """Take in an epoch as it came."""
        self._note_tags(epoch)
        before = self.arcs.slips
        _, slipped = self.arcs.ages_ms(epoch)
        if self.arcs.slips != before:
            for number, count in Counter(epoch.signal[slipped].tolist()).items():
                self._signals[number].slips += count
        for complete in self._series.push(epoch):
            self._take(complete)

    def finish(self) -> None:
        """Take in what is still held back at the end."""
        for epoch in self._series.finish():
            self._take(epoch)

    def epochs(self) -> EpochsSeen | None:
        """Return when there were observations."""
        if not self._count:
            return None
        interval_ns = self._interval_ns()
        longest_ns, gaps, missing = 0, 0, 0
        if interval_ns:
            for spacing_ns, count in self._spacings_ns.items():
                if spacing_ns > _GAP_INTERVALS * interval_ns:
                    gaps += count
                    missing += count * (round(spacing_ns / interval_ns) - 1)
                    longest_ns = max(longest_ns, spacing_ns)
        return EpochsSeen(
            self._count,
            self._first_ns,
            self._last_ns,
            interval_ns / NS_PER_S if interval_ns else None,
            missing,
            gaps,
            longest_ns / NS_PER_S,
            self._series.late,
            self._series.repeated,
        )

    def systems(self) -> tuple[SystemSeen, ...]:
        """Return the satellite systems."""
        return tuple(
            SystemSeen(
                satellite_name(100 * system)[0],
                tuple(satellite_name(satellite) for satellite in sorted(satellites)),
                self._rows[system] / self._epochs[system],
                self._dual[system] / self._epochs[system],
                self._epochs[system],
                self._ahead_s(system),
            )
            for system, satellites in sorted(self._satellites.items())
        )

    def signals(self) -> tuple[SignalSeen, ...]:
        """Return the signals."""
        return tuple(
            SignalSeen(
                satellite_name(number)[0],
                SIGNALS[number].code,
                SIGNALS[number].code[0],
                len(one.satellites),
                one.observations,
                one.codes,
                one.phases,
                one.half_cycles,
                one.slips,
                one.longest_lock_ms,
                (one.cn0_low, one.cn0_sum / one.cn0_count, one.cn0_high) if one.cn0_count else None,
            )
            for number, one in sorted(self._signals.items())
            if one.observations
        )

    def _note_tags(self, epoch: StationEpoch) -> None:
        # BeiDou beside GPS: whoever sends it in GPS time has tags that are 14 s ahead.
        for system in np.unique(epoch.satellite // 100).tolist():
            self._newest_ns[system] = epoch.time_ns
        gps_ns = self._newest_ns.get(Constellation.GPS)
        beidou_ns = self._newest_ns.get(Constellation.BEIDOU)
        if gps_ns is not None and beidou_ns is not None and epoch.time_ns == beidou_ns:
            self._ahead_ns[beidou_ns - gps_ns] += 1
            if len(self._ahead_ns) > _MOST_SPACINGS:
                self._ahead_ns.clear()

    def _ahead_s(self, system: int) -> float:
        if system != Constellation.BEIDOU or not self._ahead_ns:
            return 0.0
        usual_ns, _ = self._ahead_ns.most_common(1)[0]
        return usual_ns / NS_PER_S if abs(abs(usual_ns) - _BEIDOU_OFFSET_NS) < NS_PER_S else 0.0

    def _take(self, epoch: StationEpoch) -> None:
        if self._count:
            spacing_ns = epoch.time_ns - self._last_ns
            if spacing_ns in self._spacings_ns or len(self._spacings_ns) < _MOST_SPACINGS:
                self._spacings_ns[spacing_ns] += 1
        else:
            self._first_ns = epoch.time_ns
        self._last_ns = epoch.time_ns
        self._keep_sample(epoch)
        self._count += 1
        has_code, has_phase = np.isfinite(epoch.pseudorange_m), np.isfinite(epoch.phase_cyc)
        for number in np.unique(epoch.signal).tolist():
            self._add_signal(number, epoch, epoch.signal == number, has_code, has_phase)
        self._add_systems(epoch, has_code & has_phase)

    def _add_signal(
        self, number: int, epoch: StationEpoch, rows: BoolArray, has_code: BoolArray, has_phase: BoolArray
    ) -> None:
        one = self._signals[number]
        one.satellites.update(epoch.satellite[rows].tolist())
        one.observations += int(rows.sum())
        one.codes += int((rows & has_code).sum())
        one.phases += int((rows & has_phase).sum())
        one.half_cycles += int((rows & has_phase & epoch.half_cycle).sum())
        one.longest_lock_ms = max(one.longest_lock_ms, int(epoch.lock_ms[rows].max(initial=0)))
        cn0 = epoch.cn0_dbhz[rows]
        cn0 = cn0[np.isfinite(cn0)]
        if len(cn0):
            one.cn0_count += len(cn0)
            one.cn0_sum += float(cn0.sum())
            one.cn0_low = min(one.cn0_low, float(cn0.min()))
            one.cn0_high = max(one.cn0_high, float(cn0.max()))

    def _add_systems(self, epoch: StationEpoch, complete: BoolArray) -> None:
        bands: dict[int, set[str]] = defaultdict(set)
        for satellite, signal, whole in zip(
            epoch.satellite.tolist(), epoch.signal.tolist(), complete.tolist(), strict=True
        ):
            if whole:
                bands[satellite].add(SIGNALS[signal].code[0])
        for satellite in np.unique(epoch.satellite).tolist():
            system = satellite // 100
            self._satellites[system].add(satellite)
            self._rows[system] += 1
            self._dual[system] += len(bands[satellite]) > 1
        for system in np.unique(epoch.satellite // 100).tolist():
            self._epochs[system] += 1

    def _keep_sample(self, epoch: StationEpoch) -> None:
        if self._count % self._stride == 0:
            self.samples.append(epoch)
        if len(self.samples) > 2 * _KEPT_SAMPLES:
            self.samples = self.samples[::2]
            self._stride *= 2

    def _interval_ns(self) -> int:
        if not self._spacings_ns:
            return 0
        half, total = sum(self._spacings_ns.values()) / 2.0, 0
        for spacing_ns, count in sorted(self._spacings_ns.items()):
            total += count
            if total >= half:
                return spacing_ns
        return 0
