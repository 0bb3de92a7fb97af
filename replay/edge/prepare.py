"""What a replay works on, read and checked: a network, its recording, a rover, and the engine for them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.settings import load_network
from gpsgrid.engine import EngineConfig
from gpsgrid.query import QueryPolicy
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS, QUIET_HYPERPARAMETERS
from replay.player import only_nearest
from stations.antex import AntennaTable
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_MS
from stations.edge.recording_checks import check_rover_overlaps
from stations.edge.recordings import (
    find_station,
    load_antennas,
    load_ephemerides,
    load_recording,
    load_rover,
    load_station_as_rover,
)
from stations.errors import GpsgridError, Reason
from stations.glonass_channels import channels_of
from stations.recorded import RecordedRover, Recording

_FEWEST_STATIONS = 2  # one station has nothing to model an error field from


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay; exactly one of ``hold_out`` and ``rover_files`` is given.

    Attributes:
        network_file: ``network.toml``.
        hold_out: Station that is taken out of the network and used as the rover.
        rover_files: Files of a rover of its own.
        from_ns: First moment, ns of GPS time; ``None`` without limit.
        to_ns: Last moment, included; ``None`` without limit.
        nearest_base: Use only the station nearest to the rover: what single-base RTK would have done.
        antenna: Antenna of a rover file instead of the one in its header.
        antenna_serial: Its serial number.
        antenna_height_m: Its height instead of the one in the header.
    """

    network_file: Path
    hold_out: str = ""
    rover_files: tuple[Path, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    nearest_base: bool = False
    antenna: str | None = None
    antenna_serial: str | None = None
    antenna_height_m: float | None = None


@dataclass(frozen=True)
class Prepared:
    """Everything in memory. Recording and rover are used up by a replay; :meth:`rewound` gives fresh ones.

    Attributes:
        config: The network without the held-out station.
        antennas: Calibrations, or ``None`` when the network declares none.
        recording: The streams of its stations.
        rover: The rover.
        marker_m: Where the rover really was, ECEF metres: the marker of a held-out station, otherwise ``None``.
    """

    config: NetworkConfig
    antennas: AntennaTable | None
    recording: Recording
    rover: RecordedRover
    marker_m: tuple[float, float, float] | None = None

    def rewound(self) -> "Prepared":
        """Return the same before the first payload."""
        return replace(self, recording=self.recording.rewound(), rover=self.rover.rewound())

    def engine_config(self, *, wait_ns: int | None = None) -> EngineConfig:
        """Return what an engine for this network is made of.

        Args:
            wait_ns: How long a network epoch waits for late stations; by default what the configuration says. A
                query waits 200 ms longer.
        """
        wait_ns = self.config.align_deadline_ms * NS_PER_MS if wait_ns is None else wait_ns
        return EngineConfig(
            self.config.network,
            self.antennas,
            near_ns=self.recording.times_ns[0],
            wait_ns=wait_ns,
            query_wait_ns=wait_ns + 200 * NS_PER_MS,
            query=QueryPolicy(resolution=self.config.grid_resolution),
            # A lone base learns nothing; the prior of a quiet night serves it best, so it is compared at its best.
            hyper=QUIET_HYPERPARAMETERS if len(self.config.network.stations) == 1 else DEFAULT_HYPERPARAMETERS,
        )


def prepare(request: ReplayRequest) -> Prepared:
    """Read and check everything that a replay needs.

    Raises:
        GpsgridError: As :func:`gpsgrid.edge.settings.load_network` and the functions of
            :mod:`stations.edge.recordings`; ``BAD_CONFIG`` when too few stations remain.
        ValueError: Not exactly one rover is given.
    """
    if bool(request.hold_out) == bool(request.rover_files):
        message = "exactly one of hold_out and rover_files must be given"
        raise ValueError(message)
    config = load_network(request.network_file)
    antennas = load_antennas(config.network)
    from_ns, to_ns = request.from_ns, request.to_ns
    marker_m = None
    ephemerides = load_ephemerides(config.network)
    channels = channels_of(ephemerides)
    if request.hold_out:
        station = find_station(config.network, request.hold_out)
        rover = load_station_as_rover(
            config.network, station, antennas=antennas, channels=channels, from_ns=from_ns, to_ns=to_ns
        )
        marker_m = station.position_m
        network = config.network.without(station.id)
    else:
        rover = load_rover(
            request.rover_files,
            antennas=antennas,
            antenna=request.antenna,
            antenna_serial=request.antenna_serial,
            antenna_height_m=request.antenna_height_m,
            channels=channels,
            from_ns=from_ns,
            to_ns=to_ns,
        )
        network = config.network
    network = _reduced(network, request, rover, marker_m)
    recording = load_recording(network, antennas=antennas, ephemerides=ephemerides, from_ns=from_ns, to_ns=to_ns)
    check_rover_overlaps(recording, rover)
    return Prepared(replace(config, network=network), antennas, recording, rover, marker_m)


def _reduced(
    network: Network, request: ReplayRequest, rover: RecordedRover, marker_m: tuple[float, float, float] | None
) -> Network:
    if request.nearest_base:
        return only_nearest(network, _somewhere(rover, marker_m))
    if len(network.stations) < _FEWEST_STATIONS:
        left = ", ".join(station.id for station in network.stations) or "none"
        message = (
            f"network {network.name} has {len(network.stations)} stations to work with ({left}); at least "
            f"{_FEWEST_STATIONS} are needed. Add stations to {request.network_file}, or use --nearest-base"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, stations=left)
    return network


def _somewhere(rover: RecordedRover, marker_m: tuple[float, float, float] | None) -> FloatArray:
    position_m = marker_m or rover.observations.approx_position_m
    if position_m is None or not any(position_m):
        message = (
            f"rover {rover.name}: its header has no approximate position, so the nearest station is not known; "
            f"add 'APPROX POSITION XYZ', or leave --nearest-base out"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=rover.name)
    return np.array(position_m)
