"""Whether two RINEX observation files that are put together are of one station, and what else changes at the joint.

Two stations in one series would be one receiver whose clock, position and antenna jump: nothing computed from it
would be right, and nothing would say so. A receiver that moves says so with an event (flag 2 or 3) or keeps its marker.
"""

import math

from stations.rinex_header import ObservationHeader

_SAME_PLACE_M = 100.0  # approximate positions of one marker come from code and differ by tens of metres at most
_M_PER_KM = 1000.0


def other_station(first: ObservationHeader, later: ObservationHeader) -> str:
    """Return how one sees that a header is of another station, or nothing where it may be the same one.

    Two names at one place are one renamed marker; one name at two places is a receiver that moves; without positions
    nothing can be said.
    """
    before_m, after_m = first.approx_position_m, later.approx_position_m
    named = first.marker and later.marker and first.marker.casefold() != later.marker.casefold()
    if not named or before_m is None or after_m is None or not any(before_m) or not any(after_m):
        return ""
    distance_m = math.dist(before_m, after_m)
    if distance_m <= _SAME_PLACE_M:
        return ""
    shown = f"{distance_m / _M_PER_KM:.1f} km" if distance_m >= _M_PER_KM else f"{distance_m:.0f} m"
    return f"marker {later.marker} is {shown} from marker {first.marker}"


def changes(first: ObservationHeader, later: ObservationHeader) -> str:
    """Return in words what a later header says differently of marker, antenna and receiver; nothing if it does not."""
    pairs = (
        ("marker", first.marker, later.marker),
        ("antenna", first.antenna, later.antenna),
        ("antenna serial number", first.antenna_serial, later.antenna_serial),
        ("antenna height", f"{first.antenna_delta_m[0]:.4f} m", f"{later.antenna_delta_m[0]:.4f} m"),
        ("receiver", first.receiver, later.receiver),
    )
    return ", ".join(
        f"{name} {before or '(none)'} becomes {after or '(none)'}" for name, before, after in pairs if before != after
    )
