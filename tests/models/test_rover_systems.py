"""The single-epoch rover on several systems and carriers against dense least squares with explicit clocks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.observables import MISSING, Observables
from models.reduction import Reduced
from models.rover import Corrections, RoverPolicy, RoverStatus, _solve_float, common_rows, solve
from stations.signals import SIGNALS, Constellation, signal_of

POLICY = RoverPolicy()
L1_HZ = 1575.42e6
MOVED_M = np.array([0.8, -1.1, 0.6])
TWO = {Constellation.GPS: ("1C", "2W", None), Constellation.GALILEO: ("1C", "5Q", None)}
THREE = {
    Constellation.GPS: ("1C", "2W", "5Q"),
    Constellation.GALILEO: ("1C", "5Q", "7Q"),
    Constellation.BEIDOU: ("2I", "6I", "5P"),
}


class Scene:
    """Rover and master in one epoch with the truth; a clock of each receiver per system, carrier and type."""

    def __init__(self, systems, *, seed=0, satellites=6, iono_sd_m=0.012, ragged=False):
        rng = np.random.default_rng(seed)
        number = np.concatenate([100 * int(system) + np.arange(1, satellites + 1) for system in systems])
        count = len(number)
        elevation, azimuth = np.arcsin(rng.uniform(0.3, 0.98, count)), rng.uniform(0, 2 * np.pi, count)
        horizontal = np.cos(elevation)
        unit = np.stack([np.sin(azimuth) * horizontal, np.cos(azimuth) * horizontal, np.sin(elevation)], axis=-1)
        signal, wavelength_m = np.full((3, count), MISSING), np.full((3, count), np.nan)
        for column, satellite in enumerate(number):
            for slot, code in enumerate(systems[Constellation(int(satellite) // 100)]):
                if code and not (ragged and slot and rng.random() < 0.3):
                    chosen = signal_of(Constellation(int(satellite) // 100), code)
                    signal[slot, column], wavelength_m[slot, column] = chosen.number, chosen.wavelength_m
        spread = np.sqrt(1 + 1 / np.sin(elevation) ** 2)
        slant = 1 / np.sqrt(1 - (0.94 * np.cos(elevation)) ** 2)
        self.covariance_m2 = iono_sd_m**2 * (0.5 * np.eye(count) + 0.5) * np.outer(slant, slant)
        error_m = np.linalg.cholesky(self.covariance_m2) @ rng.normal(size=count)
        true_m = 0.1 * rng.normal(size=count) * slant
        self.integers = rng.integers(-1000, 1000, (3, count))
        mu = (wavelength_m * L1_HZ / 299_792_458.0) ** 2
        ends = []
        for rover in (True, False):
            clock_m = np.zeros((2, 3, count))
            for system in systems:
                clock_m[:, :, number // 100 == system] = rng.normal(0, 300.0, (2, 3, 1))
            noise = rng.normal(size=(2, 3, count)) * spread
            common = (-unit @ MOVED_M if rover else 0.0) + 1 / np.sin(elevation) * (0.05 if rover else 0.03)
            ionosphere_m = true_m if rover else 0.0
            code_m = clock_m[0] + common + mu * ionosphere_m + POLICY.code_sd_m * noise[0]
            phase_m = clock_m[1] + common - mu * ionosphere_m + POLICY.phase_sd_m * noise[1]
            phase_m = phase_m + (wavelength_m * self.integers if rover else 0.0)
            nothing = np.zeros(count, dtype=bool)
            raw = Observables(
                10**18,
                number,
                signal.copy(),
                wavelength_m,
                code_m,
                phase_m,
                np.where(signal >= 0, 45.0, np.nan),
                np.full(count, 10**6),
                nothing,
            )
            empty = np.where(signal >= 0, 0.0, np.nan)
            ends.append(
                Reduced(
                    raw,
                    np.zeros(3),
                    2e7 * unit,
                    unit,
                    elevation,
                    azimuth,
                    1 / np.sin(elevation),
                    slant,
                    np.zeros((count, 3)),
                    code_m + empty,
                    phase_m + empty,
                )
            )
        self.rover, self.master = ends
        zwd_sd_m = np.array([0.004, 0.002])
        zwd_m = np.array([0.05, 0.03]) + zwd_sd_m * rng.normal(size=2)
        self.corrections = Corrections(true_m + error_m, self.covariance_m2, zwd_m, np.diag(zwd_sd_m**2))
        self.reference_m = np.array([3.9e6, 0.4e6, 4.99e6])

    def some(self, keep, slots=3):
        """Return rover, master and corrections of some rows and slots."""
        c = self.corrections
        ends = []
        for one in (self.rover.rows(keep), self.master.rows(keep)):
            raw = one.raw
            tables = ("signal", "wavelength_m", "code_m", "phase_m", "cn0_dbhz")
            raw = replace(raw, **{name: getattr(raw, name)[:slots] for name in tables})
            ends.append(replace(one, raw=raw, code_m=one.code_m[:slots], phase_m=one.phase_m[:slots]))
        block = c.ionosphere_covariance_m2[np.ix_(keep, keep)]
        return (*ends, Corrections(c.ionosphere_m[keep], block, c.zwd_m, c.zwd_covariance_m2))

    def float(self, keep=None, slots=3):
        """Return the float solution of some rows and slots."""
        keep = np.arange(len(self.rover.satellite)) if keep is None else keep
        return _solve_float(POLICY, *self.some(keep, slots))


def explicit(scene):
    """Return position, its covariance and single-difference ambiguities, with everything else as an unknown too.

    Unknowns: position, ionosphere per satellite, two zenith delays, a clock per system, carrier and type, and an
    integer per satellite and carrier. Rows are whitened one by one and handed to an SVD.
    """
    rover, master, c = scene.rover, scene.master, scene.corrections
    count = len(rover.satellite)
    clocks, ambiguities, rows = {}, {}, []
    for is_code in (True, False):
        for slot in range(3):
            for s in range(count):
                one, two = int(rover.raw.signal[slot, s]), int(master.raw.signal[slot, s])
                if one < 0 or two < 0 or SIGNALS[one].frequency_hz != SIGNALS[two].frequency_hz:
                    continue
                hz = SIGNALS[one].frequency_hz
                clock = clocks.setdefault((int(rover.satellite[s]) // 100, hz, is_code), len(clocks))
                integer = None if is_code else ambiguities.setdefault((slot, s), len(ambiguities))
                rows.append((is_code, slot, s, hz, clock, integer, is_code and one != two))
    first_clock = 5 + count
    first_integer = first_clock + len(clocks)
    size = first_integer + len(ambiguities)
    lines, values = [], []
    for is_code, slot, s, hz, clock, integer, mixed in rows:
        line = np.zeros(size)
        line[:3] = -rover.unit[s]
        line[3 + s] = (L1_HZ / hz) ** 2 * (1 if is_code else -1)
        line[3 + count], line[4 + count] = rover.wet_mapping[s], -master.wet_mapping[s]
        line[first_clock + clock] = 1.0
        if integer is not None:
            line[first_integer + integer] = 299_792_458.0 / hz
        name = "code_m" if is_code else "phase_m"
        value = getattr(rover, name)[slot, s] - getattr(master, name)[slot, s]
        variance = (POLICY.code_sd_m if is_code else POLICY.phase_sd_m) ** 2
        variance *= sum(1 + 1 / np.sin(one.elevation_rad[s]) ** 2 for one in (rover, master))
        sd = np.sqrt(variance + (0.5**2 if mixed else 0.0))
        lines.append(line / sd)
        values.append(value / sd)
    white = np.linalg.solve(np.linalg.cholesky(c.ionosphere_covariance_m2), np.eye(count))
    prior = np.zeros((count + 2, size))
    prior[:count, 3 : 3 + count] = white
    prior[count:, 3 + count : 5 + count] = np.diag(1 / np.sqrt(np.diagonal(c.zwd_covariance_m2)))
    matrix = np.vstack([np.array(lines), prior])
    believed = np.concatenate([c.ionosphere_m, c.zwd_m])
    right = np.concatenate([values, prior[:, 3 : 5 + count] @ believed])
    solution = np.linalg.lstsq(matrix, right, rcond=1e-13)[0]
    cofactor = np.linalg.pinv(matrix.T @ matrix, rcond=1e-15, hermitian=True)
    integers = {key: solution[first_integer + k] for key, k in ambiguities.items()}
    return solution[:3], cofactor[:3, :3], integers


def _assert_equal_to_explicit(scene):
    part = scene.float()
    position_m, covariance_m2, integers = explicit(scene)
    # Minimum norm over the common level of clocks and integers; the position is unique. Clocks of 500 m: 1e-9 m.
    np.testing.assert_allclose(part.mean[:3], position_m, rtol=0, atol=1e-6)
    np.testing.assert_allclose(part.covariance[:3, :3], covariance_m2, rtol=1e-4, atol=1e-7)
    rover = scene.rover
    ambiguity, pivots = 0, {}
    for line, lengths in zip(part.model.operator, part.model.ambiguity_m, strict=True):
        if not lengths.any():
            continue
        ends = [part.model.row[int(np.flatnonzero(line == sign)[0])] for sign in (1.0, -1.0)]
        (slot,) = np.flatnonzero(np.abs(rover.raw.wavelength_m[:, ends[0]] - lengths.max()) < 1e-9)
        expected = integers[slot, ends[0]] - integers[slot, ends[1]]
        assert part.mean[3 + ambiguity] == pytest.approx(expected, abs=1e-5)
        pivots.setdefault((int(rover.satellite[ends[0]]) // 100, int(slot)), set()).add(int(ends[1]))
        ambiguity += 1
    assert ambiguity == len(part.mean) - 3
    assert all(len(one) == 1 for one in pivots.values())
    return part, pivots


@pytest.mark.parametrize(("systems", "groups"), [(TWO, 4), (THREE, 9)])
@pytest.mark.parametrize("ragged", [False, True])
def test_float_equals_explicit_least_squares(systems, groups, ragged):
    """Two systems on two carriers, three on three, with gaps or without: position, covariance, ambiguities, pivots."""
    for seed in range(3):
        _, pivots = _assert_equal_to_explicit(Scene(systems, seed=seed, ragged=ragged))
        assert len(pivots) == groups


def test_mixed_codes_weigh_less():
    """L2L of the rover against L2W of the master: as the explicit solution with half a metre more, and less certain."""
    scene = Scene(TWO, seed=4)
    before = scene.float().covariance[:3, :3]
    scene.rover.raw.signal[1, [1, 3, 4]] = signal_of(Constellation.GPS, "2L").number
    part, _ = _assert_equal_to_explicit(scene)
    assert np.count_nonzero(part.model.mixed) == 3
    more = np.linalg.eigvalsh(part.covariance[:3, :3] - before)
    assert more.min() > -1e-12
    assert more.max() > 1e-6


def test_mixed_codes_with_their_bias_are_no_outliers():
    """A bias of 1.6 m of a mixed code costs no satellite; under one name the satellite is thrown out."""
    dropped = {}
    for code in ("2L", "2W"):
        scene = Scene(THREE, seed=5)
        scene.rover.raw.signal[1, 1] = signal_of(Constellation.GPS, code).number
        scene.rover.code_m[1, 1] += 1.6
        solution = solve(POLICY, scene.rover, scene.master, scene.corrections, scene.reference_m)
        assert solution.status is RoverStatus.FIXED
        assert np.linalg.norm(solution.position_m - scene.reference_m - MOVED_M) < 0.05
        dropped[code] = solution.dropped.tolist()
    assert dropped == {"2L": [], "2W": [2]}


@pytest.mark.parametrize("seed", range(4))
def test_more_systems_never_make_it_worse(seed):
    """The formal covariance with one more system, or one more carrier, is never larger in any direction."""
    scene = Scene(THREE, seed=seed, ragged=True)
    system = scene.rover.satellite // 100
    rows = [np.flatnonzero(np.isin(system, list(THREE)[:count])) for count in (1, 2, 3)]
    chain = [scene.float(rows[0], slots=2), *(scene.float(keep) for keep in rows)]
    for less, more in pairwise(chain):
        gain = np.linalg.eigvalsh(less.covariance[:3, :3] - more.covariance[:3, :3])
        assert gain.min() > -1e-10  # inverses of matrices whose largest elements are 0.1 m2
        assert gain.max() > 1e-6


def test_all_systems_are_fixed_rightly():
    """Sixty epochs of three systems on three carriers: fixed, right, and as honest as the covariance says."""
    squares = []
    for seed in range(60):
        scene = Scene(THREE, seed=100 + seed, satellites=4)
        solution = solve(POLICY, scene.rover, scene.master, scene.corrections, scene.reference_m)
        if solution.status is not RoverStatus.FIXED:
            continue
        error_m = solution.position_m - scene.reference_m - MOVED_M
        assert np.linalg.norm(error_m[:2]) < 0.05
        squares.append(error_m @ np.linalg.solve(solution.covariance_m2, error_m))
    assert len(squares) >= 54
    assert 0.7 < np.mean(squares) / 3.0 < 1.3  # sigma 11 %


def test_common_rows_are_of_the_systems_in_use():
    """Systems outside the policy are left out, as GLONASS is by default, and what may be half a cycle off."""
    scene = Scene(THREE, seed=1)
    policy = replace(POLICY, systems=(Constellation.GPS, Constellation.BEIDOU))
    scene.master.raw.half_cycle[0] = True
    rows, base_rows = common_rows(policy, scene.rover, scene.master)
    np.testing.assert_array_equal(rows, base_rows)
    assert set(scene.rover.satellite[rows] // 100) == {0, 5}
    assert scene.rover.satellite[rows].tolist() == [2, 3, 4, 5, 6, 501, 502, 503, 504, 505, 506]
    assert Constellation.GLONASS not in POLICY.systems


def test_every_further_system_costs_a_satellite():
    """Four GPS and two Galileo have four differences, as five GPS would: enough; a lone Galileo adds nothing."""
    scene = Scene(TWO, seed=2)
    for keep, enough in (([0, 1, 2, 3, 6, 7], True), ([0, 1, 2, 3, 6], False), ([0, 1, 2, 6, 7], False)):
        rover, master, corrections = scene.some(np.array(keep))
        solution = solve(POLICY, rover, master, corrections, scene.reference_m)
        assert (solution.status is not RoverStatus.NONE) is enough
