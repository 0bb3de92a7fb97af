"""The transport layer: chunks, prefixes, junk, wrong checksums, memory."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyrtcm import RTCMReader

from stations.errors import GpsgridError, Reason
from stations.wire.framing import MAX_PAYLOAD, FrameBuffer, encode_frame, message_number

payloads = st.binary(max_size=40)
streams = st.lists(st.one_of(payloads.map(encode_frame), st.binary(max_size=20), st.just(b"\xd3\x00\x13")))


def test_the_example_of_the_standard():
    # RTCM 10403.3 section 4.2 prints this frame of message 1005.
    frame = bytes.fromhex("d300133ed7d30202980edeef34b4bd62ac0941986f33360b98")
    assert FrameBuffer().push(frame) == [frame[3:-3]]
    assert encode_frame(frame[3:-3]) == frame
    assert message_number(frame[3:-3]) == 1005


@given(st.lists(payloads))
def test_payloads_come_back(sent):
    buffer = FrameBuffer()
    assert buffer.push(b"".join(map(encode_frame, sent))) == sent
    assert (buffer.frames, buffer.bad_crc, buffer.junk_bytes, buffer.pending) == (len(sent), 0, 0, 0)


@given(streams, st.lists(st.integers(0, 400)))
def test_chunking_changes_nothing(parts, cuts):
    stream = b"".join(parts)
    whole = FrameBuffer()
    expected = whole.push(stream)
    for places in (sorted(cuts), range(len(stream))):
        pieces = FrameBuffer()
        got = []
        before = 0
        for place in [*places, len(stream)]:
            got += pieces.push(stream[before:place])
            before = max(before, place)
        assert got == expected
        assert (pieces.frames, pieces.bad_crc, pieces.junk_bytes) == (whole.frames, whole.bad_crc, whole.junk_bytes)


@given(st.binary(max_size=60))
def test_every_prefix_of_a_frame_needs_more(payload):
    frame = encode_frame(payload)
    for length in range(len(frame)):
        buffer = FrameBuffer()
        assert buffer.push(frame[:length]) == []
        assert buffer.pending == length
        assert buffer.push(frame[length:]) == [payload]
        assert buffer.junk_bytes == 0


@given(payloads, st.integers(1, 23))
def test_a_wrong_checksum_resumes_at_the_next_byte(payload, flipped):
    # A whole frame inside the payload of a damaged one is found.
    inner = encode_frame(payload)
    outer = bytearray(encode_frame(b"\x00" + inner + b"\x00"))
    outer[-1] ^= flipped
    buffer = FrameBuffer()
    assert buffer.push(bytes(outer)) == [payload]
    assert buffer.bad_crc >= 1


def test_a_preamble_right_before_a_frame_does_not_swallow_it():
    frame = encode_frame(b"\x3e\xd0" * 20)
    buffer = FrameBuffer()
    # The stray preamble makes 0xd3 the length's high byte: reserved bits are set, so it is junk at once.
    assert buffer.push(b"\xd3" + frame) == [b"\x3e\xd0" * 20]
    assert (buffer.junk_bytes, buffer.bad_crc) == (1, 0)


@given(st.lists(st.one_of(st.binary(max_size=300), st.just(b"\xd3\x03\xff" * 100))))
@example([b"\xd3\x03\xff" * 2000])
def test_memory_is_bounded_and_every_byte_is_accounted_for(chunks):
    buffer = FrameBuffer()
    received = 0
    for chunk in chunks:
        received += sum(len(payload) + 6 for payload in buffer.push(chunk))
        assert buffer.pending < MAX_PAYLOAD + 6
    assert received + buffer.junk_bytes + buffer.pending == sum(map(len, chunks))


def test_payloads_longer_than_a_frame_are_misuse():
    assert FrameBuffer().push(encode_frame(bytes(MAX_PAYLOAD))) == [bytes(MAX_PAYLOAD)]
    with pytest.raises(ValueError, match="at most 1023"):
        encode_frame(bytes(MAX_PAYLOAD + 1))


@pytest.mark.parametrize("payload", [b"", b"\x3e"])
def test_a_payload_without_a_number_is_malformed(payload):
    with pytest.raises(GpsgridError) as caught:
        message_number(payload)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["GMSD7_20121014.rtcm3", "sept.rtcm", "javad.rtcm", "switch-legacy-msm-legacy-msm.rtcm"]
)
def test_recorded_streams_have_the_frames_that_pyrtcm_sees(shared_data, name):
    data = (shared_data / "rtcm3" / name).read_bytes()
    ours = [payload for payload in FrameBuffer().push(data) if payload]
    theirs = [raw[3:-3] for raw, _ in RTCMReader(io.BytesIO(data), quitonerror=0, parsed=0) if raw]
    # pyrtcm skips what follows junk that looks like a frame, hence the comparison from its side, and of most.
    assert set(theirs) <= set(ours)
    assert len(theirs) > 0.95 * len(ours)
