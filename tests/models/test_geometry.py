"""Ranges, directions and pierce points against RTKLIB 2.4.3 (pyrtklib 0.2.7) and by their definitions."""

import numpy as np
import pyrtklib
import pytest

from models.geometry import SHELL_HEIGHT_M, line_of_sight, pierce_points
from stations.constants import EARTH_RADIUS_MEAN_M, EARTH_ROTATION_RAD_S, SPEED_OF_LIGHT_M_S
from stations.frames import ecef_from_geodetic, geodetic_from_ecef


def _array(values):
    array = pyrtklib.Arr1Ddouble(len(values))
    for k, value in enumerate(values):
        array[k] = float(value)
    return array


def _receivers():
    for latitude in (-90.0, -52.0, 0.0, 33.0, 51.9, 89.999, 90.0):
        for longitude in (-180.0, -71.3, 0.0, 4.4, 139.9):
            yield ecef_from_geodetic(np.radians(latitude), np.radians(longitude), 47.0)


def _satellites(receiver_m, rng, count=12):
    """Return satellites above the horizon of a receiver, ECEF."""
    up = receiver_m / np.linalg.norm(receiver_m)
    found = []
    while len(found) < count:
        direction = rng.normal(size=3)
        point = 26_560_000.0 * direction / np.linalg.norm(direction)
        to = point - receiver_m
        if to @ up / np.linalg.norm(to) > 0.1:
            found.append(point)
    return np.array(found)


def test_ranges_and_directions_equal_rtklib(rng):
    """Range with Earth rotation, elevation and azimuth at all latitudes, poles and equator included."""
    for receiver_m in _receivers():
        satellite_m = _satellites(receiver_m, rng)
        los = line_of_sight(receiver_m, satellite_m)
        latitude, longitude, height = geodetic_from_ecef(receiver_m)
        for k, point in enumerate(satellite_m):
            unit, azel = _array([0, 0, 0]), _array([0, 0])
            range_m = pyrtklib.geodist(_array(point), _array(receiver_m), unit)
            # RTKLIB takes the rotation to first order: (omega tau)^2 / 2 of 26 000 km is 0.4 mm.
            assert los.range_m[k] == pytest.approx(range_m, abs=1.5e-3)
            pyrtklib.satazel(_array([latitude, longitude, height]), _array(los.unit[k]), azel)
            assert los.elevation_rad[k] == pytest.approx(azel[1], abs=1e-12)
            difference = np.angle(np.exp(1j * (los.azimuth_rad[k] - azel[0])))
            assert abs(difference) * np.cos(azel[1]) < 1e-9
            # Their unit vector points to where the satellite was before the Earth turned: omega tau = 6e-6 rad.
            np.testing.assert_allclose(los.unit[k], [unit[i] for i in range(3)], rtol=0, atol=8e-6)
        assert np.all((los.azimuth_rad >= 0) & (los.azimuth_rad < 2 * np.pi))
        np.testing.assert_allclose(np.linalg.norm(los.unit, axis=1), 1.0, rtol=0, atol=1e-14)


def test_the_range_solves_the_light_time_equation(rng):
    """Rotating the satellite by the flight time of the returned range gives that range, to a micrometre."""
    receiver_m = ecef_from_geodetic(0.9, 0.1, 0.0)
    satellite_m = _satellites(receiver_m, rng)
    los = line_of_sight(receiver_m, satellite_m)
    angle = EARTH_ROTATION_RAD_S * los.range_m / SPEED_OF_LIGHT_M_S
    x = np.cos(angle) * satellite_m[:, 0] + np.sin(angle) * satellite_m[:, 1]
    y = -np.sin(angle) * satellite_m[:, 0] + np.cos(angle) * satellite_m[:, 1]
    again = np.linalg.norm(np.stack([x, y, satellite_m[:, 2]], axis=1) - receiver_m, axis=1)
    np.testing.assert_allclose(los.range_m, again, rtol=0, atol=1e-6)


def test_unit_is_the_derivative_of_the_range(rng):
    """Moving the receiver changes the range by minus the unit vector: the design matrix of every solution."""
    receiver_m = ecef_from_geodetic(0.9, 0.1, 0.0)
    satellite_m = _satellites(receiver_m, rng)
    los = line_of_sight(receiver_m, satellite_m)
    for axis in np.eye(3):
        step = (
            line_of_sight(receiver_m + axis, satellite_m).range_m
            - line_of_sight(receiver_m - axis, satellite_m).range_m
        ) / 2
        # The Earth's rotation during the changed flight time: omega * 26 000 km / c = 6e-6.
        np.testing.assert_allclose(step, -los.unit @ axis, rtol=0, atol=1e-5)


def test_pierce_points_lie_on_the_shell_and_on_the_ray(rng):
    """Every pierce point is 400 km above the mean sphere, ahead of the receiver, on the line of sight."""
    for receiver_m in _receivers():
        los = line_of_sight(receiver_m, _satellites(receiver_m, rng))
        pierce_m, factor = pierce_points(receiver_m, los.unit)
        np.testing.assert_allclose(np.linalg.norm(pierce_m, axis=1), EARTH_RADIUS_MEAN_M + SHELL_HEIGHT_M, atol=1e-6)
        along = np.einsum("ij,ij->i", pierce_m - receiver_m, los.unit)
        assert np.all(along > 0.0)
        np.testing.assert_allclose(pierce_m, receiver_m + along[:, None] * los.unit, rtol=0, atol=1e-6)
        assert np.all((factor >= 1.0) & (factor < 3.0))
    straight, factor = pierce_points(np.array([EARTH_RADIUS_MEAN_M, 0, 0]), np.array([[1.0, 0, 0]]))
    np.testing.assert_allclose(straight, [[EARTH_RADIUS_MEAN_M + SHELL_HEIGHT_M, 0, 0]])
    assert factor[0] == pytest.approx(1.0, abs=1e-15)


def test_slant_factors_and_pierce_points_are_close_to_rtklib(rng):
    """Against RTKLIB's sphere with geodetic latitudes: the factor within 1 %, the place within 40 km."""
    receiver_m = ecef_from_geodetic(np.radians(52.0), np.radians(5.0), 40.0)
    position = geodetic_from_ecef(receiver_m)
    los = line_of_sight(receiver_m, _satellites(receiver_m, rng, 40))
    pierce_m, factor = pierce_points(receiver_m, los.unit)
    for k in range(len(factor)):
        place = _array([0, 0, 0])
        azel = _array([los.azimuth_rad[k], los.elevation_rad[k]])
        theirs = pyrtklib.ionppp(_array(position), azel, EARTH_RADIUS_MEAN_M / 1e3, SHELL_HEIGHT_M / 1e3, place)
        # Their receiver is on the sphere and up is geodetic (0.19 degrees off at 52 degrees); ours is where it is.
        assert factor[k] == pytest.approx(theirs, rel=0.012)
        latitude = np.arcsin(pierce_m[k, 2] / np.linalg.norm(pierce_m[k]))
        longitude = np.arctan2(pierce_m[k, 1], pierce_m[k, 0])
        north_m = (place[0] - latitude) * EARTH_RADIUS_MEAN_M
        east_m = np.angle(np.exp(1j * (place[1] - longitude))) * np.cos(latitude) * EARTH_RADIUS_MEAN_M
        assert np.hypot(north_m, east_m) < 40_000.0
