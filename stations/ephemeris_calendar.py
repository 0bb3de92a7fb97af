"""When each broadcast ephemeris became known, so that a replay knows no more than a receiver did.

An ephemeris is known from its transmission on. One exception: recorded files begin at midnight without the
uploads of the evening before, which a receiver that had been running would have. So where a recording
starts in the first four hours of the navigation data, every satellite of which nothing recent is known by then has its
earliest ephemeris from the start on, if the reference time of that is at most four hours away.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stations.constants import NS_PER_S
from stations.navigation_kinds import Ephemeris

_HOUR_NS = 3600 * NS_PER_S
_FIT_NS = 2 * _HOUR_NS  # half the curve fit interval of LNAV
_USABLE_NS = 4 * _HOUR_NS


@dataclass(frozen=True)
class KnownEphemeris:
    """An ephemeris and when it became known.

    Attributes:
        from_ns: Known from then on, ns of GPS time.
        ephemeris: The ephemeris.
    """

    from_ns: int
    ephemeris: Ephemeris

    def in_use(self, time_ns: int) -> bool:
        """Return whether a receiver that joins at that moment is told: known, and recent or near its reference time."""
        near = abs(time_ns - self.ephemeris.toe_ns) <= _FIT_NS
        return self.from_ns <= time_ns and (near or time_ns - self.from_ns <= _USABLE_NS)


def calendar_of(ephemerides: Iterable[Ephemeris], start_ns: int) -> list[KnownEphemeris]:
    """Return when each ephemeris became known, in that order.

    Args:
        ephemerides: Of all satellites.
        start_ns: Start of the recording, ns of GPS time.
    """
    known = [KnownEphemeris(_heard_ns(ephemeris), ephemeris) for ephemeris in ephemerides]
    first_ns = min((item.from_ns for item in known), default=start_ns)
    if start_ns - first_ns < _USABLE_NS:
        heard = {item.ephemeris.satellite for item in known if item.in_use(start_ns)}
        earliest: dict[int, KnownEphemeris] = {}
        for item in sorted(known, key=_order):
            satellite = item.ephemeris.satellite
            if satellite not in heard and abs(item.ephemeris.toe_ns - start_ns) <= _USABLE_NS:
                earliest.setdefault(satellite, item)
        known = [replace(item, from_ns=start_ns) if item in earliest.values() else item for item in known]
    return sorted(known, key=_order)


def _heard_ns(ephemeris: Ephemeris) -> int:
    # Some programs write any number for the transmission time; then the start of the fit interval stands for it.
    if abs(ephemeris.transmitted_ns - ephemeris.toe_ns) <= _USABLE_NS:
        return ephemeris.transmitted_ns
    return ephemeris.toe_ns - _FIT_NS


def _order(item: KnownEphemeris) -> tuple[int, int, int]:
    return item.from_ns, item.ephemeris.satellite, item.ephemeris.toe_ns
