"""Answers to rover epochs: reasons of refusals, marker and antenna, damaged observations, masters."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.events import PayloadArrived, PositionAsked
from gpsgrid.query import QueryPolicy
from models.rover import RoverStatus
from stations.errors import Reason
from stations.frames import enu_rotation_at
from stations.signals import GPS_L1CA, GPS_L2W

pytestmark = pytest.mark.data
MOMENT = 20
ANTENNA = {"antenna": "SEPCHOKE_B3E6   SPKE", "antenna_serial": "5461"}


@pytest.fixture
def ask(night, settled, tools):
    """Ask the settled engine with the epoch of a moment changed by a function."""

    def asked(change=lambda epoch: epoch, **more):
        time_ns = night.moments[MOMENT][0]
        body = tools.edited(night.rover[time_ns], time_ns, change)
        outputs = settled.handle(PositionAsked("q", body, time_ns, **{**ANTENNA, **more}))
        (answer,) = tools.answers(outputs)
        return answer

    return asked


def _error_enu(night, answer):
    return enu_rotation_at(night.rover_m) @ (answer.position_m - night.rover_m)


def test_the_answer_is_complete(night, ask):
    """A fix has a frame, a cell, a master, an age, satellites with names, and standard deviations that hold."""
    answer = ask()
    assert answer.status is RoverStatus.FIXED
    assert answer.frame == night.network.frame
    assert answer.frame_epoch == night.network.epoch
    assert answer.master == "DELF"  # 35 km; the others are farther
    assert len(answer.cell) == 15
    assert answer.age_s == 0.0
    assert answer.reason == ""
    assert answer.refusal is None
    assert len(answer.satellites) >= 6
    assert all(name[0] == "G" for name in answer.satellites)
    assert not set(answer.satellites) & set(answer.dropped)
    error_m = _error_enu(night, answer)
    assert np.all(np.abs(error_m) < 4.0 * answer.sd_enu_m + 0.01)  # coordinates of the station: a centimetre
    latitude, longitude, height = answer.geodetic
    assert (round(latitude), round(longitude)) == (52, 5)
    assert 30.0 < height < 70.0


def test_the_answer_is_at_the_marker(ask):
    """Two metres of pole lower the answer by two metres along the vertical and by nothing else."""
    one, other = ask(antenna_height_m=0.0), ask(antenna_height_m=2.0)
    enu_m = enu_rotation_at(one.position_m) @ (other.position_m - one.position_m)
    np.testing.assert_allclose(enu_m, [0.0, 0.0, -2.0], rtol=0, atol=1e-6)


def test_an_uncalibrated_rover_is_answered_with_a_warning(night, ask):
    """Without an antenna the position is a few centimetres worse in height, and the answer says so."""
    answer = ask(antenna="", antenna_serial="")
    assert answer.refusal is None
    assert any("antenna" in warning for warning in answer.warnings)
    assert np.linalg.norm(_error_enu(night, answer)) < 0.5


@pytest.mark.parametrize("count", [1, 4])
def test_too_few_satellites(ask, count):
    """Fewer than five satellites in the body: refused with both numbers."""

    def few(epoch):
        return epoch.rows(np.isin(epoch.satellite, np.unique(epoch.satellite)[:count]))

    answer = ask(few)
    assert answer.refusal is Reason.TOO_FEW_SATELLITES
    assert answer.status is RoverStatus.NONE
    assert str(count) in answer.reason
    assert np.all(np.isnan(answer.position_m))


@pytest.mark.parametrize("signal", [GPS_L1CA, GPS_L2W])
def test_a_single_frequency_rover_is_told_what_is_missing(ask, signal):
    """One frequency is not supported: the refusal names the signals that are."""
    answer = ask(lambda epoch: epoch.rows(epoch.signal == signal))
    assert answer.refusal is Reason.UNSUPPORTED_SIGNAL
    assert "two carriers" in answer.reason


def test_damaged_pseudoranges_are_refused_or_survived(night, ask, rng):
    """Ranges that fit no position give a refusal; the engine never answers from the centre of the Earth."""
    for size_m in [500.0] * 15 + [1e6] * 5:
        noise_m = rng.uniform(-size_m, size_m, 40)

        def spoilt(epoch, noise_m=noise_m):
            shift_m = noise_m[epoch.satellite % 40]
            return replace(epoch, pseudorange_m=epoch.pseudorange_m + shift_m)

        answer = ask(spoilt)
        assert answer.status not in {RoverStatus.FIXED, RoverStatus.PARTIAL}
        if answer.refusal is None:
            assert np.linalg.norm(answer.position_m) > 6.3e6
        else:
            # Codes too far from their phases do not fit into the messages and are not in the body.
            assert answer.refusal in {Reason.NO_CODE_POSITION, Reason.OUTSIDE_NETWORK, Reason.UNSUPPORTED_SIGNAL}


def test_a_satellite_with_a_wrong_code_costs_that_satellite(night, ask):
    """30 m on one satellite's codes: it is dropped, the rest is a centimetre position."""
    clean = ask()
    hit = int(clean.satellites[2][1:])

    def spoilt(epoch):
        return replace(epoch, pseudorange_m=epoch.pseudorange_m + 30.0 * (epoch.satellite == hit))

    answer = ask(spoilt)
    assert clean.satellites[2] not in answer.satellites
    assert answer.status in {RoverStatus.FIXED, RoverStatus.PARTIAL}
    error_m = _error_enu(night, answer)
    assert np.hypot(error_m[0], error_m[1]) < 0.03
    assert abs(error_m[2]) < 0.10


