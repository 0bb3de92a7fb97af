"""RTCM 3: decoding MSM7 against pyrtcm in the same run, encoding, and how much of a core 5,000 stations take.

Times are those of the processor, the best of many rounds, in turns with what they are compared with: others on the
machine then matter little. They still share its caches and, with hyper-threading, its cores, which can double a whole
run; medians show it.

``python -m pytest tests/bench/bench_rtcm.py -o python_files='bench_*.py' -s -q``
"""

import statistics
import time
from itertools import pairwise

import pytest
from pyrtcm import RTCMMessage

from stations.feed import EpochReceived, Feed
from stations.gathering import Gathering
from stations.gpstime import from_calendar
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.legacy import decode_legacy
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.msm import decode_msm, encode_msm
from stations.wire.msm_fields import group_of
from stations.wire.publication import encode_station_epoch

NEAR_NS = from_calendar(2024, 1, 1)
STATIONS = 5000
# Receivers of five brands, all with MSM7 of several systems (the stream of 2012 tags BeiDou as of another epoch).
MSM7 = ("sept.rtcm", "javad.rtcm", "switch-legacy-msm-legacy-msm.rtcm")
STREAMS = MSM7[:2]  # the third is MSM7 only in parts


def round_us(function, items):
    """Return microseconds for one item; results are thrown away as in a stream."""
    start = time.process_time()
    for item in items:
        function(item)
    return (time.process_time() - start) / len(items) * 1e6


def best_us(function, items, repeat=60):
    """Return microseconds for one item: the fastest of some rounds."""
    function(items[0])
    return min(round_us(function, items) for _ in range(repeat))


def in_turns_us(function, items, reference, turns=80, rounds=8):
    """Return the fastest and the median of ``turns * rounds`` rounds, and both of the reference, called once a turn.

    A machine that is shared is slow for seconds at a time; over several seconds both meet the same.
    """
    function(items[0])
    ours, theirs = [], []
    for _ in range(turns):
        ours += [round_us(function, items) for _ in range(rounds)]
        theirs.append(reference())
    return min(ours), statistics.median(ours), min(theirs), statistics.median(theirs)


@pytest.fixture(scope="module")
def payloads(shared_data):
    streams = [(shared_data / "rtcm3" / name).read_bytes() for name in MSM7]
    return [one for stream in streams for one in FrameBuffer().push(stream) if one]


@pytest.mark.data
def test_decoding_msm7(payloads):
    for number in (1077, 1087, 1097, 1127, None):
        chosen = [one for one in payloads if message_number(one) == number or (number is None and is_msm7(one))][:300]
        few = chosen[:: len(chosen) // 10]
        ours_us, median_us, theirs_us, their_median_us = in_turns_us(
            lambda one: decode_msm(one, NEAR_NS).epoch(),
            chosen,
            lambda few=few: round_us(by_pyrtcm, few),
        )
        bytes_each = sum(map(len, chosen)) / len(chosen)
        print(
            f"decode {number or 'MSM7 of all systems'}: {ours_us:.1f} us (median {median_us:.1f}) a message of "
            f"{bytes_each:.0f} bytes, pyrtcm {theirs_us:.0f} us (median {their_median_us:.0f}): "
            f"{theirs_us / ours_us:.0f} times faster (medians {their_median_us / median_us:.0f})"
        )


def by_pyrtcm(payload):
    return RTCMMessage(payload=payload)


def is_msm7(payload):
    group = group_of(message_number(payload))
    return group is not None and group[1] == 7


@pytest.mark.data
def test_encoding_msm7(payloads):
    messages = [one for one in payloads if is_msm7(one)][:300]
    epochs = [epoch for epoch in (decode_msm(one, NEAR_NS).epoch() for one in messages) if len(epoch)]
    us, median_us, decode_us, _ = in_turns_us(
        lambda epoch: encode_msm(1, epoch, more=False),
        epochs,
        lambda: round_us(lambda one: decode_msm(one, NEAR_NS).epoch(), messages),
        turns=150,
    )
    cells = sum(map(len, epochs)) / len(epochs)
    print(f"encode MSM7: {us:.1f} us (median {median_us:.1f}) a message of {cells:.1f} rows; decode {decode_us:.1f} us")


@pytest.mark.data
def test_whole_epochs(shared_data):
    """Bytes to epochs and back, with framing, checksums and everything else that a stream needs."""
    frames = epochs_of = rows = 0
    spent_s = encoded_us = 0.0
    for name in STREAMS:
        data = (shared_data / "rtcm3" / name).read_bytes()
        best_s = float("inf")
        for _ in range(12):
            feed, events = Feed(name), []
            start = time.process_time()
            for at, end in pairwise(range(0, len(data) + 1024, 1024)):
                events += feed.push(data[at:end], NEAR_NS)
            best_s = min(best_s, time.process_time() - start)
        spent_s += best_s
        epochs = [event.epoch for event in events if isinstance(event, EpochReceived)]
        frames, epochs_of = frames + feed.frames, epochs_of + len(epochs)
        rows += sum(map(len, epochs))
        encoded_us += best_us(lambda epoch: encode_station_epoch(1, epoch), epochs, repeat=3) * len(epochs)
    epoch_us = spent_s / epochs_of * 1e6
    print(
        f"stream to epochs: {spent_s / frames * 1e6:.1f} us a frame, {epoch_us:.0f} us an epoch of "
        f"{rows / epochs_of:.0f} rows; {STATIONS} stations at 1 Hz take {STATIONS * epoch_us / 1e4:.0f} % of a core"
    )
    print(f"epoch to frames: {encoded_us / epochs_of:.0f} us")


@pytest.mark.data
def test_msm7_of_5000_stations(payloads):
    """One second of a station: MSM7 of four systems, through a feed, to one epoch."""
    one_second = [next(one for one in payloads if message_number(one) == number) for number in (1077, 1087, 1097, 1127)]
    data, feed = b"".join(map(encode_frame, one_second)), Feed("BENCH")
    (event,) = feed.push(data, NEAR_NS)
    slow = Feed("BENCH")
    slow._gathering = Gathering(room=0)
    fast_us, median_us, slow_us, _ = in_turns_us(
        lambda chunk: feed.push(chunk, NEAR_NS),
        [data] * 200,
        lambda: round_us(lambda chunk: slow.push(chunk, NEAR_NS), [data] * 50),
    )
    print(
        f"4 MSM7 a station and second, {len(data)} bytes, {len(event.epoch)} rows: {fast_us:.0f} us "
        f"(median {median_us:.0f}, part by part {slow_us:.0f}); {STATIONS} stations at 1 Hz take "
        f"{STATIONS * fast_us / 1e4:.0f} % of a core"
    )


@pytest.mark.data
def test_messages_from_before_msm(shared_data):
    data = (shared_data / "rtcm3" / "switch-legacy-msm-legacy-msm.rtcm").read_bytes()
    chosen = [one for one in FrameBuffer().push(data) if one and message_number(one) in {1004, 1012}][:200]
    decode_us = best_us(lambda one: decode_legacy(one, NEAR_NS), chosen)
    pairs = [(message_number(one), decode_legacy(one, NEAR_NS).epoch()) for one in chosen]
    encode_us = best_us(lambda pair: encode_legacy(pair[0], 1, pair[1], more=False), pairs)
    theirs_us = best_us(by_pyrtcm, chosen[::5], repeat=2)
    print(f"1004 and 1012: decode {decode_us:.0f} us (pyrtcm {theirs_us:.0f} us), encode {encode_us:.0f} us")
