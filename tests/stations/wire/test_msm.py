"""Multiple Signal Messages: what we encode, read by independent decoders, and every refusal."""

import numpy as np
import pyrtklib
import pytest
from pyrtcm import RTCMMessage

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, from_calendar
from stations.signals import GPS_L1CA, GPS_L2W, SIGNALS
from stations.wire.framing import encode_frame
from stations.wire.msm import MsmFlags, decode_msm, encode_msm, encode_msm7, more_follows, split_rows
from stations.wire.msm_fields import group_of
from tests.stations.wire.oracle_readings import pyrtcm_cells
from tests.stations.wire.oracle_table import RECEIVED_NS, recorded, same_cells

RANGE_MS_M = SPEED_OF_LIGHT_M_S / 1000
NEAR_NS = from_calendar(2021, 1, 1)
COLUMNS = (
    "satellite",
    "signal",
    "pseudorange_m",
    "phase_cyc",
    "cn0_dbhz",
    "lock_ms",
    "half_cycle",
)
LEVELS = (1, 2, 3, 4, 5, 6, 7)
FULL_LEVELS = (4, 5, 6, 7)


def epoch_of(*rows, time_ns=NEAR_NS):
    """Return an epoch of rows (satellite, signal, code m, phase cycles, C/N0, lock ms, half cycle)."""
    return make_epoch(time_ns, *(np.array(column) for column in zip(*rows, strict=True)))


def same_rows(one, other):
    same = all(np.array_equal(getattr(one.sent, name), getattr(other.sent, name), equal_nan=True) for name in COLUMNS)
    return same and np.array_equal(one.range_rate_m_s, other.range_rate_m_s, equal_nan=True)


@pytest.mark.data
@pytest.mark.parametrize("name", ["GMSD7_20121014.rtcm3", "javad.rtcm", "sept.rtcm"])
@pytest.mark.parametrize("level", [1, 3, 4, 5, 6, 7])  # pyrtcm 1.2.1 fails on any MSM2; the vectors have it
def test_pyrtcm_reads_what_we_encode(shared_data, name, level):
    near_ns = RECEIVED_NS[name]
    for number, payload in recorded(shared_data / "rtcm3" / name, 16):
        if group_of(number) is None:
            continue
        block = decode_msm(payload, near_ns)
        if not len(block.sent):
            continue
        again = encode_msm(77, block.epoch(), more=True, level=level)
        theirs = RTCMMessage(payload=again)
        assert (int(theirs.identity) % 10, theirs.DF003, theirs.DF393) == (level, 77, 1)
        cells = pyrtcm_cells(theirs)
        assert same_cells(decode_msm(again, near_ns), cells) == 7 * len(block.sent)
        code_m, phase_m, rate_m_s, cn0, _, half, _ = zip(*cells.values(), strict=True)
        # Half of the resolution: 2^-24 or 2^-29 ms of code, 2^-29 or 2^-31 ms of phase, 1 or 1/16 dB-Hz.
        code_atol, phase_atol, cn0_atol = (0.009, 2.8e-4, 0.5) if level < 6 else (2.8e-4, 7e-5, 1 / 32)
        away_m = np.stack([np.array(code_m) - block.pseudorange_m, np.array(phase_m) - block.phase_range_m])
        if level < 4:
            away_m -= np.round(away_m / RANGE_MS_M) * RANGE_MS_M
        assert np.nanmax(np.abs(away_m[0]), initial=0.0) < code_atol
        assert np.nanmax(np.abs(away_m[1]), initial=0.0) < phase_atol
        np.testing.assert_array_equal(np.isnan(away_m[0]), np.isnan(block.pseudorange_m) | (level == 2))
        np.testing.assert_array_equal(np.isnan(away_m[1]), np.isnan(block.phase_range_m) | (level == 1))
        if level > 1:
            assert list(half) == block.sent.half_cycle.tolist()
        if level > 3:
            np.testing.assert_allclose(block.sent.cn0_dbhz, cn0, rtol=0, atol=cn0_atol)
        if level in {5, 7}:
            np.testing.assert_allclose(block.range_rate_m_s, rate_m_s, rtol=0, atol=1e-9)


@pytest.mark.data
def test_rtklib_reads_what_we_encode(shared_data):
    near_ns = from_calendar(2012, 10, 14)
    for number, payload in recorded(shared_data / "rtcm3" / "GMSD7_20121014.rtcm3", 16):
        if number != 1077:
            continue
        block = decode_msm(payload, near_ns)
        rtcm = pyrtklib.rtcm_t()
        pyrtklib.init_rtcm(rtcm)
        rtcm.time = pyrtklib.gpst2time(1710, 0.0)
        frame = encode_frame(encode_msm7(1, block.epoch(), more=False, range_rate_m_s=block.range_rate_m_s))
        assert [pyrtklib.input_rtcm3(rtcm, byte) for byte in frame][-1] == 1
        rows = {
            (int(satellite), SIGNALS[int(signal)].code): row
            for row, (satellite, signal) in enumerate(zip(block.satellite, block.signal, strict=True))
        }
        count = 0
        for index in range(rtcm.obs.n):
            theirs = rtcm.obs.data[index]
            assert theirs.time.time == 315_964_800 + block.epoch_ns // 1_000_000_000
            for slot in range(3):
                code = pyrtklib.code2obs(theirs.code[slot])
                if not code:
                    continue
                row = rows[theirs.sat, code]
                assert theirs.P[slot] == pytest.approx(block.pseudorange_m[row], abs=1e-7)
                assert theirs.L[slot] == pytest.approx(block.phase_cyc[row], abs=1e-6)
                count += 1
        assert count >= 20


