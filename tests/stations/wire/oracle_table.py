"""Decoded observation messages against independent decoders: pyrtcm, RTKLIB and the generated vectors of rtcm-rs.

Every function compares one message or stream and returns how many values were equal, by message; the first that is
not raises. ``python -m tests.stations.wire.oracle_table`` prints all of it as a table.
"""

import argparse
import math
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyrtklib
import pytest
from pyrtcm import RTCMMessage

from stations.constants import NS_PER_MS, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.errors import GpsgridError
from stations.feed import EpochReceived, Feed
from stations.gpstime import from_calendar, to_week
from stations.signals import SIGNALS, Constellation, satellite_name, signal_of
from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import read_fields, write_fields
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.legacy import L1_SIGNALS, L2_SIGNALS, decode_legacy
from stations.wire.legacy_fields import LEGACY_LAYOUTS
from stations.wire.msm import decode_msm, encode_block
from stations.wire.msm_fields import group_of
from stations.wire.service_messages import (
    GlonassBiases,
    StationText,
    decode_biases,
    decode_parameters,
    decode_text,
    encode_biases,
    encode_parameters,
    encode_text,
)
from tests.stations.wire.oracle_bits import identical
from tests.stations.wire.oracle_readings import (
    NAN,
    legacy_satellites,
    pyrtcm_cells,
    vector_cells,
    vector_satellites,
    vector_structs,
    vectors,
)

# Reception of the first bytes, within hours, as far as texts, ephemerides and leap seconds in the streams tell.
RECEIVED_NS = {
    "1012_first.rtcm": from_calendar(2018, 1, 2, 10),
    "GMSD7_20121014.rtcm3": from_calendar(2012, 10, 14),
    "dropped-packets-STR24.rtcm3": from_calendar(2018, 7, 12, 23, 30),
    "glo_day_rollover.rtcm": from_calendar(2017, 7, 28, 21, 30),
    "javad.rtcm": from_calendar(2018, 1, 2, 19, 30),
    "jenoba-jrr32m.rtcm3": from_calendar(2018, 1, 4, 8, 30),
    "leica.rtcm": from_calendar(2018, 1, 2, 18, 30),
    "mixed-msm-legacy.rtcm": from_calendar(2018, 1, 4, 9),
    "piksi-5Hz.rtcm3": from_calendar(2018, 1, 2, 8, 30),
    "sept.rtcm": from_calendar(2018, 1, 2, 19, 30),
    "switch-legacy-msm-legacy-msm.rtcm": from_calendar(2018, 5, 23, 13, 30),
    "testglo.rtcm3": from_calendar(2009, 12, 18, 23),
    "topcon.rtcm": from_calendar(2018, 1, 1, 18, 30),
    "trimble.rtcm": from_calendar(2017, 12, 29, 20),
    "week-rollover-STR24.rtcm3": from_calendar(2018, 7, 14, 23, 50),
}
# The same observations twice an epoch, as 1004 and 1077, of which RTKLIB keeps the last and we the first.
NOT_FOR_RTKLIB = {"mixed-msm-legacy.rtcm"}
# RTCM 10403.3 table 3.4-2, from the end: from which indicator on, seconds per indicator, seconds to subtract.
_LOCK_STEPS = (
    (127, 0, -937),
    (120, 32, 3096),
    (96, 16, 1176),
    (72, 8, 408),
    (48, 4, 120),
    (24, 2, 24),
    (0, 1, 0),
)
SERVICES = {
    1013: (decode_parameters, encode_parameters),
    1029: (decode_text, encode_text),
    1230: (decode_biases, encode_biases),
}


