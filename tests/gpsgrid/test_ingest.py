"""What the streams of all stations say together: the calendar, the ephemerides and the channels of GLONASS."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from gpsgrid.events import PositionAsked
from gpsgrid.ingest import Ingest
from gpsgrid.rover_body import read_rover_body
from stations.constants import NS_PER_S
from stations.edge.recordings import load_ephemerides, load_recording
from stations.errors import Reason
from stations.feed import EpochReceived, Feed
from stations.signals import Constellation, satellite_name
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.framing import encode_frame
from stations.wire.msm import encode_msm, split_slices
from stations.wire.publication import encode_station_epoch

pytestmark = pytest.mark.data
DAY_NS = 86_400 * NS_PER_S


@pytest.fixture(scope="module")
def city(shared_data):
    """Two stations of all systems: their ephemerides, a moment, and what each sends then."""
    network = load_network(shared_data / "sim-city" / "network.toml").network
    for station in network.stations[2:]:
        network = network.without(station.id)
    ephemerides = load_ephemerides(network)
    recording = load_recording(network, ephemerides=ephemerides)
    time_ns = recording.times_ns[0]
    return time_ns, ephemerides, recording.payloads(time_ns)


def _epoch(payload, time_ns):
    return next(event.epoch for event in Feed("").push(payload, time_ns) if isinstance(event, EpochReceived))


def _level(epoch, level):
    pieces = [epoch.rows(piece) for piece in split_slices(epoch)]
    return b"".join(encode_frame(encode_msm(1, one, more=one is not pieces[-1], level=level)) for one in pieces)


def _sent(ephemerides):
    return b"".join(encode_frame(encode_broadcast(one)) for one in ephemerides)


def _of(ephemerides, letter, time_ns):
    return [
        one
        for one in ephemerides
        if satellite_name(one.satellite)[0] == letter and abs(one.toe_ns - time_ns) <= 900 * NS_PER_S
    ]


def _phases(epoch):
    glonass = epoch.satellite // 100 == Constellation.GLONASS
    return int(np.isfinite(epoch.phase_cyc[glonass]).sum())


def test_ephemerides_of_all_systems_are_kept(city):
    time_ns, _, payloads = city
    ingest = Ingest(time_ns)
    for station, payload in payloads:
        _, refused = ingest.push(station, payload, 0)
        assert refused == []
    letters = [satellite_name(satellite)[0] for satellite in ingest.ephemerides.selection(time_ns)]
    assert set(letters) == set("GREC")
    seen = set(np.unique(_epoch(payloads[0][1], time_ns).satellite).tolist())
    assert len(seen - ingest.ephemerides.selection(time_ns).keys()) <= 1


def test_an_impossible_orbit_of_any_system_is_refused(city):
    time_ns, ephemerides, _ = city
    ingest = Ingest(time_ns)
    wrong = [
        replace(_of(ephemerides, "E", time_ns)[0], sqrt_a=5000.0),
        replace(_of(ephemerides, "R", time_ns)[0], velocity_m_s=(0.0, 0.0, 0.0)),
    ]
    good = _of(ephemerides, "C", time_ns)[0]
    _, refused = ingest.push("A", _sent([*wrong, good]), 0)
    assert [one.reason for one in refused] == [Reason.IMPOSSIBLE_EPHEMERIS] * 2
    assert list(ingest.ephemerides.selection(time_ns)) == [good.satellite]


@pytest.mark.parametrize("letter", "GEC")
@pytest.mark.parametrize("away_ns", [0, 400 * DAY_NS, -DAY_NS // 2, DAY_NS])
def test_the_calendar_comes_from_any_system_that_tells_the_week(city, letter, away_ns):
    """A host clock a year or half a day wrong: GLONASS messages, which tell the time of day, are placed right."""
    time_ns, ephemerides, payloads = city
    ingest = Ingest(time_ns + away_ns)
    glonass = _of(ephemerides, "R", time_ns)
    station, payload = payloads[0]
    first, _ = ingest.push(station, _sent([*glonass, *_of(ephemerides, letter, time_ns)]), 0)
    epochs, _ = ingest.push(station, payload, 0)
    assert ingest.synchronised
    assert [epoch.time_ns for epoch in (*first, *epochs)] == [time_ns]
    chosen = ingest.ephemerides.selection(time_ns)
    assert {one.satellite for one in glonass if one.healthy} <= chosen.keys()


def test_glonass_alone_does_not_tell_the_calendar(city):
    time_ns, ephemerides, payloads = city
    ingest = Ingest(time_ns + 3 * DAY_NS)
    ingest.push("A", _sent(_of(ephemerides, "R", time_ns)), 0)
    epochs, refused = ingest.push("A", _level(_epoch(payloads[0][1], time_ns), 4), 0)
    assert not ingest.synchronised
    assert epochs == []
    assert "no ephemeris that tells the week" in refused[0].text


def test_a_channel_that_one_station_tells_is_known_to_all_and_to_rovers(city):
    """MSM4 names no channels: the phases of GLONASS are usable once any station has sent the ephemerides."""
    time_ns, ephemerides, payloads = city
    (first, one), (second, two) = payloads
    whole = _epoch(two, time_ns)
    plain = _level(whole, 4)
    ingest = Ingest(time_ns)
    dated = _sent(_of(ephemerides, "G", time_ns))
    (alone,), _ = ingest.push(second, dated + plain, 0)
    assert _phases(alone) == 0
    asked = PositionAsked("q", plain, 0)
    assert _phases(read_rover_body(asked, time_ns, None, ingest.channels).epoch) == 0
    ingest.push(first, _sent(_of(ephemerides, "R", time_ns)), 0)
    (after,), _ = ingest.push(second, plain, 0)
    assert _phases(after) == _phases(whole) > 0
    np.testing.assert_array_equal(after.frequency_hz, whole.frequency_hz)
    assert _phases(read_rover_body(asked, time_ns, None, ingest.channels).epoch) == _phases(whole)
    assert len(one) > len(plain)


def test_what_a_rover_says_of_channels_counts_for_the_rover_only(city):
    time_ns, _, payloads = city
    ingest = Ingest(time_ns)
    body = _level(_epoch(payloads[0][1], time_ns), 7)
    request = read_rover_body(PositionAsked("q", body, 0), time_ns, None, ingest.channels)
    assert _phases(request.epoch) > 0
    assert np.isnan(ingest.channels.by_slot).all()


def test_a_station_that_repeats_itself_is_refused_until_it_moves_on(city):
    """The observations of a second ago under a new tag: nothing of that epoch reaches the network."""
    time_ns, _, payloads = city
    station, payload = payloads[0]
    ingest = Ingest(time_ns)
    epochs, refused = ingest.push(station, payload, time_ns)
    assert len(epochs) == 1
    assert not refused
    for seconds in (1, 2):
        later = replace(epochs[0], time_ns=epochs[0].time_ns + seconds * NS_PER_S)
        again, refused = ingest.push(station, encode_station_epoch(1, later), time_ns + seconds * NS_PER_S)
        assert not again
        assert [one.reason for one in refused] == [Reason.STUCK_RECEIVER]
        assert station in refused[0].text
    moving = replace(later, time_ns=later.time_ns + NS_PER_S, phase_cyc=later.phase_cyc + 1.5)
    again, refused = ingest.push(station, encode_station_epoch(1, moving), time_ns + 3 * NS_PER_S)
    assert len(again) == 1
    assert not refused
