"""The body of a query into a request: RTCM 3 bytes in, one rover epoch with its antenna out."""

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
            raise GpsgridError(refused[0].reason, f"no usable epoch in the body: {refused[0].text}")
        message = (
            f"body of {len(event.payload)} bytes holds no epoch of observations ({feed.frames} RTCM 3 frames, "
            f"{feed.junk_bytes} other bytes); expected RTCM 3 MSM4 to MSM7"
        )
        raise GpsgridError(Reason.MALFORMED, message, bytes=len(event.payload))
    warnings = _warnings(epochs, refused, unfinished=bool(unfinished))
    calibration = None
    if antennas is not None:
        if antenna.strip():
            calibration = antennas.find(antenna, serial)
        else:
            warnings.append("no antenna given: phases are used uncalibrated, heights can be off by centimetres")
    return RoverRequest(
        event.request, epochs[-1], calibration, height or 0.0, tuple(warnings), event.session, event.motion
    )


def _warnings(epochs: list[StationEpoch], refused: list[Refused], *, unfinished: bool) -> list[str]:
    warnings = [f"part of the body is not used: {one.text}" for one in refused]
    if unfinished:
        warnings.append("the last message of the body says that more follow; what has come is used")
    if len(epochs) > 1:
        warnings.append(f"the body holds {len(epochs)} epochs; only the last one is answered")
    return warnings