def test_a_signal_that_is_not_listed_is_left_out_and_counted(monkeypatch):
    rows = epoch_of(
        (3, GPS_L1CA, 2.1e7, 1.1e8, 45.0, 100, False),
        (3, GPS_L2W, 2.2e7, 0.9e8, 40.0, 100, False),
        (5, GPS_L2W, 2.3e7, 0.91e8, 39.0, 100, True),
    )
    payload = bytearray(encode_msm7(1, rows, more=False))
    # Signal 10 (2W) becomes signal 11, which the standard reserves.
    mask = int.from_bytes(payload)
    shift = 8 * len(payload) - 73 - 64 - 11
    mask ^= 0b11 << shift
    block = decode_msm(mask.to_bytes(len(payload)), NEAR_NS)
    assert block.skipped == 2
    assert block.satellite.tolist() == [3]
    assert same_rows(block, decode_msm(encode_msm7(1, rows.rows(rows.signal == GPS_L1CA), more=False), NEAR_NS))


@pytest.mark.parametrize("level", FULL_LEVELS)
def test_invalid_codes_are_nan_both_ways(level):
    nan = float("nan")
    rows = epoch_of(
        (1, GPS_L1CA, nan, nan, nan, 0, False),
        (2, GPS_L1CA, nan, 1.1e8, 45.0, 64, False),
        (3, GPS_L1CA, 2.1e7, nan, 45.0, 64, True),
    )
    block = decode_msm(encode_msm(1, rows, more=False, level=level), NEAR_NS)
    np.testing.assert_array_equal(np.isnan(block.pseudorange_m), np.isnan(rows.pseudorange_m))
    np.testing.assert_array_equal(np.isnan(block.phase_cyc), np.isnan(rows.phase_cyc))
    np.testing.assert_array_equal(np.isnan(block.sent.cn0_dbhz), np.isnan(rows.cn0_dbhz))
    assert np.isnan(block.range_rate_m_s).all()
    assert block.sent.half_cycle.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("code_m", "phase_m"),
    [(2.2e7, 2.2e7 + 1400.0), (2.2e7, 2.2e7 - 1400.0), (2.2e7, 0.0), (2.2e7, -2.2e7), (2.2e7, 1e300), (-1.0, 2.2e7)],
)
def test_what_does_not_fit_is_invalid_and_never_wrapped(code_m, phase_m):
    wavelength_m = SIGNALS[GPS_L1CA].wavelength_m
    rows = epoch_of((1, GPS_L1CA, code_m, phase_m / wavelength_m, 45.0, 64, False))
    block = decode_msm(encode_msm7(1, rows, more=False), NEAR_NS)
    assert np.isnan(block.phase_cyc[0]) == (code_m > 0)
    assert np.isnan(block.pseudorange_m[0]) == (code_m < 0)


def test_ranges_beyond_the_field_are_invalid():
    rows = epoch_of((1, GPS_L1CA, 255 * RANGE_MS_M, float("nan"), 45.0, 64, False))
    assert np.isnan(decode_msm(encode_msm7(1, rows, more=False), NEAR_NS).pseudorange_m[0])
    rows = epoch_of((1, GPS_L1CA, 254.9 * RANGE_MS_M, float("nan"), 45.0, 64, False))
    assert decode_msm(encode_msm7(1, rows, more=False), NEAR_NS).pseudorange_m[0] == pytest.approx(254.9 * RANGE_MS_M)


@pytest.mark.parametrize("level", FULL_LEVELS)
def test_the_lock_time_sent_claims_no_more_than_is_known(level):
    for lock_ms in [0, 1, 63, 64, 65, 127, 128, 10_000, 524_287, 524_288, 67_108_863, 67_108_864, 10**12]:
        rows = epoch_of((1, GPS_L1CA, 2.2e7, float("nan"), 45.0, lock_ms, False))
        received = int(decode_msm(encode_msm(1, rows, more=False, level=level), NEAR_NS).sent.lock_ms[0])
        assert received <= lock_ms
        # DF402 doubles from 32 ms to 524 s, DF407 has 32 steps an octave up to 18.6 hours.
        longest, loss, unit = (524_288, 0.5, 32) if level < 6 else (67_108_864, 31 / 32, 1)
        assert received >= min(lock_ms, longest) * loss - unit


