"""Position and clock of SBAS satellites: a parabola in the rotating frame."""

from collections.abc import Sequence

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.navigation_vector import SbasEphemeris

_CLOCK_ROUNDS = 2


def sbas_states(
    ephemerides: Sequence[SbasEphemeris], index: IntArray, receive_ns: int, travel_time_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return satellite positions and clocks at transmission; arguments and result as in :mod:`models.orbit_kepler`.

    Source:
        RTCA DO-229 A.4.4.11.
    """

    def get(name: str) -> FloatArray:
        return np.array([getattr(ephemeris, name) for ephemeris in ephemerides], dtype=np.float64)[index]

    references = np.array([receive_ns - e.toe_ns for e in ephemerides], dtype=np.int64)[index]
    since_s = references / NS_PER_S - travel_time_s
    clock_s = np.zeros_like(since_s)
    for _ in range(_CLOCK_ROUNDS + 1):
        clock_s = get("af0_s") + get("af1") * (since_s - clock_s)
    t = (since_s - clock_s)[:, None]
    position_m = get("position_m") + t * (get("velocity_m_s") + 0.5 * t * get("acceleration_m_s2"))
    return position_m, clock_s
