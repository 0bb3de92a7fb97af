"""A network epoch in a few numbers, for whoever watches the engine."""

import numpy as np

from gpsgrid.events import NetworkSolved
from gpsgrid.snapshot import Snapshot


def network_solved(snapshot: Snapshot, known: tuple[str, ...]) -> NetworkSolved:
    """Return what is told of a network epoch.

    Args:
        snapshot: Of the epoch.
        known: All stations of the network.
    """
    parts = snapshot.parts
    z = np.concatenate([one.field.loo_z[(one.field.weight > 0.0) & one.delays.fixed] for one in parts])
    z = z[np.isfinite(z)]
    return NetworkSolved(
        snapshot.time_ns,
        tuple(snapshot.reduced),
        tuple(name for name in known if name not in snapshot.reduced),
        len(np.unique(np.concatenate([one.delays.satellite for one in parts]))),
        snapshot.fixed_share,
        float(np.sqrt(np.mean(z**2))) if len(z) else float("nan"),
        sum(int(np.count_nonzero(one.field.weight == 0.0)) for one in parts),
        sum(one.info.resets for one in parts),
    )
