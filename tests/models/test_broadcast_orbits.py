"""Positions and clocks of all systems equal RTKLIB's; the store chooses; the fast integration equals its twin."""

from dataclasses import replace

import numpy as np
import pyrtklib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ephemeris import BroadcastStore, EphemerisStore, satellite_states
from models.orbit_glonass import glonass_states
from models.orbit_glonass_slow import position_after
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.files import read_text
from stations.gpstime import from_calendar, from_week, to_week
from stations.navigation import GalileoEphemeris, GpsEphemeris
from stations.navigation_kinds import is_fnav
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris
from stations.rinex_nav import merge_ephemerides, read_navigation_file
from stations.signals import Constellation, constellation_of, satellite_name

FILES = [
    "nl-2021-001/CBW100NLD_R_20210010000_01D_MN.rnx.gz",
    "nl-2021-001/AMEL00NLD_R_20210010000_01D_MN.rnx.gz",
    "sim-city/brdc.rnx.gz",
    "short-baseline-2024/base.nav",
]
UNIX_OF_GPS_S = 315_964_800
TRAVEL_S = 0.0751234567
# Millimetre and picosecond, which is 0.3 mm; GLONASS to a centimetre, though it agrees to micrometres.
TOLERANCE_M, TOLERANCE_S = 1e-3, 1e-12


@pytest.fixture(scope="module")
def arrays():
    return pyrtklib.Arr1Ddouble(6), pyrtklib.Arr1Ddouble(2), pyrtklib.Arr1Ddouble(1)


def moment(time_ns):
    """Return a time of RTKLIB, whole seconds and fraction, from ours and a fraction of a nanosecond."""
    time = pyrtklib.gtime_t()
    time.time, time.sec = UNIX_OF_GPS_S + time_ns // NS_PER_S, time_ns % NS_PER_S / NS_PER_S
    return time


def rtklib_satellite(satellite):
    return pyrtklib.satid2no(satellite_name(satellite))


def kepler_of_rtklib(ours):
    eph = pyrtklib.eph_t()
    eph.sat = rtklib_satellite(ours.satellite)
    eph.toe, eph.toc = moment(ours.toe_ns), moment(ours.toc_ns)
    behind_ns = 14 * NS_PER_S if constellation_of(ours.satellite) is Constellation.BEIDOU else 0
    eph.toes = to_week(ours.toe_ns - behind_ns)[1] / NS_PER_S
    eph.A, eph.e, eph.i0, eph.OMG0, eph.omg = (
        ours.sqrt_a**2,
        ours.eccentricity,
        ours.i0_rad,
        ours.omega0_rad,
        ours.omega_rad,
    )
    eph.M0, eph.deln, eph.OMGd, eph.idot = ours.m0_rad, ours.delta_n_rad_s, ours.omega_dot_rad_s, ours.idot_rad_s
    eph.crc, eph.crs, eph.cuc, eph.cus, eph.cic, eph.cis = (
        ours.crc_m,
        ours.crs_m,
        ours.cuc_rad,
        ours.cus_rad,
        ours.cic_rad,
        ours.cis_rad,
    )
    eph.f0, eph.f1, eph.f2 = ours.af0_s, ours.af1, ours.af2
    return eph


def glonass_of_rtklib(ours):
    geph = pyrtklib.geph_t()
    geph.sat, geph.toe = rtklib_satellite(ours.satellite), moment(ours.toe_ns)
    for axis in range(3):
        geph.pos[axis], geph.vel[axis] = ours.position_m[axis], ours.velocity_m_s[axis]
        geph.acc[axis] = ours.acceleration_m_s2[axis]
    geph.taun, geph.gamn = ours.tau_s, ours.gamma
    return geph


def rtklib_state(ours, receive_ns, arrays):
    """Return position and clock as ``satposs`` has them: transmission by pseudorange, then twice the clock."""
    position, clock, variance = arrays
    time = pyrtklib.timeadd(moment(receive_ns), -TRAVEL_S)
    if isinstance(ours, GlonassEphemeris):
        theirs, of_clock, of_orbit = glonass_of_rtklib(ours), pyrtklib.geph2clk, pyrtklib.geph2pos
    else:
        theirs, of_clock, of_orbit = kepler_of_rtklib(ours), pyrtklib.eph2clk, pyrtklib.eph2pos
    of_orbit(pyrtklib.timeadd(time, -of_clock(time, theirs)), theirs, position, clock, variance)
    return [position[0], position[1], position[2]], clock[0]


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_states_equal_rtklib(shared_data, arrays, name):
    ephemerides = merge_ephemerides([read_navigation_file(read_text(shared_data / name), name).ephemerides])
    worst = {}
    for shift_s in (-1800.0, -900.0, 0.0, 450.0, 900.0, 7200.0):
        kept = [e for e in ephemerides if abs(shift_s) <= 1800.0 or not isinstance(e, GlonassEphemeris)]
        for ours in kept:
            receive_ns = ours.toe_ns + round(shift_s * NS_PER_S) + 123
            states = satellite_states([ours], np.zeros(1, dtype=np.int64), receive_ns, np.array([TRAVEL_S]))
            position_m, clock_s = rtklib_state(ours, receive_ns, arrays)
            system = constellation_of(ours.satellite)
            difference = (
                float(np.abs(states.position_m[0] - position_m).max()),
                abs(float(states.clock_s[0]) - clock_s),
            )
            worst[system] = np.maximum(worst.get(system, (0.0, 0.0)), difference)
    assert len(worst) >= 4
    for system, (metres, seconds) in worst.items():
        assert metres < TOLERANCE_M, system
        assert seconds < TOLERANCE_S, system


