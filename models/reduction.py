"""One receiver's raw epoch reduced by everything that is known: observed minus computed, per satellite.

What is left in the reduced observations, in metres, for frequency ``j`` with ``mu = (f1/fj)^2``::

    code_m[j]  = receiver clock - satellite residual clock + mw dZWD + mu I + biases + noise
    phase_m[j] = receiver clock - satellite residual clock + mw dZWD - mu I + lambda N + biases + noise

``I`` is the slant ionosphere on L1. Stations are reduced at their known coordinates, a rover at an
approximate position. This file decides nothing; suspicious data are the business of ``validity``. All stations of
an epoch at once are in ``models.network_reduction``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.antenna import phase_center_range_m
from models.ephemeris import satellite_states
from models.geometry import line_of_sight, pierce_points
from models.observables import Observables
from models.tides import solid_earth_tide_m
from models.troposphere import NOMINAL_ZWD_M, mapping_functions, zenith_hydrostatic_delay
from stations.antex import AntennaCalibration
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.frames import geodetic_from_ecef
from stations.navigation_kinds import Ephemeris
from stations.signals import SIGNALS, Constellation, satellite_name

OBSERVATION_TYPES = ((0, True), (1, True), (0, False), (1, False))
"""Band and whether it is a code: code L1, code L2, phase L1, phase L2, the order of every stacked design."""

MIN_ELEVATION_RAD = np.radians(3.0)  # below, mapping functions and broadcast geometry are not worth having
_GPS_PATTERNS = ("G01", "G02")  # of the first carrier and of the others: most antennas are calibrated for GPS only
_FIRST_CARRIERS = {Constellation.BEIDOU: "12"}  # bands of the first carrier; of the other systems it is 1


@dataclass(frozen=True)
class Reduced:
    """Observed minus computed of one receiver; rows are satellites, ascending.

    Attributes:
        raw: The observations that were reduced, same rows.
        receiver_m: ECEF point the ranges start from (antenna reference point with tide), shape ``(3,)``.
        satellite_m: ECEF at transmission, shape ``(n, 3)``.
        unit: Receiver to satellite, shape ``(n, 3)``.
        elevation_rad, azimuth_rad, wet_mapping, slant_factor: Shape ``(n,)``.
        pierce_m: Shape ``(n, 3)``.
        code_m, phase_m: Observed minus computed, NaN in empty slots, shape ``(slot, n)``.
    """

    raw: Observables
    receiver_m: FloatArray
    satellite_m: FloatArray
    unit: FloatArray
    elevation_rad: FloatArray
    azimuth_rad: FloatArray
    wet_mapping: FloatArray
    slant_factor: FloatArray
    pierce_m: FloatArray
    code_m: FloatArray
    phase_m: FloatArray

    def of_pair(self, values: FloatArray) -> FloatArray:
        """Return ``(slot, n)`` values of the two carriers that tell the ionosphere, shape ``(2, n)``."""
        return np.take_along_axis(values, self.raw.pair, axis=0)

    @property
    def satellite(self) -> IntArray:
        """Satellite integers, shape ``(n,)``."""
        return self.raw.satellite

    def rows(self, keep: BoolArray | IntArray | slice, receiver_m: FloatArray | None = None) -> "Reduced":
        """Return the rows selected by a mask, an index array or a slice; of ``receiver_m`` if rows are of several."""
        return Reduced(
            self.raw.rows(keep),
            self.receiver_m if receiver_m is None else receiver_m,
            self.satellite_m[keep],
            self.unit[keep],
            self.elevation_rad[keep],
            self.azimuth_rad[keep],
            self.wet_mapping[keep],
            self.slant_factor[keep],
            self.pierce_m[keep],
            self.code_m[:, keep],
            self.phase_m[:, keep],
        )


def reduce_epoch(
    raw: Observables,
    ephemerides: Mapping[int, Ephemeris],
    reference_point_m: FloatArray,
    calibration: AntennaCalibration | None,
) -> Reduced:
    """Return observed minus computed at a position; satellites without an ephemeris are left out.

    Args:
        raw: Observations.
        ephemerides: The ephemeris to use for each satellite, the same for all receivers of an epoch.
        reference_point_m: Antenna reference point, ECEF, tide-free, shape ``(3,)``.
        calibration: Phase calibration of the antenna, or ``None`` for an uncalibrated rover.

    Returns:
        Rows above three degrees of elevation only.
    """
    raw = raw.rows(np.array([row for row, s in enumerate(raw.satellite) if int(s) in ephemerides], dtype=np.int64))
    used = [ephemerides[int(s)] for s in raw.satellite]
    states = satellite_states(used, np.arange(len(used)), raw.time_ns, raw.code_m[0] / SPEED_OF_LIGHT_M_S)
    receiver_m = reference_point_m + solid_earth_tide_m(reference_point_m, raw.time_ns)
    los = line_of_sight(receiver_m, states.position_m)
    latitude, _, height = geodetic_from_ecef(reference_point_m)
    safe_elevation = np.maximum(los.elevation_rad, MIN_ELEVATION_RAD)
    dry, wet = mapping_functions(float(latitude), float(height), raw.time_ns, safe_elevation)
    pierce_m, slant_factor = pierce_points(receiver_m, los.unit)
    computed_m = (
        los.range_m
        - SPEED_OF_LIGHT_M_S * states.clock_s
        + dry * zenith_hydrostatic_delay(float(latitude), float(height))
        + wet * NOMINAL_ZWD_M
    )
    center_m = np.zeros(raw.code_m.shape)
    if calibration is not None:
        center_m = phase_centers_m(raw.signal, calibration, safe_elevation, los.azimuth_rad)
    reduced = Reduced(
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
    )
    return reduced.rows(los.elevation_rad > MIN_ELEVATION_RAD)


def pattern_code(calibration: AntennaCalibration, number: int) -> str:
    """Return the ANTEX frequency of a calibration that stands for a signal integer.

    Where an antenna is calibrated for GPS L1 and L2 only, other carriers get the GPS pattern of the nearest band, as
    the IGS does; the difference is some millimetres. L1 and L2 of GPS themselves have to be calibrated.
    """
    signal = SIGNALS[number]
    code = f"{satellite_name(100 * signal.constellation)[0]}0{signal.code[0]}"
    if code in calibration.frequencies or code in _GPS_PATTERNS:
        return code
    return _GPS_PATTERNS[signal.code[0] not in _FIRST_CARRIERS.get(signal.constellation, "1")]


def phase_centers_m(
    signals: IntArray, calibration: AntennaCalibration, elevation_rad: FloatArray, azimuth_rad: FloatArray
) -> FloatArray:
    """Return the phase centre corrections of a receiver antenna, zero in empty slots, shape ``(slot, n)``.

    Args:
        signals: Signal integers, ``MISSING`` in empty slots, shape ``(slot, n)``.
        calibration: The antenna.
        elevation_rad: Shape ``(n,)``.
        azimuth_rad: Shape ``(n,)``.
    """
    center_m = np.zeros(signals.shape)
    for number in np.unique(signals[signals >= 0]):
        slot, row = np.nonzero(signals == number)
        code = pattern_code(calibration, int(number))
        center_m[slot, row] = phase_center_range_m(calibration, code, elevation_rad[row], azimuth_rad[row])
    return center_m
