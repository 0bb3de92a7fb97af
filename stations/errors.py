"""What can be wrong with input from outside: one exception family, a reason code, and the facts.

A message says what came, what was expected and what to do. Misuse of our own functions raises
``ValueError``; numerical failure is a status in a result, never an exception.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why an input was refused; also the label of the counter of such refusals."""

    BAD_CRC = "bad_crc"
    MALFORMED = "malformed"
    UNKNOWN_STATION = "unknown_station"
    DUPLICATE_EPOCH = "duplicate_epoch"
    LATE_EPOCH = "late_epoch"
    FUTURE_EPOCH = "future_epoch"
    STUCK_RECEIVER = "stuck_receiver"
    NO_EPHEMERIS = "no_ephemeris"
    NO_NAVIGATION = "no_navigation"
    IMPOSSIBLE_EPHEMERIS = "impossible_ephemeris"
    NO_OBSERVATIONS = "no_observations"
    MISSING_FILE = "missing_file"
    BROKEN_FILE = "broken_file"
    UNKNOWN_ANTENNA = "unknown_antenna"
    BAD_CONFIG = "bad_config"
    TOO_FEW_SATELLITES = "too_few_satellites"
    NO_CODE_POSITION = "no_code_position"
    WRONG_COORDINATE = "wrong_coordinate"
    OUTSIDE_NETWORK = "outside_network"
    NO_NETWORK = "no_network"
    STALE_NETWORK = "stale_network"
    UNSUPPORTED_SIGNAL = "unsupported_signal"
    OVERSIZED = "oversized"
    TOO_MANY_EPOCHS = "too_many_epochs"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNKNOWN_FRAME = "unknown_frame"
    UNKNOWN_CELL = "unknown_cell"
    BROKER_UNREACHABLE = "broker_unreachable"
    SERVER_UNREACHABLE = "server_unreachable"
    STREAM_UNREACHABLE = "stream_unreachable"
    STREAM_REFUSED = "stream_refused"
    UNUSABLE_STATE = "unusable_state"
    QUEUE_FULL = "queue_full"


class GpsgridError(Exception):
    """Input from outside that cannot be used.

    Attributes:
        reason: Machine-readable cause; every refusal is counted under it.
        facts: The offending values (file, line, station, offset, ...), for logs and problem documents.
    """

    def __init__(self, reason: Reason, message: str, /, **facts: object) -> None:
        """Keep the reason and the facts beside the sentence for people."""
        super().__init__(message)
        self.reason = reason
        self.facts = facts
