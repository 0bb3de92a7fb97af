"""``gpsgrid doctor``: says what recorded streams are known to hold and lack, listens to live ones, and never fails."""

import asyncio
import contextlib
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpsgrid.diagnosis import BAD_INPUT, OK, UNUSABLE
from gpsgrid.edge import cli
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.doctor_files import diagnose_file
from gpsgrid.edge.doctor_live import diagnose_url, is_url
from gpsgrid.edge.file_kinds import kind_of_file
from gpsgrid.rehearsal import START_NS, rehearsal_network, station_payloads
from stations.constants import NS_PER_S
from stations.edge.mqtt import MqttLink
from stations.file_kind import FileKind, kind_of
from stations.survey_findings import Severity

NETWORK = rehearsal_network()
STREAM = b"".join(dict(station_payloads(NETWORK, START_NS + s * NS_PER_S))[NETWORK.stations[0].id] for s in range(4))


def told(*arguments: object, capfd) -> tuple[int, str]:
    status = cli.run(["doctor", *(str(argument) for argument in arguments)])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return status, " ".join(out.split())


RECORDED = [
    (
        "week-rollover-STR24.rtcm3",
        OK,
        ["1134, one every 1 s, no gaps", "2018-07-14T23:50:09.0", "LEIAR25.R3 NONE serial 09330026", "TRIMBLE NETR9",
         "up of the coordinates", "MSM4 and not MSM5 or MSM7", "C01 C02 C03", "Galileo F/NAV ephemeris"],
    ),
    (
        "GMSD7_20121014.rtcm3",
        OK,
        ["time tags of BeiDou are +14 s away", "no reference position", "the antenna is unknown",
         "no coordinates to compare with", "modulo 1024 weeks", "GLONASS without code-phase biases"],
    ),
    (
        "switch-legacy-msm-legacy-msm.rtcm",
        OK,
        ["31 missing in 3 gaps, the longest 12 s", "4 different ones", "messages from before MSM: 1004, 1012",
         "no ephemerides", "4094 proprietary"],
    ),
    ("piksi-5Hz.rtcm3", OK, ["epochs come at 5 Hz", "of an unknown week", "no message names the week"]),
    ("eph.rtcm", UNUSABLE, ["PROBLEM there are no observations", "Galileo I/NAV ephemeris"]),
    ("1012_first.rtcm", OK, ["148, one every 1 s, 1 missing in 1 gap,", "Tuesday 10:39:58", "ADVNULLANTENNA"]),
    ("trimble.rtcm", OK, ["1530 GLONASS phases cannot be used", "Send 1087 or 1085"]),
    ("test_gal_eph.rtcm", UNUSABLE, ["7 wrong checksums in 195 frames"]),
]  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize(("name", "status", "words"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded_streams(shared_data, capfd, name, status, words):
    found, out = told(shared_data / "rtcm3" / name, capfd=capfd)
    assert found == status
    for word in words:
        assert word in out, f"{word!r} is not in {out}"


@pytest.mark.data
def test_glonass_health_is_that_of_the_converted_file(shared_data, tmp_path):
    """A stream and the RINEX file made of it name the same satellites as unhealthy; R05 to R15 are not among them."""
    stream, navigation = shared_data / "rtcm3" / "week-rollover-STR24.rtcm3", tmp_path / "o.nav"
    assert cli.run(["convert", str(stream), str(navigation)]) == 0
    ill = [
        {one.system: one.unhealthy for one in diagnose_file(path, "", []).report.ephemerides}
        for path in (stream, navigation)
    ]
    assert ill[0] == ill[1]
    assert ill[0]["R"] == ()
    assert ill[0]["E"] == ("E18",)


@pytest.mark.data
def test_a_date_that_the_stream_contradicts_is_refused_as_by_convert(shared_data, tmp_path, capfd):
    stream = shared_data / "rtcm3" / "testglo.rtcm3"
    status, out = told(stream, "--date", "2009-12-18", capfd=capfd)
    assert status == OK
    assert "epochs 186" in out
    for date, word in (("2030-01-01", "another day of the week"), ("0001-01-01", "expected 1980-01-06")):
        status, out = told(stream, "--date", date, capfd=capfd)
        assert status == BAD_INPUT
        assert cli.run(["convert", str(stream), str(tmp_path / "o.rnx"), "--date", date]) == BAD_INPUT
        refused = " ".join(capfd.readouterr().err.split())
        assert word in refused
        assert refused.removeprefix("gpsgrid: ") in out


@pytest.mark.data
def test_coordinates_are_checked_with_the_code(shared_data):
    stream = shared_data / "rtcm3" / "week-rollover-STR24.rtcm3"
    diagnosis = diagnose_file(stream, "", [])
    # Code of two frequencies with broadcast orbits: a few metres.
    assert diagnosis.check is not None
    assert diagnosis.check.away_m < 6.0
    assert diagnosis.status == OK


@pytest.mark.data
def test_coordinates_that_are_wrong_are_a_problem(shared_data, tmp_path, capfd):
    source = shared_data / "short-baseline-2024" / "base.obs.gz"
    moved, stream = tmp_path / "moved.rnx", tmp_path / "moved.rtcm3"
    assert cli.run(["convert", str(shared_data / "rtcm3" / "week-rollover-STR24.rtcm3"), str(moved)]) == 0
    assert source.exists()
    text = moved.read_text()
    place = text.index("APPROX POSITION XYZ") - 60
    wrong = f"{-4467074.3577 + 300.0:14.4f}"
    moved.write_text(text[:place] + wrong + text[place + 14 :])
    navigation = tmp_path / "o.nav"
    assert cli.run(["convert", str(shared_data / "rtcm3" / "week-rollover-STR24.rtcm3"), str(navigation)]) == 0
    assert cli.run(["convert", str(moved), str(stream), "--navigation", str(navigation)]) == 0
    capfd.readouterr()
    status, out = told(stream, capfd=capfd)
    assert status == UNUSABLE
    assert "away from where its code observations put it" in out


@pytest.mark.data
def test_other_files_are_recognised(shared_data, capfd, tmp_path):
    folder = shared_data / "nl-2021-001"
    navigation = next(iter(sorted(folder.glob("*MN.rnx.gz"))))
    status, out = told(folder / "delf0010a.21d.gz", navigation, folder / "nl.atx", capfd=capfd)
    assert status == OK
    for word in ("RINEX observation file, version 2.11", "1080, one every 30 s", "up of the coordinates",
                 "RINEX navigation file", "ANTEX antenna calibrations", "receiver antennas"):  # fmt: skip
        assert word in out
    nmea = tmp_path / "log.txt"
    nmea.write_bytes(b"$GPGGA,120000.00,5200.0000,N,00420.0000,E,4,12,0.8,10.0,M,43.0,M,1.0,0000*79\r\n$GP broken\r\n")
    status, out = told(nmea, capfd=capfd)
    assert status == OK
    assert "NMEA 0183" in out
    assert "1 broken" in out
    assert "1 fixed" in out


@pytest.mark.data
def test_json_has_the_same_content(shared_data, capfd):
    status, out = told(shared_data / "rtcm3" / "GMSD7_20121014.rtcm3", "--json", capfd=capfd)
    found = json.loads(out)[0]
    assert status == found["status"] == OK
    assert found["survey"]["epochs"]["count"] == 271
    assert found["survey"]["epochs"]["first"] == "2012-10-13T23:59:44.000"
    assert {one["number"]: one["count"] for one in found["survey"]["messages"]}[1077] == 257
    assert any("BeiDou" in one["found"] and one["severity"] == "warning" for one in found["findings"])
    beidou = next(one for one in found["survey"]["systems"] if one["system"] == "C")
    assert beidou["ahead_s"] == 14.0


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty file"),
        (bytes(range(256)) * 40, "unknown"),
        (b"\xb5\x62\x02\x15" + bytes(600), "UBX"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\x1f\x8b\x08damaged", "cannot be decompressed"),
        (b"\x00" * 5000, "unknown"),
        (b"%PDF-1.7 not GNSS at all \xd3\x00", "unknown"),
    ],
)
def test_what_is_no_gnss_file_is_bad_input(tmp_path, capfd, data, word):
    path = tmp_path / "thing"
    path.write_bytes(data)
    status, out = told(path, capfd=capfd)
    assert status == BAD_INPUT
    assert word in out


TEXTS = (
    b"     3.04           OBSERVATION DATA    M                   RINEX VERSION / TYPE\n",
    b"     3.04           N: GNSS NAV DATA    M: MIXED            RINEX VERSION / TYPE\n",
    b"     1.4            M                                       ANTEX VERSION / SYST\n",
    b"#dP2021  1  1  0  0  0.00000000      96 ORBIT IGS14 HLM  IGS\n",
    b"%  GPST   latitude(deg) longitude(deg)\n",
    b"$GPGGA,1,2,3*00\n",
    b"%=SNX 2.02\n",
    b"SOURCETABLE 200 OK\r\n",
    b"1.0                 COMPACT RINEX FORMAT                    CRINEX VERS   / TYPE\n",
)
HEADERS = {
    "sp3": (TEXTS[3], "no satellites at any epoch"),
    "antex": (TEXTS[2] + f"A{'PCV TYPE / REFANT':>76}\n{'END OF HEADER':>73}\n".encode(), "no antennas"),
    "clk": (f"     3.00{'C':>12}{'RINEX VERSION / TYPE':>59}\n{'END OF HEADER':>73}\n".encode(), "no clocks"),
    "snx": (b"%=SNX 2.02 IGN 21:001:00000 IGN 20:001:00000 21:001:00000 C 00000 2 S\n%ENDSNX\n", "no station"),
    "obs": (TEXTS[0] + f"G    1 C1C{'SYS / # / OBS TYPES':>69}\n{'END OF HEADER':>73}\n".encode(), "no epochs"),
    "nav": (TEXTS[1] + f"{'END OF HEADER':>73}\n".encode(), "no ephemerides"),
    "pos": (TEXTS[4], "no positions"),
    "nmea": (b"$GPGGA,1,2,3*00\n", "1 broken NMEA line and no whole sentence"),
    "table": (b"SOURCETABLE 200 OK\r\n\r\nENDSOURCETABLE\r\n", "no mountpoints"),
    "archive": (bytes(257) + b"ustar" + bytes(250), "unpack it first"),
    "empty gzip": (gzip.compress(b""), "empty file"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_alone_is_bad_input(tmp_path, capfd, name):
    data, word = HEADERS[name]
    path = tmp_path / "thing"
    path.write_bytes(data)
    status, out = told(path, capfd=capfd)
    assert word in out, out
    assert status == BAD_INPUT


def test_a_folder_is_bad_input(tmp_path, capfd):
    status, out = told(tmp_path, capfd=capfd)
    assert status == BAD_INPUT
    assert "name a file in it" in out


DOCTOR = "import sys; from gpsgrid.edge.cli import run; sys.exit(run(['doctor', *sys.argv[1:]]))"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "status"), [("GMSD7_20121014.rtcm3", OK), ("glo_day_rollover.rtcm", OK), ("eph.rtcm", UNUSABLE)]
)
def test_the_status_does_not_depend_on_where_the_words_go(shared_data, tmp_path, name, status):
    """The same for a terminal, a file, a pipe that is read and one that is not (``| head``)."""
    command = [sys.executable, "-c", DOCTOR, str(shared_data / "rtcm3" / name)]
    with (tmp_path / "out").open("wb") as file:
        assert subprocess.run(command, stdout=file, check=False, timeout=60).returncode == status
    piped = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert piped.returncode == status
    assert piped.stdout == (tmp_path / "out").read_bytes()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        closed = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writing)
    assert closed.returncode == status
    assert closed.stderr == b""


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_words_that_cannot_be_printed_end_in_one_line(tmp_path, form):
    path = tmp_path / "good.rtcm3"
    path.write_bytes(STREAM)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", DOCTOR, str(path), *form]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert ended.returncode == os.EX_IOERR
    assert ended.stderr.startswith(b"gpsgrid: the output cannot be written: No space left")
    assert ended.stderr.count(b"\n") == 1


