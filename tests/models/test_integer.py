"""Integer least squares against brute force, the slow twin, a published example and RTKLIB.

A port of LAMBDA that runs is not evidence, so every test here compares integers and norms with something that does
not share a line of code with the kernels. RTKLIB answers at run time, through pyrtklib (RTKLIB 2.4.3 `lambda()`).
"""

import itertools

import numpy as np
import pyrtklib
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from models import integer, integer_slow
from models.integer import IntegerSolution, SearchStatus

WAVELENGTH_M = np.array([0.190293673, 0.244210213])  # GPS L1, L2

# de Jonge and Tiberius (1996), LGR-Series 12, section 4.10: floats, covariance, the two nearest vectors and norms.
PUBLISHED_FLOAT_CYC = np.array([5.45, 3.10, 2.97])
PUBLISHED_COVARIANCE_CYC2 = np.array([[6.290, 5.978, 0.544], [5.978, 6.292, 2.340], [0.544, 2.340, 6.288]])


def double_difference_covariance(satellites, rng, ionosphere_m=0.01, code_m=0.3, phase_m=0.003):
    """Covariance (cycles squared) of single-epoch L1/L2 double-difference ambiguities, ionosphere weighted."""
    elevation_rad = np.arcsin(rng.uniform(0.2, 1.0, satellites))
    azimuth_rad = rng.uniform(0.0, 2.0 * np.pi, satellites)
    east, north = np.cos(elevation_rad) * np.sin(azimuth_rad), np.cos(elevation_rad) * np.cos(azimuth_rad)
    difference = np.hstack([-np.ones((satellites - 1, 1)), np.eye(satellites - 1)])
    geometry = difference @ -np.column_stack([east, north, np.sin(elevation_rad)])
    weight = difference @ np.diag(np.sin(elevation_rad) ** -2) @ difference.T
    k = satellites - 1
    normal = np.zeros((3 + 3 * k, 3 + 3 * k))
    for f, scale in enumerate((WAVELENGTH_M / WAVELENGTH_M[0]) ** 2):
        code = np.hstack([geometry, scale * np.eye(k), np.zeros((k, 2 * k))])
        phase = np.hstack([geometry, -scale * np.eye(k), np.zeros((k, 2 * k))])
        phase[:, 3 + k + f * k : 3 + k + (f + 1) * k] = WAVELENGTH_M[f] * np.eye(k)
        normal += code.T @ np.linalg.solve(2.0 * code_m**2 * weight, code)
        normal += phase.T @ np.linalg.solve(2.0 * phase_m**2 * weight, phase)
    normal[:3, :3] += np.eye(3) / 30.0**2  # a priori position, for the epochs with three satellites
    normal[3 : 3 + k, 3 : 3 + k] += np.linalg.solve(ionosphere_m**2 * weight, np.eye(k))
    covariance = np.linalg.solve(normal, np.eye(3 + 3 * k))[3 + k :, 3 + k :]
    return 0.5 * (covariance + covariance.T)


def draw(covariance_cyc2, rng, largest_cyc=1_000_000):
    """Draw true integers and floats around them."""
    truth = rng.integers(-largest_cyc, largest_cyc, len(covariance_cyc2))
    return truth, truth + rng.multivariate_normal(np.zeros(len(truth)), covariance_cyc2)


def squared_norms(candidates, float_cyc, covariance_cyc2):
    """Norms by the textbook formula, from the covariance itself."""
    residuals = float_cyc - candidates
    return np.sum(residuals * np.linalg.solve(covariance_cyc2, residuals.T).T, axis=1)


def brute_force(float_cyc, covariance_cyc2, count, radius):
    """The `count` nearest vectors among all in the box around the ellipsoid of `radius` (squared norm)."""
    reach = np.sqrt(radius * np.diag(covariance_cyc2))
    low, high = np.ceil(float_cyc - reach).astype(int), np.floor(float_cyc + reach).astype(int)
    if np.prod(high - low + 1.0) > 300_000:
        reject()
    box = np.array(list(itertools.product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))
    norms = squared_norms(box, float_cyc, covariance_cyc2)
    order = np.argsort(norms)[:count]
    return box[order], norms[order]


def agrees_with_brute_force(solver, float_cyc, covariance_cyc2, count):
    """Whether a solver returns nearest vectors; its own norms bound the brute force, so a better one is found."""
    solution = solver(float_cyc, covariance_cyc2, count)
    own = squared_norms(solution.candidates, float_cyc, covariance_cyc2)
    _, norms = brute_force(float_cyc, covariance_cyc2, count, np.max(own) * (1.0 + 1e-9) + 1e-9)
    distinct = len(np.unique(solution.candidates, axis=0)) == count
    # Norms, not integers, are compared: ties are legitimate. Rounding of a 6 x 6 solve is 1e-12.
    return distinct and np.allclose(own, norms, atol=1e-8) and np.allclose(solution.squared_norms, norms, atol=1e-8)


