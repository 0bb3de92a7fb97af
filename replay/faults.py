"""Faults of receivers and signals, put into recorded station epochs on purpose, to see what finds them.

Raw observations are changed, so that everything downstream sees what it would see of a bad receiver. Nothing is drawn
here but noise, from a generator that is an argument: the same faults come out the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from models.observables import slots_of
from stations.arrays import BoolArray, FloatArray
from stations.constants import NS_PER_MS, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch

Epochs = Sequence[tuple[int, Mapping[str, StationEpoch]]]
"""Network epochs in the order of time: moment and station epochs."""

EVERY = 0
"""Satellite of a fault that hits a whole station."""

MILLISECOND_M = SPEED_OF_LIGHT_M_S * 1e-3


class Kind(StrEnum):
    """What goes wrong; what ``size`` means stands behind it."""

    REPORTED_SLIP = "slip with LLI"  # cycles on the two carriers, from then on; lock time starts anew
    SLIP = "slip without LLI"  # the same, and the lock time goes on
    THIRD_SLIP = "slip of a third carrier"  # cycles on the carrier that the network does not use
    HALF_CYCLE = (
        "half cycle unresolved"  # seconds until it is resolved, and the cycles by which the first carrier moves
    )
    CODE_SPIKE = "code spike"  # metres on the first code, one epoch
    PHASE_SPIKE = "phase spike"  # metres on the first phase, one epoch
    OBSTRUCTION = "obstruction"  # decibels less on one satellite, seconds
    INTERFERENCE = "interference"  # decibels less on the first carrier of all satellites, seconds
    STUCK = "stuck receiver"  # seconds for which the last observations come again
    CLOCK_JUMP = "millisecond jump"  # milliseconds of codes and phases
    CODE_CLOCK_JUMP = "millisecond jump of codes"  # milliseconds of codes, phases go on


OF_STATIONS = frozenset({Kind.INTERFERENCE, Kind.STUCK, Kind.CLOCK_JUMP, Kind.CODE_CLOCK_JUMP})
"""Kinds that hit all satellites of a station."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: What.
        station: Where.
        satellite: Of which satellite; ``EVERY`` for faults of stations.
        start_ns: First epoch that is hit.
        size: See :class:`Kind`.
    """

    kind: Kind
    station: str
    satellite: int
    start_ns: int
    size: tuple[float, ...]


def inject(
    epochs: Epochs, faults: Sequence[Fault], rng: np.random.Generator
) -> list[tuple[int, dict[str, StationEpoch]]]:
    """Return the epochs with all faults in them; stations and satellites without one are the same objects.

    Args:
        epochs: Recorded; of one rate.
        faults: Several may hit the same station, one after the other.
        rng: For the noise of interference.
    """
    result = [(time_ns, dict(stations)) for time_ns, stations in epochs]
    for fault in faults:
        before: StationEpoch | None = None  # as it was recorded, but for the faults put in already
        held: StationEpoch | None = None
        for time_ns, stations in result:
            epoch = stations.get(fault.station)
            if epoch is None:
                continue
            if time_ns >= fault.start_ns:
                held = before if held is None else held
                elapsed_s = (time_ns - fault.start_ns) / NS_PER_S
                stations[fault.station] = _hit(fault, epoch, elapsed_s, before, held, rng)
            before = epoch
    return result


def _hit(
    fault: Fault,
    epoch: StationEpoch,
    elapsed_s: float,
    before: StationEpoch | None,
    held: StationEpoch | None,
    rng: np.random.Generator,
) -> StationEpoch:
    """Return one epoch after the fault began; ``before``: the one before, ``held``: the last one before the fault."""
    size = fault.size
    over = {Kind.OBSTRUCTION: size[-1], Kind.INTERFERENCE: size[-1], Kind.STUCK: size[0]}
    if elapsed_s >= over.get(fault.kind, np.inf):
        return epoch
    match fault.kind:
        case Kind.OBSTRUCTION | Kind.INTERFERENCE:
            return _weaker(epoch, fault, rng)
        case Kind.STUCK:
            return epoch if held is None else replace(held, time_ns=epoch.time_ns)
        case Kind.CLOCK_JUMP | Kind.CODE_CLOCK_JUMP:
            return _jumped(epoch, before, round(size[0]), phases=fault.kind is Kind.CLOCK_JUMP)
        case _:
            return _of_arc(fault, epoch, elapsed_s)


def _of_arc(fault: Fault, epoch: StationEpoch, elapsed_s: float) -> StationEpoch:
    """Return one epoch after a fault of codes, phases or lock of one satellite began."""
    size = fault.size
    first, _, third = (rows.astype(np.float64) for rows in carriers(epoch, fault.satellite))
    spike = first * float(elapsed_s == 0.0)
    match fault.kind:
        case Kind.THIRD_SLIP:
            return _added(epoch, phase_cyc=size[0] * third)
        case Kind.CODE_SPIKE:
            return _added(epoch, code_m=size[0] * spike)
        case Kind.PHASE_SPIKE:
            return _added(epoch, phase_cyc=size[0] * spike * epoch.frequency_hz / SPEED_OF_LIGHT_M_S)
        case Kind.HALF_CYCLE if elapsed_s < size[0]:
            return replace(epoch, half_cycle=epoch.half_cycle | (first > 0.0))
        case Kind.HALF_CYCLE:
            return _added(epoch, phase_cyc=size[1] * first)
        case _:
            return _slipped(epoch, fault, elapsed_s)


def carriers(epoch: StationEpoch, satellite: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return the rows of the first and second carrier that the network uses of a satellite, and of a third, ``(row,)``.

    ``EVERY`` stands for all satellites; the second carrier of each is then in slot one or two.
    """
    mine = (epoch.satellite == satellite) | (satellite == EVERY)
    slot = slots_of(epoch.signal)
    usable = np.isfinite(epoch.pseudorange_m) & np.isfinite(epoch.phase_cyc)
    both = np.isin(epoch.satellite, epoch.satellite[usable & (slot == 1)])
    return mine & (slot == 0), mine & (slot == np.where(both, 1, 2)), mine & both & (slot == 2)


