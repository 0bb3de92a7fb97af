"""What the network filter hands on: slant ionosphere per station and satellite, zenith delays, flags.

The ionosphere handed on is the geometry-free phase less its ambiguities, epoch by epoch, with
independent noise per row and a free offset per station and per satellite: undifferenced rows, so that
a single one can be reweighted. Its noise is the real one of the phases, not the pessimistic one with
which the filter decides integers; ambiguities that are not fixed add their float variance.
"""

from dataclasses import dataclass

import numpy as np

from models.network import NetworkInfo
from models.network_state import NetworkPolicy, NetworkState, zwd_prior_m2
from models.validity import SLIP, Flag
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray

PRODUCT_PHASE_SD_M = 0.0010  # zenith phase noise of a geodetic station on a quiet site; literature 4.3
_YOUNG_EPOCHS = 3
_LOW_ELEVATION_RAD = float(np.radians(15.0))
_DIRTY = SLIP | Flag.HALF_CYCLE | Flag.INNOVATION | Flag.YOUNG | Flag.UNSTEADY | Flag.CODE | Flag.WEAK


@dataclass(frozen=True)
class StationDelays:
    """Slant ionosphere of one network epoch, one row per station and satellite, and zenith wet delays.

    Attributes:
        station: Station index, shape ``(n,)``.
        satellite: Shape ``(n,)``.
        ionosphere_m: Slant delay on L1, with a free offset per station and satellite, shape ``(n,)``.
        variance_m2: Of the above without the offsets, shape ``(n,)``.
        fixed: Whether the row's ambiguities are integers that are held, shape ``(n,)``.
        flags: ``validity.Flag`` of the row, shape ``(n,)``.
        clean: Nothing speaks against the row, shape ``(n,)``.
        zwd_m: Zenith wet delay less nominal of every station, shape ``(station,)``.
        zwd_covariance_m2: Shape ``(station, station)``.
    """

    station: IntArray
    satellite: IntArray
    ionosphere_m: FloatArray
    variance_m2: FloatArray
    fixed: BoolArray
    flags: IntArray
    clean: BoolArray
    zwd_m: FloatArray
    zwd_covariance_m2: FloatArray


def station_delays(state: NetworkState, info: NetworkInfo) -> StationDelays:
    """Return the delays that a network epoch supports, of each satellite on one pair of carriers."""
    observed = info.observed
    arc = observed.arc
    index = state.ionosphere_index(arc)
    ambiguity_m = np.stack([state.mean[index + 1], state.mean[index + 2]]) * observed.wavelength_m
    phase_m = observed.phase_m - ambiguity_m
    mu = observed.mu
    scale = 1.0 / (mu[1] - mu[0])
    ionosphere_m = (phase_m[0] - phase_m[1]) * scale
    variance = 2.0 * scale**2 * elevation_variance_m2(PRODUCT_PHASE_SD_M, observed.elevation_rad)

    position = np.full(len(state.arc_station), -1, dtype=np.int64)
    position[arc] = np.arange(len(arc))
    rows = position[info.closing]
    fixed = np.ones(len(arc), dtype=np.bool_)
    fixed[rows] = info.fixed
    float_variance = np.where(info.fixed, 0.0, (scale[rows] * info.float_sd_m) ** 2)
    variance += _float_shares(state.arc_satellite[arc], rows, info.fixed, float_variance)

    flags = observed.flags.copy()
    flags[~fixed] |= Flag.FLOAT
    flags[state.arc_epochs[arc] < _YOUNG_EPOCHS] |= Flag.YOUNG
    flags[observed.elevation_rad < _LOW_ELEVATION_RAD] |= Flag.LOW
    clean = (flags & _DIRTY) == 0
    count = len(state.stations)
    spread = np.hstack([np.ones((count, 1)), np.eye(count)])
    keep = _comparable(state.arc_satellite[arc], observed.wavelength_m)
    return StationDelays(
        state.arc_station[arc][keep],
        state.arc_satellite[arc][keep],
        ionosphere_m[keep],
        variance[keep],
        fixed[keep],
        flags[keep],
        clean[keep],
        spread @ state.mean[: 1 + count],
        spread @ state.covariance[: 1 + count, : 1 + count] @ spread.T,
    )


def _comparable(satellite: IntArray, wavelength_m: FloatArray) -> BoolArray:
    """Return which rows are on the carriers that most stations track of the satellite, shape ``(n,)``.

    The others have biases of the satellite and a datum of the ambiguities of their own, decimetres and more away,
    while the field knows one offset per satellite.
    """
    keep = np.ones(len(satellite), dtype=np.bool_)
    _, carriers = np.unique(wavelength_m, axis=1, return_inverse=True)
    carriers = carriers.ravel()
    for one in np.unique(satellite):
        mine = satellite == one
        keep[mine] = carriers[mine] == np.argmax(np.bincount(carriers[mine]))
    return keep


def _float_shares(satellite: IntArray, rows: IntArray, fixed: BoolArray, variance_m2: FloatArray) -> FloatArray:
    """Return what float ambiguities add to the variance of each row.

    A closing arc is as uncertain as its cycle, and an arc of the spanning tree is the datum. But where no cycle of a
    satellite is fixed, the error of the tree's arc is in all others of the satellite: were that row called exact, the
    field would believe their common error. Half of the smallest cycle variance is then the tree's.
    """
    share = np.zeros(len(satellite))
    share[rows] = variance_m2
    closing = np.zeros(len(satellite), dtype=np.bool_)
    closing[rows] = True
    for one in np.unique(satellite[rows]):
        mine = satellite[rows] == one
        if fixed[mine].any():
            continue
        half = 0.5 * float(variance_m2[mine].min())
        share[(satellite == one) & closing] -= half
        share[(satellite == one) & ~closing] += half
    return share


def zwd_at(
    policy: NetworkPolicy, state: NetworkState, position_m: FloatArray, master: int
) -> tuple[FloatArray, FloatArray]:
    """Return the zenith wet delays (less nominal) at a point and at a master station, with covariance.

    The point is one more station of the same Gauss-Markov prior, conditioned on what the filter knows.

    Args:
        policy: Constants of the filter.
        state: State of the filter.
        position_m: ECEF, shape ``(3,)``.
        master: Index of the master station.

    Returns:
        Mean, shape ``(2,)``: point and master, metres; covariance, shape ``(2, 2)``.

    Source:
        Rasmussen and Williams (2006), eq. 2.19, with a Gaussian belief about the conditioning values.
    """
    count = len(state.stations)
    prior = zwd_prior_m2(policy, np.vstack([state.station_m, position_m]))
    weights = np.linalg.solve(prior[:count, :count], prior[:count, count])
    rest = max(float(prior[count, count] - weights @ prior[:count, count]), 0.0)
    rows = np.zeros((2, 1 + count))
    rows[:, 0] = 1.0
    rows[0, 1:] = weights
    rows[1, 1 + master] = 1.0
    covariance = rows @ state.covariance[: 1 + count, : 1 + count] @ rows.T
    covariance[0, 0] += rest
    return rows @ state.mean[: 1 + count], covariance
