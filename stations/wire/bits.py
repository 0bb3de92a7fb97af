"""Reading and writing fields of any number of bits, most significant bit first: the slow and obvious way.

Used for messages that come every few seconds and by the slow twins; the observation kernels have their
own. Rule: reading past the end raises :class:`NeedMoreBits`, which never leaves ``stations.wire``.
Whoever reads a complete frame turns it into a malformed message, whoever reads a stream waits.
"""


class NeedMoreBits(Exception):  # noqa: N818 - an answer of the reader, not a fault
    """A field reaches beyond the last bit.

    Attributes:
        position: Bit at which the field starts.
        wanted: Width of the field.
        available: Bits in the data.
    """

    def __init__(self, position: int, wanted: int, available: int) -> None:
        """Keep where it happened."""
        super().__init__(f"{wanted} bits wanted at bit {position}, the data end after {available} bits")
        self.position = position
        self.wanted = wanted
        self.available = available


class BitReader:
    """Reads fields one after another.

    Attributes:
        position: Bit at which the next field starts.
        available: Bits in the data.
    """

    def __init__(self, data: bytes) -> None:
        """Start at the first bit of ``data``."""
        self.position = 0
        self.available = 8 * len(data)
        self._value = int.from_bytes(data)

    def unsigned(self, width: int) -> int:
        """Return the next field as an unsigned integer.

        Raises:
            NeedMoreBits: The field reaches beyond the end; the position stays.
        """
        end = self.position + width
        if end > self.available:
            raise NeedMoreBits(self.position, width, self.available)
        self.position = end
        return (self._value >> (self.available - end)) & ((1 << width) - 1)

    def signed(self, width: int) -> int:
        """Return the next field as a two's complement integer (RTCM ``int``); raises as :meth:`unsigned`."""
        raw = self.unsigned(width)
        return raw - (1 << width) if raw >> (width - 1) else raw

    def sign_magnitude(self, width: int) -> int:
        """Return the next field as sign and magnitude (RTCM ``intS``, GLONASS); raises as :meth:`unsigned`."""
        raw = self.unsigned(width)
        magnitude = raw & ((1 << (width - 1)) - 1)
        return -magnitude if raw >> (width - 1) else magnitude

    def flag(self) -> bool:
        """Return the next bit; raises as :meth:`unsigned`."""
        return bool(self.unsigned(1))

    def text(self) -> str:
        """Return an 8-bit count and so many ISO 8859-1 characters (RTCM ``char8(n)``); raises as :meth:`unsigned`."""
        start = self.position
        count = self.unsigned(8)
        try:
            return self.unsigned(8 * count).to_bytes(count).decode("iso-8859-1")
        except NeedMoreBits:
            self.position = start
            raise


class BitWriter:
    """Writes fields one after another; a value that does not fit is misuse and raises ``ValueError``."""

    def __init__(self) -> None:
        """Start with no bits."""
        self._value = 0
        self._width = 0

    def unsigned(self, value: int, width: int) -> None:
        """Append an unsigned integer.

        Raises:
            ValueError: The value is negative or needs more than ``width`` bits.
        """
        if not 0 <= value < 1 << width:
            message = f"{value} does not fit into {width} unsigned bits"
            raise ValueError(message)
        self._value = (self._value << width) | value
        self._width += width

    def signed(self, value: int, width: int) -> None:
        """Append a two's complement integer; raises as :meth:`unsigned`."""
        half = 1 << (width - 1)
        if not -half <= value < half:
            message = f"{value} does not fit into {width} signed bits"
            raise ValueError(message)
        self.unsigned(value % (1 << width), width)

    def sign_magnitude(self, value: int, width: int) -> None:
        """Append sign and magnitude; raises as :meth:`unsigned`."""
        half = 1 << (width - 1)
        if abs(value) >= half:
            message = f"{value} does not fit into a sign and {width - 1} bits"
            raise ValueError(message)
        self.unsigned(abs(value) + (half if value < 0 else 0), width)

    def flag(self, value: bool) -> None:  # noqa: FBT001 - the flag is the value to write
        """Append one bit."""
        self.unsigned(int(value), 1)

    def text(self, value: str, limit: int) -> None:
        """Append an 8-bit count and the characters in ISO 8859-1.

        Raises:
            ValueError: More than ``limit`` characters, or one that ISO 8859-1 does not have.
        """
        try:
            encoded = value.encode("iso-8859-1")
        except UnicodeEncodeError as error:
            message = f"{value!r}: RTCM texts are ISO 8859-1 only"
            raise ValueError(message) from error
        if len(encoded) > limit:
            message = f"{value!r} has {len(encoded)} characters, at most {limit} fit"
            raise ValueError(message)
        self.unsigned(len(encoded), 8)
        self.unsigned(int.from_bytes(encoded), 8 * len(encoded))

    def to_bytes(self) -> bytes:
        """Return what was written, filled up with zero bits to a whole byte."""
        padding = -self._width % 8
        return (self._value << padding).to_bytes((self._width + padding) // 8)
