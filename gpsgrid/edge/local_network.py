"""A network in this process: ``gpsgrid.Network.from_toml(path).position(epoch)``, without a server.

The engine is the one of the service, and it is fed with the recordings that ``network.toml`` names, up to the time of
each question. Nothing is learned: the hyperparameters of the field are those that an engine starts with.
"""

from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Self

from gpsgrid.answer import Answer, refusal
from gpsgrid.body_kind import kind_of_body
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine
from gpsgrid.events import Output, PayloadArrived, PositionAnswered, PositionAsked, Tick
from gpsgrid.rover_body import read_rover_body
from gpsgrid.rover_formats import RoverEpoch, read_rover_epochs
from stations import catalog
from stations.constants import NS_PER_S
from stations.edge.recordings import load_recording
from stations.epoch import StationEpoch
from stations.errors import GpsgridError
from stations.recorded import Recording

_WARM_UP_S = 1800.0  # of data, before the first question: the network has fixed its integers by then
_BACK_NS = 10 * NS_PER_S  # a question that is older than the network by more makes it start anew


class Network(catalog.Network):
    """A network as described by ``network.toml``, and positions in it from the recordings that it names."""

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Return the network of a file; its recordings are read with the first question.

        Raises:
            GpsgridError: The file is missing or has mistakes.
        """
        network = load_network(Path(path)).network
        found = cls(**{one.name: getattr(network, one.name) for one in fields(catalog.Network)})
        vars(found)["_toml"] = Path(path)
        return found

    def position(
        self,
        observations: bytes | StationEpoch,
        *,
        antenna: str = "",
        antenna_serial: str = "",
        antenna_height_m: float | None = None,
        explain: bool = False,
    ) -> Answer:
        """Return the answer to one epoch, as the service would have answered at that time.

        Args:
            observations: RTCM 3, RINEX text, a JSON epoch or UBX, with one epoch; or an epoch.
            antenna: Of the rover, IGS type; goes before what the bytes say.
            antenna_serial: Its serial number.
            antenna_height_m: Marker to antenna reference point.
            explain: Whether every satellite is explained.

        Raises:
            GpsgridError: The recordings or the observations cannot be read.
            ValueError: The bytes hold several epochs, or the network was not made by :meth:`from_toml`.
        """
        epochs = _epochs_of(observations)
        if len(epochs) != 1:
            message = f"the bytes hold {len(epochs)} epochs; ask for one after the other"
            raise ValueError(message)
        (one,) = epochs
        height_m = one.antenna_height_m if antenna_height_m is None else antenna_height_m
        serial = antenna_serial or ("" if antenna else one.antenna_serial)
        asked = PositionAsked(
            "position",
            one.payload,
            0,
            antenna or one.antenna,
            serial,
            height_m,
            one.epoch,
            explain=explain,
            warnings=one.warnings,
        )
        return self._player.ask(asked)

    @cached_property
    def _player(self) -> "_Player":
        path = vars(self).get("_toml")
        if path is None:
            message = "this network was not read from a file; Network.from_toml(path) knows where the recordings are"
            raise ValueError(message)
        return _Player(path)


class _Player:
    """An engine and the recording that it is fed from."""

    def __init__(self, path: Path) -> None:
        self._config = load_network(path)
        self._recording: Recording = load_recording(self._config.network)
        self._start()

    def _start(self) -> None:
        self._recording = self._recording.rewound()
        self._engine: Engine = build_engine(self._config)
        self._fed_ns = 0

    def ask(self, asked: PositionAsked) -> Answer:
        """Return the answer to a question, with the network as it was at its time."""
        config, near_ns = self._engine.config, self._recording.times_ns[0]
        try:
            time_ns = read_rover_body(asked, near_ns, config.antennas).epoch.time_ns
        except GpsgridError as error:
            return refusal(asked.request, error.reason, str(error), 0, config.network.frame, config.network.epoch)
        if time_ns < self._fed_ns - _BACK_NS:
            self._start()
        self._feed(time_ns)
        for output in self._settled(self._engine.handle(asked)):
            if isinstance(output, PositionAnswered):
                return output.answer
        message = "the engine gave no answer, which is a bug; please report it"
        raise RuntimeError(message)

    def _feed(self, until_ns: int) -> None:
        from_ns = max(self._fed_ns, until_ns - round(_WARM_UP_S * NS_PER_S)) if not self._fed_ns else self._fed_ns
        for time_ns in self._recording.times_ns:
            if from_ns < time_ns <= until_ns + NS_PER_S // 1000:
                for station, payload in self._recording.payloads(time_ns):
                    self._engine.handle(PayloadArrived(station, payload, 0))
                for _ in self._settled([]):
                    pass
                self._fed_ns = time_ns

    def _settled(self, outputs: list[Output]) -> Iterator[Output]:
        """Yield outputs, and what follows while the engine waits for something."""
        yield from outputs
        while (due_ns := self._engine.deadline()) is not None:
            yield from self._engine.handle(Tick(due_ns))


def _epochs_of(observations: bytes | StationEpoch) -> tuple[RoverEpoch, ...]:
    if isinstance(observations, StationEpoch):
        return (RoverEpoch(b"", observations),)
    return read_rover_epochs(kind_of_body("", observations), observations)
