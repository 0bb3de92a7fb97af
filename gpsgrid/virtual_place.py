"""One master moved to one place at one network epoch, and which of its satellites can be trusted there.

Nothing is carried from epoch to epoch here; that is the business of ``virtual_stream``.
"""

from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.network_view import NetworkView
from gpsgrid.snapshot import field_points
from models.atmosphere import zwd_at
from models.field.cell import difference
from models.observables import observables
from models.reduction import Reduced, reduce_epoch
from models.virtual_station import VirtualGeometry, virtual_epoch, virtual_geometry
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch


@dataclass(frozen=True)
class VirtualPolicy:
    """Limits of what a virtual station sends.

    Attributes:
        maximum_distance_m: Of the master.
        nearest_distance_m: Of the master, where only the nearest base can be sent: beyond, its ionosphere is no help.
        minimum_elevation_rad: Satellites below, at the place or at the master, are left out.
        maximum_sd_m: Of the slant ionosphere between place and master, against the best known satellite of the system;
            a satellite that is less certain is left out. A quarter of the shortest wavelength.
        minimum_satellites: With fewer the network's corrections are no position.
        switch_ratio: Another master has to be nearer by this factor,
        switch_s: for so long,
        switch_held_share: and the network has to hold the integers of so many of the satellites between the two,
        switch_latest_s: unless that has taken so long, before the stream changes over to it.
        step_m, step_m_per_s: Largest change of a satellite's correction against the others' between two epochs; beyond,
            its lock time starts anew, as after a slip.
        residue_cyc: How far from an integer the phases of two masters may differ at a change.
        longest_gap_s: A stream that was silent for longer starts anew.
    """

    maximum_distance_m: float = 120_000.0
    nearest_distance_m: float = 60_000.0
    minimum_elevation_rad: float = float(np.radians(8.0))
    maximum_sd_m: float = 0.05
    minimum_satellites: int = 5
    switch_ratio: float = 0.8
    switch_s: float = 60.0
    switch_held_share: float = 0.8
    switch_latest_s: float = 900.0
    step_m: float = 0.05
    step_m_per_s: float = 0.001
    residue_cyc: float = 0.15
    longest_gap_s: float = 95.0


@dataclass(frozen=True, eq=False)
class Placed:
    """The observations of a master as they would have been at a place.

    Attributes:
        epoch: All satellites that both see, trusted or not, at the time of the network epoch.
        satellite: Satellites of the epoch, ascending, shape ``(n,)``.
        elevation_rad: At the place, shape ``(n,)``.
        sd_m: Of the slant ionosphere that was applied, against the best satellite of the system, shape ``(n,)``.
        correction_m: Atmosphere that was applied to a code on L1, shape ``(n,)``.
        zwd_sd_m: Of the difference of the zenith wet delays.
        corrected: Whether the network's atmosphere was applied.
        ionosphere_m: The slant ionosphere among the corrections, on L1, shape ``(n,)``.
        zwd_m: Zenith wet delay less nominal at the place.
        zwd_place_sd_m: Of it.
    """

    epoch: StationEpoch
    satellite: IntArray
    elevation_rad: FloatArray
    sd_m: FloatArray
    correction_m: FloatArray
    zwd_sd_m: float
    corrected: bool
    ionosphere_m: FloatArray
    zwd_m: float
    zwd_place_sd_m: float


