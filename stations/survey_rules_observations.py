"""Rules about the observations of a survey: satellites, frequencies, rhythm, locks, signal strength."""

from collections.abc import Iterator

from stations.plural import counted
from stations.survey_finding import Finding, Severity
from stations.survey_report import SurveyReport

_PROBLEM, _WARNING, _NOTE = Severity.PROBLEM, Severity.WARNING, Severity.NOTE

_LEAST_DUAL, _FEW_DUAL = 5.0, 8.0  # four unknowns and one satellite to check them; a comfortable night has twice that
_USUAL_INTERVAL_S, _LONGEST_INTERVAL_S = 1.0, 30.0
_FEW_GAPS, _MANY_GAPS = 0.02, 0.3  # shares of epochs
_WEAK_DBHZ = 30.0  # mean of a signal at a good site is 40 and more
_MANY_HALF_CYCLES = 0.2  # share of phases
_MANY_SLIPS = 0.01  # per phase
_ENOUGH_EPOCHS = 10
_NAMES = {"G": "GPS", "R": "GLONASS", "E": "Galileo", "S": "SBAS", "J": "QZSS", "C": "BeiDou", "I": "NavIC"}


def observed_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge satellites and frequencies."""
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


def rhythm_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge intervals, gaps and time tags."""
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
            f"{counted(epochs.missing, 'epoch is', 'epochs are')} missing in {counted(epochs.gaps, 'gap')}, "
            f"the longest {epochs.longest_gap_s:g} s",
            "Every gap may hide slips, and the network goes on without the station.",
            "Check the link, the load of the receiver, and its power supply.",
        )
    if epochs.late or epochs.repeated:
        yield Finding(
            _WARNING,
            f"{counted(epochs.late, 'epoch')} came after later ones, "
            f"{counted(epochs.repeated, 'observation')} came twice",
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


def tracking_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge locks, half cycles and signal strengths."""
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
                f"{counted(slips, 'loss', 'losses')} of lock in {counted(phases, 'phase')} ({slips / phases:.1%})",
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
