"""Bit fields: what is written is read, what does not fit is refused, what is not there is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.wire.bits import BitReader, BitWriter, NeedMoreBits

KINDS = ("unsigned", "signed", "sign_magnitude")


@st.composite
def fields(draw):
    kind = draw(st.sampled_from(KINDS))
    width = draw(st.integers(1 if kind == "unsigned" else 2, 64))
    low, high = {
        "unsigned": (0, 2**width - 1),
        "signed": (-(2 ** (width - 1)), 2 ** (width - 1) - 1),
        "sign_magnitude": (-(2 ** (width - 1)) + 1, 2 ** (width - 1) - 1),
    }[kind]
    return kind, width, draw(st.integers(low, high))


@given(st.lists(fields()))
def test_fields_come_back(written):
    writer = BitWriter()
    for kind, width, value in written:
        getattr(writer, kind)(value, width)
    data = writer.to_bytes()
    assert len(data) == (sum(width for _, width, _ in written) + 7) // 8
    reader = BitReader(data)
    for kind, width, value in written:
        assert getattr(reader, kind)(width) == value


@given(st.text(alphabet=[chr(code) for code in range(256)], max_size=31), st.integers(0, 7))
def test_texts_come_back_at_any_bit(text, shift):
    writer = BitWriter()
    writer.unsigned(0, shift)
    writer.text(text, 31)
    reader = BitReader(writer.to_bytes())
    reader.unsigned(shift)
    assert reader.text() == text


@pytest.mark.parametrize(
    ("kind", "value", "width"),
    [("unsigned", 8, 3), ("unsigned", -1, 3), ("signed", 4, 3), ("signed", -5, 3), ("sign_magnitude", -4, 3)],
)
def test_values_that_do_not_fit_are_refused(kind, value, width):
    with pytest.raises(ValueError, match="does not fit"):
        getattr(BitWriter(), kind)(value, width)


@pytest.mark.parametrize("text", ["a" * 32, "\u20ac"])
def test_texts_that_do_not_fit_are_refused(text):
    with pytest.raises(ValueError, match=r"ISO 8859-1|at most 31"):
        BitWriter().text(text, 31)


def test_reading_past_the_end_asks_for_more_and_stays():
    reader = BitReader(b"\xff\x03")
    reader.unsigned(10)
    with pytest.raises(NeedMoreBits, match="7 bits wanted at bit 10, the data end after 16 bits"):
        reader.unsigned(7)
    assert reader.unsigned(6) == 3


def test_a_text_that_is_cut_stays_at_its_count():
    reader = BitReader(b"\x03ab")
    with pytest.raises(NeedMoreBits):
        reader.text()
    assert reader.position == 0
