"""Accuracy indices of navigation messages, and the metres that files have instead."""

import math
from functools import lru_cache

# IS-GPS-200 20.3.3.3.1.3: upper bounds of URA index 0 to 14, metres; BDS-SIS-ICD-B1I-3.0 5.2.4.5 has the same.
_URA_BOUNDS_M = (2.4, 3.4, 4.85, 6.85, 9.65, 13.65, 24.0, 48.0, 96.0, 192.0, 384.0, 768.0, 1536.0, 3072.0, 6144.0)
# Nominal values to be written, from the same place.
_URA_NOMINAL_M = (2.0, 2.8, 4.0, 5.7, 8.0, 11.3, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0)
# Galileo OS SIS ICD table 76: first index of a range, metres there, metres per index.
_SISA_RANGES = ((0, 0.0, 0.01), (50, 0.5, 0.02), (75, 1.0, 0.04), (100, 2.0, 0.16))
_SISA_LAST = 125
_SISA_NONE = 255
_TOLERANCE = 1e-6  # an index is a whole number, files have twelve digits


@lru_cache(maxsize=256)  # a file has a handful of values, thousands of times
def ura_index(accuracy_m: float) -> int:
    """Return the index of a user range accuracy; blank is "no prediction", the worst index."""
    return next((index for index, bound in enumerate(_URA_BOUNDS_M) if accuracy_m <= bound), len(_URA_BOUNDS_M))


def ura_m(index: int) -> float:
    """Return the nominal metres of a user range accuracy index 0-15."""
    return _URA_NOMINAL_M[index]


@lru_cache(maxsize=256)
def sisa_index(accuracy_m: float) -> int:
    """Return the index of a signal-in-space accuracy, rounded up; 255 for none, which files have as -1."""
    if not 0.0 <= accuracy_m <= sisa_m(_SISA_LAST) + _TOLERANCE:
        return _SISA_NONE
    first, start_m, step_m = next(piece for piece in reversed(_SISA_RANGES) if accuracy_m >= piece[1] - _TOLERANCE)
    return first + math.ceil((accuracy_m - start_m) / step_m - _TOLERANCE / step_m)


def sisa_m(index: int) -> float:
    """Return the metres of a signal-in-space accuracy index; -1 for those that mean none."""
    if not 0 <= index <= _SISA_LAST:
        return -1.0
    first, start_m, step_m = next(piece for piece in reversed(_SISA_RANGES) if index >= piece[0])
    return start_m + (index - first) * step_m
