"""A virtual station as RTCM 3: pyrtcm and RTKLIB decode every byte, and the lock times stay honest on the wire."""

import io
import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import numpy as np
import pyrtcm
import pytest

from gpsgrid import virtual_stream
from gpsgrid.virtual_place import VirtualPolicy
from gpsgrid.virtual_stream import Level, VirtualReport
from gpsgrid.vrs_messages import LEGACY, VrsEncoder, VrsFormat, station_number
from stations.edge.files import load_observations
from stations.feed import EpochReceived, Feed
from stations.gpstime import to_iso

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def reports(night):
    """Ten epochs of a virtual station, with the orbits of the last."""
    engine, state, found = night.engine(), virtual_stream.init(), []
    for moment in range(10):
        night.feed(engine, moment, moment + 1)
        state, report = virtual_stream.step(VirtualPolicy(), state, engine.view(night.rover_m), night.rover_m)
        found.append(report)
    orbits = engine.snapshot.ephemerides
    return found, [orbits[satellite] for satellite in found[-1].sd_m]


def encoder(night, **layout):
    return VrsEncoder(night.rover_m, station_number("here"), night.network, VrsFormat(**layout), 14)


def decoded(stream):
    """Return what pyrtcm finds; a byte that it does not understand is an error."""
    reader = pyrtcm.RTCMReader(io.BytesIO(stream), quitonerror=pyrtcm.ERR_RAISE)
    messages = [message for _, message in reader]
    assert sum(len(raw) for raw, _ in pyrtcm.RTCMReader(io.BytesIO(stream))) == len(stream)
    return messages


@pytest.mark.parametrize(
    ("level", "numbers"), [(4, (1074, 1084)), (5, (1075, 1085)), (7, (1077, 1087)), (3, (1004, 1012))]
)
def test_pyrtcm_decodes_every_byte(night, reports, level, numbers):
    found, orbits = reports
    one = encoder(night, level=level)
    stream = b"".join(one.encode(report, orbits if place == 0 else ()) for place, report in enumerate(found))
    counts = Counter(int(message.identity) for message in decoded(stream))
    assert all(counts[number] == 10 for number in numbers)
    assert all(counts[number] == 10 for number in (1005, 1033, 1032, 1030, 1031))
    assert counts[1019] == sum(orbit.satellite < 100 for orbit in orbits)
    assert counts.keys() <= {*numbers, 1005, 1033, 1032, 1030, 1031, 1019, 1020}


def test_the_description_is_of_a_virtual_station_without_an_antenna(night, reports):
    found, _ = reports
    messages = {message.identity: message for message in decoded(encoder(night).encode(found[-1]))}
    assert messages["1005"].DF141 == 1
    assert pytest.approx(night.rover_m[:2], abs=1e-4) == [messages["1005"].DF025, messages["1005"].DF026]
    assert pytest.approx(night.rover_m[2], abs=1e-4) == messages["1005"].DF027
    assert {message.DF003 for message in messages.values()} == {station_number("here")}
    text = "".join(getattr(messages["1033"], f"DF030_{n:02d}") for n in range(1, messages["1033"].DF029 + 1))
    assert text == "ADVNULLANTENNA"
    delf = night.network.station("DELF").reference_point_m
    assert pytest.approx(delf[0], abs=1e-4) == messages["1032"].DF025
    other = {m.identity for m in decoded(encoder(night, height=True, receiver=False, quality_s=0).encode(found[-1]))}
    assert other == {"1006", "1008", "1032", "1077", "1087"}


def test_the_quality_is_that_of_the_report(night, reports):
    found, _ = reports
    (gps,) = [m for m in decoded(encoder(night).encode(found[-1])) if m.identity == "1030"]
    sd_m = {s: sd for s, sd in found[-1].sd_m.items() if s < 100}
    assert len(sd_m) == gps.DF006
    assert gps.DF223 == 4
    sent = {getattr(gps, f"DF009_{k:02d}"): getattr(gps, f"DF221_{k:02d}") for k in range(1, len(sd_m) + 1)}
    scale = 0.001 if max(sent.values()) > 1.0 else 1.0  # pyrtcm gives millimetres
    for satellite, stated in sd_m.items():
        assert sent[satellite] * scale == pytest.approx(stated, abs=0.00026)


