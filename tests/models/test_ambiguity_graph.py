"""Integer cycles of any station-satellite graph: a unimodular basis of exactly the clock-free combinations."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ambiguity_graph import cycle_basis

STATIONS, SATELLITES = 6, 7


@st.composite
def graphs(draw):
    """Any set of arcs, with repeated priorities and some arcs not eligible."""
    cells = draw(st.sets(st.integers(0, STATIONS * SATELLITES - 1), max_size=STATIONS * SATELLITES))
    order = draw(st.permutations(sorted(cells)))
    arcs = np.array(order, dtype=np.int64)
    priority = np.array(draw(st.lists(st.integers(0, 3), min_size=len(arcs), max_size=len(arcs))), dtype=float)
    eligible = np.array(draw(st.lists(st.booleans(), min_size=len(arcs), max_size=len(arcs))), dtype=bool)
    # Numbers with gaps, as stations and satellites have them.
    return 3 * (arcs // SATELLITES), 100 + 5 * (arcs % SATELLITES), priority, eligible


def _components(station, satellite):
    """Return the number of connected components of the nodes that have an arc."""
    groups = []
    for r, s in zip(station, satellite, strict=True):
        touching = [group for group in groups if ("r", r) in group or ("s", s) in group]
        merged = set().union({("r", r), ("s", s)}, *touching)
        groups = [group for group in groups if group not in touching] + [merged]
    return len(groups)


@settings(max_examples=150, deadline=None)
@given(graph=graphs())
def test_the_basis_spans_all_integer_cycles(graph):
    """Rank is arcs - nodes + components; rows are integers, annihilate clocks, and end in an identity."""
    station, satellite, priority, eligible = graph
    closing, basis = cycle_basis(station, satellite, priority, eligible)
    used_r, used_s = station[eligible], satellite[eligible]
    nodes = len(np.unique(used_r)) + len(np.unique(used_s))
    assert len(closing) == eligible.sum() - nodes + _components(used_r, used_s)
    assert basis.shape == (len(closing), len(station))
    assert np.all(np.isin(basis, (-1.0, 0.0, 1.0)))
    # Unimodular: the columns of the closing arcs are the identity, so every integer cycle is an integer sum of rows.
    np.testing.assert_array_equal(basis[:, closing], np.eye(len(closing)))
    assert np.all(basis[:, ~eligible] == 0.0)
    assert np.all(eligible[closing])
    # Any clock per station and per satellite vanishes.
    for node in np.unique(station):
        assert np.all(basis @ (station == node) == 0.0)
    for node in np.unique(satellite):
        assert np.all(basis @ (satellite == node) == 0.0)


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**32 - 1))
def test_every_double_difference_is_an_integer_sum_of_rows(graph, seed):
    """Any rectangle of eligible arcs is reproduced by its own closing coefficients."""
    station, satellite, priority, eligible = graph
    closing, basis = cycle_basis(station, satellite, priority, eligible)
    arc_of = {(r, s): k for k, (r, s) in enumerate(zip(station, satellite, strict=True)) if eligible[k]}
    rng = np.random.default_rng(seed)
    stations, satellites = np.unique(station), np.unique(satellite)
    for _ in range(20):
        if len(stations) < 2 or len(satellites) < 2:
            return
        a, b = rng.choice(stations, 2, replace=False)
        i, k = rng.choice(satellites, 2, replace=False)
        corners = [(a, i), (b, k), (a, k), (b, i)]
        if not all(corner in arc_of for corner in corners):
            continue
        rectangle = np.zeros(len(station))
        for corner, sign in zip(corners, (1, 1, -1, -1), strict=True):
            rectangle[arc_of[corner]] = sign
        np.testing.assert_array_equal(rectangle[closing] @ basis, rectangle)


def test_the_tree_prefers_large_priorities():
    """The arcs left for closing cycles are those of the smallest priority (a maximum spanning tree)."""
    rng = np.random.default_rng(1)
    station, satellite = np.divmod(np.arange(20), 5)
    priority = rng.permutation(20).astype(float)
    closing, _ = cycle_basis(station, satellite, priority, np.ones(20, dtype=bool))
    tree = np.setdiff1d(np.arange(20), closing)
    # Exchange property: a closing arc is not better than any tree arc of the cycle that it closes.
    _, basis = cycle_basis(station, satellite, priority, np.ones(20, dtype=bool))
    for row, arc in zip(basis, closing, strict=True):
        on_path = np.intersect1d(np.flatnonzero(row), tree)
        assert priority[arc] < priority[on_path].min()


def test_nothing_to_close():
    """Without arcs, or with a tree only, there is no cycle and the shapes are right."""
    empty = np.zeros(0, dtype=np.int64)
    closing, basis = cycle_basis(empty, empty, np.zeros(0), np.zeros(0, dtype=bool))
    assert closing.shape == (0,)
    assert basis.shape == (0, 0)
    station, satellite = np.array([0, 0, 1]), np.array([5, 6, 6])
    closing, basis = cycle_basis(station, satellite, np.ones(3), np.ones(3, dtype=bool))
    assert basis.shape == (0, 3)
    assert len(closing) == 0