def round_each(float_cyc, covariance_cyc2, count):
    """A wrong solver: rounds every ambiguity by itself, as the naive do."""
    jumps = np.arange(count)[:, None] * np.eye(len(float_cyc), dtype=int)[0]
    candidates = np.rint(float_cyc).astype(int) + jumps
    norms = squared_norms(candidates, float_cyc, covariance_cyc2)
    return IntegerSolution(candidates, norms, SearchStatus.COMPLETE)


def rtklib_lambda(float_cyc, covariance_cyc2, count):
    """Answer of RTKLIB's own integer least squares."""

    def c_array(values):
        array = pyrtklib.Arr1Ddouble(len(values))
        for i, value in enumerate(values):
            array[i] = float(value)
        return array

    n = len(float_cyc)
    found, norms = c_array(np.zeros(n * count)), c_array(np.zeros(count))
    info = getattr(pyrtklib, "lambda")(n, count, c_array(float_cyc), c_array(covariance_cyc2.ravel()), found, norms)
    assert info == 0
    # RTKLIB solves for the integers in floating point and does not round them.
    candidates = np.rint([found[i] for i in range(n * count)]).astype(int).reshape(count, n)
    return candidates, np.array([norms[i] for i in range(count)])


@st.composite
def small_problems(draw_from):
    """Floats and covariances of one to six ambiguities, from nearly diagonal to strongly correlated."""
    n = draw_from(st.integers(1, 6))
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32 - 1)))
    common = draw_from(st.floats(0.0, 1.0)) * rng.normal(size=(n, draw_from(st.integers(1, 3))))
    noise = draw_from(st.floats(0.05, 0.5))
    covariance_cyc2 = common @ common.T + noise**2 * np.eye(n)
    return rng.uniform(-5.0, 5.0, n), covariance_cyc2


@settings(deadline=None, max_examples=150)
@given(small_problems(), st.integers(1, 4))
def test_fast_and_slow_equal_brute_force(problem, count):
    float_cyc, covariance_cyc2 = problem
    for solver in (integer.integer_least_squares, integer_slow.integer_least_squares):
        assert agrees_with_brute_force(solver, float_cyc, covariance_cyc2, count)


def test_the_comparison_with_brute_force_rejects_a_wrong_solver():
    assert not agrees_with_brute_force(round_each, PUBLISHED_FLOAT_CYC, PUBLISHED_COVARIANCE_CYC2, 2)


@pytest.mark.parametrize("twin", [integer, integer_slow])
def test_published_example(twin):
    solution = twin.integer_least_squares(PUBLISHED_FLOAT_CYC, PUBLISHED_COVARIANCE_CYC2)
    assert solution.candidates.tolist() == [[5, 3, 4], [6, 4, 4]]
    assert solution.squared_norms == pytest.approx([0.2183, 0.3073], abs=5e-5)  # as many digits as printed
    assert twin.decorrelate(PUBLISHED_COVARIANCE_CYC2)[2] == pytest.approx([4.310, 1.135, 0.626], abs=5e-4)


@pytest.mark.parametrize("satellites", range(3, 22))
@pytest.mark.parametrize("ionosphere_m", [0.003, 0.02, 0.2])
def test_equals_rtklib_on_double_differences(satellites, ionosphere_m):
    """4 to 40 ambiguities, from certain to hopeless, offsets to a million cycles."""
    rng = np.random.default_rng(satellites)
    covariance_cyc2 = double_difference_covariance(satellites, rng, ionosphere_m)
    _, float_cyc = draw(covariance_cyc2, rng)
    solution = integer.integer_least_squares(float_cyc, covariance_cyc2)
    candidates, norms = rtklib_lambda(float_cyc, covariance_cyc2, 2)
    assert solution.status is SearchStatus.COMPLETE
    assert np.array_equal(solution.candidates, candidates)
    # RTKLIB transforms the full floats: 1e6 cycles times Z of 10 leave 1e-9 cycles, 1e-7 of a norm.
    assert solution.squared_norms == pytest.approx(norms, rel=1e-6)


def test_equals_rtklib_on_a_nearly_singular_covariance_far_from_integers():
    """Two frequencies that share their errors but for 0.02 %: the norms are in the thousands, not near n."""
    rng = np.random.default_rng(5)
    shape = np.array([[0.45, 0.57], [0.57, 0.7222]])
    covariance_cyc2 = np.kron(shape, 0.5 * (np.eye(5) + np.ones((5, 5))))
    float_cyc = rng.uniform(-1e7, 1e7, 10)
    solution = integer.integer_least_squares(float_cyc, covariance_cyc2)
    candidates, norms = rtklib_lambda(float_cyc, covariance_cyc2, 2)
    assert np.array_equal(solution.candidates, candidates)
    assert solution.squared_norms == pytest.approx(norms, rel=1e-5)
    assert solution.squared_norms[0] > 100.0


