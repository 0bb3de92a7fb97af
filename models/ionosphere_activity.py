"""How restless the ionosphere between the stations is, compared with what the network filter takes for granted.

The filter's prior is that of an ordinary day. In a storm the delays between two stations are ten times larger and drift
by a millimetre a second; a filter that does not know it is surprised by every phase, forgets ambiguities that are sound
and fixes wrong ones. The difference of two carriers shows the ionosphere to a millimetre whatever the ambiguities are:
its change against all other stations and satellites is followed per arc as in `models.steadiness`, and what is usual
among the arcs, over what the prior expects, is the factor by which the prior is widened.
"""

import numpy as np

from models.observables import ionosphere_factor
from models.two_way import two_way_residual
from stations.arrays import BoolArray, FloatArray, IntArray

MEMORY_S = 60.0
_FEWEST = 6  # arcs that say something
_QUIET_M = 0.005  # of a zenith delay: noise and multipath of a sound phase, generous
_NORMAL = 1.4826  # standard deviation over median deviation of a normal distribution
# A drift goes on where a random walk turns back: over the seconds between two updates it moves several times less than
# a walk that comes as far in a minute, so the walk need not come as far.
_PERSISTENCE = 3.0
_WIDEST = 10.0
_CALM_S = 1200.0  # a storm is believed to be over so slowly


def moved_m(
    change_m: FloatArray,
    wavelength_m: FloatArray,
    slant_factor: FloatArray,
    receiver: IntArray,
    satellite: IntArray,
    use: BoolArray,
) -> FloatArray:
    """Return how zenith ionospheres moved against those of all other receivers and satellites.

    Args:
        change_m: Of the reduced phases since they were last seen, shape ``(2, n)``.
        wavelength_m: Shape ``(2, n)``.
        slant_factor: Slant over zenith delay, shape ``(n,)``.
        receiver: Station and system, shape ``(n,)``.
        satellite: Shape ``(n,)``.
        use: Arcs that did not slip, shape ``(n,)``; the others get zero.

    Returns:
        Metres on GPS L1, shape ``(n,)``.
    """
    first, second = ionosphere_factor(wavelength_m)
    # In slant metres of L1, for what receivers add to the difference of their carriers has no elevation.
    slant_m = two_way_residual((change_m[0] - change_m[1]) / (second - first), receiver, satellite, use)
    return np.where(use, slant_m / slant_factor, 0.0)


def step(drift_m: FloatArray, moved: FloatArray, elapsed_s: FloatArray) -> FloatArray:
    """Return how far each arc has drifted within about a minute, shape ``(n,)``; see `models.steadiness.step`."""
    drift: FloatArray = np.exp(-elapsed_s / MEMORY_S) * (drift_m + moved)
    return drift


def expected_m(prior_m2: FloatArray, tau_s: float) -> float:
    """Return what the drift of :func:`step` usually is under the prior, metres.

    Args:
        prior_m2: Covariance of the zenith ionosphere between stations, shape ``(station, station)``.
        tau_s: Of its Gauss-Markov process.

    Source:
        A process of variance rate ``2 s^2 / tau`` through a first-order high pass of time constant ``T`` has the
        variance ``s^2 T / tau``; ``s^2`` is what remains after the mean of the stations.
    """
    count = len(prior_m2)
    if not count:
        return 0.0
    apart_m2 = (float(np.trace(prior_m2)) - float(prior_m2.sum()) / count) / count
    return float(np.sqrt(max(apart_m2, 0.0) * MEMORY_S / tau_s))


def scale(before: float, drift_m: FloatArray, expected: float, elapsed_s: float) -> float:
    """Return by how much the standard deviations of the prior are to be widened, at least 1.

    Args:
        before: The same at the last epoch.
        drift_m: Of the arcs that are sound and high, shape ``(n,)``.
        expected: From :func:`expected_m`.
        elapsed_s: Time since.
    """
    calmer = 1.0 + (before - 1.0) * float(np.exp(-elapsed_s / _CALM_S))
    if len(drift_m) < _FEWEST or expected <= 0.0:
        return calmer
    usual_m = _NORMAL * float(np.median(np.abs(drift_m)))
    seen = float(np.sqrt(max(usual_m**2 - _QUIET_M**2, 0.0))) / (_PERSISTENCE * expected)
    return float(np.clip(max(seen, calmer), 1.0, _WIDEST))
