"""Double differences of one rover and one master: any systems, any carriers that both track.

Between receivers first, then to one satellite per system and carrier, the highest. Which rows there are, how they
depend on ionosphere and ambiguities, and nothing about their noise.
"""

from dataclasses import dataclass

import numpy as np

from models.reduction import Reduced
from stations.arrays import BoolArray, FloatArray, IntArray

_SAME_WAVELENGTH = 1e-9  # relative; the same carrier is the same float up to rounding
_PER_METRE = 1_000_000  # wavelengths as whole micrometres: carriers as integers, ascending by system


@dataclass(frozen=True)
class DoubleDifferences:
    """The single differences of an epoch and how they are differenced once more.

    Attributes:
        row: Satellite (row of rover and master) of each single difference, shape ``(m,)``.
        slot: Carrier of each, shape ``(m,)``.
        is_code: Shape ``(m,)``.
        mixed: The codes of rover and master are of different signals, shape ``(m,)``.
        value_m: Rover minus master, shape ``(m,)``.
        delay: Derivative by the slant ionosphere on L1, shape ``(m,)``.
        operator: Double differences, shape ``(k, m)``.
        ambiguity_m: Derivative of the double differences by their ambiguities, metres per cycle, shape ``(k, a)``.
        pivots: Satellites that others are differenced to, shape ``(n,)``.
    """

    row: IntArray
    slot: IntArray
    is_code: BoolArray
    mixed: BoolArray
    value_m: FloatArray
    delay: FloatArray
    operator: FloatArray
    ambiguity_m: FloatArray
    pivots: BoolArray


def with_company(satellite: IntArray, rows: IntArray) -> IntArray:
    """Return the rows of satellites that are not the only one of their system."""
    system = satellite[rows] // 100
    _, inverse, count = np.unique(system, return_inverse=True, return_counts=True)
    return rows[count[inverse] > 1]


def double_differences(rover: Reduced, master: Reduced) -> DoubleDifferences:
    """Return the double differences of one epoch.

    Args:
        rover: Reduced observations.
        master: The same satellites in the same order.
    """
    slots = min(len(rover.code_m), len(master.code_m))
    one, two = rover.raw, master.raw
    wavelength_m = one.wavelength_m[:slots]
    # A comparison with NaN is false: empty slots drop out here.
    same = np.abs(wavelength_m - two.wavelength_m[:slots]) < _SAME_WAVELENGTH * wavelength_m
    whole = np.rint(np.nan_to_num(wavelength_m) * _PER_METRE).astype(np.int64)
    carriers = rover.satellite // 100 * _PER_METRE + whole
    mixed = one.signal[:slots] != two.signal[:slots]
    differences_m = (rover.code_m[:slots] - master.code_m[:slots], rover.phase_m[:slots] - master.phase_m[:slots])

    parts: list[tuple[IntArray, int, bool]] = []  # rows with the pivot first, slot, code
    for is_code in (True, False):
        for slot in range(slots):
            # One slot of BeiDou holds two frequencies: ambiguities of different ones have no integer difference.
            for carrier in np.unique(carriers[slot, same[slot]]):
                rows = np.flatnonzero(same[slot] & (carriers[slot] == carrier))
                if len(rows) > 1:
                    highest = int(np.argmax(rover.elevation_rad[rows]))
                    parts.append((np.insert(np.delete(rows, highest), 0, rows[highest]), slot, is_code))
    row = np.concatenate([rows for rows, _, _ in parts]) if parts else np.zeros(0, dtype=np.int64)
    slot_of = np.concatenate([np.full(len(rows), slot) for rows, slot, _ in parts]) if parts else row
    code = np.concatenate([np.full(len(rows), is_code) for rows, _, is_code in parts]) if parts else row > 0
    size = len(row) - len(parts)
    operator = np.zeros((size, len(row)))
    wavelengths: list[FloatArray] = []
    first = column = 0
    codes = 0
    pivots = np.zeros(len(rover.satellite), dtype=np.bool_)
    for rows, slot, is_code in parts:
        others = len(rows) - 1
        place = np.arange(others)
        operator[first + place, column + 1 + place] = 1.0
        operator[first + place, column] = -1.0
        pivots[rows[0]] = True
        if is_code:
            codes += others
        else:
            wavelengths.append(wavelength_m[slot, rows[1:]])
        first, column = first + others, column + len(rows)
    lengths = np.concatenate(wavelengths) if wavelengths else np.zeros(0)
    ambiguity_m = np.zeros((size, len(lengths)))
    ambiguity_m[codes + np.arange(len(lengths)), np.arange(len(lengths))] = lengths
    mu = one.mu[:slots][slot_of, row]
    return DoubleDifferences(
        row,
        slot_of,
        code,
        code & mixed[slot_of, row],
        np.where(code, differences_m[0][slot_of, row], differences_m[1][slot_of, row]),
        np.where(code, mu, -mu),
        operator,
        ambiguity_m,
        pivots,
    )
