"""The fast products of the network filter against whole matrices."""

import numpy as np
import pytest

from models import network
from models.network_cycles import cycle_moments, cycle_moments_slow
from models.network_state import PER_ARC, NetworkPolicy, init, ionosphere_prior_m2, predict, zwd_prior_m2
from models.network_update import try_update, try_update_slow

POLICY = NetworkPolicy()


@pytest.fixture(scope="module", params=[1, 2])
def solved(request, make_worlds):
    """A network of three systems after some minutes, and one more epoch of it."""
    worlds = make_worlds(request.param)
    state = init(POLICY, worlds.names, worlds.station_m)
    info = None
    for _ in range(6):
        time_ns, reduced = worlds.epoch()
        state, info = network.step(POLICY, state, reduced, time_ns)
    return state, info


def test_moments_of_cycles(solved):
    """Sums over the few arcs of a cycle are the matrix products."""
    state, info = solved
    for fast, slow in zip(cycle_moments(state, info.basis), cycle_moments_slow(state, info.basis), strict=True):
        # Variances of some hundred square cycles.
        np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("without", [0, 5])
def test_update(solved, without):
    """Mean, covariance and surprises, with some codes left out, too."""
    state, info = solved
    observed = info.observed
    observed.use_code[:without] = False
    for fast, slow in zip(
        try_update(POLICY, state, observed, 6.0), try_update_slow(POLICY, state, observed, 6.0), strict=True
    ):
        # A nanometre, a nanocycle; a covariance of 225 square cycles is formed in another order.
        np.testing.assert_allclose(fast, slow, rtol=0.0, atol=1e-8)
    observed.use_code[:without] = True


def test_prediction(solved):
    """Decay and growth of the covariance, written with index matrices."""
    state, _ = solved
    later = predict(POLICY, state, state.time_ns + 30_000_000_000)
    arcs, count = len(state.arc_station), len(state.stations)
    decay = np.ones(len(state.mean))
    zwd, iono = np.exp(-30.0 / POLICY.zwd_tau_s), np.exp(-30.0 / POLICY.ionosphere_tau_s)
    decay[1 : 1 + count], decay[1 + count :: PER_ARC] = zwd, iono
    expected = state.covariance * np.outer(decay, decay)
    expected[0, 0] += 30.0 * POLICY.zwd_walk_m_per_sqrt_s**2
    expected[1 : 1 + count, 1 : 1 + count] += (1 - zwd**2) * zwd_prior_m2(POLICY, state.station_m)
    prior = (1 - iono**2) * ionosphere_prior_m2(POLICY, state.station_m)
    same = state.arc_satellite[:, None] == state.arc_satellite
    index = state.ionosphere_index(np.arange(arcs))
    expected[np.ix_(index, index)] += same * prior[np.ix_(state.arc_station, state.arc_station)]
    np.testing.assert_allclose(later.covariance, expected, rtol=1e-12, atol=1e-15)
