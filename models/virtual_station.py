"""Observations of a station that does not exist: those of a master, moved to another place.

Every row of the master is moved by what is known of the difference between the two places: the geometry (each end with
the satellite at its own time of transmission, and with its own earth tide), the troposphere, and the ionosphere with
plus on code and minus on phase. The antenna of the master is taken out, so the virtual station has none. Receiver
clock, ambiguities, biases and noise stay those of the master.

Rule: both ends use the same ephemeris and the same models, so that what is wrong with them cancels between the virtual
station and a receiver near it.

Source: Wanninger (2003), "Virtual reference stations", GPS Solutions 7, eqs. 1 to 4, with undifferenced corrections.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.antenna import phase_center_range_m
from models.ephemeris import satellite_states
from models.field.kernels import FieldPoints
from models.geometry import LineOfSight, line_of_sight, pierce_points
from models.observables import ionosphere_factor
from models.reduction import Reduced, pattern_code
from models.tides import solid_earth_tide_m
from models.troposphere import NOMINAL_ZWD_M, mapping_functions, zenith_hydrostatic_delay
from stations.antex import AntennaCalibration
from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.frames import geodetic_from_ecef
from stations.navigation_kinds import Ephemeris

_MIN_ELEVATION_RAD = float(np.radians(3.0))  # as in the reduction: below, the mapping functions are worth nothing
_STEP_S = 0.01  # for velocities; a millisecond of flight more or less is then right to a few micrometres
_ROUNDS = 2  # of the time of flight: 50 km are 0.17 ms, in which a range changes by 0.15 m, and that moves nothing


@dataclass(frozen=True)
class VirtualGeometry:
    """What a place and its master see of the same satellites; rows are satellites, as in ``master``.

    Attributes:
        master: Reduced observations of the master.
        receiver_m: Place with tide, ECEF, shape ``(3,)``.
        elevation_rad, wet_mapping: At the place, shape ``(n,)``.
        points: Lines of sight of the place, for asking the field.
        change_m: Range, satellite clock, and troposphere with nominal wet delay, place less master, shape ``(n,)``.
        rate_m_s: Change of the range rate, place less master, shape ``(n,)``.
        clock_m: Moves the receiver clock of the virtual station against the master's.
    """

    master: Reduced
    receiver_m: FloatArray
    elevation_rad: FloatArray
    wet_mapping: FloatArray
    points: FieldPoints
    change_m: FloatArray
    rate_m_s: FloatArray
    clock_m: float


def virtual_geometry(
    master: Reduced, ephemerides: Mapping[int, Ephemeris], position_m: FloatArray, clock_m: float = 0.0
) -> VirtualGeometry:
    """Return the geometry of a virtual station.

    Args:
        master: Reduced observations of the master, of satellites that all have an ephemeris.
        ephemerides: Those that the master was reduced with.
        position_m: Antenna reference point of the virtual station, ECEF, tide-free, shape ``(3,)``.
        clock_m: To be added to all its ranges. The satellites are then taken where they were that much later, so the
            observations are those of a receiver with such a clock, exactly.

    Returns:
        Shapes as in :class:`VirtualGeometry`.
    """
    raw = master.raw
    used = [ephemerides[int(satellite)] for satellite in raw.satellite]
    every = np.arange(len(used))
    computed_m = raw.code_m[0] - master.code_m[0]
    receiver_m = position_m + solid_earth_tide_m(position_m, raw.time_ns)
    change_m = np.zeros(len(used))
    flight_s = raw.code_m[0] / SPEED_OF_LIGHT_M_S
    twice = np.concatenate([every, every])
    states = satellite_states(used, twice, raw.time_ns, np.concatenate([flight_s, flight_s - _STEP_S]))
    satellite_m, later_m = np.split(states.position_m, 2)
    clock_s, later_s = np.split(states.clock_s, 2)
    velocity_m_s, drift = (later_m - satellite_m) / _STEP_S, (later_s - clock_s) / _STEP_S
    for _ in range(_ROUNDS):
        earlier_s = (change_m + clock_m) / SPEED_OF_LIGHT_M_S
        los = line_of_sight(receiver_m, satellite_m - velocity_m_s * earlier_s[:, None])
        wet, delay_m = _troposphere(position_m, raw.time_ns, los)
        clocks_m = SPEED_OF_LIGHT_M_S * (clock_s - drift * earlier_s)
        change_m = los.range_m - clocks_m + delay_m - computed_m
    rate_m_s = np.einsum("ij,ij->i", velocity_m_s, los.unit - master.unit)
    pierce_m, slant_factor = pierce_points(receiver_m, los.unit)
    points = FieldPoints(raw.satellite, pierce_m, np.broadcast_to(receiver_m, pierce_m.shape), slant_factor)
    return VirtualGeometry(master, receiver_m, los.elevation_rad, wet, points, change_m, rate_m_s, clock_m)


def _troposphere(position_m: FloatArray, time_ns: int, los: LineOfSight) -> tuple[FloatArray, FloatArray]:
    """Return the wet mapping factors and the slant delays with the nominal wet delay, as the reduction has them."""
    latitude, _, height = geodetic_from_ecef(position_m)
    elevation_rad = np.maximum(los.elevation_rad, _MIN_ELEVATION_RAD)
    dry, wet = mapping_functions(float(latitude), float(height), time_ns, elevation_rad)
    return wet, dry * zenith_hydrostatic_delay(float(latitude), float(height)) + wet * NOMINAL_ZWD_M


def virtual_epoch(
    raw: StationEpoch,
    geometry: VirtualGeometry,
    calibration: AntennaCalibration | None,
    ionosphere_m: FloatArray,
    zwd_m: FloatArray,
) -> StationEpoch:
    """Return the observations of the virtual station: all signals of the satellites in the geometry.

    Args:
        raw: The epoch of the master.
        geometry: Of the satellites that shall be in the result.
        calibration: Of the master's antenna.
        ionosphere_m: Slant delay on L1, place less master, shape ``(n,)``.
        zwd_m: Zenith wet delays less nominal at the place and at the master, shape ``(2,)``.

    Returns:
        An epoch with the time tag, the lock times, the half-cycle flags and the signal strengths of the master.
    """
    master = geometry.master
    place = _places(master.satellite, raw.satellite)
    raw, place = raw.rows(place >= 0), place[place >= 0]
    wet_m = geometry.wet_mapping * zwd_m[0] - master.wet_mapping * zwd_m[1]
    common_m = (geometry.change_m + wet_m + geometry.clock_m)[place]
    wavelength_m = SPEED_OF_LIGHT_M_S / raw.frequency_hz
    delay_m = ionosphere_factor(wavelength_m) * ionosphere_m[place]
    center_m = np.zeros(len(raw))
    if calibration is not None:
        elevation_rad = np.maximum(master.elevation_rad, _MIN_ELEVATION_RAD)[place]
        for number in np.unique(raw.signal):
            rows = raw.signal == number
            code = pattern_code(calibration, int(number))
            center_m[rows] = phase_center_range_m(
                calibration, code, elevation_rad[rows], master.azimuth_rad[place[rows]]
            )
    return StationEpoch(
        raw.time_ns,
        raw.satellite,
        raw.signal,
        raw.pseudorange_m + common_m + delay_m,
        raw.phase_cyc + (common_m - delay_m - center_m) / wavelength_m,
        raw.cn0_dbhz,
        raw.lock_ms,
        raw.half_cycle,
        raw.doppler_hz - geometry.rate_m_s[place] / wavelength_m,
        raw.frequency_hz,
    )


def _places(satellites: IntArray, wanted: IntArray) -> IntArray:
    """Return where each wanted satellite stands among ascending satellites, -1 where it does not."""
    if not len(satellites):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(satellites, wanted), len(satellites) - 1)
    return np.where(satellites[place] == wanted, place, -1)
