"""What was seen in a stream or a file: frozen values, nothing judged. Times are ns of GPS time."""

from dataclasses import dataclass

from stations.epoch import StationEpoch
from stations.navigation_kinds import Ephemeris


@dataclass(frozen=True)
class MessagesSeen:
    """One kind of message.

    Attributes:
        number: Message number; name: what it is called.
        count: How many came.
        interval_s: Mean time between two of them by the time of the stream, seconds; ``None`` where unknown.
    """

    number: int
    name: str
    count: int
    interval_s: float | None


@dataclass(frozen=True)
class SignalSeen:
    """One signal.

    Attributes:
        system: Letter; code: RINEX code; band: frequency band, the first letter of the code.
        satellites: How many had it.
        observations: How many there were; codes, phases: of these, with a value.
        half_cycles: Phases that may be off by half a cycle.
        slips: Losses of lock, the first sight of a satellite aside.
        longest_lock_ms: Longest lock time that was sent or, in RINEX, followed.
        cn0_dbhz: Lowest, mean and highest; ``None`` where never sent.
    """

    system: str
    code: str
    band: str
    satellites: int
    observations: int
    codes: int
    phases: int
    half_cycles: int
    slips: int
    longest_lock_ms: int
    cn0_dbhz: tuple[float, float, float] | None


@dataclass(frozen=True)
class SystemSeen:
    """One satellite system.

    Attributes:
        system: Letter.
        satellites: Names.
        mean_satellites: Per epoch.
        mean_dual: Per epoch with code and phase in at least two bands.
        epochs: Epochs in which it occurred.
        ahead_s: How far its time tags are ahead of those of GPS in the stream, seconds; 0 is right.
    """

    system: str
    satellites: tuple[str, ...]
    mean_satellites: float
    mean_dual: float
    epochs: int
    ahead_s: float = 0.0


@dataclass(frozen=True)
class EpochsSeen:
    """When there were observations.

    Attributes:
        count: Epochs with observations.
        first_ns, last_ns: First and last.
        interval_s: Median time between two; ``None`` with fewer than two.
        missing: Epochs that are missing in the gaps, by the interval.
        gaps: How many gaps; longest_gap_s: the longest of them.
        late: Epochs that came behind later ones.
        repeated: Observations that came twice.
    """

    count: int
    first_ns: int
    last_ns: int
    interval_s: float | None
    missing: int
    gaps: int
    longest_gap_s: float
    late: int
    repeated: int


@dataclass(frozen=True)
class StationSeen:
    """What is said of the station.

    Attributes:
        marker: Name or station number.
        position_m: Antenna reference point (RTCM) or marker (RINEX), ECEF; ``None`` when it was not said.
        position_source: Message or header that said it.
        positions: How many different ones; spread_m: the largest distance of one of them from the first.
        antenna_height_m: ``None`` when it was not said.
        virtual: Whether it is a computed station.
        antenna, antenna_serial, receiver, firmware: Empty when not said.
        glonass_bias_m: By RINEX signal; ``None`` when it was not said.
    """

    marker: str = ""
    position_m: tuple[float, float, float] | None = None
    position_source: str = ""
    positions: int = 0
    spread_m: float = 0.0
    antenna_height_m: float | None = None
    virtual: bool = False
    antenna: str = ""
    antenna_serial: str = ""
    receiver: str = ""
    firmware: str = ""
    glonass_bias_m: dict[str, float] | None = None


@dataclass(frozen=True)
class EphemeridesSeen:
    """Broadcast ephemerides of one system.

    Attributes:
        system: Letter.
        satellites: Names of satellites with any.
        different: Different ephemerides.
        unhealthy: Names of satellites whose newest one says not to use them.
        age_s: Time from the newest reference time to the last epoch, seconds, of the satellite where it is longest;
            ``None`` without epochs.
    """

    system: str
    satellites: tuple[str, ...]
    different: int
    unhealthy: tuple[str, ...]
    age_s: float | None


@dataclass(frozen=True)
class StreamSeen:
    """Transport of a byte stream.

    Attributes:
        size_bytes: Bytes.
        frames: Frames with a right checksum.
        bad_crc: Supposed frames with a wrong one.
        junk_bytes: Bytes that belonged to no frame.
        refused: Messages that could not be used, by reason; refusals: the first few, in words.
        unknown_channels: GLONASS phases left out because nobody told the frequency channel.
        unknown_ranges: Observations without whole milliseconds (MSM1 to MSM3) that nothing resolved.
        date_source: Message that named the week; 0 when none did.
        date_certain: Whether it did so without an ambiguity.
        seconds: How long it was listened to; ``None`` for a file.
        delay_s: Median time from the time tag of an epoch to its arrival by this computer's clock; ``None`` for a file.
    """

    size_bytes: int
    frames: int
    bad_crc: int
    junk_bytes: int
    refused: dict[str, int]
    refusals: tuple[str, ...]
    unknown_channels: int
    unknown_ranges: int
    date_source: int
    date_certain: bool
    seconds: float | None = None
    delay_s: float | None = None


@dataclass(frozen=True)
class SurveyReport:
    """Everything that was seen.

    Attributes:
        stream: ``None`` for a RINEX file.
        messages: By number.
        epochs: ``None`` when there were no observations.
        systems, signals: In the order of their integers.
        station: What is said of it.
        ephemerides: By system.
        texts: Messages for people (1029).
        problems: What the reader of a file complained of.
        samples: Some epochs, for checks that need them.
        broadcast: The different ephemerides, for the same.
    """

    stream: StreamSeen | None
    messages: tuple[MessagesSeen, ...]
    epochs: EpochsSeen | None
    systems: tuple[SystemSeen, ...]
    signals: tuple[SignalSeen, ...]
    station: StationSeen
    ephemerides: tuple[EphemeridesSeen, ...]
    texts: tuple[str, ...]
    problems: tuple[str, ...]
    samples: tuple[StationEpoch, ...]
    broadcast: tuple[Ephemeris, ...]
