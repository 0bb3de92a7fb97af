"""A recorded quarter of an hour of a real network as payloads, with one station held out as the rover."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import PayloadArrived, PositionAnswered, PositionAsked, Tick
from stations.antex import AntennaTable
from stations.catalog import Network
from stations.constants import NS_PER_MS, NS_PER_S
from stations.edge.recordings import load_antennas, load_recording, load_rover
from stations.feed import EpochReceived, Feed
from stations.gpstime import from_calendar
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.publication import encode_station_epoch

START_NS = from_calendar(2021, 1, 1, 2)
MINUTES = 15
EPHEMERIDES = frozenset({1019, 1020, 1042, 1044, 1045, 1046})


@dataclass(frozen=True)
class Night:
    """Payloads by moment, rover bodies by moment, and how to make an engine for them."""

    network: Network
    antennas: AntennaTable
    moments: tuple[tuple[int, tuple[tuple[str, bytes], ...]], ...]
    rover: dict[int, bytes]
    rover_m: np.ndarray

    def engine(self, network=None, **changes):
        """Return a fresh engine; its calendar is years off unless told otherwise."""
        config = EngineConfig(network or self.network, self.antennas, near_ns=from_calendar(2026, 1, 1))
        return Engine(replace(config, **changes))

    def feed(self, engine, first=0, last=None, without=()):
        """Hand moments to an engine as a live service would, deadlines included; return all outputs."""
        outputs = []
        for time_ns, payloads in self.moments[first:last]:
            for station, payload in payloads:
                if station not in without:
                    outputs += engine.handle(PayloadArrived(station, payload, time_ns))
            while (due_ns := engine.deadline()) is not None:
                outputs += engine.handle(Tick(due_ns))
        return outputs

    def ask(self, engine, moment, payload=None, **more):
        """Ask at the time of a moment, let deadlines pass, return the one answer."""
        time_ns = self.moments[moment][0]
        body = self.rover[time_ns] if payload is None else payload
        outputs = engine.handle(PositionAsked("rover", body, time_ns, **more))
        while (due_ns := engine.deadline()) is not None and not answers(outputs):
            outputs += engine.handle(Tick(due_ns))
        (answer,) = answers(outputs)
        return answer


def answers(outputs):
    """Return the answers among outputs."""
    return [output.answer for output in outputs if isinstance(output, PositionAnswered)]


def counted(outputs):
    """Return how often each reason occurs in refusals of inputs and in answers."""
    reasons = [output.reason for output in outputs if hasattr(output, "reason") and hasattr(output, "source")]
    reasons += [answer.refusal for answer in answers(outputs) if answer.refusal is not None]
    return Counter(reasons)


def frames_of(payload, only=None, but=()):
    """Return the frames of a payload as bytes, of some message numbers or of all but some."""
    kept = []
    for frame in FrameBuffer().push(payload):
        number = message_number(frame)
        if (only is None or number in only) and number not in but:
            kept.append(encode_frame(frame))
    return b"".join(kept)


def shifted(payload, shift_ns, near_ns):
    """Return the observations of a payload as a receiver would send them whose clock is wrong."""
    events = Feed("").push(payload, near_ns)
    epochs = [event.epoch for event in events if isinstance(event, EpochReceived)]
    return b"".join(encode_station_epoch(1, replace(epoch, time_ns=epoch.time_ns + shift_ns)) for epoch in epochs)


def edited(payload, near_ns, change):
    """Return a body with its one epoch changed by a function of :class:`StationEpoch`."""
    (epoch,) = [event.epoch for event in Feed("").push(payload, near_ns) if isinstance(event, EpochReceived)]
    return encode_station_epoch(0, change(epoch))


@dataclass(frozen=True)
class Tools:
    """The functions above for test modules, which cannot import them from here."""

    answers: object = staticmethod(answers)
    counted: object = staticmethod(counted)
    frames_of: object = staticmethod(frames_of)
    shifted: object = staticmethod(shifted)
    edited: object = staticmethod(edited)
    ephemerides: object = EPHEMERIDES
    second_ns: int = NS_PER_S
    ms_ns: int = NS_PER_MS


@pytest.fixture(scope="session")
def tools():
    """Functions on payloads and outputs."""
    return Tools()


@pytest.fixture(scope="session")
def night(shared_data):
    """The network of the night without ZEGV, and ZEGV as the rover."""
    folder = shared_data / "nl-2021-001"
    network = load_network(folder / "night.toml").network
    zegv = network.station("ZEGV")
    antennas = load_antennas(network)
    end_ns = START_NS + MINUTES * 60 * NS_PER_S
    recording = load_recording(network, exclude=["ZEGV"], antennas=antennas, from_ns=START_NS, to_ns=end_ns)
    moments = tuple((time_ns, tuple(recording.payloads(time_ns))) for time_ns in recording.times_ns)
    rover = load_rover(
        [folder / zegv.observations[0]],
        antennas=antennas,
        antenna=zegv.antenna,
        antenna_serial=zegv.antenna_serial,
        antenna_height_m=zegv.antenna_height_m,
        from_ns=START_NS,
        to_ns=end_ns,
    )
    bodies = {time_ns: rover.payload(time_ns) for time_ns in rover.times_ns}
    return Night(recording.network, antennas, moments, bodies, zegv.marker_m)


@pytest.fixture(scope="session")
def eijs(shared_data):
    """Bodies of a station 164 km from the nearest of ROVN and WSRA, by moment."""
    folder = shared_data / "nl-2021-001"
    station = load_network(folder / "night.toml").network.station("EIJS")
    rover = load_rover([folder / station.observations[0]], from_ns=START_NS, to_ns=START_NS + MINUTES * 60 * NS_PER_S)
    return {time_ns: rover.payload(time_ns) for time_ns in rover.times_ns}


@pytest.fixture(scope="session")
def settled(night):
    """An engine that has seen 25 moments; tests that change it make their own."""
    engine = night.engine()
    night.feed(engine, 0, 25)
    return engine
