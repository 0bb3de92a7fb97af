"""One station epoch as one MQTT payload: the frames of everything that belongs to it, observations last."""

from collections.abc import Iterable

from stations.epoch import StationEpoch
from stations.navigation_kinds import Ephemeris
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.framing import encode_frame
from stations.wire.msm import encode_msm, split_slices
from stations.wire.service_messages import GlonassBiases, encode_biases
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, encode_antenna, encode_position


def encode_station_epoch(
    station_number: int,
    epoch: StationEpoch,
    *,
    position: ReferencePosition | None = None,
    antenna: AntennaDescriptor | None = None,
    ephemerides: Iterable[Ephemeris] = (),
    biases: GlonassBiases | None = None,
    level: int = 7,
) -> bytes:
    """Return the frames of one epoch: 1005 or 1006, 1008 or 1033, 1230, ephemerides, then MSM with the last one marked.

    A receiver that has seen the last byte has everything of the epoch. Phases have to be near their codes
    already (:class:`stations.wire.phase_aligner.PhaseAligner`).

    Args:
        station_number: Reference station number of the observations, 0-4095.
        epoch: Observations; may be empty, then an MSM without satellites says so.
        position: Sent before the observations.
        antenna: Sent before the observations.
        ephemerides: Sent before the observations.
        biases: Sent before the observations.
        level: Which MSM, 1 to 7.

    Returns:
        Frames, one after another.

    Raises:
        ValueError: A value does not fit its field, or a signal cannot be sent: see
            :func:`stations.wire.msm.carried`.
    """
    payloads: list[bytes] = []
    if position is not None:
        payloads.append(encode_position(position))
    if antenna is not None:
        payloads.append(encode_antenna(antenna))
    if biases is not None:
        payloads.append(encode_biases(biases))
    payloads.extend(encode_broadcast(ephemeris) for ephemeris in ephemerides)
    pieces = [epoch.rows(piece) for piece in split_slices(epoch)] or [epoch]
    payloads.extend(
        encode_msm(station_number, piece, more=index + 1 < len(pieces), level=level)
        for index, piece in enumerate(pieces)
    )
    return b"".join(encode_frame(payload) for payload in payloads)
