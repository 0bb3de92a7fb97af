"""Master-auxiliary corrections, messages 1014 to 1017, both directions: corrections of a network, station by station.

An auxiliary station is described by how it differs from the master: in position (1014), and per GPS satellite in the
ionospheric (1015, 1017) and geometric (1016, 1017) part of its carrier phase correction.
"""

import math
from dataclasses import dataclass

from stations.constants import NS_PER_MS, SECONDS_PER_WEEK
from stations.errors import GpsgridError, Reason
from stations.gpstime import nearest_week, to_week
from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import Field, read_fields, write_fields
from stations.wire.network_rows import read_rows, write_rows

_STATION = 1014
_ANGLE_RAD = math.radians(25e-6)  # DF062, DF063
_HEIGHTS_PER_M = 1000  # DF064
_PHASES_PER_M = 2000  # DF069, DF070: half millimetres
_TENTH_NS = 100 * NS_PER_MS  # DF065
_COUNT_BITS = 4  # DF067

_STATION_FIELDS = (
    Field("network", 8),  # DF059
    Field("subnetwork", 4),  # DF072
    Field("stations", 5),  # DF058
    Field("master", 12),  # DF060
    Field("auxiliary", 12),  # DF061
    Field("latitude", 20, kind="signed"),  # DF062
    Field("longitude", 21, kind="signed"),  # DF063
    Field("height", 23, kind="signed"),  # DF064
)
_HEAD = (
    Field("network", 8),  # DF059
    Field("subnetwork", 4),  # DF072
    Field("time", 23),  # DF065
    Field("more", 1),  # DF066
    Field("master", 12),  # DF060
    Field("auxiliary", 12),  # DF061
)
_SATELLITE = (Field("satellite", 6), Field("ambiguity_status", 2), Field("non_sync", 3))  # DF068, DF074, DF075
_GEOMETRIC = (Field("geometric", 17, kind="signed"), Field("iode", 8))  # DF070, DF071
_IONOSPHERIC = (Field("ionospheric", 17, kind="signed"),)  # DF069
_ROWS: dict[int, tuple[Field, ...]] = {
    1015: (*_SATELLITE, *_IONOSPHERIC),
    1016: (*_SATELLITE, *_GEOMETRIC),
    1017: (*_SATELLITE, *_GEOMETRIC, *_IONOSPHERIC),
}


@dataclass(frozen=True)
class AuxiliaryStation:
    """Where an auxiliary station is, relative to the master: message 1014.

    Attributes:
        network: Network; subnetwork: part of it that has common ambiguities.
        stations: How many auxiliary stations are sent.
        master, auxiliary: Reference station numbers.
        delta_latitude_rad, delta_longitude_rad: Auxiliary minus master, multiples of 25e-6 degrees on the wire.
        delta_height_m: Auxiliary minus master, ellipsoidal, multiples of a millimetre on the wire.
    """

    network: int
    subnetwork: int
    stations: int
    master: int
    auxiliary: int
    delta_latitude_rad: float
    delta_longitude_rad: float
    delta_height_m: float


@dataclass(frozen=True)
class CorrectionDifference:
    """Correction of an auxiliary station minus that of the master, for one GPS satellite.

    Attributes:
        satellite: Satellite integer.
        ambiguity_status: DF074: 0 reserved, 1 integers right, 2 only those of the wide lane, 3 uncertain.
        non_sync: DF075, counts up when the differences jump.
        geometric_m: Geometric part, and iode: the ephemeris it belongs to; ``None`` in 1015.
        ionospheric_m: Ionospheric part on L1; ``None`` in 1016.
    """

    satellite: int
    ambiguity_status: int
    non_sync: int
    geometric_m: float | None = None
    iode: int | None = None
    ionospheric_m: float | None = None


@dataclass(frozen=True)
class CorrectionDifferences:
    """Corrections of an auxiliary station minus those of the master: messages 1015, 1016, 1017.

    Attributes:
        number: Message number; says which parts the rows have.
        network, subnetwork, master, auxiliary: As in :class:`AuxiliaryStation`.
        time_ns: Epoch, ns of GPS time, multiples of 0.1 s on the wire.
        more: Another message of the same epoch follows.
        rows: One per satellite, at most 15.
    """

    number: int
    network: int
    subnetwork: int
    master: int
    auxiliary: int
    time_ns: int
    more: bool
    rows: tuple[CorrectionDifference, ...]


