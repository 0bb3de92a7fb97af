"""Multiple Signal Messages the slow and obvious way: the truth that the kernels are compared with, for ever.

Nothing but tests calls this. It reads the message field by field as the standard prints it, with
:class:`BitReader`, and works in exact fractions where the kernels use floats and shifts. Phases are ranges in
metres here, so that carriers do not matter.
"""

import math
from collections.abc import Callable
from fractions import Fraction

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.wire.bits import BitReader, BitWriter
from stations.wire.msm_fields import LAYOUTS, MAX_CELLS, MsmLayout, lock_indicator_of, lock_ms_of

HEADER = (12, 12, 30, 1, 3, 7, 2, 2, 1, 3)
_RANGE_MS_M = Fraction(SPEED_OF_LIGHT_M_S) / 1000
_INVALID = -8192  # DF399, and impossible as a rough range

# Satellite, signal, pseudorange m, phase range m, range rate m/s, C/N0 dB-Hz, lock time ms, half cycle, extended
# satellite information.
Cell = tuple[int, int, float, float, float, float, int, bool, int]


def decode_slow(payload: bytes, level: int) -> tuple[tuple[int, ...], list[Cell]]:
    """Return header fields and all cells of an MSM, also those of unknown signals.

    Args:
        payload: Complete payload.
        level: 1 to 7.

    Raises:
        NeedMoreBits: The payload is too short.
        ValueError: The cell mask is too long.
    """
    layout = LAYOUTS[level]
    reader = BitReader(payload)
    header = tuple(reader.unsigned(width) for width in HEADER)
    satellites = [number for number in range(1, 65) if reader.flag()]
    signals = [number for number in range(1, 33) if reader.flag()]
    if len(satellites) * len(signals) > MAX_CELLS:
        message = "cell mask too long"
        raise ValueError(message)
    cells = [(satellite, signal) for satellite in satellites for signal in signals if reader.flag()]

    whole_ms = [reader.unsigned(layout.whole) for _ in satellites]
    extended = [reader.unsigned(layout.extended) for _ in satellites]
    modulo = [reader.unsigned(10) for _ in satellites]
    rough_rate = [reader.signed(14) if layout.rough_rate else -8192 for _ in satellites]

    code = [reader.signed(layout.code) if layout.code else 0 for _ in cells]
    phase = [reader.signed(layout.phase) if layout.phase else 0 for _ in cells]
    lock = [reader.unsigned(layout.lock) for _ in cells]
    half = [bool(reader.unsigned(layout.half)) for _ in cells]
    cn0 = [reader.unsigned(layout.cn0) for _ in cells]
    fine_rate = [reader.signed(15) if layout.fine_rate else -16384 for _ in cells]

    rows: list[Cell] = []
    for index, (satellite, signal) in enumerate(cells):
        i = satellites.index(satellite)
        rough_ms = None if whole_ms[i] == 255 else whole_ms[i] + Fraction(modulo[i], 1024)
        rate_known = rough_rate[i] != -8192 and fine_rate[index] != -16384
        rows.append(
            (
                satellite,
                signal,
                _range_m(rough_ms, code[index], layout.code, layout.code_exponent),
                _range_m(rough_ms, phase[index], layout.phase, layout.phase_exponent),
                float(rough_rate[i] + Fraction(fine_rate[index], 10_000)) if rate_known else math.nan,
                cn0[index] / 2**layout.cn0_exponent if cn0[index] else math.nan,
                lock_ms_of(lock[index], layout.lock),
                half[index],
                extended[i],
            )
        )
    return header, rows


