"""Bodies of queries: what is read from RTCM 3, what overrides it, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.events import PositionAsked
from gpsgrid.rover_body import MAX_BODY_BYTES, read_rover_body
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.feed import EpochReceived, Feed
from stations.wire.framing import encode_frame
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, encode_antenna, encode_position

pytestmark = pytest.mark.data
ANTENNA = "SEPCHOKE_B3E6   SPKE"


def _asked(payload, **more):
    return PositionAsked("q", payload, 0, **more)


@pytest.fixture
def moment(night):
    """Time, body and decoded epoch of the first query."""
    time_ns = night.moments[0][0]
    body = night.rover[time_ns]
    (epoch,) = [event.epoch for event in Feed("").push(body, time_ns) if isinstance(event, EpochReceived)]
    return time_ns, body, epoch


def test_a_recorded_body_is_read_whole(night, moment):
    """Epoch, antenna with serial number and height come from the messages of one body."""
    time_ns, body, epoch = moment
    request = read_rover_body(_asked(body), time_ns, night.antennas)
    assert request.name == "q"
    assert request.epoch.time_ns == time_ns
    np.testing.assert_array_equal(request.epoch.phase_cyc, epoch.phase_cyc)
    assert request.calibration is night.antennas.find(ANTENNA, "5461")
    assert request.antenna_height_m == 0.0
    assert request.warnings == ()


def test_what_the_asker_states_overrides_the_messages(night, moment):
    """Antenna, serial and height of the query win over those of the body."""
    time_ns, body, _ = moment
    asked = _asked(body, antenna="AOAD/M_T        DUTD", antenna_serial="273", antenna_height_m=1.5)
    request = read_rover_body(asked, time_ns, night.antennas)
    assert request.calibration is night.antennas.find("AOAD/M_T        DUTD", "273")
    assert request.antenna_height_m == 1.5


def test_height_of_1006_is_used(night, moment):
    """A pole of two metres in message 1006 is a pole of two metres."""
    time_ns, _, epoch = moment
    body = encode_station_epoch(0, epoch, position=ReferencePosition(0, (0.0, 0.0, 0.0), 2.0))
    assert read_rover_body(_asked(body), time_ns, night.antennas).antenna_height_m == pytest.approx(2.0, abs=1e-4)


def test_station_messages_after_the_observations_count_too(night, moment):
    """The order of messages within a body does not matter."""
    time_ns, _, epoch = moment
    body = encode_station_epoch(0, epoch)
    body += encode_frame(encode_position(ReferencePosition(0, (0.0, 0.0, 0.0), 1.25)))
    body += encode_frame(encode_antenna(AntennaDescriptor(0, ANTENNA, serial="5461", receiver="X")))
    request = read_rover_body(_asked(body), time_ns, night.antennas)
    assert request.antenna_height_m == pytest.approx(1.25, abs=1e-4)
    assert request.calibration is not None


def test_without_an_antenna_there_is_a_warning(night, moment):
    """No antenna is no error, but the asker is told what it costs."""
    time_ns, _, epoch = moment
    request = read_rover_body(_asked(encode_station_epoch(0, epoch)), time_ns, night.antennas)
    assert request.calibration is None
    assert len(request.warnings) == 1
    assert "antenna" in request.warnings[0]
    assert read_rover_body(_asked(encode_station_epoch(0, epoch)), time_ns, None).warnings == ()


def test_two_epochs_in_a_body(night, moment):
    """Of two epochs the last is answered, with a warning that says so."""
    time_ns, body, epoch = moment
    later = encode_station_epoch(0, replace(epoch, time_ns=time_ns + NS_PER_S))
    request = read_rover_body(_asked(body + later), time_ns, night.antennas)
    assert request.epoch.time_ns == time_ns + NS_PER_S
    assert "2 epochs" in request.warnings[0]


def test_the_week_comes_from_near_ns(night, moment):
    """The body has only a time of week: it is placed within half a week of the network's time."""
    time_ns, body, _ = moment
    for days in (-3, 3):
        near_ns = time_ns + days * 86_400 * NS_PER_S
        assert read_rover_body(_asked(body), near_ns, night.antennas).epoch.time_ns == time_ns


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\x00" * 100, Reason.MALFORMED),
        (bytes(MAX_BODY_BYTES), Reason.MALFORMED),
        (bytes(MAX_BODY_BYTES + 1), Reason.OVERSIZED),
        (encode_frame(b"\x00\x00\x00\x00"), Reason.MALFORMED),
    ],
)
def test_refusals(payload, reason):
    """What is no epoch is refused with its reason, and the facts are in the error."""
    with pytest.raises(GpsgridError) as caught:
        read_rover_body(_asked(payload), 0, None)
    assert caught.value.reason is reason
    assert str(len(payload)) in str(caught.value)


def test_every_prefix_of_a_body_is_refused_or_read(night, moment):
    """A connection that breaks at any byte gives a refusal, or the epoch when that was complete."""
    time_ns, body, _ = moment
    outcomes = set()
    for end in range(len(body)):
        try:
            request = read_rover_body(_asked(body[:end]), time_ns, night.antennas)
        except GpsgridError as error:
            outcomes.add(error.reason)
        else:
            outcomes.add(request.warnings)
    # From the end of the first message of observations on, its systems are there.
    assert outcomes == {
        Reason.MALFORMED,
        ("the last message of the body says that more follow; what has come is used",),
    }


def test_an_unknown_antenna_is_refused(night, moment):
    """An antenna that is named and not calibrated is an error with its name."""
    time_ns, body, _ = moment
    with pytest.raises(GpsgridError, match="NOSUCH") as caught:
        read_rover_body(_asked(body, antenna="NOSUCH          NONE"), time_ns, night.antennas)
    assert caught.value.reason is Reason.UNKNOWN_ANTENNA


def test_a_body_of_which_one_message_is_damaged_is_answered_with_a_warning(night, moment):
    """The messages of the other systems are as good as before; that something is missing is said."""
    time_ns, body, epoch = moment
    damaged = bytearray(body)
    damaged[-10] ^= 0xFF  # in the last message, which is that of the last system
    request = read_rover_body(_asked(bytes(damaged)), time_ns, night.antennas)
    assert set((request.epoch.satellite // 100).tolist()) < set((epoch.satellite // 100).tolist())
    assert request.warnings == (
        "part of the body is not used: 1 frames with a wrong checksum",
        "the last message of the body says that more follow; what has come is used",
    )