@pytest.mark.data
def test_an_epoch_equals_satposs(shared_data, tmp_path):
    name = "short-baseline-2024/base.nav"
    text = read_text(shared_data / name)
    copy = tmp_path / "copy.rnx"
    copy.write_text(text, encoding="latin-1")
    nav = pyrtklib.nav_t()
    assert pyrtklib.readrnx(str(copy), 1, "", pyrtklib.obs_t(), nav, pyrtklib.sta_t()) == 1
    store = BroadcastStore()
    for ephemeris in read_navigation_file(text, name).ephemerides:
        store.add(ephemeris)
    time_ns = from_calendar(2024, 6, 24, 8, 22, 30 * NS_PER_S)
    chosen = store.selection(time_ns)
    assert {constellation_of(satellite).name for satellite in chosen} == {"GPS", "GLONASS", "GALILEO", "BEIDOU", "QZSS"}
    range_m = np.linspace(2.0e7, 3.9e7, len(chosen))
    index = np.arange(len(chosen))
    states = satellite_states(list(chosen.values()), index, time_ns, range_m / SPEED_OF_LIGHT_M_S)
    obs = pyrtklib.Arr1Dobsd_t(len(chosen))
    for row, satellite in enumerate(chosen):
        obs[row].time, obs[row].sat = moment(time_ns), rtklib_satellite(satellite)
        obs[row].P[0] = range_m[row]
    n = len(chosen)
    out = pyrtklib.Arr1Ddouble(6 * n), pyrtklib.Arr1Ddouble(2 * n), pyrtklib.Arr1Ddouble(n), pyrtklib.Arr1Dint(n)
    pyrtklib.satposs(moment(time_ns), obs.ptr, n, nav, pyrtklib.EPHOPT_BRDC, *out)
    for row in range(n):
        theirs = np.array([out[0][6 * row + axis] for axis in range(3)])
        assert np.abs(states.position_m[row] - theirs).max() < TOLERANCE_M
        assert abs(states.clock_s[row] - out[1][2 * row]) < TOLERANCE_S


@pytest.mark.data
def test_mixed_calls_equal_single_ones(shared_data, rng):
    name = "short-baseline-2024/base.nav"
    ephemerides = read_navigation_file(read_text(shared_data / name), name).ephemerides
    now_ns = from_calendar(2024, 6, 24, 8, 30)
    index = rng.integers(0, len(ephemerides), 300)
    travel_s = rng.uniform(0.06, 0.13, 300)
    together = satellite_states(ephemerides, index, now_ns, travel_s)
    for row in range(300):
        one = satellite_states([ephemerides[index[row]]], np.zeros(1, dtype=np.int64), now_ns, travel_s[row : row + 1])
        assert np.array_equal(one.position_m[0], together.position_m[row])
        assert one.clock_s[0] == together.clock_s[row]
    nothing = satellite_states([], np.zeros(0, dtype=np.int64), now_ns, np.zeros(0))
    assert nothing.position_m.shape == (0, 3)


def glonass(**values):
    start = {
        "satellite": 103, "toe_ns": from_week(2138, 900 * NS_PER_S), "transmitted_ns": 0, "frame_ns": 0, "channel": 5,
        "health": 0, "age_days": 0, "accuracy_index": 2, "tau_s": 1e-5, "delta_tau_s": 0.0, "gamma": 1e-12,
        "position_m": (-5.823e6, 9.438e6, 22.966e6), "velocity_m_s": (-2584.1, -1792.4, 82.35),
        "acceleration_m_s2": (1.86e-6, 0.0, -1.86e-6),
    }  # fmt: skip
    return GlonassEphemeris(**(start | values))


@pytest.fixture(scope="module", autouse=True)
def compiled_kernels():
    glonass_states([glonass()], np.zeros(1, dtype=np.int64), glonass().toe_ns, np.zeros(1))