def test_a_pipe_as_input_is_refused_with_advice(tmp_path):
    command = [sys.executable, "-c", DOCTOR, "/dev/stdin"]
    found = subprocess.run(command, input=STREAM, capture_output=True, check=False, timeout=60)
    assert found.returncode == BAD_INPUT
    assert b"write it into a file first" in found.stdout


def test_a_missing_file_is_bad_input_and_does_not_stop_the_others(tmp_path, capfd):
    good = tmp_path / "good.rtcm3"
    good.write_bytes(STREAM)
    status, out = told(tmp_path / "absent", good, capfd=capfd)
    assert status == BAD_INPUT
    assert "does not exist" in out
    assert "4, one every 1 s" in out


@given(st.binary(max_size=3000))
@example(b"\xd3\x00\x00\x47\xea\x4b" * 5)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_diagnosis(tmp_path, data):
    path = tmp_path / "fuzz"
    path.write_bytes(data)
    assert diagnose_file(path, "", []).status in {OK, UNUSABLE, BAD_INPUT}


@given(st.sampled_from(TEXTS), st.binary(max_size=400))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_good_beginning_and_then_junk_gives_a_diagnosis(tmp_path, head, data):
    path = tmp_path / "fuzz"
    path.write_bytes(head + data)
    assert diagnose_file(path, "", []).status in {OK, UNUSABLE, BAD_INPUT}


