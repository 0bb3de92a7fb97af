"""Rules about what a survey found out of the station: coordinates, equipment, ephemerides."""

from collections.abc import Iterator

from stations.survey_finding import Finding, Severity
from stations.survey_report import SurveyReport

_WARNING, _NOTE = Severity.WARNING, Severity.NOTE

_OLD_S = 4 * 3600.0  # models.ephemeris uses no older GPS ephemeris
_RARE_POSITION_S = 60.0
_NAMES = {"G": "GPS", "R": "GLONASS", "E": "Galileo", "S": "SBAS", "J": "QZSS", "C": "BeiDou", "I": "NavIC"}
_EPHEMERIS_MESSAGES = {"G": "1019", "R": "1020", "E": "1045 and 1046", "J": "1044", "C": "1042", "I": "1041"}


def place_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge the coordinates."""
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


def equipment_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge antenna, receiver and GLONASS biases."""
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


def navigation_findings(report: SurveyReport) -> Iterator[Finding]:
    """Judge the ephemerides."""
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


def _listed(systems: list[str]) -> str:
    return ", ".join(_NAMES[system] for system in systems)
