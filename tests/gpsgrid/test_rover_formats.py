"""Bodies of queries in every format: what is read, that all say the same, and what is refused."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.body_kind import MEDIA_TYPES, BodyKind, kind_of_body
from gpsgrid.epoch_json import decode_epochs, epoch_document, station_epoch
from gpsgrid.rehearsal import START_NS, rover_body
from gpsgrid.rover_formats import MAX_EPOCHS, read_rover_epochs, stated
from gpsgrid.ubx_body import read_rawx
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.feed import EpochReceived, Feed
from stations.rinex_obs import read_observations
from stations.signals import GPS_L2W, Constellation, signal_of
from stations.wire.framing import encode_frame
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition
from tests.gpsgrid.small_network import LAST_NS, at, epoch_json, rawx, rinex, rover_epoch, ubx_frame

EPOCH = rover_epoch()
COLUMNS = ("satellite", "signal", "pseudorange_m", "phase_cyc", "half_cycle", "frequency_hz")


def assert_same(one, two, code_m=6e-4, phase_cyc=6e-4):
    """Compare two epochs; text has three decimals."""
    assert one.time_ns == two.time_ns
    np.testing.assert_array_equal(one.satellite, two.satellite)
    np.testing.assert_array_equal(one.signal, two.signal)
    np.testing.assert_allclose(one.pseudorange_m, two.pseudorange_m, rtol=0, atol=code_m)
    np.testing.assert_allclose(one.phase_cyc, two.phase_cyc, rtol=0, atol=phase_cyc)
    np.testing.assert_array_equal(one.half_cycle, two.half_cycle)


def decoded(payload, near_ns=LAST_NS):
    return [event.epoch for event in Feed("").push(payload, near_ns) if isinstance(event, EpochReceived)]


# ---- which format


BODIES = {
    BodyKind.RTCM3: rover_body(LAST_NS),
    BodyKind.RINEX: rinex(EPOCH),
    BodyKind.JSON: epoch_json(EPOCH),
    BodyKind.UBX: rawx(EPOCH),
}


@pytest.mark.parametrize("kind", BodyKind)
@pytest.mark.parametrize("neutral", ["", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"])
def test_the_content_decides_where_the_type_says_nothing(kind, neutral):
    assert kind_of_body(neutral, BODIES[kind]) is kind


@pytest.mark.parametrize(("media_type", "kind"), MEDIA_TYPES.items())
def test_a_type_that_names_a_format_is_believed(media_type, kind):
    assert kind_of_body(f"{media_type.upper()}; charset=utf-8", b"anything") is kind


@pytest.mark.parametrize(
    ("media_type", "body", "said"),
    [
        ("image/png", BODIES[BodyKind.RTCM3], "image/png"),
        ("", b"$GPGGA,1,2*33\r\n$GPGGA,1,2*33\r\n", "NMEA"),
        ("", b"     2.11           N: GPS NAV DATA                         RINEX VERSION / TYPE\n", "navigation"),
        ("", b"PK\x03\x04" + bytes(100), "archive"),
        ("", b"\x1f\x8b\x08" + bytes(100), "Content-Encoding"),
        (
            "application/rinex",
            b"1.0                 COMPACT RINEX FORMAT                    CRINEX VERS   / TYPE\n",
            "Hatanaka",
        ),
    ],
)
def test_other_formats_are_named(media_type, body, said):
    with pytest.raises(GpsgridError, match=said) as caught:
        kind_of_body(media_type, body)
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


# ---- RTCM 3


def test_a_body_with_one_epoch_goes_on_byte_by_byte():
    body = b"junk" + BODIES[BodyKind.RTCM3] + b"more junk"
    (one,) = read_rover_epochs(BodyKind.RTCM3, body)
    assert one.payload == body


def test_several_epochs_are_cut_apart_and_each_has_the_descriptions():
    first = encode_station_epoch(
        0,
        at(EPOCH, START_NS),
        position=ReferencePosition(0, (0.0, 0.0, 0.0), 1.5),
        antenna=AntennaDescriptor(0, "TRM59800.00     NONE", receiver="X"),
    )
    rest = [encode_station_epoch(0, at(EPOCH, START_NS + k * NS_PER_S)) for k in (1, 2)]
    found = read_rover_epochs(BodyKind.RTCM3, first + b"".join(rest))
    assert len(found) == 3
    for k, one in enumerate(found):
        events = Feed("").push(one.payload, START_NS)
        (epoch,) = [event.epoch for event in events if isinstance(event, EpochReceived)]
        assert epoch.time_ns == START_NS + k * NS_PER_S
        assert {type(event).__name__ for event in events} == {"PositionReceived", "AntennaReceived", "EpochReceived"}


def test_a_damaged_frame_among_several_epochs_is_told():
    bodies = [bytearray(encode_station_epoch(0, at(EPOCH, START_NS + k * NS_PER_S))) for k in range(3)]
    bodies[1][20] ^= 255
    found = read_rover_epochs(BodyKind.RTCM3, b"".join(bodies))
    assert len(found) == 2
    assert all("wrong checksum" in one.warnings[0] for one in found)


def test_legacy_messages_of_several_epochs_are_cut_apart():
    frames = [encode_frame(encode_legacy(1004, 0, at(EPOCH, START_NS + k * NS_PER_S), more=False)) for k in range(2)]
    found = read_rover_epochs(BodyKind.RTCM3, b"".join(frames))
    assert [decoded(one.payload)[0].time_ns for one in found] == [START_NS, START_NS + NS_PER_S]


# ---- RINEX


def test_rinex_is_read_with_its_antenna():
    body = rinex(EPOCH, antenna="TRM59800.00     NONE", antenna_serial="7", antenna_height_m=1.5)
    (one,) = read_rover_epochs(BodyKind.RINEX, body)
    assert_same(one.epoch, EPOCH)
    assert (one.antenna, one.antenna_serial, one.antenna_height_m) == ("TRM59800.00     NONE", "7", 1.5)


def test_what_the_asker_states_goes_before_the_body_and_takes_the_serial_number_with_it():
    body = rinex(EPOCH, antenna="TRM59800.00     NONE", antenna_serial="7", antenna_height_m=1.5)
    epochs = read_rover_epochs(BodyKind.RINEX, body)
    (same,) = stated(epochs, "", "", None)
    (other,) = stated(epochs, "AOAD/M_T        NONE", "", 0.0)
    assert (same.antenna, same.antenna_serial, same.antenna_height_m) == ("TRM59800.00     NONE", "7", 1.5)
    assert (other.antenna, other.antenna_serial, other.antenna_height_m) == ("AOAD/M_T        NONE", "", 0.0)


def test_rinex_of_several_epochs_and_a_cut_one():
    body = rinex(*(at(EPOCH, START_NS + k * NS_PER_S) for k in range(3)))
    found = read_rover_epochs(BodyKind.RINEX, body)
    assert [one.epoch.time_ns for one in found] == [START_NS + k * NS_PER_S for k in range(3)]
    cut = read_rover_epochs(BodyKind.RINEX, body[:-200])
    assert len(cut) == 2
    assert "RINEX" in cut[0].warnings[0]


# ---- JSON


def test_json_is_exact():
    ((_, epoch),) = decode_epochs(epoch_json(EPOCH))
    assert_same(epoch, EPOCH, 0.0, 0.0)
    np.testing.assert_array_equal(epoch.frequency_hz, EPOCH.frequency_hz)
    np.testing.assert_array_equal(epoch.lock_ms, EPOCH.lock_ms)
    assert station_epoch(epoch_document(epoch)).time_ns == EPOCH.time_ns


def test_a_time_tag_between_milliseconds_moves_with_its_ranges():
    """A receiver clock that is 0.4 ms off is a range of 120 km; both ways, nothing is lost."""
    off = replace(EPOCH, time_ns=EPOCH.time_ns - 400_000, pseudorange_m=EPOCH.pseudorange_m - 299_792_458.0 * 4e-4)
    document = epoch_document(off)
    assert document.time_gpst == "2021-01-01T12:00:02.000"
    np.testing.assert_allclose(station_epoch(document).pseudorange_m, EPOCH.pseudorange_m, atol=1e-6)


def test_json_knows_the_channels_of_glonass():
    body = {
        "time_gpst": "2021-01-01T12:00:02",
        "satellites": {
            "R01": {"1C": {"code_m": 2e7, "phase_cyc": 1e8}},
            "R02": {"1C": {"code_m": 2e7, "phase_cyc": 1e8}},
        },
        "glonass_channels": {"R01": 1},
    }
    ((document, epoch),) = decode_epochs(json.dumps(body).encode())
    assert epoch.frequency_hz[0] == 1602.5625e6
    assert np.isnan(epoch.frequency_hz[1])
    assert epoch_document(epoch).glonass_channels == document.glonass_channels


WRONG_JSON = {
    "no JSON": (b"{", "malformed", "JSON"),
    "another document": (b'{"a": 1}', "malformed", "unknown field"),
    "no satellites": (b'{"time_gpst": "2021-01-01T12:00:02"}', "malformed", "satellites"),
    "a number": (b"[7]", "malformed", "int"),
    "UTC": (b'{"time_gpst": "2021-01-01T12:00:02Z", "satellites": {}}', "malformed", "zone"),
    "a zone": (b'{"time_gpst": "2021-01-01T12:00:02+01:00", "satellites": {}}', "malformed", "zone"),
    "the 31st of February": (b'{"time_gpst": "2021-02-31T12:00:02", "satellites": {}}', "malformed", "day"),
    "before GPS": (b'{"time_gpst": "1979-01-01T12:00:02", "satellites": {}}', "malformed", "after 1980"),
    "a satellite": (b'{"time_gpst": "2021-01-01T12:00:02", "satellites": {"X01": {"1C": {}}}}', "malformed", "'X01'"),
    "a signal": (
        b'{"time_gpst": "2021-01-01T12:00:02", "satellites": {"G01": {"9Z": {}}}}',
        "unsupported_signal",
        "9Z",
    ),
    "an endless list": (b"[" * 100_000, "malformed", "JSON"),
    "a channel": (
        b'{"time_gpst": "2021-01-01T12:00:02", "satellites": {}, "glonass_channels": {"R01": 9}}',
        "malformed",
        "-7 to 6",
    ),
    "an impossible code": (
        b'{"time_gpst": "2021-01-01T12:00:02", "satellites": {"G01": {"1C": {"code_m": 1e300}}}}',
        "malformed",
        "no receiver measures",
    ),
    "no text": (b'{"time_gpst": "\xff", "satellites": {}}', "malformed", "JSON"),
    "nothing in a list": (b"[]", "no_observations", "no epoch"),
}


@pytest.mark.parametrize(("body", "reason", "said"), WRONG_JSON.values(), ids=WRONG_JSON.keys())
def test_wrong_json_is_refused_with_the_place(body, reason, said):
    with pytest.raises(GpsgridError, match=said) as caught:
        read_rover_epochs(BodyKind.JSON, body)
    assert caught.value.reason == reason


# ---- UBX


def _lowered(epoch):
    """Return an epoch as u-blox would send it: L2 CL instead of P(Y)."""
    l2l = signal_of(Constellation.GPS, "2L").number
    return replace(epoch, signal=np.where(epoch.signal == GPS_L2W, l2l, epoch.signal))


def test_ubx_is_read():
    (one,) = read_rover_epochs(BodyKind.UBX, b"$GNGGA,,*00\r\n" + rawx(EPOCH) + ubx_frame(1, 7, bytes(92)))
    assert_same(one.epoch, _lowered(EPOCH), 0.0, 0.0)
    np.testing.assert_array_equal(one.epoch.cn0_dbhz, EPOCH.cn0_dbhz)


def test_flags_of_ubx_are_followed():
    half = EPOCH.half_cycle.copy()
    half[0] = True
    phase = EPOCH.phase_cyc.copy()
    phase[1] = np.nan
    (one,) = read_rover_epochs(BodyKind.UBX, rawx(replace(EPOCH, half_cycle=half, phase_cyc=phase)))
    assert one.epoch.half_cycle.tolist() == half.tolist()
    assert np.isnan(one.epoch.phase_cyc).tolist() == np.isnan(phase).tolist()


def test_damaged_ubx_is_refused_or_told():
    damaged = bytearray(rawx(EPOCH))
    damaged[100] ^= 255
    with pytest.raises(GpsgridError) as caught:
        read_rover_epochs(BodyKind.UBX, bytes(damaged))
    assert caught.value.reason is Reason.BAD_CRC
    (one,) = read_rover_epochs(BodyKind.UBX, bytes(damaged) + rawx(EPOCH))
    assert "not used" in one.warnings[0]
    with pytest.raises(GpsgridError, match="RXM-RAWX") as caught:
        read_rover_epochs(BodyKind.UBX, ubx_frame(1, 7, bytes(92)))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("seed", range(20))
def test_junk_in_ubx_is_refused_and_nothing_else(seed, rng):
    body = bytearray(rawx(EPOCH) * 2)
    for _ in range(seed):
        body[int(rng.integers(len(body)))] = int(rng.integers(256))
    try:
        assert read_rawx(bytes(body), 5)[0]
    except GpsgridError as error:
        assert error.reason in {Reason.BAD_CRC, Reason.MALFORMED}


def test_ubx_equals_convbin(tmp_path):
    """RTKLIB reads the same messages and writes RINEX."""
    if shutil.which("convbin") is None:
        pytest.skip("convbin is not there: apt-get install rtklib")
    epochs = [at(EPOCH, START_NS + k * NS_PER_S) for k in range(3)]
    body = b"".join(rawx(epoch) for epoch in epochs)
    (tmp_path / "r.ubx").write_bytes(body)
    command = ["convbin", "-r", "ubx", "-v", "3.04", "-od", "-os", "-f", "5", "-o", "r.obs", "r.ubx"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    theirs = read_observations((tmp_path / "r.obs").read_bytes(), "convbin").epochs
    ours = [one.epoch for one in read_rover_epochs(BodyKind.UBX, body)]
    assert len(theirs) == len(ours) == 3
    for one, two in zip(ours, theirs, strict=True):
        there = np.isfinite(two.pseudorange_m)
        assert there.sum() >= 11
        key = {(s, g): k for k, (s, g) in enumerate(zip(one.satellite.tolist(), one.signal.tolist(), strict=True))}
        for k in np.flatnonzero(there):
            mine = key[int(two.satellite[k]), int(two.signal[k])]
            assert one.pseudorange_m[mine] == pytest.approx(two.pseudorange_m[k], abs=6e-4)
            assert one.phase_cyc[mine] == pytest.approx(two.phase_cyc[k], abs=6e-4)


# ---- limits


@pytest.mark.parametrize("kind", BodyKind)
def test_more_epochs_than_the_network_remembers_are_refused(kind):
    some = EPOCH.rows(np.isin(EPOCH.satellite, np.unique(EPOCH.satellite)[:2]))
    epochs = [at(some, START_NS + k * NS_PER_S) for k in range(MAX_EPOCHS + 1)]
    body = {
        BodyKind.RTCM3: lambda: b"".join(encode_station_epoch(0, epoch) for epoch in epochs),
        BodyKind.RINEX: lambda: rinex(*epochs),
        BodyKind.JSON: lambda: epoch_json(*epochs),
        BodyKind.UBX: lambda: b"".join(rawx(epoch) for epoch in epochs),
    }[kind]()
    with pytest.raises(GpsgridError) as caught:
        read_rover_epochs(kind, body)
    assert caught.value.reason is Reason.TOO_MANY_EPOCHS
