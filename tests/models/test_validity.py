"""Injected faults on a quiet synthetic network: how many are found, how many clean observations are accused."""

import numpy as np
import pytest

from models.network_state import NetworkPolicy
from models.two_way import two_way_residual
from models.validity import SLIP, Flag, PhaseChange, lock_lost
from models.validity import test_changes as flags_of  # not a test, whatever it is called

POLICY = NetworkPolicy()
WAVELENGTH_M = np.array([[0.190293673], [0.244210213]])  # L1, L2
ELAPSED_MS = 30_000


def _quiet(rng, stations=6, satellites=9, missing=0.1):
    """Changes of phases over 30 s: receiver and satellite clocks, a smooth ionosphere, a millimetre of noise."""
    station, satellite = (a.ravel() for a in np.indices((stations, satellites)))
    keep = rng.random(len(station)) >= missing
    station, satellite = station[keep], satellite[keep]
    elevation = rng.uniform(np.radians(15), np.radians(85), satellites)[satellite]
    receiver = rng.normal(0, 30.0, stations)[station]
    transmitter = rng.normal(0, 0.01, satellites)[satellite]
    # Differences between stations of a quiet day: a centimetre of slant ionosphere in 30 s is generous.
    iono = rng.normal(0, 0.004, len(station)) / np.sin(elevation)
    noise = 0.002 * rng.normal(size=(2, len(station))) / np.sin(elevation)
    change = np.stack([receiver + transmitter - iono, receiver + transmitter - 1.647 * iono]) + noise
    count = len(station)
    lock = np.full(count, 600_000)
    return PhaseChange(
        station,
        satellite + 1,
        np.full(count, ELAPSED_MS),
        lock,
        lock + ELAPSED_MS,
        np.zeros(count, dtype=bool),
        change,
        elevation,
    )


def _test(change):
    return flags_of(change, POLICY.slip_floor_m, POLICY.slip_slope_m)


def _slipped(rng, cycles, count=1, stations=6):
    change = _quiet(rng, stations=stations)
    if count == 1:
        rows = rng.integers(len(change.station), size=1)
    else:  # several satellites of one station
        rows = rng.permutation(np.flatnonzero(change.station == rng.integers(stations)))[:count]
    change.change_m[:, rows] += WAVELENGTH_M * np.array(cycles)[:, None]
    return change, rows


def test_quiet_observations_are_not_accused(rng):
    """In 200 quiet epochs of some fifty arcs nothing is flagged."""
    flagged = sum(np.count_nonzero(_test(_quiet(rng))) for _ in range(200))
    assert flagged == 0  # limits are 65 mm and more, noise of differences 10-40 mm


@pytest.mark.parametrize("cycles", [(1, 1), (-1, -1), (9, 7), (-9, -7), (77, 60), (5, 0), (0, -4), (100, -3)])
def test_slips_without_lock_report_are_found(rng, cycles):
    """Every slip beyond the limit at its elevation is found, and the other arcs are not accused."""
    found = false = expected = 0
    for _ in range(100):
        change, rows = _slipped(rng, cycles)
        flags = _test(change)
        jump = np.abs(WAVELENGTH_M[:, 0] * cycles).max()
        limit = POLICY.slip_floor_m + POLICY.slip_slope_m / np.sin(change.elevation_rad[rows[0]])
        expected += jump > limit + 0.04  # 0.04 m: three sigma of the noise of a residual
        found += bool(flags[rows[0]] & SLIP)
        flags[rows] = 0
        false += np.count_nonzero(flags & SLIP)
    assert expected > 90
    assert found >= expected
    assert false == 0


def test_a_cycle_of_l1_alone_is_found_where_the_limit_allows(rng):
    """One cycle of L1, 19 cm, is above the limit of 65-122 mm at all elevations of this network."""
    found = 0
    for _ in range(200):
        change, rows = _slipped(rng, (1, 0))
        found += bool(_test(change)[rows[0]] & (Flag.GEOMETRY_FREE | Flag.TIME_DIFFERENCE))
    assert found >= 199


def test_geometry_free_names_its_cause(rng):
    """Cycles on one band break L1 minus L2; (9, 7) hides 3 mm there and is seen only against other receivers."""
    change, rows = _slipped(rng, (4, 0))
    assert _test(change)[rows[0]] & Flag.GEOMETRY_FREE
    change, rows = _slipped(rng, (9, 7))
    flags = _test(change)[rows[0]]
    assert not flags & Flag.GEOMETRY_FREE
    assert flags & Flag.TIME_DIFFERENCE


