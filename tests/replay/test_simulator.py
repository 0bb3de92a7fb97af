"""The simulator against the models that it tests: what is left after reduction is what was put in, in millimetres."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.ephemeris import satellite_states
from models.geometry import line_of_sight
from models.observables import GPS_L1_L2_M as WAVELENGTHS_M
from models.observables import ionosphere_factor, observables
from models.reduction import Reduced, reduce_epoch
from replay.scenario import IonosphereScenario, OrbitScenario, ReceiverScenario, Scenario, TroposphereScenario, quiet
from replay.simulated_orbits import ISSUE_S, broadcast, earth_angle_rad, make_constellation, true_states
from replay.simulated_receiver import init, move_clock
from replay.simulator import SimulatedEpoch, Simulator, network_of, rover_position_m
from stations import gpstime
from stations.constants import EARTH_ROTATION_RAD_S, NS_PER_S
from stations.feed import EphemerisReceived, EpochReceived, Feed, PositionReceived
from stations.frames import enu_rotation_at
from stations.wire.gps_ephemeris import decode_ephemeris, encode_ephemeris
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import ReferencePosition

MU = ionosphere_factor(WAVELENGTHS_M)

START_NS = gpstime.from_calendar(2026, 5, 3, 10, 17)
PERFECT_ORBITS = OrbitScenario(radial_sd_m=0.0, along_sd_m=0.0, cross_sd_m=0.0, clock_sd_m=0.0)
NO_IONOSPHERE = IonosphereScenario(zenith_m=0.0, gradient_ppm=0.0)
# What the engine assumes when it knows nothing: no gradient and a wet delay of 10 cm at every height.
STANDARD_AIR = TroposphereScenario(
    pressure_hpa=1013.25, pressure_gradient_hpa_per_km=0.0, zwd_m=0.10, zwd_gradient_ppm=0.0, wet_height_m=1e12
)
IONOSPHERE_FREE = np.array([MU[1], -1.0]) / (MU[1] - 1.0)
BEFORE_END_OF_WEEK_NS = gpstime.from_week(2_400, 604_700 * NS_PER_S)


def _simulator(scenario: Scenario, seed: int = 1, start_ns: int = START_NS) -> Simulator:
    return Simulator(scenario, start_ns, np.random.default_rng(seed))


def _receivers(simulator: Simulator, time_ns: int) -> dict[str, SimulatedEpoch]:
    return {**simulator.stations(time_ns), "rover": simulator.rover(time_ns)}


def _integers(simulator: Simulator, name: str) -> np.ndarray:
    state = simulator._rover if name == "rover" else simulator._states[name]
    return state.ambiguity_cyc


def _reduced(simulator: Simulator, time_ns: int) -> dict[str, tuple[Reduced, np.ndarray]]:
    """Return receivers reduced at their true positions with their integers, rows the satellites common to all."""
    ephemerides = {ephemeris.satellite: ephemeris for ephemeris in simulator.ephemerides(time_ns)}
    reduced = {
        name: reduce_epoch(observables(one.epoch), ephemerides, one.position_m, None)
        for name, one in _receivers(simulator, time_ns).items()
    }
    high = [set(one.satellite[one.elevation_rad > np.radians(10.0)].tolist()) for one in reduced.values()]
    common = np.array(sorted(set.intersection(*high)))
    assert len(common) >= 6
    return {
        name: (one.rows(np.isin(one.satellite, common)), _integers(simulator, name)[:, common - 1])
        for name, one in reduced.items()
    }


def _free_of_ionosphere(receivers: dict[str, tuple[Reduced, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return ionosphere-free phases without their integers, metres, shape ``(sat,)`` each."""
    return {name: IONOSPHERE_FREE @ (r.phase_m[:2] - n * WAVELENGTHS_M[:, None]) for name, (r, n) in receivers.items()}


