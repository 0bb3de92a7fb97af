"""What the engine knows, as bytes and back, so that a restarted process goes on with the same integers.

The bytes are a header and a msgpack document; nothing in them is ever executed. The header names the layout of the
document, which follows from the types below: a file of a version with other fields is refused, not guessed at. Raise
``FORMAT`` when a number changes its meaning and not its type.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from models.field.kernels import Hyperparameters
from models.field.scale import ScaleState
from models.network_resume import contradiction
from models.network_state import NetworkState
from stations.catalog import Station
from stations.errors import GpsgridError, Reason
from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GpsEphemeris, NavicEphemeris
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris

FORMAT: Final = 1
_MAGIC: Final = b"gpsgrid\n"
_HEADER: Final = struct.Struct("<8sH8sQ32s")  # magic, format, layout, length of the document, its SHA-256
_LITTLE_ENDIAN: Final = {np.float64: "<f8", np.int64: "<i8", np.bool_: "|b1"}


@dataclass(frozen=True, eq=False)
class SolverState:
    """What :class:`gpsgrid.solver.NetworkSolver` carries from epoch to epoch.

    Attributes:
        network: State of the network filter.
        scales: Variance scales of the satellites.
        hyper: Hyperparameters in force.
        misfit: Followed mean squared leave-one-out residual.
        share: Followed share of fixed double differences.
        running_s: How long the filter has run.
        doubted: Station indexes and satellites that the field did not believe.
        core: Of a network of several clusters, the stations that this one answers for; else empty.
    """

    network: NetworkState
    scales: ScaleState
    hyper: Hyperparameters
    misfit: float
    share: float
    running_s: float
    doubted: tuple[tuple[int, int], ...]
    core: tuple[str, ...] = ()


@dataclass(frozen=True)
class SavedEphemerides:
    """Ephemerides by kind, in the order in which they were heard."""

    gps: tuple[GpsEphemeris, ...] = ()
    galileo: tuple[GalileoEphemeris, ...] = ()
    beidou: tuple[BeiDouEphemeris, ...] = ()
    navic: tuple[NavicEphemeris, ...] = ()
    glonass: tuple[GlonassEphemeris, ...] = ()
    sbas: tuple[SbasEphemeris, ...] = ()

    @property
    def all(self) -> tuple[Ephemeris, ...]:
        """All of them."""
        return (*self.gps, *self.galileo, *self.beidou, *self.navic, *self.glonass, *self.sbas)


@dataclass(frozen=True, eq=False)
class SavedState:
    """Everything that a new engine needs to go on where another one was.

    Attributes:
        calendar_ns: When it was taken by the calendar of the host, ns of GPS time; its age is counted from here.
        frame, epoch: Frame and epoch of the network's coordinates.
        stations: As they were in ``network.toml``; only what the integers rest on counts.
        solver: What the solver carries, of several clusters the first; its network time is the time of the data.
        fixed_share: Share of fixed double differences at the last network epoch.
        learned: Whether the hyperparameters have been learned from data.
        ephemerides: What has been heard, from whichever station.
        glonass_channels: Frequency channels by satellite.
        others: What the other clusters carry.
    """

    calendar_ns: int
    frame: str
    epoch: float
    stations: tuple[Station, ...]
    solver: SolverState
    fixed_share: float
    learned: bool
    ephemerides: SavedEphemerides
    glonass_channels: dict[int, int]
    others: tuple[SolverState, ...] = ()

    @property
    def solvers(self) -> tuple[SolverState, ...]:
        """What all clusters carry."""
        return self.solver, *self.others


def saved_ephemerides(ephemerides: Sequence[Ephemeris]) -> SavedEphemerides:
    """Return ephemerides sorted by kind."""
    return SavedEphemerides(
        tuple(one for one in ephemerides if isinstance(one, GpsEphemeris)),
        tuple(one for one in ephemerides if isinstance(one, GalileoEphemeris)),
        tuple(one for one in ephemerides if isinstance(one, BeiDouEphemeris)),
        tuple(one for one in ephemerides if isinstance(one, NavicEphemeris)),
        tuple(one for one in ephemerides if isinstance(one, GlonassEphemeris)),
        tuple(one for one in ephemerides if isinstance(one, SbasEphemeris)),
    )


def encode_state(state: SavedState) -> bytes:
    """Return a state as bytes."""
    body = msgspec.msgpack.encode(state, enc_hook=_array_out)
    return _HEADER.pack(_MAGIC, FORMAT, _layout(), len(body), hashlib.sha256(body).digest()) + body


def decode_state(data: bytes, source: str = "saved state") -> SavedState:
    """Return the state in bytes, bit for bit.

    Args:
        data: From :func:`encode_state`, or anything.
        source: Name of the file, for the message.

    Raises:
        GpsgridError: ``BROKEN_FILE``: cut off, damaged, of another program or of another version.
    """
    try:
        return _decoded(data)
    except ValueError as error:  # msgspec's and numpy's are of this family, too
        message = f"{source} cannot be used: {error}; the engine starts without it, and a new one is written soon"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=source) from error


def _decoded(data: bytes) -> SavedState:
    if not data.startswith(_MAGIC):
        msg = f"it starts with {data[: len(_MAGIC)]!r}, expected {_MAGIC!r}: it is no saved state of gpsgrid"
        raise ValueError(msg)
    if len(data) < _HEADER.size:
        msg = f"it has {len(data)} bytes and is cut off"
        raise ValueError(msg)
    _, version, layout, length, digest = _HEADER.unpack_from(data)
    if (version, layout) != (FORMAT, _layout()):
        msg = f"format {version}-{layout.hex()}, expected {FORMAT}-{_layout().hex()}: another version wrote it"
        raise ValueError(msg)
    body = data[_HEADER.size :]
    if len(body) != length:
        msg = f"its document has {len(body)} bytes, expected {length}: it is cut off or something was added"
        raise ValueError(msg)
    if hashlib.sha256(body).digest() != digest:
        msg = "its checksum is wrong: it is damaged"
        raise ValueError(msg)
    state = msgspec.msgpack.decode(body, type=SavedState, dec_hook=_array_in)
    wrong = _wrong(state)
    if wrong:
        msg = f"it contradicts itself: {wrong}"
        raise ValueError(msg)
    return state


def _wrong(state: SavedState) -> str:
    """Return what is wrong with a state whose checksum is right; empty when nothing is."""
    names = [station.id for station in state.stations]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        return f"stations {repeated} are there twice"
    cores = [one.core or one.network.stations for one in state.solvers]
    if sorted(name for core in cores for name in core) != sorted(names):
        return "the stations of the filter are not those of the network"
    if any(not set(core) <= set(one.network.stations) for core, one in zip(cores, state.solvers, strict=True)):
        return "a cluster answers for stations that it does not hold"
    return next((wrong for wrong in map(_wrong_solver, state.solvers) if wrong), "")


def _wrong_solver(solver: SolverState) -> str:
    scales = solver.scales
    if len({scales.weight.shape, scales.square.shape, scales.scale.shape}) > 1 or scales.scale.ndim != 1:
        return "the scales of the satellites are of unequal length"
    followed = np.array([solver.misfit, solver.share, solver.running_s])
    if not all(np.isfinite(one).all() for one in (scales.weight, scales.square, scales.scale, followed)):
        return "a scale is no number"
    return contradiction(solver.network)


def _array_out(value: object) -> object:
    if isinstance(value, np.ndarray):
        kind = _LITTLE_ENDIAN[value.dtype.type]
        return value.shape, np.ascontiguousarray(value, dtype=kind).tobytes()
    if isinstance(value, np.generic):
        return value.item()
    msg = f"a saved state holds a {type(value).__name__}, which is neither an array nor a plain value"
    raise TypeError(msg)


def _array_in(kind: object, value: object) -> object:
    number = _number_of(kind)
    match value:
        case [list(shape), bytes(data)] if all(isinstance(axis, int) and axis >= 0 for axis in shape):
            stored = np.frombuffer(data, dtype=_LITTLE_ENDIAN[number])
            return stored.astype(number).reshape(shape)  # a copy: the buffer cannot be written to
    msg = f"an array of {number.__name__} is a {type(value).__name__} without shape and numbers"
    raise ValueError(msg)


def _number_of(kind: object) -> Any:  # noqa: ANN401 - numpy's scalar types have no common name for mypy
    """Return the element type of an array type from ``stations.arrays``."""
    return get_args(get_args(kind)[1])[0]


@cache
def _layout() -> bytes:
    return hashlib.sha256(_described(SavedState).encode()).digest()[:8]


def _described(kind: Any) -> str:  # noqa: ANN401 - any annotation
    """Return names and types of all fields, all the way down."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return "{" + ",".join(f"{field.name}:{_described(hints[field.name])}" for field in fields(kind)) + "}"
    if get_origin(kind) is np.ndarray:
        return f"array[{_number_of(kind).__name__}]"
    if get_args(kind):
        return f"{get_origin(kind)}[{','.join(_described(one) for one in get_args(kind))}]"
    return str(kind)
