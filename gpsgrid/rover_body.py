"""The body of a query into a request: RTCM 3 bytes, or an epoch, in; one rover epoch with its antenna out.

Other formats are taken apart before the engine sees them, in ``rover_formats``.
"""

from collections.abc import Sequence

import numpy as np

from gpsgrid.events import PositionAsked
from gpsgrid.query import RoverRequest
from stations.antex import AntennaTable
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.feed import AntennaReceived, EpochReceived, Feed, PositionReceived, Refused
from stations.glonass_channels import GlonassChannels

MAX_BODY_BYTES = 65_536  # an epoch of 40 satellites and five signals is below 5 kB


def read_rover_body(
    event: PositionAsked, near_ns: int, antennas: AntennaTable | None, channels: GlonassChannels | None = None
) -> RoverRequest:
    """Return the request in a query.

    Args:
        event: The query.
        near_ns: GPS time good to half a week.
        antennas: Calibrations of the network; a rover antenna is looked up here.
        channels: GLONASS channels that the network knows, for a body that names none (MSM4, MSM6). What the body
            itself says counts for the body only.

    Raises:
        GpsgridError: ``OVERSIZED``, ``MALFORMED`` (no RTCM 3 frame, or none with observations),
            ``BAD_CRC`` (only damaged frames) or ``UNKNOWN_ANTENNA``.
    """
    if len(event.payload) > MAX_BODY_BYTES:
        message = f"body of {len(event.payload)} bytes; one epoch of observations has at most {MAX_BODY_BYTES}"
        raise GpsgridError(Reason.OVERSIZED, message, bytes=len(event.payload))
    if event.epoch is not None:
        return _request(event, event.epoch, (event.antenna, event.antenna_serial), event.antenna_height_m, antennas)
    feed = Feed(event.request, channels.copy() if channels is not None else None)
    received = feed.push(event.payload, near_ns)
    unfinished = feed.finish()
    received += unfinished
    epochs: list[StationEpoch] = []
    refused: list[Refused] = []
    antenna, serial, height = event.antenna, event.antenna_serial, event.antenna_height_m
    for one in received:
        if isinstance(one, EpochReceived):
            epochs.append(one.epoch)
        elif isinstance(one, Refused):
            refused.append(one)
        elif isinstance(one, AntennaReceived) and not event.antenna:
            antenna, serial = one.antenna.antenna, one.antenna.serial
        elif isinstance(one, PositionReceived) and event.antenna_height_m is None:
            height = one.position.antenna_height_m
    if not epochs:
        if refused:
            raise GpsgridError(refused[0].reason, f"no usable epoch in the body: {_said(event, refused[0])}")
        message = (
            f"body of {len(event.payload)} bytes holds no epoch of observations ({feed.frames} RTCM 3 frames, "
            f"{feed.junk_bytes} other bytes); expected RTCM 3 MSM4 to MSM7, 1004 or 1012"
        )
        raise GpsgridError(Reason.MALFORMED, message, bytes=len(event.payload))
    warnings = _warnings(epochs, [_said(event, one) for one in refused], unfinished=bool(unfinished))
    return _request(event, epochs[-1], (antenna, serial), height, antennas, warnings)


def _request(
    event: PositionAsked,
    epoch: StationEpoch,
    antenna: tuple[str, str],
    height_m: float | None,
    antennas: AntennaTable | None,
    warnings: Sequence[str] = (),
) -> RoverRequest:
    """Return the request for an epoch; the antenna is type and serial number."""
    found = [*event.warnings, *warnings]
    calibration = None
    if antennas is not None:
        if antenna[0].strip():
            calibration = antennas.find(*antenna)
        else:
            found.append("no antenna given: phases are used uncalibrated, heights can be off by centimetres")
    approximate_m = None if event.approximate_m is None else np.array(event.approximate_m)
    return RoverRequest(
        event.request,
        epoch,
        calibration,
        height_m or 0.0,
        tuple(found),
        approximate_m,
        event.explain,
        event.session,
        event.motion,
    )


def _said(event: PositionAsked, refused: Refused) -> str:
    """Return what is wrong with a message, without the name of the query, which the asker knows."""
    return refused.text.removeprefix(f"{event.request}: ")


def _warnings(epochs: list[StationEpoch], refused: list[str], *, unfinished: bool) -> list[str]:
    warnings = [f"part of the body is not used: {text}" for text in refused]
    if unfinished:
        warnings.append("the last message of the body says that more follow; what has come is used")
    if len(epochs) > 1:
        warnings.append(f"the body holds {len(epochs)} epochs; only the last one is answered")
    return warnings
