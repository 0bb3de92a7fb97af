"""Explanations: words and residuals against what was done to the observations, and against a slow computation."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gpsgrid.events import PositionAsked
from gpsgrid.explanation import Cause, _after_solving, explain
from gpsgrid.query import Service, common_at, place_rover
from gpsgrid.rehearsal import rover_body
from gpsgrid.rover_body import read_rover_body
from gpsgrid.satellite_residuals import SatelliteResidual, residuals_of
from models.rover import RoverPolicy, RoverStatus
from stations.feed import EpochReceived, Feed
from stations.signals import satellite_name
from tests.gpsgrid.small_network import LAST_NS, fed_engine, rover_epoch

G18 = 18


def _residual(surprise, worst_m, sd_m):
    return SatelliteResidual(0.3, 1.0, ("1C",), (worst_m,), (0.05,), surprise, worst_m, "1C", -0.13, sd_m)


@pytest.mark.parametrize(
    ("used", "dropped", "residual", "scale", "cause", "text"),
    [
        (
            [],
            [G18],
            _residual(1.0, 0.4, 0.043),
            9.0,
            Cause.IONOSPHERE,
            "refused: predicted ionosphere 43 mm on a disturbed satellite, variance 9 times",
        ),
        (
            [],
            [G18],
            _residual(1.0, 0.4, 0.043),
            1.0,
            Cause.IONOSPHERE,
            "refused: predicted ionosphere 43 mm on a satellite;",
        ),
        (
            [],
            [G18],
            _residual(17.0, -7.33, 0.043),
            9.0,
            Cause.CODE,
            "refused: code 1C is off by -7.33 m against station DELF, 17.0 times",
        ),
        (
            [G18],
            [],
            _residual(1.0, 0.4, 0.043),
            9.0,
            Cause.USED,
            "used: ionosphere predicted to 43 mm, code residual +0.40 m",
        ),
        ([], [], _residual(1.0, 0.4, 0.043), 1.0, Cause.NO_POSITION, "fewer than 5 satellites"),
    ],
)
def test_words_are_those_of_a_surveyor(used, dropped, residual, scale, cause, text):
    snapshot = SimpleNamespace(scales=np.full(800, scale))
    solution = SimpleNamespace(satellites=np.array(used), dropped=np.array(dropped))
    found = _after_solving(RoverPolicy(), snapshot, G18, solution, residual, "DELF")
    assert found[0] is cause
    assert text in found[1]


@pytest.mark.data
def test_residuals_of_a_fix_are_millimetres_and_follow_what_was_added(night, settled):
    """A fix of a real receiver: phases fit to centimetres; what is added to the code of one satellite comes back."""
    time_ns = night.moments[24][0]
    answer = night.ask(settled, 24, explain=True)
    assert answer.status in {RoverStatus.FIXED, RoverStatus.PARTIAL}
    used = [one for one in answer.explanation.satellites if one.used]
    assert [one.satellite for one in used] == list(answer.satellites)
    phases_m = np.array([value for one in used for value in one.phase_residual_m])
    assert np.sqrt(np.mean(phases_m**2)) < 0.015
    assert np.abs(phases_m).max() < 0.06  # a third of a cycle would be no residual
    (epoch,) = [e.epoch for e in Feed("").push(night.rover[time_ns], time_ns) if isinstance(e, EpochReceived)]
    last = used[-1].satellite
    rows = np.array([satellite_name(s) == last for s in epoch.satellite.tolist()])
    moved = replace(epoch, pseudorange_m=epoch.pseudorange_m + 1.0 * rows)
    more = {"epoch": moved, "explain": True, "antenna": "SEPCHOKE_B3E6   SPKE", "antenna_serial": "5461"}
    again = night.ask(settled, 24, b"", **more)
    after = next(one for one in again.explanation.satellites if one.satellite == last)
    np.testing.assert_allclose(np.subtract(after.code_residual_m, used[-1].code_residual_m), 1.0, atol=0.2)


@pytest.mark.data
def test_residuals_equal_a_slow_computation(night, settled):
    """Satellite by satellite and carrier by carrier, with plain numbers, as the definition says."""
    time_ns = night.moments[24][0]
    asked = PositionAsked("r", night.rover[time_ns], time_ns, explain=True)
    request = read_rover_body(asked, time_ns, night.antennas)
    answer = night.ask(settled, 24, explain=True)
    snapshot = settled.snapshot
    service = Service(settled.config.query, night.network, snapshot, settled._posterior)
    common = common_at(place_rover(service, request), request, answer.position_m, answer.master)
    satellites = np.array(
        [one for one in common.rover.satellite[common.rows] if satellite_name(one) in answer.satellites]
    )
    solution = SimpleNamespace(satellites=satellites, dropped=np.array([]), status=RoverStatus.FIXED, fix=None)
    fast = residuals_of(RoverPolicy(), common, solution)
    rover, base, corrections = common.rover.rows(common.rows), common.base.rows(common.base_rows), common.corrections
    for slot in range(2):
        single = {}
        for k, satellite in enumerate(rover.satellite.tolist()):
            wet = rover.wet_mapping[k] * corrections.zwd_m[0] - base.wet_mapping[k] * corrections.zwd_m[1]
            delay = rover.raw.mu[slot, k] * corrections.ionosphere_m[k]
            single[satellite] = rover.phase_m[slot, k] - base.phase_m[slot, k] - wet + delay
        pivot = int(
            rover.satellite[np.argmax(np.where(np.isin(rover.satellite, satellites), rover.elevation_rad, -1.0))]
        )
        length_m = float(rover.raw.wavelength_m[slot, 0])
        apart = {s: (v - single[pivot]) - round((v - single[pivot]) / length_m) * length_m for s, v in single.items()}
        middle = float(np.median([apart[int(s)] for s in satellites]))
        for satellite, value in apart.items():
            assert fast[satellite].phase_m[slot] == pytest.approx(value - middle, abs=1e-9)


def test_without_a_position_satellites_are_explained_as_far_as_they_got():
    engine = fed_engine()
    epoch = rover_epoch(LAST_NS)
    unknown = np.where(epoch.satellite == epoch.satellite.min(), 99, epoch.satellite)
    said = explain(RoverPolicy(), engine.snapshot, replace(epoch, satellite=unknown), None, None)
    causes = {one.satellite: one.cause for one in said.satellites}
    assert causes["G99"] is Cause.NO_ORBIT
    assert set(causes.values()) == {Cause.NO_ORBIT, Cause.NO_POSITION}
    assert said.text
    assert rover_body(LAST_NS)
