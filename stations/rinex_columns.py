"""The columns of a RINEX observation file as signals: which types belong together, and their values.

RINEX 2 does not say how a phase was tracked. What is assumed for GPS: L1 and C1 are 1C; L2 and P2 are
2W. Where C1 is not in the header, L1 goes with P1 (1W); where P2 is not, L2 goes with C2 (2X).

A number 0.000 means "not observed", as the format says. Bit 2 of the loss-of-lock indicator of RINEX 2
(anti-spoofing) means nothing for us.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.rinex_epochs import TYPES_A_LINE
from stations.rinex_header import ObservationHeader
from stations.rinex_text import FIELD_WIDTH, LineTable
from stations.signals import SIGNALS, Constellation, signal_of

_SLIP_BIT, _HALF_CYCLE_BIT = 1, 2
_DB_PER_STRENGTH_DIGIT = 6.0  # RINEX 3.04, table 9: digit n covers 6n to 6n + 5 dBHz


@dataclass(frozen=True)
class SignalColumns:
    """Observation types of one signal; empty where the file has none."""

    signal: int
    code: str
    phase: str
    strength: str


@dataclass(frozen=True)
class ObservationRows:
    """A long table, one row a signal of a satellite at an epoch.

    Attributes:
        epoch: Index of the epoch, shape ``(row,)`` as all others.
        satellite: Satellite integers.
        signal: Signal integers.
        pseudorange_m: Code range, metres, NaN where not observed.
        phase_cyc: Carrier phase, cycles, NaN where not observed.
        cn0_dbhz: Carrier to noise density, NaN where unknown.
        slip: Whether lock was lost since the epoch before.
        half_cycle: Whether the phase may be off by half a cycle.
    """

    epoch: IntArray
    satellite: IntArray
    signal: IntArray
    pseudorange_m: FloatArray
    phase_cyc: FloatArray
    cn0_dbhz: FloatArray
    slip: BoolArray
    half_cycle: BoolArray

    def where(self, keep: BoolArray | IntArray) -> "ObservationRows":
        """Return the rows that a mask or a list of indices names, in that order."""
        return ObservationRows(*(getattr(self, item.name)[keep] for item in fields(self)))


def join_rows(pieces: Sequence[ObservationRows]) -> ObservationRows:
    """Return the rows of all pieces, at least one, in one table."""
    names = [item.name for item in fields(ObservationRows)]
    return ObservationRows(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))


class ColumnReader:
    """Reads the columns of one layout.

    Args:
        table: The file.
        header: Says which observation types the columns hold.
        line: Index of the first line of every satellite record, shape ``(record,)``.
    """

    def __init__(self, table: LineTable, header: ObservationHeader, line: IntArray) -> None:
        """Keep the arguments; nothing is read yet."""
        self._table = table
        self._header = header
        self._line = line
        self._modern = header.version >= 3.0  # noqa: PLR2004 - the version number itself
        self._place = {name: place for place, name in reversed(list(enumerate(header.types)))}
        self._used: set[str] = set()

    def signals(self) -> list[SignalColumns]:
        """Return the observation types that belong together, by signal; at least one."""
        present = self._place
        if self._modern:
            codes = sorted({name[1:] for name in present if name[0] in "CL"})
            known = {signal.code for signal in SIGNALS.values() if signal.constellation == Constellation.GPS}
            chosen = [(code, f"C{code}", f"L{code}", f"S{code}") for code in codes if code in known]
        else:
            chosen = [
                ("1W", "P1", "L1", "S1") if "C1" not in present and "P1" in present else ("1C", "C1", "L1", "S1"),
                ("2X", "C2", "L2", "S2") if "P2" not in present and "C2" in present else ("2W", "P2", "L2", "S2"),
            ]
        columns = [
            SignalColumns(
                signal_of(Constellation.GPS, code).number,
                *(name if name in present else "" for name in names),
            )
            for code, *names in chosen
        ]
        self._used.update(name for column in columns for name in (column.code, column.phase, column.strength))
        return columns or [SignalColumns(signal_of(Constellation.GPS, "1C").number, "", "", "")]

    def left_out(self) -> Counter[str]:
        """Return how many values there are of the types that no signal uses."""
        return Counter(
            {
                f"G:{name}": filled
                for name in self._place
                if name not in self._used and (filled := self._table.filled(*self._where(name, 10)))
            }
        )

    def _where(self, name: str, offset: int = 0) -> tuple[IntArray, int]:
        place = self._place[name]
        if self._modern:
            return self._line, 3 + FIELD_WIDTH * place + offset
        return self._line + place // TYPES_A_LINE, FIELD_WIDTH * (place % TYPES_A_LINE) + offset

    def _values(self, name: str) -> FloatArray:
        if not name:
            return np.full(len(self._line), np.nan)
        value = self._table.decimals(*self._where(name)) / self._header.scale.get(name, 1.0)
        return np.where(value == 0.0, np.nan, value)

    def _digits(self, name: str, offset: int) -> IntArray:
        if not name:
            return np.zeros(len(self._line), dtype=np.int64)
        return self._table.digits(*self._where(name, offset))

    def rows(self, columns: SignalColumns, epoch: IntArray, satellite: IntArray) -> ObservationRows:
        """Return the rows of one signal, those with neither code nor phase left out.

        Args:
            columns: The observation types of the signal.
            epoch: Index of the epoch of every record, shape ``(record,)``.
            satellite: Satellite of every record, shape ``(record,)``.

        Raises:
            GpsgridError: A field holds something that is not a number.
        """
        pseudorange_m, phase_cyc = self._values(columns.code), self._values(columns.phase)
        indicator = self._digits(columns.phase, 14)
        strength = np.maximum(self._digits(columns.phase, 15), self._digits(columns.code, 15))
        from_digit = np.where(strength > 0, _DB_PER_STRENGTH_DIGIT * (strength + 0.5), np.nan)
        measured = self._values(columns.strength)
        half = (indicator & _HALF_CYCLE_BIT) > 0
        if not self._modern and columns.phase:
            # RINEX 2: the bit says "the other wavelength factor than the one in the header".
            half ^= self._header.half_wavelength[int(columns.phase[1]) - 1]
        observed = ~np.isnan(phase_cyc)
        keep = observed | ~np.isnan(pseudorange_m)
        return ObservationRows(
            epoch[keep],
            satellite[keep],
            np.full(int(keep.sum()), columns.signal),
            pseudorange_m[keep],
            phase_cyc[keep],
            np.where(np.isnan(measured), from_digit, measured)[keep],
            ((indicator & _SLIP_BIT) > 0)[keep],
            (half & observed)[keep],
        )
