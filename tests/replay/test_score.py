"""Scoring: every number of it on tracks whose score is known by construction."""

import json
import math

import numpy as np
import pytest

from models.rover import RoverStatus
from replay.score import Score, score
from replay.track import TrackRow
from replay.truth import Truth, fixed_truth, read_truth
from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.frames import enu_rotation_at

START_NS = int(gpstime.from_calendar(2021, 1, 1))
HERE = np.array([3908909.8758, 330933.2631, 5012262.9499])
TO_ECEF = enu_rotation_at(HERE).T
TRUTH = fixed_truth(*HERE.tolist())


def row(
    second: float,
    error_enu_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    status: RoverStatus = RoverStatus.FIXED,
    sd_enu_m: tuple[float, float, float] = (0.01, 0.01, 0.02),
    **others: float,
) -> TrackRow:
    position = HERE + TO_ECEF @ np.array(error_enu_m)
    return TrackRow(START_NS + round(second * NS_PER_S), status, tuple(position.tolist()), sd_enu_m, 9, **others)


def lost(second: float) -> TrackRow:
    return TrackRow(START_NS + round(second * NS_PER_S), RoverStatus.NONE, reason="no_network: none")


def scored(*rows: TrackRow) -> Score:
    return score(rows, TRUTH)


def test_shares_are_of_all_epochs():
    result = scored(
        row(0, (0.005, 0.0, 0.01)),
        row(1, (0.015, 0.0, 0.01)),
        row(2, (0.03, 0.0, 0.01), RoverStatus.PARTIAL),
        row(3, (0.009, 0.0, 0.0), RoverStatus.FLOAT),
        row(4, (1.0, 0.0, 2.0), RoverStatus.CODE),
        *(lost(second) for second in range(5, 10)),
    )
    assert result.epochs == 10
    assert result.positions_percent == 50.0
    assert result.fixed_percent == 30.0
    assert result.centimetre_percent == 30.0
    assert result.fixed_centimetre_percent == 20.0
    assert result.one_centimetre_percent == 20.0
    assert result.wrong_fixes == 0


@pytest.mark.parametrize(
    ("error_enu_m", "status", "wrong"),
    [
        ((0.049, 0.0, 0.0), RoverStatus.FIXED, 0),
        ((0.036, 0.036, 0.0), RoverStatus.FIXED, 1),
        ((0.0, 0.0, -0.149), RoverStatus.FIXED, 0),
        ((0.0, 0.0, -0.151), RoverStatus.PARTIAL, 1),
        ((0.5, 0.0, 0.0), RoverStatus.FLOAT, 0),
        ((5.0, 0.0, 0.0), RoverStatus.CODE, 0),
    ],
)
def test_wrong_is_a_claim_that_is_not_kept(error_enu_m, status, wrong):
    result = scored(row(0, error_enu_m, status), row(1))
    assert result.wrong_fixes == wrong
    fixes = 1 + (status in {RoverStatus.FIXED, RoverStatus.PARTIAL})
    assert result.wrong_fixes_percent == pytest.approx(100.0 * wrong / fixes)


def test_fix_without_a_finite_position_is_wrong():
    broken = TrackRow(START_NS, RoverStatus.FIXED)
    assert scored(broken, row(1)).wrong_fixes == 1


def test_centimetre_needs_height_too():
    assert scored(row(0, (0.0, 0.019, 0.049))).centimetre_percent == 100.0
    assert scored(row(0, (0.0, 0.019, -0.051))).centimetre_percent == 0.0
    assert scored(row(0, (0.015, 0.015, 0.0))).centimetre_percent == 0.0


def test_percentiles_and_rms_are_those_of_the_fixes():
    errors = np.arange(1, 101) / 1000.0 / 2.5
    rows = [row(second, (0.0, error, -2.0 * error)) for second, error in enumerate(errors)]
    result = scored(*rows, row(200, (9.0, 0.0, 9.0), RoverStatus.FLOAT))
    assert result.horizontal_m.p50 == pytest.approx(np.percentile(errors, 50), abs=1e-8)
    assert result.horizontal_m.p68 == pytest.approx(np.percentile(errors, 68), abs=1e-8)
    assert result.vertical_m.p95 == pytest.approx(2.0 * np.percentile(errors, 95), abs=1e-8)
    assert result.vertical_m.p99 == pytest.approx(2.0 * np.percentile(errors, 99), abs=1e-8)
    assert result.horizontal_m.rms == pytest.approx(math.sqrt(np.mean(errors**2)), abs=1e-8)
    assert result.vertical_mean_m == pytest.approx(-2.0 * errors.mean(), abs=1e-8)


