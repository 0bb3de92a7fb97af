"""What a survey means for network RTK: a table of rules, each with what was found, why it matters and what to do.

A rule looks at one thing and says at most one sentence about it. *problem* is what makes the stream unusable, *warning*
what costs satellites, integers or heights, *note* what is worth knowing. The thresholds are those of practice and stand
beside the rule that uses them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stations.survey_report import SurveyReport


class Severity(StrEnum):
    """How bad a finding is."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: How bad it is.
        found: What was seen.
        meaning: Why it matters.
        action: What to do at the receiver or caster.
    """

    severity: Severity
    found: str
    meaning: str
    action: str


_PROBLEM, _WARNING, _NOTE = Severity.PROBLEM, Severity.WARNING, Severity.NOTE
_Rule = Callable[[SurveyReport], Iterator[Finding]]

_LEAST_DUAL, _FEW_DUAL = 5.0, 8.0  # four unknowns and one satellite to check them; a comfortable night has twice that
_USUAL_INTERVAL_S, _LONGEST_INTERVAL_S = 1.0, 30.0
_FEW_GAPS, _MANY_GAPS = 0.02, 0.3  # shares of epochs
_FEW_ERRORS, _MANY_ERRORS = 0.001, 0.1  # shares of frames
_MUCH_JUNK = 0.05  # share of bytes
_WEAK_DBHZ = 30.0  # mean of a signal at a good site is 40 and more
_MANY_HALF_CYCLES = 0.2  # share of phases
_MANY_SLIPS = 0.01  # per phase
_OLD_S = 4 * 3600.0  # models.ephemeris uses no older GPS ephemeris
_SLOW_S, _AHEAD_S = 3.0, -1.0
_FEW_UNKNOWN = 0.1  # share of GLONASS phases
_RARE_POSITION_S = 60.0
_ENOUGH_EPOCHS = 10
_NAMES = {"G": "GPS", "R": "GLONASS", "E": "Galileo", "S": "SBAS", "J": "QZSS", "C": "BeiDou", "I": "NavIC"}
_EPHEMERIS_MESSAGES = {"G": "1019", "R": "1020", "E": "1045 and 1046", "J": "1044", "C": "1042", "I": "1041"}
_MSM4 = tuple(base + 4 for base in range(1070, 1140, 10))
_COMPACT = tuple(base + level for base in range(1070, 1140, 10) for level in (1, 2, 3))
_LEGACY = (1001, 1002, 1003, 1004, 1009, 1010, 1011, 1012)
_NETWORK = (1014, 1015, 1016, 1017, 1030, 1031, 1034, 1035)


def findings_of(report: SurveyReport) -> tuple[Finding, ...]:
    """Return the findings, the worst first."""
    found = [finding for rule in _RULES for finding in rule(report)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _transport(report: SurveyReport) -> Iterator[Finding]:
    stream = report.stream
    if stream is None:
        return
    tried = stream.frames + stream.bad_crc
    if stream.bad_crc and tried:
        share = stream.bad_crc / tried
        severity = _PROBLEM if share > _MANY_ERRORS else _WARNING if share > _FEW_ERRORS else _NOTE
        yield Finding(
            severity,
            f"{stream.bad_crc} of {tried} frames have a wrong checksum ({share:.1%})",
            "Bytes are lost or changed on the way; every such frame is an epoch or a message that is missing.",
            "Check cable, baud rate (too low for the messages that are on) and radio or mobile link.",
        )
    if stream.junk_bytes:
        share = stream.junk_bytes / max(stream.size_bytes, 1)
        much = share > _MUCH_JUNK
        yield Finding(
            _WARNING if much else _NOTE,
            f"{stream.junk_bytes} bytes belong to no RTCM 3 frame ({share:.1%})",
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
            f"{count} messages refused: {reason.replace('_', ' ')} ({example})",
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


def _date(report: SurveyReport) -> Iterator[Finding]:
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


def _observed(report: SurveyReport) -> Iterator[Finding]:
    if report.epochs is None:
        yield Finding(
            _PROBLEM,
            "there are no observations",
            "Without code and phase there is nothing to compute with.",
            "Switch on MSM7 of every system (1077, 1087, 1097, 1127), once a second.",
        )
        return
    if not any(signal.phases for signal in report.signals):
        yield Finding(
            _PROBLEM,
            "there is no carrier phase",
            "Centimetres come from the phase alone.",
            "Send MSM4, MSM5 or MSM7; differential or code-only messages are not enough.",
        )
    dual = sum(system.mean_dual * system.epochs for system in report.systems) / report.epochs.count
    if dual < _LEAST_DUAL:
        one = not any(system.mean_dual for system in report.systems)
        yield Finding(
            _PROBLEM,
            "every satellite has only one frequency"
            if one
            else f"only {dual:.1f} satellites an epoch have two frequencies",
            "A network needs two frequencies of each satellite to tell the ionosphere from everything else.",
            "Use a dual-frequency receiver and antenna and switch on both frequencies."
            if one
            else "Give the antenna a free sky, switch on more systems, and the second frequency of each.",
        )
    elif dual < _FEW_DUAL:
        yield Finding(
            _WARNING,
            f"only {dual:.1f} satellites an epoch have two frequencies",
            "With so few, integers are found slowly and checked badly.",
            "Switch on more systems, and look for obstructions around the antenna.",
        )
    # Without channels there is no phase of GLONASS at all, which another rule says.
    aside = {"S", "R"} if report.stream is not None and report.stream.unknown_channels else {"S"}
    single = [_NAMES[one.system] for one in report.systems if not one.mean_dual and one.system not in aside]
    if single and dual >= _LEAST_DUAL:
        yield Finding(
            _WARNING,
            f"no second frequency: {', '.join(single)}",
            "Satellites with one frequency are of no use to the network.",
            "Switch on the second frequency of these systems in the receiver's RTCM output.",
        )
    if not any(one.system == "G" and one.mean_dual for one in report.systems) and dual >= _LEAST_DUAL:
        yield Finding(
            _WARNING,
            "no GPS satellite has two frequencies",
            "Most networks and rovers compute with GPS L1 and L2 first.",
            "Switch on 1077 (or 1074) with L1 and L2.",
        )


def _rhythm(report: SurveyReport) -> Iterator[Finding]:
    epochs = report.epochs
    if epochs is None:
        return
    interval_s = epochs.interval_s
    live = report.stream is not None
    if interval_s is None:
        yield Finding(_WARNING, "there is only one epoch", "Rates and slips cannot be told.", "Look at a longer piece.")
    elif interval_s > _USUAL_INTERVAL_S:
        yield Finding(
            _WARNING if live or interval_s > _LONGEST_INTERVAL_S else _NOTE,
            f"an epoch comes every {interval_s:g} s",
            "Rovers expect corrections every second; slips are harder to see at longer intervals.",
            "Set the observation messages to 1 Hz." if live else "Enough for replay; stream at 1 Hz.",
        )
    elif interval_s < _USUAL_INTERVAL_S:
        yield Finding(
            _NOTE,
            f"epochs come at {1.0 / interval_s:g} Hz",
            "A network uses one epoch a second; the others cost bandwidth.",
            "Set the observation messages to 1 Hz if bandwidth matters.",
        )
    if epochs.missing:
        share = epochs.missing / (epochs.count + epochs.missing)
        yield Finding(
            _PROBLEM if share > _MANY_GAPS else _WARNING if share > _FEW_GAPS else _NOTE,
            f"{epochs.missing} epochs are missing in {epochs.gaps} gaps, the longest {epochs.longest_gap_s:g} s",
            "Every gap may hide slips, and the network goes on without the station.",
            "Check the link, the load of the receiver, and its power supply.",
        )
    if epochs.late or epochs.repeated:
        yield Finding(
            _WARNING,
            f"{epochs.late} epochs came after later ones, {epochs.repeated} observations came twice",
            "Two sources are mixed, or a recording was put together badly.",
            "Make sure that only one receiver sends on this mountpoint or topic.",
        )
    for system in report.systems:
        if system.ahead_s:
            yield Finding(
                _WARNING,
                f"time tags of {_NAMES[system.system]} are {system.ahead_s:+g} s away from those of GPS",
                "The receiver sends BeiDou in GPS time; its satellites never meet the others in one epoch.",
                "Update the firmware of the receiver, or switch BeiDou off.",
            )


def _tracking(report: SurveyReport) -> Iterator[Finding]:
    phases = sum(signal.phases for signal in report.signals)
    if report.epochs is None or not phases:
        return
    if report.epochs.count >= _ENOUGH_EPOCHS and not any(signal.longest_lock_ms for signal in report.signals):
        yield Finding(
            _WARNING,
            "lock times are always zero",
            "Nobody can tell where a phase slipped; every epoch is a new start.",
            "Update the firmware, or choose another kind of observation message (MSM7).",
        )
    else:
        slips = sum(signal.slips for signal in report.signals)
        if slips / phases > _MANY_SLIPS:
            yield Finding(
                _WARNING,
                f"{slips} losses of lock in {phases} phases ({slips / phases:.1%})",
                "After each of them the integer has to be found again.",
                "Look for interference, obstructions, a bad antenna cable, and a receiver that is overloaded.",
            )
    half = sum(signal.half_cycles for signal in report.signals)
    if half / phases > _MANY_HALF_CYCLES:
        yield Finding(
            _WARNING,
            f"{half / phases:.0%} of the phases may be off by half a cycle",
            "Such phases have no integers yet; they are used only once the receiver has resolved them.",
            "Usual for some seconds after the start. If it stays, update the firmware.",
        )
    weak = [
        f"{_NAMES[one.system]} {one.code}"
        for one in report.signals
        if one.cn0_dbhz and one.cn0_dbhz[1] < _WEAK_DBHZ and one.code[1] not in "WPYDMN"
    ]
    if weak:
        yield Finding(
            _WARNING,
            f"weak signals, below {_WEAK_DBHZ:g} dB-Hz on average: {', '.join(weak)}",
            "Noise grows and lock is lost often.",
            "Check antenna, cable, connectors and amplifier; look for interference on that frequency.",
        )
    if not any(one.cn0_dbhz for one in report.signals):
        yield Finding(
            _NOTE,
            "signal strengths (C/N0) are not sent",
            "Weak signals cannot be given less weight.",
            "Send MSM4 or higher (before MSM: 1004 and 1012).",
        )


def _place(report: SurveyReport) -> Iterator[Finding]:
    station = report.station
    if report.epochs is None:
        return
    header = report.stream is None
    if station.position_m is None or not any(station.position_m):
        yield Finding(
            _WARNING,
            "no reference position" if station.position_m is None else "the reference position is zero",
            "Ordinary rovers need it; gpsgrid takes coordinates from network.toml and only compares.",
            "Give the header an approximate position."
            if header
            else "Enter the surveyed coordinates in the receiver and switch on 1006, every 10 s.",
        )
    elif station.antenna_height_m is None:
        yield Finding(
            _NOTE,
            "the antenna height is not sent (1005 and no 1006)",
            "The position is that of the antenna; where the marker is below it nobody knows.",
            "Send 1006 instead of 1005.",
        )
    if station.positions > 1:
        yield Finding(
            _WARNING,
            f"the reference position changes: {station.positions} different ones, up to {station.spread_m:.2f} m apart",
            "The station moves, or several stations are mixed; a network wants one that stands still.",
            "Fix the coordinates in the receiver (no averaging, no rover mode), one station a mountpoint.",
        )
    if station.virtual:
        yield Finding(
            _WARNING,
            "the station says that it is a computed one",
            "Its observations are another network's product: their errors are not those of a place.",
            "Use the stream of a physical station.",
        )
    for message in report.messages:
        if message.number in {1005, 1006} and (message.interval_s or 0.0) > _RARE_POSITION_S:
            yield Finding(
                _NOTE,
                f"message {message.number} comes every {message.interval_s:.0f} s",
                "A rover that joins waits that long for its first position.",
                "Send it every 10 s.",
            )


def _equipment(report: SurveyReport) -> Iterator[Finding]:
    station = report.station
    if report.epochs is None:
        return
    name = station.antenna.upper().split()[0] if station.antenna.split() else ""
    if not name or "NULL" in name or "UNKNOWN" in name:
        called = f"the antenna is called {station.antenna!r}" if name else "the antenna is unknown"
        yield Finding(
            _WARNING,
            called,
            "Phase centres of antennas differ by up to 10 cm in height; without the type nothing can be corrected.",
            "Enter the IGS name with radome (for instance 'TRM57971.00     NONE') and switch on 1033 or 1008; "
            "or write it into network.toml.",
        )
    if not station.receiver:
        yield Finding(
            _NOTE,
            "the receiver is unknown",
            "Some receivers need corrections of their own, GLONASS above all.",
            "Switch on 1033.",
        )
    if any(one.system == "R" for one in report.systems) and not station.glonass_bias_m:
        yield Finding(
            _WARNING if report.stream is not None else _NOTE,
            "GLONASS without code-phase biases (1230)",
            "Between receivers of different makers GLONASS integers cannot be fixed.",
            "Switch on 1230, every 10 s."
            if report.stream is not None
            else "Nothing, if the receiver does not tell them.",
        )


def _navigation(report: SurveyReport) -> Iterator[Finding]:
    if report.epochs is None:
        return
    have = {one.system: one for one in report.ephemerides}
    systems = [one.system for one in report.systems if one.system in _EPHEMERIS_MESSAGES]
    missing = [system for system in systems if system not in have]
    if report.stream is not None and systems and missing:
        numbers = ", ".join(_EPHEMERIS_MESSAGES[system] for system in missing)
        yield Finding(
            _WARNING if len(missing) == len(systems) else _NOTE,
            "no ephemerides" if len(missing) == len(systems) else f"no ephemerides of {_listed(missing)}",
            "Without them nobody knows where the satellites are; one station of the network has to send them.",
            f"Switch on {numbers} at one station at least; they may take some minutes to come.",
        )
    for one in report.ephemerides:
        if one.age_s is not None and one.age_s > _OLD_S:
            yield Finding(
                _WARNING,
                f"ephemerides of {_NAMES[one.system]} are up to {one.age_s / 3600.0:.1f} h old",
                "Orbits older than four hours are not used.",
                "Check that the receiver tracks these satellites itself and sends what it hears.",
            )


def _messages(report: SurveyReport) -> Iterator[Finding]:
    numbers = {message.number for message in report.messages}
    stream = report.stream
    if stream is not None and stream.unknown_ranges:
        yield Finding(
            _WARNING,
            f"{stream.unknown_ranges} observations lack their whole milliseconds",
            "Compact messages (MSM1 to MSM3) need full ones beside them.",
            "Send MSM7, or MSM5 or MSM4.",
        )
    if stream is not None and stream.unknown_channels:
        known = sum(signal.phases for signal in report.signals if signal.system == "R")
        few = stream.unknown_channels < _FEW_UNKNOWN * known
        yield Finding(
            _NOTE if few else _WARNING,
            f"{stream.unknown_channels} GLONASS phases cannot be used: nobody tells the frequency channels",
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


def _listed(systems: list[str]) -> str:
    return ", ".join(_NAMES[system] for system in systems)


_RULES: tuple[_Rule, ...] = (
    _observed,
    _transport,
    _rhythm,
    _tracking,
    _place,
    _equipment,
    _navigation,
    _messages,
    _date,
)
