"""A wrong fix that bent the whole state: it must not be held for hours."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.solver import doubted_arcs, field_observations
from models import network
from models.atmosphere import station_delays
from models.field.kernels import Hyperparameters
from models.field.robust import RobustPolicy, filter_reweight_retrain
from models.fix import condition_on_integers
from models.network_state import NetworkPolicy, init

POLICY = NetworkPolicy()
# What a learner finds in this world: 5 cm zenith over 300 km, each satellite on its own.
LEARNED = Hyperparameters(
    vtec_sd_m=0.01, residual_sd_m=0.05, residual_length_m=300_000.0, noise_floor_m=0.002, station_offset_sd_m=10.0
)
FLOAT = NetworkPolicy(ar_minimum_epochs=10**9, innovation_limit=1e9, slip_floor_m=1e9)


# (0, 1) is not among them: it ends as a cycle on both bands on two satellites at one station of the rim, 8 cm that a
# field with neighbours on one side only cannot tell from ionosphere.
@pytest.mark.parametrize("cycles", [(1, 0), (1, 1), (2, 1)])
def test_a_wrong_fix_that_bent_the_whole_state_is_thrown_out(make_world, cycles):
    """A state conditioned on wrong integers, everything else bent to agree, holds none of them an hour later."""
    world = make_world(21)
    state = init(FLOAT, world.names, world.station_m)
    for _ in range(4):
        time_ns, reduced = world.epoch()
        state, info = network.step(FLOAT, state, reduced, time_ns)
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    rows = np.zeros((2, len(state.mean)))
    rows[0, index + 1] = rows[1, index + 2] = info.basis[2]
    wrong = np.rint(info.basis[2] @ world.true_integers(state).T).astype(np.int64) + np.array(cycles)
    mean, covariance = condition_on_integers(state.mean, state.covariance, rows, wrong, POLICY.hold_sd_cyc**2)
    state = replace(state, mean=mean, covariance=covariance)
    doubted = frozenset()
    for _ in range(120):
        time_ns, reduced = world.epoch()
        state, info = network.step(POLICY, state, reduced, time_ns, doubted)
        # A cycle on both bands is within the filter's prior of the ionosphere; the field is what doubts it.
        delays = station_delays(state, info)
        rows = field_observations(state, delays, reduced)
        doubted = doubted_arcs(delays, filter_reweight_retrain(LEARNED, rows, np.ones(800), RobustPolicy()))
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    estimate = np.stack([state.mean[index + 1], state.mean[index + 2]])
    error = (estimate - world.true_integers(state)) @ info.basis.T
    # Held with 0.001 cycles; a wrong one is a cycle off.
    assert np.abs(error[:, info.fixed]).max(initial=0.0) < 0.1
    assert info.fixed_share > 0.6
