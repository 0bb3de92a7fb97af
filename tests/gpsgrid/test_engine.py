"""The engine on recorded and on hostile input: nothing raises, nothing blocks, everything is counted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpsgrid.engine as engine_module
from gpsgrid.events import (
    HyperparametersLearned,
    InputRefused,
    NetworkSolved,
    PayloadArrived,
    PositionAsked,
    Tick,
)
from gpsgrid.rover_body import MAX_BODY_BYTES
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS
from models.rover import RoverStatus
from stations.constants import NS_PER_MS, NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.wire.framing import FrameBuffer, encode_frame

pytestmark = pytest.mark.data
FIRST_FIXED = 10  # ambiguities are tried after eight epochs


def _solved(outputs):
    return [output for output in outputs if isinstance(output, NetworkSolved)]


def _messages(payload):
    return list(FrameBuffer().push(payload))


def _same_answers(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        for a, b in zip(vars(left).values(), vars(right).values(), strict=True):
            np.testing.assert_array_equal(a, b)  # NaN equals NaN here


# ------------------------------------------------------------------------------------------------ the recorded network


def test_the_recorded_network_fixes_and_places_the_held_out_station(night):
    """After a few minutes every single epoch of a station 35 km inside the network is a centimetre position."""
    engine = night.engine()
    errors = []
    for moment, (time_ns, _) in enumerate(night.moments):
        night.feed(engine, moment, moment + 1)
        if moment < FIRST_FIXED:
            continue
        answer = night.ask(engine, moment)
        assert answer.time_ns == time_ns
        assert answer.status is RoverStatus.FIXED, answer.reason
        assert answer.refusal is None
        assert answer.age_s == 0.0
        assert 0.0 <= answer.wrong_fix_probability < 0.01
        errors.append(answer.position_m - night.rover_m)
    # A centimetre position is 2 cm horizontally and 5 cm vertically (DESIGN.md section 6).
    assert np.linalg.norm(errors, axis=1).max() < 0.05


def test_every_moment_becomes_one_network_epoch_in_order(night):
    """Complete moments are solved once each, at their own time, with all four stations."""
    solved = _solved(night.feed(night.engine()))
    assert [one.time_ns for one in solved] == [time_ns for time_ns, _ in night.moments]
    assert all(one.stations == ("DELF", "EIJS", "ROVN", "WSRA") and one.missing == () for one in solved)


def test_chunking_of_the_bytes_does_not_matter(night):
    """A station's bytes cut anywhere, frames split across payloads, give the same solution as whole messages."""
    start_ns = night.moments[0][0]
    whole, cut = night.engine(near_ns=start_ns), night.engine(near_ns=start_ns)
    night.feed(whole, 0, 9)
    for time_ns, payloads in night.moments[:9]:
        for station, payload in payloads:
            for start in range(0, len(payload), 37):
                cut.handle(PayloadArrived(station, payload[start : start + 37], time_ns))
    assert cut.snapshot.time_ns == whole.snapshot.time_ns
    np.testing.assert_array_equal(cut.snapshot.state.mean, whole.snapshot.state.mean)


def test_same_events_twice_give_identical_answers(night):
    """The engine has no clock and no randomness: equal events give answers that are equal to the bit."""

    def run():
        engine, given_answers = night.engine(), []
        for moment in range(14):
            night.feed(engine, moment, moment + 1)
            given_answers.append(night.ask(engine, moment))
        return given_answers

    _same_answers(run(), run())


def test_order_of_stations_within_a_moment_does_not_matter(night):
    """Which station's bytes come first changes nothing: the filter takes the epoch as a whole."""
    forward, backward = night.engine(), night.engine()
    night.feed(forward, 0, 12)
    night.feed(backward, 0, 1)  # the first moment tells the time
    for time_ns, payloads in night.moments[1:12]:
        for station, payload in reversed(payloads):
            backward.handle(PayloadArrived(station, payload, time_ns))
    np.testing.assert_array_equal(forward.snapshot.state.mean, backward.snapshot.state.mean)


