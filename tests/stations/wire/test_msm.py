"""Multiple Signal Messages: recorded streams against independent decoders, and every refusal."""

import tarfile

import numpy as np
import pyrtklib
import pytest
from pyrtcm import RTCMMessage

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, from_calendar, to_week
from stations.signals import GPS_L1CA, GPS_L2W, SIGNALS
from stations.wire.bits import BitReader
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.msm import MsmFlags, decode_msm, encode_msm, encode_msm7, more_follows, split_rows

RANGE_MS_M = SPEED_OF_LIGHT_M_S / 1000
NEAR_NS = from_calendar(2021, 1, 1)
STREAMS = [
    "GMSD7_20121014.rtcm3",
    "dropped-packets-STR24.rtcm3",
    "javad.rtcm",
    "jenoba-jrr32m.rtcm3",
    "mixed-msm-legacy.rtcm",
    "piksi-5Hz.rtcm3",
    "sept.rtcm",
    "switch-legacy-msm-legacy-msm.rtcm",
    "trimble.rtcm",
    "week-rollover-STR24.rtcm3",
]
COLUMNS = (
    "satellite",
    "signal",
    "pseudorange_m",
    "phase_cyc",
    "range_rate_m_s",
    "cn0_dbhz",
    "lock_ms",
    "half_cycle",
)
LEVELS = (4, 5, 6, 7)


def recorded(shared_data, name):
    return [
        payload
        for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes())
        if payload and 1074 <= message_number(payload) <= 1077
    ]


def epoch_of(*rows, time_ns=NEAR_NS):
    """Return an epoch of rows (satellite, signal, code m, phase cycles, C/N0, lock ms, half cycle)."""
    return make_epoch(time_ns, *(np.array(column) for column in zip(*rows, strict=True)))


def same_rows(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in COLUMNS)


def rough_fields(payload):
    reader = BitReader(payload)
    level = reader.unsigned(12) - 1070
    reader.unsigned(61)
    satellites = reader.unsigned(64).bit_count()
    reader.unsigned(satellites * reader.unsigned(32).bit_count())
    return reader.unsigned(satellites * (36 if level in {5, 7} else 18))


def cells_of(message):
    """Yield pyrtcm's cells of a message as (satellite, signal, columns in metres, dB-Hz, flags)."""
    level = int(message.identity) - 1070
    code, phase, lock, cn0 = ("DF400", "DF401", "DF402", "DF403") if level < 6 else ("DF405", "DF406", "DF407", "DF408")
    # pyrtcm names satellites and signals, and some not at all, so the masks are read again.
    satellites = [number for number in range(1, 65) if message.DF394 >> (64 - number) & 1]
    signals = [number for number in range(1, 33) if message.DF395 >> (32 - number) & 1]
    pairs = [(satellite, signal) for satellite in satellites for signal in signals]
    pairs = [pair for bit, pair in enumerate(reversed(pairs)) if message.DF396 >> bit & 1][::-1]
    rough = {}
    for index, satellite in enumerate(satellites, 1):
        at = f"_{index:02d}"
        rough[satellite] = (
            getattr(message, "DF397" + at),
            getattr(message, "DF398" + at),
            getattr(message, "DF399" + at, -8192),
        )
    for index, (satellite, signal) in enumerate(pairs, 1):
        at = f"_{index:02d}"
        if signal in SIGNALS:
            assert getattr(message, "CELLPRN" + at) in {f"{satellite:03d}", "N/A"}
            assert getattr(message, "CELLSIG" + at) == SIGNALS[signal].code
        whole, modulo, rate = rough[satellite]
        fine_code, fine_phase = getattr(message, code + at), getattr(message, phase + at)
        fine_rate = getattr(message, "DF404" + at, -1.6384)
        nan = float("nan")
        yield (
            satellite,
            SIGNALS.get(signal),
            nan if whole == 255 or fine_code == -(2.0**-10) else (whole + modulo + fine_code) * RANGE_MS_M,
            nan if whole == 255 or fine_phase == -(2.0**-8) else (whole + modulo + fine_phase) * RANGE_MS_M,
            nan if rate == -8192 or fine_rate == -1.6384 else rate + fine_rate,
            getattr(message, cn0 + at) or nan,
            getattr(message, lock + at),
            bool(getattr(message, "DF420" + at)),
        )


