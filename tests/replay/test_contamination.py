"""Dirt on purpose: as much of it as asked for, of the stated kinds, noticed as often as stated, the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from models.field.kernels import FieldPoints
from models.field.solve import FieldObservations
from replay.contamination import ContaminationPolicy, draw, lattice_step_m
from stations.constants import NS_PER_S
from stations.signals import GPS_L1CA, GPS_L2W, Constellation, signal_of

STATIONS, EPOCHS = 6, 60
SATELLITES = np.array([1, 5, 9, 12, 211, 224])
TIMES_NS = np.arange(EPOCHS) * 120 * NS_PER_S
SHARES = (0.15, 0.3, 0.45, 0.6)


def rows():
    station = np.repeat(np.arange(STATIONS), len(SATELLITES))
    satellite = np.tile(SATELLITES, STATIONS)
    second = np.where(satellite > 200, signal_of(Constellation.GALILEO, "5Q").number, GPS_L2W)
    first = np.where(satellite > 200, signal_of(Constellation.GALILEO, "1C").number, GPS_L1CA)
    n = len(station)
    points = FieldPoints(satellite, np.zeros((n, 3)), np.zeros((n, 3)), np.full(n, 2.0))
    return FieldObservations(
        points, station * 1_000_000 + first * 1000 + second, np.zeros(n), np.full(n, 1e-6), np.ones(n, dtype=bool)
    )


def drawn(seed=1, **changes):
    return draw(np.random.default_rng(seed), TIMES_NS, STATIONS, SATELLITES, ContaminationPolicy(**changes))


def everything(contamination, share):
    """Errors, truth and flags of all epochs, each (epoch, row)."""
    clean = rows()
    applied = [contamination.apply(epoch, clean, share) for epoch in range(EPOCHS)]
    return (
        np.array([dirty.value_m for dirty, _ in applied]),
        np.array([bad for _, bad in applied]),
        np.array([~dirty.clean for dirty, _ in applied]),
    )


def test_no_share_changes_nothing_at_all():
    clean = rows()
    dirty, bad = drawn().apply(3, clean, 0.0)
    assert dirty is clean
    assert not bad.any()


@pytest.mark.parametrize("share", SHARES)
def test_share_is_as_stated_and_only_bad_rows_are_moved(share):
    error_m, bad, _ = everything(drawn(), share)
    # 36 arcs with 25 windows each: three binomial sigmas.
    assert abs(bad.mean() - share) < 3 * np.sqrt(share * (1 - share) / (36 * 25))
    assert not error_m[~bad].any()
    assert (np.abs(error_m[bad]) > 0.0).all()


def test_what_is_bad_stays_bad_in_the_same_way_at_larger_shares():
    contamination = drawn()
    before = everything(contamination, SHARES[0])
    for share in SHARES[1:]:
        after = everything(contamination, share)
        assert np.array_equal(after[0][before[1]], before[0][before[1]])
        assert after[1][before[1]].all()
        before = after


def test_same_seed_same_dirt_and_another_seed_another():
    one, two, three = (everything(drawn(seed), 0.3) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[1], three[1])


def test_flags_are_as_good_as_stated_and_no_better():
    _, bad, flagged = everything(drawn(kinds=(1.0, 0.0, 0.0)), 0.45)
    assert 0.88 < flagged[bad].mean() < 0.98
    assert 0.05 < flagged[~bad].mean() < 0.15


def test_rows_that_were_flagged_before_stay_so():
    clean = rows()
    suspected = replace(clean, clean=np.arange(len(clean)) % 2 == 0)
    dirty, _ = drawn().apply(0, suspected, 0.15)
    assert not dirty.clean[1::2].any()


def test_windows_last_for_minutes_and_do_not_change_at_once():
    _, bad, _ = everything(drawn(window_s=600.0), 0.45)
    changes = bad[1:] != bad[:-1]
    # Every fifth epoch an arc may change, and then does with 2 * 0.45 * 0.55.
    assert 0.06 < changes.mean() < 0.14
    assert changes.any(axis=1).mean() > 0.7


def test_jumps_are_on_the_lattice_of_the_carriers():
    error_m, bad, _ = everything(drawn(kinds=(1.0, 0.0, 0.0), steps_cyc=((1, 1),), step_shares=(1.0,)), 0.3)
    gps = rows().points.satellite < 100
    np.testing.assert_allclose(np.abs(error_m[:, gps][bad[:, gps]]), 0.0833, atol=1e-4)
    assert 0.3 < np.mean(error_m[:, gps][bad[:, gps]] > 0) < 0.7


def test_lattice_of_known_carriers():
    pair = np.full(3, GPS_L1CA * 1000 + GPS_L2W)
    steps = lattice_step_m(pair, np.array([[1, 1], [1, 0], [0, 1]]))
    # Research note of the literature, section 3b: 0.083, 0.294, 0.378 m.
    np.testing.assert_allclose(np.abs(steps), [0.0833, 0.2940, 0.3773], atol=5e-4)
    galileo = 1000 * signal_of(Constellation.GALILEO, "1C").number + signal_of(Constellation.GALILEO, "5Q").number
    expected = (0.190293673 - 0.254828049) / ((1575.42 / 1176.45) ** 2 - 1)
    np.testing.assert_allclose(lattice_step_m(np.array([galileo]), np.array([[1, 1]])), expected, atol=1e-8)


def test_multipath_is_smooth_and_of_centimetres_and_noise_is_not_smooth():
    times_ns = np.arange(60) * NS_PER_S
    for kinds, smooth in (((0.0, 1.0, 0.0), True), ((0.0, 0.0, 1.0), False)):
        dirt = draw(np.random.default_rng(1), times_ns, STATIONS, SATELLITES, ContaminationPolicy(kinds=kinds))
        error_m = np.array([dirt.apply(k, rows(), 1.0)[0].value_m for k in range(60)])
        assert 0.02 < np.sqrt(np.mean(error_m**2)) < 0.2
        steps = np.median(np.abs(np.diff(error_m, axis=0)))
        assert bool(steps < 0.01) is smooth


def test_refuses_what_was_not_drawn():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        drawn().apply(0, rows(), 1.5)
    with pytest.raises(ValueError, match="nothing was drawn for G12"):
        draw(np.random.default_rng(1), TIMES_NS, STATIONS, np.array([1, 5, 9])).apply(0, rows(), 0.3)
