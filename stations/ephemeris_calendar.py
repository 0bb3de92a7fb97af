"""When each broadcast ephemeris became known, so that a replay knows no more than a receiver did.

An ephemeris is known from its transmission on. One exception: recorded files begin at midnight without the
uploads of the evening before, which a receiver that had been running would have. So where a recording
starts in the first four hours of the navigation data, every satellite of which nothing recent is known by then has its
earliest ephemeris from the start on, if the reference time of that is not farther away than it may be used (GPS: four
hours).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from stations.constants import NS_PER_S
from stations.navigation_kinds import Ephemeris, is_fnav
from stations.signals import Constellation

_HOUR_NS = 3600 * NS_PER_S
_USABLE_NS = 4 * _HOUR_NS
_TOLD = 3  # per satellite: the one whose reference time is nearest is among them


class _Span(NamedTuple):
    """How long the ephemerides of a system serve.

    Attributes:
        fit_ns: Half the interval around the reference time for which they are made.
        usable_ns: For so long they are used where there is nothing newer.
    """

    fit_ns: int
    usable_ns: int


_SPANS = {
    Constellation.GPS: _Span(2 * _HOUR_NS, _USABLE_NS),  # IS-GPS-200 20.3.4.4: curve fit interval of LNAV
    Constellation.GLONASS: _Span(_HOUR_NS // 4, _HOUR_NS // 2),  # GLONASS ICD 5.1, 4.4: half an hour, centred
    Constellation.GALILEO: _Span(2 * _HOUR_NS, _USABLE_NS),  # Galileo OS SDD 2.3.1.3: four hours
    Constellation.SBAS: _Span(_HOUR_NS // 15, _HOUR_NS // 10),
    Constellation.QZSS: _Span(_HOUR_NS, 2 * _HOUR_NS),  # IS-QZSS-PNT: curve fit interval of two hours
    Constellation.BEIDOU: _Span(_HOUR_NS, _USABLE_NS),  # one an hour, as it is flown
    Constellation.NAVIC: _Span(_HOUR_NS, 2 * _HOUR_NS),
}
_SPAN_OF = tuple(_SPANS[system] for system in Constellation)


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
        span = _span(self.ephemeris)
        near = abs(time_ns - self.ephemeris.toe_ns) <= span.fit_ns
        return self.from_ns <= time_ns and (near or time_ns - self.from_ns <= span.usable_ns)


def calendar_of(ephemerides: Iterable[Ephemeris], start_ns: int) -> list[KnownEphemeris]:
    """Return when each ephemeris became known, in that order.

    Args:
        ephemerides: Of all satellites.
        start_ns: Start of the recording, ns of GPS time.
    """
    known = [KnownEphemeris(_heard_ns(ephemeris), ephemeris) for ephemeris in ephemerides]
    first_ns = min((item.from_ns for item in known), default=start_ns)
    if start_ns - first_ns < _USABLE_NS:
        heard = {_sender(item) for item in known if item.in_use(start_ns)}
        earliest: dict[tuple[int, bool], KnownEphemeris] = {}
        for item in sorted(known, key=_order):
            usable_ns = _span(item.ephemeris).usable_ns
            if _sender(item) not in heard and abs(item.ephemeris.toe_ns - start_ns) <= usable_ns:
                earliest.setdefault(_sender(item), item)
        known = [replace(item, from_ns=start_ns) if earliest.get(_sender(item)) is item else item for item in known]
    return sorted(known, key=_order)


def told_at(known: Sequence[KnownEphemeris], time_ns: int) -> list[KnownEphemeris]:
    """Return what a receiver that joins is told: of what is in use the latest three of every satellite and message.

    Galileo satellites send a new one every ten minutes, so in use would be dozens.

    Args:
        known: In the order of :func:`calendar_of`.
        time_ns: When it joins, ns of GPS time.
    """
    latest: dict[tuple[int, bool], list[KnownEphemeris]] = {}
    for item in known:
        if item.in_use(time_ns):
            latest.setdefault(_sender(item), []).append(item)
    return sorted((item for items in latest.values() for item in items[-_TOLD:]), key=_order)


def _span(ephemeris: Ephemeris) -> _Span:
    return _SPAN_OF[ephemeris.satellite // 100]


def _heard_ns(ephemeris: Ephemeris) -> int:
    # Some programs write any number for the transmission time; then the start of the fit interval stands for it.
    if abs(ephemeris.transmitted_ns - ephemeris.toe_ns) <= _USABLE_NS:
        return ephemeris.transmitted_ns
    return ephemeris.toe_ns - _span(ephemeris).fit_ns


def _sender(item: KnownEphemeris) -> tuple[int, bool]:
    # The two messages of a Galileo satellite come independently.
    return item.ephemeris.satellite, is_fnav(item.ephemeris)


def _order(item: KnownEphemeris) -> tuple[int, int, int]:
    return item.from_ns, item.ephemeris.satellite, item.ephemeris.toe_ns