def _added(epoch: StationEpoch, code_m: FloatArray | float = 0.0, phase_cyc: FloatArray | float = 0.0) -> StationEpoch:
    return replace(epoch, pseudorange_m=epoch.pseudorange_m + code_m, phase_cyc=epoch.phase_cyc + phase_cyc)


def _slipped(epoch: StationEpoch, fault: Fault, elapsed_s: float) -> StationEpoch:
    first, second, _ = carriers(epoch, fault.satellite)
    epoch = _added(epoch, phase_cyc=fault.size[0] * first + fault.size[1] * second)
    if fault.kind is Kind.SLIP:
        return epoch
    tracked_ms = round(elapsed_s * NS_PER_S / NS_PER_MS)
    return replace(epoch, lock_ms=np.where(first | second, np.minimum(epoch.lock_ms, tracked_ms), epoch.lock_ms))


def _weaker(epoch: StationEpoch, fault: Fault, rng: np.random.Generator) -> StationEpoch:
    """Return an epoch with less signal on the first carrier, and with the noise that comes with it.

    A geodetic receiver has 0.15 m and 1 mm at 45 dB-Hz; both grow with the root of the noise power (Langley 1997).
    """
    hit = carriers(epoch, fault.satellite)[0]
    more = np.sqrt(10.0 ** (fault.size[0] / 10.0) - 1.0)
    noise = rng.normal(size=(2, len(epoch))) * hit * more
    code_m, phase_cyc = 0.15 * noise[0], 0.001 * noise[1] * epoch.frequency_hz / SPEED_OF_LIGHT_M_S
    return replace(_added(epoch, code_m, phase_cyc), cn0_dbhz=epoch.cn0_dbhz - fault.size[0] * hit)


def _jumped(epoch: StationEpoch, before: StationEpoch | None, milliseconds: int, *, phases: bool) -> StationEpoch:
    """Return an epoch of a receiver whose clock is ahead by some more milliseconds.

    It samples so much earlier, where every satellite is at another range; how fast that changes follows from the
    phases. A receiver that leaves its phases alone has them at the old clock, sampled as early.
    """
    rate_m_per_s = np.zeros(len(epoch))
    if before is not None:
        then, now = (one.satellite * 1000 + one.signal for one in (before, epoch))
        _, old, new = np.intersect1d(then, now, assume_unique=True, return_indices=True)
        elapsed_s = (epoch.time_ns - before.time_ns) / NS_PER_S
        cycles = epoch.phase_cyc[new] - before.phase_cyc[old]
        rate_m_per_s[new] = np.nan_to_num(cycles * SPEED_OF_LIGHT_M_S / epoch.frequency_hz[new]) / elapsed_s
    earlier_m = -rate_m_per_s * milliseconds * 1e-3
    ahead_m = milliseconds * MILLISECOND_M
    moved_cyc = (earlier_m + ahead_m * phases) * epoch.frequency_hz / SPEED_OF_LIGHT_M_S
    return _added(epoch, earlier_m + ahead_m, moved_cyc)
