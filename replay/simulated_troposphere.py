"""Air for simulations: pressure with a gradient, water vapour that drifts with the wind, slants with azimuth.

The rule to keep: mapping functions and zenith delays are computed here in another way than in
``models.troposphere``, which is what the simulation tests.
"""

from dataclasses import dataclass

import numpy as np

from replay.scenario import TroposphereScenario
from stations.arrays import FloatArray
from stations.frames import enu_rotation_at, geodetic_from_ecef

_GRAVITY_M_S2 = 9.80665  # standard
_AIR_J_KG_K = 287.05  # specific gas constant of dry air, ISO 2533
_LAPSE_K_M = 0.0065  # ISO 2533
_SEA_LEVEL_K = 288.15  # ISO 2533
_HEIGHT_COEFFICIENTS = (2.53e-5, 5.49e-3, 1.14e-3)  # Niell (1996), table 3
_DRY_COEFFICIENTS = (1.22e-3, 2.9e-3, 0.0636)  # Boehm et al. (2006), VMF1: b fixed, c at 52 degrees, a of a mild day
_WET_COEFFICIENTS = (5.7e-4, 1.46e-3, 0.04391)  # Boehm et al. (2006), VMF1: b and c fixed


@dataclass(frozen=True)
class Troposphere:
    """One draw of the troposphere.

    Attributes:
        scenario: Levels and scale heights.
        center_m: Centre of the network, ECEF, shape ``(3,)``.
        axes: East and north there, ECEF, shape ``(2, 3)``.
        pressure_gradient: East and north, hPa per metre, shape ``(2,)``.
        wave_rad_m: Wave vectors east and north, shape ``(wave, 2)``.
        rate_rad_s, phase_rad, amplitude_m: Of the waves in the wet delay, shape ``(wave,)``.
    """

    scenario: TroposphereScenario
    center_m: FloatArray
    axes: FloatArray
    pressure_gradient: FloatArray
    wave_rad_m: FloatArray
    rate_rad_s: FloatArray
    phase_rad: FloatArray
    amplitude_m: FloatArray


def make_troposphere(scenario: TroposphereScenario, center_m: FloatArray, rng: np.random.Generator) -> Troposphere:
    """Draw a troposphere over a place (ECEF, shape ``(3,)``)."""
    waves = scenario.waves
    low, high = np.log(scenario.shortest_wave_m), np.log(scenario.longest_wave_m)
    number_rad_m = 2.0 * np.pi / np.exp(rng.uniform(low, high, waves))
    heading, wind, slope = (rng.uniform(0.0, 2.0 * np.pi, size) for size in (waves, 1, 1))
    wave_rad_m = number_rad_m[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    wind_m_s = scenario.wind_m_s * np.concatenate([np.cos(wind), np.sin(wind)])
    return Troposphere(
        scenario,
        center_m,
        enu_rotation_at(center_m)[:2],
        scenario.pressure_gradient_hpa_per_km / 1000.0 * np.concatenate([np.cos(slope), np.sin(slope)]),
        wave_rad_m,
        wave_rad_m @ wind_m_s,
        rng.uniform(0.0, 2.0 * np.pi, waves),
        scenario.zwd_gradient_ppm * 1e-6 * np.sqrt(2.0 / waves) / number_rad_m,
    )


def slant_delay_m(
    troposphere: Troposphere, receiver_m: FloatArray, elevation_rad: FloatArray, azimuth_rad: FloatArray, time_s: float
) -> FloatArray:
    """Return the delay of all carriers along rays, shape ``(n,)``.

    Args:
        troposphere: The draw.
        receiver_m: ECEF, shape ``(3,)``.
        elevation_rad: Directions of the rays, shape ``(n,)``.
        azimuth_rad: From north over east, shape ``(n,)``.
        time_s: Time since the start.

    Source:
        Zenith: Saastamoinen (1972); barometric formula with a linear temperature. Mapping: Boehm, Werl and
        Schuh (2006), height part of Niell (1996). Azimuth: MacMillan (1995), with the gradient of an
        exponential layer.
    """
    scenario = troposphere.scenario
    latitude, _, height_m = geodetic_from_ecef(receiver_m)
    place_m = troposphere.axes @ (receiver_m - troposphere.center_m)
    sea_level_hpa = scenario.pressure_hpa + troposphere.pressure_gradient @ place_m
    exponent = _GRAVITY_M_S2 / (_AIR_J_KG_K * _LAPSE_K_M)
    pressure_hpa = sea_level_hpa * (1.0 - _LAPSE_K_M * height_m / _SEA_LEVEL_K) ** exponent
    dry_m = 0.0022768 * pressure_hpa / (1.0 - 0.00266 * np.cos(2.0 * latitude) - 2.8e-7 * height_m)

    phase = troposphere.wave_rad_m @ place_m - troposphere.rate_rad_s * time_s + troposphere.phase_rad
    thinner = np.exp(-height_m / scenario.wet_height_m)
    wet_m = thinner * (scenario.zwd_m + troposphere.amplitude_m @ np.sin(phase))
    slope = thinner * (troposphere.amplitude_m * np.cos(phase)) @ troposphere.wave_rad_m
    east_m, north_m = scenario.wet_height_m * slope

    sine, cotangent = np.sin(elevation_rad), 1.0 / np.tan(elevation_rad)
    high = (1.0 / sine - _marini(sine, *_HEIGHT_COEFFICIENTS)) * height_m / 1000.0
    wet = _marini(sine, *_WET_COEFFICIENTS)
    tilt_m = cotangent * (north_m * np.cos(azimuth_rad) + east_m * np.sin(azimuth_rad))
    return np.asarray(dry_m * (_marini(sine, *_DRY_COEFFICIENTS) + high) + wet * (wet_m + tilt_m))


def _marini(sine: FloatArray, a: float, b: float, c: float) -> FloatArray:
    return np.asarray((1.0 + a / (1.0 + b / (1.0 + c))) / (sine + a / (sine + b / (sine + c))))
