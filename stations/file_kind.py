"""What kind of file some bytes are, by their content; formats that we do not read are named, too."""

from enum import StrEnum

from stations.wire.framing import FrameBuffer

LOOKED_AT = 1 << 20  # bytes that are enough to tell


class FileKind(StrEnum):
    """Kinds of files, in words for people."""

    EMPTY = "empty file"
    RTCM3 = "RTCM 3"
    RINEX_OBSERVATION = "RINEX observation"
    RINEX_NAVIGATION = "RINEX navigation"
    RINEX_CLOCK = "RINEX clock"
    RINEX_OTHER = "RINEX of another type"
    SP3 = "SP3 precise orbits"
    ANTEX = "ANTEX antenna calibrations"
    SINEX = "SINEX station coordinates"
    NMEA = "NMEA 0183 sentences"
    SOLUTIONS = "RTKLIB positions (.pos)"
    SOURCETABLE = "NTRIP sourcetable"
    UBX = "u-blox UBX"
    SBF = "Septentrio SBF"
    NOVATEL = "NovAtel binary"
    HTML = "web page"
    ARCHIVE = "archive"
    PACKED_TWICE = "compressed twice"
    UNKNOWN = "unknown"


_FOREIGN = {
    b"\xb5\x62": FileKind.UBX,
    b"$@": FileKind.SBF,
    b"\xaa\x44\x12": FileKind.NOVATEL,
    b"\xaa\x44\x13": FileKind.NOVATEL,
}
_ARCHIVES = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # 7z, RAR, xz, zstd
_PACKED = (b"\x1f\x8b\x08", b"\x1f\x9d", b"BZh")  # gzip, compress, bzip2; one of them has been undone already
_ZIP = b"PK\x03\x04"
_TAR = b"ustar"
_TAR_MARK = slice(257, 262)
_STARTS = {
    **{f"#{version}{kind}".encode(): FileKind.SP3 for version in "ABCD" for kind in "PV"},
    b"%=SNX": FileKind.SINEX,
    b"SOURCETABLE": FileKind.SOURCETABLE,
    b"STR;": FileKind.SOURCETABLE,
    b"<!DOCTYPE": FileKind.HTML,
    b"<html": FileKind.HTML,
}
_NMEA_TALKERS = (b"$GP", b"$GN", b"$GL", b"$GA", b"$GB", b"$BD", b"$GQ", b"$PU", b"$PM")
_RINEX_TYPES = {"O": FileKind.RINEX_OBSERVATION, "C": FileKind.RINEX_CLOCK}


def kind_of(data: bytes) -> FileKind:
    """Return the kind of a file.

    Args:
        data: Its first MiB (:data:`LOOKED_AT`) or all of it, without compression.
    """
    if not data.strip(b"\x00\r\n\t "):
        return FileKind.EMPTY if not data else FileKind.UNKNOWN
    if data[_TAR_MARK] == _TAR or data.startswith(_ARCHIVES):
        return FileKind.ARCHIVE
    text = _kind_of_text(data)
    if text is not None:
        return text
    frames = FrameBuffer()
    frames.push(data[:LOOKED_AT])
    # Random bytes hold a right checksum of 24 bits now and then; text with one is a stream with a text before it.
    if frames.frames > 1 or (frames.frames == 1 and frames.junk_bytes <= len(data) // 2):
        return FileKind.RTCM3
    return _kind_of_foreign(data)


def _kind_of_foreign(data: bytes) -> FileKind:
    if data.startswith(_PACKED):
        return FileKind.PACKED_TWICE
    if data.startswith(_ZIP):
        return FileKind.ARCHIVE
    for mark, kind in _FOREIGN.items():
        if data.startswith(mark) or data[:LOOKED_AT].count(mark) > len(data[:LOOKED_AT]) // 2000 + 2:
            return kind
    return FileKind.UNKNOWN


def _kind_of_text(data: bytes) -> FileKind | None:
    head = data[:4096].decode("latin-1")
    first = head.split("\n", 1)[0].rstrip("\r")
    label = first[60:80].strip()
    if label == "RINEX VERSION / TYPE" or "CRINEX VERS" in label:
        return FileKind.RINEX_OBSERVATION if "CRINEX" in label else _rinex(first[20:21].upper())
    if label.startswith("ANTEX VERSION"):
        return FileKind.ANTEX
    for start, kind in _STARTS.items():
        if data[:20].lstrip().upper().startswith(start.upper()):
            return kind
    if data.startswith(_NMEA_TALKERS) or (data[:400].count(b"$G") > 3 and b"*" in data[:400]):
        return FileKind.NMEA
    if first.startswith("%") and ("GPST" in head or "UTC" in head or "latitude" in head or "x-ecef" in head):
        return FileKind.SOLUTIONS
    return None


def _rinex(letter: str) -> FileKind:
    kinds = _RINEX_TYPES | dict.fromkeys("NGHEL", FileKind.RINEX_NAVIGATION)
    return kinds.get(letter, FileKind.RINEX_OTHER)