def test_honest_sigmas_have_ratio_one(rng):
    sd = (0.004, 0.008, 0.02)
    rows = [row(second, tuple(rng.normal(0.0, sd)), sd_enu_m=sd) for second in range(4000)]
    result = scored(*rows)
    # The RMS of 4000 normal values is within 1/sqrt(8000) = 1.1 % of its expectation, one sigma.
    assert (result.sigma_ratio_e, result.sigma_ratio_n, result.sigma_ratio_u) == pytest.approx((1, 1, 1), abs=0.045)
    doubled = scored(*(row(0, (2 * sd[0], sd[1], 0.5 * sd[2]), sd_enu_m=sd),))
    assert doubled.sigma_ratio_e == pytest.approx(2.0, abs=1e-6)
    assert doubled.sigma_ratio_u == pytest.approx(0.5, abs=1e-6)


def test_age_and_latency_leave_out_what_was_not_measured():
    result = scored(row(0, age_s=1.0, latency_ms=20.0), row(1, age_s=3.0), lost(2))
    assert result.age_s.p50 == 2.0
    assert result.latency_ms.p50 == 20.0
    assert math.isnan(scored(row(0)).latency_ms.p50)


def test_hours_are_scored_alone():
    result = scored(row(0), row(3599, (0.2, 0.0, 0.0)), lost(3600), row(7200))
    first, second, third = result.hours
    assert [hour.start_gpst for hour in result.hours] == ["2021-01-01T00:00", "2021-01-01T01:00", "2021-01-01T02:00"]
    assert (first.epochs, first.fixed_percent, first.centimetre_percent, first.wrong_fixes) == (2, 100.0, 50.0, 1)
    assert (second.epochs, second.fixed_percent) == (1, 0.0)
    assert math.isnan(second.horizontal_p95_m)
    assert third.centimetre_percent == 100.0


def test_rows_without_truth_are_counted_and_left_out():
    truth = Truth(None, {START_NS // 1_000_000: tuple(HERE.tolist())})
    result = score([row(0), row(1, (9.0, 0.0, 0.0))], truth)
    assert (result.epochs, result.without_truth, result.wrong_fixes) == (1, 1, 0)


def test_track_and_truth_of_different_days_are_refused():
    with pytest.raises(GpsgridError, match=r"nothing to score: the track has 2021-01-01T00:00:00\.000 to") as caught:
        score([row(0)], Truth(None, {}))
    assert caught.value.reason is Reason.NO_OBSERVATIONS
    with pytest.raises(GpsgridError, match="the track is empty"):
        score([], TRUTH)


def test_score_is_json_without_nan():
    document = json.loads(json.dumps(scored(lost(0)).as_dict(), allow_nan=False))
    assert document["fixed_percent"] == 0.0
    assert document["horizontal_m"]["p95"] is None
    assert document["hours"][0]["horizontal_p95_m"] is None


def test_truth_file_is_read_by_its_columns():
    truth = read_truth("z_m,time_gpst,x_m,y_m,who\n3.0,2021-01-01T00:00:01.500,1.0,2.0,me\n", "truth.csv")
    np.testing.assert_array_equal(truth.at(START_NS + 1_500_000_000), [1.0, 2.0, 3.0])
    assert truth.at(START_NS) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time,x_m,y_m,z_m\n", "truth.csv, line 1: no column time_gpst"),
        ("", "truth.csv, line 1: no column time_gpst, x_m, y_m, z_m"),
        ("time_gpst,x_m,y_m,z_m\n2021-01-01T00:00:00,1,2,x\n", "truth.csv, line 2: could not convert"),
        ("time_gpst,x_m,y_m,z_m\n2021-01-01T00:00:00,1,2\n", "truth.csv, line 2: the line has too few fields"),
        ("time_gpst,x_m,y_m,z_m\nyesterday,1,2,3\n", "truth.csv, line 2: Invalid isoformat"),
    ],
)
def test_broken_truth_is_refused_with_its_line(text, expected):
    with pytest.raises(GpsgridError) as caught:
        read_truth(text, "truth.csv")
    assert caught.value.reason is Reason.BROKEN_FILE
    assert str(caught.value).startswith(expected)


def test_position_far_from_the_surface_is_refused():
    with pytest.raises(GpsgridError, match=r"0\.1 km from the centre of the Earth; expected ECEF metres X Y Z"):
        fixed_truth(52.1, 4.8, 43.0)


@pytest.mark.data
def test_truth_of_a_simulated_rover_is_read(shared_data):
    text = (shared_data / "sim-city" / "truth" / "CRM9.csv").read_text()
    truth = read_truth(text, "CRM9.csv")
    assert len(truth.by_ms) == 1200
    np.testing.assert_allclose(
        truth.at(int(gpstime.from_iso("2021-01-01T08:00:00"))), [3914843.5133, 401029.4881, 5002565.9445]
    )


def test_time_to_first_fix_is_from_the_first_epoch():
    result = scored(lost(0), row(1, status=RoverStatus.FLOAT), row(2.5), row(3))
    assert result.first_fix_s == 2.5
    assert math.isnan(scored(lost(0)).first_fix_s)
