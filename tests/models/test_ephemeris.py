"""Broadcast orbits and clocks against RTKLIB 2.4.3 (pyrtklib 0.2.7) on a recorded navigation file."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyrtklib
import pytest

from models.ephemeris import MAX_AGE_S, EphemerisStore, implausible, satellite_states
from stations import gpstime
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.files import load_navigation, read_text
from stations.rinex_nav import read_navigation_file
from stations.signals import satellite_name

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
    return load_navigation([shared_data / "nl-2021-001" / "CBW100NLD_R_20210010000_01D_MN.rnx.gz"], systems="G")


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


@pytest.fixture(scope="module")
def everything(shared_data):
    path = shared_data / "nl-2021-001" / "CBW100NLD_R_20210010000_01D_MN.rnx.gz"
    return read_navigation_file(read_text(path), str(path)).ephemerides


@pytest.mark.data
def test_every_orbit_that_flies_is_plausible(everything):
    """A day of all systems: GEO, IGSO and MEO of BeiDou, the eccentric Galileo satellites, QZSS."""
    assert [implausible(one) for one in everything if implausible(one)] == []
    names = {satellite_name(one.satellite) for one in everything}
    assert names >= {"G01", "R01", "E01", "E14", "E18", "C05", "C06", "C11"}


_WRONG = (
    ("G01", {"sqrt_a": 5440.6}, "G01: square root of the semi-major axis 5440.6 sqrt(m), expected 5000 to 5350"),
    ("G01", {"eccentricity": 0.2}, "G01: eccentricity 0.2, expected 0 to 0.05"),
    ("G01", {"i0_rad": 0.1}, "G01: inclination 0.1 rad, expected 0.7 to 1.2"),
    ("G01", {"af0_s": -0.01}, "G01: satellite clock 0.01 s, expected 0 to 0.002"),
    ("R01", {"position_m": (2.0e7, 0.0, 0.0)}, "R01: distance from the centre of the Earth 2e+07 m, expected"),
    ("R01", {"velocity_m_s": (0.0, 0.0, 0.0)}, "R01: speed 0 m/s, expected 3000 to 3750"),
    ("R01", {"tau_s": -0.5}, "R01: satellite clock 0.5 s, expected 0 to 0.002"),
    ("E01", {"sqrt_a": 5153.6}, "E01: square root of the semi-major axis 5153.6 sqrt(m), expected 5200 to 5350"),
    ("E01", {"eccentricity": 0.16}, "E01: eccentricity 0.16, expected 0 to 0.02"),
    ("E14", {"eccentricity": 0.0}, "E14: eccentricity 0, expected 0.1 to 0.2"),
    ("E18", {"sqrt_a": 5440.6}, "E18: eccentricity 0.16"),
    ("C05", {"sqrt_a": 5282.6}, "C05: square root of the semi-major axis 5282.6 sqrt(m), expected 6450 to 6540"),
    ("C05", {"i0_rad": 0.96}, "C05: inclination 0.96 rad, expected 0 to 0.3"),
    ("C06", {"i0_rad": 0.05}, "C06: inclination 0.05 rad, expected 0.7 to 1.2"),
    ("C11", {"sqrt_a": 5800.0}, "C11: square root of the semi-major axis 5800 sqrt(m), expected 5200 to 5360"),
    ("C11", {"eccentricity": 0.3}, "C11: eccentricity 0.3, expected 0 to 0.05"),
)


@pytest.mark.data
@pytest.mark.parametrize(("name", "change", "text"), _WRONG)
def test_an_orbit_that_no_satellite_of_its_class_can_have_is_told(everything, name, change, text):
    one = next(one for one in everything if satellite_name(one.satellite) == name)
    assert implausible(replace(one, **change)).startswith(text)


@pytest.mark.data
def test_qzss_flies_high_inclined_or_over_the_equator(everything):
    """As the message of QZSS has them; the same numbers are nonsense for a GPS satellite."""
    template = next(one for one in everything if satellite_name(one.satellite) == "G01")
    for eccentricity, i0_rad in ((0.075, 0.71), (0.0002, 0.001)):
        orbit = {"sqrt_a": 6493.4, "eccentricity": eccentricity, "i0_rad": i0_rad}
        assert implausible(replace(template, satellite=402, **orbit)) == ""
        assert implausible(replace(template, **orbit))
    assert implausible(replace(template, satellite=402)).startswith("J02: square root of the semi-major axis")


@pytest.mark.data
def test_a_number_that_is_none_is_not_plausible(everything):
    for one in everything[:: len(everything) // 50]:
        assert implausible(replace(one, **{"tau_s" if hasattr(one, "tau_s") else "af0_s": float("nan")}))
