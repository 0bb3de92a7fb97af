"""Saved states: bit for bit there and back, damage refused with a sentence, and an engine that goes on from one."""

from dataclasses import fields, is_dataclass, replace

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpsgrid import saved_state
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import InputRefused, NetworkChanged, NetworkSolved, NetworkTaken, PayloadArrived
from gpsgrid.rehearsal import START_NS, STEP_NS, rehearsal_network, station_payloads
from gpsgrid.saved_state import SavedState, SolverState, decode_state, encode_state, saved_ephemerides
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS, SATELLITE_SLOTS
from models.field.scale import ScaleState
from models.network_state import PER_ARC, NetworkPolicy, init
from stations.catalog import Station
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris

CALENDAR_NS = START_NS + 86_400 * NS_PER_S
FROM, UNTIL = 20, 25  # moments of the night
SAME_M = 0.001
KNOWN_CYC = 0.02  # as the filter's own limit for what is held


def filled(rng, value, prefix, count):
    """Return a dataclass with random numbers in its arrays, ``count`` of them along the last axis."""
    columns = {}
    for field in fields(value):
        array = getattr(value, field.name)
        if isinstance(array, np.ndarray) and field.name.startswith(prefix):
            shape = (*array.shape[:-1], count)
            drawn = rng.integers(-(2**62), 2**62, shape) if array.dtype == np.int64 else rng.normal(size=shape)
            columns[field.name] = drawn > 0.0 if array.dtype == np.bool_ else drawn
    return replace(value, **columns)


def made_up(seed, stations, arcs):
    """Return a state of random numbers, negative zeros and extreme values among them."""
    rng = np.random.default_rng(seed)
    names = tuple(f"S{k}" for k in range(stations))
    size = 1 + stations + PER_ARC * arcs
    root = rng.normal(size=(size, size))
    mean = rng.normal(size=size) * 10.0 ** rng.integers(-300, 300, size)
    mean[0] = -0.0
    blank = init(NetworkPolicy(), names, rng.normal(size=(stations, 3)))
    signals = replace(filled(rng, blank.signals, "", arcs), key=np.arange(arcs))
    strength = replace(filled(rng, signals.strength, "", arcs), key=np.arange(arcs))
    network = replace(
        filled(rng, blank, "arc_", arcs),
        time_ns=int(rng.integers(2**62)),
        mean=mean,
        covariance=root @ root.T,
        arc_station=rng.integers(0, max(stations, 1), arcs),
        misfit_epochs=rng.integers(0, 9, stations),
        signals=replace(signals, strength=strength),
    )
    scales = ScaleState(*rng.gamma(1.0, size=(3, SATELLITE_SLOTS)))
    solver = SolverState(network, scales, DEFAULT_HYPERPARAMETERS, *rng.gamma(1.0, size=3).tolist(), ((0, 7), (2, 211)))
    vector = (1.5e7, -2.25e6, 0.1 + 0.2)
    heard = (
        GlonassEphemeris(103, 5, 6, 7, -7, 0, 1, 2, 1e-5, -0.0, 5e-324, vector, vector, vector),
        SbasEphemeris(323, 1, 2, 3, 4, 5.0, 6.0, 7.0, vector, vector, vector),
    )
    places = tuple(Station(name, tuple(rng.normal(size=3).tolist()), "A" * 20, "é") for name in names)
    return SavedState(
        CALENDAR_NS, "ITRF2014", 2021.0, places, solver, 0.5, True, saved_ephemerides(heard), {103: -7, 124: 6}
    )


def same(one, other):
    """Return whether two values are the same bit for bit, arrays and what they are made of included."""
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and repr(one) == repr(other)


def forged(**changes):
    """Return a file with a right checksum whose network state was changed."""
    state = made_up(1, 3, 4)
    solver = replace(state.solver, network=replace(state.solver.network, **changes))
    return encode_state(replace(state, solver=solver))


