"""Message 1019: both directions, the week at roll-overs, independent decoders."""

from dataclasses import astuple, replace

import pyrtklib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrtcm import RTCMMessage

from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, from_calendar, from_week, to_iso, to_week
from stations.navigation import GpsEphemeris
from stations.wire.bits import BitReader, BitWriter
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.gps_ephemeris import _FIELDS, GPS_PI, encode_ephemeris
from stations.wire.messages import decode_message

HOUR_NS = 3_600_000_000_000
STREAMS = {
    "GMSD7_20121014.rtcm3": from_calendar(2012, 10, 14),
    "week-rollover-STR24.rtcm3": from_calendar(2018, 7, 15, 0, 5),
    "dropped-packets-STR24.rtcm3": from_calendar(2018, 7, 13),
    "testglo.rtcm3": from_calendar(2011, 5, 26),
    "eph.rtcm": from_calendar(2020, 12, 1),
}
# Attribute of the ephemeris, data field, semicircles.
FIELDS = [
    ("satellite", "DF009", False),
    ("ura_index", "DF077", False),
    ("l2_code", "DF078", False),
    ("idot_rad_s", "DF079", True),
    ("iode", "DF071", False),
    ("af2", "DF082", False),
    ("af1", "DF083", False),
    ("af0_s", "DF084", False),
    ("iodc", "DF085", False),
    ("crs_m", "DF086", False),
    ("delta_n_rad_s", "DF087", True),
    ("m0_rad", "DF088", True),
    ("cuc_rad", "DF089", False),
    ("eccentricity", "DF090", False),
    ("cus_rad", "DF091", False),
    ("sqrt_a", "DF092", False),
    ("cic_rad", "DF094", False),
    ("omega0_rad", "DF095", True),
    ("cis_rad", "DF096", False),
    ("i0_rad", "DF097", True),
    ("crc_m", "DF098", False),
    ("omega_rad", "DF099", True),
    ("omega_dot_rad_s", "DF100", True),
    ("tgd_s", "DF101", False),
    ("health", "DF102", False),
    ("l2p_data_off", "DF103", False),
    ("fit_interval_flag", "DF137", False),
]


@st.composite
def payloads(draw, week=None):
    writer = BitWriter()
    writer.unsigned(1019, 12)
    for name, width, *_ in _FIELDS:
        low, high = {"satellite": (1, 63), "toe": (0, 37799), "toc": (0, 37799)}.get(name, (0, 2**width - 1))
        value = week if name == "week" and week is not None else draw(st.integers(low, high))
        writer.unsigned(value, width)
    return writer.to_bytes()


def recorded(shared_data, name):
    return [
        payload
        for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes())
        if message_number(payload) == 1019
    ]


def test_every_attribute_is_compared_with_a_field():
    by_hand = {"toe_ns", "toc_ns", "transmitted_ns"}
    assert {name for name, _, _ in FIELDS} | by_hand == set(GpsEphemeris.__dataclass_fields__)


@given(payloads(week=to_week(from_calendar(2021, 1, 1))[0] % 1024))
def test_any_message_comes_back_to_the_bit(payload):
    assert encode_ephemeris(decode_message(payload, from_calendar(2021, 1, 1))) == payload


@given(payloads(), st.integers(-500, 500))
def test_any_week_comes_back_with_the_ten_bits_it_had(payload, weeks):
    # Received at the reference time itself, whatever the week of the message, as long as near_ns fits to it.
    near_ns = from_calendar(2021, 1, 1) + weeks * NS_PER_WEEK
    ephemeris = decode_message(payload, near_ns)
    assert abs(ephemeris.toe_ns - near_ns) < 514 * NS_PER_WEEK
    again = decode_message(encode_ephemeris(ephemeris), near_ns)
    assert astuple(again) == astuple(replace(ephemeris, transmitted_ns=again.transmitted_ns))


@pytest.mark.data
@pytest.mark.parametrize("name", list(STREAMS))
def test_recorded_ephemerides_equal_pyrtcm_and_come_back_to_the_bit(shared_data, name):
    payloads = recorded(shared_data, name)
    assert payloads
    for payload in payloads:
        near_ns = STREAMS[name]
        ours, theirs = decode_message(payload, near_ns), RTCMMessage(payload=payload)
        for attribute, field, semicircles in FIELDS:
            expected = getattr(theirs, field) * (GPS_PI if semicircles else 1)
            # Equal up to the rounding of one float operation.
            assert getattr(ours, attribute) == pytest.approx(expected, rel=1e-15, abs=0), attribute
        assert to_week(ours.toe_ns)[1] == theirs.DF093 * 1_000_000_000
        assert to_week(ours.toc_ns)[1] == theirs.DF081 * 1_000_000_000
        assert encode_ephemeris(ours) == payload


