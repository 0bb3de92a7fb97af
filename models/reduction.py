"""One receiver's raw epoch reduced by everything that is known: observed minus computed, per satellite.

What is left in the reduced observations, in metres, for frequency ``j`` with ``mu = (f1/fj)^2``::

    code_m[j]  = receiver clock - satellite residual clock + mw dZWD + mu I + biases + noise
    phase_m[j] = receiver clock - satellite residual clock + mw dZWD - mu I + lambda N + biases + noise

``I`` is the slant ionosphere on L1. Stations are reduced at their known coordinates, a rover at an
approximate position. This file decides nothing; suspicious data are the business of ``validity``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.antenna import phase_center_range_m
from models.ephemeris import satellite_states
from models.geometry import line_of_sight, pierce_points
from models.tides import solid_earth_tide_m
from models.troposphere import NOMINAL_ZWD_M, mapping_functions, zenith_hydrostatic_delay
from stations.antex import AntennaCalibration
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.frames import geodetic_from_ecef
from stations.navigation import GpsEphemeris
from stations.signals import GPS_L1CA, GPS_L2W

WAVELENGTHS_M = np.array([SPEED_OF_LIGHT_M_S / FREQUENCY_L1_HZ, SPEED_OF_LIGHT_M_S / FREQUENCY_L2_HZ])
MU = np.array([1.0, (FREQUENCY_L1_HZ / FREQUENCY_L2_HZ) ** 2])
"""Ionospheric delay relative to L1, shape ``(2,)``."""

OBSERVATION_TYPES = ((0, True), (1, True), (0, False), (1, False))
"""Band and whether it is a code: code L1, code L2, phase L1, phase L2, the order of every stacked design."""

_MIN_ELEVATION_RAD = np.radians(3.0)  # below, mapping functions and broadcast geometry are not worth having
_ANTENNA_FREQUENCIES = ("G01", "G02")


@dataclass(frozen=True)
class DualFrequency:
    """The satellites of one epoch with code and phase on L1 and L2.

    Attributes:
        time_ns: Receiver time tag.
        satellite: Shape ``(n,)``, ascending.
        code_m: Pseudoranges, shape ``(2, n)``.
        phase_m: Carrier phases in metres, shape ``(2, n)``.
        cn0_dbhz: Shape ``(2, n)``, NaN where unknown.
        lock_ms: The shorter lock of both frequencies, shape ``(n,)``.
        half_cycle: Either phase may be off by half a cycle, shape ``(n,)``.
    """

    time_ns: int
    satellite: IntArray
    code_m: FloatArray
    phase_m: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    half_cycle: BoolArray


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
        code_m, phase_m: Observed minus computed, shape ``(2, n)``.
    """

    raw: DualFrequency
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

    @property
    def satellite(self) -> IntArray:
        """Satellite integers, shape ``(n,)``."""
        return self.raw.satellite

    def rows(self, keep: BoolArray | IntArray) -> "Reduced":
        """Return the rows selected by a mask or an index array."""
        raw = self.raw
        return Reduced(
            DualFrequency(
                raw.time_ns,
                raw.satellite[keep],
                raw.code_m[:, keep],
                raw.phase_m[:, keep],
                raw.cn0_dbhz[:, keep],
                raw.lock_ms[keep],
                raw.half_cycle[keep],
            ),
            self.receiver_m,
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


def dual_frequency(epoch: StationEpoch) -> DualFrequency:
    """Return the satellites that have code and phase on both L1 C/A and L2 P(Y)."""
    complete = ~(np.isnan(epoch.pseudorange_m) | np.isnan(epoch.phase_cyc))
    first = np.flatnonzero(complete & (epoch.signal == GPS_L1CA))
    second = np.flatnonzero(complete & (epoch.signal == GPS_L2W))
    satellite, i, k = np.intersect1d(
        epoch.satellite[first], epoch.satellite[second], assume_unique=True, return_indices=True
    )
    one, two = first[i], second[k]
    return DualFrequency(
        epoch.time_ns,
        satellite,
        np.stack([epoch.pseudorange_m[one], epoch.pseudorange_m[two]]),
        np.stack([epoch.phase_cyc[one], epoch.phase_cyc[two]]) * WAVELENGTHS_M[:, None],
        np.stack([epoch.cn0_dbhz[one], epoch.cn0_dbhz[two]]),
        np.minimum(epoch.lock_ms[one], epoch.lock_ms[two]),
        epoch.half_cycle[one] | epoch.half_cycle[two],
    )


def reduce_epoch(
    raw: DualFrequency,
    ephemerides: Mapping[int, GpsEphemeris],
    reference_point_m: FloatArray,
    calibration: AntennaCalibration | None,
) -> Reduced:
    """Return observed minus computed at a position; satellites without an ephemeris are left out.

    Args:
        raw: Dual-frequency observations.
        ephemerides: The ephemeris to use for each satellite, the same for all receivers of an epoch.
        reference_point_m: Antenna reference point, ECEF, tide-free, shape ``(3,)``.
        calibration: Phase calibration of the antenna, or ``None`` for an uncalibrated rover.

    Returns:
        Rows above three degrees of elevation only.
    """
    rows = np.array([row for row, s in enumerate(raw.satellite) if int(s) in ephemerides], dtype=np.int64)
    used = [ephemerides[int(s)] for s in raw.satellite[rows]]
    travel_s = raw.code_m[0, rows] / SPEED_OF_LIGHT_M_S
    states = satellite_states(used, np.arange(len(rows)), raw.time_ns, travel_s)
    receiver_m = reference_point_m + solid_earth_tide_m(reference_point_m, raw.time_ns)
    los = line_of_sight(receiver_m, states.position_m)
    latitude, _, height = geodetic_from_ecef(reference_point_m)
    safe_elevation = np.maximum(los.elevation_rad, _MIN_ELEVATION_RAD)
    dry, wet = mapping_functions(float(latitude), float(height), raw.time_ns, safe_elevation)
    pierce_m, slant_factor = pierce_points(receiver_m, los.unit)
    computed_m = (
        los.range_m
        - SPEED_OF_LIGHT_M_S * states.clock_s
        + dry * zenith_hydrostatic_delay(float(latitude), float(height))
        + wet * NOMINAL_ZWD_M
    )
    center_m = np.zeros((2, len(rows)))
    if calibration is not None:
        for band, code in enumerate(_ANTENNA_FREQUENCIES):
            center_m[band] = phase_center_range_m(calibration, code, safe_elevation, los.azimuth_rad)
    reduced = Reduced(
        DualFrequency(
            raw.time_ns,
            raw.satellite[rows],
            raw.code_m[:, rows],
            raw.phase_m[:, rows],
            raw.cn0_dbhz[:, rows],
            raw.lock_ms[rows],
            raw.half_cycle[rows],
        ),
        receiver_m,
        states.position_m,
        los.unit,
        los.elevation_rad,
        los.azimuth_rad,
        wet,
        slant_factor,
        pierce_m,
        raw.code_m[:, rows] - computed_m,
        raw.phase_m[:, rows] - computed_m - center_m,
    )
    return reduced.rows(los.elevation_rad > _MIN_ELEVATION_RAD)
