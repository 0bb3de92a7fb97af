"""Bad network observations on purpose: seeded, in windows of minutes, at the level of the field's input rows.

What happens to an arc of a station and a satellite in a bad window:

- *jump* (half of them): the integers are wrong by small whole numbers, so the slant ionosphere is off by a step of the
  two carriers' lattice; for L1/L2 (1, 1) is 83 mm, (2, 2) 167 mm, (1, 0) 294 mm, (0, 1) 378 mm;
- *multipath* (a quarter): a drift and a slow swing, centimetres;
- *noise* (a quarter): centimetres, new in every epoch.

The validity flags are side information, not an oracle: `ContaminationPolicy` states how often they are right. Dirt and
flags are drawn once for all shares, so that what is bad at 15 % is bad at 30 %, too, and in the same way.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.field.solve import FieldObservations
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.signals import SIGNALS, satellite_name

_L1_HZ: Final = 1575.42e6  # IS-GPS-200, the carrier that delays are stated on
_JUMP, _MULTIPATH = 0, 1  # kinds; 2 is noise
_RECEIVER: Final = 1_000_000  # integers per station, as in `gpsgrid.solver.RECEIVERS`


@dataclass(frozen=True)
class ContaminationPolicy:
    """How dirt looks and how well it is noticed.

    Attributes:
        window_s: An arc is good or bad for so long.
        kinds: Shares of jump, multipath and noise among bad windows.
        steps_cyc: Wrong integers on the two carriers of a jump, shape ``(step, 2)``; the sign is drawn.
        step_shares: How often each.
        drift_m, swing_m: Multipath: largest drift over a window and amplitude, zenith, metres.
        swing_period_s: Shortest and longest period.
        noise_m: Smallest and largest standard deviation of noise, slant, metres.
        detection: Share of the bad windows of each kind that are flagged.
        false_alarm: Share of the good windows that are flagged.
    """

    window_s: float = 300.0
    kinds: tuple[float, float, float] = (0.5, 0.25, 0.25)
    steps_cyc: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (1, 0), (0, 1))
    step_shares: tuple[float, ...] = (0.55, 0.2, 0.125, 0.125)
    drift_m: float = 0.06
    swing_m: tuple[float, float] = (0.02, 0.06)
    swing_period_s: tuple[float, float] = (120.0, 600.0)
    noise_m: tuple[float, float] = (0.03, 0.1)
    detection: tuple[float, float, float] = (0.93, 0.7, 0.85)
    false_alarm: float = 0.10


@dataclass(frozen=True, eq=False)
class Contamination:
    """What was drawn, for every epoch, station and satellite.

    Attributes:
        policy: What it was drawn from.
        satellites: Satellite integers, ascending, (sat,).
        badness: A window is bad at a share above this, (epoch, station, sat), 0 to 1.
        kind: 0 jump, 1 multipath, 2 noise, (epoch, station, sat).
        step_cyc: Wrong integers of a jump, (epoch, station, sat, 2).
        zenith_m: Multipath at the zenith, (epoch, station, sat).
        slant_m: Noise, (epoch, station, sat).
        hit: A bad row is flagged, (epoch, station, sat).
        alarm: A good row is flagged, (epoch, station, sat).
    """

    policy: ContaminationPolicy
    satellites: IntArray
    badness: FloatArray
    kind: IntArray
    step_cyc: IntArray
    zenith_m: FloatArray
    slant_m: FloatArray
    hit: BoolArray
    alarm: BoolArray

    def apply(self, epoch: int, observations: FieldObservations, share: float) -> tuple[FieldObservations, BoolArray]:
        """Return the observations of an epoch with dirt and flags, and which rows are bad.

        A row that was not clean before stays so.

        Args:
            epoch: Index among the epochs that the dirt was drawn for.
            observations: Rows of the field, n.
            share: Of bad windows, 0 to 1; at 0 nothing is changed, not even by false alarms.

        Raises:
            ValueError: The share is none, or a satellite is unknown.
        """
        if not 0.0 <= share <= 1.0:
            message = f"share of bad windows is {share!r}, expected 0 to 1"
            raise ValueError(message)
        satellite = observations.points.satellite
        column = np.minimum(np.searchsorted(self.satellites, satellite), len(self.satellites) - 1)
        strange = self.satellites[column] != satellite
        if strange.any():
            message = f"nothing was drawn for {satellite_name(int(satellite[strange][0]))}; draw for all satellites"
            raise ValueError(message)
        if share == 0.0:
            return observations, np.zeros(len(observations), dtype=np.bool_)
        at = (epoch, observations.station // _RECEIVER, column)
        bad = self.badness[at] < share
        kind = self.kind[at]
        jump_m = lattice_step_m(observations.station % _RECEIVER, self.step_cyc[at])
        multipath_m = self.zenith_m[at] * observations.points.slant_factor
        error_m = np.where(kind == _JUMP, jump_m, np.where(kind == _MULTIPATH, multipath_m, self.slant_m[at]))
        flagged = np.where(bad, self.hit[at], self.alarm[at])
        dirty = FieldObservations(
            observations.points,
            observations.station,
            observations.value_m + np.where(bad, error_m, 0.0),
            observations.noise_var_m2,
            observations.clean & ~flagged,
        )
        return dirty, bad


def draw(
    rng: np.random.Generator,
    times_ns: IntArray,
    stations: int,
    satellites: IntArray,
    policy: ContaminationPolicy | None = None,
) -> Contamination:
    """Draw dirt for a sequence of epochs.

    Args:
        rng: Randomness.
        times_ns: Epochs, (epoch,), ascending.
        stations: How many there are.
        satellites: Integers, (sat,), ascending.
        policy: By default `ContaminationPolicy()`.
    """
    policy = ContaminationPolicy() if policy is None else policy
    arcs = (stations, len(satellites))
    elapsed_s = (times_ns - times_ns[0]) / NS_PER_S
    # Every arc has its own phase, so that windows do not change all at once.
    phase_s = rng.uniform(0.0, policy.window_s, arcs)
    place_s = elapsed_s[:, None, None] + phase_s
    window = np.floor(place_s / policy.window_s).astype(np.int64)
    within = place_s / policy.window_s - window
    shape = (int(window.max()) + 1, *arcs)
    station, satellite = np.indices(arcs)
    at = (window, station, satellite)

    kind = rng.choice(3, size=shape, p=policy.kinds)
    step = np.array(policy.steps_cyc)[rng.choice(len(policy.steps_cyc), size=shape, p=policy.step_shares)]
    step = step * rng.choice([-1, 1], size=shape)[..., None]
    drift_m = rng.uniform(-policy.drift_m, policy.drift_m, shape)
    swing_m = rng.uniform(*policy.swing_m, shape)
    turn = rng.uniform(0.0, 2.0 * np.pi, shape)
    period_s = rng.uniform(*policy.swing_period_s, shape)
    noise_m = rng.uniform(*policy.noise_m, shape)
    hit = rng.uniform(size=shape) < np.array(policy.detection)[kind]
    alarm = rng.uniform(size=shape) < policy.false_alarm
    badness = rng.uniform(size=shape)
    swing = swing_m[at] * np.sin(2.0 * np.pi * elapsed_s[:, None, None] / period_s[at] + turn[at])
    return Contamination(
        policy,
        satellites,
        badness[at],
        kind[at],
        step[at],
        drift_m[at] * within + swing,
        noise_m[at] * rng.standard_normal(window.shape),
        hit[at],
        alarm[at],
    )


def lattice_step_m(signals: IntArray, step_cyc: IntArray) -> FloatArray:
    """Return by how much wrong integers move the slant ionosphere on L1.

    Args:
        signals: Pair of signals of each row, ``1000 * first + second``, (n,).
        step_cyc: Wrong integers on the two carriers, (n, 2).

    Source:
        Geometry-free combination, docs/conventions.md: (lambda_1 n_1 - lambda_2 n_2) / (mu_2 - mu_1).
    """
    wavelength_m = np.array([[SIGNALS[int(number)].wavelength_m for number in divmod(pair, 1000)] for pair in signals])
    wavelength_m = wavelength_m.reshape(-1, 2)
    mu = np.array([[(_L1_HZ / SIGNALS[int(n)].base_hz) ** 2 for n in divmod(pair, 1000)] for pair in signals])
    mu = mu.reshape(-1, 2)
    change_m = wavelength_m * step_cyc
    return np.asarray((change_m[:, 0] - change_m[:, 1]) / (mu[:, 1] - mu[:, 0]))