@given(seconds=st.floats(-3600.0, 3600.0), tilt=st.floats(-1.0, 1.0))
def test_the_fast_integration_equals_the_slow_one(seconds, tilt):
    ephemeris = glonass(velocity_m_s=(-2584.1 * tilt, -1792.4, 2584.1 * (1 - abs(tilt))), tau_s=0.0, gamma=0.0)
    position_m, _ = glonass_states([ephemeris], np.zeros(1, dtype=np.int64), ephemeris.toe_ns, np.array([-seconds]))
    # The same steps in another order of operations.
    np.testing.assert_allclose(position_m[0], position_after(ephemeris, seconds), rtol=0, atol=1e-6)


def test_an_ephemeris_of_another_day_is_misuse():
    with pytest.raises(ValueError, match="choose an ephemeris"):
        glonass_states([glonass()], np.zeros(1, dtype=np.int64), 0, np.zeros(1))


def test_sbas_equals_rtklib(arrays):
    ours = SbasEphemeris(
        320, from_week(2138, 7200 * NS_PER_S), 0, 1, 0, 2.0, 1e-6, 2e-11, (4.0e7, 1.2e7, 1e5), (0.1, -0.2, 0.3),
        (1e-5, 2e-5, -3e-5),
    )  # fmt: skip
    seph = pyrtklib.seph_t()
    seph.sat, seph.t0, seph.af0, seph.af1 = rtklib_satellite(320), moment(ours.toe_ns), ours.af0_s, ours.af1
    for axis in range(3):
        seph.pos[axis], seph.vel[axis], seph.acc[axis] = (
            ours.position_m[axis],
            ours.velocity_m_s[axis],
            ours.acceleration_m_s2[axis],
        )
    position, clock, variance = arrays
    receive_ns = ours.toe_ns + 200 * NS_PER_S
    time = pyrtklib.timeadd(moment(receive_ns), -TRAVEL_S)
    pyrtklib.seph2pos(pyrtklib.timeadd(time, -pyrtklib.seph2clk(time, seph)), seph, position, clock, variance)
    states = satellite_states([ours], np.zeros(1, dtype=np.int64), receive_ns, np.array([TRAVEL_S]))
    assert np.abs(states.position_m[0] - [position[0], position[1], position[2]]).max() < TOLERANCE_M
    assert abs(states.clock_s[0] - clock[0]) < TOLERANCE_S


# ------------------------------------------------------------------------------------------------------------- store

TOE_NS = from_week(2138, 7200 * NS_PER_S)


def gps(**values):
    zero = dict.fromkeys(GpsEphemeris.__dataclass_fields__, 0)
    return GpsEphemeris(**(zero | {"satellite": 7, "toe_ns": TOE_NS, "toc_ns": TOE_NS} | values))


def galileo(**values):
    zero = dict.fromkeys(GalileoEphemeris.__dataclass_fields__, 0)
    start = {"satellite": 211, "toe_ns": TOE_NS, "toc_ns": TOE_NS, "data_sources": 517}
    return GalileoEphemeris(**(zero | start | values))


def test_the_store_takes_the_nearest_and_refuses_the_unhealthy():
    store = EphemerisStore()
    first, second = gps(iode=1), gps(iode=2, toe_ns=TOE_NS + 7200 * NS_PER_S)
    assert store.add(first)
    assert store.add(second)
    assert not store.add(replace(first, transmitted_ns=5))
    assert store.select(7, TOE_NS + 3500 * NS_PER_S) is first
    assert store.select(7, TOE_NS + 3700 * NS_PER_S) is second
    assert store.select(7, TOE_NS + 7200 * NS_PER_S + 4 * 3600 * NS_PER_S + 1) is None
    store.add(gps(iode=3, toe_ns=TOE_NS + 14_400 * NS_PER_S, health=1))
    assert store.select(7, TOE_NS + 14_400 * NS_PER_S) is None
    assert store.select(8, TOE_NS) is None
    assert (len(store), store.selection(TOE_NS)) == (1, {7: first})


def test_the_store_prefers_inav():
    store = BroadcastStore()
    fnav = galileo(data_sources=258)
    store.add(fnav)
    assert store.select(211, TOE_NS) is fnav
    older = galileo(toe_ns=TOE_NS - 3600 * NS_PER_S)
    store.add(older)
    assert store.select(211, TOE_NS) is older
    for place in range(12):
        store.add(galileo(data_sources=258, toe_ns=TOE_NS + place * 600 * NS_PER_S, iod_nav=place))
    assert not is_fnav(store.select(211, TOE_NS))


def test_ages_differ_by_system():
    store = BroadcastStore()
    ephemeris = glonass()
    store.add(ephemeris)
    assert store.select(103, ephemeris.toe_ns + 1800 * NS_PER_S) is ephemeris
    assert store.select(103, ephemeris.toe_ns + 1801 * NS_PER_S) is None
