"""Files that are recognised and not read: what to do about each kind, for ``doctor`` and ``convert`` alike."""

from stations.file_kind import FileKind

FOREIGN = {
    FileKind.UBX: "configure the receiver to send RTCM 3 (UBX-RXM-RAWX is read as the question of a rover only)",
    FileKind.SBF: "configure the receiver to send RTCM 3, or convert the file to RINEX with the maker's program",
    FileKind.NOVATEL: "configure the receiver to send RTCM 3, or convert the file to RINEX with the maker's program",
    FileKind.HTML: "a server answered with a web page; check the address it was fetched from",
    FileKind.EMPTY: "nothing was recorded; check the source and the disk",
    FileKind.ARCHIVE: "unpack it first and name the files in it; only gzip, bzip2, .Z and zip of one file are undone",
    FileKind.PACKED_TWICE: "undo one compression (for instance gunzip) and name what comes out; only one is undone",
    FileKind.RINEX_OTHER: "observation, navigation and clock files are read",
    FileKind.UNKNOWN: (
        "expected RTCM 3, RINEX, SP3, ANTEX, SINEX, NMEA or .pos; look at its first lines, and fetch or record it again"
    ),
}
