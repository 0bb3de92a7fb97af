"""Positions from code alone: against RTKLIB, against the known station, and with damaged ranges."""

from dataclasses import replace

import numpy as np
import pyrtklib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.code_position import code_position
from models.ephemeris import EphemerisStore
from models.observables import observables
from stations.constants import NS_PER_S
from stations.edge.files import load_navigation, load_observations, read_text
from stations.frames import enu_rotation_at

pytestmark = pytest.mark.data
ZEGV_M = np.array([3908909.8758, 330933.2631, 5012262.9499])
FOLDER = "nl-2021-001"
NAVIGATION = "CBW100NLD_R_20210010000_01D_MN.rnx.gz"
OBSERVATIONS = "zegv0010a.21d.gz"
UNIX_OF_GPS_S = 315_964_800


@pytest.fixture(scope="module")
def store(shared_data):
    kept = EphemerisStore()
    for eph in sorted(load_navigation([shared_data / FOLDER / NAVIGATION], systems="G"), key=lambda one: one.toe_ns):
        if eph.toe_ns < 1_293_530_000 * NS_PER_S:
            kept.add(eph)
    return kept


@pytest.fixture(scope="module")
def epochs(shared_data):
    observed = load_observations([shared_data / FOLDER / OBSERVATIONS]).epochs
    return [observables(epoch) for epoch in observed[600:1200:20]]


def _take(raw, rows):
    return replace(
        raw,
        satellite=raw.satellite[rows],
        code_m=raw.code_m[:, rows],
        phase_m=raw.phase_m[:, rows],
        cn0_dbhz=raw.cn0_dbhz[:, rows],
        lock_ms=raw.lock_ms[rows],
        half_cycle=raw.half_cycle[rows],
    )


def test_a_known_station_is_found_within_metres(epochs, store):
    """Thirty epochs of a geodetic receiver: metres from its coordinates, and within what the covariance says."""
    errors_m = []
    for raw in epochs:
        found = code_position(raw, store.selection(raw.time_ns))
        error_m = found.position_m - ZEGV_M
        errors_m.append(np.linalg.norm(error_m))
        # Sigmas are those of a modest receiver and broadcast orbits, so this one stays below three.
        assert np.sqrt(error_m @ np.linalg.solve(found.covariance_m2, error_m)) < 3.0
        assert found.used.sum() >= 5
        assert np.nanmedian(np.abs(found.residual_m)) < 3.0
    # Ionosphere-free code noise of 0.5 m, broadcast orbits of 1 m, times a dilution of 2 to 4.
    assert np.median(errors_m) < 3.0
    assert np.max(errors_m) < 8.0


