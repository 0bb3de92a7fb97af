"""Fixed-width numbers: the column at once equals one number at a time, and both refuse the same things."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.errors import GpsgridError, Reason
from stations.rinex_text import LineTable, decimal, integer

ODD_FIELDS = ["", "    ", "1", "-0.5", ".5", "-.125", "1e3", "1.5D-02", "  12.30  ", "99999999999999", "+7.000"]
WRONG_FIELDS = [
    "abc",
    "1..2",
    "1.2.3",
    "--1",
    "1 2",
    "12-3.000",
    "nan",
    "inf",
    "1_000",
    "1e999",
    "²",
    "0x10",
    "12.3.45",
]


def column(fields: list[str]) -> LineTable:
    return LineTable("".join(f"{field:>14}\n" for field in fields), "some.21o")


@given(st.lists(st.integers(min_value=-(10**11), max_value=10**12 - 1), min_size=1, max_size=30))
def test_thousandths_are_converted_exactly(thousandths):
    fields = [f"{'-' if value < 0 else ''}{abs(value) // 1000}.{abs(value) % 1000:03d}" for value in thousandths]
    values = column(fields).decimals(np.arange(len(fields)), 0)
    assert values.tolist() == [float(field) for field in fields]


@given(st.lists(st.text("0123456789.- ", max_size=14), min_size=1, max_size=20))
def test_column_equals_one_at_a_time(fields):
    def slow() -> list[float] | None:
        try:
            return [decimal(f"{field:>14}") for field in fields]
        except ValueError:
            return None

    table = column(fields)
    expected = slow()
    if expected is None:
        with pytest.raises(GpsgridError):
            table.decimals(np.arange(len(fields)), 0)
    else:
        np.testing.assert_array_equal(table.decimals(np.arange(len(fields)), 0), expected)


def test_odd_but_legal_fields():
    values = column(ODD_FIELDS).decimals(np.arange(len(ODD_FIELDS)), 0)
    expected = [math.nan, math.nan, 1.0, -0.5, 0.5, -0.125, 1000.0, 0.015, 12.3, 99999999999999.0, 7.0]
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("field", WRONG_FIELDS)
def test_wrong_field_is_named_with_its_line(field):
    table = column(["1.000", field, "2.000"])
    with pytest.raises(GpsgridError, match=r"some\.21o, line 2") as raised:
        table.decimals(np.arange(3), 0)
    assert raised.value.reason is Reason.BROKEN_FILE
    assert raised.value.facts["line"] == 2


def test_short_lines_are_blank_to_the_right():
    table = LineTable("  1.000\n" + " " * 20 + "12345.678\r\n\n", "x")
    assert table.decimals(np.array([1]), 15).tolist() == [12345.678]
    assert np.isnan(table.decimals(np.array([0, 2]), 15)).all()
    assert table.digits(np.array([0, 2]), 40).tolist() == [0, 0]


def test_lines_that_are_indented_less():
    table = LineTable("ab\n  x\n   y\n \n\n    \n\tz\nc", "x")
    assert list(table.indented_less(3, 0)) == [(0, "ab"), (1, "  x"), (6, "\tz"), (7, "c")]
    assert list(table.indented_less(2, 1)) == [(6, "\tz"), (7, "c")]
    assert list(LineTable("", "x").indented_less(3, 0)) == []


def test_digit_column_takes_digits_and_blanks_only():
    table = LineTable("7\n \nx\n", "x")
    assert table.digits(np.array([0, 1]), 0).tolist() == [7, 0]
    with pytest.raises(GpsgridError, match="line 3"):
        table.digits(np.array([0, 2]), 0)


@pytest.mark.parametrize("text", ["", " ", "-1", "1.0", "²", "1_0", "+1"])
def test_integer_refuses(text):
    with pytest.raises(ValueError, match="whole number"):
        integer(text)
