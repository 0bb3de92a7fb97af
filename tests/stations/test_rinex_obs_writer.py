"""RINEX observation files written: what is read again is what was given, to the last printed digit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations import gpstime
from stations.edge.files import load_observations, read_data, write_text
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.feed import EpochReceived, Feed
from stations.rinex_header import PhaseShift
from stations.rinex_obs import read_observations
from stations.rinex_obs_writer import _SUPPORTED_CODES, StationDescription, _Body, write_observations
from stations.signals import SIGNALS, Constellation, frequencies_hz, signal_of
from tests.stations.rinex_lines_slow import SlowBody

START = gpstime.from_calendar(2021, 1, 1)
NUMBERS = [number for number, item in SIGNALS.items() if item.code in _SUPPORTED_CODES[item.constellation].split()]
STATION = StationDescription(
    marker="DELF",
    marker_number="13502M004",
    approx_position_m=(3924687.702, 301132.766, 5001910.775),
    antenna="TRM29659.00     UNAV",
    antenna_serial="0220314044",
    antenna_height_m=0.05,
    receiver="TPS ODYSSEY_E",
    receiver_serial="323-0386",
    receiver_version="3.5",
    comments=("a comment",),
)


def thousandths(low: int, high: int) -> st.SearchStrategy[float]:
    nonzero = st.integers(low, high).filter(bool).map(lambda value: value / 1000)
    return st.one_of(st.just(float("nan")), nonzero)


@st.composite
def epochs(draw: st.DrawFn) -> list[StationEpoch]:
    """Return epochs whose ages of arcs are what a reader makes of them: that is what the format can hold."""
    channels = draw(st.lists(st.integers(-7, 6), min_size=5, max_size=5))
    since: dict[tuple[int, int], int] = {}
    before: dict[tuple[int, int], int] = {}
    found = []
    for place in range(draw(st.integers(1, 4))):
        time_ns = START + place * 1_000_000_000
        pairs = draw(st.lists(st.tuples(st.sampled_from(NUMBERS), st.integers(1, 5)), max_size=12, unique=True))
        rows = []
        for signal, number in pairs:
            code = draw(thousandths(-(10**9), 10**12))
            phase = draw(thousandths(-(10**11), 10**12))
            if np.isnan(code) and np.isnan(phase):
                code = 1.0
            key, lock_ms = (signal, number), 0
            if not np.isnan(phase):
                if before.get(key) != place - 1 or draw(st.booleans()):
                    since[key] = place
                before[key] = place
                lock_ms = 1000 * (place - since[key])
            half = draw(st.booleans()) and not np.isnan(phase)
            rows.append(
                (100 * (signal // 100) + number, signal, code, phase, draw(thousandths(1000, 99000)), lock_ms, half,
                 draw(thousandths(-(10**7), 10**7)), float(channels[number - 1]))
            )  # fmt: skip
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0)] * 9
        integers = [columns[index].astype(np.int64) for index in (0, 1, 5)]
        frequency_hz = frequencies_hz(integers[1], np.where(integers[1] // 100 == 1, columns[8], np.nan))
        found.append(
            make_epoch(time_ns, integers[0], integers[1], columns[2], columns[3], columns[4], integers[2],
                       columns[6].astype(bool), columns[7], frequency_hz)
        )  # fmt: skip
    return found


@given(given_epochs=epochs())
@settings(max_examples=120, deadline=None)
def test_round_trip(given_epochs):
    if not any(len(epoch) for epoch in given_epochs):
        return
    read = read_observations(write_observations(STATION, given_epochs), "round.rnx")
    assert read.problems == []
    assert read.skipped == {}
    assert len(read.epochs) == len(given_epochs)
    for one, other in zip(given_epochs, read.epochs, strict=True):
        assert one.time_ns == other.time_ns
        for name, column in vars(one).items():
            np.testing.assert_array_equal(getattr(other, name), column, err_msg=name)


def one_epoch(time_ns: int = START, phase: float = 2.0, signal: int = 2) -> StationEpoch:
    columns = [np.array([value]) for value in (7 + 100 * (signal // 100), signal, 2e7, phase, 45.0, 0, False)]
    return make_epoch(time_ns, *columns)


def test_header_survives():
    shift = PhaseShift("G", "1C", -0.25, tuple(range(1, 14)))
    text = write_observations(
        STATION, [one_epoch()], clock_offset_s=np.array([-1.5e-4]), phase_shifts=[shift], created="20210101 000000 UTC"
    )
    read = read_observations(text, "x.rnx")
    for name in ("marker", "marker_number", "approx_position_m", "antenna", "antenna_serial", "antenna_height_m"):
        assert getattr(read, name) == getattr(STATION, name), name
    for name in ("receiver", "receiver_serial", "receiver_version"):
        assert getattr(read, name) == getattr(STATION, name), name
    assert read.clock_offset_s.tolist() == [-1.5e-4]
    assert read.phase_shifts == (shift,)
    assert all(len(line) <= 80 for line in text.split("\n")[:20])


@pytest.mark.parametrize(
    ("epochs", "what"),
    [
        ([], "at least one epoch"),
        ([one_epoch(), one_epoch()], "not later"),
        ([one_epoch(START + 1)], "seven decimals"),
        ([one_epoch(phase=1e10)], "ten digits"),
        ([one_epoch(phase=-1e9)], "ten digits"),
        ([one_epoch(signal=signal_of(Constellation.QZSS, "1E").number)], "no code in RINEX 3.04"),
        ([one_epoch(signal=99)], "no code in RINEX 3.04"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(epochs, what):
    with pytest.raises(ValueError, match=what):
        write_observations(STATION, epochs)


def test_clock_offsets_must_be_as_many_as_epochs():
    with pytest.raises(ValueError, match="2 clock offsets for 1 epochs"):
        write_observations(STATION, [one_epoch()], clock_offset_s=np.zeros(2))


@pytest.mark.parametrize("name", ["x.rnx", "x.crx", "x.crx.gz", "x.rnx.gz", "x.21o", "x.21d", "x.21d.gz", "x.21D.GZ"])
def test_suffix_says_how_it_is_compressed(tmp_path, name):
    text = write_observations(STATION, [one_epoch(START + place * 10**9) for place in range(3)])
    path = tmp_path / name
    write_text(path, text)
    data = path.read_bytes()
    assert (data[:2] == b"\x1f\x8b") == name.lower().endswith(".gz")
    assert read_data(path).decode() == text
    assert (b"COMPACT RINEX" in data) == name.startswith(("x.crx", "x.21d")) or name.lower().endswith(".gz")
    assert len(load_observations([path]).epochs) == 3
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_equal_texts_are_equal_bytes(tmp_path):
    for name in ("a.rnx.gz", "b.rnx.gz"):
        write_text(tmp_path / name, "text\n")
    assert (tmp_path / "a.rnx.gz").read_bytes() == (tmp_path / "b.rnx.gz").read_bytes()


def test_what_is_no_rinex_cannot_be_hatanaka_compressed(tmp_path):
    with pytest.raises(GpsgridError, match="cannot be Hatanaka-compressed") as raised:
        write_text(tmp_path / "x.crx", "no rinex\n")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert not list(tmp_path.iterdir())


def test_folder_that_does_not_exist(tmp_path):
    with pytest.raises(GpsgridError, match="cannot be written") as raised:
        write_text(tmp_path / "gone" / "x.rnx", "text\n")
    assert raised.value.reason is Reason.MISSING_FILE


# ---- the fast printer and its slow twin


@given(
    st.one_of(
        st.floats(-999_999_999.999, 9_999_999_999.998),
        st.integers(-(10**9), 10**12).map(lambda halves: halves / 2000),  # many of these lie on the edge of two digits
        st.integers(-64_000, 64_000).map(lambda part: part / 64_000),
        st.floats(-0.002, 0.002),
        st.sampled_from([0.0, -0.0, 0.0005, -0.0005, 0.0015, 0.4995, 0.9995, 9_999_999_999.998]),
    )
)
def test_a_number_is_printed_as_python_prints_it(value):
    epoch = made_epoch(START, [7], [2], value)
    lines = _Body({0: [2]}).epoch(epoch, float("nan")).split("\n")
    assert lines[1][3:17] == f"{value:14.3f}"


def made_epoch(time_ns, satellite, signal, value):
    rows = np.full(len(satellite), value)
    nothing, zero = np.full(len(satellite), np.nan), np.zeros(len(satellite), dtype=np.int64)
    return make_epoch(time_ns, satellite, signal, rows, nothing, nothing, zero, zero > 0, nothing, nothing)


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["short-baseline-2024/base.obs.gz", "nl-2021-001/delf0010a.21d.gz", "rtcm3/week-rollover-STR24.rtcm3"]
)
def test_real_epochs_are_printed_as_by_the_slow_twin(shared_data, name):
    if name.endswith("rtcm3"):
        feed, data = Feed("X"), (shared_data / name).read_bytes()[:200_000]
        events = feed.push(data, gpstime.from_calendar(2018, 7, 15))
        found = [event.epoch for event in events if isinstance(event, EpochReceived)]
    else:
        found = load_observations([shared_data / name]).epochs[:120]
    numbers = sorted({number for epoch in found for number in epoch.signal.tolist()})
    present = {number // 100: [one for one in numbers if one // 100 == number // 100] for number in numbers}
    fast, slow = _Body(present), SlowBody(present)
    printed = 0
    for place, epoch in enumerate(found):
        clock_s = place * 1e-7 if place % 2 else float("nan")
        # The values as they are, and with digits that have to be rounded; some rows in another order.
        for moved in (
            epoch,
            replace(epoch, pseudorange_m=epoch.pseudorange_m + place / 7000, time_ns=epoch.time_ns + 1),
        ):
            shuffled = replace(moved, time_ns=moved.time_ns // 100 * 100)
            if place % 5 == 4:
                order = np.argsort(-epoch.satellite, kind="stable")
                shuffled = shuffled.rows(order)
            text = fast.epoch(shuffled, clock_s)
            assert text == "\n".join(slow.epoch(shuffled, clock_s)) + "\n"
            printed += len(text)
    assert printed > 100_000


@given(epochs())
@settings(deadline=None)
def test_any_epochs_are_printed_as_by_the_slow_twin(found):
    numbers = sorted({number for epoch in found for number in epoch.signal.tolist()})
    present = {number // 100: [one for one in numbers if one // 100 == number // 100] for number in numbers}
    fast, slow = _Body(present), SlowBody(present)
    for epoch in found:
        if len(epoch):
            assert fast.epoch(epoch, 0.125) == "\n".join(slow.epoch(epoch, 0.125)) + "\n"


def test_a_row_that_the_header_does_not_have_is_refused():
    body = _Body({0: [2]})
    with pytest.raises(ValueError, match="G07 signal 3 is not among"):
        body.epoch(made_epoch(START, [7], [3], 1.0), float("nan"))
    with pytest.raises(ValueError, match=r"10000000000\.0 does not fit"):
        body.epoch(made_epoch(START, [7], [2], 1e10), float("nan"))