@pytest.mark.parametrize("cycles", [(1, 1), (9, 7), (3, -2)])
def test_two_satellites_at_once(rng, cycles):
    """Two satellites of a receiver that slip in one epoch are both found, nobody else is accused."""
    for _ in range(100):
        change, rows = _slipped(rng, cycles, count=2)
        flags = _test(change)
        assert np.all(flags[rows] & SLIP)
        flags[rows] = 0
        assert np.count_nonzero(flags) == 0


@pytest.mark.parametrize("stations", [2, 3])
def test_small_networks(rng, stations):
    """With two or three stations a slip of a metre is still found at the arc itself."""
    for _ in range(100):
        change, rows = _slipped(rng, (9, 7), stations=stations)
        alone = np.count_nonzero(change.satellite == change.satellite[rows[0]]) < 2
        flags = _test(change)
        assert alone or flags[rows[0]] & SLIP


def test_millisecond_jumps_of_a_receiver_are_no_slips(rng):
    """A receiver that corrects its clock by a millisecond moves all its phases by 300 km: that is a clock."""
    for _ in range(50):
        change = _quiet(rng)
        change.change_m[:, change.station == 2] += 299_792.458
        change.change_m[:, change.station == 4] -= 299_792.458
        assert np.count_nonzero(_test(change)) == 0


def test_receiver_clock_noise_between_bands_is_no_slip(rng):
    """An offset common to all L1 phases of a receiver, and another to its L2 phases, is a clock of that band."""
    for _ in range(50):
        change = _quiet(rng)
        change.change_m[0, change.station == 1] += 12.0
        change.change_m[1, change.station == 1] -= 7.0
        assert np.count_nonzero(_test(change)) == 0


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_a_new_ephemeris_is_no_slip(rng, missing):
    """When new broadcast orbits come into use, every satellite jumps by a metre at all stations alike."""
    accused = 0
    for _ in range(200):
        change = _quiet(rng, missing=missing)
        change.change_m[:] += rng.normal(0, 1.0, 20)[change.satellite]
        accused += np.count_nonzero(_test(change))
    assert accused == 0


def test_lock_reports_are_believed(rng):
    """A receiver that reports a loss of lock is believed even when the phases look continuous."""
    change = _quiet(rng)
    change.lock_now_ms[[3, 7]] = 0
    flags = _test(change)
    assert np.all(flags[[3, 7]] == Flag.LOCK_LOST)
    assert np.count_nonzero(flags) == 2


def test_a_receiver_that_lost_everything_does_not_blame_the_others(rng):
    """Arcs with a reported loss take no part in the medians: wild phases there accuse nobody else."""
    for _ in range(50):
        change = _quiet(rng)
        gone = change.station == 3
        change.lock_now_ms[gone] = 0
        change.change_m[:, gone] += rng.normal(0, 1e4, (2, gone.sum()))
        flags = _test(change)
        assert np.all(flags[gone] == Flag.LOCK_LOST)
        assert np.count_nonzero(flags[~gone]) == 0


def test_half_cycles_are_kept_as_side_information(rng):
    """An unresolved half cycle is noted and is not a slip; when it is resolved the jump is found if it is large."""
    change = _quiet(rng)
    change.half_cycle[5] = True
    flags = _test(change)
    assert flags[5] == Flag.HALF_CYCLE
    assert np.count_nonzero(flags) == 1
    assert not Flag.HALF_CYCLE & SLIP


@pytest.mark.parametrize(
    ("elapsed_ms", "before_ms", "now_ms", "lost"),
    [
        (1_000, 5_000, 6_000, False),
        (30_000, 600_000, 630_000, False),
        (30_000, 600_000, 0, True),
        (30_000, 600_000, 20_000, True),  # shorter than before
        (30_000, 1_000, 10_000, True),  # tracked for 10 s, seen 30 s ago
        (1_000, 65_536, 65_536, False),  # a lower bound of low resolution may stand still
        (1_000, 524_288, 524_288, False),  # saturated
        (90_000, 524_288, 524_288, False),
        (1_000, 0, 0, True),  # tracked for less than half of the elapsed time
    ],
)
def test_lock_times(elapsed_ms, before_ms, now_ms, lost):
    """Lock times on the wire are lower bounds: what fell, or does not cover half of the gap, was lost."""
    result = lock_lost(np.array([elapsed_ms]), np.array([before_ms]), np.array([now_ms]))
    assert bool(result[0]) is lost


def test_it_takes_out_any_complete_two_way_table(rng):
    """A complete table that is a sum of rows and columns has no residual, however large it is."""
    row, column = (a.ravel() for a in np.indices((6, 9)))
    for _ in range(100):
        value = rng.normal(0, 1e5, 6)[row] + rng.normal(0, 1.0, 9)[column]
        residual = two_way_residual(value, row, column, np.ones(len(row), dtype=bool))
        np.testing.assert_allclose(residual, 0.0, atol=1e-6)  # where the iteration stops
