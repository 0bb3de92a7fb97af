"""The kernels of Multiple Signal Messages and their slow, obvious twins say the same, for any input."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.errors import GpsgridError
from stations.signals import SIGNALS, Constellation
from stations.wire.bits import BitWriter
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.msm import decode_msm
from stations.wire.msm_columns import OK, lock_indicator_from, lock_ms_from
from stations.wire.msm_fields import LAYOUT_ROWS, LAYOUTS, WAVELENGTHS_M, lock_indicator_of, lock_ms_of
from stations.wire.msm_packing import encode_kernel
from stations.wire.msm_slow import HEADER, decode_slow, encode_slow

RANGE_MS_M = SPEED_OF_LIGHT_M_S / 1000
GPS_WAVELENGTHS_M = WAVELENGTHS_M[Constellation.GPS]
levels = st.sampled_from((4, 5, 6, 7))


@st.composite
def payloads(draw):
    """Payloads with any masks that fit, and any bits behind them."""
    level = draw(levels)
    satellites = draw(st.sets(st.integers(1, 64), max_size=12))
    signals = draw(st.sets(st.integers(1, 32), max_size=64 // max(len(satellites), 2)))
    writer = BitWriter()
    writer.unsigned(1070 + level, 12)
    writer.unsigned(draw(st.integers(0, 4095)), 12)
    writer.unsigned(draw(st.integers(0, 604_799_999)), 30)
    writer.unsigned(draw(st.integers(0, 2**19 - 1)), 19)
    for numbers, width in ((satellites, 64), (signals, 32)):
        for number in range(1, width + 1):
            writer.flag(number in numbers)
    mask = len(satellites) * len(signals)
    cells = draw(st.integers(0, 2**mask - 1))
    writer.unsigned(cells, mask)
    layout = LAYOUTS[level]
    bits = len(satellites) * layout.satellite_bits + cells.bit_count() * layout.cell_bits
    # Runs of ones and zeros make the invalid codes likely.
    filling = draw(st.sampled_from(("any", "ones", "zeros", "invalid")))
    if filling == "any":
        writer.unsigned(
            int.from_bytes(draw(st.randoms(use_true_random=False)).randbytes((bits + 7) // 8)) >> -bits % 8, bits
        )
    else:
        writer.unsigned({"ones": 2**bits - 1, "zeros": 0, "invalid": 2**bits >> 1}[filling], bits)
    return level, writer.to_bytes()


def slow_columns(payload, level):
    header, cells = decode_slow(payload, level)
    known = [cell for cell in cells if not math.isnan(GPS_WAVELENGTHS_M[cell[1]])]
    return header, known, len(cells) - len(known)


def assert_same(payload, level):
    block = decode_msm(payload, 0)
    header, cells, skipped = slow_columns(payload, level)
    flags = block.flags
    assert (block.station_number, block.more, flags.iods, flags.reserved) == (header[1], bool(header[3]), *header[4:6])
    assert (flags.clock_steering, flags.external_clock) == header[6:8]
    assert (flags.divergence_free, flags.smoothing_interval) == (bool(header[8]), header[9])
    assert block.skipped == skipped
    expected = list(zip(*cells, strict=True)) or [()] * 8
    assert block.satellite.tolist() == list(expected[0])
    assert block.signal.tolist() == list(expected[1])
    # Equal up to the rounding of single float operations on numbers of 1e8.
    np.testing.assert_allclose(block.pseudorange_m, expected[2], rtol=4e-16)
    np.testing.assert_allclose(block.phase_cyc * GPS_WAVELENGTHS_M[block.signal], expected[3], rtol=6e-16, atol=1e-9)
    np.testing.assert_allclose(block.range_rate_m_s, expected[4], rtol=4e-16, atol=1e-15)
    np.testing.assert_array_equal(block.cn0_dbhz, expected[5])
    assert block.lock_ms.tolist() == list(expected[6])
    assert block.half_cycle.tolist() == list(expected[7])


@given(payloads())
def test_decoders_agree_on_any_bits(drawn):
    level, payload = drawn
    assert_same(payload, level)


@pytest.mark.data
@pytest.mark.parametrize("name", ["GMSD7_20121014.rtcm3", "trimble.rtcm", "piksi-5Hz.rtcm3", "sept.rtcm"])
def test_decoders_agree_on_recorded_streams(shared_data, name):
    for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes()):
        if payload and 1074 <= message_number(payload) <= 1077:
            assert_same(payload, message_number(payload) - 1070)


values = st.one_of(st.just(math.nan), st.just(math.inf), st.just(-math.inf), st.floats(-1e9, 1e9))
codes = st.one_of(values, st.floats(1.9e7, 2.7e7), st.floats(254 * RANGE_MS_M, 256 * RANGE_MS_M), st.floats(-500, 500))


@st.composite
def cells(draw):
    pairs = draw(
        st.sets(st.tuples(st.integers(1, 64), st.sampled_from(sorted(SIGNALS))), max_size=20).filter(
            lambda pairs: len({one for one, _ in pairs}) * len({other for _, other in pairs}) <= 64
        )
    )
    bases = {satellite: draw(codes) for satellite, _ in pairs}
    rows = []
    for satellite, signal in sorted(pairs):
        base = bases[satellite]
        code_m = draw(st.one_of(st.just(base), st.floats(-400, 400).map(lambda shift, base=base: base + shift), values))
        phase_m = draw(st.one_of(st.floats(-1300, 1300).map(lambda shift, base=base: base + shift), values))
        phase_cyc = phase_m / GPS_WAVELENGTHS_M[signal]
        rate_m_s = draw(st.one_of(st.floats(-1000, 1000), st.floats(-8200, 8200), values))
        cn0 = draw(st.one_of(st.floats(0, 70), values))
        rows.append(
            (satellite, signal, code_m, phase_cyc, rate_m_s, cn0, draw(st.integers(-5, 10**9)), draw(st.booleans()))
        )
    return rows


@given(cells(), levels)
def test_encoders_agree_on_any_values(rows, level):
    header = (1070 + level, 7, 1000, 1, 0, 0, 2, 3, 0, 0)
    kinds = (np.int64, np.int64, float, float, float, float, np.int64, np.bool_)
    columns = list(zip(*rows, strict=True)) or [()] * 8
    arrays = [np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)]
    status, data = encode_kernel(np.array(header), LAYOUT_ROWS[level], GPS_WAVELENGTHS_M, *arrays)
    assert status == OK
    metres = [(*row[:3], row[3] * GPS_WAVELENGTHS_M[row[1]], *row[4:]) for row in rows]
    assert data.tobytes() == encode_slow(header, metres, level)


@given(cells(), levels)
def test_encoded_values_come_back_within_half_a_unit_or_as_invalid(rows, level):
    metres = [(*row[:3], row[3] * GPS_WAVELENGTHS_M[row[1]], *row[4:]) for row in rows]
    _, received = decode_slow(encode_slow((1070 + level, *[0] * 9), metres, level), level)
    layout = LAYOUTS[level]
    assert [cell[:2] for cell in received] == [cell[:2] for cell in metres]
    for sent, got in zip(metres, received, strict=True):
        for column, unit in (
            (2, RANGE_MS_M * 2.0**-layout.code_exponent),
            (3, RANGE_MS_M * 2.0**-layout.phase_exponent),
            (4, 1e-4),
            (5, 2.0**-layout.cn0_exponent),
        ):
            assert math.isnan(got[column]) or abs(got[column] - sent[column]) <= 0.5001 * unit
        assert got[6] <= max(sent[6], 0)
        assert got[7] == sent[7]


@given(st.binary(max_size=120), levels)
def test_any_bytes_decode_or_are_refused(data, level):
    # 1074 to 1077 are 0x432 to 0x435; anything but the one declared exception fails the test.
    with suppress(GpsgridError):
        decode_msm(bytes([0x43, (level - 2) << 4]) + data, 0)


@pytest.mark.parametrize("width", [4, 10])
def test_lock_times_agree_and_are_inverse(width):
    for indicator in range(1 << width):
        assert lock_ms_from(indicator, width) == lock_ms_of(indicator, width)
    last = 15 if width == 4 else 704
    for indicator in range(last + 1):
        lock_ms = lock_ms_of(indicator, width)
        for near_ms in (lock_ms - 1, lock_ms, lock_ms + 1):
            assert lock_indicator_from(near_ms, width) == lock_indicator_of(near_ms, width)
        assert lock_indicator_of(lock_ms, width) == indicator
    assert lock_indicator_from(2**62, width) == last
    assert lock_indicator_from(-1, width) == 0


def test_the_header_has_73_bits():
    assert sum(HEADER) == 73
