"""How strong each signal usually is at each station and elevation, and which are much weaker: jamming, obstruction.

The template is learned from the station itself, since antennas, cables and receivers differ by ten decibels. A bin of
elevation says nothing before it has been observed for some minutes. What is weak teaches a tenth: a receiver that was
replaced by a deafer one is believed after hours, an interference of minutes never.
"""

from dataclasses import dataclass

import numpy as np

from models.medians import groups_of, median_by_group
from stations.arrays import BoolArray, FloatArray, IntArray

BIN_RAD = float(np.radians(5.0))
_BINS = 32  # more than 90 degrees have
_LONGEST_S = 3600.0  # of observation that a bin remembers
_SURE_S = 120.0  # of observation before a bin says anything
_MOST_S = 60.0  # that one observation may stand for
_FEWEST = 3  # stations that see a satellite, to say that it is the satellite
_WEAK_SHARE = 0.1
_PRIOR_DB = 1.5  # standard deviation in a bin: fading, and satellites that are not equally strong


@dataclass(frozen=True, eq=False)
class StrengthTemplate:
    """Usual C/N0, one entry per station, signal and bin of elevation.

    Attributes:
        key: From :func:`keys_of`, ascending, shape ``(m,)``.
        mean_dbhz, variance_db2: Shape ``(m,)``.
        observed_s: For how long the bin was observed, satellites added up, shape ``(m,)``.
    """

    key: IntArray
    mean_dbhz: FloatArray
    variance_db2: FloatArray
    observed_s: FloatArray


def empty() -> StrengthTemplate:
    """Return a template that knows nothing."""
    return StrengthTemplate(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def keys_of(station: IntArray, signal: IntArray, elevation_rad: FloatArray) -> IntArray:
    """Return the entry that each observation belongs to, shape ``(n,)``."""
    bins = np.clip((elevation_rad / BIN_RAD).astype(np.int64), 0, _BINS - 1)
    keys: IntArray = (station * 1000 + signal) * _BINS + bins
    return keys


def station_of(key: IntArray) -> IntArray:
    """Return the stations of entries, shape ``(m,)``."""
    stations: IntArray = key // (1000 * _BINS)
    return stations


def moved(template: StrengthTemplate, place: IntArray) -> StrengthTemplate:
    """Return the template for another list of stations; ``place`` is the new index of every old one, -1 if it left."""
    station = place[station_of(template.key)] if len(template.key) else template.key
    key = template.key % (1000 * _BINS) + station * (1000 * _BINS)
    rows = np.flatnonzero(station >= 0)
    rows = rows[np.argsort(key[rows])]
    return StrengthTemplate(key[rows], template.mean_dbhz[rows], template.variance_db2[rows], template.observed_s[rows])


def step(
    template: StrengthTemplate,
    key: IntArray,
    source: IntArray,
    cn0_dbhz: FloatArray,
    elapsed_s: float,
    limits: tuple[float, float],
) -> tuple[StrengthTemplate, BoolArray]:
    """Compare one epoch with the template and learn from it.

    Args:
        template: What is known.
        key: From :func:`keys_of`, shape ``(n,)``.
        source: Satellite and signal of each: satellites are not equally strong, and some change their power (the second
            carrier of GPS by ten decibels), which three stations or more see alike; shape ``(n,)``.
        cn0_dbhz: NaN where unknown, shape ``(n,)``.
        elapsed_s: Since the last epoch; not more than a minute counts.
        limits: Weaker than the template by more decibels than the first, and by more standard deviations of the bin
            than the second, is weak.

    Returns:
        The template, and which observations are weak, shape ``(n,)``.

    Source:
        Six decibels below the elevation template: section 3a.5 of the literature note. Changes of power: Steigenberger
        et al. (2019), Flex power on GPS Block IIR-M and IIF, GPS Solutions 23.
    """
    known = np.flatnonzero(np.isfinite(cn0_dbhz))
    template = _with_entries(template, key[known])
    place = np.searchsorted(template.key, key[known])
    away_db = cn0_dbhz[known] - template.mean_dbhz[place]
    sure = template.observed_s[place] >= _SURE_S
    alone_db = away_db - _common_db(away_db, source[known], sure)
    limit_db = np.maximum(limits[0], limits[1] * np.sqrt(template.variance_db2[place]))
    weak = np.zeros(len(key), dtype=np.bool_)
    weak[known] = sure & (-away_db > limits[0]) & (-alone_db > limit_db)
    weight_s = min(elapsed_s, _MOST_S) * np.where(weak[known], _WEAK_SHARE, 1.0)
    return _learned(template, place, cn0_dbhz[known], np.where(sure, alone_db, _PRIOR_DB), weight_s), weak


def _common_db(away_db: FloatArray, source: IntArray, sure: BoolArray) -> FloatArray:
    """Return how much stronger than usual each satellite is at the stations that see it, 0 if too few can tell."""
    group, groups = groups_of(source)
    median = median_by_group(away_db[sure], group[sure], groups)
    return np.where(np.bincount(group[sure], minlength=groups) >= _FEWEST, median, 0.0)[group]


def _with_entries(template: StrengthTemplate, key: IntArray) -> StrengthTemplate:
    """Return the template with an entry, perhaps without knowledge, for every key."""
    place = np.minimum(np.searchsorted(template.key, key), max(len(template.key) - 1, 0))
    if len(template.key) and (template.key[place] == key).all():
        return template
    missing = np.setdiff1d(key, template.key)
    keys = np.concatenate([template.key, missing])
    order = np.argsort(keys)
    nothing = np.zeros(len(missing))
    return StrengthTemplate(
        keys[order],
        np.concatenate([template.mean_dbhz, nothing])[order],
        np.concatenate([template.variance_db2, nothing + _PRIOR_DB**2])[order],
        np.concatenate([template.observed_s, nothing])[order],
    )


def _learned(
    template: StrengthTemplate, place: IntArray, cn0_dbhz: FloatArray, away_db: FloatArray, weight_s: FloatArray
) -> StrengthTemplate:
    """Return the template after observations of its entries ``place``, each for so many seconds."""
    count = len(template.key)
    total_s = template.observed_s + np.bincount(place, weight_s, minlength=count)
    safe_s = np.where(total_s > 0.0, total_s, 1.0)
    change = np.bincount(place, weight_s * (cn0_dbhz - template.mean_dbhz[place]), minlength=count)
    # The prior stands for a minute of observations.
    surprise = np.bincount(place, weight_s * (away_db**2 - template.variance_db2[place]), minlength=count)
    return StrengthTemplate(
        template.key,
        template.mean_dbhz + change / safe_s,
        template.variance_db2 + surprise / (safe_s + _MOST_S),
        np.minimum(total_s, _LONGEST_S),
    )
