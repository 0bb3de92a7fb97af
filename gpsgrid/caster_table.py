"""The mountpoints of our caster and the sourcetable that describes them, with the frame of the coordinates."""

from dataclasses import dataclass

import numpy as np

from gpsgrid.streams import Kind
from stations.catalog import Network
from stations.frames import geodetic_from_ecef
from stations.sourcetable import END

# As vrs_messages and stream send them; what a network does not track is not in its messages.
_DETAILS = "MSM7(1),1006(10),1033(10)"
_VIRTUAL_DETAILS = "MSM7(1),1005(10),1033(10),1032(10),1030(10),1031(10),1029"
_FORMAT = "RTCM 3.3"
_CARRIERS = "2"


@dataclass(frozen=True)
class Mountpoint:
    """A mountpoint.

    Attributes:
        name: As in the request.
        kind: Which stream.
        text: What it is, in the field that receivers show.
        network: Whether the stream is a network solution.
        details: Messages with their intervals in seconds.
    """

    name: str
    kind: Kind
    text: str
    network: bool
    details: str


MOUNTPOINTS = {
    one.name: one
    for one in (
        Mountpoint("VRS", Kind.OWN, "virtual station at your position", network=True, details=_VIRTUAL_DETAILS),
        Mountpoint("CELL", Kind.CELL, "virtual station of your grid cell", network=True, details=_VIRTUAL_DETAILS),
        Mountpoint("NEAR", Kind.NEAREST, "nearest physical station", network=False, details=_DETAILS),
    )
}


def sourcetable(network: Network, host: str, port: int, *, passwords: bool) -> bytes:
    """Return the table, ended by its last line.

    Args:
        network: Name, frame, and where it is.
        host: Under which the caster is reached, as far as known.
        port: TCP port.
        passwords: Whether a user name is asked for.
    """
    latitude, longitude = 0.0, 0.0
    if network.stations:
        center_m = np.mean([station.marker_m for station in network.stations], axis=0)
        latitude, longitude = np.degrees(geodetic_from_ecef(center_m)[:2]).tolist()
    access = "B" if passwords else "N"
    frame = f"{_field(network.frame)}@{network.epoch:g}"
    place = f"{latitude:.2f};{longitude % 360.0:.2f}"
    name = _field(network.name)
    lines = [
        f"CAS;{_field(host)};{port};gpsgrid;{name};0;;{place};;;",
        f"NET;{name};gpsgrid;{access};N;none;none;none;frame={frame}",
    ]
    lines += [
        f"STR;{one.name};{one.text};{_FORMAT};{one.details.replace(';', ',')};{_CARRIERS};GPS+GLO+GAL+BDS+QZS;{name};;"
        f"{place};1;{int(one.network)};gpsgrid;none;{access};N;9600;frame={frame}"
        for one in MOUNTPOINTS.values()
    ]
    return "".join(f"{line}\r\n" for line in [*lines, END]).encode("utf-8")


def _field(text: str) -> str:
    """Return a text that can stand between two semicolons."""
    return "".join(c if c.isprintable() and c not in ';"' else " " for c in text).strip()
