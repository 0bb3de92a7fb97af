"""One station's stream: epochs are gathered, everything else is passed on, nothing is raised."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_S
from stations.epoch import make_epoch
from stations.errors import Reason
from stations.feed import (
    AntennaReceived,
    BiasesReceived,
    EphemerisReceived,
    EpochReceived,
    Feed,
    FeedEvent,
    ParametersReceived,
    PositionReceived,
    Refused,
)
from stations.gpstime import from_calendar, to_iso
from stations.signals import GPS_L1CA, GPS_L2W
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.msm import decode_msm, encode_msm, encode_msm7
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, encode_antenna, encode_position

NEAR_NS = from_calendar(2021, 1, 1)


def epoch_of(second, *pairs):
    count = len(pairs)
    return make_epoch(
        NEAR_NS + second * NS_PER_S,
        np.array([satellite for satellite, _ in pairs], dtype=np.int64),
        np.array([signal for _, signal in pairs], dtype=np.int64),
        np.full(count, 2.2e7),
        np.full(count, np.nan),
        np.full(count, 45.0),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.bool_),
    )


def frame(second, *pairs, more=False, level=7):
    return encode_frame(encode_msm(5, epoch_of(second, *pairs), more=more, level=level))


def pairs_of(events):
    return [
        list(zip(event.epoch.satellite.tolist(), event.epoch.signal.tolist(), strict=True))
        for event in events
        if isinstance(event, EpochReceived)
    ]


G1, G2, G1W, R3, C8 = (1, GPS_L1CA), (2, GPS_L1CA), (1, GPS_L2W), (103, 102), (508, 502)


def test_the_multiple_message_bit_ends_an_epoch():
    feed = Feed("DELF")
    assert feed.push(frame(0, G1, more=True), NEAR_NS) == []
    assert pairs_of(feed.push(frame(0, G1W, G2), NEAR_NS)) == [[G1, G1W, G2]]
    assert feed.finish() == []


def test_a_message_of_another_time_ends_an_epoch():
    feed = Feed("DELF")
    feed.push(frame(0, G1, more=True), NEAR_NS)
    events = feed.push(frame(1, G2, more=True), NEAR_NS)
    assert pairs_of(events) == [[G1]]
    assert pairs_of(feed.finish()) == [[G2]]


def test_the_bit_of_another_constellation_ends_an_epoch_too():
    feed = Feed("DELF")
    feed.push(frame(0, G1, more=True), NEAR_NS)
    assert pairs_of(feed.push(frame(0, R3, more=True, level=4), NEAR_NS)) == []
    assert pairs_of(feed.push(frame(0, C8, level=1), NEAR_NS)) == [[G1, R3, C8]]
    assert feed.push(frame(0, more=True), NEAR_NS) == []


def test_repeated_observations_are_refused_and_the_first_kept():
    feed = Feed("DELF")
    feed.push(frame(0, G1, more=True), NEAR_NS)
    events = feed.push(frame(0, G1, G2, level=4), NEAR_NS)
    assert pairs_of(events) == [[G1, G2]]
    assert [event.reason for event in events if isinstance(event, Refused)] == [Reason.DUPLICATE_EPOCH]


def test_an_endless_epoch_does_not_grow():
    feed = Feed("DELF")
    for _ in range(50):
        feed.push(frame(0, G1, G2, more=True), NEAR_NS)
    assert pairs_of(feed.finish()) == [[G1, G2]]
    assert feed.refused == {Reason.DUPLICATE_EPOCH: 49}


def test_an_epoch_without_satellites_is_an_epoch():
    assert pairs_of(Feed("DELF").push(frame(0), NEAR_NS)) == [[]]


def test_descriptions_are_passed_on():
    position = ReferencePosition(5, (1.0, 2.0, 3.0), 0.5)
    antenna = AntennaDescriptor(5, "TRM29659.00     UNAV", serial="0220314044")
    events = Feed("DELF").push(encode_frame(encode_position(position)) + encode_frame(encode_antenna(antenna)), 0)
    assert events == [PositionReceived(position), AntennaReceived(antenna)]


def test_damage_is_refused_with_the_name_of_the_station():
    feed = Feed("DELF")
    damaged = bytearray(frame(0, G1))
    damaged[10] ^= 1
    short = encode_frame(encode_msm7(5, epoch_of(0, G1), more=False)[:20])
    events = feed.push(bytes(damaged) + short + b"\x00" * 1100, NEAR_NS)
    assert {event.reason for event in events} == {Reason.BAD_CRC, Reason.MALFORMED}
    assert all(event.text.startswith("DELF: ") for event in events)
    assert feed.refused[Reason.MALFORMED] == 1
    assert feed.refused[Reason.BAD_CRC] >= 1


def test_filler_frames_and_unknown_numbers_are_no_refusal():
    feed = Feed("DELF")
    assert feed.push(encode_frame(b"") + encode_frame(b"\xff\xe0"), NEAR_NS) == []
    assert feed.ignored == {4094: 1}
    assert not feed.refused


@pytest.mark.data
def test_a_recorded_week_roll_over(shared_data):
    feed = Feed("STR24")
    data = (shared_data / "rtcm3" / "week-rollover-STR24.rtcm3").read_bytes()
    events = feed.push(data, from_calendar(2018, 7, 14, 23, 59))
    times = [event.epoch.time_ns for event in events if isinstance(event, EpochReceived)]
    assert (to_iso(times[0]), to_iso(times[-1])) == ("2018-07-14T23:50:09.000", "2018-07-15T00:09:02.000")
    assert set(np.diff(times)) == {NS_PER_S}
    assert Counter(type(event) for event in events) == {
        EpochReceived: 1134,
        EphemerisReceived: 622,
        AntennaReceived: 227,
        PositionReceived: 113,
        BiasesReceived: 113,
        ParametersReceived: 113,
    }
    assert not feed.refused


@pytest.mark.data
def test_recorded_epochs_do_not_depend_on_chunks(shared_data):
    data = (shared_data / "rtcm3" / "GMSD7_20121014.rtcm3").read_bytes()[:40_000]
    near_ns = from_calendar(2012, 10, 14)
    whole = Feed("GMSD")
    expected = whole.push(data, near_ns)
    pieces = Feed("GMSD")
    got = [event for at in range(0, len(data), 7) for event in pieces.push(data[at : at + 7], near_ns)]
    assert [type(event) for event in got] == [type(event) for event in expected]
    blocks = [
        decode_msm(payload, near_ns)
        for payload in FrameBuffer().push(data)
        if payload and message_number(payload) == 1077
    ]
    epochs = [event.epoch for event in got if isinstance(event, EpochReceived)]
    # In 2012 this receiver tagged BeiDou with GPS time, 14 s off by the standard of 2013: every epoch comes in two.
    epochs = [epoch for epoch in epochs if epoch.satellite[0] < 500]
    for block, epoch in zip(blocks, epochs, strict=False):
        np.testing.assert_array_equal(block.phase_cyc, epoch.phase_cyc[epoch.satellite < 100])
    assert len(blocks) - len(epochs) in {0, 1}


numbers = st.sampled_from(
    [*range(1001, 1014), 1019, 1020, 1029, 1033, 1042, 1046, 1071, 1073, 1074, 1077, 1085, 1087, 1127, 1137, 1230, 4095]
)
bodies = st.builds(
    lambda number, body: encode_frame((number << 4).to_bytes(2) + body), numbers, st.binary(max_size=120)
)
good = st.builds(lambda second, more: frame(second, G1, G2, more=more), st.integers(0, 2), st.booleans())


@given(st.lists(st.one_of(st.binary(max_size=60), bodies, good), max_size=12), st.integers(-(2**62), 2**62), st.data())
def test_any_bytes_give_declared_events_only(parts, near_ns, data):
    stream = bytearray(b"".join(parts))
    for _ in range(data.draw(st.integers(0, 3)) if stream else 0):
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    feed = Feed("FUZZ")
    events = feed.push(bytes(stream), near_ns) + feed.finish()
    assert all(isinstance(event, FeedEvent) for event in events)
    refusals = Counter(event.reason for event in events if isinstance(event, Refused))
    assert refusals.keys() == feed.refused.keys()
    one_at_a_time = Feed("FUZZ")
    again = [event for byte in stream for event in one_at_a_time.push(bytes([byte]), near_ns)] + one_at_a_time.finish()
    assert one_at_a_time.refused == feed.refused
    assert [type(event) for event in again if not isinstance(event, Refused)] == [
        type(event) for event in events if not isinstance(event, Refused)
    ]
