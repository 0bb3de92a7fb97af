"""Area correction parameters (FKP), messages 1034 (GPS) and 1035 (GLONASS), both directions.

The plane of correction differences around a station, per satellite: how the geometric and the ionospheric part of the
carrier phase grow to the north and to the east.
"""

from dataclasses import dataclass

from stations.signals import Constellation
from stations.wire.bits import BitReader
from stations.wire.ephemeris_fields import Field
from stations.wire.network_residuals import network_time_ns, network_time_s
from stations.wire.network_rows import read_rows, write_rows

_GPS, _GLONASS = 1034, 1035
_COUNT_BITS = 5  # DF006, DF035
_RATIOS = 100_000_000  # DF242 to DF245: hundredths of a part per million
_HEADS: dict[int, tuple[Field, ...]] = {
    _GPS: (Field("station", 12), Field("time", 20)),  # DF003, DF240
    _GLONASS: (Field("station", 12), Field("time", 17)),  # DF003, DF241
}
_GRADIENTS = (
    Field("geometric_north", 12, kind="signed"),  # DF242
    Field("geometric_east", 12, kind="signed"),  # DF243
    Field("ionospheric_north", 14, kind="signed"),  # DF244
    Field("ionospheric_east", 14, kind="signed"),  # DF245
)
_ROW = (Field("satellite", 6), Field("issue", 8), *_GRADIENTS)  # DF009 and DF071, DF038 and DF392


@dataclass(frozen=True)
class SatelliteGradients:
    """Gradients of the correction of one satellite; ``None`` where the network has none.

    Attributes:
        satellite: Satellite integer.
        issue: Issue of the ephemeris they belong to.
        geometric_north, geometric_east: Of the geometric part, metres per metre.
        ionospheric_north, ionospheric_east: Of the ionospheric part, metres per metre (of the narrow-lane combination).
    """

    satellite: int
    issue: int
    geometric_north: float | None
    geometric_east: float | None
    ionospheric_north: float | None
    ionospheric_east: float | None


@dataclass(frozen=True)
class NetworkGradients:
    """Messages 1034 and 1035.

    Attributes:
        constellation: GPS or GLONASS.
        station_number: Reference station number DF003.
        time_ns: Epoch, ns of GPS time, full seconds on the wire.
        rows: One per satellite, at most 31.
    """

    constellation: Constellation
    station_number: int
    time_ns: int
    rows: tuple[SatelliteGradients, ...]


def decode_gradients(payload: bytes, near_ns: int) -> NetworkGradients:
    """Decode message 1034 or 1035.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; resolves the week or the day.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, a time beyond the week or the day.

    Source:
        RTCM 10403.3 section 3.5.10; DF240 to DF245, DF392.
    """
    reader = BitReader(payload)
    number = reader.unsigned(12)
    head, rows = read_rows(reader, _HEADS[number], _ROW, _COUNT_BITS)
    constellation = Constellation.GPS if number == _GPS else Constellation.GLONASS
    time_ns = network_time_ns(head["time"], constellation, near_ns, number)
    gradients = tuple(
        SatelliteGradients(
            100 * constellation + row["satellite"],
            row["issue"],
            *(_value(row[field.name], field) for field in _GRADIENTS),
        )
        for row in rows
    )
    return NetworkGradients(constellation, head["station"], time_ns, gradients)


def encode_gradients(gradients: NetworkGradients) -> bytes:
    """Encode message 1034 or 1035; the inverse of :func:`decode_gradients`, to the bit.

    Raises:
        ValueError: A value does not fit its field, or the constellation has no such message.
    """
    number = {Constellation.GPS: _GPS, Constellation.GLONASS: _GLONASS}.get(gradients.constellation)
    if number is None:
        message = f"gradients of {gradients.constellation.name}: only GPS (1034) and GLONASS (1035) have a message"
        raise ValueError(message)
    time_s = network_time_s(gradients.time_ns, gradients.constellation)
    rows = [
        {
            "satellite": row.satellite - 100 * gradients.constellation,
            "issue": row.issue,
            **{field.name: _raw(getattr(row, field.name), field) for field in _GRADIENTS},
        }
        for row in gradients.rows
    ]
    head = {"station": gradients.station_number, "time": time_s}
    return write_rows(number, (_HEADS[number], head), (_ROW, rows), _COUNT_BITS)


def _none(field: Field) -> int:
    # The most negative number of a field means that there is no value (RTCM 10403.3 section 3.2, data types).
    return -(1 << (field.width - 1))


def _value(raw: int, field: Field) -> float | None:
    return None if raw == _none(field) else raw / _RATIOS


def _raw(value: float | None, field: Field) -> int:
    if value is None:
        return _none(field)
    raw = round(value * _RATIOS)
    if raw == _none(field):
        message = f"{field.name} = {value} does not fit into its field"
        raise ValueError(message)
    return raw
