"""One payload an epoch: what goes out comes in again, here and in independent decoders."""

import io

import numpy as np
import pyrtklib
import pytest
from pyrtcm import RTCMReader

from stations.epoch import make_epoch
from stations.feed import AntennaReceived, EphemerisReceived, EpochReceived, Feed, PositionReceived
from stations.gpstime import from_calendar
from stations.signals import SIGNALS
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.messages import decode_message
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

NEAR_NS = from_calendar(2012, 10, 14)
POSITION = ReferencePosition(9, (3_924_687.2159, 301_133.2568, 5_001_911.1479), 0.05)
ANTENNA = AntennaDescriptor(9, "TRM29659.00     UNAV", serial="0220314044", receiver="TPS NET-G3A")


def epoch_of(satellites, signals):
    rows = [(satellite, signal) for satellite in satellites for signal in signals]
    satellite, signal = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    wavelength_m = np.array([SIGNALS[one].wavelength_m for one in signal.tolist()])
    code_m = 2.0e7 + 1e5 * satellite + 0.5 * signal
    return make_epoch(
        NEAR_NS,
        satellite,
        signal,
        code_m,
        (code_m + 3.0) / wavelength_m,
        np.full(len(rows), 45.0),
        np.full(len(rows), 64_000),
        np.zeros(len(rows), dtype=np.bool_),
    )


@pytest.fixture
def ephemerides(shared_data):
    data = (shared_data / "rtcm3" / "GMSD7_20121014.rtcm3").read_bytes()
    return [decode_message(payload, NEAR_NS) for payload in FrameBuffer().push(data) if message_number(payload) == 1019]


@pytest.mark.data
def test_everything_comes_back_in_order(ephemerides):
    epoch = epoch_of(range(1, 33), (2, 10, 17, 24))
    data = encode_station_epoch(9, epoch, position=POSITION, antenna=ANTENNA, ephemerides=ephemerides)
    assert [message_number(payload) for payload in FrameBuffer().push(data)] == [
        1006,
        1033,
        *[1019] * len(ephemerides),
        1077,
        1077,
    ]
    events = Feed("DELF").push(data, NEAR_NS)
    assert events[0] == PositionReceived(POSITION)
    assert events[1] == AntennaReceived(ANTENNA)
    assert events[2:-1] == [EphemerisReceived(ephemeris) for ephemeris in ephemerides]
    assert isinstance(events[-1], EpochReceived)
    received = events[-1].epoch
    np.testing.assert_array_equal(received.satellite, epoch.satellite)
    np.testing.assert_array_equal(received.signal, epoch.signal)
    # Half a unit of DF405 (2^-29 ms) and DF406 (2^-31 ms of the shortest wavelength).
    np.testing.assert_allclose(received.pseudorange_m, epoch.pseudorange_m, rtol=0, atol=2.8e-4)
    np.testing.assert_allclose(received.phase_cyc, epoch.phase_cyc, rtol=0, atol=7e-5 / 0.19)


@pytest.mark.data
def test_pyrtcm_reads_every_frame(ephemerides):
    data = encode_station_epoch(
        9, epoch_of((3, 7), (2, 10)), position=POSITION, antenna=ANTENNA, ephemerides=ephemerides[:2]
    )
    messages = [message for _, message in RTCMReader(io.BytesIO(data), quitonerror=2)]
    assert [message.identity for message in messages] == ["1006", "1033", "1019", "1019", "1077"]
    assert messages[-1].DF393 == 0


def test_rtklib_reads_position_and_antenna():
    rtcm = pyrtklib.rtcm_t()
    pyrtklib.init_rtcm(rtcm)
    statuses = {
        pyrtklib.input_rtcm3(rtcm, byte)
        for byte in encode_station_epoch(9, epoch_of((3,), (2,)), position=POSITION, antenna=ANTENNA)
    }
    assert {1, 5} <= statuses
    assert [rtcm.sta.pos[axis] for axis in range(3)] == pytest.approx(POSITION.position_m, abs=1e-6)
    assert rtcm.sta.hgt == pytest.approx(0.05)
    # The binding hands out the text from a character on, so the first is all of it.
    assert (rtcm.sta.antdes[0], rtcm.sta.antsno[0]) == (ANTENNA.antenna, ANTENNA.serial)
    assert rtcm.sta.rectype[0] == ANTENNA.receiver


def test_an_epoch_without_satellites_is_one_frame():
    epoch = epoch_of((3,), (2,))
    (event,) = Feed("DELF").push(encode_station_epoch(9, epoch.rows(np.array([False]))), NEAR_NS)
    assert len(event.epoch) == 0
