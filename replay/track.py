"""The track of a rover: one row for every epoch, also the failed ones, and the texts it is written as.

The columns of ``track.csv`` are a public contract: they may be added to at the end, never renamed. Numbers
have a fixed count of digits, so that equal positions give equal bytes; what is not known is an empty field.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gpsgrid.answer import Answer
from models.rover import RoverStatus
from stations.errors import GpsgridError, Reason
from stations.frames import geodetic_from_ecef
from stations.gpstime import from_iso, to_iso
from stations.solution_file import Solutions, write_solutions

COLUMNS = (
    "time_gpst",
    "status",
    "x_m",
    "y_m",
    "z_m",
    "sd_e_m",
    "sd_n_m",
    "sd_u_m",
    "satellites",
    "wrong_fix_probability",
    "age_s",
    "latency_ms",
    "cell",
    "reason",
)
_NAN = float("nan")
_UNKNOWN = (_NAN, _NAN, _NAN)
_POS_QUALITY = {RoverStatus.FIXED: 1, RoverStatus.PARTIAL: 1, RoverStatus.FLOAT: 2, RoverStatus.CODE: 5}


@dataclass(frozen=True)
class TrackRow:
    """One epoch of a track.

    Attributes:
        time_ns: Rover epoch, ns of GPS time.
        status: How the position came about.
        position_m: Marker, ECEF metres; NaN for ``none``.
        sd_enu_m: Standard deviations east, north, up, metres; NaN for ``none``.
        satellites: How many were used.
        wrong_fix_probability: NaN unless fixed or partial.
        age_s: Rover epoch minus network epoch; NaN without a network epoch.
        latency_ms: From the first byte of the epoch in to the answer out; NaN where it was not measured.
        cell: H3 index of the rover's cell.
        reason: Why the status is not ``fixed``; after a refusal its code comes first.
    """

    time_ns: int
    status: RoverStatus
    position_m: tuple[float, float, float] = _UNKNOWN
    sd_enu_m: tuple[float, float, float] = _UNKNOWN
    satellites: int = 0
    wrong_fix_probability: float = _NAN
    age_s: float = _NAN
    latency_ms: float = _NAN
    cell: str = ""
    reason: str = ""

    @property
    def claimed(self) -> bool:
        """Whether integers were fixed, all or some: the position claims centimetres."""
        return self.status in {RoverStatus.FIXED, RoverStatus.PARTIAL}

    @property
    def positioned(self) -> bool:
        """Whether there is a position."""
        return all(math.isfinite(coordinate) for coordinate in self.position_m)


def row_of(answer: Answer, time_ns: int, latency_ms: float = _NAN) -> TrackRow:
    """Return an answer as a row.

    Args:
        answer: What the rover was told.
        time_ns: When it asked, for answers that do not know it because the query could not be decoded.
        latency_ms: As in :class:`TrackRow`.
    """
    x, y, z = answer.position_m.tolist()
    east, north, up = answer.sd_enu_m.tolist()
    reason = answer.reason if answer.refusal is None else f"{answer.refusal}: {answer.reason}"
    return TrackRow(
        answer.time_ns or time_ns,
        answer.status,
        (x, y, z),
        (east, north, up),
        len(answer.satellites),
        answer.wrong_fix_probability,
        answer.age_s,
        latency_ms,
        answer.cell,
        reason,
    )


def write_track(rows: Iterable[TrackRow]) -> str:
    """Return a track as the text of ``track.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            (
                to_iso(row.time_ns),
                str(row.status),
                *(_number(value, ".4f") for value in row.position_m),
                *(_number(value, ".4f") for value in row.sd_enu_m),
                row.satellites,
                _number(row.wrong_fix_probability, ".3g"),
                _number(row.age_s, ".3f"),
                _number(row.latency_ms, ".1f"),
                row.cell,
                " ".join(row.reason.split()),
            )
        )
    return text.getvalue()


def read_track(text: str, source: str = "track.csv") -> list[TrackRow]:
    """Return the rows of a ``track.csv``; further columns are passed over.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        message = f"{source}, line 1: no column {', '.join(missing)}; expected a track with {','.join(COLUMNS)}"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=source, line=1)
    rows = []
    for record in reader:
        try:
            rows.append(_row(record))
        except ValueError as error:
            message = f"{source}, line {reader.line_num}: {error}; is the file cut off or edited?"
            raise GpsgridError(Reason.BROKEN_FILE, message, file=source, line=reader.line_num) from error
    return rows


def write_pos(rows: Iterable[TrackRow]) -> str:
    """Return a track in RTKLIB's solution format, for its plotting program; epochs without position are left out.

    Covariances between the axes are not part of a track and written as zero.
    """
    kept = [row for row in rows if row.positioned]
    return write_solutions(
        Solutions(
            time_ns=np.array([row.time_ns for row in kept], dtype=np.int64),
            position_m=np.array([row.position_m for row in kept]).reshape(-1, 3),
            quality=np.array([_POS_QUALITY[row.status] for row in kept], dtype=np.int64),
            satellites=np.array([row.satellites for row in kept], dtype=np.int64),
            cov_enu_m2=np.array([np.diag(np.square(row.sd_enu_m)) for row in kept]).reshape(-1, 3, 3),
            age_s=np.array([row.age_s for row in kept]),
            ratio=np.full(len(kept), _NAN),
        ),
        weeks=True,
    )


def write_geojson(rows: Iterable[TrackRow], frame: str = "") -> str:
    """Return a track as GeoJSON points with longitude, latitude and height in the frame of the network.

    Args:
        rows: The track; epochs without position have a null geometry.
        frame: Name of the frame, repeated in the file.
    """
    features = []
    for row in rows:
        latitude, longitude, height_m = _degrees(row) if row.positioned else _UNKNOWN
        geometry = {"type": "Point", "coordinates": [round(longitude, 9), round(latitude, 9), round(height_m, 4)]}
        properties = {"time_gpst": to_iso(row.time_ns), "status": str(row.status), "satellites": row.satellites}
        if row.positioned:
            properties |= {f"sd_{axis}_m": round(sd_m, 4) for axis, sd_m in zip("enu", row.sd_enu_m, strict=True)}
        features.append({"type": "Feature", "geometry": geometry if row.positioned else None, "properties": properties})
    return json.dumps({"type": "FeatureCollection", "frame": frame, "features": features}) + "\n"


def _row(record: Mapping[str, str | None]) -> TrackRow:
    missing = [name for name in COLUMNS if record[name] is None]
    if missing:
        message = f"the line ends before {missing[0]}"
        raise ValueError(message)
    field = {name: record[name] or "" for name in COLUMNS}
    x, y, z, east, north, up, wrong, age_s, latency_ms = (
        float(field[name]) if field[name].strip() else _NAN
        for name in (*COLUMNS[2:8], "wrong_fix_probability", "age_s", "latency_ms")
    )
    return TrackRow(
        from_iso(field["time_gpst"]),
        RoverStatus(field["status"]),
        (x, y, z),
        (east, north, up),
        int(field["satellites"]),
        wrong,
        age_s,
        latency_ms,
        field["cell"],
        field["reason"],
    )


def _number(value: float, digits: str) -> str:
    return format(value, digits) if math.isfinite(value) else ""


def _degrees(row: TrackRow) -> tuple[float, float, float]:
    latitude, longitude, height_m = geodetic_from_ecef(np.array(row.position_m)).tolist()
    return math.degrees(latitude), math.degrees(longitude), height_m