def test_the_same_epoch_by_rtklib(shared_data, tmp_path, epochs, store):
    """RTKLIB's single-point position from the same codes is within metres of ours."""
    paths = []
    for source, name in ((OBSERVATIONS, "zegv.21o"), (NAVIGATION, "cbw1.21n")):
        path = tmp_path / name
        path.write_text(read_text(shared_data / FOLDER / source), encoding="latin-1")
        paths.append(str(path))
    obs, nav, station = pyrtklib.obs_t(), pyrtklib.nav_t(), pyrtklib.sta_t()
    for path in paths:
        assert pyrtklib.readrnx(path, 1, "", obs, nav, station) == 1
    wanted = {raw.time_ns // NS_PER_S: raw for raw in epochs[:10]}
    groups = {}
    for place in range(obs.n):
        row = obs.data[place]
        second = row.time.time + round(row.time.sec) - UNIX_OF_GPS_S
        if second in wanted and row.sat <= 32:
            groups.setdefault(second, []).append(row)
    assert len(groups) == 10
    options = pyrtklib.prcopt_default
    options.mode, options.navsys = pyrtklib.PMODE_SINGLE, pyrtklib.SYS_GPS
    options.ionoopt, options.tropopt = pyrtklib.IONOOPT_IFLC, pyrtklib.TROPOPT_SAAS
    for second, rows in groups.items():
        array, solution = pyrtklib.Arr1Dobsd_t(len(rows)), pyrtklib.sol_t()
        for k, row in enumerate(rows):
            array[k] = row
        azel, message = pyrtklib.Arr1Ddouble(2 * len(rows)), pyrtklib.Arr1Dchar(128)
        status = pyrtklib.Arr1Dssat_t(pyrtklib.MAXSAT)  # it writes to all of them
        assert pyrtklib.pntpos(array.ptr, len(rows), nav, options, solution, azel, status.ptr, message) == 1
        raw = wanted[second]
        ours = code_position(raw, store.selection(raw.time_ns))
        theirs_m = np.array([solution.rr[k] for k in range(3)])
        enu_m = enu_rotation_at(ZEGV_M) @ (ours.position_m - theirs_m)
        # Other weights, other troposphere, other ephemeris on some satellites.
        assert np.hypot(enu_m[0], enu_m[1]) < 4.0
        assert abs(enu_m[2]) < 8.0


@pytest.mark.parametrize("bias_m", [100.0, -100.0, 1_000.0, -1_000.0, 30_000.0])
def test_a_bad_pseudorange_is_excluded(epochs, store, bias_m):
    """Any one satellite that is 100 m to 30 km off on both bands is left out, or too low to have any weight."""
    for raw in epochs[:6]:
        ephemerides = store.selection(raw.time_ns)
        clean = code_position(raw, ephemerides)
        for row in np.flatnonzero(clean.used):
            code_m = raw.code_m.copy()
            code_m[:, row] += bias_m
            found = code_position(replace(raw, code_m=code_m), ephemerides)
            if clean.used.sum() == 5:
                assert found is None or not found.used[row]
                continue
            assert found is not None
            assert not found.used[row] or abs(bias_m) <= 100.0
            limit_m = 10.0 if found.used[row] else 15.0  # a satellite less may be a bad geometry
            assert np.linalg.norm(found.position_m - ZEGV_M) < limit_m


def test_a_receiver_clock_of_any_size_is_solved(epochs, store):
    """Half a millisecond of receiver clock, 150 km of range, is a clock and not a position."""
    raw = epochs[0]
    ephemerides = store.selection(raw.time_ns)
    one = code_position(raw, ephemerides)
    other = code_position(replace(raw, code_m=raw.code_m + 150_000.0), ephemerides)
    # The codes also place the satellites in time: 0.5 ms of 4 km/s is 2 m along the orbit.
    assert np.linalg.norm(one.position_m - other.position_m) < 4.0
    assert other.clock_m - one.clock_m == pytest.approx(150_000.0, abs=5.0)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_satellites(epochs, store, count):
    """Four satellites leave nothing to check a position with: none is given."""
    raw = epochs[0]
    assert code_position(_take(raw, np.arange(count)), store.selection(raw.time_ns)) is None


def test_without_ephemerides(epochs):
    """No orbit, no position."""
    assert code_position(epochs[0], {}) is None


def test_order_of_satellites(epochs, store, rng):
    """The order of the rows does not matter, and `used` and residuals follow it."""
    raw = epochs[3]
    order = rng.permutation(len(raw.satellite))
    ephemerides = store.selection(raw.time_ns)
    one, other = code_position(raw, ephemerides), code_position(_take(raw, order), ephemerides)
    np.testing.assert_allclose(one.position_m, other.position_m, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(one.used[order], other.used)
    np.testing.assert_allclose(one.residual_m[order], other.residual_m, rtol=0, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e3, 1e5, 1e7, 1e9]), count=st.integers(5, 9))
def test_garbage_ranges_never_raise(epochs, store, seed, size, count):
    """Random ranges give no position, or one near the surface of the Earth; never an exception."""
    rng = np.random.default_rng(seed)
    raw = _take(epochs[0], np.arange(min(count, len(epochs[0].satellite))))
    code_m = rng.uniform(0, size, (1, raw.code_m.shape[1])) + rng.normal(0, 10, raw.code_m.shape)
    found = code_position(replace(raw, code_m=code_m), store.selection(raw.time_ns))
    assert found is None or 6.3e6 < np.linalg.norm(found.position_m) < 6.5e6
