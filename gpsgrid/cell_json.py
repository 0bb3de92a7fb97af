"""The JSON of a cell, for MQTT and HTTP: what stands behind its virtual station, and its corrections.

A public contract: keys may be added, never renamed. What is not known is null.
"""

import math

import msgspec
import numpy as np

from gpsgrid.stream import Made
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.gpstime import to_iso
from stations.signals import satellite_name


class CellStatusJson(msgspec.Struct, frozen=True):
    """A cell; ``state`` is ``full``, ``fewer``, ``nearest``, ``silent``, or ``offline`` when the service has gone.

    ``position_m`` is that of the virtual station, ECEF; ``sd_m`` the median over the satellites. ``age_s`` is the time
    from the epoch to this message by the host's calendar: only as good as that, and null when it cannot be right.
    """

    cell: str
    state: str
    reason: str = ""
    time_gpst: str | None = None
    age_s: float | None = None
    position_m: tuple[float, float, float] | None = None
    frame: str = ""
    epoch: float | None = None
    master: str | None = None
    stations: int = 0
    satellites: int = 0
    sd_m: float | None = None
    left_out: dict[str, str] = {}


class CellsJson(msgspec.Struct, frozen=True):
    """The cells whose virtual stations are made all the time; ``resolution`` is that of H3."""

    network: str
    frame: str
    epoch: float
    resolution: int
    cells: tuple[CellStatusJson, ...]


class SatelliteFieldJson(msgspec.Struct, frozen=True):
    """Delay of a code on L1 at the cell less at the master, and its standard deviation against the best satellite."""

    satellite: str
    mean_m: float
    sd_m: float


class CellFieldJson(msgspec.Struct, frozen=True):
    """The corrections of one epoch; without satellites when there are none that can be trusted."""

    cell: str
    state: str
    time_gpst: str
    position_m: tuple[float, float, float]
    frame: str
    epoch: float
    master: str | None
    zwd_sd_m: float | None
    satellites: tuple[SatelliteFieldJson, ...]


class CellTopicsJson(msgspec.Struct, frozen=True):
    """Where a cell is published over MQTT."""

    rtcm3: str
    field: str
    status: str


class CellJson(msgspec.Struct, frozen=True):
    """A cell with its outline (longitude and latitude in degrees, closed), status, corrections and topics.

    ``status.state`` is ``waiting`` and ``field`` null before the first epoch.
    """

    status: CellStatusJson
    boundary_deg: tuple[tuple[float, float], ...]
    field: CellFieldJson | None
    topics: CellTopicsJson


def waiting_cell(cell: str, position_m: FloatArray, network: Network) -> CellStatusJson:
    """Return the status of a cell before its first epoch."""
    x, y, z = position_m.tolist()
    return CellStatusJson(cell, "waiting", "no epoch yet", None, None, (x, y, z), network.frame, network.epoch)


def cell_status(cell: str, made: Made, position_m: FloatArray, network: Network, now_ns: int) -> CellStatusJson:
    """Return the status of a cell after an epoch; ``now_ns`` is the host's calendar as GPS time."""
    report = made.report
    if report is None:
        message = "a cell is a virtual station, and this epoch is that of a physical one"
        raise ValueError(message)
    age_s = (now_ns - made.time_ns) / NS_PER_S
    x, y, z = position_m.tolist()
    sd_m = [one for one in report.sd_m.values() if math.isfinite(one)]
    return CellStatusJson(
        cell,
        str(report.level),
        report.reason,
        to_iso(made.time_ns),
        round(age_s, 3) if 0.0 <= age_s < 3600.0 else None,  # noqa: PLR2004 - recordings are played years later
        (x, y, z),
        network.frame,
        network.epoch,
        report.master or None,
        report.stations,
        len(report.sd_m),
        round(float(np.median(sd_m)), 4) if sd_m else None,
        {satellite_name(satellite): why for satellite, why in sorted(report.left_out.items())},
    )


def cell_field(cell: str, made: Made, position_m: FloatArray, network: Network) -> CellFieldJson:
    """Return the corrections of a cell at an epoch."""
    report = made.report
    if report is None:
        message = "a cell is a virtual station, and this epoch is that of a physical one"
        raise ValueError(message)
    mean_m = dict(zip(made.satellite.tolist(), made.correction_m.tolist(), strict=True))
    rows = [
        SatelliteFieldJson(satellite_name(satellite), round(mean_m[satellite], 5), round(sd_m, 5))
        for satellite, sd_m in sorted(report.sd_m.items())
        if report.epoch is not None and math.isfinite(sd_m) and math.isfinite(mean_m.get(satellite, math.nan))
    ]
    x, y, z = position_m.tolist()
    return CellFieldJson(
        cell,
        str(report.level),
        to_iso(made.time_ns),
        (x, y, z),
        network.frame,
        network.epoch,
        report.master or None,
        round(report.zwd_sd_m, 5) if math.isfinite(report.zwd_sd_m) else None,
        tuple(rows),
    )
