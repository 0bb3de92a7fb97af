"""The observation equations of a session: double differences of one epoch as linear functions of its state.

Not here: what is done with them (`models.session_update`) and how the state is laid out (`models.session_state`).
"""

from dataclasses import dataclass

import numpy as np

from models.double_difference import DoubleDifferences, double_differences
from models.observables import SLOTS, ionosphere_factor
from models.reduction import Reduced
from models.rover import CLOCK_DRIFT_M_PER_S, IONOSPHERE_WALK_M_PER_SQRT_S, Corrections
from models.session_state import POSITION, ZWD, SessionPolicy, SessionState, ambiguity_index, ionosphere_index
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S

_SAME_CARRIER_M = 1e-6
_SAME_EPOCH_S = 0.005  # time tags differ from the round epoch by the clocks


@dataclass(frozen=True)
class MasterFindings:
    """What the network has found out about its observations at the master, satellite by satellite.

    Attributes:
        station: Name of the master.
        doubtful: Observations that the network doubts, shape ``(n,)``.
        slipped: Phases that slipped at its last epoch, shape ``(n,)``.
        followed: Network epochs since it began with these ambiguities, -1 where it has none, shape ``(n,)``.
    """

    station: str
    doubtful: BoolArray
    slipped: BoolArray
    followed: IntArray


@dataclass(frozen=True)
class SessionEpoch:
    """One epoch of a rover with what the network says about it.

    Attributes:
        rover, master: The same satellites in the same order, at least two of each system.
        corrections: For these satellites, as of the master's epoch.
        reference_m: Where ``rover`` was reduced, ECEF, shape ``(3,)``.
        findings: About the master.
    """

    rover: Reduced
    master: Reduced
    corrections: Corrections
    reference_m: FloatArray
    findings: MasterFindings

    @property
    def station(self) -> str:
        """Name of the master."""
        return self.findings.station


@dataclass(frozen=True)
class Equations:
    """The linear model of an epoch.

    Attributes:
        double: Rows, operator and wavelengths of the double differences.
        arcs: Of the satellites of the epoch, shape ``(n,)``.
        ambiguity: Where the ambiguity of each single difference stands in the state, -1 for codes, shape ``(m,)``.
        design: Derivative of the single differences by the state, shape ``(m, state)``.
        value_m: Single differences, shape ``(m,)``.
        factor: Elevation factor of the variance, of rover and master together, shape ``(m,)``.
        shared_m2: What the age of the network epoch adds, the same error in all rows of a satellite, ``(m, m)``;
            ``None`` when both are of one epoch.
        elevation_rad: Shape ``(n,)``.
    """

    double: DoubleDifferences
    arcs: IntArray
    ambiguity: IntArray
    design: FloatArray
    value_m: FloatArray
    factor: FloatArray
    shared_m2: FloatArray | None
    elevation_rad: FloatArray

    @property
    def integer_rows(self) -> FloatArray:
        """Combinations of the state that are integers: double-differenced ambiguities, shape ``(a, state)``."""
        phase = np.flatnonzero(~self.double.is_code)
        rows = np.zeros((len(phase), self.design.shape[1]))
        rows[np.arange(len(phase)), self.ambiguity[phase]] = 1.0
        operator = self.double.operator[:, phase]
        both: FloatArray = operator[np.any(operator != 0.0, axis=1)] @ rows
        return both


def single_phases_m(epoch: SessionEpoch) -> FloatArray:
    """Return reduced phases rover minus master on carriers that both track, otherwise NaN, shape ``(slot, n)``."""
    return np.where(_common(epoch), epoch.rover.phase_m[:SLOTS] - epoch.master.phase_m[:SLOTS], np.nan)


def wavelengths_m(epoch: SessionEpoch) -> FloatArray:
    """Return the wavelengths of carriers that both track, otherwise NaN, shape ``(slot, n)``."""
    return np.where(_common(epoch), epoch.rover.raw.wavelength_m[:SLOTS], np.nan)