def test_a_text_says_what_has_changed_once(night, reports):
    found, _ = reports
    one = encoder(night)
    assert not [m for m in decoded(one.encode(found[0])) if m.identity == "1029"]
    worse = replace(found[1], level=Level.NEAREST, reason="something is wrong")
    texts = [m for m in decoded(one.encode(worse)) if m.identity == "1029"]
    assert len(texts) == 1
    assert not [m for m in decoded(one.encode(replace(worse, time_ns=found[2].time_ns))) if m.identity == "1029"]
    silent = one.encode(VirtualReport(found[3].time_ns, Level.SILENT, "no station"))
    assert [m.identity for m in decoded(silent)] == ["1029"]
    assert b"no corrections: no station" in silent
    assert b"full network" in one.encode(found[4])


def test_what_comes_out_is_what_went_in(night, reports):
    found, _ = reports
    one = encoder(night)
    for report in found:
        events = Feed("").push(one.encode(report), report.time_ns)
        (epoch,) = [event.epoch for event in events if isinstance(event, EpochReceived)]
        sent = report.epoch
        np.testing.assert_array_equal(epoch.satellite, sent.satellite)
        np.testing.assert_array_equal(epoch.signal, sent.signal)
        np.testing.assert_allclose(epoch.pseudorange_m, sent.pseudorange_m, atol=0.001)
        cycles = epoch.phase_cyc - sent.phase_cyc
        np.testing.assert_allclose(cycles, np.rint(cycles), atol=0.002)  # whole ones bring the phase near the code
        assert (epoch.lock_ms <= sent.lock_ms).all()
        assert (epoch.half_cycle == sent.half_cycle).all()


def test_rtklib_decodes_all_epochs(night, reports, tmp_path):
    if shutil.which("convbin") is None:
        pytest.skip("convbin is not there: apt-get install rtklib")
    found, orbits = reports
    one = encoder(night)
    path, out = tmp_path / "vrs.rtcm3", tmp_path / "convbin.obs"
    path.write_bytes(b"".join(one.encode(report, orbits if not k else ()) for k, report in enumerate(found)))
    date, clock = to_iso(found[0].time_ns)[:19].split("T")
    command = ["convbin", "-r", "rtcm3", "-tr", date.replace("-", "/"), clock, "-od", "-os", "-o", str(out), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    read = load_observations([out])
    assert [epoch.time_ns for epoch in read.epochs] == [report.time_ns for report in found]
    for epoch, report in zip(read.epochs, found, strict=True):
        assert set(epoch.satellite.tolist()) == set(report.epoch.satellite.tolist())
        place = {(s, n): k for k, (s, n) in enumerate(zip(epoch.satellite, epoch.signal, strict=True))}
        for row, key in enumerate(zip(report.epoch.satellite, report.epoch.signal, strict=True)):
            if key in place and np.isfinite(report.epoch.pseudorange_m[row]):
                assert epoch.pseudorange_m[place[key]] == pytest.approx(report.epoch.pseudorange_m[row], abs=0.002)


def test_station_numbers_are_stable_and_never_zero():
    numbers = [station_number(f"85196{k:04x}ffffff") for k in range(4000)]
    assert min(numbers) >= 1
    assert max(numbers) <= 4095
    assert len(set(numbers)) > 2000
    assert station_number("851969a3fffffff") == station_number("851969a3fffffff")


@pytest.mark.parametrize(("level", "number"), [(6, 1), (7, 0), (LEGACY, 4096)])
def test_what_receivers_do_not_take_is_refused(night, level, number):
    with pytest.raises(ValueError, match=r"MSM4, MSM5|receivers accept"):
        VrsEncoder(night.rover_m, number, night.network, VrsFormat(level=level))
