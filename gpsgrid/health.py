"""Counters of the engine as data; logging and metrics are made from them at the edge."""

from collections import Counter
from dataclasses import dataclass, field

from stations.errors import Reason


@dataclass
class StationHealth:
    """What is known about one station's feed."""

    epochs: int = 0
    last_epoch_ns: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)


@dataclass
class Health:
    """What the engine has done since it started.

    Attributes:
        network_epochs: Network epochs solved.
        stations: Per station.
        answers: Answers by status.
        refusals: Refused inputs by reason, stations and queries together.
        last_epoch_ns: Last network epoch.
        learned: Times that new hyperparameters came into force.
    """

    network_epochs: int = 0
    stations: dict[str, StationHealth] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    refusals: Counter[Reason] = field(default_factory=Counter)
    last_epoch_ns: int = 0
    learned: int = 0
