"""What goes into the engine and what comes out; the whole interface of :class:`gpsgrid.engine.Engine`.

Two clocks appear. ``*_host_ns`` is the host's monotonic clock (any origin): it only measures how long
the engine waits for stations and queries. Everything else is GPS time from the data.
"""

from dataclasses import dataclass

from gpsgrid.answer import Answer
from gpsgrid.station_changes import StationChanges
from models.coordinates_monitor import Judgement
from models.field.kernels import Hyperparameters
from models.field.solve import FieldObservations
from models.session_state import Motion
from stations.antex import AntennaTable
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.epoch import StationEpoch
from stations.errors import Reason


@dataclass(frozen=True)
class PayloadArrived:
    """Bytes of one station: RTCM 3 frames in any chunking, preferably one message per epoch."""

    station: str
    payload: bytes
    host_ns: int


@dataclass(frozen=True)
class Tick:
    """Time has passed; send one when :meth:`Engine.deadline` is reached."""

    host_ns: int


@dataclass(frozen=True)
class PositionAsked:
    """One epoch of raw rover observations.

    Attributes:
        request: Name of the query, repeated in the answer.
        payload: RTCM 3: one MSM4-7 epoch; 1033 or 1008 may name the antenna, 1006 the antenna height.
        host_ns: When it was asked.
        antenna, antenna_serial: Antenna of the rover; overrides what the payload says.
        antenna_height_m: Marker to antenna reference point; the answer is at the marker.
        epoch: The observations where they came in another format than RTCM 3; the payload is then empty.
        approximate_m: Where the rover roughly is, ECEF metres; used where its codes give no position.
        wait_ns: How long to wait for the network epoch of that time; ``None`` for what the engine is configured with.
        explain: Say of every satellite why it was used or refused.
        warnings: Collected while the body was taken apart.
        session: Name of a session that carries state from epoch to epoch; empty for an answer from this epoch alone.
        motion: What a session assumes of the rover between epochs.
    """

    request: str
    payload: bytes
    host_ns: int
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height_m: float | None = None
    epoch: StationEpoch | None = None
    approximate_m: tuple[float, float, float] | None = None
    wait_ns: int | None = None
    explain: bool = False
    warnings: tuple[str, ...] = ()
    session: str = ""
    motion: Motion = Motion.FREE


@dataclass(frozen=True)
class HyperparametersLearned:
    """The learner's answer to :class:`LearningDue`; used from the next network epoch on."""

    time_ns: int
    hyper: Hyperparameters


@dataclass(frozen=True, eq=False)
class NetworkChanged:
    """The operator has changed the network; stations that are as before keep their integers.

    Attributes:
        network: The network from now on.
        antennas: Antenna calibrations, or ``None`` when the network declares none.
    """

    network: Network
    antennas: AntennaTable | None


Event = PayloadArrived | Tick | PositionAsked | HyperparametersLearned | NetworkChanged


@dataclass(frozen=True)
class PositionAnswered:
    """The answer to a query."""

    answer: Answer


@dataclass(frozen=True)
class NetworkSolved:
    """A network epoch was closed and solved.

    Attributes:
        time_ns: Epoch.
        stations: Stations that took part.
        missing: Known stations that did not.
        satellites: Number of satellites in the solution.
        fixed_share: Share of the double differences whose integers are held.
        loo_z_rms: RMS of the field's leave-one-out residuals over their sigmas; NaN when there are none.
        rejected: Rows that the robust field left out or weighted down to nothing.
        resets: Ambiguities restarted in this epoch.
    """

    time_ns: int
    stations: tuple[str, ...]
    missing: tuple[str, ...]
    satellites: int
    fixed_share: float
    loo_z_rms: float
    rejected: int
    resets: int


@dataclass(frozen=True)
class LearningDue:
    """Somebody off the hot path should learn hyperparameters from this window.

    Attributes:
        time_ns: Network epoch at which it became due.
        window: Robustly cleaned field observations of the last hour, oldest first.
        scales: Satellite variance scales in force at each, shape ``(satellite,)`` each.
        weights: Weights of the rows at each.
        start: Hyperparameters in force.
    """

    time_ns: int
    window: tuple[FieldObservations, ...]
    scales: tuple[FloatArray, ...]
    weights: tuple[FloatArray, ...]
    start: Hyperparameters


@dataclass(frozen=True)
class InputRefused:
    """Something from outside could not be used; counted in :attr:`Engine.health`.

    Attributes:
        source: Station or request.
        reason: Code.
        text: What came, what was expected, what to do.
    """

    source: str
    reason: Reason
    text: str


@dataclass(frozen=True)
class NetworkTaken:
    """A changed network is in force.

    Attributes:
        network: It.
        changes: What became of the stations; none is kept when frame or epoch of the coordinates changed.
    """

    network: Network
    changes: StationChanges


@dataclass(frozen=True)
class CoordinateJudged:
    """The verdict on a station's declared coordinate became better or worse.

    Attributes:
        time_ns: Network epoch.
        station: Whose.
        judgement: Verdict, offset and standard deviation.
        reason: Code of the alarm.
        text: What was found, what was done, what to check.
    """

    time_ns: int
    station: str
    judgement: Judgement
    reason: Reason
    text: str


Output = PositionAnswered | NetworkSolved | LearningDue | InputRefused | NetworkTaken | CoordinateJudged
