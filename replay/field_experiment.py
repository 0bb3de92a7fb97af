"""The experiment of Lin et al. (2019): a share of the network's observations is bad; how good are the positions then?

Here is the plan of it: which epochs, which dirt, which methods. Scores are in `replay.field_score`, dirt in
`replay.contamination`; reading recordings and spreading work over processes is `replay.edge`.

What the methods have in common is not spoiled: hyperparameters, satellite scales and the inflation of the covariance
are those of the undisturbed network, the same for every method and share. It favours all of them, most of all those
that would learn from dirt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.field.baselines import METHODS, MethodName
from models.rover import RoverPolicy
from replay.contamination import Contamination, ContaminationPolicy, draw
from replay.field_scene import NetworkSide, Scene, Truth, scene
from replay.field_score import FieldScore, Outcome, outcome, summary
from stations.arrays import IntArray
from stations.catalog import Station

SHARES: Final = (0.0, 0.15, 0.30, 0.45, 0.60)

Key = tuple[MethodName, float]
"""Method and share of bad windows."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """Everything about one set that a worker needs to score one of its epochs.

    Attributes:
        scenes: Epochs.
        dirt: Drawn for them.
        methods: To compare.
        shares: Of bad windows.
        policy: Constants of the rover.
    """

    scenes: tuple[Scene, ...]
    dirt: Contamination
    methods: tuple[MethodName, ...]
    shares: tuple[float, ...]
    policy: RoverPolicy

    def epoch(self, index: int) -> dict[Key, Outcome]:
        """Score one epoch."""
        one = self.scenes[index]
        found = {}
        for share in self.shares:
            observations, _ = self.dirt.apply(index, one.network.observations, share)
            for name in self.methods:
                found[name, share] = outcome(one, METHODS[name], observations, self.policy)
        return found


def campaign(
    rng: np.random.Generator,
    sides: tuple[Sequence[NetworkSide], Sequence[Truth]],
    rover: Station,
    methods: Iterable[MethodName],
    shares: Iterable[float],
    contamination: ContaminationPolicy | None = None,
) -> Campaign:
    """Prepare a set.

    Args:
        rng: Of the dirt.
        sides: Of the network without the rover, and with it.
        rover: As a station.
        methods: To compare.
        shares: Of bad windows.
        contamination: By default `ContaminationPolicy()`.

    Raises:
        ValueError: No epoch is in both sides.
    """
    policy = RoverPolicy()
    truths = {truth.time_ns: truth for truth in sides[1]}
    scenes = tuple(scene(one, truths[one.time_ns], rover, policy) for one in sides[0] if one.time_ns in truths)
    if not scenes:
        message = f"none of {len(sides[0])} network epochs is among {len(truths)} epochs of rover {rover.id}"
        raise ValueError(message)
    times_ns: IntArray = np.array([one.network.time_ns for one in scenes], dtype=np.int64)
    satellites = np.unique(np.concatenate([one.network.observations.points.satellite for one in scenes]))
    dirt = draw(rng, times_ns, scenes[0].network.stations, satellites, contamination)
    return Campaign(scenes, dirt, tuple(methods), tuple(shares), policy)


def scores(outcomes: Sequence[dict[Key, Outcome]]) -> dict[Key, FieldScore]:
    """Add up the epochs of a set."""
    keys = outcomes[0] if outcomes else {}
    return {key: summary(one[key] for one in outcomes) for key in keys}
