"""Measurement variance from elevation: ``a^2 + b^2 / sin^2(elevation)`` with ``a = b``.

Source: RTKLIB manual 2.4.2, eq. E.6.24; the sizes per purpose are in the policies that use it.
"""

import numpy as np

from stations.arrays import FloatArray


def elevation_variance_m2(zenith_sd_m: float, elevation_rad: FloatArray) -> FloatArray:
    """Return variances, shape as ``elevation_rad``; at zenith ``2 * zenith_sd_m**2``."""
    return zenith_sd_m**2 * (1.0 + 1.0 / np.sin(elevation_rad) ** 2)