def encode_slow(header: tuple[int, ...], cells: list[Cell], level: int) -> bytes:
    """Return the payload of an MSM.

    Args:
        header: The ten fields before DF394.
        cells: Sorted by satellite, then signal.
        level: 1 to 7.
    """
    layout = LAYOUTS[level]
    writer = BitWriter()
    for value, width in zip(header, HEADER, strict=True):
        writer.unsigned(value, width)
    satellites = sorted({cell[0] for cell in cells})
    signals = sorted({cell[1] for cell in cells})
    pairs = {(cell[0], cell[1]) for cell in cells}
    for number in range(1, 65):
        writer.flag(number in satellites)
    for number in range(1, 33):
        writer.flag(number in signals)
    for satellite in satellites:
        for signal in signals:
            writer.flag((satellite, signal) in pairs)

    own = {satellite: [cell for cell in cells if cell[0] == satellite] for satellite in satellites}
    rough = {satellite: _rough(own[satellite], layout) for satellite in satellites}
    rough_rate = {satellite: _first([cell[4] for cell in own[satellite]], _rough_rate) for satellite in satellites}
    for satellite in satellites:
        writer.unsigned(
            (255 if rough[satellite] < 0 else rough[satellite] // 1024) if layout.whole else 0, layout.whole
        )
    for satellite in satellites:
        writer.unsigned(own[satellite][-1][8] if layout.extended else 0, layout.extended)
    for satellite in satellites:
        writer.unsigned(max(rough[satellite], 0) % 1024, 10)
    for satellite in satellites if layout.rough_rate else ():
        writer.signed(rough_rate[satellite], layout.rough_rate)
    _write_cells(writer, cells, layout, rough, rough_rate)
    return writer.to_bytes()


def _write_cells(
    writer: BitWriter, cells: list[Cell], layout: MsmLayout, rough: dict[int, int], rough_rate: dict[int, int]
) -> None:
    for cell in cells if layout.code else ():
        writer.signed(_fine(cell[2], rough[cell[0]], layout.code, layout.code_exponent), layout.code)
    for cell in cells if layout.phase else ():
        writer.signed(_fine(cell[3], rough[cell[0]], layout.phase, layout.phase_exponent), layout.phase)
    for cell in cells:
        writer.unsigned(lock_indicator_of(cell[6], layout.lock), layout.lock)
    for cell in cells if layout.half else ():
        writer.flag(cell[7])
    for cell in cells if layout.cn0 else ():
        cn0 = _rounded(cell[5] * 2**layout.cn0_exponent) if cell[5] > 0.0 and math.isfinite(cell[5]) else 0
        writer.unsigned(cn0 if cn0 < 2**layout.cn0 else 0, layout.cn0)
    for cell in cells if layout.fine_rate else ():
        base = rough_rate[cell[0]]
        known = base != _INVALID and math.isfinite(cell[4])
        fine = _rounded(cell[4] / 1e-4) - base * 10_000 if known else -16384
        writer.signed(fine if abs(fine) < 16384 else -16384, layout.fine_rate)


def _range_m(rough_ms: Fraction | None, fine: int, bits: int, exponent: int) -> float:
    if not bits or rough_ms is None or fine == -(2 ** (bits - 1)):
        return math.nan
    return float((rough_ms + Fraction(fine, 2**exponent)) * _RANGE_MS_M)


def _rounded(value: float | Fraction) -> int:
    return math.floor(Fraction(value) + Fraction(1, 2))


def _units(range_m: float, exponent: int) -> int:
    return _rounded(Fraction(range_m) / _RANGE_MS_M * 2**exponent)


def _first(values: list[float], of: Callable[[float], int]) -> int:
    return next((code for code in map(of, values) if code != _INVALID), _INVALID)


def _rough(cells: list[Cell], layout: MsmLayout) -> int:
    # In units of 2^-10 ms: of the first code that has one, else of the first phase.
    by_code = _first([cell[2] for cell in cells], lambda range_m: _rough_range(range_m, layout.code_exponent))
    by_phase = _first([cell[3] for cell in cells], lambda range_m: _rough_range(range_m, layout.phase_exponent))
    return by_phase if by_code == _INVALID else by_code


def _rough_range(range_m: float, exponent: int) -> int:
    if not 0.0 <= range_m < float(255 * _RANGE_MS_M):
        return _INVALID
    rough = _rounded(Fraction(_units(range_m, exponent), 2 ** (exponent - 10)))
    return rough if rough < 255 * 1024 else _INVALID


def _rough_rate(rate_m_s: float) -> int:
    rough = _rounded(rate_m_s) if math.isfinite(rate_m_s) else _INVALID
    return rough if abs(rough) < -_INVALID else _INVALID


def _fine(range_m: float, rough: int, bits: int, exponent: int) -> int:
    invalid = -(1 << (bits - 1))
    if rough < 0 or not math.isfinite(range_m):
        return invalid
    fine = _units(range_m, exponent) - rough * 2 ** (exponent - 10)
    return fine if abs(fine) < -invalid else invalid
