"""All stations of a network epoch reduced at once; the same numbers as :func:`models.reduction.reduce_epoch` gives.

The orbits, the tide and the atmosphere of some hundred stations are a few passes over long arrays instead of some
hundred times fifty over short ones. One station at a time is the slow twin.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.ephemeris import satellite_states
from models.geometry import line_of_sight, pierce_points
from models.observables import Observables
from models.reduction import MIN_ELEVATION_RAD, Reduced, phase_centers_m
from models.tides import solid_earth_tide_m
from models.troposphere import NOMINAL_ZWD_M, mapping_functions, zenith_hydrostatic_delay
from stations.antex import AntennaCalibration
from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.frames import enu_rotation, geodetic_from_ecef
from stations.navigation_kinds import Ephemeris


@dataclass(frozen=True, eq=False)
class Site:
    """What does not change at a station.

    Attributes:
        reference_point_m: Antenna reference point, ECEF, tide-free, shape ``(3,)``.
        latitude_rad, height_m: Of that point.
        dry_zenith_m: Zenith hydrostatic delay there.
        calibration: Phase calibration of the antenna, or ``None``.
    """

    reference_point_m: FloatArray
    latitude_rad: float
    height_m: float
    dry_zenith_m: float
    calibration: AntennaCalibration | None


def site(reference_point_m: FloatArray, calibration: AntennaCalibration | None) -> Site:
    """Return a site; arguments as in :class:`Site`."""
    latitude, _, height = (float(value) for value in geodetic_from_ecef(reference_point_m))
    return Site(reference_point_m, latitude, height, zenith_hydrostatic_delay(latitude, height), calibration)


def reduce_stations(
    raws: Mapping[str, Observables], ephemerides: Mapping[int, Ephemeris], sites: Mapping[str, Site]
) -> dict[str, Reduced]:
    """Return observed minus computed of all stations; satellites without an ephemeris are left out.

    Args:
        raws: Observations by station, all with the same number of slots.
        ephemerides: The ephemeris to use for each satellite.
        sites: Of every station in ``raws``; others do not matter.

    Returns:
        By station in the order of ``raws``; rows above three degrees of elevation only, none perhaps.
    """
    reduced: dict[str, Reduced] = {}
    # Tags differ where a receiver does not steer its clock; the models of an epoch are of one tag.
    for time_ns in sorted({raw.time_ns for raw in raws.values()}):
        of_tag = {name: raw for name, raw in raws.items() if raw.time_ns == time_ns}
        reduced.update(_reduce(of_tag, ephemerides, [sites[name] for name in of_tag], time_ns))
    return {name: reduced[name] for name in raws}


def _reduce(
    raws: Mapping[str, Observables], ephemerides: Mapping[int, Ephemeris], sites: list[Site], time_ns: int
) -> Iterator[tuple[str, Reduced]]:
    """Yield the reduced observations of stations with one time tag."""
    raw = _joined(list(raws.values()), time_ns)
    station = np.repeat(np.arange(len(raws)), [len(one.satellite) for one in raws.values()])
    known = np.array(sorted(ephemerides), dtype=np.int64)
    there = np.isin(raw.satellite, known)
    raw, station = raw.rows(there), station[there]
    used, index = np.unique(raw.satellite, return_inverse=True)
    travel_s = raw.code_m[0] / SPEED_OF_LIGHT_M_S
    states = satellite_states([ephemerides[s] for s in used.tolist()], index, time_ns, travel_s)
    point_m = np.stack([one.reference_point_m for one in sites])
    receiver_m = point_m + solid_earth_tide_m(point_m, time_ns)
    places = geodetic_from_ecef(receiver_m)
    enu = np.stack([enu_rotation(latitude, longitude) for latitude, longitude, _ in places.tolist()])
    los = line_of_sight(receiver_m[station], states.position_m, enu[station])
    safe_elevation = np.maximum(los.elevation_rad, MIN_ELEVATION_RAD)
    latitude, height, dry_zenith_m = np.array([(s.latitude_rad, s.height_m, s.dry_zenith_m) for s in sites]).T
    dry, wet = mapping_functions(latitude[station], height[station], time_ns, safe_elevation)
    pierce_m, slant_factor = pierce_points(receiver_m[station], los.unit)
    clock_m = SPEED_OF_LIGHT_M_S * states.clock_s
    computed_m = los.range_m - clock_m + dry * dry_zenith_m[station] + wet * NOMINAL_ZWD_M
    center_m = _centers(raw.signal, station, sites, safe_elevation, los.azimuth_rad)
    high = los.elevation_rad > MIN_ELEVATION_RAD
    all_ = Reduced(
        raw,
        receiver_m,
        states.position_m,
        los.unit,
        los.elevation_rad,
        los.azimuth_rad,
        wet,
        slant_factor,
        pierce_m,
        raw.code_m - computed_m,
        raw.phase_m - computed_m - center_m,
    ).rows(high)
    ends = np.searchsorted(station[high], np.arange(1, len(sites) + 1)).tolist()
    for number, (name, start, end) in enumerate(zip(raws, [0, *ends[:-1]], ends, strict=True)):
        yield name, all_.rows(slice(start, end), receiver_m[number])


def _joined(raws: list[Observables], time_ns: int) -> Observables:
    names = ("satellite", "signal", "wavelength_m", "code_m", "phase_m", "cn0_dbhz", "lock_ms", "half_cycle")
    return Observables(time_ns, *(np.concatenate([getattr(raw, name) for raw in raws], axis=-1) for name in names))


def _centers(
    signals: IntArray, station: IntArray, sites: list[Site], elevation_rad: FloatArray, azimuth_rad: FloatArray
) -> FloatArray:
    """Return the phase centre corrections, antenna by antenna, shape ``(slot, n)``."""
    center_m = np.zeros(signals.shape)
    antennas = {id(one.calibration): one.calibration for one in sites}
    kind = np.array([id(one.calibration) for one in sites])[station]
    for key, calibration in antennas.items():
        if calibration is not None:
            rows = np.flatnonzero(kind == key)
            center_m[:, rows] = phase_centers_m(signals[:, rows], calibration, elevation_rad[rows], azimuth_rad[rows])
    return center_m
