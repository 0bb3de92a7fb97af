"""Epochs gathered where they were unpacked and epochs joined from parts are the same, for any stream."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_S
from stations.epoch import StationEpoch, make_epoch
from stations.feed import EpochReceived, Feed
from stations.gathering import Gathering
from stations.gpstime import from_calendar
from stations.signals import SIGNALS, Constellation
from stations.wire.framing import encode_frame
from stations.wire.msm import encode_msm
from tests.stations.wire.oracle_table import RECEIVED_NS

NEAR_NS = from_calendar(2021, 1, 1)
SYSTEMS = (Constellation.GPS, Constellation.GLONASS, Constellation.GALILEO, Constellation.BEIDOU)
CODES = {system: [one.number for one in SIGNALS.values() if one.constellation is system][:3] for system in SYSTEMS}


def slow_feed():
    feed = Feed("TWIN")
    feed._gathering = Gathering(room=0)
    return feed


def assert_same(chunks, near_ns):
    fast, slow = Feed("TWIN"), slow_feed()
    ours = [event for chunk in chunks for event in fast.push(chunk, near_ns)] + fast.finish()
    theirs = [event for chunk in chunks for event in slow.push(chunk, near_ns)] + slow.finish()
    assert [type(event) for event in ours] == [type(event) for event in theirs]
    for one, other in zip(ours, theirs, strict=True):
        if not isinstance(one, EpochReceived):
            assert one == other
            continue
        for column in fields(StationEpoch):
            np.testing.assert_array_equal(getattr(one.epoch, column.name), getattr(other.epoch, column.name))
    for counter in ("refused", "ignored", "skipped_cells", "unknown_channels", "wrong_days", "unknown_ranges"):
        assert getattr(fast, counter) == getattr(slow, counter)
    return ours


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(RECEIVED_NS))
def test_recorded_streams(shared_data, name):
    data = (shared_data / "rtcm3" / name).read_bytes()
    assert assert_same([data[at : at + 900] for at in range(0, len(data), 900)], RECEIVED_NS[name])


def message(second, system, level, satellites, more):
    rows = [(100 * system + number, signal) for number in satellites for signal in CODES[system]]
    count = len(rows)
    epoch = make_epoch(
        NEAR_NS + second * NS_PER_S,
        np.array([satellite for satellite, _ in rows], dtype=np.int64),
        np.array([signal for _, signal in rows], dtype=np.int64),
        2.2e7 + 10.0 * np.arange(count) + second,
        np.full(count, np.nan),
        np.full(count, 45.0),
        np.full(count, 1000 * second),
        np.zeros(count, dtype=np.bool_),
    )
    return encode_frame(encode_msm(5, epoch, more=more, level=level, constellation=system))


messages = st.builds(
    message,
    st.integers(0, 2),
    st.sampled_from(SYSTEMS),
    st.sampled_from((1, 3, 4, 7, 7, 7)),
    st.sets(st.integers(1, 24), max_size=5).map(sorted),
    st.sampled_from((True, True, False)),
)


@given(st.lists(messages, max_size=12))
def test_any_order_of_messages(frames):
    assert_same(frames, NEAR_NS)


def test_more_rows_than_there_is_room_for():
    frames = [message(0, SYSTEMS[0], 7, [number], True) for number in range(1, 33)]
    frames += [message(0, system, 7, range(1, 22), True) for system in SYSTEMS[1:] for _ in range(3)]
    ours = assert_same([b"".join(frames * 3)], NEAR_NS)
    assert len(ours[-1].epoch) == 32 * 3 + 3 * 21 * 3


def test_an_epoch_keeps_its_values_when_the_next_one_comes():
    feed = Feed("DELF")
    (first,) = feed.push(message(0, SYSTEMS[0], 7, [1, 2], False), NEAR_NS)
    kept = first.epoch.pseudorange_m.copy()
    feed.push(message(1, SYSTEMS[0], 7, [3, 4], False), NEAR_NS)
    np.testing.assert_array_equal(first.epoch.pseudorange_m, kept)
    # No more memory than the rows need: whoever keeps a day of epochs keeps no columns of a feed.
    assert first.epoch.pseudorange_m.base.nbytes <= 5 * 8 * len(first.epoch)
