"""Virtual stations of a recorded network: what the live stream of a place would have been."""

from collections.abc import Iterator

from gpsgrid import virtual_stream
from gpsgrid.engine import Engine
from gpsgrid.virtual_place import VirtualPolicy
from gpsgrid.virtual_stream import VirtualReport
from replay.player import Learner, Observer, play_network
from stations.arrays import FloatArray
from stations.recorded import Recording


def virtual_reports(
    engine: Engine,
    recording: Recording,
    position_m: FloatArray,
    learner: Learner,
    observer: Observer = lambda _: None,
    policy: VirtualPolicy | None = None,
) -> Iterator[VirtualReport | None]:
    """Yield one report a moment of the recording, ``None`` where the engine had nothing new to show.

    Args:
        engine: Fresh; made for the network of the recording.
        recording: Before its first payload.
        position_m: Antenna reference point of the virtual station, ECEF, shape ``(3,)``.
        learner: As in :func:`replay.player.play`.
        observer: Is shown every output of the engine.
        policy: Limits; by default ``VirtualPolicy()``.
    """
    policy = VirtualPolicy() if policy is None else policy
    state, last_ns = virtual_stream.init(), None
    for _ in play_network(engine, recording, learner, observer):
        view = engine.view(position_m)
        if view is None or view.snapshot.time_ns == last_ns:
            yield None
            continue
        last_ns = view.snapshot.time_ns
        state, report = virtual_stream.step(policy, state, view, position_m)
        yield report
