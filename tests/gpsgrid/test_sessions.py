"""Sessions through the engine: named, bounded, forgotten, handed from master to master."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.events import PositionAsked
from gpsgrid.query import QueryPolicy, Service
from gpsgrid.rover_body import read_rover_body
from gpsgrid.session_handover import change_master
from gpsgrid.session_query import answer_session
from gpsgrid.sessions import SessionLimits, Sessions
from models.rover import RoverStatus
from models.session_state import Motion, SessionPolicy, add_arcs, init
from stations.constants import NS_PER_S
from stations.frames import enu_rotation_at

ANTENNA = {"antenna": "SEPCHOKE_B3E6   SPKE", "antenna_serial": "5461"}
CLAIMED = {RoverStatus.FIXED, RoverStatus.PARTIAL}


# ------------------------------------------------------------------------------------------------------- which are kept


def test_sessions_are_bounded_and_expire_with_the_network():
    """A third of two is refused; after a while without use one makes room; another motion starts anew."""
    sessions = Sessions(SessionLimits(maximum=2, expiry_s=60.0))
    state = replace(init(), time_ns=5)
    sessions.keep("a", Motion.FREE, state, 0)
    sessions.keep("b", Motion.FREE, state, 30 * NS_PER_S)
    assert sessions.state_of("a", Motion.FREE, 30 * NS_PER_S) is state
    assert sessions.state_of("a", Motion.STATIC, 30 * NS_PER_S).time_ns == -1
    assert sessions.state_of("c", Motion.FREE, 30 * NS_PER_S) is None
    assert sessions.state_of("c", Motion.FREE, 61 * NS_PER_S).time_ns == -1  # a has expired
    assert len(sessions) == 1
    assert sessions.state_of("b", Motion.FREE, 61 * NS_PER_S) is state
    sessions.clear()
    assert len(sessions) == 0


# --------------------------------------------------------------------------------------------------- through the engine


@pytest.fixture(scope="module")
def asked(night):
    """A whole quarter of an hour: answers of a session, and of a session of a rover at rest, moment by moment."""
    engine = night.engine(sessions=SessionLimits(maximum=2))
    moving, still, third = [], [], []
    for moment in range(len(night.moments)):
        night.feed(engine, moment, moment + 1)
        moving.append(night.ask(engine, moment, session="m", **ANTENNA))
        still.append(night.ask(engine, moment, session="s", motion=Motion.STATIC, **ANTENNA))
        third.append(night.ask(engine, moment, session="t", **ANTENNA))
    return engine, moving, still, third


def _errors_m(night, answers):
    return np.array([enu_rotation_at(night.rover_m) @ (one.position_m - night.rover_m) for one in answers])


@pytest.mark.data
def test_a_session_and_a_coordinate_are_fixed_and_right(night, asked):
    """From the fourth minute on all epochs are fixed within centimetres; the coordinate is steadier than the epochs."""
    _, moving, still, _ = asked
    for answers in (moving, still):
        assert [(k, one.reason) for k, one in enumerate(answers[8:]) if one.status not in CLAIMED] == []
        errors_m = _errors_m(night, answers[8:])
        assert np.hypot(errors_m[:, 0], errors_m[:, 1]).max() < 0.03
        assert np.abs(errors_m[:, 2]).max() < 0.06
        assert max(one.wrong_fix_probability for one in answers[8:]) <= 0.01
    steps = [np.diff(_errors_m(night, answers[-15:]), axis=0).std() for answers in (moving, still)]
    assert steps[1] < 0.5 * steps[0]
    assert still[-1].sd_enu_m[2] < moving[-1].sd_enu_m[2]


@pytest.mark.data
def test_a_session_too_many_is_answered_epoch_by_epoch(asked):
    """Where there is no room, the answer says so, and is that of a single epoch."""
    _, _, _, third = asked
    assert "sessions are in use" in third[-1].warnings[-1]
    assert third[-1].status in CLAIMED


@pytest.mark.data
def test_the_same_epoch_again_is_answered_by_itself(night, asked):
    """A repeated epoch does not count twice: the session stays where it is, and the asker is told."""
    engine, moving, _, _ = asked
    answer = night.ask(engine, len(night.moments) - 1, session="m", **ANTENNA)
    assert "is not after it" in answer.warnings[-1]
    assert np.linalg.norm(answer.position_m - moving[-1].position_m) < 0.05


# --------------------------------------------------------------------------------------------------- change of master


def _answer(night, engine, moment, state):
    """Return what follows for a session, seen from inside."""
    time_ns = night.moments[moment][0]
    request = read_rover_body(PositionAsked("q", night.rover[time_ns], time_ns, **ANTENNA), time_ns, night.antennas)
    service = Service(QueryPolicy(), night.network, engine.snapshot, engine._posterior)
    return answer_session(service, SessionPolicy(), request, state)


@pytest.mark.data
def test_a_change_of_master_keeps_the_integers(night):
    """The nearest station falls silent: the session goes on with another 101 km away, all its integers still held."""
    engine, state = night.engine(), init()
    for moment in range(26):
        night.feed(engine, moment, moment + 1)
        before = _answer(night, engine, moment, state)
        state = before.state
    assert before.answer.master == "DELF"
    assert before.info.held >= 8
    night.feed(engine, 26, 27, without=("DELF",))
    after = _answer(night, engine, 26, state)
    assert after.answer.master != "DELF"
    assert after.info.held >= before.info.held - 4  # a satellite that the network does not hold is two
    assert after.answer.status in CLAIMED
    error_m = enu_rotation_at(night.rover_m) @ (after.answer.position_m - night.rover_m)
    assert np.hypot(*error_m[:2]) < 0.03
    assert abs(error_m[2]) < 0.08


@pytest.mark.data
def test_without_integers_between_the_masters_ambiguities_start_anew(settled):
    """A master that this cluster of the network does not know leaves nothing to hand over."""
    network = settled.snapshot.state
    state = replace(add_arcs(init(), np.unique(network.arc_satellite)), master="ELSE")
    state = replace(state, wavelength_m=np.full_like(state.wavelength_m, 0.19))
    moved = change_master(state, network, "DELF")
    assert moved.master == "DELF"
    assert np.isnan(moved.wavelength_m).all()
    assert np.isnan(moved.told_m2).all()
