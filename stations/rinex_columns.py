"""The columns of a RINEX observation file as signals: which types belong together, for every system.

RINEX 2 does not say how a phase was tracked. What is assumed there is in ``_BANDS_2``: for GPS, L1 and C1 are
1C, L2 and P2 are 2W; where there is no C1, L1 goes with P1 (1W), where there is no P2, L2 goes with C2 (2X). The
header lists types for all systems together, so a system has a type only if one of its satellites has a value.

BeiDou B1I was called band 1 in RINEX 3.02 and by some programs later; it is band 2 here, as in all other versions.
"""

from typing import NamedTuple

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.rinex_header import ObservationHeader
from stations.rinex_text import FIELD_WIDTH
from stations.signals import SIGNALS, Constellation, signal_of

SYSTEMS = "GRESJCI"  # in the order of Constellation
TYPES_A_LINE = 5  # RINEX 2 observation line
FIRST_COLUMN_3 = 3  # RINEX 3: behind the satellite name
CODE, PHASE, STRENGTH, DOPPLER = range(4)
UNUSED = -1
_KINDS = "CLSD"
_BEIDOU_B1I_AS_BAND_1 = 3.02  # the only version that said so
_VERSION_STEP = 0.01
_KNOWN = {(SYSTEMS[signal.constellation], signal.code): signal.number for signal in SIGNALS.values()}

# RINEX 2.11 table 1: by system and band, the code types with their signals; the first one in the header counts.
_BANDS_2: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "G": {"1": (("C1", "1C"), ("P1", "1W")), "2": (("P2", "2W"), ("C2", "2X")), "5": (("C5", "5X"),)},
    "R": {"1": (("C1", "1C"), ("P1", "1P")), "2": (("P2", "2P"), ("C2", "2C"))},
    "E": {band: ((f"C{band}", f"{band}X"),) for band in "15678"},
    "S": {band: ((f"C{band}", signal),) for band, signal in (("1", "1C"), ("5", "5X"))},
    "J": {band: ((f"C{band}", signal),) for band, signal in (("1", "1C"), ("2", "2X"), ("5", "5X"), ("6", "6X"))},
    "C": {band: ((f"C{band}", signal),) for band, signal in (("1", "2I"), ("2", "2I"), ("6", "6I"), ("7", "7I"))},
    "I": {},
}


class Layouts(NamedTuple):
    """How the records of satellites are laid out; one layout a header and system, padded to the longest.

    Attributes:
        line: Line of the record, from 0, shape ``(layout, place)`` for every place of an observation type.
        column: Column in that line, from 0, shape ``(layout, place)``.
        slot: Index of the signal it belongs to, ``UNUSED`` if none, shape ``(layout, place)``.
        kind: ``CODE``, ``PHASE``, ``STRENGTH`` or ``DOPPLER``, shape ``(layout, place)``.
        scale: Divisor, shape ``(layout, place)``.
        places: How many observation types there are, shape ``(layout,)``.
        signal: Signal integers, rising, shape ``(layout, slot)``.
        slots: How many signals there are, shape ``(layout,)``.
        half: Whether the half-cycle bit means its contrary (RINEX 2, squaring receivers), shape ``(layout, slot)``.
    """

    line: IntArray
    column: IntArray
    slot: IntArray
    kind: IntArray
    scale: FloatArray
    places: IntArray
    signal: IntArray
    slots: IntArray
    half: BoolArray


def rivals(header: ObservationHeader, system: str) -> list[str]:
    """Return the types of a RINEX 2 header of which it depends on the values which phase they belong to."""
    types = header.types_of(system)
    if header.modern:
        return []
    named = [[name for name, _ in candidates if name in types] for candidates in _BANDS_2[system].values()]
    return [name for names in named if len(names) > 1 for name in names]


def layouts_of(headers: list[ObservationHeader], absent: dict[tuple[int, str], set[str]] | None = None) -> Layouts:
    """Return the layouts of all headers and systems; that of a header and system is ``7 * header + constellation``.

    Args:
        headers: The headers that are valid in a file.
        absent: By header and system, those of its :func:`rivals` that have no value in the file.
    """
    absent = absent or {}
    pairs = [(header, system) for header in headers for system in SYSTEMS]
    width = max(1, *(len(header.types_of(system)) for header, system in pairs))
    shape = (len(pairs), width)
    place = np.arange(width)
    found = Layouts(
        line=np.zeros(shape, dtype=np.int64),
        column=np.zeros(shape, dtype=np.int64),
        slot=np.full(shape, UNUSED, dtype=np.int64),
        kind=np.zeros(shape, dtype=np.int64),
        scale=np.ones(shape),
        places=np.zeros(len(pairs), dtype=np.int64),
        signal=np.zeros(shape, dtype=np.int64),
        slots=np.zeros(len(pairs), dtype=np.int64),
        half=np.zeros(shape, dtype=np.bool_),
    )
    for index, (header, system) in enumerate(pairs):
        if header.modern:
            found.column[index] = FIRST_COLUMN_3 + FIELD_WIDTH * place
        else:
            found.line[index], found.column[index] = place // TYPES_A_LINE, FIELD_WIDTH * (place % TYPES_A_LINE)
        _fill_inplace(found, index, header, system, absent.get((index // len(SYSTEMS), system), set()))
    return found


def _fill_inplace(layouts: Layouts, index: int, header: ObservationHeader, system: str, absent: set[str]) -> None:
    types = header.types_of(system)
    meanings = _meanings_3(header, system) if header.modern else _meanings_2(types, system, absent)
    signals = sorted({signal for signal, _ in meanings.values()})
    layouts.places[index], layouts.slots[index] = len(types), len(signals)
    layouts.signal[index, : len(signals)] = signals
    taken = set()
    for place, name in enumerate(types):
        if name not in meanings or meanings[name] in taken:
            continue
        signal, kind = meanings[name]
        taken.add((signal, kind))
        slot = signals.index(signal)
        layouts.slot[index, place], layouts.kind[index, place] = slot, kind
        layouts.scale[index, place] = header.scale.get((system, name), 1.0)
        if kind == PHASE and not header.modern and system == "G" and name[1] in "12":
            # RINEX 2: the bit says "the other wavelength factor than the one in the header".
            layouts.half[index, slot] = header.half_wavelength[int(name[1]) - 1]


def _meanings_3(header: ObservationHeader, system: str) -> dict[str, tuple[int, int]]:
    """Return signal and kind by observation type; types without a signal in our table are not in it."""
    found = {}
    early = abs(header.version - _BEIDOU_B1I_AS_BAND_1) < 0.5 * _VERSION_STEP
    for name in header.types_of(system):
        code = name[1:]
        if system == "C" and code[:1] == "1" and (early or code in {"1I", "1Q"}):
            code = f"2{code[1:]}"
        signal = _KNOWN.get((system, code))
        if signal is not None and name[0] in _KINDS:
            found[name] = (signal, _KINDS.index(name[0]))
    return found


def _meanings_2(types: tuple[str, ...], system: str, absent: set[str]) -> dict[str, tuple[int, int]]:
    constellation = Constellation(SYSTEMS.index(system))
    found = {}
    for band, candidates in _BANDS_2[system].items():
        listed = [pair for pair in candidates if pair[0] in types] or [candidates[0]]
        code_type, code = next((pair for pair in listed if pair[0] not in absent), listed[0])
        signal = signal_of(constellation, code).number
        for kind, name in ((CODE, code_type), (PHASE, f"L{band}"), (STRENGTH, f"S{band}"), (DOPPLER, f"D{band}")):
            if name in types:
                found[name] = (signal, kind)
    return found
