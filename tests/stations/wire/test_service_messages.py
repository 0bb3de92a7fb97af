"""Messages 1013, 1029 and 1230: round trips, recorded ones, and what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.errors import GpsgridError
from stations.signals import Constellation, signal_of
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.service_messages import (
    Announcement,
    GlonassBiases,
    StationText,
    SystemParameters,
    decode_biases,
    decode_parameters,
    decode_text,
    encode_biases,
    encode_parameters,
    encode_text,
)

BIASED = [signal_of(Constellation.GLONASS, code).number for code in ("1C", "1P", "2C", "2P")]
numbers = st.integers(0, 4095)
days, seconds = st.integers(0, 65535), st.integers(0, 2**17 - 1)
announcements = st.builds(Announcement, numbers, st.booleans(), st.integers(0, 65535).map(lambda tenths: tenths / 10))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=127).filter(lambda text: len(text.encode()) <= 255)
biases = st.dictionaries(
    st.sampled_from(BIASED), st.one_of(st.none(), st.integers(-32767, 32767).map(lambda raw: raw / 50))
)


@given(
    st.builds(
        SystemParameters,
        numbers,
        days,
        seconds,
        st.one_of(st.none(), st.integers(0, 254)),
        st.lists(announcements, max_size=31).map(tuple),
    )
)
def test_parameters_come_back(parameters):
    assert decode_parameters(encode_parameters(parameters)) == parameters


@given(st.builds(StationText, numbers, days, seconds, texts))
def test_texts_come_back(text):
    assert decode_text(encode_text(text)) == text


@given(st.builds(GlonassBiases, numbers, st.booleans(), biases, st.integers(0, 7)))
def test_biases_come_back(sent):
    assert decode_biases(encode_biases(sent)) == sent


@pytest.mark.data
@pytest.mark.parametrize("name", ["leica.rtcm", "trimble.rtcm", "sept.rtcm", "topcon.rtcm", "glo_day_rollover.rtcm"])
def test_recorded_messages_come_back_to_the_bit(shared_data, name):
    kinds = {1013: (decode_parameters, encode_parameters), 1230: (decode_biases, encode_biases)}
    found = set()
    for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes()):
        number = message_number(payload)
        if number in kinds:
            decode, encode = kinds[number]
            assert encode(decode(payload)) == payload
            found.add(number)
    assert found


def test_texts_that_are_no_utf_8_are_malformed():
    payload = bytearray(encode_text(StationText(1, 2, 3, "gr\u00fcn")))
    payload[-2] = 0xFF
    with pytest.raises(GpsgridError, match="not UTF-8 at byte 2"):
        decode_text(bytes(payload))


def test_misuse_is_a_value_error():
    with pytest.raises(ValueError, match="128 characters and 128 bytes: at most 127 and 255"):
        encode_text(StationText(1, 2, 3, "x" * 128))
    with pytest.raises(ValueError, match="100 characters and 300 bytes"):
        encode_text(StationText(1, 2, 3, "\u4e2d" * 100))
    with pytest.raises(ValueError, match=r"signals \[2\]"):
        encode_biases(GlonassBiases(1, aligned=True, bias_m={2: 0.1}))
    with pytest.raises(ValueError, match="does not fit"):
        encode_biases(GlonassBiases(1, aligned=True, bias_m={BIASED[0]: 1000.0}))
    with pytest.raises(ValueError, match="does not fit"):
        encode_parameters(
            SystemParameters(1, 2, 3, 18, tuple([Announcement(1077, synchronous=True, interval_s=1.0)] * 32))
        )
