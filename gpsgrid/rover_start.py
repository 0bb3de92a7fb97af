"""Where a rover starts: the position that its codes give, screened with an approximate one if they give none.

An approximate position never becomes an answer, and never the point of linearisation: it only tells codes that are off
by kilometres, more of them than the codes can find among themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.code_position import CodePosition, code_position
from models.medians import median_by_group
from models.observables import Observables
from models.reduction import reduce_epoch
from stations.arrays import FloatArray
from stations.navigation_kinds import Ephemeris
from stations.signals import satellite_name

APPROXIMATE_M = 1000.0
"""How good an approximate position has to be."""


@dataclass(frozen=True, eq=False)
class RoverStart:
    """A start.

    Attributes:
        raw: Observations to go on with.
        position: From their codes; ``None`` when they give none.
        screened: Satellites left out because of the approximate position.
        warnings: What the asker should know.
    """

    raw: Observables
    position: CodePosition | None
    screened: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


def rover_start(raw: Observables, ephemerides: Mapping[int, Ephemeris], approximate_m: FloatArray | None) -> RoverStart:
    """Return where to start.

    Args:
        raw: Observations of the rover.
        ephemerides: The ephemeris to use for each satellite.
        approximate_m: ECEF, good to a kilometre, shape ``(3,)``; ``None`` when nobody said.
    """
    found = code_position(raw, ephemerides)
    if approximate_m is None:
        return RoverStart(raw, found)
    if found is not None:
        away_m = float(np.linalg.norm(found.position_m - approximate_m))
        if away_m <= APPROXIMATE_M:
            return RoverStart(raw, found)
        text = (
            f"the approximate position is {away_m / 1000:.1f} km from where the codes put the receiver; it was not used"
        )
        return RoverStart(raw, found, warnings=(text,))
    reduced = reduce_epoch(raw, ephemerides, approximate_m, None)
    systems, owner = np.unique(reduced.satellite // 100, return_inverse=True)
    clock_m = median_by_group(reduced.code_m[0], owner, len(systems))[owner] if len(systems) else np.zeros(0)
    wrong = reduced.satellite[np.abs(reduced.code_m[0] - clock_m) > APPROXIMATE_M]
    if not len(wrong):
        return RoverStart(raw, None)
    kept = raw.rows(~np.isin(raw.satellite, wrong))
    names = ", ".join(satellite_name(satellite) for satellite in wrong.tolist())
    text = f"{names} left out: their codes are kilometres off at the approximate position"
    return RoverStart(kept, code_position(kept, ephemerides), tuple(wrong.tolist()), (text,))
