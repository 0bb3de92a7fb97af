"""Files for ``gpsgrid doctor``: read by the reader of their kind, surveyed or summarised."""

from pathlib import Path

from gpsgrid.diagnosis import Diagnosis
from gpsgrid.edge.convert_rtcm import check_day, start_of
from gpsgrid.edge.doctor_summaries import SUMMARIES, nothing_in, span
from gpsgrid.edge.file_kinds import kind_of_file
from gpsgrid.edge.foreign_files import FOREIGN
from gpsgrid.position_check import check_position, finding_of
from stations.edge.byte_source import chunks_of
from stations.edge.files import read_data
from stations.edge.host_time import gps_now_ns
from stations.epoch_payloads import EpochGatherer
from stations.errors import GpsgridError
from stations.file_kind import FileKind
from stations.navigation_kinds import Ephemeris
from stations.rinex_nav import merge_ephemerides, read_navigation_file
from stations.rinex_obs import read_observations
from stations.stream_date import StreamDate
from stations.survey import StreamSurvey, survey_navigation, survey_observations
from stations.survey_findings import findings_of
from stations.survey_report import SurveyReport


def navigation_of(paths: list[Path]) -> list[Ephemeris]:
    """Return the ephemerides of the navigation files among some files; what cannot be read is told elsewhere."""
    found = []
    for path in paths:
        try:
            if kind_of_file(path) is FileKind.RINEX_NAVIGATION:
                text = read_data(path).decode("latin-1")
                found.append(list(read_navigation_file(text, str(path)).ephemerides))
        except GpsgridError:
            continue
    return merge_ephemerides(found)


def diagnose_file(path: Path, date: str, ephemerides: list[Ephemeris]) -> Diagnosis:
    """Return the diagnosis of a file; nothing in it can make this fail.

    Args:
        path: The file.
        date: Day of an RTCM 3 recording that does not tell it; empty where not known.
        ephemerides: From navigation files beside it.
    """
    kind = FileKind.UNKNOWN
    try:
        kind = kind_of_file(path)
        if kind in FOREIGN:
            return Diagnosis(str(path), kind.value, error=f"{path}: {kind.value}; {FOREIGN[kind]}")
        if kind is FileKind.RTCM3:
            return diagnosis_of(str(path), "RTCM 3 file", survey_file(path, date))
        if kind is FileKind.RINEX_OBSERVATION:
            observations = read_observations(read_data(path), str(path))
            if not observations.epochs:
                raise nothing_in(path, "a RINEX header and no epochs")
            report = survey_observations(observations, ephemerides)
            return diagnosis_of(str(path), f"{kind.value} file, version {observations.version:.2f}", report)
        if kind is FileKind.RINEX_NAVIGATION:
            return _navigation(path)
        return Diagnosis(str(path), kind.value, facts=SUMMARIES[kind](path))
    except GpsgridError as error:
        return Diagnosis(str(path), kind.value, error=str(error))


def diagnosis_of(source: str, kind: str, report: SurveyReport) -> Diagnosis:
    """Return the diagnosis that follows from a survey, with its coordinates checked."""
    check = check_position(report.samples, report.broadcast, report.station.position_m)
    far = finding_of(check)
    findings = findings_of(report)
    if far is not None:
        findings = tuple(sorted((far, *findings), key=lambda one: ("problem", "warning", "note").index(one.severity)))
    return Diagnosis(source, kind, report=report, check=check, findings=findings)


def survey_file(path: Path, date: str) -> SurveyReport:
    """Return the survey of a file of RTCM 3.

    Raises:
        GpsgridError: It cannot be read, or the date is none or contradicts the day of the week in the stream.
    """
    near_ns, found = _near(path, date)
    survey = StreamSurvey(path.name, near_ns, found)
    for data in chunks_of(path):
        survey.push(data)
    report = survey.finish()
    if date:
        check_day(path, date, survey.first_dated_ns, survey.last_dated_ns)
    return report


def _near(path: Path, date: str) -> tuple[int, StreamDate | None]:
    try:
        near_ns, found = start_of(path, date)
        return near_ns, found or StreamDate(near_ns, 0)
    except GpsgridError:
        if date:
            raise
        return _day_near_now(path), None  # the day of the week and the time are right; a finding says it


def _day_near_now(path: Path) -> int:
    """Return the time nearest to now that the first time of week in a stream fits; GLONASS alone has no day."""
    now_ns, gatherer = gps_now_ns(), EpochGatherer()
    for data in chunks_of(path):
        gatherer.push(data, now_ns)
        if gatherer.first_dated_ns is not None:
            return gatherer.first_dated_ns
    return now_ns


def _navigation(path: Path) -> Diagnosis:
    found = read_navigation_file(read_data(path).decode("latin-1"), str(path))
    kind = f"{FileKind.RINEX_NAVIGATION.value} file, version {found.version:.2f}"
    passed_over = ", ".join(f"{count} {kind}" for kind, count in found.skipped.items())
    if not found.ephemerides:
        raise nothing_in(path, f"no ephemerides that are read{passed_over and f' ({passed_over} passed over)'}")
    times_ns = [ephemeris.toe_ns for ephemeris in found.ephemerides]
    facts = [("records", str(len(times_ns))), ("reference times", span(min(times_ns), max(times_ns)))]
    if passed_over:
        facts.append(("passed over", passed_over))
    return Diagnosis(str(path), kind, facts=tuple(facts), report=survey_navigation(found.ephemerides))
