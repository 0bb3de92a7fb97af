"""Messages 1019, 1020, 1041, 1042, 1044, 1045, 1046: recorded streams, generated vectors, independent decoders."""

import io
import re
import tarfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pyrtklib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrtcm import RTCMMessage
from pyrtcm.rtcmtypes_core import RTCM_DATA_FIELDS
from pyrtcm.rtcmtypes_get import RTCM_PAYLOADS_GET

from stations.errors import GpsgridError, Reason
from stations.gpstime import from_calendar, from_week, to_beidou_week, to_glonass_day, to_iso, to_week
from stations.navigation import GalileoMessage
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris
from stations.rinex_nav import read_navigation_file
from stations.rinex_nav_writer import write_navigation
from stations.wire import beidou_ephemeris, galileo_ephemeris, glonass_ephemeris, gps_ephemeris, navic_ephemeris
from stations.wire.bits import BitReader, BitWriter, NeedMoreBits
from stations.wire.broadcast_ephemeris import EPHEMERIS_DECODERS, encode_broadcast
from stations.wire.ephemeris_fields import read_fields, write_fields
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.messages import decode_message

TABLES = {
    **gps_ephemeris.TABLES,
    **galileo_ephemeris.TABLES,
    1020: glonass_ephemeris.FIELDS,
    1041: navic_ephemeris.FIELDS,
    1042: beidou_ephemeris.FIELDS,
}
# Seconds per unit of toe and toc.
UNITS_S = {1019: 16, 1041: 16, 1042: 8, 1044: 16, 1045: 60, 1046: 60}
# Fields that we do not keep: zero in canonical messages.
RESERVED = ("reserved", "spare_idot", "spare_i0")
STREAMS = {
    "GMSD7_20121014.rtcm3": from_calendar(2012, 10, 14),
    "week-rollover-STR24.rtcm3": from_calendar(2018, 7, 15, 0, 5),
    "dropped-packets-STR24.rtcm3": from_calendar(2018, 7, 13),
    "testglo.rtcm3": from_calendar(2009, 12, 19),
    "eph.rtcm": from_calendar(2018, 8, 3, 15),
    "test_bds_eph.rtcm": from_calendar(2018, 8, 14, 4),
    "test_gal_eph.rtcm": from_calendar(2018, 8, 14, 4),
    "test_glo_eph.rtcm": from_calendar(2018, 8, 14, 4),
    "sept.rtcm": from_calendar(2018, 1, 2, 19),
}
NEAR_NS = from_calendar(2021, 1, 1, 12)


def recorded(shared_data, name):
    frames = FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes())
    return [payload for payload in frames if payload and message_number(payload) in EPHEMERIS_DECODERS]


def raw_of(payload):
    reader = BitReader(payload)
    return read_fields(reader, TABLES[reader.unsigned(12)])


def payload_of(number, raw):
    writer = BitWriter()
    writer.unsigned(number, 12)
    write_fields(writer, TABLES[number], raw)
    return writer.to_bytes()


def decode(payload, near_ns=NEAR_NS):
    return EPHEMERIS_DECODERS[message_number(payload)](payload, near_ns)


# ------------------------------------------------------------------------------------------------- recorded streams


@pytest.mark.data
@pytest.mark.parametrize("name", list(STREAMS))
def test_recorded_messages_come_back_to_the_bit(shared_data, name):
    payloads = recorded(shared_data, name)
    assert payloads
    for payload in payloads:
        assert encode_broadcast(decode_message(payload, STREAMS[name])) == payload


def pyrtcm_raw(payload):
    """Return pyrtcm's fields in the order of the message, as raw integers."""
    number = message_number(payload)
    theirs = RTCMMessage(payload=payload)
    raw = []
    for field in list(RTCM_PAYLOADS_GET[str(number)])[1:]:
        scale = RTCM_DATA_FIELDS[field][2]
        value = getattr(theirs, field)
        raw.append(round(value / scale) if scale not in {0, 1} else int(value))
    return raw


@pytest.mark.data
@pytest.mark.parametrize("name", list(STREAMS))
def test_recorded_fields_equal_pyrtcm(shared_data, name):
    for payload in set(recorded(shared_data, name)):
        raw = raw_of(payload)
        if message_number(payload) == 1020:
            minute = raw.pop("tk_minute") << 1 | raw.pop("tk_half_minute")
            raw["tk_hour"] = raw["tk_hour"] << 7 | minute
        ours = list(raw.values())
        assert ours == pyrtcm_raw(payload)


@pytest.mark.data
@pytest.mark.parametrize("name", list(STREAMS))
def test_recorded_values_equal_rtklib(shared_data, name, kepler_oracle, glonass_oracle):
    compared = 0
    for payload in sorted(set(recorded(shared_data, name))):
        count, wrong = against_rtklib(payload, STREAMS[name], kepler_oracle, glonass_oracle)
        assert not wrong
        compared += count
    assert compared >= 25


