"""Streams of cells and clients: who gets which, what is due, and phases that survive a move."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gpsgrid import virtual_stream
from gpsgrid.client_position import SentenceBuffer, position_of
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import PayloadArrived
from gpsgrid.grid import cell_at
from gpsgrid.rehearsal import START_NS, STEP_NS, rehearsal_network, station_payloads
from gpsgrid.stream import PlaceStream, StationStream, itrf_year
from gpsgrid.streams import Kind, StreamPolicy, Streams
from gpsgrid.vrs_messages import VrsEncoder
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.feed import EpochReceived, Feed, PositionReceived
from stations.frames import ecef_from_geodetic
from stations.nmea import Gga, write_gga

NETWORK = rehearsal_network()
POLICY = StreamPolicy(cell_reach_m=12_000.0)


def at(latitude_deg, longitude_deg, height_m=50.0):
    return ecef_from_geodetic(float(np.radians(latitude_deg)), float(np.radians(longitude_deg)), height_m)


HERE = at(52.1, 5.2)
MOON = at(52.1, 5.2, 384_400_000.0)


def north_of(position_m, metres):
    return position_m + metres * (at(52.2, 5.2) - at(52.1, 5.2)) / np.linalg.norm(at(52.2, 5.2) - at(52.1, 5.2))


@pytest.fixture
def streams():
    return Streams(NETWORK, 5, POLICY)


@pytest.fixture(scope="module")
def engines():
    """Views of twelve epochs at any place: an engine a moment would be slow, so places are asked while it goes on."""

    def run(visit, epochs=12, first=0):
        engine = Engine(EngineConfig(NETWORK, None, START_NS))
        for number in range(epochs):
            time_ns = START_NS + number * STEP_NS
            for station, payload in station_payloads(NETWORK, time_ns):
                engine.handle(PayloadArrived(station, payload, number * STEP_NS))
            if number >= first:
                visit(number, engine)

    return run


# ---- who gets what


def test_cells_near_stations_stand_nearest_first_and_have_the_height_of_their_station(streams):
    homes = {cell_at(station.marker_m, 5) for station in NETWORK.stations}
    assert homes <= set(streams.standing)
    assert len(streams.standing) == len(set(streams.standing))
    assert len(Streams(NETWORK, 5, replace(POLICY, maximum_cells=3)).standing) == 3
    for stream in streams.due(0):
        nearest_m = min(np.linalg.norm(stream.position_m - station.marker_m) for station in NETWORK.stations)
        assert nearest_m < 25_000.0


def test_a_client_keeps_its_place_until_it_has_moved_and_then_follows(streams):
    first = streams.settle("a", Kind.OWN, HERE, 0, expires=True)
    assert np.allclose(first.position_m, HERE, atol=1e-3)
    assert streams.settle("a", Kind.OWN, north_of(HERE, 4900.0), 1, expires=True) is first
    second = streams.settle("a", Kind.OWN, north_of(HERE, 5100.0), 2, expires=True)
    assert second is not first
    assert first not in streams.due(1)  # nobody listens any more
    assert streams.places == 1
    assert streams.counts.moved == 1


def test_newcomers_share_a_place_and_part_when_one_of_them_leaves_the_neighbourhood(streams):
    first = streams.settle("a", Kind.OWN, HERE, 0, expires=True)
    assert streams.settle("b", Kind.OWN, north_of(HERE, 900.0), 0, expires=True) is first
    assert streams.settle("c", Kind.OWN, north_of(HERE, 1100.0), 0, expires=True) is not first
    assert streams.listeners(first.name) == {"a", "b"}
    moved = streams.settle("b", Kind.OWN, north_of(HERE, 6000.0), 0, expires=True)
    assert moved is not first
    assert streams.listeners(first.name) == {"a"}


def test_silent_clients_are_forgotten_unless_they_hold_a_connection(streams):
    streams.settle("mqtt", Kind.OWN, HERE, 0, expires=True)
    streams.settle("ntrip", Kind.OWN, at(52.0, 5.0), 0, expires=False)
    names = [station.id for station in NETWORK.stations]
    streams.epoch(names, round(POLICY.silent_s * NS_PER_S))
    assert streams.clients == 2
    streams.epoch(names, round(POLICY.silent_s * NS_PER_S) + 1)
    assert (streams.clients, streams.places, streams.counts.expired) == (1, 1, 1)


@pytest.mark.parametrize("place", [MOON, at(0.0, 0.0), np.full(3, np.nan)])
@pytest.mark.parametrize("kind", list(Kind))
def test_places_where_nothing_reaches_are_refused_and_cost_nothing(streams, place, kind):
    before = len(streams.due(0))
    with pytest.raises(GpsgridError, match="corrections reach 120 km") as caught:
        streams.settle("a", kind, place, 0, expires=True)
    assert caught.value.reason is Reason.OUTSIDE_NETWORK
    assert (streams.clients, len(streams.due(0)), streams.counts.refused) == (0, before, 1)


def test_a_refused_move_leaves_what_was_there(streams):
    mine = streams.settle("a", Kind.OWN, HERE, 0, expires=True)
    with pytest.raises(GpsgridError):
        streams.settle("a", Kind.OWN, MOON, 0, expires=True)
    assert streams.listeners(mine.name) == {"a"}


def test_places_and_clients_are_limited_but_a_lone_client_may_move():
    streams = Streams(NETWORK, 5, replace(POLICY, maximum_places=2, maximum_clients=3))
    streams.settle("a", Kind.OWN, HERE, 0, expires=True)
    streams.settle("b", Kind.OWN, at(52.2, 5.2), 0, expires=True)
    with pytest.raises(GpsgridError) as caught:
        streams.settle("c", Kind.OWN, at(52.0, 5.2), 0, expires=True)
    assert caught.value.reason is Reason.QUEUE_FULL
    streams.settle("a", Kind.OWN, at(52.0, 5.2), 0, expires=True)
    streams.settle("c", Kind.OWN, at(52.0, 5.2), 0, expires=True)
    with pytest.raises(GpsgridError, match="3 clients"):
        streams.settle("d", Kind.NEAREST, HERE, 0, expires=True)


def test_a_cell_is_made_for_whoever_is_in_it_and_changes_only_clearly_beyond_the_border(streams):
    inside = streams.settle("a", Kind.CELL, HERE, 0, expires=False)
    assert inside.name == f"cell/{cell_at(HERE, 5)}"
    steps = [north_of(HERE, metres) for metres in range(0, 40_000, 500)]
    seen = [streams.settle("a", Kind.CELL, place, 0, expires=False).name for place in steps]
    changes = sum(one != two for one, two in pairwise(seen))
    assert 1 <= changes <= 4
    back = [streams.settle("a", Kind.CELL, place, 0, expires=False).name for place in reversed(steps)]
    assert back != seen[::-1]  # hysteresis


def test_cells_that_the_operator_chose_are_the_only_ones():
    chosen = tuple(cell_at(station.marker_m, 5) for station in NETWORK.stations[:2])
    streams = Streams(NETWORK, 5, POLICY, cells=chosen)
    assert streams.standing == chosen
    assert streams.settle("a", Kind.CELL, at(52.2, 4.6), 0, expires=False).name.removeprefix("cell/") in chosen


def test_the_nearest_station_is_left_only_when_another_is_clearly_nearer_or_it_is_gone(streams):
    a, b = (NETWORK.station(name).marker_m for name in "AB")
    stream = streams.settle("x", Kind.NEAREST, a, 0, expires=False)
    assert isinstance(stream, StationStream)
    assert stream.station.id == "A"
    for share, expected in ((0.52, "A"), (0.60, "B"), (0.48, "B"), (0.40, "A")):
        place = (1.0 - share) * a + share * b
        assert streams.settle("x", Kind.NEAREST, place, 0, expires=False).station.id == expected
    others = [station.id for station in NETWORK.stations if station.id != "A"]
    streams.epoch(others, 10 * NS_PER_S)
    assert streams.listeners("station/A") == {"x"}  # an outage may be short
    assert streams.settle("new", Kind.NEAREST, a, 0, expires=False).station.id != "A"
    streams.epoch(others, 20 * NS_PER_S)
    assert streams.listeners("station/A") == frozenset()
    assert streams.clients == 2


def test_what_waits_longest_is_due_first_and_listeners_before_others(streams):
    mine = streams.settle("a", Kind.OWN, HERE, 0, expires=True)
    assert streams.due(1)[0] is mine
    mine.last_ns = 1
    late = streams.due(2)
    assert late[-1] is mine
    assert mine not in streams.due(1)


def test_a_changed_network_keeps_streams_and_moves_clients_of_stations_that_are_gone(streams):
    mine = streams.settle("own", Kind.OWN, HERE, 0, expires=True)
    streams.settle("near", Kind.NEAREST, NETWORK.station("A").marker_m, 0, expires=False)
    streams.change_network(NETWORK.without("A"))
    assert streams.listeners(mine.name) == {"own"}
    assert streams.listeners("station/A") == frozenset()
    assert streams.clients == 2
    assert cell_at(NETWORK.station("B").marker_m, 5) in streams.standing


# ---- what they say


def _epochs(payload):
    return [event.epoch for event in Feed("").push(payload, START_NS) if isinstance(event, EpochReceived)]


def _position(payload):
    found = [event for event in Feed("").push(payload, START_NS) if isinstance(event, PositionReceived)]
    return found[-1].position.position_m if found else None


def test_a_stream_says_where_it_is_first_and_to_whoever_joins(engines):
    stream, seen = PlaceStream("place/1", "x", HERE, NETWORK, POLICY.layout), []

    def visit(number, engine):
        if number == 6:
            stream.describe_again()
        made = stream.step(POLICY.virtual, engine.view(HERE))
        assert stream.step(POLICY.virtual, engine.view(HERE)) is None  # the same epoch again
        seen.append(made)

    engines(visit, epochs=8)
    sent = [made for made in seen if made.report.epoch is not None]
    assert len(sent) == 8
    assert all(len(_epochs(made.payload)) == 1 for made in sent)
    assert set(sent[0].report.sd_m) <= set(sent[0].satellite.tolist())


def test_phases_go_on_through_a_move_as_if_the_station_had_been_there_all_the_time(engines):
    """Twin: the same stream made at the new place from the start; double differences with it must not change."""
    there = north_of(HERE, 6000.0)
    streams = Streams(NETWORK, 5, POLICY)
    streams.settle("r", Kind.OWN, HERE, 0, expires=True)
    twin = PlaceStream("twin", "twin", there, NETWORK, POLICY.layout)
    differences, locks, numbers = [], [], []

    def visit(number, engine):
        if number == 6:
            streams.settle("r", Kind.OWN, there, 0, expires=True)
        (mine,) = [one for one in streams.due(START_NS + number * STEP_NS) if one.name.startswith("place/")]
        made = mine.step(POLICY.virtual, engine.view(mine.position_m))
        other = twin.step(POLICY.virtual, engine.view(there))
        (epoch,), (reference,) = _epochs(made.payload), _epochs(other.payload)
        locks.append(int(epoch.lock_ms.min()))
        numbers.append(mine._encoder.number)
        if number >= 6:
            assert np.array_equal(epoch.satellite, reference.satellite)
            cycles = epoch.phase_cyc - reference.phase_cyc
            keys = (epoch.satellite * 1000 + epoch.signal).tolist()
            differences.append(dict(zip(keys, (cycles - cycles[0]).tolist(), strict=True)))

    engines(visit)
    assert len(set(numbers)) == 1
    assert all(later > earlier for earlier, later in pairwise(locks))
    for earlier, later in pairwise(differences):
        both = earlier.keys() & later.keys()
        assert len(both) >= 16
        # Whole cycles, chosen by the aligners of two streams, and the same in every epoch.
        assert max(abs(later[key] - round(later[key])) for key in both) < 0.01
        assert all(round(earlier[key]) == round(later[key]) for key in both)


def test_an_encoder_that_has_moved_adds_the_same_cycles(engines):
    """Phases far from their codes are brought near them once an arc; a move is no new arc."""
    encoder = VrsEncoder(HERE, 9, NETWORK)
    stream, there = PlaceStream("place/1", "x", HERE, NETWORK, POLICY.layout), north_of(HERE, 6000.0)
    sent = []

    def visit(number, engine):
        nonlocal encoder
        _, report = virtual_stream.step(POLICY.virtual, virtual_stream.init(), engine.view(HERE), stream.position_m)
        # Codes move against the phases meanwhile: a new arc would be brought to where they are now.
        away_m = 40.0 if number >= 6 else 0.0
        far = replace(
            report.epoch,
            phase_cyc=report.epoch.phase_cyc + 123_456.0,
            pseudorange_m=report.epoch.pseudorange_m + away_m,
            lock_ms=report.epoch.lock_ms + 100,
        )
        if number == 6:
            encoder = encoder.moved(there)
        sent.append((encoder.encode(replace(report, epoch=far)), far))

    engines(visit, epochs=8, first=4)
    offsets = []
    for payload, epoch in sent:
        keys = (epoch.satellite * 1000 + epoch.signal).tolist()
        added = np.rint(_epochs(payload)[0].phase_cyc - epoch.phase_cyc)
        offsets.append(dict(zip(keys, added.tolist(), strict=True)))
    assert all(value < -100_000 for value in offsets[0].values())
    both = offsets[1].keys() & offsets[2].keys()
    assert len(both) >= 16
    assert all(offsets[1][key] == offsets[2][key] for key in both)
    assert np.allclose(_position(sent[2][0]), there, atol=1e-4)


def test_a_physical_station_is_sent_as_it_came(engines):
    station = NETWORK.stations[0]
    stream, sent = StationStream("station/A", station, 7, POLICY.layout, 14), []

    def visit(number, engine):
        made = stream.step(POLICY.virtual, engine.view(HERE))
        sent.append((made, engine.view(HERE).raw[station.id]))

    engines(visit, epochs=3)
    for made, raw in sent:
        (epoch,) = _epochs(made.payload)
        assert np.array_equal(epoch.satellite, raw.satellite)
        assert np.abs(epoch.pseudorange_m - raw.pseudorange_m).max() < 1e-3
    assert np.allclose(_position(sent[0][0].payload), station.reference_point_m, atol=1e-4)
    assert all(_position(made.payload) is not None for made, _ in sent)  # 30 s apart: every epoch is described


def test_the_realisation_of_the_frame_is_told_where_it_is_one():
    assert [itrf_year(name) for name in ("ITRF2014", "ITRF97", "itrf2020", "ETRF2000", "EPSG:7912")] == [
        14,
        0,
        20,
        0,
        0,
    ]


# ---- where clients are


def _gga(latitude_deg=52.1, longitude_deg=5.2, height_m=50.0, **more):
    return write_gga(Gga(START_NS, np.radians(latitude_deg), np.radians(longitude_deg), height_m, **more))


def test_a_position_is_read_and_a_receiver_without_one_tells_none():
    assert np.linalg.norm(position_of(_gga(), START_NS) - HERE) < 0.01
    assert position_of(_gga(quality=0), START_NS) is None
    assert position_of("$GPGSA,A,3,,,,,,,,,,,,,,,*12", START_NS) is None
    separated = position_of(_gga(height_m=7.0, geoid_separation_m=43.0), START_NS)
    assert np.linalg.norm(separated - HERE) < 0.01
    assert position_of(_gga(geoid_separation_m=float("nan")), START_NS) is not None


@pytest.mark.parametrize("sentence", [_gga(height_m=384_400_000.0), _gga(height_m=-2000.0), "$GPGGA,1*00", "hello"])
def test_impossible_positions_are_refused_in_words(sentence):
    with pytest.raises(GpsgridError) as caught:
        position_of(sentence, START_NS)
    assert caught.value.reason in {Reason.MALFORMED, Reason.BAD_CRC}


def test_lines_come_out_of_any_chunking_and_endless_ones_are_thrown_away():
    text = (_gga() + _gga(51.0)).encode()
    for size in (1, 7, 1000):
        buffer = SentenceBuffer()
        lines = [line for start in range(0, len(text), size) for line in buffer.push(text[start : start + size])]
        assert lines == text.split()
    buffer = SentenceBuffer()
    for _ in range(1000):
        assert buffer.push(b"x" * 1000) == []
    assert buffer.junk == 1_000_000
