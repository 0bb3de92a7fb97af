"""Every validity test finds its fault on recorded data, and clean data are left alone: the small detection table."""

from dataclasses import replace

import pytest

from models.signal_memory import SignalPolicy
from models.validity import Flag
from replay.detection import Spacing, alarms
from replay.faults import Kind
from tests.models.detection_table import ALONE, SETS, measured, recorded

pytestmark = [pytest.mark.data, pytest.mark.slow]

# Half an hour of the quiet night; a fault a minute from the tenth minute on.
SMALL = replace(SETS["night"], long_s=1800.0, of_arcs=Spacing(600.0, 60.0, 16), of_stations=Spacing(600.0, 240.0, 5))
FALSE_SLIPS_AN_HOUR = 0.05  # 25 satellite hours: none, or one
FALSE_FINDINGS_AN_HOUR = 0.3


@pytest.fixture(scope="module")
def night(shared_data):
    data = recorded(SMALL, shared_data)
    return data, data.run()


def test_clean_data_are_left_alone(night):
    hours, every, _ = alarms(night[1])
    assert hours > 20.0
    slips = every["GEOMETRY_FREE"] + every["TIME_DIFFERENCE"] + every["WIDE_LANE"] + every["TRIPLE"]
    assert slips / hours <= FALSE_SLIPS_AN_HOUR
    assert (every["CODE"] + every["WEAK"] + every["UNSTEADY"]) / hours <= FALSE_FINDINGS_AN_HOUR
    assert not every["STUCK_RECEIVER"]


@pytest.mark.parametrize(
    ("kind", "size", "name", "least"),
    [
        (Kind.REPORTED_SLIP, (1.0, 1.0), "LOCK_LOST", 1.0),
        (Kind.SLIP, (1.0, 0.0), "GEOMETRY_FREE", 0.9),
        (Kind.SLIP, (9.0, 7.0), "TIME_DIFFERENCE", 0.9),
        (Kind.HALF_CYCLE, (30.0, 0.5), "HALF_CYCLE_RESOLVED", 1.0),
        (Kind.PHASE_SPIKE, (0.3,), "TIME_DIFFERENCE", 0.9),
        (Kind.CODE_SPIKE, (10.0,), "CODE", 0.9),
        (Kind.OBSTRUCTION, (10.0, 60.0), "WEAK", 0.8),
        (Kind.STUCK, (20.0,), "STUCK_RECEIVER", 1.0),
    ],
)
def test_faults_are_found_by_the_test_that_is_for_them(night, kind, size, name, least):
    data, clean = night
    (row,), others = measured(SMALL, data, clean, [(kind, size)])
    assert row.injected >= 3
    assert row.share(60.0, name) >= least
    assert others == 0


@pytest.mark.parametrize("kind", [Kind.CLOCK_JUMP, Kind.CODE_CLOCK_JUMP])
def test_millisecond_jumps_are_no_slips(night, kind):
    data, clean = night
    (row,), others = measured(SMALL, data, clean, [(kind, (1.0,))])
    assert row.injected >= 3
    assert sum(one.slips for one in row.outcomes) == 0
    assert others == 0


def test_a_blind_test_is_noticed(night):
    """The table can fail: with the limit of the codes out of reach, a bad code is no longer called one."""
    data, _ = night
    blind = replace(ALONE, signals=SignalPolicy(code_floor_m=1e9))
    (row,), _ = measured(SMALL, data, data.run(policy=blind), [(Kind.CODE_SPIKE, (10.0,))], blind)
    assert row.share(60.0, str(Flag.CODE.name)) == 0.0
