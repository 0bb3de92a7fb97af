"""Fixing policy: what is accepted, what is refused and why, and what an accepted fix does to a state."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import fix, integer
from models.fix import FixPolicy, FixStatus
from models.integer import SearchStatus

POLICY = FixPolicy()
WAVELENGTH_M = 0.190293673  # GPS L1


def single_frequency_model(satellites, rng, code_m, phase_m=0.003):
    """Joint covariance of position (metres, 3) and L1 double-difference ambiguities (cycles), code and phase."""
    direction = rng.normal(size=(satellites, 3))
    direction[:, 2] = np.abs(direction[:, 2]) + 0.3
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    k = satellites - 1
    difference = np.hstack([-np.ones((k, 1)), np.eye(k)])
    weight = 2.0 * difference @ difference.T
    code = np.hstack([-difference @ direction, np.zeros((k, k))])
    phase = np.hstack([-difference @ direction, WAVELENGTH_M * np.eye(k)])
    normal = code.T @ np.linalg.solve(code_m**2 * weight, code)
    normal += phase.T @ np.linalg.solve(phase_m**2 * weight, phase)
    covariance = np.linalg.solve(normal, np.eye(k + 3))
    return 0.5 * (covariance + covariance.T)


def draw(covariance, rng, largest_cyc=100_000_000):
    """Draw true integers and a float state [position error in metres, ambiguities in cycles] around them."""
    truth = rng.integers(-largest_cyc, largest_cyc, len(covariance) - 3)
    error = rng.multivariate_normal(np.zeros(len(covariance)), covariance)
    return truth, np.concatenate([np.zeros(3), truth]) + error


@pytest.mark.parametrize(("n", "ratio"), [(4, 5.3), (8, 3.0), (12, 2.3), (16, 1.95), (20, 1.7), (30, 1.4)])
def test_ratio_table(n, ratio):
    assert fix.ratio_threshold(n, POLICY) == pytest.approx(ratio, rel=1e-12)


def test_ratio_falls_with_the_number_of_integers_and_stays_sane_beyond_the_table():
    thresholds = [fix.ratio_threshold(n, POLICY) for n in range(1, 201)]
    assert np.all(np.diff(thresholds) < 0.0)
    assert thresholds[-1] > 1.0
    assert thresholds[0] < 25.0  # a lone ambiguity is accepted within 0.18 cycles of an integer
    assert fix.ratio_threshold(50, POLICY) == pytest.approx(1.2, abs=0.005)  # RTKLIB-demo5, not in our table


def test_ratio_scale_never_asks_for_less_than_one():
    assert fix.ratio_threshold(8, FixPolicy(ratio_scale=0.5)) == pytest.approx(1.5)
    assert fix.ratio_threshold(30, FixPolicy(ratio_scale=0.5)) == 1.0
    with pytest.raises(ValueError, match="at least 1"):
        fix.ratio_threshold(0, POLICY)


def test_well_separated_ambiguities_are_all_fixed():
    rng = np.random.default_rng(1)
    covariance = single_frequency_model(9, rng, code_m=0.05)
    truth, state = draw(covariance, rng)
    result = fix.partial_fix(state[3:], covariance[3:, 3:], POLICY)
    assert result.status is FixStatus.FIXED_ALL
    assert result.accepted
    assert result.fixed == result.attempted == 8
    assert result.success_rate >= 0.99
    assert result.ratio >= result.threshold == fix.ratio_threshold(8, POLICY)
    assert abs(round(np.linalg.det(result.transform.astype(float)))) == 1
    assert np.array_equal(result.integers, result.transform @ truth)


def test_hopeless_ambiguities_are_too_few():
    rng = np.random.default_rng(1)
    covariance = single_frequency_model(6, rng, code_m=5.0)
    _, state = draw(covariance, rng)
    result = fix.partial_fix(state[3:], covariance[3:, 3:], POLICY)
    assert result.status is FixStatus.TOO_FEW
    assert not result.accepted
    assert result.fixed == 0
    assert result.transform.shape == (0, 5)
    assert math.isnan(result.ratio)


def test_one_unknown_ambiguity_does_not_prevent_fixing_the_others():
    rng = np.random.default_rng(2)
    covariance = single_frequency_model(10, rng, code_m=0.05)[3:, 3:]
    covariance[4, 4] += 10.0**2  # a satellite that has just risen, ten cycles
    truth = rng.integers(-1000, 1000, 9)
    float_cyc = truth + rng.multivariate_normal(np.zeros(9), covariance)
    result = fix.partial_fix(float_cyc, covariance, POLICY)
    assert result.status is FixStatus.FIXED_PARTIAL
    assert result.transform.shape == (8, 9)
    assert np.all(result.transform[:, 4] == 0)
    assert np.array_equal(result.integers, result.transform @ truth)


def test_floats_halfway_between_integers_fail_the_ratio():
    result = fix.partial_fix(np.array([0.5, 0.1, 0.0, 0.1]), 0.02 * np.eye(4), POLICY)
    assert result.status is FixStatus.RATIO
    assert result.ratio == pytest.approx(1.0)
    assert (result.fixed, result.attempted) == (0, 4)


def test_floats_far_from_integers_for_their_variance_fail_the_fit():
    result = fix.partial_fix(np.full(4, 0.25), 0.01 * np.eye(4), POLICY)
    assert result.fit == pytest.approx(6.25)
    assert result.status is FixStatus.FIT
    assert result.fixed == 0
    assert fix.partial_fix(np.full(4, 0.15), 0.01 * np.eye(4), POLICY).fit == pytest.approx(2.25)


def test_the_node_limit_is_a_status():
    result = fix.partial_fix(np.full(6, 0.1), 0.01 * np.eye(6), FixPolicy(max_nodes=3))
    assert result.status is FixStatus.SEARCH_LIMIT
    assert not result.accepted


@pytest.mark.parametrize(
    ("float_cyc", "covariance_cyc2", "status"),
    [
        (np.zeros(0), np.zeros((0, 0)), FixStatus.TOO_FEW),
        (np.zeros(4), np.ones((4, 4)), FixStatus.SINGULAR),
        (np.zeros(4), np.full((4, 4), np.nan), FixStatus.SINGULAR),
        (np.array([np.nan, 0.0, 0.0, 0.0]), np.eye(4), FixStatus.SINGULAR),
        (np.array([0.1, 0.0, 0.1]), 0.001 * np.eye(3), FixStatus.TOO_FEW),
    ],
)
def test_numbers_that_do_not_work_out_are_a_status(float_cyc, covariance_cyc2, status):
    result = fix.partial_fix(float_cyc, covariance_cyc2, POLICY)
    assert result.status is status
    assert result.transform.shape == (0, len(float_cyc))
    assert result.integers.shape == (0,)


def test_a_single_ambiguity_is_fixed_when_the_policy_allows_it():
    result = fix.partial_fix(np.array([7.02]), np.array([[0.001]]), FixPolicy(min_integers=1))
    assert result.status is FixStatus.FIXED_ALL
    assert (result.transform @ result.integers).item() == 7  # the transform may be -1
    assert fix.partial_fix(np.array([7.0]), np.array([[0.001]]), FixPolicy(min_integers=1)).ratio == math.inf


def test_mismatched_shapes_raise():
    with pytest.raises(ValueError, match=r"shape \(3, 3\), got \(4, 4\)"):
        fix.partial_fix(np.zeros(3), np.eye(4), POLICY)


def test_wrong_fixes_are_rarer_than_the_policy_promises():
    """3,000 single epochs of middling strength: accepted integers are wrong in fewer than 1 %, by a margin."""
    rng = np.random.default_rng(11)
    accepted = wrong = 0
    fits = []
    for _ in range(3000):
        covariance = single_frequency_model(int(rng.integers(6, 14)), rng, code_m=0.15)
        truth, state = draw(covariance, rng)
        result = fix.partial_fix(state[3:], covariance[3:, 3:], POLICY)
        accepted += result.accepted
        wrong += not np.array_equal(result.integers, result.transform @ truth)
        if result.accepted:
            fits.append(result.fit)
    assert accepted > 500
    assert wrong / accepted < 0.005
    assert np.mean(fits) == pytest.approx(1.0, abs=0.1)  # the norm per integer of a right fix is chi-squared / k


def test_the_same_input_gives_the_same_bytes():
    rng = np.random.default_rng(6)
    covariance = single_frequency_model(10, rng, code_m=0.1)
    _, state = draw(covariance, rng)
    first, second = (fix.partial_fix(state[3:].copy(), covariance[3:, 3:].copy(), POLICY) for _ in range(2))
    assert first.transform.tobytes() == second.transform.tobytes()
    assert first.integers.tobytes() == second.integers.tobytes()
    assert (first.status, first.ratio, first.fit) == (second.status, second.ratio, second.fit)


@settings(deadline=None, max_examples=50)
@given(st.integers(5, 15), st.integers(0, 2**32 - 1), st.floats(0.02, 2.0))
def test_conditioning_holds_the_integers_and_keeps_a_covariance(satellites, seed, code_m):
    rng = np.random.default_rng(seed)
    covariance = single_frequency_model(satellites, rng, code_m)
    truth, state = draw(covariance, rng)
    transform = integer.decorrelate(covariance[3:, 3:])[0]
    fixed = int(rng.integers(1, satellites))
    rows = np.hstack([np.zeros((fixed, 3), dtype=int), transform[:, -fixed:].T])
    integers = transform[:, -fixed:].T @ truth
    kept = state.copy(), covariance.copy()
    conditioned, updated = fix.condition_on_integers(state, covariance, rows, integers)
    # A state of 1e8 cycles ends at 1.5e-8 cycles; the rows add that up.
    left_cyc = rows[:, 3:] @ (conditioned[3:] - truth)
    assert np.all(np.abs(left_cyc) < 3e-8 * np.sum(np.abs(rows), axis=1))
    # What is left are rounding errors of the terms that cancel: float64 epsilon times their size, for some 200 terms.
    terms = np.abs(rows) @ np.abs(covariance) @ np.abs(rows).T
    assert np.max(np.abs(rows @ updated @ rows.T)) < 5e-14 * np.max(terms)
    assert np.array_equal(updated, updated.T)
    assert np.min(np.linalg.eigvalsh(updated)) > -5e-14 * np.max(terms)
    assert np.all(np.diag(updated) <= np.diag(covariance) + 1e-9)
    assert np.array_equal(state, kept[0])
    assert np.array_equal(covariance, kept[1])
    textbook = covariance - covariance @ rows.T @ np.linalg.solve(rows @ covariance @ rows.T, rows @ covariance)
    assert np.allclose(updated, textbook, atol=1e-7 * np.max(covariance))


def test_a_fix_brings_the_position_to_the_phase():
    """Metres of code become millimetres; errors match their covariance over 300 epochs."""
    rng = np.random.default_rng(12)
    normalised = []
    for _ in range(300):
        covariance = single_frequency_model(12, rng, code_m=0.05)
        _, state = draw(covariance, rng)
        result = fix.partial_fix(state[3:], covariance[3:, 3:], POLICY)
        if result.status is not FixStatus.FIXED_ALL:
            continue
        rows = np.hstack([np.zeros((result.fixed, 3), dtype=int), result.transform])
        conditioned, updated = fix.condition_on_integers(state, covariance, rows, result.integers)
        assert np.sqrt(np.trace(updated[:3, :3])) < 0.2 * np.sqrt(np.trace(covariance[:3, :3]))
        normalised.append(conditioned[:3] @ np.linalg.solve(updated[:3, :3], conditioned[:3]))
    assert len(normalised) > 250
    assert np.mean(normalised) == pytest.approx(3.0, abs=4.0 * math.sqrt(6.0 / 250.0))  # chi-squared of 3


def test_conditioning_with_variance_is_a_kalman_update():
    rng = np.random.default_rng(3)
    covariance = single_frequency_model(6, rng, code_m=0.3)
    state, rows = rng.normal(size=8), np.eye(8)[3:5]
    conditioned, updated = fix.condition_on_integers(state, covariance, rows, np.array([1, -2]), variance=1e-2)
    gain = covariance @ rows.T @ np.linalg.solve(rows @ covariance @ rows.T + 1e-2 * np.eye(2), np.eye(2))
    assert np.allclose(conditioned, state + gain @ (np.array([1, -2]) - rows @ state), atol=1e-10)
    assert np.allclose(updated, covariance - gain @ rows @ covariance, atol=1e-10)


def test_conditioning_on_nothing_changes_nothing_and_on_dependent_rows_raises():
    state, covariance = np.arange(3.0), np.eye(3)
    conditioned, updated = fix.condition_on_integers(state, covariance, np.zeros((0, 3)), np.zeros(0, dtype=int))
    assert np.array_equal(conditioned, state)
    assert np.array_equal(updated, covariance)
    assert conditioned is not state
    with pytest.raises(np.linalg.LinAlgError):
        fix.condition_on_integers(state, covariance, np.ones((2, 3)), np.array([1, 1]))


@pytest.mark.parametrize("sd_cyc", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("float_cyc", [0.0, 0.3, 0.5, 1234.9])
def test_equivariant_estimate_of_one_ambiguity(float_cyc, sd_cyc):
    """The parameter is the ambiguity itself: a mean over the integers, weighted with a Gaussian."""
    integers = np.arange(-8.0, 9.0) + round(float_cyc)
    weights = np.exp(-0.5 * ((integers - float_cyc) / sd_cyc) ** 2)
    weights /= np.sum(weights)
    mean = weights @ integers
    variance = np.array([[sd_cyc**2]])
    estimate = fix.integer_equivariant_estimate(np.array([float_cyc]), variance, variance, variance, candidates=17)
    assert float_cyc + estimate.shift[0] == pytest.approx(mean, abs=1e-9)
    assert estimate.covariance[0, 0] == pytest.approx(weights @ (integers - mean) ** 2, abs=1e-9)
    assert estimate.best_weight == pytest.approx(np.max(weights))
    assert estimate.status is SearchStatus.COMPLETE


def test_equivariant_estimate_tends_to_the_fix_and_to_the_float():
    rng = np.random.default_rng(7)
    for code_m, is_fix in ((0.02, True), (50.0, False)):
        covariance = single_frequency_model(9, rng, code_m)
        truth, state = draw(covariance, rng)
        estimate = fix.integer_equivariant_estimate(
            state[3:], covariance[3:, 3:], covariance[:3, 3:], covariance[:3, :3]
        )
        rows = np.hstack([np.zeros((8, 3), dtype=int), np.eye(8, dtype=int)])
        if is_fix:
            fixed_state, fixed_covariance = fix.condition_on_integers(state, covariance, rows, truth)
            assert np.allclose(state[:3] + estimate.shift, fixed_state[:3], atol=1e-6)  # a micrometre
            assert np.allclose(estimate.covariance, fixed_covariance[:3, :3], atol=1e-9)
        else:
            # The precise combinations shift what they determine; the metres of the float stay.
            assert np.trace(estimate.covariance) > 0.05 * np.trace(covariance[:3, :3])


def test_equivariant_estimate_has_a_smaller_error_than_float_and_fix():
    """Its mean squared error is the least of the three (Teunissen 2003), and its covariance states it."""
    rng = np.random.default_rng(9)
    covariance = single_frequency_model(8, rng, code_m=0.4)
    rows = np.hstack([np.zeros((7, 3), dtype=int), np.eye(7, dtype=int)])
    errors = {"float": [], "fix": [], "equivariant": []}
    stated = []
    for _ in range(1500):
        _, state = draw(covariance, rng, largest_cyc=10)
        nearest = integer.integer_least_squares(state[3:], covariance[3:, 3:], 1).candidates[0]
        estimate = fix.integer_equivariant_estimate(
            state[3:], covariance[3:, 3:], covariance[:3, 3:], covariance[:3, :3]
        )
        errors["float"].append(np.sum(state[:3] ** 2))
        errors["fix"].append(np.sum(fix.condition_on_integers(state, covariance, rows, nearest)[0][:3] ** 2))
        errors["equivariant"].append(np.sum((state[:3] + estimate.shift) ** 2))
        stated.append(np.trace(estimate.covariance))
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    assert mean["equivariant"] < 0.97 * min(mean["float"], mean["fix"])
    surprise = np.array(errors["equivariant"]) - stated
    assert abs(np.mean(surprise)) < 4.0 * np.std(surprise) / math.sqrt(len(surprise))
    assert np.std(surprise) / math.sqrt(len(surprise)) < 0.1 * np.mean(stated)  # so that the test can fail


def test_equivariant_estimate_without_integers_is_the_float():
    for float_cyc, covariance_cyc2, status in (
        (np.zeros(2), np.ones((2, 2)), SearchStatus.SINGULAR),
        (np.array([np.nan, 0.0]), np.eye(2), SearchStatus.SINGULAR),
        (np.full(2, 0.3), 4.0 * np.eye(2), SearchStatus.COMPLETE),  # two cycles: no information in being integer
    ):
        estimate = fix.integer_equivariant_estimate(float_cyc, covariance_cyc2, np.ones((3, 2)), np.eye(3))
        assert np.array_equal(estimate.shift, np.zeros(3))
        assert np.array_equal(estimate.covariance, np.eye(3))
        assert estimate.status is status
    stopped = fix.integer_equivariant_estimate(np.zeros(3), 0.1 * np.eye(3), np.ones((1, 3)), np.eye(1), max_nodes=1)
    assert stopped.status is SearchStatus.SEARCH_LIMIT
    assert np.array_equal(stopped.shift, np.zeros(1))
