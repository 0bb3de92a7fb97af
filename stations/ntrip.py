"""What an NTRIP client says: the request for a mountpoint or the sourcetable, and where it is.

Bytes only; the connection is at the edge, the caster's answer in ``stations.ntrip_answer``.
"""

import base64

from stations.arrays import FloatArray
from stations.frames import geodetic_from_ecef
from stations.gpstime import to_utc
from stations.stream_address import NtripAddress, bracketed

USER_AGENT = "NTRIP gpsgrid/0.1"  # both versions want the word NTRIP first

_DEGREES = 180.0 / 3.141592653589793
_TICKS = 10_000_000  # of a minute of arc: 0.2 mm


def build_request(address: NtripAddress, version: int, gga: str = "") -> bytes:
    """Return the request for a mountpoint, or for the sourcetable when the address names none.

    Args:
        address: Whom we ask, for what, as whom.
        version: 1 or 2. A caster of version 1 answers a request of version 2 in its own way.
        gga: First position; in the head for version 2. In version 1 it follows when the caster has accepted.

    Returns:
        The head, up to and with the blank line.

    Raises:
        ValueError: The version is not 1 or 2, or a part of the address would break the head apart.

    Source:
        RTCM 10410.1 (NTRIP 2.0) section 3, and the NTRIP 1.0 documentation of BKG (2004) section 3.
    """
    if version not in {1, 2}:
        message = f"NTRIP version {version}; expected 1 or 2"
        raise ValueError(message)
    host = f"{bracketed(address.host)}:{address.port}"
    lines = [f"GET /{address.mountpoint} HTTP/1.{version - 1}", f"Host: {host}", f"User-Agent: {USER_AGENT}"]
    if version == 2:
        lines.append("Ntrip-Version: Ntrip/2.0")
        if gga:
            lines.append(f"Ntrip-GGA: {gga.strip()}")
    if address.username or address.password:
        credentials = f"{address.username}:{address.password}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(credentials).decode('ascii')}")
    lines += ["Accept: */*", "Connection: close"]
    if address.mountpoint.split() not in ([], [address.mountpoint]) or any(not line.isprintable() for line in lines):
        message = "host, mountpoint and position must not hold white space or control characters"
        raise ValueError(message)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def gga_sentence(position_m: FloatArray, time_ns: int) -> str:
    """Return the NMEA sentence that tells a caster where we are.

    The height stands as altitude with an undulation of zero: casters add the two to the ellipsoidal height, and a
    geoid is not needed to choose a station or to place a virtual one.

    Args:
        position_m: ECEF metres, shape ``(3,)``.
        time_ns: Now, ns of GPS time.

    Returns:
        One line with checksum and line end.

    Source:
        NMEA 0183 sentence GGA; compared with pynmeagps in tests/stations/test_ntrip.py.
    """
    latitude_rad, longitude_rad, height_m = geodetic_from_ecef(position_m).tolist()
    latitude = _degrees_and_minutes(latitude_rad, 2, "NS")
    longitude = _degrees_and_minutes(longitude_rad, 3, "EW")
    utc = to_utc(time_ns)
    time = f"{utc:%H%M%S}.{utc.microsecond // 10_000:02d}"
    body = f"GPGGA,{time},{latitude},{longitude},1,12,1.0,{height_m:.3f},M,0.0,M,,"
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n"


def _degrees_and_minutes(angle_rad: float, digits: int, hemispheres: str) -> str:
    # Whole ticks, so that 59.99999999 minutes become the next degree and never 60.
    ticks = round(abs(angle_rad) * _DEGREES * 60.0 * _TICKS)
    degrees, rest = divmod(ticks, 60 * _TICKS)
    minutes, fraction = divmod(rest, _TICKS)
    return f"{degrees:0{digits}d}{minutes:02d}.{fraction:07d},{hemispheres[angle_rad < 0.0]}"
