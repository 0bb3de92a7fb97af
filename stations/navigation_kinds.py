"""All kinds of broadcast ephemerides together, and what tells one upload of a satellite from another."""

from typing import TypeVar

from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GalileoMessage, GpsEphemeris, NavicEphemeris
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris

Ephemeris = GpsEphemeris | GalileoEphemeris | BeiDouEphemeris | NavicEphemeris | GlonassEphemeris | SbasEphemeris
AnyEphemeris = TypeVar("AnyEphemeris", bound=Ephemeris)
UploadKey = tuple[int, int, bool]


def upload_key(ephemeris: Ephemeris) -> UploadKey:
    """Return what tells two uploads of one satellite apart: reference time, issue, and whether it is F/NAV."""
    return ephemeris.toe_ns, ephemeris.issue, is_fnav(ephemeris)


def is_fnav(ephemeris: Ephemeris) -> bool:
    """Return whether an ephemeris is one of Galileo F/NAV."""
    return isinstance(ephemeris, GalileoEphemeris) and ephemeris.message is GalileoMessage.FNAV