def test_the_week_is_the_nearest():
    rows = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False), time_ns=NS_PER_WEEK * 2100 - 1_000_000)
    payload = encode_msm7(1, rows, more=False)
    for near_ns in (NS_PER_WEEK * 2100 + 10**12, NS_PER_WEEK * 2100 - 10**12):
        assert decode_msm(payload, near_ns).epoch_ns == rows.time_ns


def test_header_flags_come_back():
    flags = MsmFlags(5, 1, 2, True, 6, 99)
    rows = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False))
    for more in (False, True):
        payload = encode_msm7(4095, rows, more=more, flags=flags)
        block = decode_msm(payload, NEAR_NS)
        assert (block.station_number, block.more, block.flags, block.number) == (4095, more, flags, 1077)
        assert more_follows(payload) is more


def test_an_epoch_without_rows_is_a_message():
    nothing = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False)).rows(np.array([False]))
    block = decode_msm(encode_msm7(1, nothing, more=False), NEAR_NS)
    assert (len(block.epoch()), block.epoch_ns, block.more) == (0, NEAR_NS, False)


def test_large_epochs_are_cut_into_whole_satellites():
    signals = [number for number in SIGNALS if number in {2, 4, 8, 10, 22}]
    rows = epoch_of(
        *((satellite, signal, 2.2e7, 1.1e8, 45.0, 0, False) for satellite in range(1, 33) for signal in signals)
    )
    with pytest.raises(ValueError, match="use split_rows"):
        encode_msm7(1, rows, more=False)
    pieces = split_rows(rows)
    assert len(pieces) == 3
    np.testing.assert_array_equal(np.sum(pieces, axis=0), 1)
    for keep in pieces:
        block = decode_msm(encode_msm7(1, rows.rows(keep), more=True), NEAR_NS)
        np.testing.assert_array_equal(block.satellite, rows.satellite[keep])
        assert set(block.satellite.tolist()).isdisjoint(rows.satellite[~keep].tolist())


def test_doppler_has_the_rinex_sign():
    rows = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False))
    block = decode_msm(encode_msm7(1, rows, more=False, range_rate_m_s=np.array([-500.0])), NEAR_NS)
    assert block.doppler_hz[0] == pytest.approx(500.0 / SIGNALS[GPS_L1CA].wavelength_m)


@pytest.mark.parametrize("level", LEVELS)
def test_every_cut_payload_is_malformed(level):
    rows = epoch_of(
        (1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False),
        (9, GPS_L2W, 2.2e7, 0.9e8, 45.0, 0, False),
    )
    payload = encode_msm(1, rows, more=False, level=level)
    for length in range(len(payload)):
        with pytest.raises(GpsgridError) as caught:
            decode_msm(payload[:length], NEAR_NS)
        assert caught.value.reason is Reason.MALFORMED
    assert same_rows(decode_msm(payload + b"\xff\x00", NEAR_NS), decode_msm(payload, NEAR_NS))


def test_contradictions_are_malformed():
    number = (1077).to_bytes(2)
    start = bytes([number[0] << 4 | number[1] >> 4, (number[1] & 15) << 4, 0])
    with pytest.raises(GpsgridError, match="more than 64 bits") as caught:
        decode_msm(start + bytes(4) + b"\x00" * 2 + b"\xff" * 200, NEAR_NS)
    assert caught.value.reason is Reason.MALFORMED
    with pytest.raises(GpsgridError, match="time of week 1073741823 ms") as caught:
        decode_msm(start + b"\xff\xff\xff\xff" + bytes(100), NEAR_NS)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("number", [1070, 1078, 1080, 1138, 1005, 0])
def test_what_is_not_supported_says_so(number):
    with pytest.raises(GpsgridError) as caught:
        decode_msm((number << 4).to_bytes(2) + bytes(100), NEAR_NS)
    assert caught.value.reason is Reason.UNSUPPORTED_SIGNAL
    assert caught.value.facts["number"] == number


def test_misuse_is_a_value_error():
    rows = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False))
    with pytest.raises(ValueError, match="station number 4096"):
        encode_msm7(4096, rows, more=False)
    with pytest.raises(ValueError, match="MSM8"):
        encode_msm(1, rows, more=False, level=8)
    with pytest.raises(ValueError, match="whole milliseconds"):
        encode_msm7(1, epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False), time_ns=NEAR_NS + 1), more=False)
    with pytest.raises(ValueError, match=r"outside the tables.*G01 signal 5"):
        encode_msm7(1, epoch_of((1, 5, 2.2e7, 1.1e8, 45.0, 0, False)), more=False)
    with pytest.raises(ValueError, match="systems"):
        encode_msm7(1, epoch_of((1, 2, 2.2e7, 1.1e8, 45.0, 0, False), (201, 202, 2e7, 1e8, 4.0, 0, False)), more=False)
    with pytest.raises(ValueError, match="sorted"):
        encode_msm7(1, StationEpoch(NEAR_NS, *(np.repeat(column, 2) for column in columns_of(rows))), more=False)


def columns_of(rows):
    return (
        rows.satellite,
        rows.signal,
        rows.pseudorange_m,
        rows.phase_cyc,
        rows.cn0_dbhz,
        rows.lock_ms,
        rows.half_cycle,
    )
