"""The answer to one rover epoch of a session, from a snapshot and the session's state: pure, as single epochs are."""

from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.answer import Answer
from gpsgrid.query import (
    Place,
    RoverRequest,
    Service,
    answer_rover,
    common_observations,
    corrections_between,
    place_rover,
    solve_single,
    worded,
)
from gpsgrid.session_handover import change_master
from gpsgrid.sessions import Sessions
from gpsgrid.snapshot import Snapshot
from models import session
from models.double_difference import with_company
from models.rover import MIN_SATELLITES, RoverSolution, RoverStatus
from models.session import SessionInfo
from models.session_noise import rover_policy
from models.session_observe import MasterFindings, SessionEpoch
from models.session_state import SessionPolicy, SessionState, cautious_session
from models.validity import SLIP
from stations.arrays import IntArray
from stations.gpstime import to_iso

_DOUBTED_WEIGHT = 0.5  # of the robust field
_LOYALTY = 1.3  # a master is kept until another is this much nearer: changes cost what the network does not hold


@dataclass(frozen=True)
class SessionAnswer:
    """The answer to one epoch.

    Attributes:
        answer: What the rover is told.
        state: What is carried on.
        info: What happened in the filter; ``None`` when the epoch did not reach it.
    """

    answer: Answer
    state: SessionState
    info: SessionInfo | None = None


def answer_session(
    service: Service, policy: SessionPolicy, request: RoverRequest, state: SessionState
) -> SessionAnswer:
    """Return the answer to an epoch of a session, and the state to carry on.

    An epoch that is not after the last one, or that has too little for the filter, is answered by itself.
    """
    place = place_rover(service, request)
    if isinstance(place, Answer):
        return SessionAnswer(place, state)
    single, nearest = solve_single(place, request, rover_policy(policy, state.noise))
    time_ns = request.epoch.time_ns
    if time_ns <= state.time_ns:
        late = (
            f"the session is at {to_iso(state.time_ns)}; {to_iso(time_ns)} is not after it and was answered by itself"
        )
        return SessionAnswer(_warned(worded(place, request, single, nearest), late), state)
    master = _master(place, state, nearest)
    epoch = _epoch(place, request, single, master)
    if epoch is None:
        return SessionAnswer(worded(place, request, single, nearest), state)
    snapshot = place.service.snapshot
    if state.master not in ("", master):
        state = change_master(state, snapshot.state, master)
    if not snapshot.resolved:
        policy = cautious_session(policy)
    after, info = session.step(policy, state, epoch, single, may_fix=snapshot.trusted)
    return SessionAnswer(worded(place, request, info.solution, nearest if info.from_single else master), after, info)


def answer_named(service: Service, sessions: Sessions, request: RoverRequest, network_ns: int) -> Answer:
    """Return the answer to an epoch of a named session, and carry the session on.

    Args:
        service: What it is answered from.
        sessions: Where states are kept; this one is changed.
        request: Names the session.
        network_ns: Newest network epoch.
    """
    policy = replace(service.policy.session, rover=service.policy.rover, motion=request.motion)
    state = sessions.state_of(request.session, request.motion, network_ns)
    if state is None:
        full = f"{sessions.limits.maximum} sessions are in use; this epoch was answered by itself"
        return _warned(answer_rover(service, request), full)
    answered = answer_session(service, policy, request, state)
    sessions.keep(request.session, request.motion, answered.state, network_ns)
    return answered.answer


def _warned(answer: Answer, text: str) -> Answer:
    return replace(answer, warnings=(*answer.warnings, text))


def _master(place: Place, state: SessionState, nearest: str) -> str:
    """Return the master of the session so far, unless it is silent or another is clearly nearer."""
    if state.master not in place.masters:
        return nearest
    network, here_m = place.service.network, place.start.position_m
    old, new = (float(np.linalg.norm(network.station(name).marker_m - here_m)) for name in (state.master, nearest))
    return state.master if old <= _LOYALTY * new else nearest


def _epoch(place: Place, request: RoverRequest, single: RoverSolution, master: str) -> SessionEpoch | None:
    """Return the observations of an epoch as the filter takes them, ``None`` when they are too few."""
    reference_m = place.start.position_m if single.status is RoverStatus.NONE else single.position_m
    rover, base = common_observations(place, request, master, reference_m)
    keep = with_company(rover.satellite, np.arange(len(rover.satellite)))
    if len(keep) - len(np.unique(rover.satellite[keep] // 100)) < MIN_SATELLITES - 1:
        return None
    rover, base = rover.rows(keep), base.rows(keep)
    corrections = corrections_between(place, rover, base, master)
    return SessionEpoch(rover, base, corrections, reference_m, _judged(place.service.snapshot, master, rover.satellite))


def _judged(snapshot: Snapshot, master: str, satellites: IntArray) -> MasterFindings:
    """Return what the network found out about its observations of some satellites at the master."""
    delays, state, observed = snapshot.delays, snapshot.state, snapshot.info.observed
    index = state.stations.index(master)
    bad = ~delays.clean | (snapshot.field.weight < _DOUBTED_WEIGHT)
    slipped = observed.arc[(observed.flags & SLIP) != 0]
    mine = state.arc_station == index
    epochs = dict(zip(state.arc_satellite[mine].tolist(), state.arc_epochs[mine].tolist(), strict=True))
    return MasterFindings(
        master,
        np.isin(satellites, delays.satellite[(delays.station == index) & bad]),
        np.isin(satellites, state.arc_satellite[slipped][state.arc_station[slipped] == index]),
        np.array([epochs.get(one, -1) for one in satellites.tolist()], dtype=np.int64),
    )
