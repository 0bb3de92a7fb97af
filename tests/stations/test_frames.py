"""ECEF, geodetic and local coordinates against pyproj (EPSG 4978 and 4979)."""

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.frames import ecef_from_geodetic, enu_rotation, enu_rotation_at, geodetic_from_ecef

TENTH_MM = 1e-4
TO_ECEF = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
latitudes = st.floats(-90.0, 90.0)
longitudes = st.floats(-180.0, 180.0)
heights = st.floats(-11_000.0, 1_000_000.0)
CORNERS = [
    (latitude, longitude, height)
    for latitude in (-90.0, -89.9999999, -45.0, 0.0, 1e-9, 51.9, 89.9999999, 90.0)
    for longitude in (-180.0, -90.0, 0.0, 4.4, 90.0, 180.0)
    for height in (-400.0, 0.0, 8848.0)
]


def _pyproj(latitude, longitude, height):
    return np.array(TO_ECEF.transform(longitude, latitude, height))


@given(latitude=latitudes, longitude=longitudes, height=heights)
def test_to_ecef_equals_pyproj(latitude, longitude, height):
    """Within 0.1 mm everywhere from the deepest sea to low orbit."""
    ours = ecef_from_geodetic(np.radians(latitude), np.radians(longitude), height)
    np.testing.assert_allclose(ours, _pyproj(latitude, longitude, height), rtol=0, atol=TENTH_MM)


@given(latitude=latitudes, longitude=longitudes, height=heights)
def test_from_ecef_equals_pyproj(latitude, longitude, height):
    """Back to geodetic: within 0.1 mm along the ground and in height."""
    point = _pyproj(latitude, longitude, height)
    found_latitude, found_longitude, found_height = geodetic_from_ecef(point)
    assert found_height == pytest.approx(height, abs=TENTH_MM)
    assert (found_latitude - np.radians(latitude)) * 6.4e6 == pytest.approx(0.0, abs=TENTH_MM)
    turn = np.angle(np.exp(1j * (found_longitude - np.radians(longitude))))
    assert turn * np.hypot(point[0], point[1]) == pytest.approx(0.0, abs=TENTH_MM)


@pytest.mark.parametrize(("latitude", "longitude", "height"), CORNERS)
def test_poles_equator_and_date_line(latitude, longitude, height):
    """There and back is the same point also where longitude or its derivative does not exist."""
    point = ecef_from_geodetic(np.radians(latitude), np.radians(longitude), height)
    np.testing.assert_allclose(point, _pyproj(latitude, longitude, height), rtol=0, atol=TENTH_MM)
    again = ecef_from_geodetic(*geodetic_from_ecef(point))
    np.testing.assert_allclose(again, point, rtol=0, atol=TENTH_MM)
    assert geodetic_from_ecef(point)[2] == pytest.approx(height, abs=TENTH_MM)


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 5.0), (1e9, -1e9, 1e9)])
def test_nonsense_positions_do_not_raise(point):
    """The centre of the Earth and deep space give finite numbers: a diverging solver may ask for them."""
    assert np.all(np.isfinite(geodetic_from_ecef(np.array(point))))


def test_arrays_are_rows_of_points(rng):
    """A stack of points gives what each point gives; NaN stays NaN."""
    points = rng.normal(0, 1, (7, 5, 3))
    points *= 6.4e6 / np.linalg.norm(points, axis=-1, keepdims=True)
    stacked = geodetic_from_ecef(points)
    assert stacked.shape == points.shape
    for index in np.ndindex(7, 5):
        np.testing.assert_array_equal(stacked[index], geodetic_from_ecef(points[index]))
    assert np.all(np.isnan(geodetic_from_ecef(np.full(3, np.nan))))


@given(latitude=latitudes, longitude=longitudes)
def test_enu_is_a_rotation_with_up_along_the_normal(latitude, longitude):
    """Rows are orthonormal and right-handed; a step up changes the height only, a step north the latitude."""
    rotation = enu_rotation(np.radians(latitude), np.radians(longitude))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-14)
    here = ecef_from_geodetic(np.radians(latitude), np.radians(longitude), 0.0)
    up = ecef_from_geodetic(np.radians(latitude), np.radians(longitude), 100.0)
    np.testing.assert_allclose(rotation @ (up - here), [0.0, 0.0, 100.0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(enu_rotation_at(here)[2], rotation[2], rtol=0, atol=1e-11)


def test_enu_directions_at_a_place():
    """East of Delft the longitude grows, north of it the latitude."""
    here = ecef_from_geodetic(np.radians(52.0), np.radians(4.4), 0.0)
    rotation = enu_rotation_at(here)
    east, north = geodetic_from_ecef(here + rotation[0]), geodetic_from_ecef(here + rotation[1])
    start = geodetic_from_ecef(here)
    assert east[1] > start[1]
    assert north[0] > start[0]
    assert (north[0] - start[0]) * 6.37e6 == pytest.approx(1.0, rel=0.01)
