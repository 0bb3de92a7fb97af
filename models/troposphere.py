"""Tropospheric delay: hydrostatic zenith delay from the standard atmosphere, and Niell's mappings.

Only differences over a few hundred kilometres matter here, so the standard atmosphere at station
height is enough; what it misses goes into the estimated zenith wet delay.
"""

import numpy as np

from stations.arrays import FloatArray
from stations.constants import NS_PER_S, SECONDS_PER_DAY
from stations.gpstime import to_utc

# Niell (1996), table 3: coefficients at latitudes 15, 30, 45, 60, 75 degrees.
_LATITUDE_DEG = np.array([15.0, 30.0, 45.0, 60.0, 75.0])
_HYDRO_MEAN = np.array(
    [
        [1.2769934e-3, 1.2683230e-3, 1.2465397e-3, 1.2196049e-3, 1.2045996e-3],
        [2.9153695e-3, 2.9152299e-3, 2.9288445e-3, 2.9022565e-3, 2.9024912e-3],
        [62.610505e-3, 62.837393e-3, 63.721774e-3, 63.824265e-3, 64.258455e-3],
    ]
)
_HYDRO_SEASON = np.array(
    [
        [0.0, 1.2709626e-5, 2.6523662e-5, 3.4000452e-5, 4.1202191e-5],
        [0.0, 2.1414979e-5, 3.0160779e-5, 7.2562722e-5, 11.723375e-5],
        [0.0, 9.0128400e-5, 4.3497037e-5, 84.795348e-5, 170.37206e-5],
    ]
)
# Niell (1996), table 4.
_WET = np.array(
    [
        [5.8021897e-4, 5.6794847e-4, 5.8118019e-4, 5.9727542e-4, 6.1641693e-4],
        [1.4275268e-3, 1.5138625e-3, 1.4572752e-3, 1.5007428e-3, 1.7599082e-3],
        [4.3472961e-2, 4.6729510e-2, 4.3908931e-2, 4.4626982e-2, 5.4736038e-2],
    ]
)
_HEIGHT = np.array([2.53e-5, 5.49e-3, 1.14e-3])
_PHASE_DAY = 28.0  # day of year of the seasonal extreme in the northern hemisphere
_TOP_OF_STANDARD_ATMOSPHERE_M = 11_000.0

NOMINAL_ZWD_M = 0.10  # wet delay of a dry winter day; the filters estimate the rest


def zenith_hydrostatic_delay(latitude_rad: float, height_m: float) -> float:
    """Return the zenith hydrostatic delay in metres at a height in the standard atmosphere.

    Source:
        Saastamoinen (1972) in the form of Davis et al. (1985), eq. A11; pressure of the ISO 2533
        standard atmosphere. Heights are clipped to -500 m ... 11 km.
    """
    height = min(max(height_m, -500.0), _TOP_OF_STANDARD_ATMOSPHERE_M)
    pressure_hpa = 1013.25 * (1.0 - 2.2557e-5 * height) ** 5.2568
    return float(0.0022768 * pressure_hpa / (1.0 - 0.00266 * np.cos(2.0 * latitude_rad) - 0.00028e-3 * height))


def _continued_fraction(sine: FloatArray, abc: FloatArray) -> FloatArray:
    a, b, c = abc
    top = 1.0 + a / (1.0 + b / (1.0 + c))
    factor: FloatArray = top / (sine + a / (sine + b / (sine + c)))
    return factor


def mapping_functions(
    latitude_rad: float | FloatArray, height_m: float | FloatArray, time_ns: int, elevation_rad: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the hydrostatic and wet mapping factors, both shape ``(n,)``.

    Args:
        latitude_rad: Geodetic latitude of the receiver, or of each row's, shape ``(n,)``.
        height_m: Height of the receiver above the ellipsoid, or of each row's, shape ``(n,)``.
        time_ns: Epoch, for the season.
        elevation_rad: Elevations, shape ``(n,)``, above about 3 degrees.

    Source:
        Niell (1996), J. Geophys. Res. 101, eqs. 4-6. Checked against RTKLIB.
    """
    utc = to_utc(time_ns)
    seconds = utc.hour * 3600 + utc.minute * 60 + utc.second
    south = np.asarray(latitude_rad) < 0.0
    year = (utc.timetuple().tm_yday + seconds / SECONDS_PER_DAY - _PHASE_DAY) / 365.25 + 0.5 * south
    degrees = abs(np.degrees(latitude_rad))
    season = np.cos(2.0 * np.pi * year)
    hydro = np.array(
        [
            np.interp(degrees, _LATITUDE_DEG, mean) - np.interp(degrees, _LATITUDE_DEG, amplitude) * season
            for mean, amplitude in zip(_HYDRO_MEAN, _HYDRO_SEASON, strict=True)
        ]
    )
    wet = np.array([np.interp(degrees, _LATITUDE_DEG, row) for row in _WET])
    sine = np.sin(elevation_rad)
    height_term = (1.0 / sine - _continued_fraction(sine, _HEIGHT)) * height_m / 1000.0
    return _continued_fraction(sine, hydro) + height_term, _continued_fraction(sine, wet)


def process_noise_m2(walk_m_per_sqrt_s: float, dt_ns: int) -> float:
    """Return the variance a random walk gathers in ``dt_ns``."""
    return walk_m_per_sqrt_s**2 * dt_ns / NS_PER_S
