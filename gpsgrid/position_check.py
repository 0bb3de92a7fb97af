"""Is the station where it says it is? Its code observations tell, to some metres, if there are GPS ephemerides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.code_position import code_position
from models.ephemeris import EphemerisStore, implausible
from models.reduction import DualFrequency
from stations.arrays import FloatArray
from stations.epoch import StationEpoch
from stations.frames import enu_rotation_at
from stations.navigation import GpsEphemeris
from stations.navigation_kinds import Ephemeris
from stations.signals import GPS_L1CA, SIGNALS, Constellation, constellation_of
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
        ephemerides: Broadcast, of any system; those of GPS are used.
        position_m: What the station says, ECEF metres.
    """
    store = EphemerisStore()
    for ephemeris in ephemerides:
        gps = isinstance(ephemeris, GpsEphemeris) and constellation_of(ephemeris.satellite) is Constellation.GPS
        if gps and isinstance(ephemeris, GpsEphemeris) and not implausible(ephemeris):
            store.add(ephemeris)
    found = []
    for epoch in epochs:
        one = code_position(_dual(epoch), store.selection(epoch.time_ns))
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


def _dual(epoch: StationEpoch) -> DualFrequency:
    """Return the GPS satellites with code on L1 C/A and on any signal of L2."""
    coded = np.isfinite(epoch.pseudorange_m)
    codes = [SIGNALS[number].code for number in epoch.signal.tolist()]
    second = np.array([code[0] == "2" for code in codes], dtype=np.bool_) & (epoch.satellite < 100)
    first = np.flatnonzero(coded & (epoch.signal == GPS_L1CA))
    # Of several signals on L2 the last one, which is L2C where there is one: better than P(Y).
    l2 = {int(epoch.satellite[row]): int(row) for row in np.flatnonzero(coded & second)}
    pairs = [(int(row), l2[int(epoch.satellite[row])]) for row in first if int(epoch.satellite[row]) in l2]
    one, two = np.array([pair[0] for pair in pairs], dtype=np.int64), np.array([p[1] for p in pairs], dtype=np.int64)
    code_m = np.stack([epoch.pseudorange_m[one], epoch.pseudorange_m[two]])
    return DualFrequency(
        epoch.time_ns,
        epoch.satellite[one],
        code_m,
        np.full_like(code_m, np.nan),
        np.stack([epoch.cn0_dbhz[one], epoch.cn0_dbhz[two]]),
        np.minimum(epoch.lock_ms[one], epoch.lock_ms[two]),
        epoch.half_cycle[one] | epoch.half_cycle[two],
    )