@pytest.mark.data
@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_cell_equals_pyrtcm(shared_data, name):
    payloads = recorded(shared_data, name)
    assert payloads
    for payload in payloads:
        ours, theirs = decode_msm(payload, NEAR_NS), RTCMMessage(payload=payload)
        assert (ours.station_number, ours.more, ours.flags.iods) == (theirs.DF003, theirs.DF393, theirs.DF409)
        assert to_week(ours.epoch_ns)[1] == theirs.DF004 * 1_000_000
        assert len(ours.epoch()) == theirs.NCell
        if not theirs.NCell:
            continue
        satellite, signal, code_m, phase_m, rate_m_s, cn0, lock, half = zip(*cells_of(theirs), strict=True)
        assert ours.satellite.tolist() == list(satellite)
        assert ours.signal.tolist() == [one.number for one in signal]
        # A few float operations on 2e7 m; the wire resolves 1.4e-4 m.
        np.testing.assert_allclose(ours.pseudorange_m, code_m, rtol=0, atol=2e-8)
        wavelength_m = np.array([one.wavelength_m for one in signal])
        np.testing.assert_allclose(ours.phase_cyc * wavelength_m, phase_m, rtol=0, atol=2e-8)
        np.testing.assert_allclose(ours.range_rate_m_s, rate_m_s, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(ours.cn0_dbhz, cn0)
        width = 4 if message_number(payload) < 1076 else 10
        assert ours.lock_ms.tolist() == [least_ms(indicator, width) for indicator in lock]
        assert ours.half_cycle.tolist() == list(half)
        assert ours.skipped == 0


def least_ms(indicator, width):
    """The tables of the standard, line by line: DF402 (3.5-74) and DF407 (3.5-75)."""
    if width == 4:
        return [0, *(2**power for power in range(5, 20))][indicator]
    start, unit, least = 0, 1, 0
    while indicator >= start + (64 if start == 0 else 32):
        least += unit * (64 if start == 0 else 32)
        start, unit = start + (64 if start == 0 else 32), unit * 2
    return least + (indicator - start) * unit


@pytest.mark.data
@pytest.mark.parametrize("name", STREAMS)
def test_recorded_messages_come_back(shared_data, name):
    # Every value comes back exactly. So do the bits, where the sender rounds the rough values as we do.
    identical = 0
    for payload in recorded(shared_data, name):
        block = decode_msm(payload, NEAR_NS)
        again = encode_msm(
            block.station_number,
            block.epoch(),
            more=block.more,
            level=message_number(payload) - 1070,
            range_rate_m_s=block.range_rate_m_s,
            flags=block.flags,
        )
        assert same_rows(decode_msm(again, NEAR_NS), block)
        if rough_fields(again) == rough_fields(payload):
            assert again == payload
            identical += 1
    if name in {"jenoba-jrr32m.rtcm3", "mixed-msm-legacy.rtcm"}:
        assert identical == len(recorded(shared_data, name))
    if name == "GMSD7_20121014.rtcm3":
        assert identical == 202


@pytest.mark.data
def test_generated_vectors_of_all_levels_equal_pyrtcm(shared_data):
    # Extreme field values: most times of week are impossible, so the time is written over.
    count = 0
    with tarfile.open(shared_data / "rtcm3" / "message-vectors.tar.gz") as archive:
        for member in archive:
            if not member.name.startswith(("./msg1074", "./msg1075", "./msg1076", "./msg1077")):
                continue
            if not member.name.endswith(".rtcm"):
                continue
            payload = bytearray(archive.extractfile(member).read()[3:-3])
            payload[3:7] = bytes([0, 0, 0, payload[6] & 3])
            ours, theirs = decode_msm(bytes(payload), NEAR_NS), RTCMMessage(payload=bytes(payload))
            expected = {}
            for satellite, signal, code_m, phase_m, rate_m_s, cn0, _, half in cells_of(theirs):
                if signal is None:
                    continue
                expected[satellite, signal.number] = (code_m, phase_m / signal.wavelength_m, rate_m_s, cn0, half)
            rows = zip(*(getattr(ours, name).tolist() for name in COLUMNS), strict=True)
            got = {(row[0], row[1]): (*row[2:6], row[7]) for row in rows}
            assert got.keys() == expected.keys()
            for key, row in got.items():
                assert row == pytest.approx(expected[key], rel=1e-15, abs=1e-9, nan_ok=True)
            assert len(got) + ours.skipped == theirs.NCell
            count += 1
    assert count >= 12


@pytest.mark.data
@pytest.mark.parametrize("level", LEVELS)
def test_pyrtcm_reads_what_we_encode(shared_data, level):
    for payload in recorded(shared_data, "GMSD7_20121014.rtcm3")[::16]:
        block = decode_msm(payload, NEAR_NS)
        theirs = RTCMMessage(
            payload=encode_msm(77, block.epoch(), more=True, level=level, range_rate_m_s=block.range_rate_m_s)
        )
        assert (theirs.identity, theirs.DF003, theirs.DF393) == (str(1070 + level), 77, 1)
        satellite, signal, code_m, phase_m, rate_m_s, cn0, _, half = zip(*cells_of(theirs), strict=True)
        assert (list(satellite), list(half)) == (block.satellite.tolist(), block.half_cycle.tolist())
        # Half of the resolution: 2^-24 or 2^-29 ms of code, 2^-29 or 2^-31 ms of phase, 1 or 1/16 dB-Hz.
        code_atol, phase_atol, cn0_atol = (0.009, 2.8e-4, 0.5) if level < 6 else (2.8e-4, 7e-5, 1 / 32)
        np.testing.assert_allclose(block.pseudorange_m, code_m, rtol=0, atol=code_atol)
        wavelength_m = np.array([one.wavelength_m for one in signal])
        np.testing.assert_allclose(block.phase_cyc * wavelength_m, phase_m, rtol=0, atol=phase_atol)
        np.testing.assert_allclose(block.cn0_dbhz, cn0, rtol=0, atol=cn0_atol)
        if level in {5, 7}:
            np.testing.assert_allclose(block.range_rate_m_s, rate_m_s, rtol=0, atol=1e-9)


@pytest.mark.data
def test_rtklib_reads_what_we_encode(shared_data):
    near_ns = from_calendar(2012, 10, 14)
    for payload in recorded(shared_data, "GMSD7_20121014.rtcm3")[::16]:
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


@pytest.mark.parametrize("level", LEVELS)
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
    np.testing.assert_array_equal(np.isnan(block.cn0_dbhz), np.isnan(rows.cn0_dbhz))
    assert np.isnan(block.range_rate_m_s).all()
    assert block.half_cycle.tolist() == [False, False, True]


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


@pytest.mark.parametrize("level", LEVELS)
def test_the_lock_time_sent_claims_no_more_than_is_known(level):
    for lock_ms in [0, 1, 63, 64, 65, 127, 128, 10_000, 524_287, 524_288, 67_108_863, 67_108_864, 10**12]:
        rows = epoch_of((1, GPS_L1CA, 2.2e7, float("nan"), 45.0, lock_ms, False))
        received = int(decode_msm(encode_msm(1, rows, more=False, level=level), NEAR_NS).lock_ms[0])
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


@pytest.mark.parametrize("number", [1071, 1072, 1073, 1084, 1097, 1124, 1005, 0])
def test_what_is_not_supported_says_so(number):
    with pytest.raises(GpsgridError) as caught:
        decode_msm((number << 4).to_bytes(2) + bytes(100), NEAR_NS)
    assert caught.value.reason is Reason.UNSUPPORTED_SIGNAL
    assert caught.value.facts["number"] == number


def test_misuse_is_a_value_error():
    rows = epoch_of((1, GPS_L1CA, 2.2e7, 1.1e8, 45.0, 0, False))
    with pytest.raises(ValueError, match="station number 4096"):
        encode_msm7(4096, rows, more=False)
    with pytest.raises(ValueError, match="MSM3"):
        encode_msm(1, rows, more=False, level=3)
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
