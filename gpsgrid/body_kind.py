"""Which format the body of a query is in: what its media type says, or else what its first bytes look like.

Programs that send files often name a type that says nothing (``application/octet-stream``, or what curl puts there);
then the content decides. A type that names one of our formats is believed, so that a broken body is called broken.
"""

from enum import StrEnum

from stations.errors import GpsgridError, Reason
from stations.file_kind import FileKind, kind_of


class BodyKind(StrEnum):
    """Formats of observations that a query may be in, in words for people."""

    RTCM3 = "RTCM 3"
    RINEX = "RINEX observation"
    JSON = "JSON epoch"
    UBX = "UBX RXM-RAWX"


MEDIA_TYPES = {
    "application/rtcm3": BodyKind.RTCM3,
    "application/x-rtcm3": BodyKind.RTCM3,
    "application/rinex": BodyKind.RINEX,
    "application/x-rinex": BodyKind.RINEX,
    "application/json": BodyKind.JSON,
    "application/ubx": BodyKind.UBX,
    "application/x-ubx": BodyKind.UBX,
}
"""What the media types of bodies mean; the first of each kind is the one in the reference."""

NEUTRAL_TYPES = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded", "text/plain", "*/*"}
)
"""Media types that programs send without thinking: the content decides."""

EXPECTED = "RTCM 3, RINEX observation text, a JSON epoch or UBX RXM-RAWX"

_OF_FILE = {
    FileKind.RTCM3: BodyKind.RTCM3,
    FileKind.RINEX_OBSERVATION: BodyKind.RINEX,
    FileKind.UBX: BodyKind.UBX,
}
_UNDECIDED = {FileKind.EMPTY, FileKind.UNKNOWN}
_GZIP = b"\x1f\x8b"
_HATANAKA = b"CRINEX VERS"


def kind_of_body(media_type: str, data: bytes) -> BodyKind:
    """Return the format of a body.

    Args:
        media_type: As in ``Content-Type``; parameters such as a character set do not matter. Empty for none.
        data: All of it, decompressed.

    Returns:
        The format. Bytes that look like nothing count as RTCM 3, whose decoder says what is wrong with them.

    Raises:
        GpsgridError: ``UNSUPPORTED_FORMAT``: the type or the content is something else.
    """
    named = media_type.partition(";")[0].strip().lower()
    if named in MEDIA_TYPES:
        kind = MEDIA_TYPES[named]
    elif named in NEUTRAL_TYPES:
        kind = _sniffed(data)
    else:
        message = (
            f"Content-Type {named[:60]!r}; expected {', '.join(MEDIA_TYPES)}, or application/octet-stream for "
            "whichever of them the content is"
        )
        raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message)
    if kind is BodyKind.RINEX and _HATANAKA in data[:80]:
        message = "the body is Hatanaka-compressed RINEX; undo that (crx2rnx) and send it, with gzip if it is large"
        raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message)
    return kind


def _sniffed(data: bytes) -> BodyKind:
    if data[:64].lstrip()[:1] in {b"{", b"["}:
        return BodyKind.JSON
    if data.startswith(_GZIP):
        message = "the body is gzip; say so with the header Content-Encoding: gzip, or undo it"
        raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message)
    found = kind_of(data)
    if found in _OF_FILE:
        return _OF_FILE[found]
    if found in _UNDECIDED:
        return BodyKind.RTCM3
    message = f"the body looks like this: {found}; expected raw observations: {EXPECTED}"
    raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message, found=str(found))
