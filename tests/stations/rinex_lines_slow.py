"""The slow, obvious twin of ``stations.rinex_lines``: one row, one field, one number at a time, by Python's formats."""

import math

from stations.constants import NS_PER_MS
from stations.epoch import StationEpoch
from stations.rinex_obs_header import calendar
from stations.signals import satellite_name

_LARGEST = 9_999_999_999.999
_UNKNOWN_DBHZ_STEP = 6.0


class SlowBody:
    """Writes epochs and remembers when every phase was last seen."""

    def __init__(self, present: dict[int, list[int]]) -> None:
        self._slot = {number: place for numbers in present.values() for place, number in enumerate(numbers)}
        self._slots = {system: len(numbers) for system, numbers in present.items()}
        self._seen_ns: dict[tuple[int, int], int] = {}

    def epoch(self, epoch: StationEpoch, clock_offset_s: float) -> list[str]:
        """Return the lines of one epoch."""
        records: dict[int, list[str]] = {}
        columns = (
            epoch.pseudorange_m,
            epoch.phase_cyc,
            epoch.doppler_hz,
            epoch.cn0_dbhz,
            epoch.lock_ms,
            epoch.half_cycle,
        )
        values = zip(
            epoch.satellite.tolist(), epoch.signal.tolist(), *(column.tolist() for column in columns), strict=True
        )
        for satellite, signal, code, phase, doppler, strength, lock_ms, half in values:
            if satellite not in records:
                records[satellite] = [" " * 64] * self._slots[satellite // 100]
            digit = _strength_digit(strength)
            slip = not math.isnan(phase) and self._slipped(epoch.time_ns, satellite, signal, lock_ms)
            records[satellite][self._slot[signal]] = (
                _field(code, 0, digit) + _field(phase, slip + 2 * half, digit) + _field(doppler) + _field(strength)
            )
        moment = calendar(epoch.time_ns)
        clock = "" if math.isnan(clock_offset_s) else f"{'':6}{clock_offset_s:15.12f}"
        first = (
            f"> {moment[0]:4d} {moment[1]:02d} {moment[2]:02d} {moment[3]:02d} {moment[4]:02d}{moment[5]:11.7f}"
            f"  0{len(records):3d}{clock}"
        )
        return [first, *((satellite_name(sat) + "".join(fields)).rstrip() for sat, fields in sorted(records.items()))]

    def _slipped(self, time_ns: int, satellite: int, signal: int, lock_ms: int) -> bool:
        before_ns = self._seen_ns.get((satellite, signal))
        self._seen_ns[satellite, signal] = time_ns
        # Rounded to milliseconds like lock_ms itself: an arc that goes on is as old as the time since, or older.
        return before_ns is None or lock_ms < (time_ns - before_ns) // NS_PER_MS


def _field(value: float, indicator: int = 0, digit: int = 0) -> str:
    if math.isnan(value):
        return " " * 16
    if not -0.1 * _LARGEST < value < _LARGEST:
        message = f"{value} does not fit into the ten digits of a RINEX observation"
        raise ValueError(message)
    return f"{value:14.3f}{indicator or ' '}{digit or ' '}"


def _strength_digit(cn0_dbhz: float) -> int:
    return 0 if math.isnan(cn0_dbhz) else min(max(int(cn0_dbhz / _UNKNOWN_DBHZ_STEP), 1), 9)
