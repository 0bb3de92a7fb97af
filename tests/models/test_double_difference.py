"""Double differences of any systems and carriers against explicit loops, and the geometry that must cancel in them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.double_difference import double_differences, with_company
from models.observables import MISSING, Observables
from models.reduction import Reduced
from stations.signals import SIGNALS, Constellation, signal_of

L1_HZ = 1575.42e6


def receiver(rows, elevation_rad, rng):
    """Return a receiver that tracks, per satellite, codes by slot: ``{7: ("1C", "2W", None)}``."""
    satellites = np.array(sorted(rows), dtype=np.int64)
    count = len(satellites)
    signal = np.full((3, count), MISSING)
    wavelength_m = np.full((3, count), np.nan)
    for column, satellite in enumerate(satellites):
        for slot, code in enumerate(rows[int(satellite)]):
            if code:
                chosen = signal_of(Constellation(int(satellite) // 100), code)
                signal[slot, column], wavelength_m[slot, column] = chosen.number, chosen.wavelength_m
    empty = np.where(signal >= 0, 0.0, np.nan)
    code_m = empty + rng.normal(0, 100.0, signal.shape)
    phase_m = empty + rng.normal(0, 100.0, signal.shape)
    raw = Observables(
        10**18,
        satellites,
        signal,
        wavelength_m,
        code_m,
        phase_m,
        empty + 45.0,
        np.full(count, 10**6),
        np.zeros(count, dtype=bool),
    )
    elevation_rad = np.asarray(elevation_rad, dtype=np.float64)
    return Reduced(
        raw,
        np.zeros(3),
        rng.normal(size=(count, 3)),
        rng.normal(size=(count, 3)),
        elevation_rad,
        np.zeros(count),
        1.0 / np.sin(elevation_rad),
        np.ones(count),
        np.zeros((count, 3)),
        code_m,
        phase_m,
    )


def loops(rover, master):
    """Return double differences one by one, as a list of dicts."""
    found = []
    for is_code in (True, False):
        for slot in range(3):
            groups = {}  # by system and frequency, the shorter wavelength first
            for k, satellite in enumerate(rover.satellite):
                one, two = int(rover.raw.signal[slot, k]), int(master.raw.signal[slot, k])
                if one >= 0 and two >= 0 and SIGNALS[one].frequency_hz == SIGNALS[two].frequency_hz:
                    groups.setdefault((int(satellite) // 100, -SIGNALS[one].frequency_hz), []).append(k)
            for (_, hz), common in sorted(groups.items()):
                pivot = max(common, key=lambda k: rover.elevation_rad[k])
                for k in common:
                    if k == pivot:
                        continue
                    name = "code_m" if is_code else "phase_m"
                    single = [getattr(rover, name)[slot, i] - getattr(master, name)[slot, i] for i in (k, pivot)]
                    signals = [(rover.raw.signal[slot, i], master.raw.signal[slot, i]) for i in (k, pivot)]
                    found.append(
                        {
                            "code": is_code,
                            "slot": slot,
                            "pair": (k, pivot),
                            "value": single[0] - single[1],
                            "delay": (1 if is_code else -1) * (L1_HZ / hz) ** 2,
                            "length": 299_792_458.0 / -hz,
                            "mixed": [bool(is_code and ours != theirs) for ours, theirs in signals],
                        }
                    )
    return found


def _assert_equal_to_loops(rover, master):
    model, expected = double_differences(rover, master), loops(rover, master)
    count, phases = len(expected), sum(not one["code"] for one in expected)
    assert model.operator.shape == (count, len(model.row))
    assert model.ambiguity_m.shape == (count, phases)
    for name in ("is_code", "mixed", "value_m", "delay"):
        assert getattr(model, name).shape == model.row.shape
    assert model.is_code.dtype == model.mixed.dtype == model.pivots.dtype == bool
    ambiguity = 0
    for k, one in enumerate(expected):
        plus, minus = np.flatnonzero(model.operator[k] == 1.0), np.flatnonzero(model.operator[k] == -1.0)
        assert (len(plus), len(minus), np.count_nonzero(model.operator[k])) == (1, 1, 2)
        ends = [int(plus[0]), int(minus[0])]
        assert tuple(model.row[ends]) == one["pair"]
        assert model.is_code[ends].tolist() == [one["code"]] * 2
        assert model.mixed[ends].tolist() == one["mixed"]
        np.testing.assert_allclose(model.delay[ends], one["delay"], rtol=1e-12)
        assert model.operator[k] @ model.value_m == pytest.approx(one["value"], abs=1e-9)
        wanted = np.zeros(phases)
        if not one["code"]:
            wanted[ambiguity] = one["length"]
            ambiguity += 1
        np.testing.assert_allclose(model.ambiguity_m[k], wanted, rtol=1e-12)
    assert set(np.flatnonzero(model.pivots)) == {one["pair"][1] for one in expected}
    return model


FULL = {
    1: ("1C", "2W", "5Q"),
    2: ("1C", "2W", None),
    3: ("1C", "2L", "5Q"),
    4: ("1C", None, "5X"),
    201: ("1C", "5Q", "7Q"),
    202: ("1X", "5X", "7X"),
    203: ("1C", "5Q", None),
    501: ("2I", "6I", "7I"),
    502: ("2I", "6I", "5P"),
    503: ("1P", None, "5P"),
}
OTHER = {
    1: ("1C", "2W", "5X"),
    2: ("1W", "2L", None),
    3: ("1C", "2L", "5Q"),
    4: ("1C", "2W", "5Q"),
    201: ("1C", "5Q", "7Q"),
    202: ("1C", "5Q", "7Q"),
    203: ("1C", None, "7Q"),
    501: ("2I", "6I", "7I"),
    502: ("2I", "6I", "7I"),
    503: ("2I", "6I", "5P"),
}


def test_three_systems_equal_the_loops(rng):
    """Values, ends, derivatives and marks of every double difference, in the order code before phase, slot, system."""
    elevation = rng.uniform(0.2, 1.5, len(FULL))
    model = _assert_equal_to_loops(receiver(FULL, elevation, rng), receiver(OTHER, elevation, rng))
    assert len(model.operator) == 2 * (6 + 4 + 3)  # L1 E1 B1I 3 + 2 + 1, L2 E5a B3I 2 + 1 + 1, L5 E5b B2b 2 + 1 + 0
    assert len(model.operator) == len(model.ambiguity_m)


@st.composite
def _pairs(draw):
    """Return what rover and master track of the same satellites, anything."""
    codes = {
        0: (("1C", "1W"), ("2W", "2L", None), ("5Q", "5X", None)),
        2: (("1C", "1X"), ("5Q", "5X", None), ("7Q", None)),
        5: (("2I", "1P"), ("6I", None), ("5P", "7I", None)),
    }
    satellites = draw(st.lists(st.sampled_from([100 * s + n for s in codes for n in range(1, 5)]), unique=True))
    tracked = st.fixed_dictionaries({s: st.tuples(*map(st.sampled_from, codes[s // 100])) for s in satellites})
    both = draw(tracked), draw(tracked)
    elevation = draw(st.permutations([0.2 + 0.1 * k for k in range(len(satellites))]))
    return both, elevation


@settings(max_examples=100, deadline=None)
@given(_pairs())
def test_any_pair_of_receivers_equals_the_loops(pair):
    """Any signals of any satellites; empty slots, single satellites and no satellite at all."""
    (one, two), elevation = pair
    rng = np.random.default_rng(1)
    _assert_equal_to_loops(receiver(one, elevation, rng), receiver(two, elevation, rng))


def test_receiver_clocks_and_satellite_clocks_cancel(rng):
    """Physics: a clock per receiver, system, carrier and type, and anything common to a satellite, drop out."""
    elevation = rng.uniform(0.2, 1.5, len(FULL))
    rover, master = (receiver(rows, elevation, rng) for rows in (FULL, OTHER))
    before = double_differences(rover, master)
    system = rover.satellite // 100
    for one in (rover, master):
        for values in (one.code_m, one.phase_m):
            for name in np.unique(system):
                values[:, system == name] += rng.normal(0, 1e4, (3, 1))
    for values in ("code_m", "phase_m"):
        common = rng.normal(0, 1e4, (3, len(system)))
        for one in (rover, master):
            getattr(one, values)[:] += common
    after = double_differences(rover, master)
    assert np.abs(after.value_m - before.value_m).min() > 1.0
    # Sums of numbers of 1e4 m: 1e-11 m.
    np.testing.assert_allclose(after.operator @ after.value_m, before.operator @ before.value_m, rtol=0, atol=1e-9)


def test_codes_of_different_signals_are_marked(rng):
    """L2W minus L2L is mixed in code; in phase it is not, and the same signal never is."""
    rows = [{1: ("1C", "2W", None), 2: ("1C", code, None), 3: ("1C", "2W", None)} for code in ("2W", "2L")]
    model = double_differences(receiver(rows[0], [0.5, 0.7, 0.9], rng), receiver(rows[1], [0.5, 0.7, 0.9], rng))
    marked = [(bool(c), int(r)) for c, r, m in zip(model.is_code, model.row, model.mixed, strict=True) if m]
    assert marked == [(True, 1)]
    assert len(model.operator) == 8


def test_different_wavelengths_are_never_differenced(rng):
    """BeiDou B1I of one receiver and B1C of the other share a slot and nothing else; so do B2a and B2b."""
    rover = receiver({501: ("2I", "6I", "5P"), 502: ("2I", "6I", "5P"), 503: ("2I", "6I", "7I")}, [0.5, 0.6, 0.9], rng)
    master = receiver({501: ("1P", "6I", "7I"), 502: ("1P", "6I", "5P"), 503: ("1P", "6I", "7I")}, [0.5, 0.6, 0.9], rng)
    model = _assert_equal_to_loops(rover, master)
    # Only B3I is left: 502 and 503 have B2a and B2b in common, which are not the same carrier.
    b3i_m = signal_of(Constellation.BEIDOU, "6I").wavelength_m
    assert model.ambiguity_m.shape == (4, 2)
    np.testing.assert_allclose(model.ambiguity_m[model.ambiguity_m > 0], b3i_m, rtol=1e-12)


def test_whole_cycles_stay_whole_where_one_slot_has_two_carriers(rng):
    """Physics: any cycles at any satellite change double differences by whole wavelengths; B2a and B2b side by side."""
    rows = {k: ("2I", "6I", "7I" if k < 504 else "5P") for k in range(501, 508)}
    elevation = rng.uniform(0.2, 1.5, len(rows))
    rover, master = receiver(rows, elevation, rng), receiver(rows, elevation, rng)
    before = double_differences(rover, master)
    cycles = rng.integers(-100, 100, rover.phase_m.shape)
    rover.phase_m[:] += cycles * rover.raw.wavelength_m
    after = double_differences(rover, master)
    moved_m = (after.operator @ (after.value_m - before.value_m))[~after.is_code[np.argmax(after.operator, axis=1)]]
    whole = moved_m / after.ambiguity_m.max(axis=0)
    assert len(whole) == 6 + 6 + 2 + 3
    assert np.abs(np.rint(whole)).max() > 1
    # Differences of numbers of 100 m.
    np.testing.assert_allclose(whole, np.rint(whole), rtol=0, atol=1e-10)


def test_one_pivot_per_system_and_carrier(rng):
    """The highest that has the carrier: where the highest of all lacks it, another one takes its place."""
    rows = {
        1: ("1C", "2W", None),
        2: ("1C", "2W", "5Q"),
        3: ("1C", None, "5Q"),
        201: ("1C", "5Q", None),
        202: ("1C", "5Q", None),
    }
    elevation = [0.3, 0.8, 1.2, 1.5, 0.4]
    model = double_differences(receiver(rows, elevation, rng), receiver(rows, elevation, rng))
    pivots = {}
    for line in model.operator:
        end = int(np.flatnonzero(line == -1.0)[0])
        pivots.setdefault((bool(model.is_code[end]), round(abs(float(model.delay[end])), 3)), set()).add(
            int(model.row[end])
        )
    assert pivots == {
        (c, mu): set(rows) for c in (True, False) for mu, rows in ((1.0, {2, 3}), (1.647, {1}), (1.793, {2, 3}))
    }
    assert model.pivots.tolist() == [False, True, True, True, False]


def test_satellites_alone_in_their_system_are_dropped():
    """One satellite of a system has nobody to be differenced with."""
    satellite = np.array([3, 7, 203, 401, 501, 502, 503])
    np.testing.assert_array_equal(with_company(satellite, np.arange(7)), [0, 1, 4, 5, 6])
    np.testing.assert_array_equal(with_company(satellite, np.array([6, 0, 4, 2])), [6, 4])
    assert with_company(satellite, np.array([1, 2, 3])).shape == (0,)
    assert with_company(satellite, np.zeros(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({}, {}),
        ({1: ("1C", "2W", None)}, {1: ("1C", "2W", None)}),
        ({501: ("2I", None, "7I"), 502: ("2I", None, "7I")}, {501: ("1P", "6I", "5P"), 502: ("1P", "6I", "5P")}),
        ({1: ("1C", "2W", None), 201: ("1C", "5Q", None)}, {1: ("1C", "2W", None), 201: ("1C", "5Q", None)}),
    ],
)
def test_nothing_in_common(one, two, rng):
    """No satellites, a single one, no common carrier, one each of two systems: empty, with all shapes."""
    elevation = np.full(len(one), 0.8)
    model = _assert_equal_to_loops(receiver(one, elevation, rng), receiver(two, elevation, rng))
    assert model.operator.shape == (0, 0)
    assert model.ambiguity_m.shape == (0, 0)
    assert model.row.shape == (0,)
    assert not model.pivots.any()
    assert model.pivots.shape == (len(one),)


def test_two_slots_against_three(rng):
    """A receiver whose table has two slots is differenced in those."""
    rows = {1: ("1C", "2W", "5Q"), 2: ("1C", "2W", "5Q")}
    rover, master = receiver(rows, [0.5, 0.9], rng), receiver(rows, [0.5, 0.9], rng)
    raw = master.raw
    short = Observables(
        raw.time_ns,
        raw.satellite,
        raw.signal[:2],
        raw.wavelength_m[:2],
        raw.code_m[:2],
        raw.phase_m[:2],
        raw.cn0_dbhz[:2],
        raw.lock_ms,
        raw.half_cycle,
    )
    columns = [master.receiver_m, master.satellite_m, master.unit, master.elevation_rad, master.azimuth_rad]
    columns += [master.wet_mapping, master.slant_factor, master.pierce_m, master.code_m[:2], master.phase_m[:2]]
    model = double_differences(rover, Reduced(short, *columns))
    assert model.operator.shape == (4, 8)
    assert model.ambiguity_m.shape == (4, 2)
