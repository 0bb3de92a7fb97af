"""What a rover's session carries from epoch to epoch: its layout, how time passes, how satellites come and go.

State vector, in this order: position less an origin (3), velocity (3, in use for one motion model only), zenith wet
delays of rover and of master less nominal (2), then per satellite the slant ionosphere (metres on L1) and one ambiguity
per carrier slot (cycles). Ionosphere and ambiguities are differences rover minus master.
Ambiguities are single differences with a free level per carrier: no reference satellite, so none can be lost. Clocks
are not in the state; the update takes double differences.

Nothing here knows observations. Rule for maintainers: every change of the layout lives in this file.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from models.observables import SLOTS
from models.rover import RoverPolicy, cautious
from stations.arrays import BoolArray, FloatArray, IntArray

HEAD = 8
POSITION, VELOCITY, ZWD = slice(0, 3), slice(3, 6), slice(6, 8)
PER_ARC = 1 + SLOTS


class Motion(StrEnum):
    """What is assumed of the rover between epochs."""

    FREE = "free"
    STATIC = "static"
    VELOCITY = "velocity"


@dataclass(frozen=True)
class SessionPolicy:
    """Constants of a session.

    Attributes:
        rover: Noise, elevations, systems and limits of a fix, as for single epochs.
        motion: What is assumed between epochs.
        acceleration_m_s15: White noise acceleration of ``Motion.VELOCITY``, metres per second to the 3/2.
        position_sd_m: How far the true position may be from where an epoch is linearised.
        code_factor, phase_factor: On the standard deviation of what is carried: multipath is no white noise.
        correlation_s: Of multipath; observations closer together say less than independent ones.
        lasting_share: Of the variance of one epoch that a coordinate never gets rid of: calibrations, near reflections.
        doubtful_factor: On the standard deviation of observations of the master that the network doubts.
        ionosphere_factor: On the covariance of the field.
        ionosphere_tau_s, zwd_tau_s: How long errors of the field and of the network's zenith delays last.
        walk_factor: How much faster than the field's own errors, in variance, the delays of a rover change.
        ambiguity_sd_cyc: Prior of a new ambiguity about phase minus code.
        maximum_gap_s: A satellite not seen for longer is forgotten.
        slip_floor_m, slip_slope_m: Jump of a geometry-free phase that is called a slip, plus slope over sin(elevation).
        outlier_limit: Limit of the normalised innovation of a phase or code, given all others.
        ionosphere_limit: Limit of an estimated ionosphere over the sigma of the field.
        hold_sd_cyc: With which integers are held.
        hold_epochs: Epochs in a row that must find the same integers before they are held.
        hold_probability: Largest probability of a wrong fix that is held.
        agreement_m: A single epoch and the session agree when they are not farther apart than this horizontally, three
            times as far vertically, or within four sigma.
        certain: A single epoch with at most this probability of a wrong fix may speak against the session.
        disagreements: Epochs in a row after which the session starts anew.
        start_scale, start_weight: Factor on the standard deviations of a rover of which nothing is known yet, and as
            how many residuals that counts.
        satellite_weight: As how many residuals it counts that a satellite is as the others are.
        noise_memory_s: How long residuals count.
        scales: Smallest and largest factor of a rover.
        largest_scale: Of a satellite.
        unresolved_factor: On the covariance of a field whose network has not fixed its integers: codes make it, with
            errors alike over the satellites.
        unfit_epochs: Epochs in a row in which no integers are near the float solution, after which the session starts
            anew: something it has learned is wrong.
        reset_share: Share of satellites with slips that the receiver did not report, after which it does as well.
    """

    rover: RoverPolicy = RoverPolicy()
    motion: Motion = Motion.FREE
    acceleration_m_s15: float = 1.0
    position_sd_m: float = 100.0
    code_factor: float = 3.0
    phase_factor: float = 1.5
    correlation_s: float = 30.0
    lasting_share: float = 0.25
    doubtful_factor: float = 10.0
    ionosphere_factor: float = 2.0
    ionosphere_tau_s: float = 1200.0
    zwd_tau_s: float = 7200.0
    walk_factor: float = 8.0
    ambiguity_sd_cyc: float = 30.0
    maximum_gap_s: float = 95.0
    slip_floor_m: float = 0.03
    slip_slope_m: float = 0.015
    outlier_limit: float = 5.0
    ionosphere_limit: float = 5.0
    hold_sd_cyc: float = 1e-3
    hold_epochs: int = 3
    hold_probability: float = 1e-3
    agreement_m: float = 0.04
    certain: float = 1e-3
    disagreements: int = 2
    start_scale: float = 1.5
    start_weight: float = 100.0
    satellite_weight: float = 8.0
    noise_memory_s: float = 120.0
    scales: tuple[float, float] = (0.7, 6.0)
    largest_scale: float = 20.0
    unfit_epochs: int = 10
    unresolved_factor: float = 10.0
    reset_share: float = 0.5


def cautious_session(policy: SessionPolicy) -> SessionPolicy:
    """Return a policy for the first minutes of a network, before it holds its own integers: nothing is held."""
    return replace(
        policy,
        rover=cautious(policy.rover),
        hold_probability=0.0,
        ionosphere_factor=policy.unresolved_factor * policy.ionosphere_factor,
    )


@dataclass(frozen=True)
class SessionState:
    """What is carried.

    Attributes:
        time_ns: Last epoch; -1 before the first.
        started_ns: First epoch since the session (re)started, -1 before.
        master: Station of the single differences.
        origin_m: Of the position, ECEF, shape ``(3,)``.
        mean, covariance: Shapes ``(state,)``, ``(state, state)``.
        satellite, seen_ns, rover_lock_ms, master_lock_ms, followed: Shape ``(arc,)``, satellites ascending.
        phase_m: Reduced single differences at the last observation, shape ``(slot, arc)``.
        wavelength_m: Of carriers whose ambiguity is in use, otherwise NaN, shape ``(slot, arc)``.
        fresh: Ambiguities nothing was learned of yet, shape ``(slot, arc)``.
        found_rows, found: Integer combinations of the last accepted fix, shapes ``(k, state)``, ``(k,)``.
        found_epochs: Epochs in a row with the same integers.
        disagreements: Epochs in a row in which a single epoch spoke against the session.
        unfit: Epochs in a row in which no integers were near the float solution.
        wrong_probability: That what is held is wrong; NaN when nothing is.
        restarts: How often the session started anew because it was wrong.
        told_m2: Variance of the ionosphere that the field last told of each satellite, NaN where it is to be told anew,
            shape ``(arc,)``.
        zwd_told_m2: The same of the zenith delays, shape ``(2,)``.
        noise: Squared residuals of codes and of phases over what was expected, and how much was expected, both fading,
            by satellite, shape ``(2, 2, arc)``: see ``models.session_noise``.
    """

    time_ns: int
    started_ns: int
    master: str
    origin_m: FloatArray
    mean: FloatArray
    covariance: FloatArray
    satellite: IntArray
    seen_ns: IntArray
    rover_lock_ms: IntArray
    master_lock_ms: IntArray
    followed: IntArray
    phase_m: FloatArray
    wavelength_m: FloatArray
    fresh: BoolArray
    found_rows: FloatArray
    found: IntArray
    found_epochs: int = 0
    disagreements: int = 0
    unfit: int = 0
    wrong_probability: float = float("nan")
    restarts: int = 0
    told_m2: FloatArray = field(default_factory=lambda: np.zeros(0))
    zwd_told_m2: FloatArray = field(default_factory=lambda: np.full(2, np.nan))
    noise: FloatArray = field(default_factory=lambda: np.zeros((2, 2, 0)))


def init() -> SessionState:
    """Return the state before the first epoch."""
    none = np.zeros(0, dtype=np.int64)
    slots = np.zeros((SLOTS, 0))
    return SessionState(
        -1,
        -1,
        "",
        np.zeros(3),
        np.zeros(HEAD),
        np.zeros((HEAD, HEAD)),
        none,
        none,
        none,
        none,
        none,
        slots,
        slots,
        np.zeros((SLOTS, 0), dtype=np.bool_),
        np.zeros((0, HEAD)),
        none,
    )


def ionosphere_index(arcs: IntArray) -> IntArray:
    """Return where the ionosphere of these arcs stands in the state vector; ambiguities follow."""
    return HEAD + PER_ARC * arcs


def ambiguity_index(arcs: IntArray, slot: IntArray) -> IntArray:
    """Return where ambiguities stand in the state vector, shape as the arguments."""
    return HEAD + PER_ARC * arcs + 1 + slot


def drop_arcs(state: SessionState, gone: BoolArray) -> SessionState:
    """Return the state without some satellites (mask of shape ``(arc,)``)."""
    if not gone.any():
        return state
    keep = np.flatnonzero(~gone)
    index = np.concatenate([np.arange(HEAD), (ionosphere_index(keep)[:, None] + np.arange(PER_ARC)).ravel()])
    lost = np.setdiff1d(np.arange(len(state.mean)), index)
    known = ~np.any(state.found_rows[:, lost] != 0.0, axis=1)
    return replace(
        state,
        mean=state.mean[index],
        covariance=state.covariance[np.ix_(index, index)],
        satellite=state.satellite[keep],
        seen_ns=state.seen_ns[keep],
        rover_lock_ms=state.rover_lock_ms[keep],
        master_lock_ms=state.master_lock_ms[keep],
        followed=state.followed[keep],
        phase_m=state.phase_m[:, keep],
        wavelength_m=state.wavelength_m[:, keep],
        fresh=state.fresh[:, keep],
        told_m2=state.told_m2[keep],
        noise=state.noise[:, :, keep],
        found_rows=state.found_rows[np.ix_(known, index)],
        found=state.found[known],
    )


def add_arcs(state: SessionState, satellites: IntArray) -> SessionState:
    """Return the state with further satellites, ascending, that it does not have; nothing is known of them."""
    if not len(satellites):
        return state
    joint = np.concatenate([state.satellite, satellites])
    order = np.argsort(joint)
    old, new = len(state.satellite), len(satellites)
    place = np.empty(old + new, dtype=np.int64)
    place[order] = np.arange(old + new)
    index = np.concatenate([np.arange(HEAD), (ionosphere_index(place[:old])[:, None] + np.arange(PER_ARC)).ravel()])
    size = HEAD + PER_ARC * (old + new)
    mean, covariance = np.zeros(size), np.zeros((size, size))
    mean[index] = state.mean
    covariance[np.ix_(index, index)] = state.covariance
    rows = np.zeros((len(state.found_rows), size))
    rows[:, index] = state.found_rows

    def whole(values: IntArray) -> IntArray:
        return np.concatenate([values, np.zeros(new, dtype=np.int64)])[order]

    def slots(values: FloatArray) -> FloatArray:
        return np.concatenate([values, np.full((SLOTS, new), np.nan)], axis=1)[:, order]

    return replace(
        state,
        mean=mean,
        covariance=covariance,
        satellite=joint[order],
        seen_ns=whole(state.seen_ns),
        rover_lock_ms=whole(state.rover_lock_ms),
        master_lock_ms=whole(state.master_lock_ms),
        followed=whole(state.followed),
        phase_m=slots(state.phase_m),
        wavelength_m=slots(state.wavelength_m),
        fresh=np.concatenate([state.fresh, np.ones((SLOTS, new), dtype=np.bool_)], axis=1)[:, order],
        found_rows=rows,
        told_m2=np.concatenate([state.told_m2, np.full(new, np.nan)])[order],
        noise=np.concatenate([state.noise, np.zeros((2, 2, new))], axis=2)[:, :, order],
    )


def reset_ambiguities(
    state: SessionState, arcs: IntArray, slot: IntArray, value_cyc: FloatArray, sd_cyc: float
) -> SessionState:
    """Return the state with ambiguities about which nothing is known but a value; shapes ``(n,)``."""
    if not len(arcs):
        return state
    index = ambiguity_index(arcs, slot)
    mean, covariance, fresh = state.mean.copy(), state.covariance.copy(), state.fresh.copy()
    mean[index] = value_cyc
    covariance[index, :] = 0.0
    covariance[:, index] = 0.0
    covariance[index, index] = sd_cyc**2
    fresh[slot, arcs] = True
    known = ~np.any(state.found_rows[:, index] != 0.0, axis=1)
    return replace(
        state,
        mean=mean,
        covariance=covariance,
        fresh=fresh,
        found_rows=state.found_rows[known],
        found=state.found[known],
    )
