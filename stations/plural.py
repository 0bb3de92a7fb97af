"""Counts in sentences for people: ``1 epoch``, ``2 epochs``."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, and its verb where that changes, too.

    Args:
        count: How many.
        one: What follows a one: ``epoch``, ``byte belongs``.
        many: What follows any other number; by default ``one`` with an s.
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"
