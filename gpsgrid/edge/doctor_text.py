"""A diagnosis as tables and sentences for people; no colour carries a meaning."""

import math

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from gpsgrid.diagnosis import BAD_INPUT, OK, Diagnosis
from gpsgrid.edge.convert_words import SYSTEM_NAMES
from stations.frames import geodetic_from_ecef
from stations.gpstime import NS_PER_DAY, to_iso
from stations.plural import counted
from stations.survey_findings import Finding, Severity
from stations.survey_report import EpochsSeen, SignalSeen, StationSeen, StreamSeen, SurveyReport, SystemSeen

_VERDICTS = {
    0: "in order for network RTK",
    1: "cannot be used for network RTK as it is",
}
_MARKS = {Severity.PROBLEM: "PROBLEM", Severity.WARNING: "warning", Severity.NOTE: "note"}
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")  # 1980-01-06 was a Sunday
_INDENT = (0, 0, 0, 2)


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Print a diagnosis."""
    console.print(f"\n{diagnosis.source}: {diagnosis.kind}", markup=False, highlight=False, soft_wrap=True)
    if diagnosis.status == BAD_INPUT:
        console.print(f"  cannot be read: {diagnosis.error}", markup=False, highlight=False, soft_wrap=True)
        return
    _pairs(list(diagnosis.facts), console)
    if diagnosis.sourcetable is not None:
        _show_sourcetable(diagnosis, console)
    report = diagnosis.report
    if report is None:
        return
    _pairs(_summary(diagnosis, report), console)
    for table in (_messages(report), _systems(report), _signals(report), _ephemerides(report)):
        if table.row_count:
            console.print(Padding(table, _INDENT))
    if report.signals:
        legend = "dual: with two frequencies. lock: the longest, at least. C/N0: lowest/mean/highest, dB-Hz."
        console.print(f"  {legend}", highlight=False)
    for text in report.texts:
        console.print(f"  the station says: {_harmless(text)}", markup=False, highlight=False, soft_wrap=True)
    _findings(diagnosis, console)


def _findings(diagnosis: Diagnosis, console: Console) -> None:
    report = diagnosis.report
    if report is None or (report.epochs is None and report.stream is None):
        return
    counts = {severity: sum(one.severity is severity for one in diagnosis.findings) for severity in Severity}
    shown = ", ".join(counted(count, severity.value) for severity, count in counts.items() if count) or "no findings"
    verdict = _VERDICTS[diagnosis.status]
    if diagnosis.status == OK and counts[Severity.WARNING]:
        verdict = "can be used for network RTK, with restrictions"
    console.print(f"\n  Verdict: {verdict} ({shown})", markup=False, highlight=False)
    for finding in diagnosis.findings:
        _show_finding(finding, console)


def _show_finding(finding: Finding, console: Console) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(_MARKS[finding.severity], escape(finding.found))
    table.add_row("", escape(finding.meaning))
    if finding.action != "Nothing.":
        table.add_row("", f"-> {escape(finding.action)}")
    console.print(Padding(table, (0, 0, 0, 2)))


def _harmless(text: str) -> str:
    """Return text that somebody sent, with codes that would steer a terminal written out."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _pairs(pairs: list[tuple[str, str]], console: Console) -> None:
    if not pairs:
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, escape(_harmless(value)))
    console.print(Padding(table, _INDENT))


def _summary(diagnosis: Diagnosis, report: SurveyReport) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if report.stream is not None:
        rows += _stream_rows(report.stream)
    if report.epochs is not None:
        stream = report.stream
        rows += _epoch_rows(report.epochs, dated=stream is None or stream.date_certain or bool(stream.date_source))
        rows += _station_rows(report.station)
        rows.append(("code position", _check_words(diagnosis)))
    return rows


def _stream_rows(stream: StreamSeen) -> list[tuple[str, str]]:
    listened = "" if stream.seconds is None else f" in {stream.seconds:.0f} s"
    text = (
        f"{counted(stream.size_bytes, 'byte')}{listened}, {counted(stream.frames, 'frame')}, "
        f"{counted(stream.bad_crc, 'wrong checksum')}, "
        f"{counted(stream.junk_bytes, 'byte')} of junk"
    )
    rows = [("transport", text)]
    if stream.delay_s is not None:
        rows.append(("delay", f"{stream.delay_s:.2f} s after the time tag, by the clock of this computer"))
    return rows


def _epoch_rows(epochs: EpochsSeen, *, dated: bool) -> list[tuple[str, str]]:
    interval = "" if epochs.interval_s is None else f", one every {epochs.interval_s:g} s"
    gaps = "no gaps"
    if epochs.gaps:
        gaps = f"{epochs.missing} missing in {counted(epochs.gaps, 'gap')}, the longest {epochs.longest_gap_s:g} s"
    return [
        ("time", f"{_moment(epochs.first_ns, dated)} to {_moment(epochs.last_ns, dated)} (GPS time)"),
        ("epochs", f"{epochs.count}{interval}, {gaps}"),
    ]


def _moment(time_ns: int, dated: bool) -> str:  # noqa: FBT001 - private, and named at its definition
    text = to_iso(time_ns)[:-2]
    return text if dated else f"{_DAYS[time_ns // NS_PER_DAY % 7]} {text[11:]} of an unknown week"


