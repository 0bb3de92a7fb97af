"""Changing stations of the network filter: the others keep their numbers, and a new one knows what the prior says."""

from dataclasses import replace

import numpy as np
import pytest

from models.network_arcs import add_arc
from models.network_resume import contradiction, with_stations
from models.network_state import NetworkPolicy, init, predict
from stations.constants import NS_PER_S

POLICY = NetworkPolicy()
ROUNDING = 1e-15  # of variances below 1
PLACES_M = {
    "A": (3924687.2, 301133.3, 5001911.1),
    "B": (3908909.9, 330933.3, 5012262.9),
    "C": (3859571.3, 413008.2, 5044091.9),
    "D": (3990000.0, 380000.0, 4950000.0),
}


def positions(names):
    return np.array([PLACES_M[name] for name in names])


def worked(rng):
    """Return a state of stations A, B and C with arcs, as correlated as those of a filter at work."""
    state = predict(POLICY, init(POLICY, ("A", "B", "C"), positions("ABC")), 0)
    for station, satellite in ((0, 7), (1, 7), (2, 7), (0, 9), (2, 9)):
        state = add_arc(POLICY, state, station, satellite)
    size = len(state.mean)
    rows = rng.normal(size=(4, size))
    gain = np.linalg.solve(rows @ state.covariance @ rows.T + np.eye(4), rows @ state.covariance).T
    covariance = state.covariance - gain @ rows @ state.covariance
    epochs, misfit = np.arange(5), np.array([1, 2, 3])
    return replace(
        state,
        mean=rng.normal(size=size),
        covariance=(covariance + covariance.T) / 2.0,
        arc_epochs=epochs,
        arc_wavelength_m=np.tile([[0.19], [0.24]], 5),
        misfit_epochs=misfit,
    )


def test_a_station_that_joins_before_any_data_has_the_prior():
    grown = with_stations(POLICY, init(POLICY, ("A", "B"), positions("AB")), tuple("DAB"), positions("DAB"), "AB")
    fresh = init(POLICY, tuple("DAB"), positions("DAB"))
    assert np.abs(grown.covariance - fresh.covariance).max() < ROUNDING
    assert grown.stations == fresh.stations
    assert grown.mean.shape == fresh.mean.shape


def test_another_order_and_back_is_the_same_state(rng):
    state = worked(rng)
    turned = with_stations(POLICY, state, tuple("CAB"), positions("CAB"), "ABC")
    assert [turned.stations[k] for k in turned.arc_station] == [state.stations[k] for k in state.arc_station]
    assert turned.misfit_epochs.tolist() == [3, 1, 2]
    back = with_stations(POLICY, turned, tuple("ABC"), positions("ABC"), "ABC")
    for name, value in vars(state).items():
        if name != "signals":
            assert np.array_equal(getattr(back, name), value), name
    for name, value in vars(state.signals).items():
        if name != "strength":
            assert np.array_equal(getattr(back.signals, name), value), name


def test_a_station_that_leaves_takes_only_its_own_numbers(rng):
    state = worked(rng)
    left = with_stations(POLICY, state, tuple("AC"), positions("AC"), "AC")
    kept = np.flatnonzero(state.arc_station != 1)
    rows = np.concatenate([[0, 1, 3], (state.ionosphere_index(kept)[:, None] + np.arange(3)).ravel()])
    assert np.array_equal(left.mean, state.mean[rows])
    assert np.array_equal(left.covariance, state.covariance[np.ix_(rows, rows)])
    assert left.arc_station.tolist() == [0, 1, 0, 1]
    assert contradiction(left) == ""


def test_a_station_that_joins_is_predicted_as_by_the_joint_prior(rng):
    """Oracle: the same measurement on a state that had the station from the beginning, where it is not observed."""
    rows = np.concatenate([rng.normal(size=(2, 3)), np.zeros((2, 1))], axis=1)

    def measured(state, rows):
        gain = np.linalg.solve(rows @ state.covariance @ rows.T + 1e-4 * np.eye(2), rows @ state.covariance).T
        covariance = state.covariance - gain @ rows @ state.covariance
        return replace(state, mean=gain @ np.array([0.01, -0.02]), covariance=covariance)

    large = measured(init(POLICY, tuple("ABD"), positions("ABD")), rows)
    small = measured(init(POLICY, tuple("AB"), positions("AB")), rows[:, :3])
    grown = with_stations(POLICY, small, tuple("ABD"), positions("ABD"), "AB")
    assert np.abs(grown.mean - large.mean).max() < ROUNDING
    assert np.abs(grown.covariance - large.covariance).max() < ROUNDING


def test_a_station_that_moved_begins_without_arcs_and_the_state_stays_sound(rng):
    state = worked(rng)
    moved = with_stations(POLICY, state, tuple("ABC"), positions("ABD"), "AB")
    assert moved.arc_station.tolist() == [0, 1, 0]
    assert contradiction(moved) == ""
    assert np.linalg.eigvalsh(moved.covariance).min() > -ROUNDING


def test_none_kept_is_a_fresh_head():
    state = with_stations(POLICY, init(POLICY, ("A",), positions("A")), tuple("BC"), positions("BC"), ())
    assert np.abs(state.covariance - init(POLICY, tuple("BC"), positions("BC")).covariance).max() < ROUNDING


def test_a_time_before_the_first_epoch_is_kept(rng):
    state = replace(worked(rng), time_ns=5 * NS_PER_S)
    assert with_stations(POLICY, state, tuple("BA"), positions("BA"), "AB").time_ns == 5 * NS_PER_S


@pytest.mark.parametrize("kept", ["AD", "C"])
def test_a_kept_station_must_be_in_both_lists(kept):
    with pytest.raises(ValueError, match="kept stations"):
        with_stations(POLICY, init(POLICY, ("A", "C"), positions("AC")), tuple("AD"), positions("AD"), kept)