def test_whole_cycles_of_a_receiver_do_not_matter(ask):
    """Whatever cycles a receiver counts from, and whatever lock times it reports, the position is the same."""

    def recounted(epoch):
        # MSM carries phases near the codes: whole cycles within a few hundred metres of range.
        return replace(epoch, phase_cyc=epoch.phase_cyc + epoch.satellite % 7 * 10.0, lock_ms=epoch.lock_ms * 0)

    one, other = ask(), ask(recounted)
    # Phases are carried to 2^-31 ms = 0.14 mm; shifted ones round differently.
    np.testing.assert_allclose(one.position_m, other.position_m, rtol=0, atol=1e-3)


def test_a_receiver_clock_of_milliseconds_does_not_matter(ask):
    """A clock that is ahead writes later tags and longer ranges of the same signals: the position is the same."""
    wavelength_m = {GPS_L1CA: 0.190293672798365, GPS_L2W: 0.244210213424568}

    def ahead(epoch):
        epoch = epoch.rows(np.isin(epoch.signal, list(wavelength_m)))
        step_m = 3e-3 * 299_792_458.0
        step_cyc = np.array([step_m / wavelength_m[signal] for signal in epoch.signal.tolist()])
        return replace(
            epoch,
            time_ns=epoch.time_ns + 3_000_000,
            pseudorange_m=epoch.pseudorange_m + step_m,
            phase_cyc=epoch.phase_cyc + step_cyc,
        )

    one, other = ask(), ask(ahead)
    assert other.status is one.status
    assert other.refusal is None
    # Rounding on the wire, 0.14 mm a phase; the network epoch counts as 3 ms old.
    np.testing.assert_allclose(one.position_m, other.position_m, rtol=0, atol=2e-3)


def test_limits_come_from_the_policy(night):
    """A tighter distance and a tighter age refuse what the usual ones answer."""
    near = night.engine(query=QueryPolicy(maximum_distance_m=30_000.0))
    night.feed(near, 0, 3)
    assert night.ask(near, 2).refusal is Reason.OUTSIDE_NETWORK
    fresh = night.engine(query=QueryPolicy(maximum_age_s=10.0))
    night.feed(fresh, 0, 3)
    assert night.ask(fresh, 3).refusal is Reason.STALE_NETWORK
    assert night.ask(fresh, 2).refusal is None


def test_an_older_network_epoch_widens_the_covariance(night):
    """Corrections that are 30 s old are worth less: larger sigmas, still the right place."""
    engine = night.engine()
    night.feed(engine, 0, MOMENT + 1)
    fresh = night.ask(engine, MOMENT)
    old = night.ask(engine, MOMENT + 1)
    assert (fresh.age_s, old.age_s) == (0.0, 30.0)
    if old.status is fresh.status:
        assert np.trace(old.covariance_m2) > np.trace(fresh.covariance_m2)
    assert np.linalg.norm(_error_enu(night, old)) < 5.0 * np.linalg.norm(old.sd_enu_m) + 0.02


def test_the_nearest_station_with_data_is_master(night):
    """When the nearest station is silent the next one serves."""
    engine = night.engine()
    night.feed(engine, 0, 12, without=("DELF",))
    answer = night.ask(engine, 11)
    assert answer.master == "ROVN"
    assert answer.refusal is None


def test_a_master_without_common_satellites_is_passed_over(night, tools):
    """A nearest station that tracks only four satellites hands the rover on to the next one."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    time_ns, payloads = night.moments[12]
    for station, payload in payloads:
        sent = payload
        if station == "DELF":
            sent = tools.edited(
                payload, time_ns, lambda epoch: epoch.rows(np.isin(epoch.satellite, np.unique(epoch.satellite)[:3]))
            )
        engine.handle(PayloadArrived(station, sent, time_ns))
    answer = night.ask(engine, 12)
    assert answer.master == "ROVN"
    assert answer.status in {RoverStatus.FIXED, RoverStatus.PARTIAL, RoverStatus.FLOAT}
