"""The corrections of the network for one point, as numbers and as the epoch of a virtual station there."""

from dataclasses import dataclass

import msgspec
import numpy as np

from gpsgrid import virtual_stream
from gpsgrid.network_view import NetworkView
from gpsgrid.stream import itrf_year
from gpsgrid.virtual_master import distances_of
from gpsgrid.virtual_place import Placed, VirtualPolicy, placed
from gpsgrid.virtual_stream import Level
from gpsgrid.vrs_messages import VrsEncoder, VrsFormat, station_number
from models.troposphere import NOMINAL_ZWD_M, zenith_hydrostatic_delay
from stations.arrays import FloatArray
from stations.errors import GpsgridError, Reason
from stations.frames import geodetic_from_ecef
from stations.gpstime import to_iso
from stations.signals import satellite_name


class SatelliteCorrectionJson(msgspec.Struct, frozen=True):
    """What is added to the master's delays of one satellite to have them at the point.

    ``ionosphere_m`` is the slant delay on L1 and ``troposphere_m`` the slant wet delay, both point less master;
    ``correction_m`` is their sum, for a code on L1. ``sd_m`` is the ionosphere's standard deviation against the best
    known satellite of the system; null for a satellite that is alone in its system.
    """

    satellite: str
    elevation_deg: float
    ionosphere_m: float
    troposphere_m: float
    correction_m: float
    sd_m: float | None


class CorrectionsJson(msgspec.Struct, frozen=True):
    """The corrections of a point at the newest network epoch.

    ``zwd_m`` and ``zhd_m`` are the whole zenith wet and hydrostatic delays at the point, ``zwd_sd_m`` the standard
    deviation of the wet one, ``zwd_difference_sd_m`` that of its difference to the master.
    """

    time_gpst: str
    position_m: tuple[float, float, float]
    frame: str
    epoch: float
    master: str
    master_position_m: tuple[float, float, float]
    stations: int
    zwd_m: float
    zwd_sd_m: float
    zwd_difference_sd_m: float
    zhd_m: float
    satellites: tuple[SatelliteCorrectionJson, ...]


@dataclass(frozen=True)
class VirtualEpoch:
    """The epoch of a virtual station as RTCM 3.

    Attributes:
        payload: Frames.
        level: What stands behind it.
        reason: Why it is not the full network; empty if it is.
    """

    payload: bytes
    level: Level
    reason: str


def corrections_at(policy: VirtualPolicy, view: NetworkView, position_m: FloatArray) -> CorrectionsJson:
    """Return the corrections of a point against the nearest station with data.

    Args:
        policy: Limits.
        view: The newest network epoch.
        position_m: ECEF, shape ``(3,)``.

    Raises:
        GpsgridError: ``OUTSIDE_NETWORK``.
    """
    master = _nearest(policy, view, position_m)
    moved = placed(policy, view, master, position_m, corrected=True, clock_m=0.0)
    latitude, _, height_m = geodetic_from_ecef(position_m).tolist()
    x, y, z = position_m.tolist()
    return CorrectionsJson(
        to_iso(view.snapshot.time_ns),
        (x, y, z),
        view.network.frame,
        view.network.epoch,
        master,
        view.network.station(master).position_m,
        len(view.snapshot.reduced),
        round(NOMINAL_ZWD_M + moved.zwd_m, 5),
        round(moved.zwd_place_sd_m, 5),
        round(moved.zwd_sd_m, 5),
        round(zenith_hydrostatic_delay(latitude, height_m), 5),
        tuple(_satellite(moved, k) for k in range(len(moved.satellite))),
    )


def virtual_epoch_at(policy: VirtualPolicy, view: NetworkView, position_m: FloatArray) -> VirtualEpoch:
    """Return the newest epoch of a virtual station at a point, with its description, as RTCM 3 (MSM7).

    Nothing is carried from one call to the next: lock times are zero, and phases of two calls have other integers.

    Args:
        policy: Limits.
        view: The newest network epoch.
        position_m: ECEF, shape ``(3,)``; taken to the millimetre.

    Raises:
        GpsgridError: ``OUTSIDE_NETWORK``, or ``NO_NETWORK``: nothing that can be trusted.
    """
    _nearest(policy, view, position_m)
    place_m = np.round(position_m, 3)
    _, report = virtual_stream.step(policy, virtual_stream.init(), view, place_m)
    if report.epoch is None:
        message = f"no corrections at {to_iso(report.time_ns)}: {report.reason}; try again in some seconds"
        raise GpsgridError(Reason.NO_NETWORK, message)
    words = " ".join(f"{coordinate:.3f}" for coordinate in place_m.tolist())
    year = itrf_year(view.network.frame)
    encoder = VrsEncoder(place_m, station_number(words), view.network, VrsFormat(), year)
    return VirtualEpoch(encoder.encode(report), report.level, report.reason)


def _nearest(policy: VirtualPolicy, view: NetworkView, position_m: FloatArray) -> str:
    distances_m = distances_of(policy, view, position_m)
    if distances_m:
        return min(distances_m, key=lambda name: distances_m[name])
    found = [(float(np.linalg.norm(station.marker_m - position_m)), station.id) for station in view.network.stations]
    distance_m, nearest = min(found)
    message = (
        f"the nearest station, {nearest}, is {distance_m / 1000:.0f} km away; corrections reach "
        f"{policy.maximum_distance_m / 1000:.0f} km from a station that delivers data: check the position"
    )
    raise GpsgridError(Reason.OUTSIDE_NETWORK, message)


def _satellite(moved: Placed, k: int) -> SatelliteCorrectionJson:
    ionosphere_m, correction_m, sd_m = float(moved.ionosphere_m[k]), float(moved.correction_m[k]), float(moved.sd_m[k])
    return SatelliteCorrectionJson(
        satellite_name(int(moved.satellite[k])),
        round(float(np.degrees(moved.elevation_rad[k])), 2),
        round(ionosphere_m, 5),
        round(correction_m - ionosphere_m, 5),
        round(correction_m, 5),
        round(sd_m, 5) if np.isfinite(sd_m) else None,
    )