@pytest.mark.data
@pytest.mark.parametrize("name", list(STREAMS))
def test_recorded_health_equals_rtklib_in_messages_and_files(shared_data, name):
    """Every ephemeris is healthy or not as RTKLIB says, whether it came as RTCM 3 or as RINEX."""
    near_ns = STREAMS[name]
    decoded = [decode(payload, near_ns) for payload in sorted(set(recorded(shared_data, name)))]
    compared = 0
    for ours in decoded:
        count, wrong = against_rtklib(encode_broadcast(ours), near_ns, health_differences, health_differences)
        assert not wrong
        compared += count
    assert compared >= len(decoded) - 2  # two GLONASS slots that RTKLIB has no room for
    from_file = read_navigation_file(write_navigation(decoded), name).ephemerides
    assert [(one.satellite, one.healthy) for one in from_file] == [(one.satellite, one.healthy) for one in decoded]


@pytest.mark.data
def test_the_flags_that_decide_nothing_were_recorded(shared_data):
    """R05, R13, R14 and R15 of this stream have Bn 0 and ln 1; their observations are as good as those of others."""
    name = "week-rollover-STR24.rtcm3"
    glonass = [
        decode(payload, STREAMS[name]) for payload in recorded(shared_data, name) if message_number(payload) == 1020
    ]
    flagged = {one.satellite for one in glonass if one.service.unhealthy_3 or one.service.unhealthy_5}
    assert flagged >= {105, 113, 114, 115}
    assert all(one.healthy for one in glonass if one.satellite in {105, 113, 114, 115})


def health_differences(ours, theirs):
    """Compare health with what RTKLIB does with an ephemeris: its variance and health decide in ``satexclude``."""
    options, position, clock, variance = pyrtklib.prcopt_t(), *map(pyrtklib.Arr1Ddouble, (6, 2, 1))
    options.navsys = 0xFF
    compute = pyrtklib.geph2pos if isinstance(ours, GlonassEphemeris) else pyrtklib.eph2pos
    compute(theirs.toe, theirs, position, clock, variance)
    excluded = pyrtklib.satexclude(theirs.sat, variance[0], theirs.svh, options)
    return 1, {} if ours.healthy == (not excluded) else {"healthy": (ours.healthy, theirs.svh)}


def against_rtklib(payload, near_ns, kepler_oracle, glonass_oracle):
    ours = decode(payload, near_ns)
    rtcm = pyrtklib.rtcm_t()
    pyrtklib.init_rtcm(rtcm)
    week, nanos_of_week = to_week(near_ns)
    rtcm.time = pyrtklib.gpst2time(week, nanos_of_week / 1e9)
    statuses = [pyrtklib.input_rtcm3(rtcm, byte) for byte in encode_frame(encode_broadcast(ours))]
    try:
        if statuses[-1] != 2:
            # RTKLIB has no room for GLONASS slots beyond 24 and QZSS satellites beyond 10.
            assert ours.satellite % 100 > 10
            return 0, {}
        if message_number(payload) == 1020:
            return glonass_oracle(ours, rtcm.nav.geph[ours.satellite - 101])
        return kepler_oracle(ours, rtcm.nav.eph[rtcm.ephsat - 1 + pyrtklib.MAXSAT * rtcm.ephset])
    finally:
        pyrtklib.free_rtcm(rtcm)


# ------------------------------------------------------------------------------------------------- generated vectors

SPECIAL = {
    "toe": lambda raw, number: raw * UNITS_S[number],
    "toc": lambda raw, number: raw * UNITS_S[number],
    "tb": lambda raw, _: raw * 15,
    "tk_half_minute": lambda raw, _: raw * 30,
    "channel": lambda raw, _: raw - 7,
    "interval": lambda raw, _: 1992 + 4 * raw,
}


@pytest.fixture(scope="module")
def vectors(shared_data):
    return generated(shared_data)


