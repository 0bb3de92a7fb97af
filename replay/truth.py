"""Where the rover really was: a fixed position, or a file with one position an epoch."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import FloatArray
from stations.constants import NS_PER_MS
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_iso

COLUMNS = ("time_gpst", "x_m", "y_m", "z_m")

_TOO_SHORT = "the line has too few fields"
_SURFACE_M = (6.3e6, 6.4e6)  # the ellipsoid lies between 6357 and 6378 km


@dataclass(frozen=True)
class Truth:
    """True positions of the marker, ECEF metres, in the frame of the track.

    Attributes:
        fixed_m: Position at all times; ``None`` for a moving rover.
        by_ms: Positions by epoch in milliseconds of GPS time, for a moving rover.
    """

    fixed_m: tuple[float, float, float] | None = None
    by_ms: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)

    def at(self, time_ns: int) -> FloatArray | None:
        """Return the position at an epoch, shape ``(3,)``, or ``None`` when it is not known."""
        position_m = self.fixed_m if self.fixed_m is not None else self.by_ms.get(_milliseconds(time_ns))
        return None if position_m is None else np.array(position_m)


def fixed_truth(x_m: float, y_m: float, z_m: float) -> Truth:
    """Return the truth of a rover that stands still.

    Raises:
        GpsgridError: ``BAD_CONFIG``, the position is not near the surface of the Earth.
    """
    radius_m = math.hypot(x_m, y_m, z_m)
    if not _SURFACE_M[0] <= radius_m <= _SURFACE_M[1]:
        message = (
            f"position {x_m} {y_m} {z_m} is {radius_m / 1000.0:.1f} km from the centre of the Earth; "
            f"expected ECEF metres X Y Z near the surface ({_SURFACE_M[0] / 1000:.0f} to {_SURFACE_M[1] / 1000:.0f} km)"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, radius_m=radius_m)
    return Truth((x_m, y_m, z_m))


def read_truth(text: str, source: str) -> Truth:
    """Return the truth in a CSV file with the columns ``time_gpst,x_m,y_m,z_m``; others are passed over.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        message = f"{source}, line 1: no column {', '.join(missing)}; a truth file has {','.join(COLUMNS)}"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=source, line=1)
    by_ms: dict[int, tuple[float, float, float]] = {}
    for record in reader:
        try:
            if any(record[name] is None for name in COLUMNS):
                raise ValueError(_TOO_SHORT)  # noqa: TRY301 - told with file and line like the others
            position_m = (float(record["x_m"]), float(record["y_m"]), float(record["z_m"]))
            by_ms[_milliseconds(from_iso(record["time_gpst"]))] = position_m
        except ValueError as error:
            message = f"{source}, line {reader.line_num}: {error}; is the file cut off or edited?"
            raise GpsgridError(Reason.BROKEN_FILE, message, file=source, line=reader.line_num) from error
    return Truth(None, by_ms)


def _milliseconds(time_ns: int) -> int:
    return (time_ns + NS_PER_MS // 2) // NS_PER_MS
