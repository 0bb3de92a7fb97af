"""A body of one or more epochs, in any of our formats, cut into the questions that the engine answers one by one.

Messages of RTCM 3 that describe the receiver hold for all epochs of a body; they are repeated for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.body_kind import BodyKind
from gpsgrid.epoch_json import decode_epochs
from gpsgrid.ubx_body import read_rawx
from stations.epoch import StationEpoch
from stations.epoch_payloads import EpochGatherer
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_calendar, to_iso
from stations.rinex_obs import read_observations
from stations.signals import satellite_name
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.legacy_fields import LEGACY_LAYOUTS
from stations.wire.msm_fields import MSM_NUMBERS

MAX_EPOCHS = 100
"""Epochs in one body; the network remembers less than a minute."""

_NO_ANTENNA = "NONE"
_SYSTEMS = "GRECJ"
_SOME_TIME_NS = int(from_calendar(2020, 1, 1))  # the engine places the week; only the order of marks matters here
_CODE_M = (1.0e6, 1.0e8)  # from below the lowest orbit to twice a geostationary one
_LARGEST_PHASE_CYC = 1.0e11
_GLONASS_EPHEMERIS = 1020


@dataclass(frozen=True, eq=False)
class RoverEpoch:
    """One epoch of a body; either its bytes or its observations are there.

    Attributes:
        payload: RTCM 3 frames.
        epoch: Observations of other formats.
        antenna, antenna_serial, antenna_height_m: As the body says, outside RTCM 3.
        warnings: What of the body was not used.
    """

    payload: bytes = b""
    epoch: StationEpoch | None = None
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height_m: float | None = None
    warnings: tuple[str, ...] = ()


def read_rover_epochs(kind: BodyKind, data: bytes, most: int = MAX_EPOCHS) -> tuple[RoverEpoch, ...]:
    """Return the epochs of a body, at least one, in the order of the body.

    Args:
        kind: Its format.
        data: All of it, decompressed, not empty.
        most: With more epochs it is refused.

    Raises:
        GpsgridError: ``MALFORMED``, ``BROKEN_FILE``, ``BAD_CRC``, ``UNSUPPORTED_FORMAT``, ``UNSUPPORTED_SIGNAL``,
            ``NO_OBSERVATIONS`` or ``TOO_MANY_EPOCHS``.
    """
    match kind:
        case BodyKind.RTCM3:
            found = _rtcm(data)
        case BodyKind.RINEX:
            found = _rinex(data)
        case BodyKind.JSON:
            found = [
                RoverEpoch(b"", epoch, one.antenna, one.antenna_serial, one.antenna_height_m)
                for one, epoch in decode_epochs(data)
            ]
        case BodyKind.UBX:
            epochs, warnings = read_rawx(data, most)
            found = [RoverEpoch(b"", epoch, warnings=tuple(warnings)) for epoch in epochs]
    if not found:
        message = f"the body ({kind}) holds no epoch; expected at least one"
        raise GpsgridError(Reason.NO_OBSERVATIONS, message)
    if len(found) > most:
        message = f"the body holds more than {most} epochs; send them in several requests, as they come"
        raise GpsgridError(Reason.TOO_MANY_EPOCHS, message)
    for one in found:
        if one.epoch is not None:
            _check_values(one.epoch)
    return tuple(found)


def _rinex(data: bytes) -> list[RoverEpoch]:
    observations = read_observations(data, "the body", _SYSTEMS)
    antenna = "" if observations.antenna.split()[:1] == [_NO_ANTENNA] else observations.antenna
    warnings = tuple(f"RINEX: {problem}" for problem in observations.problems)
    return [
        RoverEpoch(b"", epoch, antenna, observations.antenna_serial, observations.antenna_height_m, warnings)
        for epoch in observations.epochs
    ]


def _rtcm(data: bytes) -> list[RoverEpoch]:
    """Cut a body at its epochs; one with a single epoch, or none, goes on as it came."""
    gatherer = EpochGatherer()
    pieces = gatherer.push(data, _SOME_TIME_NS)
    last = gatherer.flush()
    pieces += [last] if last is not None else []
    observed = [piece.data for piece in pieces if piece.time_ns is not None]
    if len(observed) <= 1:
        return [RoverEpoch(data)]
    described = _descriptions(data)
    warnings = (
        (f"part of the body is not used: {gatherer.bad_crc} frames with a wrong checksum",) if gatherer.bad_crc else ()
    )
    return [RoverEpoch(described + piece, warnings=warnings) for piece in observed]


def _descriptions(data: bytes) -> bytes:
    """Return the frames that say something about the receiver or the satellites; of each kind the last."""
    kept: dict[tuple[int, bytes], bytes] = {}
    for payload in FrameBuffer().push(data):
        if len(payload) < 2:
            continue
        number = message_number(payload)
        if number not in MSM_NUMBERS and number not in LEGACY_LAYOUTS:
            # 1020 tells the channel of one satellite, in the six bits after its number.
            which = payload[:3] if number == _GLONASS_EPHEMERIS else b""
            kept[number, which] = encode_frame(payload)
    return b"".join(kept.values())


def _check_values(epoch: StationEpoch) -> None:
    """Refuse what no receiver can have measured: text may hold any number.

    Raises:
        GpsgridError: ``MALFORMED``, with the satellite and the value.
    """
    code_m, phase_cyc = epoch.pseudorange_m, epoch.phase_cyc
    wrong_code = ~np.isnan(code_m) & ~((code_m > _CODE_M[0]) & (code_m < _CODE_M[1]))
    wrong_phase = ~np.isnan(phase_cyc) & ~(np.abs(phase_cyc) < _LARGEST_PHASE_CYC)
    for rows, values, unit, limits in (
        (wrong_code, code_m, "m", f"{_CODE_M[0]:.0e} to {_CODE_M[1]:.0e}"),
        (wrong_phase, phase_cyc, "cycles", f"below {_LARGEST_PHASE_CYC:.0e}"),
    ):
        if rows.any():
            row = int(np.flatnonzero(rows)[0])
            message = (
                f"{satellite_name(int(epoch.satellite[row]))} at {to_iso(epoch.time_ns)}: {values[row]:g} {unit}; no "
                f"receiver measures that, expected {limits}"
            )
            raise GpsgridError(Reason.MALFORMED, message)


def stated(epochs: Sequence[RoverEpoch], antenna: str, serial: str, height_m: float | None) -> tuple[RoverEpoch, ...]:
    """Return the epochs with what the asker says about the antenna; it goes before what the body says."""
    return tuple(
        replace(
            one,
            antenna=antenna or one.antenna,
            antenna_serial=(serial or ("" if antenna else one.antenna_serial)),
            antenna_height_m=one.antenna_height_m if height_m is None else height_m,
        )
        for one in epochs
    )
