"""One receiver with a clock that is ahead must not close the future for everybody else."""

import numpy as np
import pytest

from stations.align import EpochAssembler
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import make_epoch
from stations.errors import GpsgridError

START_NS = 1_293_501_600 * NS_PER_S
WAIT_NS = 300 * NS_PER_MS
NAMES = ("A", "B", "C", "D")


def _epoch(time_ns):
    empty = np.zeros(0)
    return make_epoch(time_ns, empty, empty, empty, empty, empty, empty, empty)


def _served(ahead_s, order, start_at=0):
    """Return how many of 20 seconds are closed with the three good stations, D being ahead."""
    assembler, closed = EpochAssembler(frozenset(NAMES), WAIT_NS), []
    for second in range(20):
        host_ns = second * NS_PER_S
        for name in order:
            ahead_ns = ahead_s * NS_PER_S if name == "D" and second >= start_at else 0
            try:
                closed += assembler.push(name, _epoch(START_NS + host_ns + ahead_ns), host_ns)
            except GpsgridError:
                continue
        closed += assembler.tick(host_ns + WAIT_NS)
    good = {"A", "B", "C"}
    return sum(good <= set(one.stations) for one in closed)


@pytest.mark.parametrize("ahead_s", [1, 2, 18, 600, 3599])
def test_a_clock_that_is_seconds_to_an_hour_ahead_costs_only_itself(ahead_s):
    """A receiver that is ahead by leap seconds, or by less than an hour, must not make all others late."""
    assert _served(ahead_s, NAMES, start_at=3) >= 19


@pytest.mark.parametrize("ahead_s", [86_400, 7 * 86_400])
def test_a_clock_that_is_days_ahead_and_heard_first_costs_only_itself(ahead_s):
    """Before there is a quorum the wrong one may be the first to be heard; its epoch must not end the world."""
    assert _served(ahead_s, ("D", "A", "B", "C")) >= 18


def test_two_stations_and_one_is_days_ahead():
    """With two stations nobody can tell who is wrong, but the one that is behind must not be silenced for ever."""
    assembler, closed = EpochAssembler(frozenset("AB"), WAIT_NS), []
    for second in range(20):
        host_ns = second * NS_PER_S
        if second == 3:  # one epoch only, then it is right again
            closed += assembler.push("B", _epoch(START_NS + host_ns + 86_400 * NS_PER_S), host_ns)
            closed += assembler.tick(host_ns + WAIT_NS)
            continue
        for name in "AB":
            try:
                closed += assembler.push(name, _epoch(START_NS + host_ns), host_ns)
            except GpsgridError:
                continue
        closed += assembler.tick(host_ns + WAIT_NS)
    assert sum(len(one.stations) == 2 for one in closed) >= 17


def test_a_clock_that_is_days_ahead_and_heard_alone_does_not_end_the_world():
    """The wrong one may be heard for seconds before anybody else connects; the majority must still be served."""
    assembler, closed = EpochAssembler(frozenset(NAMES), WAIT_NS), []
    for second in range(30):
        host_ns = second * NS_PER_S
        for name in NAMES if second >= 5 else "D":
            ahead_ns = 86_400 * NS_PER_S if name == "D" else 0
            try:
                closed += assembler.push(name, _epoch(START_NS + host_ns + ahead_ns), host_ns)
            except GpsgridError:
                continue
        closed += assembler.tick(host_ns + WAIT_NS)
    assert sum({"A", "B", "C"} <= set(one.stations) for one in closed) >= 20
