"""Why an NTRIP caster gives no stream, and what the operator can do about it: the words, not the protocol."""

import difflib
from collections.abc import Mapping

from stations.errors import GpsgridError, Reason
from stations.sourcetable import Sourcetable

_SHOWN_CHARACTERS = 120

# Statuses after which the other protocol version is worth a try.
_OTHER_VERSION = frozenset({400, 405, 501, 505})
_ADVICE = {
    400: "it does not understand the request",
    401: "user name and password are missing or wrong; write them as ntrip://user:password@host:port/MOUNT",
    402: "the account has to be paid for; ask the operator of the caster",
    403: "this user may not use the mountpoint, or is locked out; ask the operator of the caster",
    404: "it has no mountpoint of that name; look for the right one in its sourcetable",
    405: "it does not understand the request; is this an NTRIP caster?",
    409: "the mountpoint or the account is in use by another connection; end that one or use another account",
    429: "there were too many connections from here; wait, and make them fewer",
    500: "it has an internal fault; try again later or tell its operator",
    501: "it does not speak this version of NTRIP; choose with ?version=1 or ?version=2",
    503: "the station behind the mountpoint is not connected or the caster is full; try again later",
    505: "it does not speak this version of NTRIP; choose with ?version=1 or ?version=2",
}


def refusal(mountpoint: str, status: int, said: str, headers: Mapping[str, str]) -> GpsgridError:
    """Return the error for a status that is not 200.

    Args:
        mountpoint: What was asked for; empty for the sourcetable.
        status: The code, 0 for a refusal without one.
        said: The words beside it.
        headers: Of the answer, by name in lower case.

    Returns:
        Its fact ``other_version`` says whether the other version of the protocol may be understood.
    """
    advice = _ADVICE.get(status, "this was not expected; ask the operator of the caster")
    if 300 <= status < 400:
        place = shown(headers.get("location", "an unknown place").encode("latin-1"))
        advice = f"the caster has moved to {place}; correct the URL"
    elif status == 401 and headers.get("www-authenticate", "").lower().startswith("digest"):
        advice = "it wants digest authentication, which we do not speak; ask its operator for basic authentication"
    words = " ".join(part for part in (str(status) if status else "", said) if part)
    message = f"the caster refuses {_asked(mountpoint)} ({words}): {advice}"
    return GpsgridError(Reason.STREAM_REFUSED, message, status=status, other_version=status in _OTHER_VERSION)


def not_offered(mountpoint: str, table: Sourcetable) -> GpsgridError:
    """Return the error for a sourcetable that came instead of the stream."""
    names = [stream.mountpoint for stream in table.streams]
    if mountpoint in names:
        advice = "it lists the mountpoint but sends no data; its station is not connected, try again later"
        message = f"the caster answers {_asked(mountpoint)} with its sourcetable: {advice}"
        return GpsgridError(Reason.STREAM_REFUSED, message, status=503)
    near = _near(mountpoint, names)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it offers {_some(names)}"
    message = f"the caster has no mountpoint {mountpoint!r} (it sent its sourcetable); {hint}"
    return GpsgridError(Reason.STREAM_REFUSED, message, status=404, near=near)


def no_caster(answer: bytes) -> GpsgridError:
    """Return the error for an answer that does not start as one of a caster does."""
    if answer.startswith(b"\xd3"):
        advice = 'this port sends RTCM to everybody; use stream = "tcp://host:port"'
    elif answer[:1] in {b"\x15", b"\x16"}:
        advice = "this port speaks TLS; use ntrips://"
    else:
        advice = "is this the port of an NTRIP caster?"
    first_line = shown(answer.partition(b"\n")[0])
    message = f"the answer starts with {first_line!r}, expected ICY, HTTP or SOURCETABLE; {advice}"
    return GpsgridError(Reason.MALFORMED, message)


def shown(data: bytes) -> str:
    """Return what came as harmless text of bounded length."""
    text = data[:_SHOWN_CHARACTERS].strip().decode("latin-1")
    return "".join(character if character.isprintable() else "." for character in text)


def _asked(mountpoint: str) -> str:
    return f"mountpoint {mountpoint!r}" if mountpoint else "its sourcetable"


def _near(wanted: str, names: list[str]) -> list[str]:
    """Return the names that were probably meant: DELF for DELF00NLD0, and what is spelled nearly so."""
    folded = {name.casefold(): name for name in names}
    wanted = wanted.casefold()[:100]
    starts = [name for key, name in folded.items() if key and (key.startswith(wanted) or wanted.startswith(key))]
    return (starts or [folded[name] for name in difflib.get_close_matches(wanted, folded, n=3)])[:3]


def _some(names: list[str]) -> str:
    if not names:
        return "none at present"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