@given(seed=st.integers(0, 2**32), stations=st.integers(0, 6), arcs=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_a_state_comes_back_bit_for_bit(seed, stations, arcs):
    state = made_up(seed, stations, arcs if stations else 0)
    data = encode_state(state)
    back = decode_state(data)
    assert same(back, state)
    assert encode_state(back) == data
    assert back.solver.network.mean.flags.writeable


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damage_is_refused_with_a_sentence(data):
    good = encode_state(made_up(2, 3, 4))
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(good) - 1))
    some = data.draw(st.binary(max_size=200))
    flipped = good[:at] + bytes([good[at] ^ byte]) + good[at + 1 :]
    for damaged in (
        flipped,
        good[:cut],
        good + some + b"\0",
        some,
        good[:64] + some,
        good[:at] + some + good[at:] + b"x",
    ):
        with pytest.raises(GpsgridError, match="the engine starts without it") as refused:
            decode_state(damaged, "there.state")
        assert refused.value.reason is Reason.BROKEN_FILE
        assert "there.state" in str(refused.value)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_forged_document_with_a_right_checksum_is_a_state_or_is_refused(data):
    body = bytearray(msgspec.msgpack.encode(made_up(3, 2, 2), enc_hook=saved_state._array_out))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    digest = saved_state.hashlib.sha256(body).digest()
    header = saved_state._HEADER.pack(b"gpsgrid\n", saved_state.FORMAT, saved_state._layout(), len(body), digest)
    try:
        decoded = decode_state(header + bytes(body))
    except GpsgridError as error:
        assert error.reason is Reason.BROKEN_FILE
    else:
        assert isinstance(decoded, SavedState)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": np.zeros(3)}, "mean has the shape"),
        ({"covariance": np.full((16, 16), np.nan)}, "no number"),
        ({"covariance": -np.eye(16)}, "negative"),
        ({"covariance": np.arange(256.0).reshape(16, 16)}, "not symmetric"),
        ({"arc_station": np.array([0, 1, 2, 3])}, "none of the 3 stations"),
        ({"arc_epochs": np.zeros(3, dtype=np.int64)}, "expected 4 arcs"),
        ({"stations": ("A", "B", "C")}, "not those of the network"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(changes, words):
    with pytest.raises(GpsgridError, match=words):
        decode_state(forged(**changes))


def test_a_file_of_another_version_is_refused(monkeypatch):
    data = encode_state(made_up(4, 1, 1))
    monkeypatch.setattr(saved_state, "FORMAT", saved_state.FORMAT + 1)
    with pytest.raises(GpsgridError, match="another version"):
        decode_state(data)


def test_the_layout_follows_from_every_field_all_the_way_down():
    described = saved_state._described(SavedState)
    for word in ("arc_phase_m:array[float64]", "arc_seen_ns:array[int64]", "sqrt_a", "tau_gps_s", "vtec_length_m"):
        assert word in described


def held(engine):
    """Return the integers that are held: station and satellite pairs of each cycle, and both numbers."""
    state, info = engine.snapshot.state, engine.snapshot.info
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    found = {}
    for row in np.flatnonzero(info.fixed):
        basis = info.basis[row]
        arcs = np.flatnonzero(basis)
        cycle = [(state.stations[state.arc_station[k]], int(state.arc_satellite[k]), int(basis[k])) for k in arcs]
        numbers = [float(basis @ state.mean[index + band]) for band in (1, 2)]
        assert np.abs(numbers - np.rint(numbers)).max() < 0.05
        found[tuple(sorted(cycle))] = tuple(np.rint(numbers).astype(int).tolist())
    return found


def later(night, seconds=20.0, **changes):
    """Return a new process's engine whose host calendar has gone on since the state was taken."""
    return night.engine(near_ns=CALENDAR_NS + round(seconds * NS_PER_S), **changes)


@pytest.fixture(scope="module")
def stopped(night):
    """The file of an engine that was stopped after 20 moments."""
    engine = night.engine()
    night.feed(engine, 0, FROM)
    return encode_state(engine.saved_state(CALENDAR_NS))


@pytest.mark.data
def test_after_a_restart_the_integers_and_answers_are_the_same(night, stopped, settled):
    engine = later(night)
    restored = engine.restore(decode_state(stopped))
    assert restored.changes.kept == tuple(station.id for station in night.network.stations)
    assert restored.age_s == 20.0
    first = night.feed(engine, FROM, FROM + 1)
    assert any(isinstance(output, NetworkSolved) and output.fixed_share > 0.9 for output in first)
    assert night.ask(engine, FROM).status == "fixed"
    night.feed(engine, FROM + 1, UNTIL)
    assert held(engine) == held(settled)
    before, after = night.ask(settled, UNTIL - 1), night.ask(engine, UNTIL - 1)
    assert before.status == after.status == "fixed"
    assert np.linalg.norm(np.subtract(before.position_m, after.position_m)) < SAME_M


@pytest.mark.data
def test_epochs_that_were_missed_cost_no_integers(night, stopped, settled):
    """Two moments of 30 s pass while the process is away; the filter keeps arcs for 95 s."""
    engine = later(night, 60.0)
    engine.restore(decode_state(stopped))
    night.feed(engine, FROM + 2, UNTIL)
    mine, others = held(engine), held(settled)
    assert mine == others


@pytest.mark.data
def test_after_minutes_arcs_are_gone_and_hyperparameters_stay(night, stopped):
    state = decode_state(stopped)
    hyper = replace(state.solver.hyper, vtec_sd_m=0.111)
    engine = later(night, 3600.0)
    engine.restore(replace(state, learned=True, solver=replace(state.solver, hyper=hyper)))
    night.feed(engine, FROM + 5, FROM + 6)  # 180 s after the last moment of the state
    assert engine.snapshot.hyper == hyper
    assert engine.snapshot.info.fixed_share < 0.1
    assert (engine.snapshot.state.arc_epochs <= 1).all()
    assert engine.snapshot.trusted


@pytest.mark.data
@pytest.mark.parametrize("change", ["moved", "antenna", "height"])
def test_a_station_moved_by_decree_begins_anew_and_the_others_go_on(night, stopped, settled, change):
    moved, other = night.network.station("ROVN"), night.network.station("DELF")
    x_m, y_m, z_m = moved.position_m
    changes = {
        "moved": {"position_m": (x_m + 0.001, y_m, z_m)},
        "antenna": {"antenna": other.antenna, "antenna_serial": other.antenna_serial},
        "height": {"antenna_height_m": moved.antenna_height_m + 0.01},
    }[change]
    stations = tuple(
        replace(station, **changes) if station.id == "ROVN" else station for station in night.network.stations
    )
    engine = later(night, network=replace(night.network, stations=stations))
    restored = engine.restore(decode_state(stopped))
    assert restored.changes.moved == ("ROVN",)
    night.feed(engine, FROM, FROM + 1)
    state = engine.snapshot.state
    of_moved = state.arc_station == state.stations.index("ROVN")
    assert (state.arc_epochs[of_moved] <= 1).all()
    assert state.arc_epochs[~of_moved].max() > FROM - 2
    others = {cycle: numbers for cycle, numbers in held(engine).items() if all(name != "ROVN" for name, *_ in cycle)}
    assert len(others) > 10
    _assert_same_differences(engine, settled, "ROVN")


def _assert_same_differences(engine, reference, anew):
    """Compare what an engine holds with the same cycles of another one, but for a station that began anew."""
    state = reference.snapshot.state
    arcs = {
        (state.stations[station], satellite): arc
        for arc, (station, satellite) in enumerate(
            zip(state.arc_station.tolist(), state.arc_satellite.tolist(), strict=True)
        )
    }
    compared = 0
    for cycle, numbers in held(engine).items():
        if any(name == anew or (name, satellite) not in arcs for name, satellite, _ in cycle):
            continue
        signs = np.array([sign for *_, sign in cycle])
        index = state.ionosphere_index(np.array([arcs[name, satellite] for name, satellite, _ in cycle]))
        for band, number in enumerate(numbers, start=1):
            rows = np.ix_(index + band, index + band)
            if signs @ state.covariance[rows] @ signs < KNOWN_CYC**2:
                assert round(float(signs @ state.mean[index + band])) == number
                compared += 1
    assert compared > 20


@pytest.mark.data
def test_stations_leave_and_join_between_two_processes(night, stopped):
    """The file knows all stations in another order, one that has left, and lacks one that is new."""
    state = decode_state(stopped)
    network = night.network
    engine = night.engine(network=network.without("EIJS"), near_ns=CALENDAR_NS)
    restored = engine.restore(state)
    assert restored.changes.left == ("EIJS",)
    night.feed(engine, FROM, FROM + 1, without=("EIJS",))
    assert "EIJS" not in engine.snapshot.state.stations
    assert engine.snapshot.info.fixed_share > 0.9
    after = encode_state(engine.saved_state(CALENDAR_NS))

    turned = replace(network, stations=network.stations[::-1])
    engine = night.engine(network=turned, near_ns=CALENDAR_NS)
    restored = engine.restore(decode_state(after))
    assert restored.changes.joined == ("EIJS",)
    night.feed(engine, FROM + 1, FROM + 2)
    kept = {cycle for cycle in held(engine) if all(name != "EIJS" for name, *_ in cycle)}
    assert len(kept) > 10
    assert night.ask(engine, FROM + 1).status == "fixed"


@pytest.mark.data
@pytest.mark.parametrize(
    ("seconds", "changes", "words"),
    [
        (-3600.0, {}, "in the future"),
        (7 * 3600.0, {}, "7.0 h old"),
        (1.0, {"frame": "ETRF2000"}, "ETRF2000"),
        (1.0, {"epoch": 2010.0}, "2010"),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_engine_starts_cold(night, stopped, seconds, changes, words):
    engine = later(night, seconds, network=replace(night.network, **changes))
    with pytest.raises(GpsgridError, match=words) as refused:
        engine.restore(decode_state(stopped))
    assert refused.value.reason is Reason.UNUSABLE_STATE
    night.feed(engine, 0, 2)
    assert len(engine.snapshot.state.arc_station) > 0
    assert engine.snapshot.info.fixed_share < 0.1


@pytest.mark.data
def test_data_from_before_the_state_make_the_engine_start_anew(night, stopped):
    engine = later(night)
    engine.restore(decode_state(stopped))
    outputs = night.feed(engine, 0, 4)
    refused = [one.reason for one in outputs if isinstance(one, InputRefused)]
    assert Reason.UNUSABLE_STATE in refused
    assert engine.snapshot.time_ns == night.moments[3][0]
    assert (engine.snapshot.state.arc_epochs <= 4).all()


def test_nothing_is_saved_before_the_first_epoch_and_everything_after():
    network = rehearsal_network()
    engine = Engine(EngineConfig(network, None, START_NS))
    assert engine.saved_state(START_NS) is None
    for station, payload in station_payloads(network, START_NS):
        engine.handle(PayloadArrived(station, payload, 0))
    state = engine.saved_state(START_NS)
    assert len(state.ephemerides.gps) == 30
    following = Engine(EngineConfig(network, None, START_NS + STEP_NS))
    following.restore(decode_state(encode_state(state)))
    outputs = []
    for station, payload in station_payloads(network, START_NS + STEP_NS):
        outputs += following.handle(PayloadArrived(station, payload, 0))
    assert any(isinstance(output, NetworkSolved) for output in outputs)
    assert following.snapshot.state.arc_epochs.max() == 2


# ---- the same while the engine runs


@pytest.mark.data
def test_a_station_leaves_and_comes_back_while_the_engine_runs(night, settled):
    engine = night.engine()
    night.feed(engine, 0, FROM)
    (taken,) = engine.handle(NetworkChanged(night.network.without("EIJS"), night.antennas))
    assert isinstance(taken, NetworkTaken)
    assert taken.changes.left == ("EIJS",)
    assert night.ask(engine, FROM - 1).status == "none"  # no picture of the new network yet
    night.feed(engine, FROM, FROM + 2, without=("EIJS",))
    assert engine.snapshot.info.fixed_share > 0.9
    assert set(engine.health.stations) == {"DELF", "ROVN", "WSRA"}
    (taken,) = engine.handle(NetworkChanged(night.network, night.antennas))
    assert taken.changes.joined == ("EIJS",)
    night.feed(engine, FROM + 2, UNTIL)
    assert night.ask(engine, UNTIL - 1).status == "fixed"
    _assert_same_differences(engine, settled, "EIJS")


@pytest.mark.data
def test_a_network_with_an_unknown_antenna_is_refused_and_the_old_one_stays(night):
    engine = night.engine()
    night.feed(engine, 0, 2)
    stations = (replace(night.network.stations[0], antenna_serial="nobody's"), *night.network.stations[1:])
    (refused,) = engine.handle(NetworkChanged(replace(night.network, stations=stations), night.antennas))
    assert isinstance(refused, InputRefused)
    assert refused.reason is Reason.UNKNOWN_ANTENNA
    assert "stays as it was" in refused.text
    assert engine.config.network == night.network
    night.feed(engine, 2, 3)
    assert engine.snapshot.state.arc_epochs.max() == 3


def test_another_frame_keeps_no_integers():
    network = rehearsal_network()
    engine = Engine(EngineConfig(network, None, START_NS))
    for station, payload in station_payloads(network, START_NS):
        engine.handle(PayloadArrived(station, payload, 0))
    (taken,) = engine.handle(NetworkChanged(replace(network, frame="ETRF2000"), None))
    assert taken.changes.moved == ("A", "B", "C", "D")
    for station, payload in station_payloads(network, START_NS + STEP_NS):
        engine.handle(PayloadArrived(station, payload, STEP_NS))
    assert engine.snapshot.state.arc_epochs.max() == 1


def test_what_a_leaving_station_has_sent_is_not_waited_for():
    """Two of four stations have sent an epoch when one of them leaves; the epoch closes with the other three."""
    network = rehearsal_network()
    engine = Engine(EngineConfig(network, None, START_NS))
    payloads = dict(station_payloads(network, START_NS))
    for station in ("A", "B"):
        engine.handle(PayloadArrived(station, payloads[station], 0))
    engine.handle(NetworkChanged(network.without("B"), None))
    engine.handle(PayloadArrived("C", payloads["C"], 0))
    outputs = engine.handle(PayloadArrived("D", payloads["D"], 0))
    (solved,) = [output for output in outputs if isinstance(output, NetworkSolved)]
    assert solved.stations == ("A", "C", "D")