@pytest.mark.data
def test_the_week_is_that_of_transmission_at_a_roll_over(shared_data):
    # Ten minutes before the end of week 2009, satellites already send the ephemeris of the first hours of week 2010
    # under the number of week 2009.
    payload = recorded(shared_data, "week-rollover-STR24.rtcm3")[0]
    before, after = from_calendar(2018, 7, 14, 23, 50), from_calendar(2018, 7, 15, 0, 5)
    assert RTCMMessage(payload=payload).DF076 == 2009 % 1024
    for near_ns in (before, after):
        ephemeris = decode_message(payload, near_ns)
        assert to_iso(ephemeris.toe_ns) == "2018-07-15T00:00:00.000"
        assert ephemeris.transmitted_ns <= near_ns
        assert encode_ephemeris(ephemeris) == payload


def test_an_ephemeris_of_last_saturday_is_not_moved_into_this_week():
    ephemeris = decode_message(example(week=2009, toe_s=597_600), from_week(2010, 2 * HOUR_NS))
    assert ephemeris.toe_ns == from_week(2009, 166 * HOUR_NS)


@pytest.mark.data
def test_rtklib_reads_what_we_encode(shared_data):
    near_ns = STREAMS["GMSD7_20121014.rtcm3"]
    for payload in recorded(shared_data, "GMSD7_20121014.rtcm3"):
        ours = decode_message(payload, near_ns)
        rtcm = pyrtklib.rtcm_t()
        pyrtklib.init_rtcm(rtcm)
        rtcm.time = pyrtklib.gpst2time(1710, 0.0)
        statuses = [pyrtklib.input_rtcm3(rtcm, byte) for byte in encode_frame(encode_ephemeris(ours))]
        assert statuses[-1] == 2
        theirs = rtcm.nav.eph[rtcm.ephsat - 1]
        assert theirs.sat == ours.satellite
        assert (theirs.toe.time, theirs.toc.time) == (unix_s(ours.toe_ns), unix_s(ours.toc_ns))
        assert (theirs.iode, theirs.iodc, theirs.svh, theirs.sva) == (
            ours.iode,
            ours.iodc,
            ours.health,
            ours.ura_index,
        )
        for their, our in [
            (theirs.A, ours.sqrt_a**2),
            (theirs.e, ours.eccentricity),
            (theirs.i0, ours.i0_rad),
            (theirs.OMG0, ours.omega0_rad),
            (theirs.omg, ours.omega_rad),
            (theirs.M0, ours.m0_rad),
            (theirs.deln, ours.delta_n_rad_s),
            (theirs.OMGd, ours.omega_dot_rad_s),
            (theirs.idot, ours.idot_rad_s),
            (theirs.crc, ours.crc_m),
            (theirs.crs, ours.crs_m),
            (theirs.cuc, ours.cuc_rad),
            (theirs.cus, ours.cus_rad),
            (theirs.cic, ours.cic_rad),
            (theirs.cis, ours.cis_rad),
            (theirs.f0, ours.af0_s),
            (theirs.f1, ours.af1),
            (theirs.f2, ours.af2),
            (theirs.tgd[0], ours.tgd_s),
        ]:
            assert our == pytest.approx(their, rel=1e-14, abs=0)


def unix_s(time_ns):
    return 315_964_800 + time_ns // 1_000_000_000


def example(**values):
    writer = BitWriter()
    writer.unsigned(1019, 12)
    toe = values.pop("toe_s", 0) // 16
    values = {"satellite": 7, "toe": toe, "toc": toe} | values
    for name, width, *_ in _FIELDS:
        writer.unsigned(values.get(name, 0) % (1 << width), width)
    return writer.to_bytes()


@pytest.mark.parametrize("values", [{"satellite": 0}, {"toe": 37800}, {"toc": 65535}])
def test_impossible_messages_are_malformed(values):
    with pytest.raises(GpsgridError, match="impossible") as caught:
        decode_message(example(**values), from_calendar(2021, 1, 1))
    assert caught.value.reason is Reason.MALFORMED


def test_every_cut_payload_is_malformed():
    payload = example()
    assert BitReader(payload).available == 488
    for length in range(2, len(payload)):
        with pytest.raises(GpsgridError, match="message 1019 ends after"):
            decode_message(payload[:length], 0)


@pytest.mark.parametrize(
    ("name", "value"), [("af0_s", 0.1), ("crc_m", float("nan")), ("eccentricity", -0.01), ("iode", 256)]
)
def test_values_that_do_not_fit_are_misuse(name, value):
    ephemeris = decode_message(example(), from_calendar(2021, 1, 1))
    with pytest.raises(ValueError, match=name):
        encode_ephemeris(replace(ephemeris, **{name: value}))


def test_angles_may_come_in_any_turn():
    ephemeris = replace(decode_message(example(), from_calendar(2021, 1, 1)), omega0_rad=1.0)
    turned = replace(ephemeris, omega0_rad=1.0 + 2 * GPS_PI)
    assert encode_ephemeris(turned) == encode_ephemeris(ephemeris)
