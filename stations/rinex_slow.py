"""The slow, obvious twin of ``rinex_scan``: one record, one field, one number at a time. Only tests use it."""

import math

from stations.rinex_columns import CODE, PHASE, STRENGTH, UNUSED, Layouts
from stations.rinex_scan import DB_PER_STRENGTH_DIGIT, HALF_CYCLE_BIT, SLIP_BIT, VALUE_WIDTH
from stations.rinex_text import LineTable, decimal, integer

SlowRow = tuple[int, int, float, float, float, float, bool, bool]


def slow_rows(table: LineTable, line: int, satellite: int, layouts: Layouts, layout: int) -> list[SlowRow]:
    """Return the rows of one record, in the order of :class:`stations.rinex_scan.Rows`.

    Args:
        table: The file.
        line: Index of the first line of the record.
        satellite: Its satellite.
        layouts: What is in the records.
        layout: Which of them.

    Raises:
        ValueError: A field holds something that is not a number.
    """
    values: dict[tuple[int, int], float] = {}
    digits: dict[tuple[int, int], tuple[int, int]] = {}
    for place in range(int(layouts.places[layout])):
        slot, kind = int(layouts.slot[layout, place]), int(layouts.kind[layout, place])
        if slot == UNUSED:
            continue
        column = int(layouts.column[layout, place])
        field = table.lines[line + int(layouts.line[layout, place])][column : column + VALUE_WIDTH + 2]
        number = decimal(field[:VALUE_WIDTH])
        values[slot, kind] = math.nan if number == 0.0 else number / float(layouts.scale[layout, place])
        if kind in {CODE, PHASE}:
            digits[slot, kind] = (_digit(field[VALUE_WIDTH : VALUE_WIDTH + 1]), _digit(field[VALUE_WIDTH + 1 :]))
    found = []
    for slot in range(int(layouts.slots[layout])):
        code, phase, strength, doppler = (values.get((slot, kind), math.nan) for kind in range(4))
        if math.isnan(code) and math.isnan(phase):
            continue
        indicator, phase_digit = digits.get((slot, PHASE), (0, 0))
        digit = max(phase_digit, digits.get((slot, CODE), (0, 0))[1])
        if math.isnan(values.get((slot, STRENGTH), math.nan)) and digit:
            strength = DB_PER_STRENGTH_DIGIT * (digit + 0.5)
        half = bool(indicator & HALF_CYCLE_BIT) != bool(layouts.half[layout, slot])
        found.append(
            (
                satellite,
                int(layouts.signal[layout, slot]),
                code,
                phase,
                strength,
                doppler,
                bool(indicator & SLIP_BIT),
                half and not math.isnan(phase),
            )
        )
    return found


def _digit(text: str) -> int:
    return integer(text) if text.strip() else 0
