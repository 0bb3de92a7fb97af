"""Stations that send old observations under new time tags."""

from dataclasses import replace

import numpy as np

from models.repeated import repeats
from stations.constants import NS_PER_S
from stations.epoch import make_epoch
from stations.signals import GPS_L1CA, GPS_L2W


def _epoch(rng, seconds, satellites=8):
    satellite = np.repeat(np.arange(1, satellites + 1), 2)
    count = len(satellite)
    range_m = rng.uniform(2e7, 2.5e7, count)
    no = np.zeros(count, dtype=bool)
    signal = np.tile([GPS_L1CA, GPS_L2W], satellites)
    return make_epoch(
        seconds * NS_PER_S, satellite, signal, range_m, range_m * 5, np.full(count, 45.0), np.full(count, 9000), no
    )


def test_the_same_observations_at_another_time_are_stuck(rng):
    first = _epoch(rng, 1)
    assert repeats(first, replace(first, time_ns=2 * NS_PER_S, lock_ms=first.lock_ms + 1000))
    assert repeats(first, replace(first, time_ns=2 * NS_PER_S).rows(slice(2, None)))


def test_new_observations_and_the_same_message_twice_are_not(rng):
    first = _epoch(rng, 1)
    assert not repeats(first, _epoch(rng, 2))
    assert not repeats(first, first)
    assert not repeats(first, replace(first, time_ns=2 * NS_PER_S).rows(slice(0, 0)))
    other = _epoch(rng, 2)
    few = np.arange(len(first)) < 6  # of 16: no accident of one or two values
    assert not repeats(first, replace(other, phase_cyc=np.where(few, first.phase_cyc, other.phase_cyc)))