@pytest.mark.parametrize("satellites", [3, 6, 11])
def test_fast_equals_slow_on_double_differences(satellites):
    rng = np.random.default_rng(satellites)
    covariance_cyc2 = double_difference_covariance(satellites, rng, ionosphere_m=0.003)
    _, float_cyc = draw(covariance_cyc2, rng)
    for fast, slow in zip(integer.decorrelate(covariance_cyc2), integer_slow.decorrelate(covariance_cyc2), strict=True):
        assert np.allclose(fast, slow, rtol=1e-8, atol=1e-8)  # both factor a matrix of condition 1e5
    fast = integer.integer_least_squares(float_cyc, covariance_cyc2, candidates=5)
    slow = integer_slow.integer_least_squares(float_cyc, covariance_cyc2, candidates=5)
    assert np.array_equal(fast.candidates, slow.candidates)
    assert np.allclose(fast.squared_norms, slow.squared_norms, rtol=1e-8)


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 21), st.integers(0, 2**32 - 1), st.floats(0.001, 1.0))
def test_decorrelation_is_unimodular_and_reconstructs(satellites, seed, ionosphere_m):
    covariance_cyc2 = double_difference_covariance(satellites, np.random.default_rng(seed), ionosphere_m)
    transform, factor, variances_cyc2 = integer.decorrelate(covariance_cyc2)
    assert transform.dtype == np.int64
    # |det Z| = 1 if and only if the inverse is an integer matrix: exact, unlike a determinant in floating point.
    inverse = np.rint(np.linalg.solve(transform.astype(float), np.eye(len(transform)))).astype(int)
    assert np.array_equal(transform @ inverse, np.eye(len(transform), dtype=int))
    decorrelated = transform.T @ covariance_cyc2 @ transform
    # Rounding of the largest covariance, 1e4 cycles squared, times the squares of Z.
    assert np.allclose(factor.T @ np.diag(variances_cyc2) @ factor, decorrelated, rtol=1e-7, atol=1e-7)
    assert np.array_equal(np.tril(factor), factor)
    assert np.all(np.diag(factor) == 1.0)
    assert np.max(np.abs(factor - np.eye(len(factor)))) <= 0.5 + 1e-9
    # No exchange of neighbours is left that would move precision further to the end.
    exchanged = variances_cyc2[:-1] + np.diag(factor, -1) ** 2 * variances_cyc2[1:]
    assert np.all(exchanged >= variances_cyc2[1:] * (1.0 - 2e-9))


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 12), st.integers(0, 2**32 - 1))
def test_integer_shifts_move_the_candidates_and_nothing_else(satellites, seed):
    rng = np.random.default_rng(seed)
    covariance_cyc2 = double_difference_covariance(satellites, rng)
    # Floats on a grid of 2^-20 cycles and below 2^30: adding the integers is exact, so equality may be too.
    float_cyc = rng.integers(-(2**22), 2**22, len(covariance_cyc2)) / 2.0**20
    assume(np.all(np.abs(float_cyc - np.rint(float_cyc)) < 0.5))
    shift = rng.integers(-100_000_000, 100_000_000, len(float_cyc))
    before = integer.integer_least_squares(float_cyc, covariance_cyc2)
    after = integer.integer_least_squares(float_cyc + shift, covariance_cyc2)
    assert np.array_equal(after.candidates, before.candidates + shift)
    assert np.array_equal(after.squared_norms, before.squared_norms)


def test_single_ambiguity_with_a_large_offset():
    """One ambiguity near 3.5e8 cycles, where a float64 keeps 6e-8 cycles of the fraction."""
    solution = integer.integer_least_squares(np.array([3.5e8 + 0.3]), np.array([[0.01]]), candidates=3)
    assert solution.candidates.ravel().tolist() == [350_000_000, 350_000_001, 349_999_999]
    assert solution.squared_norms == pytest.approx([9.0, 49.0, 169.0], rel=1e-5)


