"""Positions in a frame that the asker names: pyproj's business, with the epoch said and no ballpark accepted."""

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite

import numpy as np
from pyproj import CRS, Transformer
from pyproj.crs import GeocentricCRS
from pyproj.exceptions import ProjError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from gpsgrid.answer_json import OutputJson
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.errors import GpsgridError, Reason
from stations.frames import geodetic_from_ecef

LONGEST_NAME = 64
_DYNAMIC = "Dynamic Geodetic Reference Frame"
_SAME_EPOCH_YR = 1e-6
_FORBIDDEN = ("=", "{", "[", "://", "+init")  # PROJ strings and WKT may name files
_CM_M = 0.02
_AROUND_DEG = 1.0


@dataclass(frozen=True, eq=False)
class OutputFrame:
    """A transformation from the network's frame to another one.

    Attributes:
        frame: As it was asked for.
        name: As PROJ calls it.
        epoch: At which the transformation is evaluated, decimal year.
        axes: Name and unit of the coordinates.
        description: Of the transformation.
        accuracy_m: As its makers state it; NaN where they do not.
    """

    frame: str
    name: str
    epoch: float
    axes: tuple[str, ...]
    description: str
    accuracy_m: float
    _transformer: Transformer
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def warning(self) -> str:
        """What the asker should know about the transformation; empty when it is good to a centimetre or two."""
        if isfinite(self.accuracy_m) and self.accuracy_m <= _CM_M:
            return ""
        good = f"only good to {self.accuracy_m:g} m" if isfinite(self.accuracy_m) else "of unknown accuracy"
        return f"the transformation to {self.frame} is {good}; name a realisation, such as ETRF2000, for centimetres"

    def document(self, position_m: FloatArray) -> OutputJson | None:
        """Return an ECEF position of shape ``(3,)`` in this frame; ``None`` where there is no position."""
        if not np.all(np.isfinite(position_m)):
            return None
        x, y, z = position_m.tolist()
        with self._lock:
            found = self._transformer.transform(x, y, z, self.epoch)
        values = tuple(float(value) for value in found[: len(self.axes)])
        if not all(isfinite(value) for value in values):
            return None
        return OutputJson(
            self.frame,
            self.name,
            self.epoch,
            self.axes,
            values,
            self.description,
            self.accuracy_m if isfinite(self.accuracy_m) else None,
        )


def output_frame(network: Network, frame: str, epoch: float | None) -> OutputFrame:
    """Return the transformation from a network's frame.

    Args:
        network: Its frame is a name or code that PROJ knows.
        frame: EPSG code or name of a CRS: geocentric, geographic (then three-dimensional) or projected.
        epoch: Decimal year, or ``None`` for the network's.

    Raises:
        GpsgridError: ``UNKNOWN_FRAME``: PROJ does not know a frame or a transformation, or positions would have to be
            moved through time, for which nobody has told their velocities.
    """
    source = _crs(network.frame, "the frame of the network")
    dynamic = source.datum is not None and source.datum.type_name == _DYNAMIC
    if epoch is not None and dynamic and abs(epoch - network.epoch) > _SAME_EPOCH_YR:
        message = (
            f"frame_epoch {epoch:g}: positions are {network.frame} at epoch {network.epoch:g}, and their velocities "
            f"are not known; leave it out, or ask for a frame that moves with the plate, such as ETRF2000"
        )
        raise GpsgridError(Reason.UNKNOWN_FRAME, message)
    middle = np.mean([station.position_m for station in network.stations], axis=0)
    latitude, longitude, _ = np.degrees(geodetic_from_ecef(middle)).tolist()
    return _prepared(
        network.frame, frame.strip(), network.epoch if epoch is None else epoch, (round(longitude), round(latitude))
    )


@lru_cache(maxsize=256)
def _prepared(source: str, frame: str, epoch: float, around_deg: tuple[int, int]) -> OutputFrame:
    target = _crs(frame, "frame")
    if not target.is_geocentric:
        target = target.to_3d()
    base = _crs(source, "the frame of the network")
    start = base if base.is_geocentric else GeocentricCRS(base.name, datum=base.datum)
    longitude, latitude = around_deg
    area = AreaOfInterest(
        longitude - _AROUND_DEG,
        max(latitude - _AROUND_DEG, -90.0),
        longitude + _AROUND_DEG,
        min(latitude + _AROUND_DEG, 90.0),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a better one lacks its grid is said in the answer, as an accuracy
        group = TransformerGroup(start, target, area_of_interest=area, allow_ballpark=False)
    if not group.transformers:
        grids = sorted({grid.short_name for one in group.unavailable_operations for grid in one.grids})
        need = f"; it would need {', '.join(grids[:3])}" if grids else ""
        message = (
            f"frame {frame!r} ({target.name}): PROJ knows no transformation from {source} to it here{need}; ask for a "
            "frame of the same family, such as ETRF2000 or EPSG:7930 in Europe, and go on from there"
        )
        raise GpsgridError(Reason.UNKNOWN_FRAME, message)
    best = group.transformers[0]
    return OutputFrame(
        frame,
        target.name,
        epoch,
        _axes(target),
        best.description,
        best.accuracy if best.accuracy >= 0.0 else float("nan"),
        best,
    )


def _axes(crs: CRS) -> tuple[str, ...]:
    axes: Sequence[object] = crs.axis_info
    return tuple(f"{one.name} ({one.unit_name})" for one in axes)  # type: ignore[attr-defined]  # pyproj's _Axis


def _crs(name: str, what: str) -> CRS:
    if not name or len(name) > LONGEST_NAME or any(word in name for word in _FORBIDDEN):
        message = f"{what}: {name[:LONGEST_NAME]!r}; expected an EPSG code or the name of a frame, such as ETRF2000"
        raise GpsgridError(Reason.UNKNOWN_FRAME, message)
    try:
        return CRS.from_user_input(name)
    except ProjError as error:
        message = f"{what}: {name!r} is not known to PROJ; expected an EPSG code such as EPSG:7930, or a name"
        raise GpsgridError(Reason.UNKNOWN_FRAME, message) from error