def _common(epoch: SessionEpoch) -> BoolArray:
    one, two = epoch.rover.raw.wavelength_m[:SLOTS], epoch.master.raw.wavelength_m[:SLOTS]
    common: BoolArray = np.abs(one - two) < _SAME_CARRIER_M  # false where one is NaN
    return common


def new_ambiguities_cyc(state: SessionState, epoch: SessionEpoch, arcs: IntArray, known: BoolArray) -> FloatArray:
    """Return what phase minus code says about ambiguities, on the level that each carrier has in the state.

    Args:
        state: With all satellites of the epoch.
        epoch: Observations.
        arcs: Of its satellites, shape ``(n,)``.
        known: Ambiguities that go on, from which the level is taken, shape ``(slot, n)``.

    Returns:
        Cycles, shape ``(slot, n)``. Clock steps that move codes and not phases are in the level.
    """
    wavelength_m = wavelengths_m(epoch)
    code_m = epoch.rover.code_m[:SLOTS] - epoch.master.code_m[:SLOTS]
    delay_m = ionosphere_factor(wavelength_m) * epoch.corrections.ionosphere_m
    value = (single_phases_m(epoch) - code_m + 2.0 * delay_m) / wavelength_m
    system = epoch.rover.satellite // 100
    for slot in range(SLOTS):
        there = np.isfinite(value[slot])
        carriers = np.rint(np.nan_to_num(wavelength_m[slot]) / _SAME_CARRIER_M) * 100 + system
        for carrier in np.unique(carriers[there]):
            mine = there & (carriers == carrier)
            going_on = mine & known[slot]
            if going_on.any():
                before = state.mean[ambiguity_index(arcs[going_on], np.full(going_on.sum(), slot))]
                value[slot, mine] -= np.median(value[slot, going_on] - before)
    return value


def equations(policy: SessionPolicy, state: SessionState, epoch: SessionEpoch, arcs: IntArray) -> Equations:
    """Return the observation equations of an epoch.

    Args:
        policy: Constants.
        state: With all satellites of the epoch.
        epoch: Observations.
        arcs: Of its satellites, shape ``(n,)``.
    """
    rover, master = epoch.rover, epoch.master
    double = double_differences(rover, master)
    row, count = double.row, len(double.row)
    wet = np.stack([rover.wet_mapping, -master.wet_mapping])[:, row]
    place = np.arange(count)
    design = np.zeros((count, len(state.mean)))
    design[:, POSITION] = -rover.unit[row]
    design[:, ZWD] = wet.T
    design[place, ionosphere_index(arcs)[row]] = double.delay
    ambiguity = np.where(double.is_code, -1, ambiguity_index(arcs[row], double.slot))
    phase = np.flatnonzero(~double.is_code)
    design[phase, ambiguity[phase]] = rover.raw.wavelength_m[double.slot[phase], row[phase]]
    value_m = double.value_m
    # The position of the state starts from its origin, the observations from where they were reduced.
    value_m = value_m + design[:, POSITION] @ (epoch.reference_m - state.origin_m)
    own, other = (elevation_variance_m2(1.0, one.elevation_rad) for one in (rover, master))
    factor = own + other * np.where(epoch.findings.doubtful, policy.doubtful_factor**2, 1.0)
    return Equations(
        double,
        arcs,
        ambiguity,
        design,
        value_m,
        factor[row],
        _aged_m2(epoch, double),
        rover.elevation_rad,
    )


def _aged_m2(epoch: SessionEpoch, double: DoubleDifferences) -> FloatArray | None:
    """Return the covariance that grows with the age of the master's epoch, shape ``(m, m)``."""
    age_s = abs(epoch.rover.raw.time_ns - epoch.master.raw.time_ns) / NS_PER_S
    if age_s < _SAME_EPOCH_S:
        return None
    row = double.row
    same = row[:, None] == row[None, :]
    walk = IONOSPHERE_WALK_M_PER_SQRT_S**2 * age_s * epoch.rover.slant_factor**2
    aged: FloatArray = same * ((CLOCK_DRIFT_M_PER_S * age_s) ** 2 + walk[row] * np.outer(double.delay, double.delay))
    return aged
