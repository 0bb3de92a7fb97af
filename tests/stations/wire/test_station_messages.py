"""Reference positions and antenna descriptors: both directions, recorded streams, independent decoders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrtcm import RTCMMessage

from stations.errors import GpsgridError, Reason
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.messages import decode_message
from stations.wire.station_messages import (
    AntennaDescriptor,
    ReferencePosition,
    encode_antenna,
    encode_position,
)

STREAMS = ["1012_first.rtcm", "sept.rtcm", "javad.rtcm", "trimble.rtcm", "switch-legacy-msm-legacy-msm.rtcm"]
MILLIMETRE_TENTHS = st.integers(-(2**37), 2**37 - 1).map(lambda units: units / 10_000)
TEXTS = st.text(alphabet=[chr(code) for code in range(32, 256)], max_size=31)

positions = st.builds(
    ReferencePosition,
    station_number=st.integers(0, 4095),
    position_m=st.tuples(MILLIMETRE_TENTHS, MILLIMETRE_TENTHS, MILLIMETRE_TENTHS),
    antenna_height_m=st.none() | st.integers(0, 65535).map(lambda units: units / 10_000),
    itrf_year=st.integers(0, 63),
    gps=st.booleans(),
    glonass=st.booleans(),
    galileo=st.booleans(),
    virtual=st.booleans(),
    single_oscillator=st.booleans(),
    quarter_cycle=st.integers(0, 3),
    reserved=st.booleans(),
)
antennas = st.builds(
    AntennaDescriptor,
    station_number=st.integers(0, 4095),
    antenna=TEXTS,
    setup=st.integers(0, 255),
    serial=TEXTS,
    receiver=TEXTS,
    firmware=TEXTS,
    receiver_serial=TEXTS,
)


def recorded(shared_data, numbers):
    for name in STREAMS:
        for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes()):
            if message_number(payload) in numbers:
                yield payload


@given(positions)
def test_positions_come_back(position):
    assert decode_message(encode_position(position), 0) == position


@given(antennas)
def test_antennas_come_back(antenna):
    assert decode_message(encode_antenna(antenna, 1033), 0) == antenna


@given(positions)
def test_pyrtcm_reads_our_positions(position):
    theirs = RTCMMessage(payload=encode_position(position))
    assert position.station_number == theirs.DF003
    assert theirs.identity == ("1005" if position.antenna_height_m is None else "1006")
    # Half of 0.1 mm, the resolution of the wire.
    assert pytest.approx(position.position_m, abs=5e-5) == (theirs.DF025, theirs.DF026, theirs.DF027)
    assert position.virtual == theirs.DF141


@pytest.mark.data
def test_recorded_positions_equal_pyrtcm_and_come_back_to_the_bit(shared_data):
    count = 0
    for payload in recorded(shared_data, {1005, 1006}):
        ours, theirs = decode_message(payload, 0), RTCMMessage(payload=payload)
        assert ours.station_number == theirs.DF003
        assert ours.position_m == pytest.approx((theirs.DF025, theirs.DF026, theirs.DF027), abs=1e-8)
        assert ours.itrf_year == theirs.DF021
        assert (ours.gps, ours.glonass, ours.galileo, ours.virtual) == (
            theirs.DF022,
            theirs.DF023,
            theirs.DF024,
            theirs.DF141,
        )
        assert (ours.antenna_height_m is None) == (theirs.identity == "1005")
        if ours.antenna_height_m is not None:
            assert ours.antenna_height_m == pytest.approx(theirs.DF028, abs=1e-9)
        assert encode_position(ours) == payload
        count += 1
    assert count > 60


@pytest.mark.data
def test_recorded_antennas_equal_pyrtcm_and_come_back_to_the_bit(shared_data):
    count = 0
    for payload in recorded(shared_data, {1007, 1008, 1033}):
        ours, theirs = decode_message(payload, 0), RTCMMessage(payload=payload)
        assert ours.station_number == theirs.DF003
        assert ours.antenna == text_of(theirs, "DF029", "DF030")
        assert ours.setup == theirs.DF031
        assert ours.serial == text_of(theirs, "DF032", "DF033")
        assert ours.receiver == text_of(theirs, "DF227", "DF228")
        assert ours.firmware == text_of(theirs, "DF229", "DF230")
        assert ours.receiver_serial == text_of(theirs, "DF231", "DF232")
        assert encode_antenna(ours, message_number(payload)) == payload
        count += 1
    assert count > 100


def text_of(message, count, characters):
    return "".join(getattr(message, f"{characters}_{index:02d}") for index in range(1, getattr(message, count, 0) + 1))


@pytest.mark.parametrize(
    ("antenna", "number"),
    [
        (AntennaDescriptor(1, "LEIAR25.R3      LEIT"), 1008),
        (AntennaDescriptor(1, "LEIAR25.R3      LEIT", receiver="LEICA GR25"), 1033),
    ],
)
def test_the_message_follows_from_what_is_known(antenna, number):
    assert message_number(encode_antenna(antenna)) == number


@pytest.mark.parametrize(
    "payload",
    [
        encode_position(ReferencePosition(1, (1.0, 2.0, 3.0), 0.5)),
        encode_position(ReferencePosition(1, (1.0, 2.0, 3.0))),
        encode_antenna(AntennaDescriptor(1, "A" * 31, 0, "B" * 31, "C", "D", "E")),
    ],
)
def test_every_cut_payload_is_malformed(payload):
    for length in range(2, len(payload)):
        with pytest.raises(GpsgridError, match=f"message {message_number(payload)} ends after") as caught:
            decode_message(payload[:length], 0)
        assert caught.value.reason is Reason.MALFORMED


def test_texts_beyond_their_field_are_malformed():
    payload = (1008).to_bytes(2)[:0] + bytes([0x3F, 0x00, 0x01, 40]) + b"x" * 60
    with pytest.raises(GpsgridError, match="text of 40 characters, at most 31") as caught:
        decode_message(payload, 0)
    assert caught.value.reason is Reason.MALFORMED


def test_values_beyond_their_field_are_misuse():
    with pytest.raises(ValueError, match="does not fit"):
        encode_position(ReferencePosition(4096, (0.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match="does not fit"):
        encode_position(ReferencePosition(1, (1e9, 0.0, 0.0)))
    with pytest.raises(ValueError, match="1007, 1008 and 1033"):
        encode_antenna(AntennaDescriptor(1, ""), 1005)
