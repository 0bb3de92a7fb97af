"""A synthetic network above a known field, drawn from the model itself; contamination with known flags."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from models.field.kernels import FieldPoints, Hyperparameters, covariance_slow
from models.field.solve import FieldObservations

with warnings.catch_warnings():
    # linear_operator decorates one function with torch.jit.script when it is imported.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)
    import gpytorch  # noqa: F401

EARTH_M = 6_371_000.0
SHELL_M = 6_771_000.0
MID_LATITUDE_RAD = 0.87


@dataclass(frozen=True)
class Scene:
    """One epoch: observations of the network, a rover inside it, its master, and the truth between them."""

    observations: FieldObservations
    scales: np.ndarray
    rover: FieldPoints
    master: FieldPoints
    difference_m: np.ndarray


def ecef(latitude, longitude, radius):
    return radius * np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=-1
    )


def lines_of_sight(latitude, longitude, azimuth, elevation):
    """All receivers times all satellites, station-major."""
    shape = (len(latitude), len(azimuth))
    phi, lam = latitude[:, None], longitude[:, None]
    zenith = np.arcsin(EARTH_M / SHELL_M * np.cos(elevation))[None, :]
    psi = np.pi / 2 - elevation[None, :] - zenith
    pierce_phi = np.arcsin(np.sin(phi) * np.cos(psi) + np.cos(phi) * np.sin(psi) * np.cos(azimuth))
    pierce_lam = lam + np.arcsin(np.sin(psi) * np.sin(azimuth) / np.cos(pierce_phi))
    receiver = np.broadcast_to(ecef(latitude, longitude, EARTH_M)[:, None, :], (*shape, 3))
    return FieldPoints(
        np.tile(np.arange(shape[1]), shape[0]),
        ecef(pierce_phi, pierce_lam, SHELL_M).reshape(-1, 3),
        receiver.reshape(-1, 3).copy(),
        np.broadcast_to(1 / np.cos(zenith), shape).ravel().copy(),
    )


def draw_scene(seed, *, stations=9, satellites=12, spacing_m=70_000.0, missing=0.0, hyper=None, scales=None):
    hyper = Hyperparameters() if hyper is None else hyper
    rng = np.random.default_rng(seed)
    scales = np.ones(satellites) if scales is None else scales
    side = int(np.ceil(np.sqrt(stations)))
    grid = np.array([(i, j) for i in range(side) for j in range(side)][:stations]) - (side - 1) / 2
    east_north = np.vstack([grid + rng.normal(0, 0.1, grid.shape), rng.uniform(-0.5, 0.5, (1, 2))]) * spacing_m
    latitude = MID_LATITUDE_RAD + east_north[:, 1] / EARTH_M
    longitude = 0.1 + east_north[:, 0] / (EARTH_M * np.cos(MID_LATITUDE_RAD))
    elevation = np.arcsin(rng.uniform(np.sin(np.radians(12)), 1, satellites))
    points = lines_of_sight(latitude, longitude, rng.uniform(0, 2 * np.pi, satellites), elevation)
    station = np.repeat(np.arange(stations + 1), satellites)
    prior = covariance_slow(hyper, points, points, scales)
    field_m = np.linalg.cholesky(prior + 1e-14 * np.eye(len(prior))) @ rng.normal(size=len(prior))
    noise_m = 0.003 * points.slant_factor
    value_m = field_m + rng.normal(0, 10, satellites)[points.satellite] + rng.normal(0, 0.3, stations + 1)[station]
    value_m += np.hypot(noise_m, hyper.noise_floor_m) * rng.normal(size=len(value_m))
    seen = np.flatnonzero((station < stations) & (rng.uniform(size=len(station)) >= missing))
    at_rover, at_master = np.flatnonzero(station == stations), np.flatnonzero(station == 0)
    observations = FieldObservations(
        points.take(seen), station[seen], value_m[seen], noise_m[seen] ** 2, np.ones(len(seen), dtype=bool)
    )
    truth_m = field_m[at_rover] - field_m[at_master]
    return Scene(observations, scales, points.take(at_rover), points.take(at_master), truth_m)


def dirty(observations, seed, rate, *, hit=0.93, false_alarm=0.10):
    """Half wrong fixes on the L1/L2 lattice, half 20-50 cm; returns the observations and which rows are bad."""
    rng = np.random.default_rng(seed + 10_000)
    rows = len(observations)
    bad = rng.uniform(size=rows) < rate
    wrong_fix_m = rng.choice([-0.166, -0.083, 0.083, 0.166], rows)
    gross_m = rng.choice([-1, 1], rows) * rng.uniform(0.2, 0.5, rows)
    error_m = np.where(rng.uniform(size=rows) < 0.5, wrong_fix_m, gross_m) * bad
    clean = rng.uniform(size=rows) >= np.where(bad, hit, false_alarm)
    return replaced(observations, value_m=observations.value_m + error_m, clean=clean), bad


def replaced(observations, *, value_m=None, clean=None):
    return FieldObservations(
        observations.points,
        observations.station,
        observations.value_m if value_m is None else value_m,
        observations.noise_var_m2,
        observations.clean if clean is None else clean,
    )


@pytest.fixture(name="draw_scene", scope="session")
def _draw_scene():
    return draw_scene


@pytest.fixture(name="dirty", scope="session")
def _dirty():
    return dirty


@pytest.fixture(name="replaced", scope="session")
def _replaced():
    return replaced
