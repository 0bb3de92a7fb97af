"""Streams of all systems and ages: every recording, channels and ranges that are told elsewhere, days that are not."""

import numpy as np
import pytest

from stations.constants import NS_PER_S
from stations.epoch import make_epoch
from stations.feed import EpochReceived, Feed, Refused
from stations.glonass_channels import GlonassChannels
from stations.gpstime import NS_PER_DAY, from_calendar, to_iso
from stations.signals import SIGNALS, frequency_of
from stations.wire.framing import encode_frame
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.msm import encode_msm, split_slices
from tests.stations.wire.oracle_table import RECEIVED_NS

NEAR_NS = from_calendar(2021, 1, 1)
SYSTEMS = ((3, 2), (103, 102), (211, 202), (320, 302), (401, 402), (508, 502), (603, 622))


def epoch_of(second, *pairs, channels=None, phase_m=2.2e7):
    frequency_hz = np.array([frequency_of(SIGNALS[signal], (channels or {}).get(sv)) for sv, signal in pairs])
    return make_epoch(
        NEAR_NS + second * NS_PER_S,
        np.array([satellite for satellite, _ in pairs]),
        np.array([signal for _, signal in pairs]),
        np.full(len(pairs), 2.2e7),
        phase_m * frequency_hz / 299_792_458.0,
        np.full(len(pairs), 45.0),
        np.full(len(pairs), 64_000),
        np.zeros(len(pairs), dtype=np.bool_),
        frequency_hz=frequency_hz,
    )


def frame(epoch, *, more=False, level=7):
    return encode_frame(encode_msm(5, epoch, more=more, level=level))


def epochs(events):
    return [event.epoch for event in events if isinstance(event, EpochReceived)]


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(RECEIVED_NS))
def test_every_recording_is_a_row_of_rising_epochs(shared_data, name):
    feed = Feed(name)
    events = feed.push((shared_data / "rtcm3" / name).read_bytes(), RECEIVED_NS[name]) + feed.finish()
    assert not [event for event in events if isinstance(event, Refused) and name != "mixed-msm-legacy.rtcm"]
    steps_s = np.diff([epoch.time_ns for epoch in epochs(events)]) / NS_PER_S
    if name == "GMSD7_20121014.rtcm3":  # of 2012: BeiDou was tagged with GPS time, 14 s off by the standard
        assert set(steps_s) == {14.0, -13.0}
        return
    regular_s = 0.2 if name == "piksi-5Hz.rtcm3" else 1.0
    assert (steps_s > 0).all()
    assert np.mean(steps_s == regular_s) > 0.97
    assert feed.wrong_days == (38 if name == "piksi-5Hz.rtcm3" else 0)
    assert feed.unknown_ranges == 0


