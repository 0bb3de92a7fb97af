"""What a receiver antenna adds to a carrier-phase range: offset and variations of its phase centre."""

import numpy as np

from stations.antex import AntennaCalibration, FrequencyPattern
from stations.arrays import FloatArray, IntArray

_HALF_PI = 0.5 * np.pi
_TURN = 2.0 * np.pi


def phase_center_range_m(
    calibration: AntennaCalibration, frequency_code: str, elevation_rad: FloatArray, azimuth_rad: FloatArray
) -> FloatArray:
    """Return what to add to the geometric range from the antenna reference point to get the observed phase.

    ANTEX: the mean phase centre is the reference point plus the offset, and "observed distance =
    geometric distance to the mean phase centre + variation". A phase centre above the reference point
    is nearer to the satellite, so the offset enters with minus: ``- offset . line_of_sight + variation``.
    The same sign and use as ``dant`` of RTKLIB's ``antmodel``.

    Args:
        calibration: The antenna.
        frequency_code: ANTEX frequency, for instance ``G01``.
        elevation_rad: Elevations, shape ``(row,)``.
        azimuth_rad: Azimuths from north over east, shape ``(row,)``.

    Returns:
        Metres, shape ``(row,)``. Linear between the nodes of the grid, with azimuth where the calibration
        has it; beyond the last zenith angle the value there.

    Raises:
        GpsgridError: ``UNKNOWN_ANTENNA``, the antenna is not calibrated on that frequency.

    Source:
        Rothacher and Schmid (2010), ANTEX 1.4, section 3.
    """
    pattern = calibration.pattern(frequency_code)
    elevation, azimuth = np.broadcast_arrays(
        np.asarray(elevation_rad, dtype=np.float64), np.asarray(azimuth_rad, dtype=np.float64)
    )
    cosine = np.cos(elevation)
    line_of_sight = np.stack([np.sin(azimuth) * cosine, np.cos(azimuth) * cosine, np.sin(elevation)], axis=-1)
    return _variation_m(pattern, _HALF_PI - elevation, azimuth) - line_of_sight @ pattern.offset_enu_m


def _variation_m(pattern: FrequencyPattern, zenith_rad: FloatArray, azimuth_rad: FloatArray) -> FloatArray:
    if not len(pattern.azimuth_rad):
        return np.interp(zenith_rad, pattern.zenith_rad, pattern.variation_m)
    column, right = _bracket(pattern.zenith_rad, zenith_rad)
    row, lower = _bracket(pattern.azimuth_rad, azimuth_rad % _TURN)
    grid = pattern.azimuth_variation_m
    left_edge = (1.0 - lower) * grid[row, column] + lower * grid[row + 1, column]
    right_edge = (1.0 - lower) * grid[row, column + 1] + lower * grid[row + 1, column + 1]
    return (1.0 - right) * left_edge + right * right_edge


def _bracket(nodes: FloatArray, value: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the index of the node below each value and the fraction of the way to the next, 0 to 1."""
    below = np.clip(np.searchsorted(nodes, value, side="right") - 1, 0, len(nodes) - 2)
    fraction = (value - nodes[below]) / (nodes[below + 1] - nodes[below])
    return below, np.clip(fraction, 0.0, 1.0)
