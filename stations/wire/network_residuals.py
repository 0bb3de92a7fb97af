"""How well a network interpolates, per satellite: messages 1030 (GPS) and 1031 (GLONASS), both directions.

A rover computes the standard deviation of an interpolated correction from them: constant part, part that grows with the
distance to the nearest physical station, and part that grows with the height difference.
"""

from dataclasses import dataclass

from stations.constants import NS_PER_S, SECONDS_PER_DAY, SECONDS_PER_WEEK
from stations.errors import GpsgridError, Reason
from stations.gpstime import nearest_glonass_day, nearest_week, to_glonass_day, to_week
from stations.signals import Constellation
from stations.wire.bits import BitReader
from stations.wire.ephemeris_fields import Field
from stations.wire.network_rows import read_rows, write_rows

_GPS, _GLONASS = 1030, 1031
_COUNT_BITS = 5  # DF006, DF035
_CONSTANTS_PER_M = 2000  # DF218, DF221: half millimetres
_DISTANCES = 100_000_000  # DF219, DF222: hundredths of a part per million
_HEIGHTS = 10_000_000  # DF220: tenths of a part per million
_TAIL = (Field("station", 12), Field("stations", 7))  # DF003, DF223
_HEADS: dict[int, tuple[Field, ...]] = {
    _GPS: (Field("time", 20), *_TAIL),  # DF224
    _GLONASS: (Field("time", 17), *_TAIL),  # DF225
}
_ROW = (
    Field("satellite", 6),  # DF009, DF038
    Field("geometric", 8),  # DF218, soc
    Field("geometric_distance", 9),  # DF219, sod
    Field("geometric_height", 6),  # DF220, soh
    Field("ionospheric", 10),  # DF221, sIc
    Field("ionospheric_distance", 10),  # DF222, sId
)


@dataclass(frozen=True)
class SatelliteResidual:
    """Standard deviation of the interpolated corrections of one satellite.

    Attributes:
        satellite: Satellite integer.
        geometric_m: Constant part of the geometric correction.
        geometric_distance_ratio: Part per distance; geometric_height_ratio: part per height difference; dimensionless.
        ionospheric_m: Constant part of the ionospheric correction; ionospheric_distance_ratio: part per distance.
    """

    satellite: int
    geometric_m: float
    geometric_distance_ratio: float
    geometric_height_ratio: float
    ionospheric_m: float
    ionospheric_distance_ratio: float


@dataclass(frozen=True)
class NetworkResiduals:
    """Messages 1030 and 1031.

    Attributes:
        constellation: GPS or GLONASS.
        time_ns: Epoch, ns of GPS time, full seconds on the wire.
        station_number: Reference station number DF003.
        stations: How many stations the numbers come from, DF223.
        rows: One per satellite, at most 31.
    """

    constellation: Constellation
    time_ns: int
    station_number: int
    stations: int
    rows: tuple[SatelliteResidual, ...]


def decode_residuals(payload: bytes, near_ns: int) -> NetworkResiduals:
    """Decode message 1030 or 1031.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; resolves the week or the day.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, a time beyond the week or the day.

    Source:
        RTCM 10403.3 section 3.5.9; DF218 to DF225.
    """
    reader = BitReader(payload)
    number = reader.unsigned(12)
    head, rows = read_rows(reader, _HEADS[number], _ROW, _COUNT_BITS)
    constellation = Constellation.GPS if number == _GPS else Constellation.GLONASS
    time_ns = network_time_ns(head["time"], constellation, near_ns, number)
    residuals = tuple(
        SatelliteResidual(
            100 * constellation + row["satellite"],
            row["geometric"] / _CONSTANTS_PER_M,
            row["geometric_distance"] / _DISTANCES,
            row["geometric_height"] / _HEIGHTS,
            row["ionospheric"] / _CONSTANTS_PER_M,
            row["ionospheric_distance"] / _DISTANCES,
        )
        for row in rows
    )
    return NetworkResiduals(constellation, time_ns, head["station"], head["stations"], residuals)


def encode_residuals(residuals: NetworkResiduals) -> bytes:
    """Encode message 1030 or 1031; the inverse of :func:`decode_residuals`, to the bit.

    Raises:
        ValueError: A value does not fit its field, or the constellation has no such message.
    """
    number = {Constellation.GPS: _GPS, Constellation.GLONASS: _GLONASS}.get(residuals.constellation)
    if number is None:
        message = f"residuals of {residuals.constellation.name}: only GPS (1030) and GLONASS (1031) have a message"
        raise ValueError(message)
    head = {
        "time": network_time_s(residuals.time_ns, residuals.constellation),
        "station": residuals.station_number,
        "stations": residuals.stations,
    }
    rows = [
        {
            "satellite": row.satellite - 100 * residuals.constellation,
            "geometric": round(row.geometric_m * _CONSTANTS_PER_M),
            "geometric_distance": round(row.geometric_distance_ratio * _DISTANCES),
            "geometric_height": round(row.geometric_height_ratio * _HEIGHTS),
            "ionospheric": round(row.ionospheric_m * _CONSTANTS_PER_M),
            "ionospheric_distance": round(row.ionospheric_distance_ratio * _DISTANCES),
        }
        for row in residuals.rows
    ]
    return write_rows(number, (_HEADS[number], head), (_ROW, rows), _COUNT_BITS)


def network_time_ns(seconds: int, constellation: Constellation, near_ns: int, number: int) -> int:
    """Return the epoch of a network message: seconds of the GPS week, or of the day of Moscow for GLONASS.

    Raises:
        GpsgridError: ``MALFORMED``, beyond the week or the day (which may have a leap second).
    """
    glonass = constellation is Constellation.GLONASS
    if seconds > (SECONDS_PER_DAY if glonass else SECONDS_PER_WEEK - 1):
        text = f"message {number}: {seconds} s is not in a {'day' if glonass else 'week'}"
        raise GpsgridError(Reason.MALFORMED, text, number=number, time=seconds)
    if glonass:
        return nearest_glonass_day(seconds * NS_PER_S, near_ns)
    return nearest_week(seconds * NS_PER_S, near_ns)


def network_time_s(time_ns: int, constellation: Constellation) -> int:
    """Return the seconds of the GPS week, or of the day of Moscow for GLONASS."""
    glonass = constellation is Constellation.GLONASS
    return (to_glonass_day(time_ns) if glonass else to_week(time_ns))[1] // NS_PER_S
