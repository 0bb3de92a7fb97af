"""The 20-character IGS antenna type: name in columns 1-16, radome in columns 17-20 (rcvr_ant.tab)."""

_NAME_WIDTH = 16
_RADOME_WIDTH = 4
WIDTH = _NAME_WIDTH + _RADOME_WIDTH


def antenna_type(text: str) -> str:
    """Return an antenna type with name and radome in their columns, however many blanks came between.

    Args:
        text: Type as in a header or a configuration, for instance ``TRM29659.00 UNAV``.

    Returns:
        20 characters; empty when ``text`` is blank. A missing radome stays blank: it is not ``NONE``.
    """
    words = text.split()
    if not words:
        return ""
    name, radome = words[0], " ".join(words[1:])
    if len(words) == 1 and len(name) == WIDTH:
        name, radome = name[:_NAME_WIDTH], name[_NAME_WIDTH:]
    return f"{name:<{_NAME_WIDTH}}{radome:<{_RADOME_WIDTH}}"