def _double_differences(values: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Yield values (satellites last) of each receiver less the first one, less the first satellite."""
    names = list(values)
    for name in names[1:]:
        single = values[name] - values[names[0]]
        yield single[..., 1:] - single[..., :1]


@pytest.mark.parametrize("start_ns", [START_NS, BEFORE_END_OF_WEEK_NS])
@pytest.mark.parametrize("seed", range(3))
def test_only_integers_are_left_of_phases(seed: int, start_ns: int):
    # 3 mm: the two families of mapping functions differ by that much over 35 km at 10 degrees.
    simulator = _simulator(quiet(Scenario(orbit=PERFECT_ORBITS, troposphere=STANDARD_AIR)), seed, start_ns)
    for second in (0, 1, 77, 200):
        receivers = _reduced(simulator, start_ns + second * NS_PER_S)
        phase_m = {
            name: IONOSPHERE_FREE @ (r.phase_m[:2] - n * WAVELENGTHS_M[:, None]) for name, (r, n) in receivers.items()
        }
        code_m = {name: IONOSPHERE_FREE @ r.code_m[:2] for name, (r, _) in receivers.items()}
        for values in (phase_m, code_m):
            assert max(np.abs(one).max() for one in _double_differences(values)) < 0.003


@pytest.mark.parametrize("seed", range(3))
def test_orbit_errors_reach_positions_only_as_parallax(seed: int):
    # 2 m of orbit seen from two stations 45 km apart, 20,000 km away: 4.5 mm.
    simulator = _simulator(quiet(Scenario(troposphere=STANDARD_AIR)), seed)
    receivers = _reduced(simulator, START_NS)
    phase_m = _free_of_ionosphere(receivers)
    assert max(np.abs(one).max() for one in _double_differences(phase_m)) < 0.003 + 0.0045


def test_ambiguities_are_integers():
    simulator = _simulator(quiet(Scenario(orbit=PERFECT_ORBITS, troposphere=STANDARD_AIR, ionosphere=NO_IONOSPHERE)))
    receivers = _reduced(simulator, START_NS)
    cycles = {name: r.phase_m[:2] / WAVELENGTHS_M[:, None] for name, (r, _) in receivers.items()}
    for one in _double_differences(cycles):
        # 3 mm are 0.016 cycles.
        assert np.abs(one - np.round(one)).max() < 0.016
        assert np.abs(one).min() > 1.0


def test_the_ionosphere_is_quiet_thick_and_of_the_right_sign():
    simulator = _simulator(quiet(Scenario(orbit=PERFECT_ORBITS, troposphere=STANDARD_AIR)))
    receivers = _reduced(simulator, START_NS)
    by_phase, by_code = {}, {}
    for name, (reduced, integers) in receivers.items():
        phase_m = reduced.phase_m[:2] - integers * WAVELENGTHS_M[:, None]
        by_phase[name] = (phase_m[0] - phase_m[1]) / (MU[1] - 1.0)
        by_code[name] = (reduced.code_m[1] - reduced.code_m[0]) / (MU[1] - 1.0)
    differences = list(_double_differences(by_phase))
    # Code and phase feel it with opposite signs.
    np.testing.assert_allclose(list(_double_differences(by_code)), differences, atol=1e-6)
    spread_m = np.concatenate(differences)
    # About 1 ppm in the zenith and up to three times that on slants, over 22 to 45 km, two satellites.
    assert 0.01 < np.sqrt(np.mean(spread_m**2)) < 0.2


def test_weather_differs_between_stations():
    simulator = _simulator(quiet(Scenario(orbit=PERFECT_ORBITS)))
    receivers = _reduced(simulator, START_NS)
    phase_m = _free_of_ionosphere(receivers)
    largest = max(np.abs(one).max() for one in _double_differences(phase_m))
    assert 0.005 < largest < 0.10


@pytest.mark.parametrize("start_ns", [START_NS, BEFORE_END_OF_WEEK_NS, gpstime.from_calendar(2031, 12, 31, 23, 59)])
@pytest.mark.parametrize("seed", range(3))
def test_ephemerides_are_those_of_gps(seed: int, start_ns: int):
    constellation = make_constellation(OrbitScenario(), start_ns, np.random.default_rng(seed))
    marker_m = network_of(Scenario(), start_ns).stations[0].marker_m
    visible = []
    for hour in range(24):
        time_ns = start_ns + hour * 3600 * NS_PER_S
        ephemerides = broadcast(constellation, time_ns)
        assert all(abs(e.toe_ns - time_ns) <= 3600 * NS_PER_S and e.transmitted_ns <= time_ns for e in ephemerides)
        states = satellite_states(ephemerides, np.arange(31), time_ns, np.full(31, 0.075))
        radius_m = np.linalg.norm(states.position_m, axis=1)
        assert np.all(np.abs(radius_m - 26_560e3) < 0.02 * 26_560e3)
        assert np.all(np.abs(states.clock_s) < 1e-3)
        elevation_rad = line_of_sight(marker_m, states.position_m).elevation_rad
        visible.append(int(np.count_nonzero(elevation_rad > np.radians(10.0))))
    assert min(visible) >= 7
    assert max(visible) <= 13
    assert np.mean(np.array(visible) >= 8) > 0.9


@pytest.mark.parametrize(("orbit", "low_m", "high_m"), [(PERFECT_ORBITS, 0.0, 0.15), (OrbitScenario(), 0.3, 1.5)])
def test_broadcast_is_as_wrong_as_asked_for(orbit: OrbitScenario, low_m: float, high_m: float):
    # 15 cm: fields of the message are rounded, up to 4 cm each in three angles, 7 cm in the clock and 6 in its drift.
    constellation = make_constellation(orbit, START_NS, np.random.default_rng(3))
    rows = np.arange(31)
    error_m = []
    for hour in range(12):
        time_ns = START_NS + hour * 3600 * NS_PER_S
        time_s = float(hour * 3600)
        clock_free = satellite_states(broadcast(constellation, time_ns), rows, time_ns, np.zeros(31))
        # No travel time: the engine's transmission time is the tag on the satellite clock.
        true_m, clock_s = true_states(constellation, rows, time_s - clock_free.clock_s)
        angle = earth_angle_rad(time_s) - EARTH_ROTATION_RAD_S * clock_free.clock_s
        cosine, sine = np.cos(angle), np.sin(angle)
        fixed_m = np.stack(
            [cosine * true_m[:, 0] + sine * true_m[:, 1], cosine * true_m[:, 1] - sine * true_m[:, 0], true_m[:, 2]],
            axis=-1,
        )
        error_m.append(np.linalg.norm(fixed_m - clock_free.position_m, axis=1))
        assert np.abs(clock_s - clock_free.clock_s).max() * 3e8 < max(5.0 * orbit.clock_sd_m, 0.15)
    assert low_m <= np.sqrt(np.mean(np.square(error_m))) <= high_m


def test_a_new_issue_describes_the_same_orbit():
    constellation = make_constellation(OrbitScenario(), START_NS, np.random.default_rng(5))
    change_ns = (START_NS // (ISSUE_S * NS_PER_S) + 1) * ISSUE_S * NS_PER_S
    before, after = broadcast(constellation, change_ns - 1), broadcast(constellation, change_ns)
    assert before[0].toe_ns + ISSUE_S * NS_PER_S == after[0].toe_ns
    assert before[0].iode != after[0].iode
    old, new = (satellite_states(one, np.arange(31), change_ns, np.zeros(31)) for one in (before, after))
    assert np.linalg.norm(old.position_m - new.position_m, axis=1).max() < 0.3
    assert np.abs(old.clock_s - new.clock_s).max() * 3e8 < 0.3


def test_ephemerides_survive_the_wire():
    for ephemeris in _simulator(Scenario()).ephemerides(START_NS):
        again = decode_ephemeris(encode_ephemeris(ephemeris), START_NS)
        assert replace(again, transmitted_ns=ephemeris.transmitted_ns) == ephemeris


def test_observations_survive_the_wire():
    simulator, aligner, feed = _simulator(Scenario()), PhaseAligner(), Feed("SAER")
    station = simulator.network.stations[0]
    for second in range(5):
        time_ns = START_NS + second * NS_PER_S
        sent = simulator.stations(time_ns)[station.id].epoch
        payload = encode_station_epoch(
            7,
            aligner.align(sent),
            position=ReferencePosition(7, station.position_m, 0.0),
            ephemerides=simulator.ephemerides(time_ns),
        )
        position, *ephemerides, received = feed.push(payload, time_ns)
        assert isinstance(position, PositionReceived)
        np.testing.assert_allclose(position.position.position_m, station.position_m, atol=5e-5)
        assert all(isinstance(one, EphemerisReceived) for one in ephemerides)
        assert len(ephemerides) == 31
        assert isinstance(received, EpochReceived)
        assert received.epoch.time_ns == sent.time_ns
        # DF405 resolves 0.6 mm and DF406 0.14 mm.
        np.testing.assert_allclose(received.epoch.pseudorange_m, sent.pseudorange_m, atol=0.0004)
        shift_cyc = received.epoch.phase_cyc - sent.phase_cyc
        np.testing.assert_allclose(shift_cyc, np.round(shift_cyc), atol=0.0006)


def test_slips_are_flagged_as_the_scenario_says():
    slippery = replace(quiet(Scenario()).station, slips_per_hour=120.0, silent_slip_share=0.3)
    simulator = _simulator(replace(quiet(Scenario()), station=slippery))
    before: dict[str, SimulatedEpoch] = {}
    found = {True: 0, False: 0}
    for second in range(120):
        epochs = simulator.stations(START_NS + second * NS_PER_S)
        for name, old in before.items():
            new = epochs[name]
            # Satellites rise and set.
            rows = new.epoch.rows(np.isin(new.epoch.satellite, old.epoch.satellite))
            then = old.epoch.rows(np.isin(old.epoch.satellite, new.epoch.satellite))
            assert np.array_equal(rows.satellite, then.satellite)
            first = rows.signal == rows.signal.min()
            jump_m = (rows.phase_cyc - then.phase_cyc) * WAVELENGTHS_M[0] - (rows.pseudorange_m - then.pseudorange_m)
            slipped = rows.satellite[first][np.abs(jump_m[first]) > 0.5 * WAVELENGTHS_M[0]]
            assert np.array_equal(slipped, new.slipped)
            lost = rows.satellite[rows.lock_ms == 0]
            assert np.array_equal(np.unique(lost), np.setdiff1d(new.slipped, new.slipped_silently))
            assert np.all((rows.lock_ms == 0) | (rows.lock_ms == then.lock_ms + 1000))
            for satellite in new.slipped:
                found[bool(satellite in new.slipped_silently)] += 1
        before = epochs
    assert found[True] > 20
    assert found[False] > 50


def test_what_was_lost_comes_back_with_a_new_lock():
    gappy = replace(quiet(Scenario()).station, gaps_per_hour=60.0, outages_per_hour=30.0)
    simulator = _simulator(replace(quiet(Scenario()), station=gappy))
    seen: dict[str, set[int]] = {}
    returned = silent = 0
    for second in range(180):
        for name, one in simulator.stations(START_NS + second * NS_PER_S).items():
            now = set(one.epoch.satellite.tolist())
            for satellite in now - seen.get(name, now):
                assert np.all(one.epoch.lock_ms[one.epoch.satellite == satellite] == 0)
                returned += 1
            silent += not now
            seen[name] = now
    assert returned > 50
    assert silent > 5


def test_receivers_are_as_good_as_the_scenario_says():
    scenario = replace(Scenario(orbit=PERFECT_ORBITS, troposphere=STANDARD_AIR, ionosphere=NO_IONOSPHERE))
    noisy = replace(scenario.station, slips_per_hour=0.0, gaps_per_hour=0.0, outages_per_hour=0.0, multipath_s=1e-3)
    simulator = _simulator(replace(scenario, station=noisy, rover=noisy))
    code, phase = [], []
    for second in range(40):
        receivers = _reduced(simulator, START_NS + second * NS_PER_S)
        if second == 0:
            rows = receivers["SAER"][0].satellite
        sines = {name: np.sin(r.elevation_rad) for name, (r, _) in receivers.items()}
        assert np.array_equal(receivers["SAER"][0].satellite, rows)
        for sink, values in (
            (code, {name: r.code_m[0] for name, (r, _) in receivers.items()}),
            (phase, {name: r.phase_m[0] - n[0] * WAVELENGTHS_M[0] for name, (r, n) in receivers.items()}),
        ):
            worse = np.hypot(1.0, sines["SAER"][1:] / sines["SAER"][0]) * np.sqrt(2.0) * 0.5 / sines["SAER"][1:]
            sink.extend(one / worse for one in _double_differences(values))
    station = scenario.station
    assert np.std(code) == pytest.approx(np.hypot(station.code_noise_m, station.code_multipath_m), rel=0.1)
    assert np.std(phase) == pytest.approx(np.hypot(station.phase_noise_m, station.phase_multipath_m), rel=0.15)


def test_nothing_below_the_mask_and_strength_grows_with_elevation():
    for one in _receivers(_simulator(Scenario()), START_NS).values():
        ephemerides = {e.satellite: e for e in _simulator(Scenario()).ephemerides(START_NS)}
        reduced = reduce_epoch(observables(one.epoch), ephemerides, one.position_m, None)
        assert len(reduced.satellite) == len(np.unique(one.epoch.satellite))
        assert np.degrees(reduced.elevation_rad.min()) > 5.0
        high, low = np.argmax(reduced.elevation_rad), np.argmin(reduced.elevation_rad)
        assert np.all(reduced.raw.cn0_dbhz[:2, high] > reduced.raw.cn0_dbhz[:2, low] + 5.0)
        assert 20.0 < reduced.raw.cn0_dbhz[:2].min() < reduced.raw.cn0_dbhz[:2].max() < 56.0


def test_clocks_stay_within_their_limits(rng: np.random.Generator):
    scenario = ReceiverScenario(clock_walk_s=1e-4)
    state = replace(init(scenario, 31, rng), time_ns=0)
    clocks = []
    for second in range(1, 500):
        clock_s = move_clock(scenario, state, second * NS_PER_S, rng)
        state = replace(state, time_ns=second * NS_PER_S, clock_s=clock_s)
        clocks.append(clock_s)
    assert max(np.abs(clocks)) <= scenario.clock_limit_s
    assert np.std(clocks) > 0.3 * scenario.clock_limit_s


def test_equal_seeds_make_equal_observations():
    one, other, alone, different = (_simulator(Scenario(), seed) for seed in (8, 8, 8, 9))
    for second in range(3):
        time_ns = START_NS + second * NS_PER_S
        first, second_run = _receivers(one, time_ns), _receivers(other, time_ns)
        for name, epoch in first.items():
            np.testing.assert_array_equal(epoch.epoch.pseudorange_m, second_run[name].epoch.pseudorange_m)
            np.testing.assert_array_equal(epoch.epoch.phase_cyc, second_run[name].epoch.phase_cyc)
        # A rover that nobody asks for changes nothing at the stations.
        for name, epoch in alone.stations(time_ns).items():
            np.testing.assert_array_equal(epoch.epoch.phase_cyc, first[name].epoch.phase_cyc)
        strange = _receivers(different, time_ns)["SAER"].epoch
        assert not np.array_equal(strange.pseudorange_m[:4], first["SAER"].epoch.pseudorange_m[:4])


def test_the_rover_works_a_field_inside_the_network():
    scenario = Scenario()
    stations_m = np.array([station.marker_m for station in network_of(scenario, START_NS).stations])
    path_m = np.array([rover_position_m(scenario.rover_path, second) for second in np.arange(0.0, 315.0, 0.5)])
    enu = (path_m - stations_m.mean(axis=0)) @ enu_rotation_at(stations_m.mean(axis=0)).T
    speed_m_s = np.linalg.norm(np.diff(enu, axis=0), axis=1) / 0.5
    assert 2.0 < speed_m_s.min() < speed_m_s.max() < 8.0
    assert np.ptp(enu[:, 0]) > 300.0
    assert np.ptp(enu[:, 1]) > 200.0
    distance_m = np.linalg.norm(stations_m[:, None] - stations_m[None], axis=-1)
    nearest_m = np.sort(distance_m, axis=1)[:, 1]
    assert np.all((nearest_m > 20e3) & (nearest_m < 32e3))
    assert 10e3 < np.linalg.norm(path_m[0] - stations_m, axis=1).min() < 20e3


def test_truth_is_where_the_antenna_was_when_the_signals_arrived():
    simulator = _simulator(Scenario())
    for second in range(3):
        one = simulator.rover(START_NS + second * NS_PER_S)
        expected_m = rover_position_m(simulator.scenario.rover_path, second - one.clock_s)
        np.testing.assert_allclose(one.position_m, expected_m, atol=1e-8)