def test_queries_leave_the_network_untouched(night):
    """Nothing of a rover reaches the network, even when it is a station that was held out."""
    asked, silent = night.engine(), night.engine()
    for moment in range(14):
        night.feed(asked, moment, moment + 1)
        night.ask(asked, moment)
        night.feed(silent, moment, moment + 1)
        for name in ("mean", "covariance", "arc_satellite", "arc_phase_m"):
            np.testing.assert_array_equal(
                getattr(asked.snapshot.state, name), getattr(silent.snapshot.state, name), strict=True
            )
        np.testing.assert_array_equal(asked.snapshot.field.weight, silent.snapshot.field.weight)
        np.testing.assert_array_equal(asked.snapshot.scales, silent.snapshot.scales)


def test_a_silent_station_is_as_if_it_did_not_exist(night):
    """A network with a configured but silent station estimates what the network without it estimates."""
    with_silent, without = night.engine(), night.engine(night.network.without("EIJS"))
    night.feed(with_silent, 0, 12, without=("EIJS",))
    night.feed(without, 0, 12, without=("EIJS",))
    assert with_silent.snapshot.time_ns == without.snapshot.time_ns
    one, other = night.ask(with_silent, 11), night.ask(without, 11)
    assert one.status is other.status
    # The same Gaussian conditioned on the same data through matrices of another size: rounding only.
    np.testing.assert_allclose(one.position_m, other.position_m, rtol=0, atol=1e-6)


def test_a_station_that_comes_late_joins(night):
    """A station that starts after five minutes takes part from its first epoch on."""
    engine = night.engine()
    first = _solved(night.feed(engine, 0, 10, without=("WSRA",)))
    later = _solved(night.feed(engine, 10, 30))
    assert all(one.missing == ("WSRA",) for one in first)
    assert all("WSRA" in one.stations for one in later)
    assert later[-1].fixed_share > 0.7
    assert night.ask(engine, 29).status is RoverStatus.FIXED


# -------------------------------------------------------------------------------------------------- inputs of stations


def test_unknown_station_is_refused_by_name(night):
    """Bytes of a station that is not in network.toml are refused, with its name and the known ones."""
    engine = night.engine()
    (refused,) = engine.handle(PayloadArrived("NOPE", night.moments[0][1][0][1], 0))
    assert refused.reason is Reason.UNKNOWN_STATION
    assert "NOPE" in refused.text
    assert "DELF" in refused.text
    assert engine.health.refusals[Reason.UNKNOWN_STATION] == 1
    assert engine.snapshot is None


@pytest.mark.parametrize("payload", [b"", b"\x00" * 500, b"\xd3" * 500, b"GET / HTTP/1.1\r\n\r\n"])
def test_junk_does_not_disturb(night, payload):
    """Junk between good payloads changes no solution and opens no epoch."""
    engine, clean = night.engine(), night.engine()
    for time_ns, payloads in night.moments[:3]:
        for station, good in payloads:
            # A lone 0xD3 may be the start of a frame: junk in front costs nothing as long as the frame follows.
            engine.handle(PayloadArrived(station, payload[:100], time_ns))
            engine.handle(PayloadArrived(station, good, time_ns))
    night.feed(clean, 0, 3)
    assert engine.snapshot is not None
    np.testing.assert_array_equal(engine.snapshot.state.mean, clean.snapshot.state.mean)


