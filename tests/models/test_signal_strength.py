"""The template of C/N0: learned per station, signal and elevation; weak signals are told from weak satellites."""

from dataclasses import fields

import numpy as np

from models import signal_strength
from models.signal_strength import BIN_RAD, empty, keys_of, moved, step

LIMITS = (6.0, 4.0)


def _sky(rng, stations=4, satellites=8):
    station, satellite = (a.ravel() for a in np.indices((stations, satellites)))
    elevation = np.radians(np.linspace(10, 80, satellites))[satellite]
    usual = 35.0 + 15.0 * np.sin(elevation) + 2.0 * station
    return station, satellite, keys_of(station, np.full(len(station), 2), elevation), usual


def _learned(rng, station, satellite, key, usual, epochs=20):
    template, ever = empty(), np.zeros(len(key), dtype=bool)
    for _ in range(epochs):
        template, weak = step(template, key, satellite, usual + rng.normal(0, 0.5, len(key)), 30.0, LIMITS)
        ever |= weak
    return template, ever


def test_usual_signals_are_not_weak_and_the_mean_is_theirs(rng):
    station, satellite, key, usual = _sky(rng)
    template, ever = _learned(rng, station, satellite, key, usual)
    assert not ever.any()
    np.testing.assert_allclose(template.mean_dbhz[np.searchsorted(template.key, key)], usual, atol=0.5)


def test_an_obstructed_satellite_and_a_jammed_station_are_weak(rng):
    station, satellite, key, usual = _sky(rng)
    template, _ = _learned(rng, station, satellite, key, usual)
    one = (station == 1) & (satellite == 3)
    _, weak = step(template, key, satellite, usual - 9.0 * one, 30.0, LIMITS)
    assert np.array_equal(weak, one)
    whole = station == 2
    _, weak = step(template, key, satellite, usual - 9.0 * whole, 30.0, LIMITS)
    assert np.array_equal(weak, whole)


def test_a_satellite_that_changes_its_power_is_not_weak(rng):
    station, satellite, key, usual = _sky(rng)
    template, _ = _learned(rng, station, satellite, key, usual)
    _, weak = step(template, key, satellite, usual - 10.0 * (satellite == 4), 30.0, LIMITS)
    assert not weak.any()


def test_nothing_is_said_before_a_bin_is_known_nor_of_unknown_strength(rng):
    station, satellite, key, usual = _sky(rng)
    template, weak = step(empty(), key, satellite, usual, 30.0, LIMITS)
    template, weak = step(template, key, satellite, usual - 20.0, 30.0, LIMITS)
    assert not weak.any()
    template, _ = _learned(rng, station, satellite, key, usual)
    again, weak = step(template, key, satellite, np.full(len(key), np.nan), 30.0, LIMITS)
    assert not weak.any()
    for field in fields(template):
        assert np.array_equal(getattr(again, field.name), getattr(template, field.name))


def test_interference_hardly_changes_the_template(rng):
    station, satellite, key, usual = _sky(rng)
    template, _ = _learned(rng, station, satellite, key, usual, epochs=120)
    jammed = station == 0
    for _ in range(10):
        template, weak = step(template, key, satellite, usual - 12.0 * jammed, 30.0, LIMITS)
        assert weak[jammed].all()


def test_stations_in_another_order_keep_their_own(rng):
    station, satellite, key, usual = _sky(rng)
    template, _ = _learned(rng, station, satellite, key, usual)
    turned = moved(template, np.array([2, -1, 0, 1]))
    assert (np.diff(turned.key) > 0).all()
    assert set(signal_strength.station_of(turned.key)) == {0, 1, 2}
    old = template.mean_dbhz[signal_strength.station_of(template.key) == 2]
    assert np.array_equal(turned.mean_dbhz[signal_strength.station_of(turned.key) == 0], old)


def test_bins_of_elevation():
    low, high = keys_of(np.zeros(2, dtype=int), np.zeros(2, dtype=int), np.array([0.5, 17.5]) * BIN_RAD)
    assert (low, high) == (0, 17)
