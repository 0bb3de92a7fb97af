"""A virtual station against the reduction of a real one: the two must undo each other."""

from dataclasses import replace

import numpy as np
import pytest

from models.antenna import phase_center_range_m
from models.ephemeris import EphemerisStore, satellite_states
from models.observables import ionosphere_factor, observables
from models.reduction import pattern_code, reduce_epoch
from models.virtual_station import virtual_epoch, virtual_geometry
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.recordings import load_antennas, load_ephemerides, load_station
from stations.gpstime import from_iso
from stations.signals import SIGNALS, Constellation, frequencies_hz, signal_of

pytestmark = pytest.mark.data

PLACE_M = np.array([30_000.0, -20_000.0, 5_000.0])


@pytest.fixture(scope="module")
def master(shared_data):
    """Return an epoch of DELF with its reduction, its calibration and the orbits."""
    from gpsgrid.edge.settings import load_network  # noqa: PLC0415 - only to read the file

    network = load_network(shared_data / "nl-2021-001" / "night.toml").network
    store = EphemerisStore()
    for ephemeris in load_ephemerides(network):
        store.add(ephemeris)
    station = network.station("DELF")
    calibration = load_antennas(network).find(station.antenna, station.antenna_serial)
    time_ns = from_iso("2021-01-01T02:00:00")
    raw = next(one for one in load_station(network, station).epochs if one.time_ns >= time_ns)
    raw = raw.rows(raw.satellite // 100 == Constellation.GPS)
    ephemerides = store.selection(raw.time_ns)
    reduced = reduce_epoch(observables(raw), ephemerides, station.reference_point_m, calibration)
    return station, raw, reduced, calibration, ephemerides


def test_at_the_master_only_the_antenna_is_taken_out(master):
    station, raw, reduced, calibration, ephemerides = master
    geometry = virtual_geometry(reduced, ephemerides, station.reference_point_m)
    assert np.abs(geometry.change_m).max() < 1e-6
    assert np.abs(geometry.rate_m_s).max() < 1e-9
    nothing = np.zeros(len(reduced.satellite))
    made = virtual_epoch(raw, geometry, calibration, nothing, np.zeros(2))
    kept = raw.rows(np.isin(raw.satellite, reduced.satellite))
    np.testing.assert_allclose(made.pseudorange_m, kept.pseudorange_m, atol=1e-6)
    place = np.searchsorted(reduced.satellite, kept.satellite)
    for row in range(len(kept)):
        code = pattern_code(calibration, int(kept.signal[row]))
        elevation, azimuth = reduced.elevation_rad[place[row]], reduced.azimuth_rad[place[row]]
        center_m = phase_center_range_m(calibration, code, np.array([elevation]), np.array([azimuth]))[0]
        apart_m = (kept.phase_cyc[row] - made.phase_cyc[row]) * SPEED_OF_LIGHT_M_S / kept.frequency_hz[row]
        # Phases of 1e8 cycles have 15 nm left in a double.
        assert np.isnan(kept.phase_cyc[row]) or apart_m == pytest.approx(center_m, abs=1e-6)


@pytest.mark.parametrize("clock_m", [0.0, 150_000.0])
def test_reduced_at_its_own_place_it_is_the_master_with_the_atmosphere_of_the_place(master, clock_m):
    station, raw, reduced, calibration, ephemerides = master
    position_m = station.reference_point_m + PLACE_M
    geometry = virtual_geometry(reduced, ephemerides, position_m, clock_m)
    ionosphere_m = np.linspace(-0.3, 0.5, len(reduced.satellite))
    zwd_m = np.array([0.05, -0.02])
    made = virtual_epoch(raw, geometry, calibration, ionosphere_m, zwd_m)
    there = reduce_epoch(observables(made), ephemerides, position_m, None)
    assert there.satellite.tolist() == reduced.satellite.tolist()
    wet_m = there.wet_mapping * zwd_m[0] - reduced.wet_mapping * zwd_m[1]
    delay_m = reduced.raw.mu * ionosphere_m
    # 0.5 m of ionosphere in the codes move the time of transmission by 2 ns, in which a range changes by 2 um.
    np.testing.assert_allclose(there.code_m, reduced.code_m + clock_m + wet_m + delay_m, atol=1e-5)
    np.testing.assert_allclose(there.phase_m, reduced.phase_m + clock_m + wet_m - delay_m, atol=1e-5)
    np.testing.assert_array_equal(there.raw.lock_ms, reduced.raw.lock_ms)


def test_every_signal_of_a_satellite_is_moved_by_its_own_frequency(master):
    station, raw, reduced, calibration, ephemerides = master
    fifth = signal_of(Constellation.GPS, "5Q").number
    first = raw.rows(raw.signal == signal_of(Constellation.GPS, "1C").number)
    third = replace(
        first,
        signal=np.full(len(first), fifth),
        frequency_hz=frequencies_hz(np.full(len(first), fifth)),
        phase_cyc=first.pseudorange_m / SIGNALS[fifth].wavelength_m,
    )
    geometry = virtual_geometry(reduced, ephemerides, station.reference_point_m + PLACE_M)
    ionosphere_m = np.full(len(reduced.satellite), 0.2)
    with_third = virtual_epoch(third, geometry, None, ionosphere_m, np.zeros(2))
    without = virtual_epoch(third, geometry, None, 0.0 * ionosphere_m, np.zeros(2))
    mu = float(ionosphere_factor(np.array(SIGNALS[fifth].wavelength_m)))
    np.testing.assert_allclose(with_third.pseudorange_m - without.pseudorange_m, 0.2 * mu, atol=1e-6)
    moved_m = (with_third.phase_cyc - without.phase_cyc) * SIGNALS[fifth].wavelength_m
    np.testing.assert_allclose(moved_m, -0.2 * mu, atol=1e-6)
    assert calibration is not None


def test_the_doppler_shift_is_that_of_the_place(master):
    station, raw, reduced, _, ephemerides = master
    position_m = station.reference_point_m + PLACE_M
    geometry = virtual_geometry(reduced, ephemerides, position_m)
    used = [ephemerides[int(satellite)] for satellite in reduced.satellite]
    flight_s = reduced.raw.code_m[0] / SPEED_OF_LIGHT_M_S
    ranges_m = []
    for time_ns in (raw.time_ns - NS_PER_S // 2, raw.time_ns + NS_PER_S // 2):
        satellite_m = satellite_states(used, np.arange(len(used)), time_ns, flight_s).position_m
        ranges_m.append(
            np.linalg.norm(satellite_m - position_m, axis=1)
            - np.linalg.norm(satellite_m - station.reference_point_m, axis=1)
        )
    np.testing.assert_allclose(geometry.rate_m_s, ranges_m[1] - ranges_m[0], atol=0.01)


def test_a_satellite_that_was_not_asked_for_is_not_in_it(master):
    station, raw, reduced, calibration, ephemerides = master
    some = reduced.rows(np.arange(3))
    geometry = virtual_geometry(some, ephemerides, station.reference_point_m + PLACE_M)
    made = virtual_epoch(raw, geometry, calibration, np.zeros(3), np.zeros(2))
    assert set(made.satellite.tolist()) == set(some.satellite.tolist())
    none = reduced.rows(np.arange(0))
    empty = virtual_geometry(none, ephemerides, station.reference_point_m + PLACE_M)
    assert len(virtual_epoch(raw, empty, calibration, np.zeros(0), np.zeros(2))) == 0
