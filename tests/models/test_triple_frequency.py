"""Three carriers: the combination cancels what it should, and tells which carrier slipped."""

import numpy as np
import pytest

from models.triple_frequency import coefficients, disagreement_m, third_alone
from stations.signals import Constellation, signal_of

TRIPLES = {
    "gps": (Constellation.GPS, ("1C", "2W", "5Q")),
    "galileo": (Constellation.GALILEO, ("1C", "5Q", "7Q")),
    "beidou": (Constellation.BEIDOU, ("2I", "6I", "5P")),
}
LIMIT_M = 0.025 + 0.010 / np.sin(np.radians(30.0))


def _wavelengths(name):
    system, codes = TRIPLES[name]
    return np.array([[signal_of(system, code).wavelength_m] for code in codes])


@pytest.mark.parametrize("name", TRIPLES)
def test_range_and_ionosphere_cancel_and_noise_is_that_of_one_phase(name, rng):
    wavelength_m = _wavelengths(name)
    mu = (wavelength_m / wavelength_m[0]) ** 2
    change_m = 299_792.458 - mu * 12.0
    assert disagreement_m(change_m, wavelength_m) == pytest.approx(0.0, abs=1e-9)
    assert (coefficients(wavelength_m) ** 2).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["gps", "beidou"])
def test_one_cycle_of_the_second_or_third_carrier_is_seen(name):
    wavelength_m = _wavelengths(name)
    for carrier in (1, 2):
        change_m = np.zeros((3, 1))
        change_m[carrier] = wavelength_m[carrier]
        assert abs(disagreement_m(change_m, wavelength_m)[0]) > LIMIT_M
        alone = third_alone(change_m[0] - change_m[1], change_m[0] - change_m[2])
        assert bool(alone[0]) == (carrier == 2)


def test_what_hides_from_the_geometry_free_test_is_seen():
    """(9, 7) of GPS changes L1 minus L2 by 3 mm only."""
    wavelength_m = _wavelengths("gps")
    change_m = np.array([[9.0], [7.0], [0.0]]) * wavelength_m
    assert abs(change_m[0, 0] - change_m[1, 0]) < 0.004
    assert abs(disagreement_m(change_m, wavelength_m)[0]) > LIMIT_M
