"""The filter of a session against a full batch adjustment of the same observations, and its bookkeeping."""

from dataclasses import replace

import numpy as np
import pytest

from models.rover import RoverSolution, RoverStatus
from models.session_noise import repetition_factor
from models.session_state import (
    HEAD,
    Motion,
    SessionPolicy,
    add_arcs,
    ambiguity_index,
    drop_arcs,
    init,
    reset_ambiguities,
)
from models.weights import elevation_variance_m2
from tests.models.session_scene import drive

MU = np.array([1.0, (1575.42 / 1227.60) ** 2])
PLAIN = SessionPolicy(scales=(1.0, 1.0), largest_scale=1.0, outlier_limit=50.0, ionosphere_limit=50.0)


def batch(policy, epochs, start_cyc):  # noqa: C901, PLR0915 - one adjustment from beginning to end, on purpose
    """Return position and ambiguities at the last epoch, and the covariance of both, from one dense adjustment.

    Unknowns: per epoch a position, two zenith delays, an ionosphere per satellite and four clocks; two ambiguities per
    satellite for all. Motion and Gauss-Markov processes are observations that tie neighbouring epochs.
    """
    n, length = len(epochs[0].rover.satellite), len(epochs)
    per = 3 + 2 + n + 4
    size = length * per + 2 * n
    rows, values = [], []

    def add(row, value, sd):
        rows.append(row / sd)
        values.append(value / sd)

    def tie(matrix, covariance, value=None):
        white = np.linalg.solve(np.linalg.cholesky(covariance), matrix)
        right = np.zeros(len(matrix)) if value is None else np.linalg.solve(np.linalg.cholesky(covariance), value)
        rows.extend(white)
        values.extend(right)

    def block(epoch, first, count):
        matrix = np.zeros((count, size))
        matrix[:, epoch * per + first : epoch * per + first + count] = np.eye(count)
        return matrix

    ambiguity = length * per
    elapsed_s = 0.0
    told = {}
    for k, epoch in enumerate(epochs):
        c, rover, master = epoch.corrections, epoch.rover, epoch.master
        if k:
            elapsed_s = (rover.raw.time_ns - epochs[k - 1].rover.raw.time_ns) / 1e9
        prior = policy.ionosphere_factor * c.ionosphere_covariance_m2 + 1e-8 * np.eye(n)
        zwd = c.zwd_covariance_m2 + 1e-8 * np.eye(2)
        for first, width, spread, value, tau_s in (
            (5, n, prior, c.ionosphere_m, policy.ionosphere_tau_s),
            (3, 2, zwd, c.zwd_m, policy.zwd_tau_s),
        ):
            if k == 0:
                tie(block(0, first, width), spread, value)
                told[first] = np.diagonal(spread)
                continue
            factor = float(repetition_factor(np.array(elapsed_s), tau_s))
            tie(block(k, first, width) - block(k - 1, first, width), policy.walk_factor * spread / factor)
            before = told[first] + np.diagonal(spread) / factor
            weight = np.maximum(1e-9, 1.0 - np.diagonal(spread) / before)
            told[first] = np.minimum(before, np.diagonal(spread))
            tie(block(k, first, width), spread / np.sqrt(np.outer(weight, weight)), value)
        if k == 0 or policy.motion is Motion.FREE:
            tie(block(k, 0, 3), policy.position_sd_m**2 * np.eye(3))
        elif policy.motion is Motion.STATIC:
            tie(block(k, 0, 3) - block(k - 1, 0, 3), 1e-14 * np.eye(3))
        repeated = 1.0 if k == 0 else float(repetition_factor(np.array([elapsed_s]), policy.correlation_s)[0])
        spread = elevation_variance_m2(1.0, rover.elevation_rad) + elevation_variance_m2(1.0, master.elevation_rad)
        for kind in range(4):
            band, is_code = kind % 2, kind < 2
            sd = (
                policy.rover.code_sd_m * policy.code_factor
                if is_code
                else policy.rover.phase_sd_m * policy.phase_factor
            )
            for s in range(n):
                row = np.zeros(size)
                row[k * per : k * per + 3] = -rover.unit[s]
                row[k * per + 3], row[k * per + 4] = rover.wet_mapping[s], -master.wet_mapping[s]
                row[k * per + 5 + s] = MU[band] * (1 if is_code else -1)
                row[k * per + 5 + n + kind] = 1.0
                value = (rover.code_m if is_code else rover.phase_m)[band, s]
                value -= (master.code_m if is_code else master.phase_m)[band, s]
                if not is_code:
                    row[ambiguity + band * n + s] = rover.raw.wavelength_m[band, s]
                    value -= rover.raw.wavelength_m[band, s] * start_cyc[band, s]
                add(row, value, sd * np.sqrt(spread[s] * repeated))
    for index in range(2 * n):
        row = np.zeros(size)
        row[ambiguity + index] = 1.0
        add(row, 0.0, policy.ambiguity_sd_cyc)
    matrix, right = np.array(rows), np.array(values)
    # Clocks are free: taken out by projection, so that hundreds of metres do not cost digits.
    clocks = np.concatenate([k * per + 5 + n + np.arange(4) for k in range(length)])
    rest = np.setdiff1d(np.arange(size), clocks)
    q, _ = np.linalg.qr(matrix[:, clocks])
    reduced = matrix[:, rest] - q @ (q.T @ matrix[:, rest])
    right = right - q @ (q.T @ right)
    _, r = np.linalg.qr(reduced)
    mean = np.linalg.lstsq(reduced, right, rcond=None)[0]
    half = np.linalg.solve(r, np.eye(len(r)))
    covariance = half @ half.T
    place = {int(one): k for k, one in enumerate(rest)}
    position = [place[(length - 1) * per + k] for k in range(3)]
    integers = [place[ambiguity + k] for k in range(2 * n)]
    pick = np.array(position + integers)
    return mean[pick], covariance[np.ix_(pick, pick)]


