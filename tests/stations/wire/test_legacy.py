"""Messages 1001 to 1004 and 1009 to 1012: round trips, RTKLIB reading ours, roll-over, what is missing."""

import math
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pyrtklib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_MS, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import make_epoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_calendar, to_week
from stations.signals import SIGNALS, Constellation, frequency_of, satellite_name
from stations.wire.bits import BitWriter, NeedMoreBits
from stations.wire.ephemeris_fields import write_fields
from stations.wire.framing import encode_frame
from stations.wire.legacy import decode_legacy, legacy_lock_indicator
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.legacy_fields import LEGACY_LAYOUTS, LOCK_MS
from stations.wire.legacy_rollover import PhaseRollOver

NEAR_NS = from_calendar(2021, 1, 1, 12)
L1_M = SPEED_OF_LIGHT_M_S / 1_575_420_000.0
numbers = st.sampled_from(sorted(LEGACY_LAYOUTS))
NAN = math.nan


def epoch_of(*rows, time_ns=NEAR_NS, channels=None):
    """Return an epoch of rows (satellite, signal, code m, phase range m, C/N0, lock ms)."""
    satellite, signal, code_m, phase_m, cn0, lock_ms = zip(*rows, strict=True)
    frequency_hz = np.array(
        [frequency_of(SIGNALS[s], (channels or {}).get(sv, 0)) for sv, s in zip(satellite, signal, strict=True)]
    )
    return make_epoch(
        time_ns,
        np.array(satellite),
        np.array(signal),
        np.array(code_m),
        np.array(phase_m) * frequency_hz / SPEED_OF_LIGHT_M_S,
        np.array(cn0),
        np.array(lock_ms),
        np.zeros(len(rows), dtype=bool),
        frequency_hz=frequency_hz,
    )


@st.composite
def epochs(draw, glonass):
    pairs = draw(st.sets(st.integers(1, 24 if glonass else 32), min_size=0, max_size=31))
    rows = []
    for number in sorted(pairs):
        satellite = 100 + number if glonass else number
        code_m = draw(st.floats(1.8e7, 2.7e7))
        first, second = (102, draw(st.sampled_from([108, 109]))) if glonass else (2, draw(st.sampled_from([10, 17, 9])))
        rows.append((satellite, first, code_m, code_m + draw(st.floats(-250, 250)), draw(st.floats(1, 60)), 5000))
        if draw(st.booleans()):
            other_m = code_m + draw(st.floats(-160, 160))
            rows.append((satellite, second, other_m, code_m + draw(st.floats(-250, 250)), 33.0, 90_000))
    channels = {row[0]: draw(st.integers(-7, 6)) for row in rows} if glonass else {}
    if not rows:
        return epoch_of((1, 2, 2e7, 2e7, 1.0, 0)).rows(np.array([False])), channels
    return epoch_of(*rows, channels=channels), channels


@given(st.data(), numbers, st.booleans())
def test_what_is_sent_comes_back_within_half_a_unit(data, number, more):
    layout = LEGACY_LAYOUTS[number]
    epoch, channels = data.draw(epochs(layout.constellation is Constellation.GLONASS))
    payload = encode_legacy(number, 7, epoch, more=more)
    block = decode_legacy(payload, NEAR_NS + NS_PER_S)
    assert (block.station_number, block.more, block.epoch_ns) == (7, more, NEAR_NS)
    first = np.isin(epoch.signal, (2, 102))
    sent = epoch if layout.dual else epoch.rows(first)
    got = block.epoch(None if layout.full_ranges else sent.pseudorange_m + 50e3)
    np.testing.assert_array_equal(got.satellite, sent.satellite)
    np.testing.assert_array_equal(got.signal, sent.signal)
    np.testing.assert_allclose(got.pseudorange_m, sent.pseudorange_m, rtol=0, atol=0.02)
    wavelength_m = SPEED_OF_LIGHT_M_S / sent.frequency_hz
    np.testing.assert_allclose(got.phase_cyc * wavelength_m, sent.phase_cyc * wavelength_m, rtol=0, atol=0.000251)
    np.testing.assert_array_equal(got.frequency_hz, sent.frequency_hz)
    assert (got.lock_ms <= sent.lock_ms).all()
    if layout.full_ranges:
        np.testing.assert_allclose(got.cn0_dbhz, sent.cn0_dbhz, rtol=0, atol=0.126)
        # Once on the grid of the wire, everything comes back to the bit.
        assert encode_legacy(number, 7, got, more=more) == payload
    for satellite, channel in zip(block.satellite.tolist(), block.channel.tolist(), strict=True):
        assert channel == channels[satellite] if channels else math.isnan(channel)


