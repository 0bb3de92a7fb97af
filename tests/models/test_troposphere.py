"""Hydrostatic delay and Niell's mapping functions against RTKLIB 2.4.3 (pyrtklib 0.2.7)."""

import numpy as np
import pyrtklib
import pytest

from models.troposphere import mapping_functions, process_noise_m2, zenith_hydrostatic_delay
from stations import gpstime
from stations.constants import NS_PER_S

UNIX_OF_GPS_S = 315_964_800
ELEVATIONS = np.radians([3.5, 5.0, 7.0, 10.0, 15.0, 30.0, 60.0, 89.0, 90.0])


def _array(values):
    array = pyrtklib.Arr1Ddouble(len(values))
    for k, value in enumerate(values):
        array[k] = float(value)
    return array


def _gtime(time_ns):
    time = pyrtklib.gtime_t()
    time.time, time.sec = time_ns // NS_PER_S + UNIX_OF_GPS_S, 0.0
    return time


@pytest.mark.parametrize("latitude_deg", [-80.0, -52.0, -15.0, 0.0, 15.0, 37.5, 52.0, 75.0, 89.0])
@pytest.mark.parametrize("height_m", [0.0, 60.0, 2500.0])
@pytest.mark.parametrize("date", [(2021, 1, 1), (2021, 7, 15), (2024, 12, 31)])
def test_mapping_functions_equal_rtklib(latitude_deg, height_m, date):
    """Hydrostatic and wet factors of Niell at all latitudes, heights and seasons."""
    time_ns = gpstime.from_calendar(*date, 13)
    dry, wet = mapping_functions(np.radians(latitude_deg), height_m, time_ns, ELEVATIONS)
    for k, elevation in enumerate(ELEVATIONS):
        other_wet = _array([0.0])
        position = _array([np.radians(latitude_deg), 0.1, height_m])
        other = pyrtklib.tropmapf(_gtime(time_ns), position, _array([0.3, elevation]), other_wet)
        # RTKLIB counts the day of year in GPS time: 18 s of a season.
        assert dry[k] == pytest.approx(other, rel=1e-6)
        assert wet[k] == pytest.approx(other_wet[0], rel=1e-9)


def test_mapping_functions_are_one_at_the_zenith_and_fall_with_elevation():
    """A factor is 1 straight up, and grows monotonically towards the horizon, less than the cosecant."""
    elevations = np.radians(np.linspace(3.0, 90.0, 200))
    dry, wet = mapping_functions(0.9, 0.0, gpstime.from_calendar(2021, 4, 1), elevations)
    for factor in (dry, wet):
        assert factor[-1] == pytest.approx(1.0, abs=1e-12)
        assert np.all(np.diff(factor) < 0.0)
        assert np.all(factor <= 1.0 / np.sin(elevations) + 1e-12)


@pytest.mark.parametrize("height_m", [-300.0, 0.0, 100.0, 1500.0, 5000.0])
@pytest.mark.parametrize("latitude_deg", [-52.0, 0.0, 33.0, 80.0])
def test_zenith_hydrostatic_delay_equals_rtklib(latitude_deg, height_m):
    """Saastamoinen in the standard atmosphere."""
    position = _array([np.radians(latitude_deg), 0.1, height_m])
    other = pyrtklib.tropmodel(_gtime(gpstime.from_calendar(2021, 1, 1)), position, _array([0.0, np.pi / 2]), 0.0)
    ours = zenith_hydrostatic_delay(np.radians(latitude_deg), height_m)
    if height_m < 0.0:
        assert ours > zenith_hydrostatic_delay(np.radians(latitude_deg), 0.0)  # RTKLIB stops at sea level
    else:
        # Their denominator has 0.00028 per km as ours; 0.0022768 against 0.0022768: rounding of constants.
        assert ours == pytest.approx(other, abs=1e-3)


def test_heights_are_clipped_and_never_raise():
    """A wild rover height gives the delay of the nearest height that has an atmosphere."""
    assert zenith_hydrostatic_delay(0.9, 1e7) == zenith_hydrostatic_delay(0.9, 11_000.0)
    assert zenith_hydrostatic_delay(0.9, -1e7) == zenith_hydrostatic_delay(0.9, -500.0)
    assert 2.25 < zenith_hydrostatic_delay(0.9, 0.0) < 2.35  # 2.3 m at sea level: every textbook


def test_a_random_walk_gathers_variance_with_time():
    """1e-4 m per root second gathers 6 mm in an hour."""
    assert np.sqrt(process_noise_m2(1e-4, 3600 * NS_PER_S)) == pytest.approx(0.006, rel=1e-12)
