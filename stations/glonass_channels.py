"""Which frequency channel each GLONASS satellite uses, as far as the streams have told.

MSM5, MSM7, the legacy messages and the ephemerides name channels, MSM4 and MSM6 do not. Without the channel the
wavelength is unknown: the phase of such a satellite is left out rather than guessed.
"""

from collections.abc import Iterable

import numpy as np
from numba import njit

from stations.arrays import FloatArray, IntArray
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris
from stations.signals import CHANNELS, Constellation

_SLOTS = 65  # slot numbers 0 to 64, as in an MSM satellite mask
_FIRST = 100 * int(Constellation.GLONASS)
_LOWEST, _HIGHEST = CHANNELS[0], CHANNELS[-1]


class GlonassChannels:
    """Memory of channels by slot; the last one that was told counts.

    Attributes:
        by_slot: Channels -7 to 6 by slot number 0 to 64, NaN where unknown, shape ``(65,)``.
    """

    def __init__(self, known: dict[int, int] | None = None) -> None:
        """Start with the channels of some satellites, by satellite integer, or with none."""
        self.by_slot: FloatArray = np.full(_SLOTS, np.nan)
        for satellite, channel in (known or {}).items():
            self.learn(satellite, channel)

    def learn(self, satellite: int, channel: int) -> None:
        """Remember the channel of a satellite; what is no GLONASS slot or no channel is passed over."""
        if 0 < satellite - _FIRST < _SLOTS and channel in CHANNELS:
            self.by_slot[satellite - _FIRST] = channel

    def learn_rows(self, satellite: IntArray, channel: FloatArray) -> None:
        """Remember channels of GLONASS satellites by row, NaN where there is nothing to learn, shapes ``(row,)``."""
        _learn_inplace(self.by_slot, satellite, channel)

    def copy(self) -> "GlonassChannels":
        """Return the same channels, for a stream from which nobody else shall learn."""
        copied = GlonassChannels()
        copied.by_slot[:] = self.by_slot
        return copied

    def of(self, satellite: int) -> int | None:
        """Return the channel of a satellite integer, ``None`` if it is unknown or no GLONASS satellite."""
        slot = satellite - _FIRST
        if not 0 <= slot < _SLOTS or np.isnan(self.by_slot[slot]):
            return None
        return int(self.by_slot[slot])

    def known(self) -> dict[int, int]:
        """Return all known channels by satellite integer."""
        slots = np.flatnonzero(~np.isnan(self.by_slot))
        return {_FIRST + int(slot): int(self.by_slot[slot]) for slot in slots}


def channels_of(ephemerides: Iterable[Ephemeris]) -> dict[int, int]:
    """Return the channels that ephemerides name, by satellite integer; of several the one of the latest."""
    glonass = [one for one in ephemerides if isinstance(one, GlonassEphemeris) and one.channel in CHANNELS]
    return {one.satellite: one.channel for one in sorted(glonass, key=lambda one: one.toe_ns)}


@njit(cache=True, nogil=True)
def _learn_inplace(by_slot: FloatArray, satellite: IntArray, channel: FloatArray) -> None:
    for row in range(satellite.size):
        # A NaN is not within.
        if _LOWEST <= channel[row] <= _HIGHEST:
            by_slot[satellite[row] - _FIRST] = channel[row]