def test_wrong_checksum_is_counted_and_the_rest_survives(night):
    """A flipped bit costs the station that epoch, is counted, and the next epoch is complete again."""
    engine = night.engine()
    night.feed(engine, 0, 2)
    time_ns, payloads = night.moments[2]
    outputs = []
    for station, payload in payloads:
        damaged = bytearray(payload)
        if station == "DELF":
            damaged[len(damaged) // 2] ^= 0x10
        outputs += engine.handle(PayloadArrived(station, bytes(damaged), time_ns))
    outputs += engine.handle(Tick(time_ns + NS_PER_S))
    assert [o.reason for o in outputs if isinstance(o, InputRefused)] == [Reason.BAD_CRC]
    assert engine.health.stations["DELF"].refused[Reason.BAD_CRC] == 1
    assert _solved(outputs)[0].missing == ("DELF",)
    assert _solved(night.feed(engine, 3, 4))[0].missing == ()


def test_truncated_payload_costs_only_its_epoch(night):
    """A payload cut in the middle is completed by nothing; the station is back within two epochs."""
    engine = night.engine()
    night.feed(engine, 0, 2)
    for moment in (2, 3, 4):
        time_ns, payloads = night.moments[moment]
        for station, payload in payloads:
            cut = payload[: len(payload) // 2] if (station, moment) == ("ROVN", 2) else payload
            engine.handle(PayloadArrived(station, cut, time_ns))
        engine.handle(Tick(time_ns + NS_PER_S))
    assert engine.snapshot.time_ns == night.moments[4][0]
    assert "ROVN" in engine.snapshot.reduced


def test_duplicate_payloads_are_refused_and_change_nothing(night):
    """QoS 1 may deliver twice: the second copy is refused with a reason, the solution is the same."""
    twice, once = night.engine(), night.engine()
    outputs = []
    for time_ns, payloads in night.moments[:4]:
        for station, payload in payloads:
            outputs += twice.handle(PayloadArrived(station, payload, time_ns))
            outputs += twice.handle(PayloadArrived(station, payload, time_ns))
    night.feed(once, 0, 4)
    reasons = [o.reason for o in outputs if isinstance(o, InputRefused)]
    assert len(reasons) == 4 * 4
    assert set(reasons) == {Reason.DUPLICATE_EPOCH, Reason.LATE_EPOCH}
    np.testing.assert_array_equal(twice.snapshot.state.mean, once.snapshot.state.mean)


def test_late_payloads_are_refused(night, tools):
    """What comes after its network epoch was closed is refused as late and opens nothing."""
    engine = night.engine()
    night.feed(engine, 0, 3, without=("WSRA",))
    late = dict(night.moments[1][1])["WSRA"]
    outputs = engine.handle(PayloadArrived("WSRA", late, night.moments[3][0]))
    assert tools.counted(outputs) == {Reason.LATE_EPOCH: 1}
    assert engine.deadline() is None


def test_without_navigation_it_says_so_and_recovers(night, tools):
    """Observations without any ephemeris: a refusal that names message 1019; afterwards everything works."""
    engine = night.engine()
    outputs = []
    for time_ns, payloads in night.moments[:2]:
        for station, payload in payloads:
            bare = tools.frames_of(payload, but=tools.ephemerides)
            outputs += engine.handle(PayloadArrived(station, bare, time_ns))
    assert tools.counted(outputs) == {Reason.NO_NAVIGATION: 8}
    assert "1019" in next(o.text for o in outputs if isinstance(o, InputRefused))
    assert _solved(outputs) == []
    assert night.ask(engine, 1).refusal is Reason.NO_NETWORK

    engine.handle(
        PayloadArrived("DELF", tools.frames_of(night.moments[0][1][0][1], only=tools.ephemerides), night.moments[2][0])
    )
    solved = _solved(night.feed(engine, 2, 14))
    # What came before the ephemerides was kept and is used now.
    assert [one.time_ns for one in solved] == [time_ns for time_ns, _ in night.moments[:14]]
    assert night.ask(engine, 13).status is RoverStatus.FIXED


def test_bytes_that_wait_for_the_calendar_are_bounded(night, rng):
    """A station that never sends an ephemeris, or only junk, does not fill the memory."""
    engine = night.engine()
    for _ in range(100):
        engine.handle(PayloadArrived("DELF", rng.bytes(20_000), 0))
    assert sum(len(waiting.held) for waiting in engine._ingest._waiting.values()) <= 1 << 18
    night.feed(engine, 0, 12)
    assert night.ask(engine, 11).status is RoverStatus.FIXED


def test_a_station_three_days_off_after_the_start_does_not_poison(night, tools):
    """A receiver that loses its calendar is refused as future; the other stations go on."""
    engine = night.engine()
    night.feed(engine, 0, 3)
    outputs = []
    for time_ns, payloads in night.moments[3:13]:
        for station, payload in payloads:
            sent = tools.shifted(payload, 3 * 86_400 * NS_PER_S, time_ns) if station == "EIJS" else payload
            outputs += engine.handle(PayloadArrived(station, sent, time_ns))
        outputs += engine.handle(Tick(time_ns + NS_PER_S))
    assert tools.counted(outputs) == {Reason.FUTURE_EPOCH: 10}
    assert len(_solved(outputs)) == 10
    assert night.ask(engine, 12).status is RoverStatus.FIXED


def test_a_station_in_the_past_does_not_poison(night, tools):
    """A receiver whose clock is an hour behind is refused as late; the other stations go on."""
    engine = night.engine()
    night.feed(engine, 0, 3)
    outputs = []
    for time_ns, payloads in night.moments[3:13]:
        for station, payload in payloads:
            sent = tools.shifted(payload, -3600 * NS_PER_S, time_ns) if station == "EIJS" else payload
            outputs += engine.handle(PayloadArrived(station, sent, time_ns))
        outputs += engine.handle(Tick(time_ns + NS_PER_S))
    assert tools.counted(outputs) == {Reason.LATE_EPOCH: 10}
    assert night.ask(engine, 12).status is RoverStatus.FIXED


def test_unknown_antenna_of_a_station_is_an_error_at_once(night):
    """A named antenna that is not in the ANTEX file stops the engine from being made, not from being right."""
    stations = tuple(
        replace(station, antenna="NOSUCH          NONE", antenna_serial="") if station.id == "DELF" else station
        for station in night.network.stations
    )
    with pytest.raises(GpsgridError) as caught:
        night.engine(replace(night.network, stations=stations))
    assert caught.value.reason is Reason.UNKNOWN_ANTENNA
    assert "NOSUCH" in str(caught.value)


def test_network_of_one_station(night):
    """Single-base operation is a network too: no ambiguities to fix, and an answer with a wide covariance."""
    network = night.network
    for name in ("EIJS", "ROVN", "WSRA"):
        network = network.without(name)
    engine = night.engine(network)
    outputs = night.feed(engine, 0, without=("EIJS", "ROVN", "WSRA"))
    assert all(one.fixed_share == 0.0 for one in _solved(outputs))
    # It misses no integers, not even when the time is over in which a network may still be fixing.
    assert engine.snapshot.trusted
    assert engine.snapshot.resolved
    answer = night.ask(engine, len(night.moments) - 1)
    assert answer.status in {RoverStatus.FIXED, RoverStatus.PARTIAL, RoverStatus.FLOAT}
    miss_m = np.linalg.norm(answer.position_m - night.rover_m)
    assert miss_m < 5.0 * np.sqrt(np.trace(answer.covariance_m2)) + 0.05


# ------------------------------------------------------------------------------------------------------------- queries


def test_query_before_any_network_epoch_waits_and_is_then_refused(night):
    """Without a network a query waits its half second, not longer, and hears why there is no position."""
    engine = night.engine()
    asked_ns = 5_000
    assert engine.handle(PositionAsked("q", night.rover[night.moments[0][0]], asked_ns)) == []
    assert engine.deadline() == asked_ns + engine.config.query_wait_ns
    assert engine.handle(Tick(asked_ns + engine.config.query_wait_ns - 1)) == []
    (output,) = engine.handle(Tick(asked_ns + engine.config.query_wait_ns))
    assert output.answer.request == "q"
    assert output.answer.refusal is Reason.NO_NETWORK
    assert output.answer.status is RoverStatus.NONE
    assert engine.deadline() is None


def test_query_newer_than_the_network_waits_for_its_epoch(night, tools):
    """A rover that is faster than the stations is answered as soon as its own epoch is solved, with age zero."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    time_ns, payloads = night.moments[12]
    assert engine.handle(PositionAsked("fast", night.rover[time_ns], time_ns)) == []
    outputs = []
    for station, payload in payloads:
        outputs += engine.handle(PayloadArrived(station, payload, time_ns + 50 * NS_PER_MS))
    kinds = [type(output).__name__ for output in outputs]
    assert kinds == ["NetworkSolved", "PositionAnswered"]
    assert tools.answers(outputs)[0].age_s == 0.0


def test_query_whose_epoch_never_comes_uses_the_last_one(night):
    """When the network is late the last network epoch serves, and the answer says how old it is."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    answer = night.ask(engine, 12)
    assert answer.refusal is None
    assert answer.age_s == 30.0


def test_stale_network_is_refused(night):
    """A network epoch that is a minute old is not used; the refusal states both times."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    answer = night.ask(engine, 13)
    assert answer.refusal is Reason.STALE_NETWORK
    assert answer.age_s == 60.0
    assert "60.0 s" in answer.reason


def test_older_query_is_answered_from_its_own_network_epoch(night):
    """A rover whose link is slow gets the network epoch of its own time as long as that is kept."""
    engine = night.engine()
    night.feed(engine, 0, 16)
    answer = night.ask(engine, 12)
    assert answer.age_s == 0.0
    assert answer.status is RoverStatus.FIXED


def test_query_older_than_everything_kept(night):
    """A query from before the oldest kept epoch is refused as stale when it is too old to bridge."""
    engine = night.engine()
    night.feed(engine, 0, 20)
    assert night.ask(engine, 2).refusal is Reason.STALE_NETWORK


def test_identical_retries_of_a_waiting_query_are_both_answered(night, tools):
    """A client that repeats its query under the same name gets two answers and breaks nothing."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    time_ns = night.moments[12][0]
    for delay_ms in (0, 100):
        asked = PositionAsked("same", night.rover[time_ns], time_ns + delay_ms * NS_PER_MS)
        assert engine.handle(asked) == []
    first = engine.handle(Tick(time_ns + 500 * NS_PER_MS))
    second = engine.handle(Tick(time_ns + 600 * NS_PER_MS))
    assert [answer.request for answer in tools.answers(first + second)] == ["same", "same"]
    assert engine.deadline() is None


def test_rover_far_outside_is_refused_with_the_distance(night, eijs):
    """164 km from the nearest station is outside: the refusal names that station and the distance."""
    network = night.network.without("DELF").without("EIJS")
    engine = night.engine(network)
    night.feed(engine, 0, 4, without=("DELF", "EIJS"))
    answer = night.ask(engine, 3, eijs[night.moments[3][0]])
    assert answer.refusal is Reason.OUTSIDE_NETWORK
    assert answer.status is RoverStatus.NONE
    assert "ROVN" in answer.reason
    assert "km" in answer.reason


def test_oversized_body_is_refused(night):
    """A body larger than any epoch is refused by its size, before it is decoded."""
    answer = night.ask(night.engine(), 0, b"\xd3" * (MAX_BODY_BYTES + 1))
    assert answer.refusal is Reason.OVERSIZED


@pytest.mark.parametrize("payload", [b"", b"\x00", b"hello", b"\xd3\x00", bytes(MAX_BODY_BYTES)])
def test_undecodable_body_is_refused(night, payload):
    """A body without an epoch is malformed, whatever it is, and is answered at once."""
    (output,) = night.engine().handle(PositionAsked("q", payload, 0))
    assert output.answer.refusal is Reason.MALFORMED
    assert "MSM" in output.answer.reason


def test_damaged_body_says_checksum(night, tools):
    """A body whose observations are damaged is refused for their checksum."""
    body = bytearray(tools.frames_of(night.rover[night.moments[0][0]], only={1077}))
    body[-10] ^= 0xFF
    (output,) = night.engine().handle(PositionAsked("q", bytes(body), 0))
    assert output.answer.refusal is Reason.BAD_CRC


def test_unknown_rover_antenna_is_refused(night):
    """A named antenna that is not calibrated is an error, not a zero."""
    engine = night.engine()
    night.feed(engine, 0, 3)
    answer = night.ask(engine, 2, antenna="NOSUCH          NONE")
    assert answer.refusal is Reason.UNKNOWN_ANTENNA
    assert "NOSUCH" in answer.reason


# ----------------------------------------------------------------------------------------------------- bounds, counters


def test_deadline_always_lies_ahead_of_what_has_been_ticked(night):
    """Ticking at the deadline makes progress: no deadline is ever due twice."""
    engine = night.engine()
    time_ns, payloads = night.moments[0]
    engine.handle(PayloadArrived(*payloads[0], time_ns))
    engine.handle(PositionAsked("q", night.rover[time_ns], time_ns - 1_000))
    seen = []
    while (due_ns := engine.deadline()) is not None:
        seen.append(due_ns)
        engine.handle(Tick(due_ns))
        assert len(seen) < 5
    assert seen == sorted(set(seen))
    assert seen[0] == time_ns + engine.config.wait_ns


def test_counters_equal_outputs(night, tools, rng):
    """Health counts what the outputs said: network epochs, refusals by reason, answers by status."""
    engine, outputs = night.engine(), []
    for moment, (time_ns, payloads) in enumerate(night.moments[:14]):
        for station, payload in payloads:
            outputs += engine.handle(PayloadArrived(station, payload, time_ns))
            if moment % 3 == 0:
                outputs += engine.handle(PayloadArrived(station, payload, time_ns))
        outputs += engine.handle(PayloadArrived("NOPE", b"", time_ns))
        outputs += engine.handle(PositionAsked("good", night.rover[time_ns], time_ns))
        outputs += engine.handle(PositionAsked("bad", rng.bytes(30), time_ns))
        outputs += engine.handle(Tick(time_ns + NS_PER_S))
    health = engine.health
    assert health.network_epochs == len(_solved(outputs)) == 14
    assert health.last_epoch_ns == _solved(outputs)[-1].time_ns
    assert dict(health.refusals) == dict(tools.counted(outputs))
    statuses = [str(answer.status) for answer in tools.answers(outputs)]
    assert dict(health.answers) == {status: statuses.count(status) for status in set(statuses)}
    assert len(statuses) == 28


def test_learned_hyperparameters_are_used_from_the_next_epoch_on(night):
    """New hyperparameters come into force between epochs, never within one, and are counted."""
    engine = night.engine()
    night.feed(engine, 0, 2)
    hyper = replace(DEFAULT_HYPERPARAMETERS, noise_floor_m=0.004)
    assert engine.handle(HyperparametersLearned(night.moments[1][0], hyper)) == []
    assert engine.snapshot.hyper == DEFAULT_HYPERPARAMETERS
    night.feed(engine, 2, 3)
    assert engine.snapshot.hyper == hyper
    assert engine.health.learned == 1


def test_fields_of_cells_are_kept_but_bounded(night, monkeypatch):
    """A cell served by some of the stations gets its own field, fitted once per epoch; old ones are forgotten."""
    monkeypatch.setattr(engine_module, "_CELL_STATIONS", 3)
    monkeypatch.setattr(engine_module, "_KEPT_FIELDS", 4)
    engine = night.engine()
    for moment in range(18):
        night.feed(engine, moment, moment + 1)
        one, other = night.ask(engine, moment), night.ask(engine, moment)
        np.testing.assert_array_equal(one.position_m, other.position_m)
        assert len(engine._fields) <= 4
    assert one.status is RoverStatus.FIXED
    # Three of four stations: other corrections, the same place.
    assert np.linalg.norm(one.position_m - night.rover_m) < 0.05


def test_a_thousand_waiting_queries_are_all_answered_at_their_deadline(night, tools):
    """Queries that wait for an epoch that never comes are each answered once, and forgotten."""
    engine = night.engine()
    body = night.rover[night.moments[0][0]]
    for number in range(1_000):
        engine.handle(PositionAsked(str(number), body, number * NS_PER_MS))
    outputs = []
    while (due_ns := engine.deadline()) is not None:
        outputs += engine.handle(Tick(due_ns))
    assert [answer.request for answer in tools.answers(outputs)] == [str(number) for number in range(1_000)]
    assert engine._waiting == []


# ---------------------------------------------------------------------------------------------------------------- fuzz

_FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@_FUZZ
@given(data=st.binary(max_size=400))
def test_random_bytes_of_a_station_never_raise(night, settled, data):
    """Any bytes from a station lead to outputs, never to an exception."""
    outputs = settled.handle(PayloadArrived("DELF", data, night.moments[25][0]))
    assert all(isinstance(output, InputRefused) for output in outputs)


@_FUZZ
@given(data=st.binary(max_size=400))
def test_random_bytes_of_a_rover_never_raise(night, settled, data):
    """Any bytes from a rover get exactly one answer, a refusal."""
    (output,) = settled.handle(PositionAsked("fuzz", data, night.moments[24][0]))
    assert output.answer.refusal is not None


@_FUZZ
@given(flips=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30), cut=st.integers(0, 400))
def test_flipped_bits_in_a_right_frame_never_raise(night, tools, settled, flips, cut):
    """A rover body with wrong contents under a right checksum is answered once; a position claims its uncertainty."""
    time_ns = night.moments[24][0]
    frame = _messages(night.rover[time_ns])[-1]
    damaged = bytearray(frame[: max(20, len(frame) - cut)])
    for flip in flips:
        at = 12 + flip % (8 * len(damaged) - 12)  # the message number stays
        damaged[at // 8] ^= 1 << (at % 8)
    outputs = settled.handle(PositionAsked("fuzz", encode_frame(bytes(damaged)), time_ns))
    while not tools.answers(outputs):
        outputs += settled.handle(Tick(settled.deadline()))
    (answer,) = tools.answers(outputs)
    if answer.refusal is None:
        assert np.all(np.isfinite(answer.position_m))
        assert np.all(np.linalg.eigvalsh(answer.covariance_m2) > 0.0)


class _Grammar:
    """Random events for an engine: good payloads, every kind of damage, queries and time passing."""

    def __init__(self, night, rng):
        self.night = night
        self.rng = rng
        self.host_ns = 0
        self.moment = 0
        self.pending = []
        self.asked = 0

    def event(self):
        roll = self.rng.integers(1000)
        self.host_ns += int(self.rng.integers(0, 5 * NS_PER_MS))
        if roll < 8:
            return self._good()
        if roll < 500:
            return self._damaged()
        if roll < 510:
            return self._query()
        if roll < 800:
            self.asked += 1
            return PositionAsked(f"junk{self.asked}", self.rng.bytes(int(self.rng.integers(200))), self.host_ns)
        if roll < 802:
            return HyperparametersLearned(0, DEFAULT_HYPERPARAMETERS)
        self.host_ns += int(self.rng.integers(0, 80 * NS_PER_MS))
        return Tick(self.host_ns)

    def _good(self):
        if not self.pending:
            self.moment = min(self.moment + 1, len(self.night.moments) - 1)
            self.pending = [pair for pair in self.night.moments[self.moment][1] if self.rng.random() < 0.9]
        station, payload = self.pending.pop() if self.pending else self.night.moments[self.moment][1][0]
        return PayloadArrived(station, payload, self.host_ns)

    def _damaged(self):
        _, payloads = self.night.moments[self.rng.integers(self.moment + 1)]
        station, payload = payloads[self.rng.integers(len(payloads))]
        kind = self.rng.integers(6)
        if kind == 0:
            payload = payload[: self.rng.integers(len(payload))]
        elif kind == 1:
            payload = self.rng.bytes(int(self.rng.integers(100)))
        elif kind == 2:
            broken = bytearray(payload)
            broken[self.rng.integers(len(broken))] ^= 1 << int(self.rng.integers(8))
            payload = bytes(broken)
        elif kind == 3:
            station = "NOPE"
        elif kind == 4:
            frames = _messages(payload)
            message = bytearray(frames[self.rng.integers(len(frames))])
            for _ in range(3):
                at = self.rng.integers(12, 8 * len(message))
                message[at // 8] ^= 1 << int(at % 8)
            payload = encode_frame(bytes(message)) if self.rng.random() < 0.05 else payload[:7]
        else:
            payload = payload[self.rng.integers(len(payload)) :]
        return PayloadArrived(station, payload, self.host_ns)

    def _query(self):
        time_ns = self.night.moments[np.clip(self.moment + self.rng.integers(-2, 2), 0, len(self.night.moments) - 1)][0]
        self.asked += 1
        return PositionAsked(f"real{self.asked}", self.night.rover[time_ns], self.host_ns)


def test_twenty_thousand_random_events(night, tools):
    """Whatever comes in whatever order: nothing raises, every query is answered once, memory stays bounded."""
    rng = np.random.default_rng(4)
    engine, grammar = night.engine(), _Grammar(night, rng)
    outputs = night.feed(engine, 0, 1)
    grammar.host_ns = night.moments[0][0]
    for _ in range(20_000):
        outputs += engine.handle(grammar.event())
        assert len(engine._waiting) <= 500  # half a second of queries at the rate of the grammar
        assert len(engine._assembler._open) <= len(night.moments) + 200
        assert len(engine._snapshots) <= 10
        assert len(engine._fields) <= 256
    while (due_ns := engine.deadline()) is not None:
        outputs += engine.handle(Tick(due_ns))
    requests = [answer.request for answer in tools.answers(outputs)]
    assert len(requests) == len(set(requests)) == grammar.asked
    assert dict(engine.health.refusals) == dict(tools.counted(outputs))
    assert engine.health.network_epochs > 15