def test_success_rate_against_simulated_bootstrapping():
    """20,000 draws: the rate is hit within four standard deviations, and the search does at least as well."""
    rng = np.random.default_rng(8)
    covariance_cyc2 = double_difference_covariance(7, rng, ionosphere_m=0.01)
    transform, factor, variances_cyc2 = integer.decorrelate(covariance_cyc2)
    rate = integer.bootstrapped_success_rate(variances_cyc2)
    assert 0.05 < rate < 0.95
    draws = 20_000
    errors_cyc = rng.multivariate_normal(np.zeros(len(covariance_cyc2)), covariance_cyc2, draws)
    residuals = errors_cyc @ transform
    wrong = np.zeros(draws, dtype=bool)
    per_suffix = np.zeros(len(variances_cyc2))
    for i in range(len(variances_cyc2) - 1, -1, -1):
        centre = residuals[:, i]
        wrong |= np.rint(centre) != 0
        per_suffix[i] = np.mean(~wrong)
        residuals = residuals - (centre - np.rint(centre))[:, None] * factor[i]
    rates = integer.suffix_success_rates(variances_cyc2)
    assert rates[0] == pytest.approx(rate, rel=1e-12)
    assert np.all(np.diff(rates) >= 0.0)
    assert np.all(np.abs(per_suffix - rates) < 4.0 * np.sqrt(0.25 / draws))
    found = [integer.integer_least_squares(error, covariance_cyc2, 1).candidates[0] for error in errors_cyc[:4000]]
    assert np.mean(np.all(np.array(found) == 0, axis=1)) > rate - 4.0 * np.sqrt(0.25 / 4000)


def test_success_rate_of_one_standard_normal_ambiguity():
    """P(|x| < 1/2) of a standard normal, from a table; and certainty for a precise one or for none."""
    assert integer.bootstrapped_success_rate(np.array([1.0])) == pytest.approx(0.3829249, abs=1e-7)
    assert integer.bootstrapped_success_rate(np.array([1e-8])) == 1.0
    assert integer.bootstrapped_success_rate(np.zeros(0)) == 1.0
    assert integer.suffix_success_rates(np.zeros(0)).shape == (0,)


def test_search_stops_at_the_node_limit_and_says_so():
    rng = np.random.default_rng(0)
    covariance_cyc2 = double_difference_covariance(41, rng, ionosphere_m=2.0, code_m=3.0)
    _, float_cyc = draw(covariance_cyc2, rng)
    solution = integer.integer_least_squares(float_cyc, covariance_cyc2, max_nodes=2000)
    assert solution.status is SearchStatus.SEARCH_LIMIT
    assert solution.candidates.shape == (2, 80)
    stopped_early = integer.integer_least_squares(float_cyc, covariance_cyc2, max_nodes=10)
    assert np.all(np.isinf(stopped_early.squared_norms))


@pytest.mark.parametrize(
    ("float_cyc", "covariance_cyc2"),
    [
        ([0.1, 0.2], [[1.0, 1.0], [1.0, 1.0]]),  # dependent
        ([0.1, 0.2], [[1.0, 2.0], [2.0, 1.0]]),  # indefinite
        ([0.1, 0.2], [[1.0, np.nan], [np.nan, 1.0]]),
        ([0.1, 0.2], [[np.inf, 0.0], [0.0, 1.0]]),
        ([0.1, 0.2], [[0.0, 0.0], [0.0, 1.0]]),
        ([0.1, 0.2], [[1e24, 1e12], [1e12, 1.1]]),  # Z would need 1e12
        ([np.nan, 0.2], [[1.0, 0.0], [0.0, 1.0]]),
        ([np.inf, 0.2], [[1.0, 0.0], [0.0, 1.0]]),
        ([1e17, 0.2], [[1.0, 0.0], [0.0, 1.0]]),  # above 2^52 a float64 has no fraction
    ],
)
def test_numbers_that_do_not_work_out_are_a_status(float_cyc, covariance_cyc2):
    solution = integer.integer_least_squares(np.array(float_cyc), np.array(covariance_cyc2))
    assert solution.status is SearchStatus.SINGULAR
    assert solution.candidates.shape == (0, 2)


def test_misuse_raises():
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        integer.integer_least_squares(np.zeros(3), np.eye(2))
    with pytest.raises(ValueError, match="square"):
        integer.decorrelate(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least one"):
        integer.decorrelate(np.zeros((0, 0)))
    with pytest.raises(ValueError, match="candidate"):
        integer.search(np.zeros(2), np.eye(2), np.ones(2), candidates=0)
    with pytest.raises(np.linalg.LinAlgError, match="drop dependent"):
        integer.decorrelate(np.ones((2, 2)))


def test_arguments_are_not_modified_and_memory_order_does_not_matter():
    rng = np.random.default_rng(4)
    covariance_cyc2 = double_difference_covariance(8, rng)
    _, float_cyc = draw(covariance_cyc2, rng)
    kept = float_cyc.copy(), covariance_cyc2.copy()
    first = integer.integer_least_squares(float_cyc, covariance_cyc2)
    again = integer.integer_least_squares(float_cyc, np.asfortranarray(covariance_cyc2))
    assert np.array_equal(first.candidates, again.candidates)
    assert first.squared_norms.tobytes() == again.squared_norms.tobytes()
    assert np.array_equal(float_cyc, kept[0])
    assert np.array_equal(covariance_cyc2, kept[1])
