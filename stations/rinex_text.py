"""Fixed-width text of RINEX and its relatives: one number, or a whole column of them at once.

A million numbers are cut out of their lines as bytes and converted together by arithmetic on the
digits (``LineTable.decimals``); what does not look like ``F14.3`` goes through the slow, obvious
:func:`decimal` one by one, which is also what the tests compare with. Observation files have a kernel of
their own (``rinex_scan``) on the same bytes. Which columns mean what is not known here.
"""

import functools
import math
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stations.arrays import FloatArray, IntArray
from stations.errors import GpsgridError, Reason

FIELD_WIDTH = 16  # F14.3, loss-of-lock digit, signal-strength digit
_VALUE_WIDTH = 14
_POINT = 10
_SPACE, _MINUS, _DOT, _ZERO, _NINE = b" -.09"
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([EeDd][+-]?\d+)?", re.ASCII)
_WEIGHTS = 10 ** np.array([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 0, 2, 1, 0], dtype=np.int64)
_WEIGHTS[_POINT] = 0


def broken(source: str, line: int, message: str) -> GpsgridError:
    """Return the error for a file that cannot be understood at a line (counted from 1)."""
    return GpsgridError(Reason.BROKEN_FILE, f"{source}, line {line}: {message}", file=source, line=line)


def decimal(text: str) -> float:
    """Return a Fortran number (``D`` exponents allowed); NaN if the text is blank.

    Raises:
        ValueError: The text is not one finite number.
    """
    stripped = text.strip()
    if not stripped:
        return math.nan
    if _DECIMAL.fullmatch(stripped):
        value = float(stripped.upper().replace("D", "E"))
        if math.isfinite(value):
            return value
    message = f"{stripped!r} where a number was expected"
    raise ValueError(message)


def integer(text: str) -> int:
    """Return a non-negative integer surrounded by blanks.

    Raises:
        ValueError: The text is blank or holds anything but digits.
    """
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()):
        message = f"{stripped!r} where a whole number was expected"
        raise ValueError(message)
    return int(stripped)


class LineTable:
    """The lines of a text, as strings and as bytes with the place of every line.

    Attributes:
        source: Name of the file, for messages.
        complete: Whether the last line was terminated; if not, the file may still be growing.
        data: The text as bytes, one a character, without carriage returns, shape ``(byte,)``.
        start: First byte of every line, shape ``(line,)``.
        end: The byte behind every line, shape ``(line,)``.
    """

    def __init__(self, text: str | bytes, source: str) -> None:
        """Split a text; lines end with a line feed, with or without a carriage return.

        Bytes are taken as Latin-1, which saves two copies of a large file.
        """
        # One character is one byte, so that columns of characters are columns of bytes.
        content = text.encode("latin-1", "replace") if isinstance(text, str) else text
        self.source = source
        self.complete = content.endswith(b"\n")
        if b"\r" in content:
            content = content.replace(b"\r", b"")
        self._content = content if self.complete else content + b"\n"
        self.data: npt.NDArray[np.uint8] = np.frombuffer(self._content, dtype=np.uint8)
        self.end: IntArray = np.flatnonzero(self.data == ord("\n"))
        self.start: IntArray = np.concatenate((np.zeros(1, dtype=np.int64), self.end[:-1] + 1))

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.end)

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; made when first asked for."""
        return self._content[:-1].decode("latin-1").split("\n")

    def line(self, index: int) -> str:
        """Return one line without its end; much cheaper than :attr:`lines` when few are looked at."""
        return self._content[self.start[index] : self.end[index]].decode("latin-1")

    def indented_less(self, width: int, first: int) -> Iterator[tuple[int, str]]:
        """Yield the lines from ``first`` on that have something else than a space in their first columns.

        Yields:
            Index and text, in order.
        """
        start, end = self.start[first:], self.end[first:]
        found = np.zeros(len(start), dtype=np.bool_)
        for column in range(width):
            place = np.minimum(start + column, end)  # of the line feed at the end, if the line is shorter
            found |= (place < end) & (self.data[place] != _SPACE)
        index = np.flatnonzero(found)
        places = zip((index + first).tolist(), start[index].tolist(), end[index].tolist(), strict=True)
        for line, at, behind in places:
            yield line, self._content[at:behind].decode("latin-1")

    def _cut(self, line: IntArray, column: int, width: int) -> IntArray:
        place = (self.start[line] + column)[:, None] + np.arange(width)
        inside = place < self.end[line][:, None]
        return np.where(inside, self.data[np.where(inside, place, 0)], _SPACE).astype(np.int64)

    def decimals(self, line: IntArray, column: int) -> FloatArray:
        """Return the F14.3 numbers at a column of many lines; blank is NaN.

        Args:
            line: Line indices from 0, shape ``(row,)``.
            column: First column, from 0.

        Raises:
            GpsgridError: A field holds something that is not a number.
        """
        cut = self._cut(line, column, _VALUE_WIDTH)
        digit = (cut >= _ZERO) & (cut <= _NINE)
        # A fixed-point number is blanks, at most one minus, digits: the rank never falls from left to right.
        rank = np.where(digit, 2, np.where(cut == _MINUS, 1, np.where(cut == _SPACE, 0, 9)))
        whole = rank[:, :_POINT]
        regular = (
            (cut[:, _POINT] == _DOT)
            & digit[:, _POINT + 1 :].all(axis=1)
            & (whole[:, 1:] >= whole[:, :-1]).all(axis=1)
            & (whole[:, -1] <= 2)
            & ((whole == 1).sum(axis=1) <= 1)
        )
        thousandths = np.where(digit, cut - _ZERO, 0) @ _WEIGHTS
        sign = np.where((whole == 1).any(axis=1), -1.0, 1.0)
        # At most 13 digits: the integer is exact in float64 and one division rounds as strtod does.
        value = np.where(regular, sign * thousandths / 1000.0, np.nan)
        for row in np.flatnonzero(~regular & (cut != _SPACE).any(axis=1)):
            value[row] = self._slow(int(line[row]), column)
        return value

    def _slow(self, line: int, column: int) -> float:
        try:
            return decimal(self.lines[line][column : column + _VALUE_WIDTH])
        except ValueError as error:
            message = f"{error} (columns {column + 1} to {column + _VALUE_WIDTH}); the line is damaged"
            raise broken(self.source, line + 1, message) from None

    def digits(self, line: IntArray, column: int) -> IntArray:
        """Return the single digits at a column of many lines; blank is 0.

        Raises:
            GpsgridError: Something else than a digit or a blank stands there.
        """
        cut = self._cut(line, column, 1)[:, 0]
        wrong = np.flatnonzero((cut != _SPACE) & ((cut < _ZERO) | (cut > _NINE)))
        if len(wrong):
            at = int(line[wrong[0]])
            message = f"{self.lines[at][column]!r} in column {column + 1} where a digit or a blank was expected"
            raise broken(self.source, at + 1, message)
        return np.where(cut == _SPACE, 0, cut - _ZERO)

    def filled(self, line: IntArray, column: int) -> int:
        """Return how many of the lines have something at that column."""
        return int((self._cut(line, column, 1) != _SPACE).sum())
