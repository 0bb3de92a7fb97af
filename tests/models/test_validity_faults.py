"""Two-way tables with ragged visibility: a common jump of satellites must not become a slip of single arcs."""

import numpy as np
import pytest

from models.network_state import NetworkPolicy
from models.validity import SLIP, PhaseChange
from models.validity import test_changes as flags_of  # not a test, whatever it is called


@pytest.mark.parametrize("missing", [0.2, 0.3, 0.4])
def test_a_new_ephemeris_is_no_slip_with_ragged_visibility(rng, missing):
    """Every satellite jumps by a metre at all stations alike (new orbits in use), a third of the arcs not seen."""
    accused, policy = 0, NetworkPolicy()
    for _ in range(200):
        station, satellite = (a.ravel() for a in np.indices((6, 9)))
        keep = rng.random(len(station)) >= missing
        station, satellite = station[keep], satellite[keep]
        elevation = rng.uniform(np.radians(15), np.radians(85), 9)[satellite]
        change_m = rng.normal(0, 30.0, 6)[station] + rng.normal(0, 1.0, 9)[satellite]
        lock_ms = np.full(len(station), 600_000)
        change = PhaseChange(
            station,
            satellite,
            np.full(len(station), 30_000),
            lock_ms,
            lock_ms + 30_000,
            np.zeros(len(station), dtype=bool),
            np.stack([change_m, change_m]),
            elevation,
        )
        flags = flags_of(change, policy.slip_floor_m, policy.slip_slope_m)
        accused += np.count_nonzero(flags & SLIP)
    assert accused == 0