@pytest.mark.parametrize("number", [1002, 1004, 1010, 1012])
def test_rtklib_reads_what_we_encode(number):
    glonass = number > 1008
    rows = [
        (100 + 3 * one, 102, 2e7 + 1e5 * one, 2e7 + 1e5 * one + 20.0 * one, 45.0, 10_000)
        if glonass
        else (one, 2, 2e7 + 1e5 * one, 2e7 + 1e5 * one - 9.0 * one, 45.0, 10_000)
        for one in range(1, 8)
    ]
    rows += [(row[0], 108 if glonass else 10, row[2] + 5.0, row[3] + 1.25, 40.0, 10_000) for row in rows]
    epoch = epoch_of(*rows, channels={row[0]: row[0] % 14 - 7 for row in rows})
    block = decode_legacy(encode_legacy(number, 1, epoch, more=False), NEAR_NS)
    rtcm = pyrtklib.rtcm_t()
    pyrtklib.init_rtcm(rtcm)
    week, nanos = to_week(NEAR_NS)
    rtcm.time = pyrtklib.gpst2time(week, nanos / NS_PER_S)
    frame = encode_frame(encode_legacy(number, 1, epoch, more=False))
    assert [pyrtklib.input_rtcm3(rtcm, byte) for byte in frame][-1] == 1
    ours = block.epoch()
    name = pyrtklib.Arr1Dchar(8)
    assert rtcm.obs.n == 7
    for index in range(7):
        theirs = rtcm.obs.data[index]
        pyrtklib.satno2id(theirs.sat, name)
        own = ours.rows(np.array([satellite_name(one) == name.ptr for one in ours.satellite]))
        for slot, (code_m, phase_cyc) in enumerate(zip(own.pseudorange_m, own.phase_cyc, strict=True)):
            assert theirs.P[slot] == pytest.approx(code_m, abs=1e-7)
            assert theirs.L[slot] == pytest.approx(phase_cyc, abs=1e-6)


def test_phases_beyond_the_field_are_rolled_over_and_come_back():
    roll_over = PhaseRollOver()
    phases, jumps = [], 0
    for second in range(120):
        code_m, phase_m = 2.2e7 + 300.0 * second, 2.2e7 + 300.0 * second - 5.0 * second
        epoch = epoch_of((5, 2, code_m, phase_m, 45.0, 1000 * second + 1000), time_ns=NEAR_NS + second * NS_PER_S)
        block = decode_legacy(encode_legacy(1004, 1, epoch, more=False), NEAR_NS)
        raw = block.epoch()
        jumps += abs(raw.phase_cyc[0] - epoch.phase_cyc[0]) > 1
        phases.append((epoch.phase_cyc[0], block.epoch(rolled_cyc=roll_over.cycles(block)).phase_cyc[0]))
    assert jumps > 50
    np.testing.assert_allclose(*zip(*phases, strict=True), rtol=0, atol=0.002)
    # After a loss of lock, nothing is known of what came before.
    epoch = epoch_of((5, 2, 2.2e7, 2.2e7 + 3.0, 45.0, 0))
    block = decode_legacy(encode_legacy(1004, 1, epoch, more=False), NEAR_NS)
    assert roll_over.cycles(block).tolist() == [0.0]


def test_what_is_missing_is_left_out_or_invalid():
    epoch = epoch_of(
        (1, 2, 2.1e7, NAN, NAN, 0),
        (2, 2, NAN, 2.1e7, 45.0, 0),
        (2, 10, 2.1e7, 2.1e7, 45.0, 0),
        (3, 2, 2.1e7, 2.1e7, 45.0, 0),
        (3, 10, 2.1e7 + 200.0, 2.1e7, 45.0, 0),
        (4, 2, 2.1e7, 2.1e7, 45.0, 0),
        (4, 10, NAN, 2.1e7, 45.0, 0),
        (323, 302, 3.9e7, 3.9e7, 40.0, 0),
    )
    block = decode_legacy(encode_legacy(1004, 1, epoch, more=False), NEAR_NS)
    pairs = list(zip(block.satellite.tolist(), block.signal.tolist(), strict=True))
    assert pairs == [(1, 2), (3, 2), (3, 10), (4, 2), (4, 10), (323, 302)]
    np.testing.assert_array_equal(np.isnan(block.pseudorange_m), [False, False, True, False, True, False])
    np.testing.assert_array_equal(np.isnan(block.phase_range_m), [True, False, False, False, False, False])
    assert block.skipped == 0
    # A GLONASS satellite of unknown channel cannot be sent; neither can a range that no satellite has.
    assert (
        len(
            decode_legacy(
                encode_legacy(1012, 1, epoch_of((101, 102, 2e7, 2e7, 1.0, 0), channels={101: None}), more=False),
                NEAR_NS,
            ).satellite
        )
        == 0
    )
    for code_m in (-1.0, 1e8, math.inf):
        assert not len(
            decode_legacy(encode_legacy(1004, 1, epoch_of((1, 2, code_m, NAN, 1.0, 0)), more=False), NEAR_NS).satellite
        )


