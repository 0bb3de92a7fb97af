"""All kinds of broadcast ephemerides together, and what tells one upload of a satellite from another."""

from typing import TypeVar

from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GalileoMessage, GpsEphemeris, NavicEphemeris
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris

Ephemeris = GpsEphemeris | GalileoEphemeris | BeiDouEphemeris | NavicEphemeris | GlonassEphemeris | SbasEphemeris
AnyEphemeris = TypeVar("AnyEphemeris", bound=Ephemeris)
UploadKey = tuple[int, int, bool, float, float]


def upload_key(ephemeris: Ephemeris) -> UploadKey:
    """Return what tells two uploads of one satellite apart: reference time, issue, whether it is F/NAV, group delays.

    Galileo sends new group delays under the old issue of data; of the others none is known that does.
    """
    delays_s = (ephemeris.bgd_e5a_s, ephemeris.bgd_e5b_s) if isinstance(ephemeris, GalileoEphemeris) else (0.0, 0.0)
    return ephemeris.toe_ns, ephemeris.issue, is_fnav(ephemeris), *delays_s


def is_fnav(ephemeris: Ephemeris) -> bool:
    """Return whether an ephemeris is one of Galileo F/NAV."""
    return isinstance(ephemeris, GalileoEphemeris) and ephemeris.message is GalileoMessage.FNAV
