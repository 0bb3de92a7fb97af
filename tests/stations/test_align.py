"""Network epochs on a fake clock: every station epoch is in exactly one, or refused with a reason; nobody blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.align import EpochAssembler
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import make_epoch
from stations.errors import GpsgridError, Reason

NAMES = ("A", "B", "C", "D")
START_NS = 1_293_501_600 * NS_PER_S
WAIT_NS = 300 * NS_PER_MS


def _epoch(time_ns):
    empty = np.zeros(0)
    return make_epoch(time_ns, empty, empty, empty, empty, empty, empty, empty)


class Harness:
    """An assembler, a fake clock, and a record of what became of every epoch."""

    def __init__(self, names=NAMES):
        self.assembler = EpochAssembler(frozenset(names), WAIT_NS)
        self.host_ns = 0
        self.closed = []
        self.refused = []
        self.pushed = []
        self.kept = {}

    def push(self, station, time_ns, host_ns=None):
        self.host_ns = self.host_ns if host_ns is None else host_ns
        epoch = _epoch(time_ns)
        self.pushed.append(epoch)
        try:
            self.closed += self.assembler.push(station, epoch, self.host_ns)
        except GpsgridError as error:
            self.refused.append((epoch, error.reason))
        else:
            self.kept[station, (time_ns + 5 * NS_PER_MS) // (10 * NS_PER_MS)] = epoch

    def tick(self, host_ns):
        self.host_ns = host_ns
        self.closed += self.assembler.tick(host_ns)
        for error in self.assembler.take_refusals():
            epoch = self.kept.pop((error.facts["station"], error.facts["time_ns"] // (10 * NS_PER_MS)))
            self.refused.append((epoch, error.reason))

    def drain(self):
        while (due_ns := self.assembler.deadline_ns()) is not None:
            self.tick(max(due_ns, self.host_ns))

    @property
    def reasons(self):
        return [reason for _, reason in self.refused]


def test_complete_epochs_close_at_once():
    """The last expected station closes the epoch; nobody waits for the deadline."""
    h = Harness()
    for name in NAMES[:3]:
        h.push(name, START_NS)
    assert h.closed == []
    h.push("D", START_NS)
    assert [one.time_ns for one in h.closed] == [START_NS]
    assert tuple(h.closed[0].stations) == NAMES
    assert h.assembler.deadline_ns() is None


def test_the_deadline_closes_what_is_incomplete():
    """A silent station costs the deadline, not a nanosecond more, and never blocks."""
    h = Harness()
    h.push("A", START_NS, 1_000)
    h.push("C", START_NS, 2_000)
    assert h.assembler.deadline_ns() == 1_000 + WAIT_NS
    h.tick(999 + WAIT_NS)
    assert h.closed == []
    h.tick(1_000 + WAIT_NS)
    assert tuple(h.closed[0].stations) == ("A", "C")
    for second in range(1, 50):
        for name in NAMES[:3]:
            h.push(name, START_NS + second * NS_PER_S, second * NS_PER_S)
        h.tick(second * NS_PER_S + WAIT_NS)
    assert len(h.closed) == 50
    assert h.refused == []


def test_late_duplicate_and_future_are_refused():
    """Each kind of useless epoch has its own reason, and the first copy of a duplicate is kept."""
    h = Harness()
    for name in NAMES:
        h.push(name, START_NS)
    h.push("A", START_NS)
    h.push("A", START_NS - NS_PER_S)
    h.push("B", START_NS + NS_PER_S, NS_PER_S)
    h.push("B", START_NS + NS_PER_S)
    h.push("C", START_NS + 4000 * NS_PER_S)
    assert h.reasons == [Reason.LATE_EPOCH, Reason.LATE_EPOCH, Reason.DUPLICATE_EPOCH, Reason.FUTURE_EPOCH]
    h.drain()
    assert [one.time_ns for one in h.closed] == [START_NS, START_NS + NS_PER_S]
    assert h.closed[1].stations["B"] is h.pushed[6]


def test_time_tags_within_a_few_milliseconds_belong_together():
    """Receivers steer their clocks to within a millisecond: such tags are one network epoch, with a round time."""
    h = Harness()
    for name, off_ns in zip(NAMES, (0, 1_000_000, -1_000_000, 4_999_999), strict=True):
        h.push(name, START_NS + off_ns)
    assert [one.time_ns for one in h.closed] == [START_NS]


def test_an_older_incomplete_epoch_closes_before_a_newer_complete_one():
    """Network epochs come out in the order of time, whatever became complete first."""
    h = Harness()
    h.push("A", START_NS)
    for name in NAMES:
        h.push(name, START_NS + NS_PER_S)
    assert [one.time_ns for one in h.closed] == [START_NS, START_NS + NS_PER_S]
    assert tuple(h.closed[0].stations) == ("A",)


def test_a_station_with_a_wrong_week_does_not_poison():
    """Once others are heard, a receiver that is weeks ahead is refused every time and changes nothing."""
    h = Harness()
    for second in range(20):
        time_ns = START_NS + second * NS_PER_S
        for name in NAMES:
            ahead_ns = 7 * 86_400 * NS_PER_S if name == "D" and second >= 2 else 0
            h.push(name, time_ns + ahead_ns, second * NS_PER_S)
        h.tick(second * NS_PER_S + WAIT_NS)
    assert [one.time_ns for one in h.closed] == [START_NS + second * NS_PER_S for second in range(20)]
    assert h.reasons == [Reason.FUTURE_EPOCH] * 18


def test_a_station_years_behind_does_not_poison():
    """A receiver that starts with its factory date is late, whoever else is heard."""
    h = Harness()
    for second in range(10):
        for name in ("D", "A", "B", "C"):
            h.push(name, START_NS + second * NS_PER_S - (10**17 if name == "D" else 0), second * NS_PER_S)
        h.tick(second * NS_PER_S + WAIT_NS)
    good = [one for one in h.closed if "A" in one.stations]
    assert [one.time_ns for one in good] == [START_NS + second * NS_PER_S for second in range(10)]


def test_after_an_outage_of_hours_the_network_comes_back():
    """When all stations return after two hours, at most the first of them are doubted, for one epoch."""
    h = Harness()
    for name in NAMES:
        h.push(name, START_NS)
    for second in range(3):
        for name in NAMES:
            h.push(name, START_NS + (7200 + second) * NS_PER_S, (7200 + second) * NS_PER_S)
        h.tick((7200 + second) * NS_PER_S + WAIT_NS)
    complete = [one.time_ns for one in h.closed if len(one.stations) == 4]
    assert complete[-2:] == [START_NS + 7201 * NS_PER_S, START_NS + 7202 * NS_PER_S]


# ----------------------------------------------------------------------------------------------------------- properties

pushes = st.tuples(
    st.just("push"),
    st.sampled_from(NAMES),
    st.integers(-3, 6),  # seconds from the present second
    st.sampled_from([0, 0, 0, 1_000_000, -2_000_000, 400 * NS_PER_MS]),
    st.integers(0, 200 * NS_PER_MS),
)
ticks = st.tuples(st.just("tick"), st.integers(0, 900 * NS_PER_MS))


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.one_of(pushes, pushes, ticks), max_size=60))
def test_every_epoch_is_in_exactly_one_network_epoch_or_refused(steps):
    """Nothing is lost, nothing is used twice, network epochs come in order, and no deadline is ever passed."""
    h, base_ns = Harness(), START_NS
    for step in steps:
        if step[0] == "push":
            _, station, second, off_ns, later_ns = step
            h.push(station, base_ns + second * NS_PER_S + off_ns, h.host_ns + later_ns)
        else:
            h.tick(h.host_ns + step[1])
            base_ns += step[1] // NS_PER_S * NS_PER_S
            due_ns = h.assembler.deadline_ns()
            assert due_ns is None or due_ns > h.host_ns
            assert due_ns is None or due_ns <= h.host_ns + WAIT_NS
    h.drain()
    used = [id(epoch) for one in h.closed for epoch in one.stations.values()]
    refused = [id(epoch) for epoch, _ in h.refused]
    assert sorted(used + refused) == sorted(id(epoch) for epoch in h.pushed)
    times = [one.time_ns for one in h.closed]
    assert times == sorted(set(times))
    for one in h.closed:
        assert one.stations
        assert list(one.stations) == sorted(one.stations)
        assert all(abs(epoch.time_ns - one.time_ns) <= 5 * NS_PER_MS for epoch in one.stations.values())


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seconds=st.integers(1, 4))
def test_order_within_the_deadline_does_not_matter(data, seconds):
    """Any order of arrival within the deadline gives the same network epochs, contents included."""
    sent = [(name, START_NS + second * NS_PER_S) for second in range(seconds) for name in NAMES[:3]]
    order = data.draw(st.permutations(sent))
    h = Harness()
    for station, time_ns in order:
        h.push(station, time_ns)
    h.drain()
    assert h.refused == []
    assert [(one.time_ns, tuple(one.stations)) for one in h.closed] == [
        (START_NS + second * NS_PER_S, NAMES[:3]) for second in range(seconds)
    ]


@settings(max_examples=100, deadline=None)
@given(delays=st.lists(st.integers(0, 299), min_size=40, max_size=40))
def test_jitter_below_the_deadline_loses_nothing(delays):
    """Stations whose links jitter by less than the deadline are in every network epoch at one per second."""
    h, events = Harness(), []
    for second in range(10):
        for k, name in enumerate(NAMES):
            at_ns = second * NS_PER_S + delays[4 * second + k] * NS_PER_MS
            events.append((at_ns, name, START_NS + second * NS_PER_S))
    for at_ns, name, time_ns in sorted(events):
        while (due_ns := h.assembler.deadline_ns()) is not None and due_ns <= at_ns:
            h.tick(due_ns)
        h.push(name, time_ns, at_ns)
    h.drain()
    assert h.refused == []
    assert all(len(one.stations) == 4 for one in h.closed)
    assert len(h.closed) == 10


@pytest.mark.parametrize("names", [("A",), ("A", "B")])
def test_small_networks(names):
    """One or two stations are a network as well."""
    h = Harness(names)
    for second in range(5):
        for name in names:
            h.push(name, START_NS + second * NS_PER_S, second * NS_PER_S)
    assert len(h.closed) == 5
