"""Solid earth tides against RTKLIB 2.4.3 (pyrtklib 0.2.7)."""

import numpy as np
import pyrtklib
import pytest

from models.tides import solid_earth_tide_m, sun_and_moon_ecef
from stations import gpstime
from stations.constants import NS_PER_S
from stations.frames import ecef_from_geodetic

UNIX_OF_GPS_S = 315_964_800
DELFT_M = np.array([3924687.2159, 301133.2568, 5001911.1479])
ZEGVELD_M = np.array([3908909.8758, 330933.2631, 5012262.9499])


def _rtklib(position_m, time_ns):
    """Return RTKLIB's solid tide; it takes UTC."""
    utc = pyrtklib.gtime_t()
    utc.time, utc.sec = time_ns // NS_PER_S - 18 + UNIX_OF_GPS_S, 0.0
    place, shift = pyrtklib.Arr1Ddouble(3), pyrtklib.Arr1Ddouble(3)
    for k in range(3):
        place[k] = float(position_m[k])
    pyrtklib.tidedisp(utc, place, 1, pyrtklib.erp_t(), pyrtklib.Arr1Ddouble(66), shift)
    return np.array([shift[k] for k in range(3)])


TIMES = [gpstime.from_calendar(2021, 1, day, hour) for day in (1, 8, 15, 22) for hour in range(0, 24, 3)]


def test_displacements_are_close_to_rtklib():
    """All four weeks of a month: within 15 mm of a tide of up to 30 cm, everywhere on Earth."""
    worst, size = 0.0, 0.0
    for latitude in (-60.0, 0.0, 35.0, 52.0):
        position_m = ecef_from_geodetic(np.radians(latitude), np.radians(5.0), 0.0)
        for time_ns in TIMES:
            theirs = _rtklib(position_m, time_ns)
            worst = max(worst, float(np.linalg.norm(solid_earth_tide_m(position_m, time_ns) - theirs)))
            size = max(size, float(np.linalg.norm(theirs)))
    assert size > 0.2
    # RTKLIB adds degree three (2 mm) and the frequency-dependent K1 term (up to 13 mm in height at mid latitudes).
    assert worst < 0.017


def test_differences_over_a_network_are_within_a_millimetre():
    """What enters double differences over 35 km and over 200 km equals RTKLIB's to 1 and 2 mm."""
    far_m = ecef_from_geodetic(np.radians(51.0), np.radians(7.0), 0.0)
    for time_ns in TIMES:
        for other_m, limit_m in ((ZEGVELD_M, 0.001), (far_m, 0.002)):
            ours = solid_earth_tide_m(DELFT_M, time_ns) - solid_earth_tide_m(other_m, time_ns)
            theirs = _rtklib(DELFT_M, time_ns) - _rtklib(other_m, time_ns)
            # K1 is a function of latitude and longitude: 13 mm over the scale of the Earth.
            assert np.linalg.norm(ours - theirs) < limit_m


def test_sun_and_moon_stand_where_they_are():
    """Distances within the orbits' limits; the Sun is over Greenwich at noon and south of the equator in January."""
    noon = gpstime.from_calendar(2021, 1, 1, 12)
    sun_m, moon_m = sun_and_moon_ecef(noon)
    assert np.linalg.norm(sun_m) == pytest.approx(1.471e11, rel=0.002)  # perihelion is on 2 January
    assert 3.56e8 < np.linalg.norm(moon_m) < 4.07e8
    longitude, declination = np.arctan2(sun_m[1], sun_m[0]), np.arcsin(sun_m[2] / np.linalg.norm(sun_m))
    assert np.degrees(longitude) == pytest.approx(0.9, abs=0.3)  # equation of time: 3.5 min
    assert np.degrees(declination) == pytest.approx(-23.0, abs=0.1)


def test_the_tide_is_the_gradient_of_the_potential_of_degree_two():
    """At the sub-lunar point the crust rises, at 90 degrees from both bodies it sinks."""
    time_ns = TIMES[3]
    sun_m, moon_m = sun_and_moon_ecef(time_ns)
    under = moon_m / np.linalg.norm(moon_m)
    assert solid_earth_tide_m(6.378e6 * under, time_ns) @ under > 0.1
    away = np.cross(sun_m, moon_m)
    away /= np.linalg.norm(away)
    assert solid_earth_tide_m(6.378e6 * away, time_ns) @ away < -0.05