def placed(
    policy: VirtualPolicy, view: NetworkView, master: str, position_m: FloatArray, *, corrected: bool, clock_m: float
) -> Placed:
    """Move a master to a place.

    Args:
        policy: Limits.
        view: Network epoch; the master takes part in it.
        master: Station.
        position_m: Antenna reference point, ECEF, shape ``(3,)``.
        corrected: Whether the network's atmosphere is applied; otherwise only geometry and model troposphere.
        clock_m: Moves the receiver clock against the master's.
    """
    snapshot = view.snapshot
    reduced = _all_reduced(view, master)
    geometry = virtual_geometry(
        _above(policy, reduced, reduced.elevation_rad), snapshot.ephemerides, position_m, clock_m
    )
    geometry = _at_place(policy, geometry)
    base = geometry.master
    ionosphere_m, covariance = difference(view.posterior, geometry.points, field_points(base))
    index = snapshot.state.stations.index(master)
    zwd_m, zwd_covariance = zwd_at(snapshot.policy, snapshot.state, position_m, index)
    if not corrected:
        ionosphere_m, zwd_m = np.zeros_like(ionosphere_m), np.full(2, zwd_m[1])
    epoch = virtual_epoch(view.raw[master], geometry, view.calibrations[master], ionosphere_m, zwd_m)
    wet_m = geometry.wet_mapping * zwd_m[0] - base.wet_mapping * zwd_m[1]
    return Placed(
        _retagged(epoch, snapshot.time_ns),
        base.satellite,
        geometry.elevation_rad,
        reference_sd_m(base.satellite // 100, covariance * snapshot.inflation),
        ionosphere_m + wet_m,
        float(np.sqrt(max(np.array([1.0, -1.0]) @ zwd_covariance @ np.array([1.0, -1.0]), 0.0))),
        corrected,
        ionosphere_m,
        float(zwd_m[0]),
        float(np.sqrt(max(zwd_covariance[0, 0], 0.0))),
    )


def _all_reduced(view: NetworkView, master: str) -> Reduced:
    """Return a station with all its satellites, those included that the network filter does not use."""
    snapshot = view.snapshot
    raw = observables(view.raw[master])
    raw = raw.rows(~np.isin(raw.satellite, snapshot.wrong_orbits))
    if np.isin(raw.satellite // 100, snapshot.policy.systems).all():
        return snapshot.reduced[master]
    point_m = view.network.station(master).reference_point_m
    return reduce_epoch(raw, snapshot.ephemerides, point_m, view.calibrations[master])


def _above(policy: VirtualPolicy, reduced: Reduced, elevation_rad: FloatArray) -> Reduced:
    return reduced.rows(elevation_rad >= policy.minimum_elevation_rad)


def _at_place(policy: VirtualPolicy, geometry: VirtualGeometry) -> VirtualGeometry:
    """Return the geometry without satellites that are too low at the place."""
    keep: BoolArray = geometry.elevation_rad >= policy.minimum_elevation_rad
    if keep.all():
        return geometry
    return replace(
        geometry,
        master=geometry.master.rows(keep),
        elevation_rad=geometry.elevation_rad[keep],
        wet_mapping=geometry.wet_mapping[keep],
        points=geometry.points.take(np.flatnonzero(keep)),
        change_m=geometry.change_m[keep],
        rate_m_s=geometry.rate_m_s[keep],
    )


def _retagged(epoch: StationEpoch, time_ns: int) -> StationEpoch:
    """Return the same observations under another time tag; a tag is a reading of the receiver's clock."""
    if epoch.time_ns == time_ns:
        return epoch
    change_m = (time_ns - epoch.time_ns) / NS_PER_S * SPEED_OF_LIGHT_M_S
    return replace(
        epoch,
        time_ns=time_ns,
        pseudorange_m=epoch.pseudorange_m + change_m,
        phase_cyc=epoch.phase_cyc + change_m * epoch.frequency_hz / SPEED_OF_LIGHT_M_S,
    )


def reference_sd_m(system: IntArray, covariance_m2: FloatArray) -> FloatArray:
    """Return how uncertain each satellite is against the one of its system that serves the others best.

    What all satellites have in common is a clock to a rover. Half of the variance of the best pair stands for the
    reference itself.

    Args:
        system: Constellation of each satellite, shape ``(n,)``.
        covariance_m2: Shape ``(n, n)``.

    Returns:
        Shape ``(n,)``; infinite for a satellite that is alone in its system.
    """
    sd_m = np.full(len(system), np.inf)
    variance = np.diagonal(covariance_m2)
    pairs = np.maximum(variance[:, None] + variance[None, :] - 2.0 * covariance_m2, 0.0)
    for one in np.unique(system):
        rows = np.flatnonzero(system == one)
        if len(rows) < 2:
            continue
        among = pairs[np.ix_(rows, rows)]
        best = int(np.argmin(np.median(among, axis=0)))
        to_best = among[:, best].copy()
        to_best[best] = 0.5 * np.min(np.delete(to_best, best))
        sd_m[rows] = np.sqrt(to_best)
    return sd_m