def raw_message(number, *satellites, **header):
    writer = BitWriter()
    write_fields(writer, LEGACY_LAYOUTS[number].header, {"number": number, "count": len(satellites), **header})
    for satellite in satellites:
        write_fields(writer, LEGACY_LAYOUTS[number].satellite, satellite)
    return writer.to_bytes()


def test_ranges_that_cannot_be_are_nobodys_base():
    seen = {"satellite": 5, "l1_phase": 7, "l2_range": 8, "l2_phase": 9, "l1_lock": 3, "l2_cn0": 1, "channel": 7}
    block = decode_legacy(raw_message(1004, seen | {"l1_range": 0x800000}), NEAR_NS)
    assert np.isnan(block.pseudorange_m).tolist() == [True, False]
    assert not np.isnan(block.phase_range_m).any()
    for number, impossible in ((1004, 0xFFFFFF), (1012, 0x1FFFFFF)):
        block = decode_legacy(raw_message(number, seen | {"l1_range": impossible}), NEAR_NS)
        assert len(block.satellite) == 2
        assert np.isnan([block.pseudorange_m, block.phase_range_m]).all()


def test_unknown_slots_reserved_codes_and_repetitions_are_counted():
    seen = {"satellite": 5, "l1_range": 5, "l2_range": 8, "l2_phase": 9, "l2_cn0": 1, "channel": 7}
    block = decode_legacy(raw_message(1012, seen | {"satellite": 0}, seen | {"l2_code": 3}, seen), NEAR_NS)
    assert (block.signal.tolist(), block.skipped) == ([102, 108], 2 + 1 + 1)
    zeros = decode_legacy(raw_message(1004, {"satellite": 5, "l1_range": 5}), NEAR_NS)
    assert zeros.signal.tolist() == [2]


def test_without_whole_milliseconds_a_range_needs_help():
    epoch = epoch_of((3, 2, 2.1e7, 2.1e7 + 4.0, 45.0, 0), (3, 10, 2.1e7, 2.1e7, 45.0, 0))
    block = decode_legacy(encode_legacy(1003, 1, epoch, more=False), NEAR_NS)
    assert not block.full_ranges
    assert np.isnan(block.epoch().pseudorange_m).all()
    near = block.epoch(np.array([2.1e7 + 1e5, NAN]))
    assert near.pseudorange_m == pytest.approx([2.1e7, NAN], abs=0.01, nan_ok=True)
    assert near.phase_cyc * L1_M == pytest.approx([2.1e7 + 4.0, NAN], abs=0.001, nan_ok=True)


def test_lock_times_are_inverse():
    assert len(LOCK_MS) == 128
    assert all(one < other for one, other in pairwise(LOCK_MS))
    for indicator, lock_ms in enumerate(LOCK_MS):
        assert legacy_lock_indicator(lock_ms) == indicator
        assert legacy_lock_indicator(lock_ms - 1) == max(indicator - 1, 0)
    assert legacy_lock_indicator(10**12) == 127


def test_misuse_is_a_value_error():
    rows = [(one, 2, 2e7, 2e7, 45.0, 0) for one in range(1, 33)]
    with pytest.raises(ValueError, match="32 satellites: message 1004 carries at most 31"):
        encode_legacy(1004, 1, epoch_of(*rows), more=False)
    with pytest.raises(ValueError, match="message 1005: expected one of 1001"):
        encode_legacy(1005, 1, epoch_of(*rows), more=False)
    with pytest.raises(ValueError, match="station_number"):
        encode_legacy(1004, 4096, epoch_of(*rows[:2]), more=False)
    with pytest.raises(ValueError, match="whole milliseconds"):
        encode_legacy(1012, 1, epoch_of(*rows[:2], time_ns=NEAR_NS + NS_PER_MS // 2), more=False)


@given(st.integers(1001, 1012), st.binary(max_size=150), st.integers(-(2**61), 2**61))
def test_any_bytes_decode_or_are_refused(number, data, near_ns):
    with suppress(GpsgridError, NeedMoreBits):
        block = decode_legacy((number << 4 | data[0] >> 4 if data else number << 4).to_bytes(2) + data[1:], near_ns)
        assert len(block.epoch(np.full(len(block.satellite), 2e7))) == len(block.satellite)
        assert len(PhaseRollOver().cycles(block)) == len(block.satellite)


def test_what_is_no_such_message_says_so():
    with pytest.raises(GpsgridError) as caught:
        decode_legacy((1005 << 4).to_bytes(2) + bytes(30), NEAR_NS)
    assert caught.value.reason is Reason.UNSUPPORTED_SIGNAL
