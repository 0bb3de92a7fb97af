"""Broadcast orbits and clocks against RTKLIB 2.4.3 (pyrtklib 0.2.7) on a recorded navigation file."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyrtklib
import pytest

from models.ephemeris import MAX_AGE_S, EphemerisStore, satellite_states
from stations import gpstime
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.files import load_navigation, read_text

UNIX_OF_GPS_S = 315_964_800
START_NS = gpstime.from_calendar(2021, 1, 1, 6)


def _gtime(time_ns):
    time = pyrtklib.gtime_t()
    time.time, rest = divmod(time_ns, NS_PER_S)
    time.time += UNIX_OF_GPS_S
    time.sec = rest / NS_PER_S
    return time


@pytest.fixture(scope="module")
def ours(shared_data):
    return load_navigation([shared_data / "nl-2021-001" / "CBW100NLD_R_20210010000_01D_MN.rnx.gz"])


@pytest.fixture(scope="module")
def theirs(shared_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("nav") / "cbw1.21n"
    source = shared_data / "nl-2021-001" / "CBW100NLD_R_20210010000_01D_MN.rnx.gz"
    path.write_text(read_text(source), encoding="latin-1")
    nav = pyrtklib.nav_t()
    assert pyrtklib.readrnx(str(path), 1, "", pyrtklib.obs_t(), nav, pyrtklib.sta_t()) == 1
    found = {}
    for place in range(nav.n):
        eph = nav.eph[place]
        if 1 <= eph.sat <= 32:
            toe_ns = (eph.toe.time - UNIX_OF_GPS_S) * NS_PER_S + round(eph.toe.sec * NS_PER_S)
            found[eph.sat, toe_ns, eph.iode] = eph
    return nav, found


@pytest.mark.data
@pytest.mark.parametrize("offset_s", [-7200.0, -1.0, 0.0, 0.0726, 3599.5, 7200.0])
def test_positions_and_clocks_equal_rtklib(ours, theirs, offset_s):
    """Every ephemeris of the day, before and after its reference time: 1 mm in position, 1e-12 s in clock."""
    _, table = theirs
    compared = 0
    for eph in ours:
        other = table.get((eph.satellite, eph.toe_ns, eph.iode))
        if other is None:
            continue
        transmit_ns = eph.toe_ns + round(offset_s * NS_PER_S)
        # satellite_states takes the satellite's own clock reading; RTKLIB's eph2pos takes GPS time.
        clock_s = pyrtklib.eph2clk(_gtime(transmit_ns), other)
        state = satellite_states([eph], np.array([0]), transmit_ns, np.array([-clock_s]))
        position, bias, variance = (pyrtklib.Arr1Ddouble(n) for n in (3, 1, 1))
        pyrtklib.eph2pos(_gtime(transmit_ns), other, position, bias, variance)
        np.testing.assert_allclose(state.position_m[0], [position[k] for k in range(3)], rtol=0, atol=1e-3)
        assert state.clock_s[0] == pytest.approx(bias[0], abs=1e-12)
        compared += 1
    assert compared > 150


@pytest.mark.data
def test_a_whole_epoch_is_the_same_as_its_pairs(ours):
    """Arrays of pairs give what each pair gives, in any order, with repeated satellites."""
    chosen = ours[:10]
    index = np.array([3, 0, 9, 3, 5])
    travel_s = np.array([0.07, 0.075, 0.08, 0.0701, 0.069])
    together = satellite_states(chosen, index, START_NS, travel_s)
    for k, row in enumerate(index):
        alone = satellite_states([chosen[row]], np.array([0]), START_NS, travel_s[k : k + 1])
        np.testing.assert_array_equal(together.position_m[k], alone.position_m[0])
        assert together.clock_s[k] == alone.clock_s[0]


@pytest.mark.data
def test_a_receiver_clock_of_a_millisecond_changes_nothing(ours):
    """The time of transmission is tag minus pseudorange: a wrong receiver clock is in both and drops out."""
    eph = ours[0]
    travel_s = np.array([0.0712])
    one = satellite_states([eph], np.array([0]), eph.toe_ns, travel_s)
    other = satellite_states([eph], np.array([0]), eph.toe_ns + 1_000_000, travel_s + 1e-3)
    # 4 km/s times the 1e-17 s that a difference of nearby floats loses, and some rounding of 2.6e7 m.
    np.testing.assert_allclose(one.position_m, other.position_m, rtol=0, atol=1e-6)


@pytest.mark.data
def test_consecutive_issues_agree_to_a_metre_or_two(ours):
    """Two issues of one satellite in the hour between them differ by broadcast accuracy, not by kilometres."""
    by_satellite = {}
    for eph in sorted(ours, key=lambda one: one.toe_ns):
        by_satellite.setdefault(eph.satellite, []).append(eph)
    seen = 0
    for issues in by_satellite.values():
        for old, new in pairwise(issues):
            if new.toe_ns - old.toe_ns != 7200 * NS_PER_S or old.health or new.health:
                continue
            middle_ns = old.toe_ns + 3600 * NS_PER_S
            states = [satellite_states([eph], np.array([0]), middle_ns, np.array([0.07])) for eph in (old, new)]
            assert np.linalg.norm(states[0].position_m - states[1].position_m) < 15.0
            assert abs(states[0].clock_s[0] - states[1].clock_s[0]) * SPEED_OF_LIGHT_M_S < 15.0
            seen += 1
    assert seen > 50


# ---------------------------------------------------------------------------------------------------------------- store


@pytest.fixture
def issue(ours):
    eph = ours[0]
    return lambda toe_s, iode=1, **more: replace(eph, toe_ns=START_NS + toe_s * NS_PER_S, iode=iode, **more)


@pytest.mark.data
def test_the_nearest_healthy_issue_is_selected(issue):
    """The issue whose reference time is nearest is used; of two equally near the later one; none beyond four hours."""
    store = EphemerisStore()
    satellite = issue(0).satellite
    assert store.select(satellite, START_NS) is None
    assert store.add(issue(-7200))
    assert not store.add(issue(-7200))
    assert store.add(issue(0, 2))
    assert store.select(satellite, START_NS - 3600 * NS_PER_S).iode == 2
    assert store.select(satellite, START_NS - 3601 * NS_PER_S).iode == 1
    assert store.select(satellite, START_NS + int(MAX_AGE_S) * NS_PER_S).iode == 2
    assert store.select(satellite, START_NS + int(MAX_AGE_S) * NS_PER_S + 1) is None
    assert list(store.selection(START_NS)) == [satellite]
    assert len(store) == 1


@pytest.mark.data
def test_an_unhealthy_issue_takes_the_satellite_out(issue):
    """A satellite that is set unhealthy is not used with its older, healthy issue."""
    store = EphemerisStore()
    store.add(issue(-7200))
    store.add(issue(0, 2, health=63))
    assert store.select(issue(0).satellite, START_NS) is None
    assert store.selection(START_NS) == {}


@pytest.mark.data
def test_the_store_does_not_grow(issue):
    """A year of issues leaves a handful per satellite."""
    store = EphemerisStore()
    for k in range(500):
        store.add(issue(7200 * k, k % 256))
    assert len(store._known[issue(0).satellite]) <= 8
    assert store.select(issue(0).satellite, START_NS + 499 * 7200 * NS_PER_S).toe_ns == issue(499 * 7200).toe_ns
