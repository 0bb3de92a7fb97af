"""Is the station where it says it is? Its code observations tell, to some metres, if there are ephemerides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.code_position import code_position
from models.ephemeris import EphemerisStore, implausible
from models.observables import Observables, observables
from stations.arrays import FloatArray
from stations.epoch import StationEpoch
from stations.frames import enu_rotation_at
from stations.navigation_kinds import Ephemeris
from stations.survey_findings import Finding, Severity

_FAR_M, _WRONG_M = 15.0, 100.0  # code alone is good to some metres, with an old orbit to ten


@dataclass(frozen=True)
class PositionCheck:
    """A comparison.

    Attributes:
        epochs: Epochs that gave a position from code.
        position_m: Their median, ECEF, shape ``(3,)``.
        east_m, north_m, up_m: That position minus what the station says; ``None`` when it says nothing.
    """

    epochs: int
    position_m: FloatArray
    east_m: float | None
    north_m: float | None
    up_m: float | None

    @property
    def away_m(self) -> float | None:
        """Distance between both; ``None`` when the station says nothing."""
        if self.east_m is None or self.north_m is None or self.up_m is None:
            return None
        return float(np.sqrt(self.east_m**2 + self.north_m**2 + self.up_m**2))


def check_position(
    epochs: Sequence[StationEpoch], ephemerides: Sequence[Ephemeris], position_m: tuple[float, float, float] | None
) -> PositionCheck | None:
    """Return where the code of some epochs puts a station; ``None`` when it puts it nowhere.

    Args:
        epochs: Some epochs of the station.
        ephemerides: Broadcast, of any system.
        position_m: What the station says, ECEF metres.
    """
    store = EphemerisStore()
    for ephemeris in ephemerides:
        if not implausible(ephemeris):
            store.add(ephemeris)
    found = []
    for epoch in epochs:
        one = code_position(_coded(epoch), store.selection(epoch.time_ns))
        if one is not None:
            found.append(one.position_m)
    if not found:
        return None
    middle = np.median(np.array(found), axis=0)
    if position_m is None or not any(position_m):
        return PositionCheck(len(found), middle, None, None, None)
    east_m, north_m, up_m = (enu_rotation_at(middle) @ (middle - np.array(position_m))).tolist()
    return PositionCheck(len(found), middle, east_m, north_m, up_m)


def finding_of(check: PositionCheck | None) -> Finding | None:
    """Return what a check means, if anything."""
    away_m = None if check is None else check.away_m
    if away_m is None or away_m < _FAR_M:
        return None
    return Finding(
        Severity.PROBLEM if away_m > _WRONG_M else Severity.WARNING,
        f"the station says it is {away_m:.0f} m away from where its code observations put it",
        "A wrong coordinate shifts every position near the station by as much.",
        "Correct the coordinates in the receiver; check that they are ECEF of the antenna, and of this station.",
    )


def _coded(epoch: StationEpoch) -> Observables:
    """Return the satellites with code on two carriers; whether there are phases does not matter here."""
    columns = vars(epoch) | {"phase_cyc": np.zeros(len(epoch))}
    return observables(StationEpoch(**columns))
