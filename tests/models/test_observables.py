"""The choice of carriers against a slow twin that walks over rows, on recorded and on made-up epochs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.observables import MISSING, SLOTS, ionosphere_factor, observables
from stations.edge.files import load_observations
from stations.epoch import make_epoch
from stations.signals import SIGNALS, Constellation, frequency_of, satellite_name, signal_of

C_M_S = 299_792_458.0
# RINEX codes from the one that is liked best to the least, a line a carrier.
ORDER = {
    "G": (["1C", "1W", "1P", "1L", "1X"], ["2W", "2P", "2L", "2X", "2S", "2C"], ["5Q", "5X", "5I"]),
    "R": (["1C", "1P"], ["2P", "2C"], []),
    "E": (["1C", "1X", "1B"], ["5Q", "5X", "5I"], ["7Q", "7X", "7I"]),
    "J": (["1C", "1L", "1X"], ["2L", "2X", "2S"], ["5Q", "5X", "5I"]),
    "C": (["2I", "2X", "2Q", "1P", "1X", "1D"], ["6I", "6X", "6Q"], ["5P", "5X", "5D", "7I", "7X", "7Q"]),
}
# MHz, from the interface documents; per slot, where a slot has one frequency.
SLOT_MHZ = {
    "G": ({1575.42}, {1227.60}, {1176.45}),
    "E": ({1575.42}, {1176.45}, {1207.14}),
    "J": ({1575.42}, {1227.60}, {1176.45}),
    "C": ({1561.098, 1575.42}, {1268.52}, {1176.45, 1207.14}),
}
RECORDED = (
    "sim-city/CI00.crx.gz",
    "sim-city/CRB2.crx.gz",
    "short-baseline-2024/base.obs.gz",
    "nl-2021-001/delf0010a.21d.gz",
    "nl-2021-001/wsra0010a.21d.gz",
)


@pytest.fixture(scope="module", params=RECORDED)
def recorded(request, shared_data):
    """Epochs across a recorded file, two neighbours each time."""
    epochs = load_observations([shared_data / request.param]).epochs
    return [epochs[k + step] for k in range(0, len(epochs) - 1, len(epochs) // 6) for step in (0, 1)]


def observables_slow(epoch):
    """Return, per satellite that can be used, what every slot holds: a dict of dicts of plain numbers."""
    found = {}
    for row in range(len(epoch)):
        name = satellite_name(int(epoch.satellite[row]))
        code = SIGNALS[int(epoch.signal[row])].code
        values = (epoch.pseudorange_m[row], epoch.phase_cyc[row], epoch.frequency_hz[row])
        if name[0] not in ORDER or any(np.isnan(value) for value in values):
            continue
        for slot, codes in enumerate(ORDER[name[0]]):
            if code not in codes:
                continue
            slots = found.setdefault(int(epoch.satellite[row]), {})
            best = slots.get(slot)
            if best is None or codes.index(code) < codes.index(SIGNALS[int(epoch.signal[best])].code):
                slots[slot] = row
    usable = {}
    for satellite in sorted(found):
        if 0 in found[satellite] and len(found[satellite]) > 1:
            usable[satellite] = found[satellite]
    return usable


def _assert_equal_to_slow(epoch):
    fast, slow = observables(epoch), observables_slow(epoch)
    assert fast.time_ns == epoch.time_ns
    assert fast.satellite.tolist() == list(slow)
    for column, (satellite, slots) in enumerate(slow.items()):
        assert fast.pair[:, column].tolist() == [0, 1 if 1 in slots else 2]
        assert fast.lock_ms[column] == min(epoch.lock_ms[row] for row in slots.values())
        assert fast.half_cycle[column] == any(epoch.half_cycle[row] for row in slots.values())
        for slot in range(SLOTS):
            where = f"{satellite_name(satellite)} slot {slot}"
            numbers = [fast.wavelength_m, fast.code_m, fast.phase_m, fast.cn0_dbhz, fast.mu]
            got = [table[slot, column] for table in numbers]
            if slot not in slots:
                assert fast.signal[slot, column] == MISSING, where
                assert np.isnan(got).all(), where
                continue
            row = slots[slot]
            length_m = C_M_S / epoch.frequency_hz[row]
            wanted = [
                length_m,
                epoch.pseudorange_m[row],
                epoch.phase_cyc[row] * length_m,
                epoch.cn0_dbhz[row],
                (1575.42e6 / epoch.frequency_hz[row]) ** 2,
            ]
            assert fast.signal[slot, column] == epoch.signal[row], where
            # One product or quotient each: the last bits.
            np.testing.assert_allclose(got, wanted, rtol=1e-14, err_msg=where)


# ------------------------------------------------------------------------------------------------------------ recorded


def test_recorded_epochs_equal_the_slow_twin(recorded):
    """On every kind of receiver there is, the columns are those that plain loops over the rows find."""
    for epoch in recorded:
        _assert_equal_to_slow(epoch)
    assert max(len(observables(epoch).satellite) for epoch in recorded) >= 8


def test_slots_are_carriers_of_one_satellite(recorded):
    """Physics: codes of all slots agree within the ionosphere and biases; phases in metres move as the codes do."""
    for before, after in zip(recorded[::2], recorded[1::2], strict=True):
        one, two = observables(before), observables(after)
        spread_m = np.nanmax(one.code_m, axis=0) - np.nanmin(one.code_m, axis=0)
        assert spread_m.max() < 100.0  # a slant ionosphere of a bad day on L5
        _, i, k = np.intersect1d(one.satellite, two.satellite, return_indices=True)
        same = (one.signal[:, i] == two.signal[:, k]) & (one.signal[:, i] >= 0)
        same &= (two.lock_ms[k] > 0) & ((after.time_ns - before.time_ns) < 31_000_000_000)
        moved_m = (two.phase_m[:, k] - one.phase_m[:, i]) - (two.code_m[:, k] - one.code_m[:, i])
        # Code noise and multipath; a wrong wavelength would show: satellites move 20 km in 30 s, 0.8 km in 1 s, and
        # even neighbouring FDMA channels differ by 0.04 %.
        assert np.median(np.abs(moved_m[same])) < 2.0
    for epoch in recorded:
        raw = observables(epoch)
        for column, satellite in enumerate(raw.satellite):
            for slot, allowed in enumerate(SLOT_MHZ.get(satellite_name(int(satellite))[0], ())):
                if raw.signal[slot, column] >= 0:
                    mhz = C_M_S / raw.wavelength_m[slot, column] / 1e6
                    assert any(abs(mhz - one) < 1e-6 for one in allowed)


# ------------------------------------------------------------------------------------------------------------- made up

_NUMBER = st.one_of(st.just(np.nan), st.floats(-1e8, 1e8, allow_nan=False))


@st.composite
def _epochs(draw):
    """Return an epoch of any signals of any satellites; any value may be missing, FDMA channels too."""
    satellites = draw(st.lists(st.integers(0, 6).flatmap(lambda s: st.integers(100 * s + 1, 100 * s + 6)), max_size=5))
    rows = []
    for satellite in sorted(set(satellites)):
        system = Constellation(satellite // 100)
        numbers = [number for number, signal in SIGNALS.items() if signal.constellation is system]
        chosen = draw(st.lists(st.sampled_from(numbers), unique=True, max_size=8))
        channel = draw(st.one_of(st.none(), st.integers(-7, 6)))
        for number in chosen:
            known_hz = frequency_of(SIGNALS[number], channel)
            rows.append((satellite, number, known_hz))
    count = len(rows)

    def column(strategy):
        return np.array(draw(st.lists(strategy, min_size=count, max_size=count)))

    satellite, signal, frequency_hz = (np.array([row[k] for row in rows]) for k in range(3))
    epoch = make_epoch(
        draw(st.integers(0, 2**61)),
        satellite,
        signal,
        column(_NUMBER),
        column(_NUMBER),
        column(_NUMBER),
        column(st.integers(0, 2**40)),
        column(st.booleans()),
        None,
        frequency_hz,
    )
    unknown = column(st.integers(0, 9)) == 0
    return replace(epoch, frequency_hz=np.where(unknown, np.nan, epoch.frequency_hz))


@settings(max_examples=120, deadline=None)
@given(_epochs())
def test_made_up_epochs_equal_the_slow_twin(epoch):
    """Any subset of signals with any gaps, also an epoch of nothing."""
    _assert_equal_to_slow(epoch)


def _epoch(name, *codes, missing=None, lock_ms=None, half=()):
    """Return an epoch of one satellite; ``missing`` is a pair of code and column that is NaN."""
    system = Constellation("GRESJCI".index(name[0]))
    count = len(codes)
    columns = {
        "pseudorange_m": 2e7 + np.arange(count),
        "phase_cyc": 1e8 + np.arange(count),
        "cn0_dbhz": np.full(count, 45.0),
    }
    if missing:
        columns[missing[1]][codes.index(missing[0])] = np.nan
    return make_epoch(
        10**18,
        np.full(count, 100 * system + int(name[1:])),
        np.array([signal_of(system, code).number for code in codes]),
        columns["pseudorange_m"],
        columns["phase_cyc"],
        columns["cn0_dbhz"],
        np.arange(count) + 1000 if lock_ms is None else np.array(lock_ms),
        np.array([code in half for code in codes]),
    )


def _codes(raw, column=0):
    return [SIGNALS[int(number)].code if number >= 0 else "" for number in raw.signal[:, column]]


@pytest.mark.parametrize(
    ("name", "tracked", "missing", "expected"),
    [
        ("G05", ["2L", "1C", "2W"], None, ["1C", "2W", ""]),
        ("G05", ["2X", "1C", "2L"], None, ["1C", "2L", ""]),
        ("G05", ["1C", "2L", "2W"], ("2W", "phase_cyc"), ["1C", "2L", ""]),
        ("G05", ["1C", "2L", "2W"], ("2W", "pseudorange_m"), ["1C", "2L", ""]),
        ("G05", ["1C", "1W", "2W"], ("1C", "pseudorange_m"), ["1W", "2W", ""]),
        ("G05", ["1C", "2L", "2W"], ("2W", "cn0_dbhz"), ["1C", "2W", ""]),
        ("E11", ["1X", "7Q", "5X", "1C", "5Q"], None, ["1C", "5Q", "7Q"]),
        ("C21", ["1P", "2I", "6I", "5P", "7I"], None, ["2I", "6I", "5P"]),
        ("C21", ["1P", "6I", "7I"], None, ["1P", "6I", "7I"]),
        ("C30", ["1P", "5P"], None, ["1P", "", "5P"]),
        ("J02", ["1C", "2L", "5Q"], None, ["1C", "2L", "5Q"]),
        ("G05", ["1C", "5Q"], None, ["1C", "", "5Q"]),
    ],
)
def test_the_best_signal_of_a_carrier_is_taken(name, tracked, missing, expected):
    """Preference within a carrier, and the next best where code or phase is missing; C/N0 may be unknown."""
    assert _codes(observables(_epoch(name, *tracked, missing=missing))) == expected


@pytest.mark.parametrize(
    ("name", "tracked"),
    [("G05", ["2W", "5Q"]), ("G05", ["1C"]), ("E11", ["1C", "6C"]), ("R03", ["1C", "2P"]), ("S21", ["1C", "5I"])],
)
def test_too_little_is_left_out(name, tracked):
    """No first carrier, a single one, carriers without a slot, an unknown channel, a system without slots."""
    raw = observables(_epoch(name, *tracked))
    assert len(raw.satellite) == 0
    for values in (raw.signal, raw.wavelength_m, raw.code_m, raw.phase_m, raw.cn0_dbhz, raw.mu):
        assert values.shape == (SLOTS, 0)
    assert raw.pair.shape == (2, 0)
    assert raw.lock_ms.shape == raw.half_cycle.shape == (0,)
    assert raw.half_cycle.dtype == bool
    assert raw.signal.dtype.kind == raw.lock_ms.dtype.kind == "i"


def test_the_third_slot_stands_in_for_the_second():
    """A pair is the first carrier and the next that is there."""
    assert observables(_epoch("G05", "1C", "5Q")).pair[:, 0].tolist() == [0, 2]
    assert observables(_epoch("G05", "1C", "2W", "5Q")).pair[:, 0].tolist() == [0, 1]


def test_lock_and_half_cycles_are_of_the_chosen_signals_only():
    """The shortest lock and any half cycle count, but not those of a signal that is not used."""
    raw = observables(_epoch("G05", "1C", "2W", "5Q", lock_ms=[700, 900, 300], half=("5Q",)))
    assert raw.lock_ms[0] == 300
    assert raw.half_cycle[0]
    raw = observables(_epoch("G05", "1C", "2W", "2L", lock_ms=[700, 900, 5], half=("2L",)))
    assert raw.lock_ms[0] == 700
    assert not raw.half_cycle[0]


def test_rows_takes_rows(recorded):
    """Masks and index arrays, in any order, of every column."""
    raw = observables(recorded[0])
    count = len(raw.satellite)
    backwards = np.arange(count)[::-2]
    mask = np.arange(count) % 3 == 1
    for keep, wanted in ((backwards, backwards.tolist()), (mask, np.flatnonzero(mask).tolist()), (mask & False, [])):
        some = raw.rows(keep)
        assert some.time_ns == raw.time_ns
        for name in ("satellite", "lock_ms", "half_cycle"):
            assert getattr(some, name).tolist() == [getattr(raw, name)[k] for k in wanted]
        for name in ("signal", "wavelength_m", "code_m", "phase_m", "cn0_dbhz", "mu", "pair"):
            table = getattr(raw, name)
            expected = np.array([[line[k] for k in wanted] for line in table]).reshape(len(table), len(wanted))
            np.testing.assert_array_equal(getattr(some, name), expected)


def test_the_ionosphere_factor_is_of_gps_l1():
    """One at L1, 1.647 at L2 and 1.793 at L5 (IS-GPS-200N 20.3.3.3.3.2 names 77/60 squared)."""
    assert ionosphere_factor(np.array([C_M_S / 1575.42e6]))[0] == pytest.approx(1.0, abs=1e-14)
    assert ionosphere_factor(np.array([C_M_S / 1227.60e6]))[0] == pytest.approx((77 / 60) ** 2, abs=1e-12)
    assert ionosphere_factor(np.array([C_M_S / 1176.45e6]))[0] == pytest.approx((154 / 115) ** 2, abs=1e-12)
