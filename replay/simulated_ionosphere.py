"""An ionosphere for simulations: several shells, each with a level and plane waves that wander over it.

A single thin shell, as the engine assumes, is only an approximation of it. The rule to keep: rays are traced
through each shell here, not with ``models.geometry``.
"""

from dataclasses import dataclass

import numpy as np

from replay.scenario import IonosphereScenario
from stations.arrays import FloatArray
from stations.constants import EARTH_RADIUS_MEAN_M
from stations.frames import enu_rotation_at


@dataclass(frozen=True)
class Ionosphere:
    """One draw of the ionosphere.

    Attributes:
        radius_m: Of the shells, about the centre of the Earth, shape ``(shell,)``.
        level_m: Zenith delay on L1 of each shell, shape ``(shell,)``.
        center_m: Where the waves' phases start, ECEF, shape ``(3,)``.
        wave_rad_m: Wave vectors, ECEF, shape ``(shell, wave, 3)``.
        rate_rad_s, phase_rad, amplitude_m: Of the waves, shape ``(shell, wave)``.
    """

    radius_m: FloatArray
    level_m: FloatArray
    center_m: FloatArray
    wave_rad_m: FloatArray
    rate_rad_s: FloatArray
    phase_rad: FloatArray
    amplitude_m: FloatArray


def make_ionosphere(scenario: IonosphereScenario, center_m: FloatArray, rng: np.random.Generator) -> Ionosphere:
    """Draw an ionosphere over a place (ECEF, shape ``(3,)``).

    Every wave has the same share of the variance of the gradient, so long waves are high and short ones flat,
    as in the spectra of travelling disturbances.
    """
    shells, waves = len(scenario.shell_height_m), scenario.waves
    share = np.array(scenario.shell_share)
    east, north, _ = enu_rotation_at(center_m)
    low, high = np.log(scenario.shortest_wave_m), np.log(scenario.longest_wave_m)
    number_rad_m = 2.0 * np.pi / np.exp(rng.uniform(low, high, size=(shells, waves)))
    heading = rng.uniform(0.0, 2.0 * np.pi, size=(shells, waves, 1))
    speed_m_s = rng.uniform(scenario.slowest_m_s, scenario.fastest_m_s, size=(shells, waves))
    gradient = scenario.gradient_ppm * 1e-6 * share / np.linalg.norm(share)
    return Ionosphere(
        EARTH_RADIUS_MEAN_M + np.array(scenario.shell_height_m),
        scenario.zenith_m * share,
        center_m,
        number_rad_m[:, :, None] * (np.cos(heading) * east + np.sin(heading) * north),
        number_rad_m * speed_m_s,
        rng.uniform(0.0, 2.0 * np.pi, size=(shells, waves)),
        gradient[:, None] * np.sqrt(2.0 / waves) / number_rad_m,
    )


def slant_delay_m(ionosphere: Ionosphere, receiver_m: FloatArray, unit: FloatArray, time_s: float) -> FloatArray:
    """Return the delay on L1 along rays, shape ``(n,)``.

    Args:
        ionosphere: The draw.
        receiver_m: ECEF, shape ``(3,)``.
        unit: Unit vectors to the satellites, ECEF, shape ``(n, 3)``.
        time_s: Time since the start.

    Source:
        Ours: per shell, zenith delay where the ray crosses it, times one over the cosine of the angle to the
        vertical there (law of sines in the triangle centre of the Earth, receiver, crossing).
    """
    radius_m = ionosphere.radius_m[:, None]
    distance_m = np.linalg.norm(receiver_m)
    sine_here = np.linalg.norm(np.cross(receiver_m / distance_m, unit), axis=-1)
    sine_there = sine_here * distance_m / radius_m
    zenith_here, zenith_there = np.arcsin(sine_here), np.arcsin(sine_there)
    # The angle at the centre of the Earth is what the zenith angle loses on the way up.
    along_m = np.sqrt(radius_m**2 + distance_m**2 - 2.0 * radius_m * distance_m * np.cos(zenith_here - zenith_there))
    offset_m = receiver_m + along_m[:, :, None] * unit - ionosphere.center_m
    phase = np.einsum("kwi,kni->kwn", ionosphere.wave_rad_m, offset_m) + ionosphere.phase_rad[:, :, None]
    phase = phase - ionosphere.rate_rad_s[:, :, None] * time_s
    vertical_m = ionosphere.level_m[:, None] + np.sum(ionosphere.amplitude_m[:, :, None] * np.sin(phase), axis=1)
    return np.asarray(np.sum(np.maximum(vertical_m, 0.0) / np.cos(zenith_there), axis=0))
