"""The kernels of Multiple Signal Messages and their slow, obvious twins say the same, for any input."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.errors import GpsgridError
from stations.signals import SIGNALS, Constellation, frequency_of
from stations.wire.bits import BitWriter
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.msm import MsmFlags, decode_msm, encode_block
from stations.wire.msm_columns import lock_indicator_from, lock_ms_from
from stations.wire.msm_fields import CARRIERS_HZ, GROUPS, LAYOUTS, group_of, lock_indicator_of, lock_ms_of
from stations.wire.msm_packing import encode_kernel
from stations.wire.msm_slow import HEADER, decode_slow, encode_slow

RANGE_MS_M = SPEED_OF_LIGHT_M_S / 1000
CHOOSE = np.empty((3, 0), dtype=np.int64)
MSM_SIGNALS = {
    system: [one.number for one in SIGNALS.values() if one.constellation == system and one.msm_number]
    for system in Constellation
}
levels = st.integers(1, 7)
systems = st.sampled_from(Constellation)


@st.composite
def payloads(draw):
    """Payloads with any masks that fit, and any bits behind them."""
    level, system = draw(levels), draw(systems)
    satellites = draw(st.sets(st.integers(1, 64), max_size=12))
    signals = draw(st.sets(st.integers(1, 32), max_size=64 // max(len(satellites), 2)))
    writer = BitWriter()
    writer.unsigned(GROUPS[system] + level, 12)
    writer.unsigned(draw(st.integers(0, 4095)), 12)
    writer.unsigned(draw(st.integers(0, 86_400_999)), 30)
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
    return system, level, writer.to_bytes()


def assert_same(payload, system, level):
    block = decode_msm(payload, 0)
    header, cells = decode_slow(payload, level)
    known = [cell for cell in cells if not math.isnan(CARRIERS_HZ[system][0, cell[1]])]
    flags = block.flags
    assert (block.station_number, block.more, flags.iods, flags.reserved) == (header[1], bool(header[3]), *header[4:6])
    assert (flags.clock_steering, flags.external_clock) == header[6:8]
    assert (flags.divergence_free, flags.smoothing_interval) == (bool(header[8]), header[9])
    assert block.skipped == len(cells) - len(known)
    expected = list(zip(*known, strict=True)) or [()] * 9
    offset = 319 if system is Constellation.SBAS else 100 * system
    assert (block.satellite - offset).tolist() == list(expected[0])
    assert (block.signal - 100 * system).tolist() == list(expected[1])
    # Equal up to the rounding of single float operations on numbers of 1e8.
    np.testing.assert_allclose(block.pseudorange_m, expected[2], rtol=4e-16)
    np.testing.assert_allclose(block.phase_range_m, expected[3], rtol=6e-16, atol=1e-9)
    np.testing.assert_allclose(block.range_rate_m_s, expected[4], rtol=4e-16, atol=1e-15)
    np.testing.assert_array_equal(block.sent.cn0_dbhz, expected[5])
    assert block.sent.lock_ms.tolist() == list(expected[6])
    assert block.sent.half_cycle.tolist() == list(expected[7])
    assert block.rough[2].tolist() == list(expected[8])
    wavelength_m = np.array([SIGNALS[signal].wavelength_m for signal in block.signal.tolist()])
    if system is Constellation.GLONASS:
        channel = np.array(expected[8], dtype=float) - 7 if level in {5, 7} else np.full(len(known), np.nan)
        channel[channel > 6] = np.nan
        base_hz = np.array([SIGNALS[signal].base_hz for signal in block.signal.tolist()])
        step_hz = np.array([SIGNALS[signal].channel_step_hz for signal in block.signal.tolist()])
        wavelength_m = SPEED_OF_LIGHT_M_S / (base_hz + channel * step_hz)
    np.testing.assert_allclose(
        block.phase_cyc * wavelength_m, block.phase_range_m + 0 * wavelength_m, rtol=6e-16, atol=1e-9
    )
    np.testing.assert_allclose(
        block.doppler_hz * wavelength_m, -block.range_rate_m_s + 0 * wavelength_m, rtol=1e-15, atol=1e-12
    )


@given(payloads())
def test_decoders_agree_on_any_bits(drawn):
    system, level, payload = drawn
    assert_same(payload, system, level)


@pytest.mark.data
@pytest.mark.parametrize("name", ["GMSD7_20121014.rtcm3", "trimble.rtcm", "piksi-5Hz.rtcm3", "sept.rtcm"])
def test_decoders_agree_on_recorded_streams(shared_data, name):
    for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes()):
        if payload and (group := group_of(message_number(payload))) is not None:
            assert_same(payload, *group)


values = st.one_of(st.just(math.nan), st.just(math.inf), st.just(-math.inf), st.floats(-1e9, 1e9))
codes = st.one_of(values, st.floats(1.9e7, 2.7e7), st.floats(254 * RANGE_MS_M, 256 * RANGE_MS_M), st.floats(-500, 500))


@st.composite
def cells(draw):
    """Rows of one system: satellite, signal, code m, phase cycles, rate, C/N0, lock, half cycle, frequency Hz."""
    system = draw(systems)
    offset = 319 if system is Constellation.SBAS else 100 * system
    pairs = draw(
        st.sets(st.tuples(st.integers(1, 64), st.sampled_from(MSM_SIGNALS[system])), max_size=20).filter(
            lambda pairs: len({one for one, _ in pairs}) * len({other for _, other in pairs}) <= 64
        )
    )
    bases = {satellite: draw(codes) for satellite, _ in pairs}
    channels = {satellite: draw(st.one_of(st.none(), st.integers(-7, 6))) for satellite, _ in sorted(pairs)}
    rows = []
    for satellite, signal in sorted(pairs):
        base = bases[satellite]
        code_m = draw(st.one_of(st.just(base), st.floats(-400, 400).map(lambda shift, base=base: base + shift), values))
        phase_m = draw(st.one_of(st.floats(-1300, 1300).map(lambda shift, base=base: base + shift), values))
        frequency_hz = frequency_of(SIGNALS[signal], channels[satellite])
        phase_cyc = phase_m / (SPEED_OF_LIGHT_M_S / frequency_hz)
        rate_m_s = draw(st.one_of(st.floats(-1000, 1000), st.floats(-8200, 8200), values))
        cn0 = draw(st.one_of(st.floats(0, 70), values))
        lock_ms, half_cycle = draw(st.integers(-5, 10**9)), draw(st.booleans())
        rows.append((offset + satellite, signal, code_m, phase_cyc, rate_m_s, cn0, lock_ms, half_cycle, frequency_hz))
    return system, offset, rows


def in_metres(system, offset, rows):
    """Return the rows as cells of the slow twin."""
    metres = []
    for satellite, signal, code_m, phase_cyc, rate_m_s, cn0, lock_ms, half_cycle, frequency_hz in rows:
        extended = 0
        if system is Constellation.GLONASS:
            one = SIGNALS[signal]
            extended = 15 if math.isnan(frequency_hz) else round((frequency_hz - one.base_hz) / one.channel_step_hz) + 7
        phase_m = phase_cyc * (SPEED_OF_LIGHT_M_S / frequency_hz)
        number = satellite - offset, signal - 100 * system
        metres.append((*number, code_m, phase_m, rate_m_s, cn0, lock_ms, half_cycle, extended))
    return metres


@given(cells(), levels)
def test_encoders_agree_on_any_values(drawn, level):
    system, _, rows = drawn
    header = (GROUPS[system] + level, 7, 1000, 1, 5, 97, 2, 3, 1, 6)
    kinds = (np.int64, np.int64, float, float, float, float, np.int64, np.bool_, float)
    columns = list(zip(*rows, strict=True)) or [()] * 9
    arrays = [np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)]
    wavelength_m = SPEED_OF_LIGHT_M_S / arrays[8]
    flags = MsmFlags(*(header[at] for at in (4, 6, 7, 8, 9, 5))).bits
    head = (*header[:4], flags)
    data = packed(head, *arrays[:3], arrays[3] * wavelength_m, arrays[8], *arrays[4:8], CHOOSE, False)
    assert data == encode_slow(header, in_metres(*drawn), level)
    # What was taken for rates are as good as Doppler shifts.
    shifts = packed(head, *arrays[:4], arrays[8], *arrays[4:8], CHOOSE, True)
    arrays[3:5] = arrays[3] * wavelength_m, -arrays[4] * wavelength_m
    assert shifts == packed(head, *arrays[:4], arrays[8], *arrays[4:8], CHOOSE, False)


def packed(head, *columns):
    payload = np.empty(1023, dtype=np.uint8)
    size = encode_kernel(payload, *head, *columns)
    assert size > 0
    return payload[:size].tobytes()


@given(cells(), levels)
def test_encoded_values_come_back_within_half_a_unit_or_as_invalid(drawn, level):
    metres = in_metres(*drawn)
    _, received = decode_slow(encode_slow((1070 + level, *[0] * 9), metres, level), level)
    layout = LAYOUTS[level]
    assert [cell[:2] for cell in received] == [cell[:2] for cell in metres]
    for sent, got in zip(metres, received, strict=True):
        whole_m = 0.0 if layout.whole else RANGE_MS_M
        for column, unit in (
            (2, RANGE_MS_M * 2.0**-layout.code_exponent),
            (3, RANGE_MS_M * 2.0**-layout.phase_exponent),
            (4, 1e-4),
            (5, 2.0**-layout.cn0_exponent),
        ):
            away = got[column] - sent[column]
            if column in {2, 3} and whole_m and not math.isnan(away):
                away -= round(away / whole_m) * whole_m
            assert math.isnan(got[column]) or abs(away) <= 0.5001 * unit
        assert got[6] <= max(sent[6], 0)
        assert got[7] == (sent[7] and bool(layout.half))


@given(st.binary(max_size=120), systems, levels)
def test_any_bytes_decode_or_are_refused(data, system, level):
    # Anything but the one declared exception fails the test.
    with suppress(GpsgridError):
        block = decode_msm((GROUPS[system] + level << 4).to_bytes(2) + data, 0)
        decode_msm(encode_block(block), 0)


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
