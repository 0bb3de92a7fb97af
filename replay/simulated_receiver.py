"""A receiver for simulations: its clock, noise, multipath, ambiguities, cycle slips and gaps.

``init`` and ``step`` carry what a receiver remembers; where signals come from and how long they take is not
its business (``replay.simulator``). Columns belong to all satellites of the constellation, seen or not.
"""

from dataclasses import dataclass

import numpy as np

from replay.scenario import ReceiverScenario
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S

SIGNALS = 2
_SECONDS_PER_HOUR = 3600.0
_REFERENCE_SINE = 0.5  # noise and multipath are given at 30 degrees
_TRACKED_BEFORE_S = 600
_START_CYC = 5_000_000  # raw phases start anywhere
_CN0_ZENITH_DBHZ = np.array([[51.0], [46.0]])
_CN0_LOSS_DBHZ = np.array([[14.0], [24.0]])  # towards the horizon; semi-codeless tracking loses more
_CN0_NOISE_DBHZ = 0.4


@dataclass(frozen=True)
class ReceiverState:
    """What a receiver carries from epoch to epoch; shapes with ``sat`` count the whole constellation.

    Attributes:
        time_ns: Last epoch; -1 before the first.
        clock_s: Receiver clock less GPS time.
        code_bias_m, phase_bias_cyc: Hardware delays by signal, shape ``(2,)``.
        tracked: Shape ``(sat,)``.
        locked_since_ns: Since when the lock time counts, shape ``(sat,)``.
        ambiguity_cyc: Whole cycles, shape ``(2, sat)``.
        code_multipath_m, phase_multipath_m: At 30 degrees, shape ``(2, sat)``.
        lost_until_ns: Satellites are not tracked before, shape ``(sat,)``.
        silent_until_ns: The receiver observes nothing before.
    """

    time_ns: int
    clock_s: float
    code_bias_m: FloatArray
    phase_bias_cyc: FloatArray
    tracked: BoolArray
    locked_since_ns: IntArray
    ambiguity_cyc: IntArray
    code_multipath_m: FloatArray
    phase_multipath_m: FloatArray
    lost_until_ns: IntArray
    silent_until_ns: int


@dataclass(frozen=True)
class ReceiverErrors:
    """What a receiver adds to the signals at one epoch; nothing of it is carried.

    Attributes:
        code_m, phase_cyc: Everything but geometry, atmosphere and clocks, shape ``(2, sat)``.
        cn0_dbhz: Shape ``(2, sat)``.
        lock_ms: Shape ``(sat,)``.
        slipped: Cycles were lost since the last epoch, shape ``(sat,)``.
        silently: And the lock time does not show it, shape ``(sat,)``.
    """

    code_m: FloatArray
    phase_cyc: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    slipped: BoolArray
    silently: BoolArray


