"""One table of a configuration: takes typed values out and collects what is wrong, to be told all at once.

A wrong or missing value is replaced by a harmless one, so that checking can go on; the caller must not
use the result when ``errors`` has grown.
"""

import difflib
import math
from collections.abc import Mapping

_TOML_NAMES = {
    str: "text",
    bool: "true/false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


class ConfigTable:
    """A TOML table under inspection.

    Attributes:
        name: What to call the table in messages, beside its kind; may be set once it is known.
    """

    def __init__(self, values: Mapping[str, object], kind: str, errors: list[str], name: str = "") -> None:
        """Inspect ``values``, a table of the given kind (``station``), and append mistakes to ``errors``."""
        self.name = name
        self._values = values
        self._kind = kind
        self._errors = errors
        self._asked: set[str] = set()

    def error(self, key: str, what: str) -> None:
        """Report a mistake; ``what`` continues the name of the key, as in ``is missing``."""
        where = " ".join(part for part in (self._kind and f"[{self._kind}]", self.name) if part)
        self._errors.append(f"{where}: {key} {what}" if where else f"{key} {what}")

    def peek(self, key: str) -> object:
        """Return the raw value, or None."""
        return self._values.get(key)

    def skip(self, key: str) -> None:
        """Count a key as known; somebody else checks it."""
        self._asked.add(key)

    def _take(self, key: str, *, required: bool, expected: str) -> object:
        self._asked.add(key)
        if key not in self._values and required:
            self.error(key, f"is missing; expected {expected}")
        return self._values.get(key)

    def _wrong(self, key: str, value: object, expected: str, *, secret: bool = False) -> None:
        shown = "" if secret else f" {value!r}"
        self.error(key, f"is{shown} ({_TOML_NAMES.get(type(value), type(value).__name__)}); expected {expected}")

    def text(self, key: str, default: str = "", *, required: bool = False, secret: bool = False) -> str:
        """Return a text; a required one must not be empty. A secret one is never shown."""
        value = self._take(key, required=required, expected="text in quotes")
        if value is None:
            return default
        if not isinstance(value, str):
            self._wrong(key, value, "text in quotes", secret=secret)
            return default
        if required and not value.strip():
            self.error(key, "is empty; expected text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; one text stands for a list of one."""
        value = self._take(key, required=False, expected="")
        listed = [value] if isinstance(value, str) else value
        if listed is None:
            return ()
        if not isinstance(listed, list) or not all(isinstance(item, str) and item for item in listed):
            self._wrong(key, value, "text in quotes or a list of texts")
            return ()
        return tuple(listed)

    def number(self, key: str, *, required: bool = False, low: float, high: float, unit: str) -> float:
        """Return a number within limits, 0 when it is not there."""
        expected = f"a number from {low:g} to {high:g} ({unit})"
        value = self._take(key, required=required, expected=expected)
        if value is None:
            return 0.0
        number = _as_number(value)
        if number is None or not low <= number <= high:
            self._wrong(key, value, expected)
            return 0.0
        return number

    def numbers(self, key: str, count: int, *, unit: str) -> list[float] | None:
        """Return a required list of so many numbers, or None after reporting what is wrong."""
        expected = f"a list of {count} numbers ({unit})"
        value = self._take(key, required=True, expected=expected)
        if value is None:
            return None
        numbers = [_as_number(item) for item in value] if isinstance(value, list) else []
        good = [number for number in numbers if number is not None]
        if len(good) != count or len(numbers) != count:
            self._wrong(key, value, expected)
            return None
        return good

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Return a whole number within limits."""
        value = self._take(key, required=False, expected="")
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._wrong(key, value, f"a whole number from {low} to {high}")
            return default
        return value

    def table(self, key: str, *, required: bool = False) -> "ConfigTable":
        """Return a table in this one; an empty one when it is not there."""
        value = self._take(key, required=required, expected=f"a table [{key}]")
        if value is None:
            # The missing table was reported; its missing keys would only be noise.
            return ConfigTable({}, key, self._errors if not required else [])
        if not isinstance(value, dict):
            self._wrong(key, value, f"a table [{key}]")
            return ConfigTable({}, key, [])
        return ConfigTable(value, key, self._errors)

    def tables(self, key: str, *, required: bool = False) -> list["ConfigTable"]:
        """Return an array of tables, ``[[key]]`` in the file."""
        value = self._take(key, required=required, expected=f"at least one [[{key}]]")
        if value is None:
            return []
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            self.error(key, f"is not written as a table [[{key}]]; expected two brackets and at least one")
            return []
        return [ConfigTable(item, key, self._errors, f"number {place}") for place, item in enumerate(value, start=1)]

    def finish(self) -> None:
        """Report the keys nobody asked for, with the one that was probably meant."""
        for key in self._values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, sorted(self._asked), n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(self._asked))}"
                self.error(repr(key), f"is not known; {hint}")


def _as_number(value: object) -> float | None:
    """Return a finite number, or None for anything else; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
