"""Which of several representations a client wants, by its ``Accept`` header (RFC 9110, 12.5.1)."""

import re
from collections.abc import Sequence

_QUALITY = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", re.ASCII | re.IGNORECASE)
_MOST_RANGES = 50


def negotiated(accept: str, offered: Sequence[str]) -> str | None:
    """Return the media type to answer with.

    Args:
        accept: The header; empty when there is none, which accepts everything.
        offered: Media types in the order of our preference, in lower case.

    Returns:
        The offered type with the highest quality, of several the first; ``None`` when none is accepted. A part of the
        header that is no media range is passed over.
    """
    ranges = [_parsed(part) for part in accept.split(",")[:_MOST_RANGES]] if accept.strip() else [("*/*", 1.0)]
    best, best_quality = None, 0.0
    for media_type in offered:
        quality = _quality(media_type, [one for one in ranges if one is not None])
        if quality > best_quality:
            best, best_quality = media_type, quality
    return best


def _parsed(part: str) -> tuple[str, float] | None:
    name, *parameters = (word.strip() for word in part.split(";"))
    if name.count("/") != 1:
        return None
    quality = 1.0
    for parameter in parameters:
        if parameter.lower().startswith("q="):
            found = _QUALITY.fullmatch(parameter)
            if found is None:
                return None
            quality = float(found[1])
    return name.lower(), quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality that the most specific range gives a type; 0 when none covers it."""
    family = media_type.partition("/")[0]
    for wanted in (media_type, f"{family}/*", "*/*"):
        matching = [quality for name, quality in ranges if name == wanted]
        if matching:
            return max(matching)
    return 0.0
