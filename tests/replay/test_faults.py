"""Faults go where they are told to, are what they say, and leave everything else alone."""

import numpy as np
import pytest

from replay.faults import EVERY, MILLISECOND_M, Fault, Kind, carriers, inject
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import make_epoch
from stations.signals import Constellation, signal_of

CODES = ("1C", "2W", "5Q")
SIGNALS = [signal_of(Constellation.GPS, code).number for code in CODES]
START = 5


def _epochs(count=10, stations=("A", "B"), satellites=(3, 8)):
    """Return epochs of satellites that recede by 600 and 700 m/s; the second tracks two carriers only."""
    satellite = np.repeat(satellites, 3)[:-1]
    signal = np.tile(SIGNALS, len(satellites))[:-1]
    wavelength = np.array([signal_of(Constellation.GPS, code).wavelength_m for code in CODES * 2])[:-1]
    no = np.zeros(len(satellite), dtype=bool)
    result = []
    for k in range(count):
        range_m = 2.1e7 + satellite * 1000.0 + k * np.where(satellite == satellites[0], 600.0, 700.0)
        lock = np.full(len(satellite), 60_000 + 1000 * k)
        one = make_epoch(k * NS_PER_S, satellite, signal, range_m, range_m / wavelength, no + 45.0, lock, no)
        result.append((k * NS_PER_S, dict.fromkeys(stations, one)))
    return result


def _changed(kind, size, satellite=3):
    epochs = _epochs()
    fault = Fault(kind, "A", satellite, START * NS_PER_S, size)
    return epochs, inject(epochs, [fault], np.random.default_rng(1))


@pytest.mark.parametrize("kind", Kind)
def test_only_the_station_is_hit_and_only_from_the_start_on(kind):
    satellite = EVERY if kind in {Kind.INTERFERENCE, Kind.STUCK, Kind.CLOCK_JUMP, Kind.CODE_CLOCK_JUMP} else 3
    epochs, result = _changed(kind, (2.0, 2.0), satellite)
    for k, ((_, before), (_, after)) in enumerate(zip(epochs, result, strict=True)):
        assert after["B"] is before["B"]
        assert (after["A"] is before["A"]) or k >= START
    assert result[START][1]["A"] is not epochs[START][1]["A"]


def test_carriers_are_those_that_the_network_uses():
    epoch = _epochs()[0][1]["A"]
    first, second, third = carriers(epoch, 3)
    assert [np.flatnonzero(rows).tolist() for rows in (first, second, third)] == [[0], [1], [2]]
    assert [int(rows.sum()) for rows in carriers(epoch, EVERY)] == [2, 2, 1]


def test_slips_stay_and_the_lock_time_tells_or_does_not():
    for kind in (Kind.SLIP, Kind.REPORTED_SLIP):
        epochs, result = _changed(kind, (9.0, 7.0))
        for k in (START, START + 3):
            before, after = epochs[k][1]["A"], result[k][1]["A"]
            assert (after.phase_cyc - before.phase_cyc).tolist() == [9.0, 7.0, 0.0, 0.0, 0.0]
            expected = [1000 * (k - START)] * 2 if kind is Kind.REPORTED_SLIP else before.lock_ms[:2].tolist()
            assert after.lock_ms.tolist() == [*expected, *before.lock_ms[2:].tolist()]


def test_a_spike_lasts_one_epoch_and_is_in_metres():
    epochs, result = _changed(Kind.PHASE_SPIKE, (0.3,))
    moved = result[START][1]["A"].phase_cyc - epochs[START][1]["A"].phase_cyc
    assert moved[0] * SPEED_OF_LIGHT_M_S / 1575.42e6 == pytest.approx(0.3, abs=1e-7)
    assert not moved[1:].any()
    assert np.array_equal(result[START + 1][1]["A"].phase_cyc, epochs[START + 1][1]["A"].phase_cyc)


def test_a_half_cycle_is_unresolved_first_and_moves_when_it_is_resolved():
    epochs, result = _changed(Kind.HALF_CYCLE, (2.0, 0.5))
    flags = [one["A"].half_cycle[0] for _, one in result]
    assert np.flatnonzero(flags).tolist() == [START, START + 1]
    moved = [
        after["A"].phase_cyc[0] - before["A"].phase_cyc[0]
        for (_, before), (_, after) in zip(epochs, result, strict=True)
    ]
    assert moved == [0.0] * (START + 2) + [0.5] * 3


def test_a_stuck_receiver_repeats_what_came_before_under_new_tags():
    epochs, result = _changed(Kind.STUCK, (3.0,), EVERY)
    for k in range(START, START + 3):
        one = result[k][1]["A"]
        assert one.time_ns == k * NS_PER_S
        assert np.array_equal(one.phase_cyc, epochs[START - 1][1]["A"].phase_cyc)
    assert result[START + 3][1]["A"] is epochs[START + 3][1]["A"]


@pytest.mark.parametrize("kind", [Kind.CLOCK_JUMP, Kind.CODE_CLOCK_JUMP])
def test_a_clock_that_is_ahead_samples_earlier(kind):
    """At 600 m/s the range is 0.6 m shorter a millisecond before; the clock adds 300 km."""
    epochs, result = _changed(kind, (1.0,), EVERY)
    before, after = epochs[START][1]["A"], result[START][1]["A"]
    rate = np.where(before.satellite == 3, 600.0, 700.0)
    expected = MILLISECOND_M - 1e-3 * rate
    np.testing.assert_allclose(after.pseudorange_m - before.pseudorange_m, expected, atol=1e-3)
    phase_m = (after.phase_cyc - before.phase_cyc) * SPEED_OF_LIGHT_M_S / before.frequency_hz
    ahead = MILLISECOND_M if kind is Kind.CLOCK_JUMP else 0.0
    np.testing.assert_allclose(phase_m, ahead - 1e-3 * rate, atol=1e-3)


def test_weaker_signals_are_noisier_on_the_first_carrier_only():
    epochs, result = _changed(Kind.INTERFERENCE, (10.0, 60.0), EVERY)
    before, after = epochs[START][1]["A"], result[START][1]["A"]
    first = carriers(before, EVERY)[0]
    assert np.array_equal(before.cn0_dbhz - after.cn0_dbhz, 10.0 * first)
    assert (after.pseudorange_m != before.pseudorange_m).tolist() == first.tolist()