@given(st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 255)), max_size=40), st.integers(0, 60))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_stream_gives_a_diagnosis(tmp_path, changes, cut):
    data = bytearray(STREAM)
    for place, value in changes:
        data[place] = value
    path = tmp_path / "fuzz.rtcm3"
    path.write_bytes(bytes(data[: len(data) - cut]))
    diagnosis = diagnose_file(path, "", [])
    assert diagnosis.status in {OK, UNUSABLE, BAD_INPUT}


def test_kinds_are_told_by_content():
    assert kind_of(STREAM) is FileKind.RTCM3
    assert kind_of(b"junk" * 10 + STREAM) is FileKind.RTCM3
    assert [kind_of(text) for text in TEXTS[:2]] == [FileKind.RINEX_OBSERVATION, FileKind.RINEX_NAVIGATION]
    assert kind_of(TEXTS[-1]) is FileKind.RINEX_OBSERVATION


@pytest.mark.data
def test_what_a_station_says_does_not_steer_the_terminal(shared_data, capfd):
    """One of the recorded texts ends with a zero byte."""
    _, text = told(shared_data / "rtcm3" / "glo_day_rollover.rtcm", capfd=capfd)
    assert "the station says: Geo++ GmbH, Garbsen\\x00" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_names_of_files_are_shown_as_they_are(tmp_path, capfd):
    path = tmp_path / ":smile:[red].rtcm3"
    path.write_bytes(STREAM)
    assert f"{path.name}: RTCM 3 file" in told(path, capfd=capfd)[1]
    path.write_bytes(gzip.compress(gzip.compress(STREAM)))
    status, out = told(path, capfd=capfd)
    assert status == BAD_INPUT
    assert f"{path.name}: compressed twice; undo one compression" in out


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_frames_may_come_late(tmp_path, capfd, pack):
    path = tmp_path / "late"
    path.write_bytes(pack(bytes(3_000_000) + STREAM))
    status, out = told(path, capfd=capfd)
    assert status != BAD_INPUT
    assert "epochs 4, one every 1 s" in out
    assert "3000000 bytes of junk" in out
    path.write_bytes(pack(bytes(3_000_000)))
    assert kind_of_file(path) is FileKind.UNKNOWN


