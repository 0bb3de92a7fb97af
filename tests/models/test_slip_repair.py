"""Slips of whole cycles are counted, and what cannot be counted is left to be found anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slip_repair import whole_cycles
from models.validity import Flag, PhaseChange

STATIONS, SATELLITES = 4, 6
COUNT = STATIONS * SATELLITES
SLIPPED = 2 * SATELLITES + 3  # station 2, satellite 3


@pytest.fixture
def wavelength_m():
    return np.repeat([[0.190293673], [0.244210213]], COUNT, axis=1)


def quiet(noise_m=0.002, elapsed_ms=5000, seed=1):
    """Return the change of phases with clocks of kilometres and an atmosphere of millimetres."""
    rng = np.random.default_rng(seed)
    station, satellite = np.divmod(np.arange(COUNT), SATELLITES)
    clocks_m = rng.normal(0.0, 1e3, STATIONS)[station] + rng.normal(0.0, 10.0, SATELLITES)[satellite]
    return PhaseChange(
        station,
        satellite,
        np.full(COUNT, elapsed_ms),
        np.full(COUNT, 10_000),
        np.full(COUNT, 10_000 + elapsed_ms),
        np.zeros(COUNT, dtype=np.bool_),
        clocks_m + rng.normal(0.0, noise_m, (2, COUNT)),
        np.full(COUNT, 0.7),
    )


def jumped(change, wavelength_m, cycles, row=SLIPPED):
    moved = change.change_m.copy()
    moved[:, row] += np.asarray(cycles) * wavelength_m[:, row]
    return replace(change, change_m=moved)


def flagged(*rows, flag=Flag.TIME_DIFFERENCE):
    flags = np.zeros(COUNT, dtype=np.int64)
    flags[list(rows)] = int(flag)
    return flags


@settings(deadline=None)
@given(cycles=st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6)), seed=st.integers(0, 1000))
def test_whole_cycles_are_counted_whatever_the_clocks_do(cycles, seed):
    wavelength_m = np.repeat([[0.190293673], [0.244210213]], COUNT, axis=1)
    change = jumped(quiet(seed=seed), wavelength_m, cycles)
    whole, found = whole_cycles(change, wavelength_m, flagged(SLIPPED))
    assert np.flatnonzero(whole).tolist() == [SLIPPED]
    assert tuple(found[:, SLIPPED]) == cycles
    assert not np.delete(found, SLIPPED, axis=1).any()


def test_slips_of_several_arcs_are_counted_each(wavelength_m):
    rows, cycles = [2, SLIPPED, 21], [(1, 1), (-5, 4), (9, 7)]
    change = quiet()
    for row, each in zip(rows, cycles, strict=True):
        change = jumped(change, wavelength_m, each, row)
    whole, found = whole_cycles(change, wavelength_m, flagged(*rows))
    assert np.flatnonzero(whole).tolist() == rows
    assert [tuple(found[:, row]) for row in rows] == cycles


@pytest.mark.parametrize("cycles", [(0.5, 0.5), (1.3, 1.0), (1.0, 0.7), (-0.25, 0.0)])
def test_what_is_no_whole_cycle_is_not_counted(wavelength_m, cycles):
    whole, found = whole_cycles(jumped(quiet(), wavelength_m, cycles), wavelength_m, flagged(SLIPPED))
    assert not whole.any()
    assert not found.any()


@pytest.mark.parametrize("flag", [Flag.LOCK_LOST, Flag.WIDE_LANE, Flag.TRIPLE, Flag.HALF_CYCLE_RESOLVED])
def test_phases_that_have_not_jumped_are_no_slip_whatever_codes_say(wavelength_m, flag):
    whole, found = whole_cycles(quiet(), wavelength_m, flagged(SLIPPED, flag=flag))
    assert np.flatnonzero(whole).tolist() == [SLIPPED]
    assert not found.any()


def test_a_receiver_that_has_not_resolved_its_half_cycle_is_not_repaired(wavelength_m):
    change = jumped(quiet(), wavelength_m, (1, 1))
    half = change.half_cycle.copy()
    half[SLIPPED] = True
    assert not whole_cycles(replace(change, half_cycle=half), wavelength_m, flagged(SLIPPED))[0].any()


def test_in_an_ionosphere_that_moves_by_half_a_cycle_nothing_is_counted(wavelength_m):
    change = jumped(quiet(noise_m=0.05), wavelength_m, (3, 2))
    assert not whole_cycles(change, wavelength_m, flagged(SLIPPED))[0].any()


def test_after_a_gap_nothing_is_counted(wavelength_m):
    change = jumped(quiet(elapsed_ms=90_000), wavelength_m, (3, 2))
    assert not whole_cycles(change, wavelength_m, flagged(SLIPPED))[0].any()


def test_a_receiver_that_lost_nearly_everything_has_nothing_to_compare_with(wavelength_m):
    """Two arcs cannot tell a receiver clock from slips; and a satellite needs another station that kept it."""
    change = jumped(quiet(), wavelength_m, (3, 2))
    station = np.arange(2 * SATELLITES, 3 * SATELLITES)
    assert not whole_cycles(change, wavelength_m, flagged(*station[2:]))[0].any()
    assert whole_cycles(change, wavelength_m, flagged(*station[3:]))[0].any()
    satellite = [3, SATELLITES + 3, SLIPPED]
    assert not whole_cycles(change, wavelength_m, flagged(*satellite))[0].any()


def test_without_slips_and_without_arcs_nothing_happens(wavelength_m):
    assert not whole_cycles(quiet(), wavelength_m, flagged())[0].any()
    nobody = quiet().rows(np.zeros(0, dtype=np.int64))
    whole, found = whole_cycles(nobody, wavelength_m[:, :0], np.zeros(0, dtype=np.int64))
    assert whole.shape == (0,)
    assert found.shape == (2, 0)