def decode_auxiliary(payload: bytes) -> AuxiliaryStation:
    """Decode message 1014.

    Raises:
        NeedMoreBits: The payload is too short.

    Source:
        RTCM 10403.3 section 3.5.6; DF058 to DF064, DF072.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    raw = read_fields(reader, _STATION_FIELDS)
    return AuxiliaryStation(
        raw["network"],
        raw["subnetwork"],
        raw["stations"],
        raw["master"],
        raw["auxiliary"],
        raw["latitude"] * _ANGLE_RAD,
        raw["longitude"] * _ANGLE_RAD,
        raw["height"] / _HEIGHTS_PER_M,
    )


def encode_auxiliary(station: AuxiliaryStation) -> bytes:
    """Encode message 1014; the inverse of :func:`decode_auxiliary`, to the bit.

    Raises:
        ValueError: A value does not fit its field.
    """
    writer = BitWriter()
    writer.unsigned(_STATION, 12)
    differences = {
        "latitude": round(station.delta_latitude_rad / _ANGLE_RAD),
        "longitude": round(station.delta_longitude_rad / _ANGLE_RAD),
        "height": round(station.delta_height_m * _HEIGHTS_PER_M),
    }
    write_fields(writer, _STATION_FIELDS, vars(station) | differences)
    return writer.to_bytes()


def decode_differences(payload: bytes, near_ns: int) -> CorrectionDifferences:
    """Decode message 1015, 1016 or 1017.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; resolves the week.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, a time of week beyond the week.

    Source:
        RTCM 10403.3 section 3.5.6; DF059 to DF061, DF065 to DF072, DF074, DF075.
    """
    reader = BitReader(payload)
    number = reader.unsigned(12)
    head, rows = read_rows(reader, _HEAD, _ROWS[number], _COUNT_BITS)
    if head["time"] >= 10 * SECONDS_PER_WEEK:
        text = f"message {number}: {head['time'] / 10} s is not in a week"
        raise GpsgridError(Reason.MALFORMED, text, number=number, time=head["time"])
    return CorrectionDifferences(
        number,
        head["network"],
        head["subnetwork"],
        head["master"],
        head["auxiliary"],
        nearest_week(head["time"] * _TENTH_NS, near_ns),
        bool(head["more"]),
        tuple(
            CorrectionDifference(
                row["satellite"],
                row["ambiguity_status"],
                row["non_sync"],
                row["geometric"] / _PHASES_PER_M if "geometric" in row else None,
                row.get("iode"),
                row["ionospheric"] / _PHASES_PER_M if "ionospheric" in row else None,
            )
            for row in rows
        ),
    )


def encode_differences(differences: CorrectionDifferences) -> bytes:
    """Encode message 1015, 1016 or 1017; the inverse of :func:`decode_differences`, to the bit.

    Raises:
        ValueError: A value does not fit its field, is missing, or the number is none of the three.
    """
    if differences.number not in _ROWS:
        message = f"message {differences.number}: differences of corrections are 1015, 1016 and 1017"
        raise ValueError(message)
    table = _ROWS[differences.number]
    head = vars(differences) | {"time": to_week(differences.time_ns)[1] // _TENTH_NS, "more": int(differences.more)}
    rows = [_raw(row, table) for row in differences.rows]
    return write_rows(differences.number, (_HEAD, head), (table, rows), _COUNT_BITS)


def _raw(row: CorrectionDifference, table: tuple[Field, ...]) -> dict[str, int]:
    parts = {
        "satellite": row.satellite,
        "ambiguity_status": row.ambiguity_status,
        "non_sync": row.non_sync,
        "geometric": None if row.geometric_m is None else round(row.geometric_m * _PHASES_PER_M),
        "iode": row.iode,
        "ionospheric": None if row.ionospheric_m is None else round(row.ionospheric_m * _PHASES_PER_M),
    }
    raw: dict[str, int] = {}
    for field in table:
        value = parts[field.name]
        if value is None:
            message = f"satellite {row.satellite}: {field.name} is missing"
            raise ValueError(message)
        raw[field.name] = value
    return raw