# ---- live


@contextlib.asynccontextmanager
async def served(answer: bytes, *, request: bool):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if request:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            await reader.read(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.1)


async def test_a_tcp_port():
    async with served(STREAM, request=False) as port:
        (diagnosis,) = await diagnose_url(f"tcp://127.0.0.1:{port}", 0.5)
    assert diagnosis.kind == "live RTCM 3 stream"
    assert diagnosis.report.epochs.count == 4
    assert diagnosis.report.stream.seconds == pytest.approx(0.5, abs=0.4)
    # The rehearsal is of another year: the week is that of now, and the delay shows what the clock says.
    assert diagnosis.status != BAD_INPUT


async def test_a_port_that_sends_something_else():
    async with served(b"$GPGGA,1,2\r\n" * 20, request=False) as port:
        (diagnosis,) = await diagnose_url(f"tcp://127.0.0.1:{port}", 0.3)
    assert diagnosis.status == BAD_INPUT
    assert "configure RTCM 3" in diagnosis.error


async def test_a_caster_without_mountpoint_lists_its_table(unused_tcp_port: int):
    table = b"STR;BARN;Farm;RTCM 3.2;1077(1);2;GPS+GLO;NET;NLD;52.1;4.3;0;0;X;none;N;N;9600;\r\nENDSOURCETABLE\r\n"
    head = b"SOURCETABLE 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(table)
    async with served(head + table, request=True) as port:
        (diagnosis,) = await diagnose_url(f"ntrip://me:secret@127.0.0.1:{port}", 1.0)
    assert diagnosis.status == OK, diagnosis.error
    assert [stream.mountpoint for stream in diagnosis.sourcetable.streams] == ["BARN"]
    assert "secret" not in diagnosis.source
    (refused,) = await diagnose_url(f"ntrip://me:secret@127.0.0.1:{unused_tcp_port}/X", 1.0)
    assert refused.status == BAD_INPUT
    assert "secret" not in refused.error + refused.source


@pytest.mark.broker
async def test_mqtt_topics_are_told_apart():
    async with EmbeddedBroker(port=0) as broker, MqttLink(broker.url, "writer") as link:
        listening = asyncio.create_task(diagnose_url(f"{broker.url}/farm/+/rtcm", 2.0))
        await asyncio.sleep(0.8)
        await link.publish("farm/a/rtcm", STREAM)
        await link.publish("farm/b/rtcm", b"nothing of ours")
        found = await listening
    assert [one.source.rsplit("/", 2)[1] for one in found] == ["a", "b"]
    assert found[0].report.epochs.count == 4
    assert found[1].status == BAD_INPUT


def test_urls_and_files_are_told_apart():
    assert is_url("ntrip://caster/M")
    assert is_url("serial:/dev/ttyUSB0")
    assert not is_url(str(Path("tcp.rtcm3")))


def test_a_url_of_another_kind_is_no_file():
    assert is_url("http://user:secret@host/M")
    (diagnosis,) = asyncio.run(diagnose_url("http://user:secret@host/M", 1.0))
    assert "http://... cannot be listened to; expected ntrip://" in diagnosis.error
    assert "secret" not in diagnosis.error


def test_severities_have_an_order():
    assert list(Severity) == [Severity.PROBLEM, Severity.WARNING, Severity.NOTE]