@pytest.mark.data
def test_a_recorded_glonass_day_roll_over(shared_data):
    feed = Feed("0020")
    times = []
    for near_ns in (RECEIVED_NS["glo_day_rollover.rtcm"], RECEIVED_NS["glo_day_rollover.rtcm"] - 2 * NS_PER_DAY):
        events = feed.push((shared_data / "rtcm3" / "glo_day_rollover.rtcm").read_bytes(), near_ns)
        times = [to_iso(epoch.time_ns) for epoch in epochs(events)]
        # 21:00:00 UTC is midnight in Moscow.
        assert (times[0][11:], times[-1][11:], len(times)) == ("21:43:11.000", "21:43:17.000", 7)
        assert all({0, 1} == set((epoch.satellite // 100).tolist()) for epoch in epochs(events))


@pytest.mark.data
def test_a_recorded_beidou_without_fine_ranges(shared_data):
    feed = Feed("SITE")
    events = feed.push((shared_data / "rtcm3" / "beidou_invalid_fine_pseudorange.rtcm").read_bytes(), NEAR_NS)
    (epoch,) = epochs(events + feed.finish())
    beidou = epoch.satellite // 100 == 5
    assert beidou.any()
    assert np.isnan(epoch.pseudorange_m[beidou]).any()
    assert not np.isinf(epoch.pseudorange_m).any()


@pytest.mark.parametrize("level", [4, 5, 6, 7])
def test_all_systems_make_one_epoch(level):
    sent = epoch_of(0, *SYSTEMS, channels={103: 5})
    pieces = [sent.rows(piece) for piece in split_slices(sent)]
    assert len(pieces) == 7
    data = b"".join(frame(piece, more=index < 6, level=level) for index, piece in enumerate(pieces))
    feed = Feed("SITE", GlonassChannels({103: 5}))
    (got,) = epochs(feed.push(data, NEAR_NS))
    np.testing.assert_array_equal(got.satellite, sent.satellite)
    np.testing.assert_array_equal(got.signal, sent.signal)
    np.testing.assert_array_equal(got.frequency_hz, sent.frequency_hz)
    np.testing.assert_allclose(got.pseudorange_m, sent.pseudorange_m, rtol=0, atol=0.009)
    np.testing.assert_allclose(got.phase_cyc, sent.phase_cyc, rtol=0, atol=0.003)


def test_a_phase_waits_for_its_channel():
    r3 = (103, 102)
    sent = epoch_of(0, r3, channels={103: -4})
    feed = Feed("SITE")
    (got,) = epochs(feed.push(frame(sent, level=4), NEAR_NS))
    assert np.isnan([got.phase_cyc[0], got.frequency_hz[0]]).all()
    assert got.pseudorange_m[0] == pytest.approx(2.2e7, abs=0.01)
    assert feed.unknown_channels == 1
    # A message that names the channel: MSM7, or one from before MSM.
    for second, telling in ((1, frame(epoch_of(1, r3, channels={103: -4}))), (2, b"")):
        feed.push(telling, NEAR_NS)
        (got,) = epochs(feed.push(frame(epoch_of(second + 9, r3, channels={103: -4}), level=6), NEAR_NS))
        assert got.phase_cyc[0] == pytest.approx(sent.phase_cyc[0], abs=0.001)
    other = Feed("SITE")
    other.push(encode_frame(encode_legacy(1010, 1, epoch_of(0, r3, channels={103: -4}), more=False)), NEAR_NS)
    assert other.channels.of(103) == -4
    assert other.channels.of(104) is None
    assert other.channels.of(3) is None
    assert feed.unknown_channels == 1


def test_compact_messages_need_a_full_one_before_them():
    g3 = (3, 2)
    feed = Feed("SITE")
    (got,) = epochs(feed.push(frame(epoch_of(0, g3), level=3), NEAR_NS))
    assert np.isnan([got.pseudorange_m[0], got.phase_cyc[0]]).all()
    assert feed.unknown_ranges == 1
    feed.push(frame(epoch_of(1, g3), level=4), NEAR_NS)
    for compact in (
        frame(epoch_of(2, g3, phase_m=2.2e7 + 3.0), level=3),
        encode_frame(encode_legacy(1001, 1, epoch_of(2, g3, phase_m=2.2e7 + 3.0), more=False)),
    ):
        (got,) = epochs(feed.push(compact, NEAR_NS))
        assert got.pseudorange_m[0] == pytest.approx(2.2e7, abs=0.02)
        assert got.phase_cyc[0] == pytest.approx(epoch_of(2, g3, phase_m=2.2e7 + 3.0).phase_cyc[0], abs=0.002)
    (late,) = epochs(feed.push(frame(epoch_of(62, g3), level=1), NEAR_NS))
    assert np.isnan(late.pseudorange_m[0])
    assert feed.unknown_ranges == 2


@pytest.mark.parametrize("away_days", [-3, 0, 3])
def test_legacy_glonass_follows_the_day_of_gps(away_days):
    feed = Feed("SITE")
    sent = epoch_of(5, (3, 2), (103, 102), channels={103: 1})
    data = encode_frame(encode_legacy(1004, 1, sent, more=True)) + encode_frame(
        encode_legacy(1012, 1, sent, more=False)
    )
    (got,) = epochs(feed.push(data, NEAR_NS + away_days * NS_PER_DAY))
    assert got.time_ns == sent.time_ns
    assert got.satellite.tolist() == [3, 103]
    assert feed.wrong_days == 0


def test_doppler_comes_through():
    sent = epoch_of(0, (3, 2), (103, 102), channels={103: 1})
    sent = make_epoch(*list(vars(sent).values())[:8], np.array([1234.5, -987.25]), sent.frequency_hz)
    pieces = [sent.rows(piece) for piece in split_slices(sent)]
    data = frame(pieces[0], more=True) + frame(pieces[1])
    (got,) = epochs(Feed("SITE").push(data, NEAR_NS))
    np.testing.assert_allclose(got.doppler_hz, sent.doppler_hz, rtol=0, atol=3e-4)  # half of 1e-4 m/s at 0.19 m
