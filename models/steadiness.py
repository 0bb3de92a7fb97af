"""Arcs whose phases wander against the known geometry: strong multipath, or noise, that no single epoch gives away.

The ionosphere-free phase of a station at a known place moves with clocks only. What it does besides, against all other
stations and satellites, is followed per arc: the walk since the arc began, less its slow mean, and how large that
usually is. Reflections of some centimetres with periods of minutes stand out ten times; troposphere and orbits, which
are slower, do not. An arc that is not steady does not bend the filter, and its ambiguities wait.
"""

import numpy as np

from models.two_way import two_way_residual
from stations.arrays import BoolArray, FloatArray, IntArray

_MEMORY_S = 60.0
_FORGIVEN = 1.5  # limits; however much an arc has wandered, it is steady again two minutes after it has stopped


def ionosphere_free(change_m: FloatArray, wavelength_m: FloatArray) -> FloatArray:
    """Return the combination of two carriers without first-order ionosphere.

    Args:
        change_m: Metres, shape ``(2, n)``.
        wavelength_m: Shape ``(2, n)``.

    Returns:
        Metres, shape ``(n,)``.

    Source:
        Hofmann-Wellenhof, Lichtenegger and Wasle (2008), eq. 5.77.
    """
    first, second = wavelength_m**2
    combined: FloatArray = (second * change_m[0] - first * change_m[1]) / (second - first)
    return combined


def step(
    walk_m: FloatArray, rough_m2: FloatArray, moved_m: FloatArray, elapsed_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Follow arcs over one epoch.

    Args:
        walk_m: How far each arc was from its slow mean, shape ``(n,)``.
        rough_m2: Mean square of that, shape ``(n,)``.
        moved_m: How the arcs moved against all others since, zero where they slipped, shape ``(n,)``.
        elapsed_s: Time since, shape ``(n,)``.

    Returns:
        Both for this epoch.
    """
    keep = np.exp(-elapsed_s / _MEMORY_S)
    away = walk_m + moved_m
    return keep * away, keep * rough_m2 + (1.0 - keep) * away**2


def moved_m(
    change_m: FloatArray, wavelength_m: FloatArray, receiver: IntArray, satellite: IntArray, use: BoolArray
) -> FloatArray:
    """Return how ionosphere-free phases moved against those of all other receivers and satellites.

    Args:
        change_m: Of the reduced phases since they were last seen, shape ``(2, n)``.
        wavelength_m: Shape ``(2, n)``.
        receiver: Station and system, shape ``(n,)``.
        satellite: Shape ``(n,)``.
        use: Arcs that did not slip, shape ``(n,)``; the others get zero.

    Returns:
        Metres, shape ``(n,)``.
    """
    residual = two_way_residual(ionosphere_free(change_m, wavelength_m), receiver, satellite, use)
    return np.where(use, residual, 0.0)


def limit_m(elevation_rad: FloatArray, floor_m: float, slope_m: float) -> FloatArray:
    """Return how much phases of a sound station wander at most, root mean square, shape ``(n,)``.

    Args:
        elevation_rad: Shape ``(n,)``.
        floor_m: The limit is ``floor_m + slope_m / sin(elevation)``.
        slope_m: See ``floor_m``.
    """
    limit: FloatArray = floor_m + slope_m / np.sin(elevation_rad)
    return limit


def bounded_m2(rough_m2: FloatArray, limit: FloatArray) -> FloatArray:
    """Return the mean squares, shape ``(n,)``, none of them so large that an arc could not become steady soon."""
    return np.minimum(rough_m2, (_FORGIVEN * limit) ** 2)


def is_unsteady(rough_m2: FloatArray, limit: FloatArray, before: BoolArray) -> BoolArray:
    """Return which arcs wander by more than phases of a sound station do, shape ``(n,)``.

    Args:
        rough_m2: From :func:`step`, shape ``(n,)``.
        limit: From :func:`limit_m`, shape ``(n,)``.
        before: Which were unsteady until now, shape ``(n,)``; they have to come down to half the limit, for a wave
            that turns around stands still.
    """
    unsteady: BoolArray = np.sqrt(rough_m2) > limit * np.where(before, 0.5, 1.0)
    return unsteady