def generated(shared_data):
    found = []
    with tarfile.open(shared_data / "rtcm3" / "message-vectors.tar.gz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    for name, content in files.items():
        number = re.search(r"msg(\d{4})_\d\.rtcm$", name)
        if number and int(number[1]) in EPHEMERIS_DECODERS:
            text = files[name.removesuffix("rtcm") + "in"].decode()
            (payload,) = FrameBuffer().push(io.BytesIO(content).read())
            found.append((int(number[1]), payload, re.findall(r"\w+:(-?[\d.e-]+)", text.split("{", 1)[1])))
    return found


@pytest.mark.data
def test_fields_of_generated_messages(vectors):
    assert Counter(number for number, _, _ in vectors) == dict.fromkeys(EPHEMERIS_DECODERS, 3)
    compared = 0
    for number, payload, expected in vectors:
        raw = raw_of(payload)
        assert payload_of(number, raw) == payload
        kilometres = 1000 if number == 1020 else 1
        assert len(raw) == len(expected)
        for field, text in zip(TABLES[number], expected, strict=True):
            factor = field.scale / (kilometres if field.name[-2:] in {"_x", "_y", "_z"} else 1)
            ours = SPECIAL.get(field.name, lambda raw, _, factor=factor: raw * factor)(raw[field.name], number)
            # Half of the generated values are single precision.
            assert ours == pytest.approx(float(text), rel=2e-7, abs=0.0), (number, field.name)
            compared += 1
    assert compared == 642


@pytest.mark.data
def test_generated_messages_come_back_or_are_refused(vectors):
    for number, payload, _ in vectors:
        possible = raw_of(payload) | dict.fromkeys(RESERVED, 0) | {"satellite": 5}
        possible |= {"toe": 100, "toc": 200} if number != 1020 else {"tb": 50, "tk_hour": 3, "tk_minute": 7}
        canonical = payload_of(number, {name: raw for name, raw in possible.items() if name in raw_of(payload)})
        assert encode_broadcast(decode(canonical)) == canonical
        # They all have satellite 0, or times beyond the week or the day, but for one.
        raw = raw_of(payload)
        if number != 1020 or raw["tk_hour"] != 14:
            with pytest.raises(GpsgridError, match="impossible"):
                decode(payload)


# -------------------------------------------------------------------------------------------------------- properties


@st.composite
def payloads(draw, numbers=tuple(EPHEMERIS_DECODERS)):
    number = draw(st.sampled_from(numbers))
    raw = {}
    for field in TABLES[number]:
        low, high = 0, 2**field.width - 1
        if field.kind != "unsigned":
            low, high = -(2 ** (field.width - 1)), 2 ** (field.width - 1) - 1
        low += field.kind == "magnitude"  # as many numbers as bits, but for the second zero
        raw[field.name] = draw(st.integers(low, high))
    raw["satellite"] = draw(st.integers(1, 10))
    raw |= dict.fromkeys(RESERVED, 0)
    if number == 1020:
        raw |= {"tk_hour": draw(st.integers(0, 23)), "tk_minute": draw(st.integers(0, 59))}
        raw["tb"] = draw(st.integers(0, 95))
    else:
        last = 604_799 // UNITS_S[number]
        raw |= {"toe": draw(st.integers(0, last)), "toc": draw(st.integers(0, last))}
        near = to_week(NEAR_NS)[0] - {1042: 1356, 1045: 1024, 1046: 1024}.get(number, 0)
        raw["week"] = near % (8192 if number == 1042 else 4096 if number in {1045, 1046} else 1024)
    return payload_of(number, {field.name: raw[field.name] for field in TABLES[number]})


@given(payloads())
def test_any_message_comes_back_to_the_bit(payload):
    assert encode_broadcast(decode(payload)) == payload


@given(payloads((1019, 1041, 1042, 1044, 1045, 1046)))
def test_any_kepler_message_equals_rtklib(kepler_oracle, payload):
    # RTKLIB places the reference time by its own rules; with a time of week near that of reception all agree.
    number, raw = message_number(payload), raw_of(payload)
    at_noon = to_week(NEAR_NS)[1] // 10**9 // UNITS_S[number]
    payload = payload_of(number, raw | {"toe": at_noon, "toc": at_noon + 3})
    count, wrong = against_rtklib(payload, NEAR_NS, kepler_oracle, None)
    assert count or number == 1044
    assert not wrong


@given(payloads((1020,)))
def test_any_glonass_message_equals_rtklib(glonass_oracle, payload):
    raw = raw_of(payload)
    raw |= {"tb": 60, "tk_hour": 14, "satellite": 1 + raw["satellite"]}
    count, wrong = against_rtklib(payload_of(1020, raw), NEAR_NS, None, glonass_oracle)
    assert count
    assert not wrong


@given(payloads(), st.data())
def test_every_cut_payload_needs_more(payload, data):
    with pytest.raises(NeedMoreBits):
        decode(payload[: data.draw(st.integers(2, len(payload) - 1))])


def test_damaged_messages_are_values_or_refused(rng):
    whole = [payload_of(number, {field.name: 1 for field in table}) for number, table in TABLES.items()]
    refused = 0
    for _ in range(2000):
        data = bytearray(whole[rng.integers(len(whole))])
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(2, len(data))] = rng.integers(256)
        payload = bytes(data[: rng.integers(2, len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            ephemeris = decode_message(payload, NEAR_NS + int(rng.integers(-(10**18), 10**18)))
        except GpsgridError as error:
            assert error.reason is Reason.MALFORMED
            refused += 1
        else:
            assert ephemeris.satellite % 100 > 0
            assert isinstance(ephemeris.healthy, bool)
            assert isinstance(ephemeris.issue, int)
    assert 100 < refused < 1900


# ------------------------------------------------------------------------------------------------- times and values


def test_beidou_times_are_fourteen_seconds_behind():
    raw = dict.fromkeys((field.name for field in TABLES[1042]), 0) | {"satellite": 7, "week": 782, "toe": 54_000}
    ephemeris = decode(payload_of(1042, raw | {"toc": 54_000}))
    assert to_beidou_week(ephemeris.toe_ns) == (782, 432_000 * 10**9)
    assert to_iso(ephemeris.toe_ns) == "2021-01-01T00:00:14.000"
    assert ephemeris.satellite == 507


@pytest.mark.parametrize("near_s", [-3600, 0, 13, 3600])
def test_beidou_week_roll_over(near_s):
    # The last upload of BeiDou week 781, and the first of 782, heard around the end of the week.
    start_ns = from_week(782 + 1356, 14 * 10**9)
    for week, toe_s, expected_ns in ((781, 604_792, start_ns - 8 * 10**9), (782, 0, start_ns), (781, 0, start_ns)):
        raw = dict.fromkeys((field.name for field in TABLES[1042]), 0) | {"satellite": 7, "week": week}
        payload = payload_of(1042, raw | {"toe": toe_s // 8, "toc": toe_s // 8})
        ephemeris = decode(payload, start_ns + near_s * 10**9)
        assert (ephemeris.toe_ns, ephemeris.toc_ns) == (expected_ns, expected_ns)
        assert encode_broadcast(ephemeris) == payload


@pytest.mark.parametrize("hour", range(24))
def test_glonass_day_is_the_nearest(hour):
    near_ns = from_calendar(2021, 1, 1, hour, 17)
    raw = dict.fromkeys((field.name for field in TABLES[1020]), 0) | {"satellite": 3, "channel": 12}
    ephemeris = decode(payload_of(1020, raw | {"tb": (hour + 3) * 4 % 96, "tk_hour": (hour + 3) % 24}), near_ns)
    assert ephemeris.toe_ns == from_calendar(2021, 1, 1, hour, 0, 18 * 10**9)
    assert ephemeris.frame_ns == ephemeris.toe_ns
    assert (ephemeris.satellite, ephemeris.channel, ephemeris.issue) == (103, 5, (hour + 3) * 4 % 96)
    assert to_glonass_day(ephemeris.toe_ns)[1] == (hour + 3) % 24 * 3600 * 10**9


def test_galileo_bits_of_health_and_message():
    zero = {number: dict.fromkeys((field.name for field in TABLES[number]), 0) for number in (1045, 1046)}
    inav = decode(payload_of(1046, zero[1046] | {"satellite": 11, "e5b_health": 2, "e1_invalid": 1}))
    fnav = decode(payload_of(1045, zero[1045] | {"satellite": 11, "e5a_health": 1, "sisa_index": 107}))
    assert (inav.message, inav.data_sources, inav.health) == (GalileoMessage.INAV, 517, 0b10_0_00_0_00_1)
    assert (fnav.message, fnav.data_sources, fnav.health) == (GalileoMessage.FNAV, 258, 0b00_0_01_0_00_0)
    assert not inav.healthy
    assert not fnav.healthy
    assert fnav.signal_healthy("E1")
    assert replace(fnav, health=0).healthy
    assert not replace(fnav, health=0, sisa_index=255).healthy


@pytest.mark.parametrize(
    ("number", "name", "value"),
    [
        (1020, "channel", 30),
        (1020, "tau_s", 0.1),
        (1020, "position_m", (np.nan, 0.0, 0.0)),
        (1042, "aodc", 32),
        (1042, "tgd1_s", 1e-6),
        (1045, "iod_nav", 1024),
        (1046, "crc_m", float("inf")),
        (1041, "omega_dot_rad_s", 1.0),
        (1044, "satellite", 417),
    ],
)
def test_values_that_do_not_fit_are_misuse(number, name, value):
    raw = dict.fromkeys((field.name for field in TABLES[number]), 0) | {"satellite": 1}
    with pytest.raises(ValueError, match=r"fit|finite"):
        encode_broadcast(replace(decode(payload_of(number, raw)), **{name: value}))


def test_sbas_has_no_message():
    sbas = SbasEphemeris(320, 0, 0, 1, 0, 2.0, 0.0, 0.0, (4.2e7, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="no message"):
        encode_broadcast(sbas)
