"""Satellite positions and clocks from precise orbits: polynomials through ten nodes around a time, clocks linear.

Beside the broadcast orbits of ``models.ephemeris``. The antenna of the satellite is not in here: positions are those
of the centre of mass.
"""

from dataclasses import dataclass

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import EARTH_ROTATION_RAD_S, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.sp3 import PreciseOrbits

_NODES = 10  # 9th order through 15-minute nodes: millimetres inside the file
_VELOCITY_STEP_NS = 1_000_000  # 1 ms: 4 m of motion, far above rounding, far below the nodes


@dataclass(frozen=True)
class PreciseStates:
    """Where satellites were.

    Attributes:
        position_m: Centre of mass, Earth-fixed at the given time, shape ``(row, 3)``; NaN where unknown.
        velocity_m_s: Earth-fixed, shape ``(row, 3)``.
        clock_s: Offset from GPS time with the periodic relativistic effect, shape ``(row,)``; NaN where unknown.
        known: Whether position and clock are known, shape ``(row,)``.
    """

    position_m: FloatArray
    velocity_m_s: FloatArray
    clock_s: FloatArray
    known: BoolArray


def precise_states(orbits: PreciseOrbits, satellite: IntArray, time_ns: int, offset_s: FloatArray) -> PreciseStates:
    """Return positions, velocities and clocks at transmission times.

    A satellite without ten good nodes in a row around the time is unknown, and so is every time outside the file:
    nothing is extrapolated. Clocks need both neighbours.

    Args:
        orbits: The file.
        satellite: Satellite integers, shape ``(row,)``.
        time_ns: A time, ns of GPS time.
        offset_s: What to add to it for every satellite, such as minus the time of flight, shape ``(row,)``.

    Source:
        Neville's algorithm on nodes that are turned into the Earth-fixed frame of the asked time, as RTKLIB's
        ``pephpos``; relativity IS-GPS-200 20.3.3.3.3.1.
    """
    satellite = np.asarray(satellite, dtype=np.int64)
    shape = (len(satellite), 3)
    position, velocity, clock = np.full(shape, np.nan), np.full(shape, np.nan), np.full(len(satellite), np.nan)
    for row, (number, offset) in enumerate(zip(satellite.tolist(), np.asarray(offset_s).tolist(), strict=True)):
        column = int(np.searchsorted(orbits.satellite, number))
        if column >= len(orbits.satellite) or orbits.satellite[column] != number:
            continue
        position[row] = _position_m(orbits, column, time_ns, offset)
        later = _position_m(orbits, column, time_ns, offset + _VELOCITY_STEP_NS / NS_PER_S)
        velocity[row] = (later - position[row]) * (NS_PER_S / _VELOCITY_STEP_NS)
        clock[row] = _clock_s(orbits, column, time_ns, offset)
    clock -= 2.0 * np.einsum("ij,ij->i", position, velocity) / SPEED_OF_LIGHT_M_S**2
    return PreciseStates(position, velocity, clock, ~np.isnan(position).any(axis=1) & ~np.isnan(clock))


def _position_m(orbits: PreciseOrbits, column: int, time_ns: int, offset_s: float) -> FloatArray:
    # The difference of two times of nanoseconds is small: only here it becomes a float.
    seconds = (orbits.time_ns - time_ns) / NS_PER_S - offset_s
    if len(seconds) < _NODES or not seconds[0] <= 0.0 <= seconds[-1]:
        return np.full(3, np.nan)
    behind = int(np.searchsorted(seconds, 0.0, side="right"))
    first = int(np.clip(behind - _NODES // 2, 0, len(seconds) - _NODES))
    nodes = slice(first, first + _NODES)
    x, y, z = orbits.position_m[nodes, column].T
    # A node is turned by what the Earth turns until the asked time: the polynomial runs in one frame.
    angle = EARTH_ROTATION_RAD_S * seconds[nodes]
    sine, cosine = np.sin(angle), np.cos(angle)
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1)
    return neville(seconds[nodes], turned)


def neville(at: FloatArray, value: FloatArray) -> FloatArray:
    """Return the polynomial through nodes at zero.

    Args:
        at: Where the nodes are, shape ``(node,)``.
        value: Their values, shape ``(node, 3)``.

    Returns:
        Shape ``(3,)``.

    Source:
        Press et al., Numerical Recipes (2007), section 3.2.
    """
    column = value.astype(np.float64)
    for order in range(1, len(at)):
        left, right = at[:-order, None], at[order:, None]
        column = (right * column[:-1] - left * column[1:]) / (right - left)
    found: FloatArray = column[0]
    return found


def _clock_s(orbits: PreciseOrbits, column: int, time_ns: int, offset_s: float) -> float:
    seconds = (orbits.time_ns - time_ns) / NS_PER_S - offset_s
    after = int(np.searchsorted(seconds, 0.0, side="left"))
    if after >= len(seconds):
        return np.nan
    if seconds[after] == 0.0:
        return float(orbits.clock_s[after, column])
    if after == 0 or orbits.clock_event[after, column]:
        return np.nan  # before the file, or the clock jumped in between
    before = after - 1
    share = -seconds[before] / (seconds[after] - seconds[before])
    return float((1.0 - share) * orbits.clock_s[before, column] + share * orbits.clock_s[after, column])
