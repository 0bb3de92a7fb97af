"""Position and clock of GLONASS satellites: the equations of motion, integrated from the reference time.

Positions are in PZ-90 as broadcast; its realisations since 2007 agree with ITRF to centimetres. The same integration
in plain words is in :mod:`models.orbit_glonass_slow`.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numba
import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.navigation_vector import GlonassEphemeris

GM_M3_S2 = 3.9860044e14  # GLONASS ICD 5.1, A.3.1.2
RADIUS_M = 6_378_136.0  # as above, equatorial radius of PZ-90
J2 = 1.0826257e-3  # as above, second zonal harmonic
ROTATION_RAD_S = 7.292115e-5  # as above, rotation of the Earth
STEP_S = 60.0  # error far below a millimetre in half an hour
_CLOCK_ROUNDS = 2
_FAR_S = 86_400.0  # nobody asks for a day away; a bound on the loop

_Function = TypeVar("_Function", bound=Callable[..., object])
_kernel = cast("Callable[[_Function], _Function]", numba.njit(cache=True, nogil=True))


def glonass_states(
    ephemerides: Sequence[GlonassEphemeris], index: IntArray, receive_ns: int, travel_time_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return satellite positions and clocks at transmission.

    Args:
        ephemerides: One per satellite.
        index: Row of ``ephemerides`` for each pair, shape ``(n,)``.
        receive_ns: Receiver time tag, ns of GPS time.
        travel_time_s: Pseudorange over the speed of light, shape ``(n,)``.

    Returns:
        ECEF positions (PZ-90) at and in the frame of the time of transmission, shape ``(n, 3)``; clocks minus GPS
        time, seconds, shape ``(n,)``. The time between GLONASS and GPS (tau_gps) is not in them.

    Raises:
        ValueError: More than a day from the reference time.

    Source:
        GLONASS ICD 5.1, 3.3.3 and A.3.1.2. Checked against RTKLIB.
    """

    def get(name: str) -> FloatArray:
        return np.array([getattr(ephemeris, name) for ephemeris in ephemerides], dtype=np.float64)[index]

    references = np.array([receive_ns - e.toe_ns for e in ephemerides], dtype=np.int64)[index]
    since_s = references / NS_PER_S - travel_time_s
    if (np.abs(since_s) > _FAR_S).any():
        message = f"{np.abs(since_s).max():.0f} s from the reference time; choose an ephemeris that is in use"
        raise ValueError(message)
    tau_s, gamma = get("tau_s"), get("gamma")
    clock_s = np.zeros_like(since_s)
    for _ in range(_CLOCK_ROUNDS + 1):
        clock_s = -tau_s + gamma * (since_s - clock_s)
    position_m = _integrate(
        np.concatenate([get("position_m"), get("velocity_m_s")], axis=-1).reshape(-1, 6),
        get("acceleration_m_s2").reshape(-1, 3),
        since_s - clock_s,
    )
    return position_m, clock_s


@_kernel
def _motion_inplace(state: FloatArray, acceleration: FloatArray, derivative: FloatArray) -> None:
    x, y, z = state[0], state[1], state[2]
    r2 = x * x + y * y + z * z
    r3 = r2 * np.sqrt(r2)
    oblate = 1.5 * J2 * GM_M3_S2 * RADIUS_M * RADIUS_M / r2 / r3
    pull = -GM_M3_S2 / r3 - oblate * (1.0 - 5.0 * z * z / r2)
    centrifugal = ROTATION_RAD_S * ROTATION_RAD_S
    derivative[0], derivative[1], derivative[2] = state[3], state[4], state[5]
    derivative[3] = (pull + centrifugal) * x + 2.0 * ROTATION_RAD_S * state[4] + acceleration[0]
    derivative[4] = (pull + centrifugal) * y - 2.0 * ROTATION_RAD_S * state[3] + acceleration[1]
    derivative[5] = (pull - 2.0 * oblate) * z + acceleration[2]


@_kernel
def _integrate(states: FloatArray, accelerations: FloatArray, times_s: FloatArray) -> FloatArray:
    """Return positions after each time, by Runge-Kutta steps of a minute and a shorter last one."""
    n = states.shape[0]
    positions = np.empty((n, 3))
    slopes = np.empty((4, 6))
    probe = np.empty(6)
    for row in range(n):
        state = states[row].copy()
        left = times_s[row]
        while left != 0.0:
            step = min(max(left, -STEP_S), STEP_S)
            _motion_inplace(state, accelerations[row], slopes[0])
            for stage in range(1, 4):
                part = step if stage == 3 else 0.5 * step
                for i in range(6):
                    probe[i] = state[i] + part * slopes[stage - 1, i]
                _motion_inplace(probe, accelerations[row], slopes[stage])
            for i in range(6):
                state[i] += step / 6.0 * (slopes[0, i] + 2.0 * slopes[1, i] + 2.0 * slopes[2, i] + slopes[3, i])
            left -= step
        for i in range(3):
            positions[row, i] = state[i]
    return positions
