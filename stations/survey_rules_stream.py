"""Rules about the stream of a survey: bytes, messages, dates, delays."""

from collections.abc import Iterator

from stations.plural import counted
from stations.survey_finding import Finding, Severity
from stations.survey_report import SurveyReport

_PROBLEM, _WARNING, _NOTE = Severity.PROBLEM, Severity.WARNING, Severity.NOTE

_FEW_ERRORS, _MANY_ERRORS = 0.001, 0.1  # shares of frames
_MUCH_JUNK = 0.05  # share of bytes
_SLOW_S, _AHEAD_S = 3.0, -1.0
_FEW_UNKNOWN = 0.1  # share of GLONASS phases
_MSM4 = tuple(base + 4 for base in range(1070, 1140, 10))
_COMPACT = tuple(base + level for base in range(1070, 1140, 10) for level in (1, 2, 3))
_LEGACY = (1001, 1002, 1003, 1004, 1009, 1010, 1011, 1012)
_NETWORK = (1014, 1015, 1016, 1017, 1030, 1031, 1034, 1035)


def transport_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge checksums, junk, refusals and delay."""
    stream = report.stream
    if stream is None:
        return
    tried = stream.frames + stream.bad_crc
    if stream.bad_crc and tried:
        share = stream.bad_crc / tried
        severity = _PROBLEM if share > _MANY_ERRORS else _WARNING if share > _FEW_ERRORS else _NOTE
        yield Finding(
            severity,
            f"{counted(stream.bad_crc, 'wrong checksum')} in {counted(tried, 'frame')} ({share:.1%})",
            "Bytes are lost or changed on the way; every such frame is an epoch or a message that is missing.",
            "Check cable, baud rate (too low for the messages that are on) and radio or mobile link.",
        )
    if stream.junk_bytes:
        share = stream.junk_bytes / max(stream.size_bytes, 1)
        much = share > _MUCH_JUNK
        yield Finding(
            _WARNING if much else _NOTE,
            f"{counted(stream.junk_bytes, 'byte belongs', 'bytes belong')} to no RTCM 3 frame ({share:.1%})",
            "Something else is mixed in, or frames are cut."
            if much
            else "A cut frame at the beginning or end is usual.",
            "Switch other formats off at this port (NMEA, UBX, SBF)." if much else "Nothing.",
        )
    for reason, count in stream.refused.items():
        if reason == "bad_crc":
            continue
        example = next(iter(stream.refusals), "")
        yield Finding(
            _WARNING,
            f"{counted(count, 'message')} refused: {reason.replace('_', ' ')} ({example})",
            "These messages contradict the standard or each other and are not used.",
            "Update the firmware of the receiver, or ask its maker.",
        )
    if stream.delay_s is not None and not _AHEAD_S < stream.delay_s < _SLOW_S:
        late = stream.delay_s >= _SLOW_S
        yield Finding(
            _WARNING,
            f"observations arrive {abs(stream.delay_s):.1f} s {'after' if late else 'before'} their time tag",
            "The network waits for late stations only briefly." if late else "The clock of this computer is wrong.",
            "Use a faster link, or fewer hops." if late else "Set the clock with NTP; then listen again.",
        )


def date_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge whether the week is known."""
    stream = report.stream
    if stream is not None and not stream.date_certain:
        how = (
            "no message names the week"
            if not stream.date_source
            else f"the week comes from message {stream.date_source}, which counts modulo 1024 weeks"
        )
        yield Finding(
            _NOTE,
            how,
            "Day of the week and time are right; the date shown may not be.",
            "For files: say the date with --date. For live streams this does not matter.",
        )


def messages_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge the choice of messages."""
    numbers = {message.number for message in report.messages}
    stream = report.stream
    if stream is not None and stream.unknown_ranges:
        yield Finding(
            _WARNING,
            f"{counted(stream.unknown_ranges, 'observation lacks its', 'observations lack their')} whole milliseconds",
            "Compact messages (MSM1 to MSM3) need full ones beside them.",
            "Send MSM7, or MSM5 or MSM4.",
        )
    if stream is not None and stream.unknown_channels:
        known = sum(signal.phases for signal in report.signals if signal.system == "R")
        few = stream.unknown_channels < _FEW_UNKNOWN * known
        yield Finding(
            _NOTE if few else _WARNING,
            f"{counted(stream.unknown_channels, 'GLONASS phase')} cannot be used: nobody tells the frequency channels",
            "MSM4 and MSM6 do not say on which frequency a GLONASS satellite sends; until 1020 comes nobody knows."
            if few
            else "MSM4 and MSM6 do not say on which frequency a GLONASS satellite sends.",
            "Send 1087 or 1085, or switch on the GLONASS ephemerides (1020).",
        )
    if numbers & set(_MSM4):
        sent = ", ".join(str(number) for number in sorted(numbers & set(_MSM4)))
        yield Finding(
            _NOTE,
            f"MSM4 and not MSM5 or MSM7: {sent}",
            "Code is coarse (18 mm), lock times are coarse, and there is no Doppler shift.",
            "Send MSM7 if the link has room: about twice as many bytes.",
        )
    if numbers & set(_COMPACT):
        yield Finding(
            _NOTE,
            "compact observation messages (MSM1 to MSM3) are among them",
            "They cannot be understood without the ranges of full messages.",
            "Send MSM7 alone.",
        )
    if numbers & set(_LEGACY):
        sent = ", ".join(str(number) for number in sorted(numbers & set(_LEGACY)))
        yield Finding(
            _NOTE,
            f"observations in messages from before MSM: {sent}",
            "These carry GPS and GLONASS only, two frequencies at most, and no word about half cycles.",
            "Send MSM7 of every system.",
        )
    if numbers & set(_NETWORK):
        yield Finding(
            _NOTE,
            "corrections of a network are in the stream",
            "It comes from a network service; its observations may be computed ones.",
            "For a network of your own use the raw streams of the stations.",
        )
    for problem in report.problems[:10]:
        yield Finding(_NOTE, problem, "The file is not quite as it should be.", "Nothing, unless data are missed.")