def same_cells(block, cells):
    """Compare a decoded MSM with cells of an oracle; return the number of values."""
    constellation, level = group_of(block.number)
    offset = 319 if constellation is Constellation.SBAS else 100 * constellation
    listed = {key: cell for key, cell in cells.items() if 100 * constellation + key[1] in SIGNALS}
    assert block.skipped == len(cells) - len(listed)
    keys = zip((block.satellite - offset).tolist(), (block.signal - 100 * constellation).tolist(), strict=True)
    assert list(keys) == list(listed)
    if not listed:
        return 0
    code_m, phase_m, rate_m_s, cn0_dbhz, lock_ms, half_cycle, extended = zip(*listed.values(), strict=True)
    # A few float operations on 2e7 m; the wire resolves 1.4e-4 m.
    np.testing.assert_allclose(block.sent.pseudorange_m, code_m, rtol=1e-15, atol=2e-8)
    np.testing.assert_allclose(block.phase_range_m, phase_m, rtol=1e-15, atol=2e-8)
    np.testing.assert_allclose(block.range_rate_m_s, rate_m_s, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(block.sent.cn0_dbhz, cn0_dbhz)
    assert block.sent.lock_ms.tolist() == list(lock_ms)
    assert block.sent.half_cycle.tolist() == list(half_cycle)
    if level in {5, 7}:
        assert block.rough[2].tolist() == list(extended)
    # In cycles, where the wavelength is known.
    frequency_hz = [
        one.base_hz + one.channel_step_hz * (NAN if field > 13 or level not in {5, 7} else field - 7)
        if (one := SIGNALS[signal]).channel_step_hz
        else one.base_hz
        for signal, field in zip(block.signal.tolist(), extended, strict=True)
    ]
    phase_cyc = np.array(phase_m) / (SPEED_OF_LIGHT_M_S / np.array(frequency_hz))
    np.testing.assert_allclose(block.phase_cyc, phase_cyc, rtol=1e-15, atol=2e-7)
    return 7 * len(listed)


def same_header(block, message):
    """Compare header and time with pyrtcm's; return the number of values."""
    flags = block.flags
    ours = (block.station_number, block.more, flags.iods, flags.reserved, flags.clock_steering, flags.external_clock)
    names = ("DF003", "DF393", "DF409", "DF001_7", "DF411", "DF412")
    assert ours == tuple(getattr(message, name) for name in names)
    assert (flags.divergence_free, flags.smoothing_interval) == (message.DF417, message.DF418)
    week_ms = to_week(block.epoch_ns)[1] // NS_PER_MS
    if block.constellation is Constellation.GLONASS:
        # The leap seconds of the day are in the fraction of the day, whatever their number.
        assert (message.DF034 - week_ms) % 86_400_000 in {10_800_000 - 1000 * leap for leap in range(14, 19)}
    elif block.constellation is Constellation.BEIDOU:
        assert (week_ms - message.DF427) % 604_800_000 == 14_000
    else:
        assert week_ms == next(
            getattr(message, name) for name in ("DF004", "DF248", "DF428", "DF546") if hasattr(message, name)
        )
    return 9


def same_legacy(block, satellites, *, vector):
    """Compare a decoded message of before MSM with satellites of an oracle; return the number of values."""
    layout = LEGACY_LAYOUTS[block.number]
    glonass = layout.constellation is Constellation.GLONASS
    rows = {key: row for row, key in enumerate(zip(block.satellite.tolist(), block.signal.tolist(), strict=True))}
    seen = set()
    for raw in satellites:
        number = int(raw["satellite"])
        system = Constellation.SBAS if not glonass and number >= 40 else layout.constellation
        satellite = 280 + number if system is Constellation.SBAS else 100 * system + number
        l1_range, l1_phase, l2_range, l2_phase = (
            NAN if (value := raw[name]) is None or value in invalid else value
            for name, invalid in (
                ("l1_range", (0x1FFFFFF * 0.02,) if glonass else (0x800000 * 0.02,)),
                ("l1_phase", (-262.144,)),
                ("l2_range", (-163.84,)),
                ("l2_phase", (-262.144,)),
            )
        )
        base_m = (NAN if glonass else 0x800000 * 0.02) if math.isnan(l1_range) else l1_range
        if base_m > layout.modulus_m + 0.01:
            l1_range = base_m = NAN
        ambiguity = raw["ambiguity"] or 0
        whole_m = ambiguity if vector else ambiguity * layout.modulus_m
        cells = [(L1_SIGNALS[system][int(raw["l1_code"])], l1_range, l1_phase, "l1_")]
        absent = not any(raw[name] for name in ("l2_range", "l2_phase", "l2_lock", "l2_cn0"))
        if layout.dual and not absent and not (math.isnan(l2_range) and math.isnan(l2_phase)):
            cells.append((L2_SIGNALS[system][int(raw["l2_code"])], base_m + l2_range, l2_phase, "l2_"))
        for signal, code_m, phase_m, prefix in cells:
            key = satellite, signal
            if key in seen or signal is None or not number:
                continue
            seen.add(key)
            row = rows[key]
            lock = int(raw[prefix + "lock"])
            lock_s = next(lock * step - less for first, step, less in _LOCK_STEPS if lock >= first)
            expected = (code_m + whole_m, base_m + phase_m + whole_m, raw[prefix + "cn0"] or NAN, 1000 * lock_s)
            ours = (
                block.pseudorange_m[row],
                block.phase_range_m[row],
                block.cn0_dbhz[row],
                block.lock_ms[row],
            )
            # The vectors were written from single precision in places.
            assert ours == pytest.approx(expected, rel=1e-12 if not vector else 1e-7, abs=1e-6, nan_ok=True)
            if glonass:
                assert block.channel[row] == (raw["channel"] if vector else raw["channel"] - 7)
    assert seen == rows.keys()
    return 4 * len(seen)


def pyrtcm_values(payload, near_ns):
    """Compare one message with pyrtcm's reading of it; return the number of values, 0 if it is not of this part."""
    number = message_number(payload)
    if group_of(number):
        block, message = decode_msm(payload, near_ns), RTCMMessage(payload=payload)
        return same_header(block, message) + same_cells(block, pyrtcm_cells(message))
    if number in LEGACY_LAYOUTS:
        block, message = decode_legacy(payload, near_ns), RTCMMessage(payload=payload)
        assert (block.station_number, block.more) == (message.DF003, message.DF005)
        return 2 + same_legacy(block, legacy_satellites(message), vector=False)
    return service_values(payload) if number in SERVICES else 0


def service_values(payload):
    """Compare 1013, 1029 or 1230 with pyrtcm's reading of it; return the number of values."""
    message = RTCMMessage(payload=payload)
    if message.identity == "1013":
        ours = decode_parameters(payload)
        head = (ours.station_number, ours.modified_julian_day, ours.second_of_day, ours.leap_seconds)
        leap_seconds = None if message.DF054 == 255 else message.DF054
        assert head == (message.DF003, message.DF051, message.DF052, leap_seconds)
        for index, one in enumerate(ours.announcements, 1):
            at = f"_{index:02d}"
            assert (one.number, one.synchronous) == (getattr(message, "DF055" + at), getattr(message, "DF056" + at))
            assert one.interval_s == pytest.approx(getattr(message, "DF057" + at), abs=1e-9)
        return 4 + 3 * len(ours.announcements)
    if message.identity == "1029":
        ours = decode_text(payload)
        assert (ours.station_number, ours.modified_julian_day) == (message.DF003, message.DF051)
        # pyrtcm shows the bytes as if each were a character.
        assert ours.second_of_day == message.DF052
        assert ours.text.rstrip("\0").encode() == getattr(message, "DF140", "").encode("latin-1")
        return 4
    ours = decode_biases(payload)
    assert (ours.station_number, ours.aligned) == (message.DF003, message.DF421)
    for index, code in enumerate(("1C", "1P", "2C", "2P")):
        bias_m = getattr(message, f"DF{423 + index}", None)
        signal = signal_of(Constellation.GLONASS, code).number
        invalid = bias_m is not None and round(bias_m / 0.02) == -32768
        assert ours.bias_m.get(signal) == (None if bias_m is None or invalid else pytest.approx(bias_m, abs=1e-9))
        assert (signal in ours.bias_m) == (bias_m is not None)
    return 2 + len(ours.bias_m)


def stream_values(path, every=1):
    """Compare all messages of a recorded stream with pyrtcm; return the values by message."""
    counts = Counter()
    for number, payload in recorded(path, every):
        counts[number] += pyrtcm_values(payload, RECEIVED_NS[path.name])
    return +counts


def recorded(path, every=1):
    """Yield number and payload of every n-th message of each kind of a recorded stream."""
    seen = Counter()
    for payload in FrameBuffer().push(path.read_bytes()):
        number = message_number(payload) if payload else 0
        seen[number] += 1
        if payload and seen[number] % every == 0:
            yield number, payload


def rtklib_values(path):
    """Compare the epochs of a recorded stream with RTKLIB's; return the values by constellation and our rows."""
    data = path.read_bytes()
    rtcm = pyrtklib.rtcm_t()
    pyrtklib.init_rtcm(rtcm)
    week, nanos = to_week(RECEIVED_NS[path.name])
    rtcm.time = pyrtklib.gpst2time(week, nanos / NS_PER_S)
    theirs = {}
    for byte in data:
        if pyrtklib.input_rtcm3(rtcm, byte) == 1:
            for index in range(rtcm.obs.n):
                _collect(rtcm.obs.data[index], theirs)
    feed = Feed(path.name)
    events = feed.push(data, RECEIVED_NS[path.name]) + feed.finish()
    counts, rows = Counter(), Counter()
    for epoch in (event.epoch for event in events if isinstance(event, EpochReceived)):
        for row in range(len(epoch)):
            satellite = int(epoch.satellite[row])
            rows[Constellation(satellite // 100)] += 1
            key = epoch.time_ns, satellite_name(satellite), SIGNALS[int(epoch.signal[row])].code
            if key not in theirs:
                continue
            ours = (epoch.pseudorange_m[row], epoch.phase_cyc[row], epoch.doppler_hz[row], epoch.cn0_dbhz[row])
            # RTKLIB keeps single precision for Doppler and 0.001 dB-Hz; it says 0 for what is missing.
            for our, their, tolerance in zip(ours, theirs[key], (1e-6, 1e-5, 2e-3, 2e-3), strict=True):
                if not math.isnan(our) and their:
                    assert our == pytest.approx(their, rel=1e-14, abs=tolerance), (key, ours, theirs[key])
                    counts[Constellation(satellite // 100)] += 1
    return counts, rows


def _collect(observation, theirs):
    time_ns = (observation.time.time - 315_964_800) * NS_PER_S + round(observation.time.sec * 1000) * NS_PER_MS
    name = pyrtklib.Arr1Dchar(8)
    pyrtklib.satno2id(observation.sat, name)
    satellite = name.ptr
    if satellite.isdigit():  # SBAS: the PRN
        satellite = f"S{int(satellite) - 100}"
    for slot in range(pyrtklib.NFREQ):
        code = pyrtklib.code2obs(observation.code[slot])
        if code:
            theirs[time_ns, satellite, code] = (
                observation.P[slot],
                observation.L[slot],
                observation.D[slot],
                observation.SNR[slot] * 0.001,
            )


def vector_values(name, payload, text):
    """Compare one generated vector with the values beside it; return the number of values and the same bits again.

    The times of day and week are mostly impossible, so they are written over; what else the vectors contain,
    reserved values among them, is compared.
    """
    number = message_number(payload)
    if group := group_of(number):
        data = bytearray(payload)
        data[3:7] = bytes([0, 0, 0, data[6] & 3])
        block = decode_msm(bytes(data), 0)
        values = same_cells(block, vector_cells(text, *group))
        assert block.station_number == int(re.search(r"reference_station_id:(\d+)", text)[1]), name
        return values + 1, encode_block(block) == bytes(data)
    if number in LEGACY_LAYOUTS:
        data = bytearray(payload)
        data[3:6] = bytes(3)
        data[6] &= 3 if number < 1008 else 31
        block = decode_legacy(bytes(data), 0)
        values = 1 + same_legacy(block, vector_satellites(text), vector=True)
        reader, writer, layout = BitReader(payload), BitWriter(), LEGACY_LAYOUTS[number]
        header = read_fields(reader, layout.header)
        write_fields(writer, layout.header, header)
        for _ in range(header["count"]):
            write_fields(writer, layout.satellite, read_fields(reader, layout.satellite))
        return values, writer.to_bytes() == payload
    decode, encode = SERVICES.get(number, (None, None))
    if decode is None:
        return 0, False
    if number == 1230:
        # Their writer leaves out the three reserved bits that recorded streams have: 25 bits, then the mask.
        bits = f"{int.from_bytes(payload):0{8 * len(payload)}b}"
        bits = bits[:25] + "000" + bits[25:]
        count = bits[28:32].count("1")
        bits = bits[: 32 + 16 * count]
        payload = int(bits, 2).to_bytes(len(bits) // 8)
    value = decode(payload)
    return service_values(payload) + _service_in_text(value, text), encode(value) == payload


def _service_in_text(value, text):
    assert value.station_number == int(re.search(r"reference_station_id:(\d+)", text)[1])
    structs = [fields for _, fields in vector_structs(text)]
    if isinstance(value, StationText):
        assert value.text == re.search(r'ArrayString::<255>::from\("(.*?)"\)', text, re.DOTALL)[1]
        return 2
    if isinstance(value, GlonassBiases):
        biases = {signal_of(Constellation.GLONASS, one["signal_id"]).number: one["bias_m"] for one in structs}
        assert value.bias_m == pytest.approx(biases, rel=1e-6)  # they were written from single precision
        return 1 + len(biases)
    announced = [
        (one["message_id"], one["message_sync_flag"], one["message_transmission_interval_s"] or 0.0) for one in structs
    ]
    ours = [(one.number, one.synchronous, pytest.approx(one.interval_s, abs=1e-6)) for one in value.announcements]
    assert announced == ours
    return 1 + 3 * len(ours)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("../shared/data/rtcm3"))
    directory = parser.parse_args().directory
    table = {}
    for name, near_ns in RECEIVED_NS.items():
        for number, values in stream_values(directory / name).items():
            table.setdefault(str(number), Counter())["pyrtcm"] += values
        for number, payload in recorded(directory / name):
            if number in LEGACY_LAYOUTS or group_of(number):
                same = identical(payload, near_ns)
                table.setdefault(str(number), Counter()).update({"messages": 1, "same bits": same})
        counts, rows = rtklib_values(directory / name) if name not in NOT_FOR_RTKLIB else ({}, {})
        for constellation, values in counts.items():
            line = table.setdefault(f"epochs {constellation.name}", Counter())
            line.update({"RTKLIB": values, "rows": rows[constellation]})
    for name, payload, text in vectors(directory / "message-vectors.tar.gz"):
        try:
            values, same = vector_values(name, payload, text)
        except GpsgridError as error:
            sys.stdout.write(f"{name}: {error}\n")
            continue
        if values:
            table.setdefault(name[3:7], Counter()).update({"vectors": values, "messages": 1, "same bits": same})
    columns = ("pyrtcm", "vectors", "RTKLIB", "rows", "messages", "same bits")
    sys.stdout.write(f"{'message':<16}" + "".join(f"{column:>11}" for column in columns) + "\n")
    for label in sorted(table):
        sys.stdout.write(f"{label:<16}" + "".join(f"{table[label][column] or '':>11}" for column in columns) + "\n")


if __name__ == "__main__":
    main()
