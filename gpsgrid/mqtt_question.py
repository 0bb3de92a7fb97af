"""A question that came over MQTT: any format of the HTTP door, raw or in a JSON object beside the options.

One epoch a message: an answer goes to a topic, and a list of them would be another contract.
"""

from gpsgrid.answer_json import QuestionJson, decode_question
from gpsgrid.body_kind import kind_of_body
from gpsgrid.events import PositionAsked
from gpsgrid.rover_formats import read_rover_epochs, stated
from stations.errors import GpsgridError, Reason

_EPOCH_KEY = b'"satellites"'


def read_options(payload: bytes) -> QuestionJson:
    """Return the options of a question, with its body in ``rtcm3``, whatever the format.

    Raises:
        ValueError: JSON that is no question; the message says where.
    """
    if payload.lstrip()[:1] == b"{" and _EPOCH_KEY in payload:  # a JSON epoch, which has no options
        return QuestionJson(payload)
    return decode_question(payload)


def read_asked(said: QuestionJson, host_ns: int) -> PositionAsked:
    """Return the event for the engine.

    Args:
        said: From :func:`read_options`.
        host_ns: When the question came.

    Raises:
        GpsgridError: As :func:`gpsgrid.rover_formats.read_rover_epochs`; ``TOO_MANY_EPOCHS`` for more than one.
    """
    epochs = read_rover_epochs(kind_of_body("", said.rtcm3), said.rtcm3)
    if len(epochs) > 1:
        message = f"the question holds {len(epochs)} epochs; over MQTT ask one at a time, or all of them over HTTP"
        raise GpsgridError(Reason.TOO_MANY_EPOCHS, message)
    (one,) = stated(epochs, said.antenna, said.antenna_serial, said.antenna_height)
    return PositionAsked(
        said.request,
        one.payload,
        host_ns,
        one.antenna,
        one.antenna_serial,
        one.antenna_height_m,
        one.epoch,
        explain=said.explain,
        warnings=one.warnings,
    )
