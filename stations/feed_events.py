"""What a station's stream can say, as values: see :class:`stations.feed.Feed`."""

from dataclasses import dataclass

from stations.epoch import StationEpoch
from stations.errors import Reason
from stations.navigation_kinds import Ephemeris
from stations.wire.network_messages import NetworkMessage
from stations.wire.service_messages import GlonassBiases, StationText, SystemParameters
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition


@dataclass(frozen=True)
class EpochReceived:
    """All observations of one time tag.

    Attributes:
        epoch: The rows of all messages together.
    """

    epoch: StationEpoch


@dataclass(frozen=True)
class EphemerisReceived:
    """A broadcast ephemeris of any system.

    Attributes:
        ephemeris: Its ``transmitted_ns`` is the time of reception.
    """

    ephemeris: Ephemeris


@dataclass(frozen=True)
class PositionReceived:
    """The station says where its antenna reference point is.

    Attributes:
        position: Message 1005 or 1006.
    """

    position: ReferencePosition


@dataclass(frozen=True)
class AntennaReceived:
    """The station says what antenna and receiver it has.

    Attributes:
        antenna: Message 1007, 1008 or 1033.
    """

    antenna: AntennaDescriptor


@dataclass(frozen=True)
class ParametersReceived:
    """The station says what it sends.

    Attributes:
        parameters: Message 1013.
    """

    parameters: SystemParameters


@dataclass(frozen=True)
class TextReceived:
    """The operator of the station says something to people.

    Attributes:
        text: Message 1029.
    """

    text: StationText


@dataclass(frozen=True)
class BiasesReceived:
    """The station says how far its GLONASS codes are from its phases.

    Attributes:
        biases: Message 1230.
    """

    biases: GlonassBiases


@dataclass(frozen=True)
class NetworkReceived:
    """A network service says how its corrections were made.

    Attributes:
        message: Message 1014-1017, 1030-1032, 1034 or 1035.
    """

    message: NetworkMessage


@dataclass(frozen=True)
class Refused:
    """Something that could not be used; counted under its reason.

    Attributes:
        reason: Machine-readable cause.
        text: What came and what was expected.
    """

    reason: Reason
    text: str


FeedEvent = (
    EpochReceived
    | EphemerisReceived
    | PositionReceived
    | AntennaReceived
    | ParametersReceived
    | TextReceived
    | BiasesReceived
    | NetworkReceived
    | Refused
)