def init(scenario: ReceiverScenario, satellites: int, rng: np.random.Generator) -> ReceiverState:
    """Return a receiver that is switched on and has not observed anything.

    Args:
        scenario: How good it is.
        satellites: Size of the constellation.
        rng: Its randomness, also for :func:`step`.
    """
    shape = (SIGNALS, satellites)
    return ReceiverState(
        -1,
        rng.uniform(-0.8, 0.8) * scenario.clock_limit_s,
        rng.normal(0.0, scenario.code_bias_sd_m, SIGNALS),
        rng.normal(0.0, scenario.phase_bias_sd_cyc, SIGNALS),
        np.zeros(satellites, dtype=np.bool_),
        np.zeros(satellites, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        rng.normal(0.0, scenario.code_multipath_m, shape),
        rng.normal(0.0, scenario.phase_multipath_m, shape),
        np.zeros(satellites, dtype=np.int64),
        0,
    )


def move_clock(scenario: ReceiverScenario, state: ReceiverState, time_ns: int, rng: np.random.Generator) -> float:
    """Return the receiver clock at the next epoch: a random walk, reflected at its limits."""
    if state.time_ns < 0:
        return state.clock_s
    dt_s = (time_ns - state.time_ns) / NS_PER_S
    clock_s = state.clock_s + scenario.clock_walk_s * np.sqrt(dt_s) * rng.normal()
    return float(
        np.clip(
            2.0 * np.clip(clock_s, -scenario.clock_limit_s, scenario.clock_limit_s) - clock_s,
            -scenario.clock_limit_s,
            scenario.clock_limit_s,
        )
    )


def step(
    scenario: ReceiverScenario,
    state: ReceiverState,
    time_ns: int,
    clock_s: float,
    elevation_rad: FloatArray,
    wavelength_m: FloatArray,
    rng: np.random.Generator,
) -> tuple[ReceiverState, ReceiverErrors]:
    """Take the receiver to its next epoch.

    Args:
        scenario: How good it is.
        state: From :func:`init` or the step before.
        time_ns: Time tag, later than that of the state.
        clock_s: From :func:`move_clock`.
        elevation_rad: Of all satellites, shape ``(sat,)``.
        wavelength_m: Shape ``(2,)``.
        rng: Randomness of this receiver. As much is drawn at every epoch whatever happens, so that equal seeds
            make equal noise whatever else differs.

    Returns:
        The new state, whose ``tracked`` says what was observed, and what the receiver adds.
    """
    count = len(elevation_rad)
    first = state.time_ns < 0
    dt_s = 0.0 if first else (time_ns - state.time_ns) / NS_PER_S
    white = rng.normal(size=(5, SIGNALS, count))
    chance = rng.uniform(size=(5, count))
    fresh_cyc = rng.integers(-_START_CYC, _START_CYC, size=(SIGNALS, count))
    slip_cyc = _slips(scenario, rng, count)

    silent_until_ns = state.silent_until_ns
    if chance[0, 0] < scenario.outages_per_hour * dt_s / _SECONDS_PER_HOUR:
        silent_until_ns = time_ns + int(chance[0, 1] * scenario.longest_outage_s * NS_PER_S)
    gap = chance[1] < scenario.gaps_per_hour * dt_s / _SECONDS_PER_HOUR
    gap_ns = (chance[2] * scenario.longest_gap_s * NS_PER_S).astype(np.int64)
    lost_until_ns = np.where(gap & state.tracked, time_ns + gap_ns, state.lost_until_ns)
    high = elevation_rad > np.radians(scenario.elevation_mask_deg)
    tracked = high & (lost_until_ns <= time_ns) & (silent_until_ns <= time_ns)

    slipped = tracked & state.tracked & (chance[3] < scenario.slips_per_hour * dt_s / _SECONDS_PER_HOUR)
    silently = slipped & (chance[4] < scenario.silent_slip_share)
    began = tracked & ~state.tracked
    ambiguity_cyc = np.where(began, fresh_cyc, state.ambiguity_cyc + np.where(slipped, slip_cyc, 0))
    since_ns = np.where(began | (slipped & ~silently), time_ns, state.locked_since_ns)
    if first:
        since_ns = np.full(count, time_ns - _TRACKED_BEFORE_S * NS_PER_S)

    keep = np.exp(-dt_s / scenario.multipath_s)
    drive = np.sqrt(1.0 - keep**2)
    code_multipath_m = keep * state.code_multipath_m + drive * scenario.code_multipath_m * white[0]
    phase_multipath_m = keep * state.phase_multipath_m + drive * scenario.phase_multipath_m * white[1]
    worse = _REFERENCE_SINE / np.maximum(np.sin(elevation_rad), 0.05)
    code_m = worse * (code_multipath_m + scenario.code_noise_m * white[2])
    phase_m = worse * (phase_multipath_m + scenario.phase_noise_m * white[3])
    sine = np.maximum(np.sin(elevation_rad), 0.0)
    errors = ReceiverErrors(
        code_m + state.code_bias_m[:, None],
        phase_m / wavelength_m[:, None] + ambiguity_cyc + state.phase_bias_cyc[:, None],
        _CN0_ZENITH_DBHZ - _CN0_LOSS_DBHZ * (1.0 - sine) + _CN0_NOISE_DBHZ * white[4],
        (time_ns - since_ns) // NS_PER_MS,
        slipped,
        silently,
    )
    return (
        ReceiverState(
            time_ns,
            clock_s,
            state.code_bias_m,
            state.phase_bias_cyc,
            tracked,
            since_ns,
            ambiguity_cyc,
            code_multipath_m,
            phase_multipath_m,
            lost_until_ns,
            silent_until_ns,
        ),
        errors,
    )


def _slips(scenario: ReceiverScenario, rng: np.random.Generator, count: int) -> IntArray:
    """Return candidate slips, shape ``(2, sat)``, never zero on the first signal."""
    size = rng.integers(1, scenario.largest_slip_cyc + 1, size=(SIGNALS, count))
    sign = rng.choice(np.array([-1, 1]), size=(SIGNALS, count))
    return np.asarray(size * sign, dtype=np.int64)