def _station_rows(station: StationSeen) -> list[tuple[str, str]]:
    rows = [("station", station.marker)] if station.marker else []
    if station.position_m is not None:
        x, y, z = station.position_m
        place = f"X {x:.4f}  Y {y:.4f}  Z {z:.4f} m ({station.position_source})"
        if any(station.position_m):
            latitude, longitude, height_m = geodetic_from_ecef(np.array(station.position_m)).tolist()
            place += f" = {_degrees(latitude, 'NS')} {_degrees(longitude, 'EW')}, {height_m:.1f} m"
        rows.append(("coordinates", place))
    if station.antenna_height_m is not None:
        rows.append(("antenna height", f"{station.antenna_height_m:.4f} m"))
    antenna = " ".join(filter(None, (station.antenna, station.antenna_serial and f"serial {station.antenna_serial}")))
    rows.append(("antenna", antenna or "not said"))
    rows.append(("receiver", " ".join(filter(None, (station.receiver, station.firmware))) or "not said"))
    if station.glonass_bias_m is not None:
        biases = ", ".join(f"{code} {value:+.2f} m" for code, value in station.glonass_bias_m.items()) or "none valid"
        rows.append(("GLONASS biases", biases))
    return rows


def _check_words(diagnosis: Diagnosis) -> str:
    check, report = diagnosis.check, diagnosis.report
    if check is None:
        gps = report is not None and any(one.system == "G" for one in report.ephemerides)
        return "not checked: " + ("too few GPS satellites with code on L1 and L2" if gps else "no GPS ephemerides")
    if check.east_m is None or check.north_m is None or check.up_m is None:
        latitude, longitude, height_m = geodetic_from_ecef(check.position_m).tolist()
        return (
            f"{_degrees(latitude, 'NS')} {_degrees(longitude, 'EW')}, {height_m:.0f} m; no coordinates to compare with"
        )
    return (
        f"{check.east_m:+.1f} m east, {check.north_m:+.1f} m north, {check.up_m:+.1f} m up of the coordinates "
        f"({counted(check.epochs, 'epoch')})"
    )


def _degrees(angle_rad: float, sides: str) -> str:
    return f"{abs(math.degrees(angle_rad)):.6f} {sides[angle_rad < 0.0]}"


def _messages(report: SurveyReport) -> Table:
    table = _table(("message", "right"), ("what", "left"), ("count", "right"), ("every", "right"))
    for one in report.messages:
        every = "" if one.interval_s is None else f"{one.interval_s:.3g} s"
        table.add_row(str(one.number), one.name, str(one.count), every)
    return table


def _systems(report: SurveyReport) -> Table:
    table = _table(("system", "left"), ("satellites", "left"), ("per epoch", "right"), ("dual", "right"))
    for one in report.systems:
        table.add_row(*_system_row(one))
    return table


def _system_row(one: SystemSeen) -> tuple[str, str, str, str]:
    names = " ".join(one.satellites)
    return (
        SYSTEM_NAMES[one.system],
        f"{len(one.satellites)}: {names}",
        f"{one.mean_satellites:.1f}",
        f"{one.mean_dual:.1f}",
    )


def _signals(report: SurveyReport) -> Table:
    table = _table(
        ("signal", "left"),
        ("sats", "right"),
        ("code", "right"),
        ("phase", "right"),
        ("slips", "right"),
        ("half cycle", "right"),
        ("lock", "right"),
        ("C/N0", "right"),
    )
    for one in report.signals:
        table.add_row(*_signal_row(one))
    return table


def _signal_row(one: SignalSeen) -> tuple[str, ...]:
    strength = "-" if one.cn0_dbhz is None else "/".join(f"{value:.0f}" for value in one.cn0_dbhz)
    return (
        f"{SYSTEM_NAMES[one.system]} {one.code}",
        str(one.satellites),
        _share(one.codes, one.observations),
        _share(one.phases, one.observations),
        str(one.slips),
        _share(one.half_cycles, one.phases),
        f"{one.longest_lock_ms / 1000.0:.0f} s" if one.phases else "-",
        strength,
    )


def _ephemerides(report: SurveyReport) -> Table:
    table = _table(("ephemerides", "left"), ("satellites", "left"), ("different", "right"), ("oldest", "right"))
    for one in report.ephemerides:
        ill = f"; not healthy: {' '.join(one.unhealthy)}" if one.unhealthy else ""
        age = "" if one.age_s is None else f"{one.age_s / 3600.0:+.1f} h"
        shown = f"{len(one.satellites)}: {' '.join(one.satellites)}{ill}"
        table.add_row(SYSTEM_NAMES[one.system], shown, str(one.different), age)
    return table


def _show_sourcetable(diagnosis: Diagnosis, console: Console) -> None:
    found = diagnosis.sourcetable
    if found is None:
        return
    table = _table(
        ("mountpoint", "left"), ("place", "left"), ("format", "left"), ("systems", "left"), ("where", "left")
    )
    for one in found.streams:
        where = "" if math.isnan(one.latitude_deg) else f"{one.latitude_deg:.2f} {one.longitude_deg:.2f}"
        wants = ", wants a position" if one.nmea else ""
        table.add_row(
            escape(one.mountpoint), escape(one.identifier), escape(f"{one.format} {one.format_details}"),
            escape(one.nav_system + wants), where,
        )  # fmt: skip
    console.print(Padding(table, _INDENT))
    for problem in (*found.problems, *(() if found.complete else ("the end of the table is missing",))):
        console.print(f"  note: {problem}", markup=False, highlight=False)


def _share(part: int, whole: int) -> str:
    return "-" if not whole else f"{part / whole:.0%}" if part in {0, whole} else f"{part / whole:.1%}"


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, side in columns:
        wide = name in {"satellites", "what", "place", "format", "systems"}
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold", no_wrap=not wide)
    return table
