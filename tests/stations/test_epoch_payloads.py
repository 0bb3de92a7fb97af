"""Streams cut into epochs: every recorded one, in any chunking, frame by frame the same as pyrtcm reads them."""

import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrtcm import RTCMReader

from gpsgrid.edge.station_publisher import epochs_of_files
from stations.constants import NS_PER_S
from stations.epoch_payloads import EpochGatherer
from stations.gpstime import from_calendar, to_iso
from stations.wire.framing import encode_frame

NEAR_NS = from_calendar(2021, 1, 1)

# Epochs and messages with observations in another one than all others, and why.
RECORDED = {
    "1012_first.rtcm": 148,
    "GMSD7_20121014.rtcm3": 257,
    "dropped-packets-STR24.rtcm3": 1312,
    "javad.rtcm": 28,
    "jenoba-jrr32m.rtcm3": 67,
    "leica.rtcm": 21,
    "piksi-5Hz.rtcm3": 38,
    "sept.rtcm": 56,
    "switch-legacy-msm-legacy-msm.rtcm": 421,
    "testglo.rtcm3": 186,
    "topcon.rtcm": 39,
    "trimble.rtcm": 153,
    "week-rollover-STR24.rtcm3": 1134,
}


def gathered(data: bytes, size: int) -> list:
    gatherer = EpochGatherer()
    found = []
    for start in range(0, len(data), size):
        found += gatherer.push(data[start : start + size], NEAR_NS)
    last = gatherer.flush()
    return found if last is None else [*found, last]


@pytest.mark.data
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_streams_become_one_message_an_epoch(shared_data: Path, name: str):
    data = (shared_data / "rtcm3" / name).read_bytes()
    epochs = gathered(data, 1000)
    timed = [epoch for epoch in epochs if epoch.time_ns is not None]
    assert len({epoch.time_ns for epoch in timed}) == len(timed) == RECORDED[name]
    # What stands behind the last epoch, and nothing else, comes without a time.
    assert len(epochs) - len(timed) <= 1
    reader = RTCMReader(io.BytesIO(data), quitonerror=0)
    frames = [raw for raw, _ in reader if raw is not None]
    ours = b"".join(epoch.data for epoch in epochs)
    assert ours == b"".join(frames)
    assert sum(epoch.frames for epoch in epochs) == len(frames)


@pytest.mark.data
def test_chunking_changes_nothing(shared_data: Path):
    data = (shared_data / "rtcm3" / "trimble.rtcm").read_bytes()[:12_000]
    assert gathered(data, 1) == gathered(data, 7) == gathered(data, len(data))


@pytest.mark.data
@pytest.mark.parametrize("name", ["switch-legacy-msm-legacy-msm.rtcm", "week-rollover-STR24.rtcm3"])
def test_times_of_files_rise(shared_data: Path, name: str):
    """One starts with GLONASS alone, which knows no day, the other passes the end of a week."""
    epochs, gatherer = epochs_of_files([shared_data / "rtcm3" / name], "test", NEAR_NS)
    times_ns = [epoch.time_ns for epoch in epochs if epoch.time_ns is not None]
    steps_s = [(later - earlier) / NS_PER_S for earlier, later in itertools.pairwise(times_ns)]
    assert min(steps_s) > 0.0
    assert max(steps_s) < 60.0
    assert gatherer.bad_crc == 0
    assert abs(times_ns[0] - NEAR_NS) <= 4 * 86_400 * NS_PER_S


def msm(number: int, millis: int, *, more: bool) -> bytes:
    bits = number << 52 | 7 << 40 | millis << 10 | more << 9
    return encode_frame(bits.to_bytes(8) + bytes(8))


def test_an_epoch_whose_last_message_was_lost_ends_with_the_next():
    data = msm(1077, 1000, more=True) + msm(1097, 1000, more=True) + msm(1077, 2000, more=True)
    data += encode_frame(b"\x3e\xd0" + bytes(17)) + msm(1127, 2000 - 14_000 + 604_800_000, more=False)
    first, second = gathered(data, len(data))
    assert (first.frames, second.frames) == (2, 3)
    assert [to_iso(epoch.time_ns)[-12:] for epoch in (first, second)] == ["00:00:01.000", "00:00:02.000"]
    assert first.data + second.data == data


def test_what_never_says_that_it_is_complete_is_sent_when_it_is_large():
    data = msm(1077, 1000, more=True) * 10_000
    epochs = gathered(data, 5000)
    assert b"".join(epoch.data for epoch in epochs) == data
    assert max(len(epoch.data) for epoch in epochs) <= 1 << 16


def test_glonass_alone_gets_the_day_that_is_nearest():
    moscow_ms = (3 * 3600 + 5) * 1000  # 00:00:05 UTC is 00:00:23 GPS time in 2021
    frame = encode_frame((1087 << 52 | 4 << 37 | moscow_ms << 10).to_bytes(8) + bytes(8))
    (epoch,) = gathered(frame, 100)
    assert to_iso(epoch.time_ns) == "2021-01-01T00:00:23.000"


@settings(max_examples=300)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.builds(
            msm,
            st.sampled_from([1077, 1087, 1124, 1004, 1012]),
            st.integers(0, (1 << 30) - 1),
            more=st.booleans(),
        )
        | st.binary(min_size=0, max_size=9).map(encode_frame),
        max_size=12,
    ),
    st.integers(1, 50),
)
def test_nothing_is_lost_and_nothing_raised(parts: list[bytes], size: int):
    data = b"".join(parts)
    epochs, whole = gathered(data, size), gathered(data, len(data) or 1)
    assert epochs == whole
    assert all(epoch.data and epoch.frames for epoch in epochs)