@pytest.mark.parametrize("motion", [Motion.FREE, Motion.STATIC])
def test_the_filter_equals_one_adjustment_of_all_epochs(make_world, motion):
    """Position and double-difference ambiguities after six epochs, and their covariances, are those of the batch."""
    policy = replace(PLAIN, motion=motion)
    scene = drive(make_world, 3, satellites=7, epoch_s=30.0)
    epochs = [scene.epoch() for _ in range(6)]
    states = []
    for epoch in epochs:
        scene.step(policy, epoch, may_fix=False)
        states.append(scene.state)
    first, last = epochs[0], states[-1]
    wavelength_m = first.rover.raw.wavelength_m[:2]
    code_m, phase_m = (first.rover.code_m - first.master.code_m)[:2], (first.rover.phase_m - first.master.phase_m)[:2]
    start_cyc = (phase_m - code_m + 2 * MU[:, None] * first.corrections.ionosphere_m) / wavelength_m
    mean, covariance = batch(policy, epochs, start_cyc)
    n = start_cyc.shape[1]
    index = ambiguity_index(np.tile(np.arange(n), 2), np.repeat([0, 1], n))
    double = np.kron(np.eye(2), np.hstack([-np.ones((n - 1, 1)), np.eye(n - 1)]))
    ours, theirs = double @ (last.mean[index] - start_cyc.ravel()), double @ mean[3:]
    # Sigmas of ambiguities are some hundredths of cycles; innovations of 100 m positions keep nine digits.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
    spread = double @ last.covariance[np.ix_(index, index)] @ double.T
    expected = double @ covariance[3:, 3:] @ double.T
    np.testing.assert_allclose(np.diagonal(spread), np.diagonal(expected), rtol=1e-4)
    if motion is Motion.STATIC:
        np.testing.assert_allclose(last.mean[:3], mean[:3], rtol=0, atol=1e-5)
        np.testing.assert_allclose(last.covariance[:3, :3], covariance[:3, :3], rtol=1e-3, atol=1e-9)


def test_repeated_observations_tell_what_the_inverse_covariance_says():
    """The information of n samples of an AR(1) error about a constant is 1 + (n - 1) over the factor."""
    r = np.exp(-1.0 / 30.0)
    for n in (1, 2, 10, 100):
        covariance = r ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        exact = np.ones(n) @ np.linalg.solve(covariance, np.ones(n))
        factor = float(repetition_factor(np.array([1.0]), 30.0)[0])
        assert exact == pytest.approx(1 + (n - 1) / factor, rel=1e-9)


def test_satellites_that_come_and_go_leave_the_others_alone(rng):
    """Adding, resetting and dropping satellites moves no number of those that stay."""
    state = add_arcs(init(), np.array([3, 9]))
    root = rng.normal(size=(len(state.mean), len(state.mean)))
    state = replace(state, mean=rng.normal(size=len(state.mean)), covariance=root @ root.T)
    more = add_arcs(state, np.array([1, 5]))
    assert more.satellite.tolist() == [1, 3, 5, 9]
    more = reset_ambiguities(more, np.array([0]), np.array([1]), np.array([7.0]), 30.0)
    assert more.mean[ambiguity_index(np.array([0]), np.array([1]))] == [7.0]
    back = drop_arcs(more, np.isin(more.satellite, [1, 5]))
    np.testing.assert_array_equal(back.mean, state.mean)
    np.testing.assert_array_equal(back.covariance, state.covariance)
    assert len(back.mean) == HEAD + 8


def test_a_step_refuses_what_does_not_belong_to_it(make_world):
    """An epoch that is not later, or of another master, is misuse."""
    scene = drive(make_world, 1)
    epoch = scene.epoch()
    scene.step(epoch=epoch)
    with pytest.raises(ValueError, match="is not after"):
        scene.step(epoch=epoch)
    with pytest.raises(ValueError, match="of master S00"):
        scene.step(epoch=scene.epoch("S02"))


def test_without_leave_nothing_is_fixed(make_world):
    """Against a network that does not hold its integers a session stays float."""
    scene = drive(make_world, 2)
    for _ in range(5):
        epoch = scene.epoch()
        single = replace(_none(epoch), status=RoverStatus.FLOAT)
        info = scene.step(epoch=epoch, single=single, may_fix=False)
        assert info.solution.status is RoverStatus.FLOAT
        assert info.held == 0


def _none(epoch):
    return RoverSolution(
        RoverStatus.NONE,
        epoch.reference_m,
        np.full((3, 3), np.nan),
        epoch.rover.satellite,
        np.zeros(0, dtype=int),
        float("nan"),
        None,
        "",
    )
