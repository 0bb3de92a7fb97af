"""Numbers of Fortran: the kernel rounds as ``float`` does, to the last bit, and refuses what it does not know."""

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stations.fortran_numbers import number_in
from stations.rinex_text import decimal


def read(text, before="", behind=""):
    data = np.frombuffer(f"{before}{text}{behind}".encode("latin-1"), dtype=np.uint8)
    return number_in(data, len(before), len(before) + len(text))


def bits(value):
    return "NaN" if math.isnan(value) else struct.pack(">d", value)


digits = st.integers(0, 10**15 - 1)


@settings(deadline=None)  # the first call compiles
@given(digits, st.integers(-60, 44), st.sampled_from("EeDd"), st.sampled_from(["", "+", "-"]), st.integers(0, 15))
@example(9007199254740993, 0, "E", "", 0)  # 2^53 + 1 has sixteen digits
@example(1, -22, "D", "-", 12)
def test_rounded_as_float_does(number, power, letter, sign, point):
    whole = f"{number:016d}"
    text = f"{sign}{whole[:point]}.{whole[point:]}{letter}{power:+03d}"
    regular, value = read(text)
    if regular:
        assert bits(value) == bits(float(text.upper().replace("D", "E")))
    else:
        # Too long, or an exponent below what is tabulated; else the kernel would be slow for nothing.
        assert number >= 10**15 or power - (16 - point) < -60 or _near_a_tie(text)


def _near_a_tie(text):
    # Exact ties exist only where the number has more than 53 bits.
    return abs(float(text.upper().replace("D", "E"))) > 2.0**53


@settings(deadline=None)
@given(st.floats(-1e12, 1e12).map(lambda value: f"{value:19.12E}"))
def test_all_that_navigation_files_hold_is_regular(text):
    regular, value = read(text, "1", "2")
    assert regular or abs(float(text)) < 1e-40
    assert not regular or bits(value) == bits(float(text))


@settings(deadline=None)
@given(st.text("0123456789.- +eEdD_xn\t", max_size=12), st.text("0 .-", max_size=2), st.text("0 .-", max_size=2))
@example("", "1", "1")
@example("   ", "1", "1")
@example("1_0", "", "")
@example("-", "", "")
@example(".", "", "")
@example("1e", "", "")
@example("1e+", "", "")
@example("1 2", "", "")
@example("\t1", "", "")
@example("1e999", "", "")
def test_any_text_is_read_as_the_slow_twin_does_or_not_at_all(text, before, behind):
    regular, value = read(text, before, behind)
    if regular:
        assert bits(value) == bits(decimal(text))


@pytest.mark.parametrize("text", ["-0.000000000000D+00", "0.0", "-.0e+99", "0"])
def test_zeros_keep_their_sign(text):
    assert read(text) == (True, 0.0)
    assert math.copysign(1.0, read(text)[1]) == (-1.0 if text[0] == "-" else 1.0)


@pytest.mark.parametrize("text", ["1.000000000000000e0", "1e-61", "1e61", "9007199254740993", "1e99999999999999999999"])
def test_what_is_left_to_the_slow_twin(text):
    assert not read(text)[0]
