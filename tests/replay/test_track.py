"""The track file: a public contract, the same bytes for the same positions, and nothing that cannot be read back."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsgrid.answer import Answer, refusal
from models.rover import RoverStatus
from replay.track import COLUMNS, TrackRow, read_track, row_of, write_geojson, write_pos, write_track
from stations import gpstime
from stations.errors import GpsgridError, Reason
from stations.frames import enu_rotation_at

START_NS = int(gpstime.from_calendar(2021, 1, 1))
HERE = (3908909.8758, 330933.2631, 5012262.9499)
FIXED = TrackRow(START_NS, RoverStatus.FIXED, HERE, (0.0051, 0.0062, 0.0206), 11, 8.09e-9, 0.0, 12.34, "85")
FAILED = TrackRow(START_NS + 30_000_000_000, RoverStatus.NONE, reason="no_network: no network epoch yet, try again")


def test_header_and_rows_are_those_of_the_contract():
    assert write_track([FIXED, FAILED]).splitlines() == [
        "time_gpst,status,x_m,y_m,z_m,sd_e_m,sd_n_m,sd_u_m,satellites,wrong_fix_probability,age_s,latency_ms,cell,reason",
        "2021-01-01T00:00:00.000,fixed,3908909.8758,330933.2631,5012262.9499,0.0051,0.0062,0.0206,11,8.09e-09,0.000,12.3,85,",
        '2021-01-01T00:00:30.000,none,,,,,,,0,,,,,"no_network: no network epoch yet, try again"',
    ]


def test_written_rows_are_read_back():
    fixed, failed = read_track(write_track([FIXED, FAILED]))
    assert fixed == TrackRow(**{**vars(FIXED), "latency_ms": 12.3})
    assert (failed.time_ns, failed.status, failed.reason) == (FAILED.time_ns, FAILED.status, FAILED.reason)
    assert not failed.positioned
    assert not failed.claimed
    assert math.isnan(failed.age_s)


numbers = st.floats(-7e6, 7e6, allow_nan=False)


@given(
    st.lists(
        st.builds(
            TrackRow,
            st.integers(0, 2**60).map(lambda ms: ms // 1_000_000 * 1_000_000),
            st.sampled_from(list(RoverStatus)),
            st.tuples(numbers, numbers, numbers),
            st.tuples(*[st.floats(0.0, 100.0)] * 3),
            st.integers(0, 60),
            st.floats(0.0, 1.0),
            st.floats(-30.0, 30.0),
            st.floats(0.0, 5000.0),
            st.text("0123456789abcdef", max_size=15),
            st.text(max_size=40),
        ),
        max_size=5,
    )
)
def test_reading_and_writing_again_changes_nothing(rows):
    text = write_track(rows)
    assert write_track(read_track(text)) == text
    assert len(text.splitlines()) == len(rows) + 1


def test_reason_over_several_lines_stays_on_one():
    row = TrackRow(START_NS, RoverStatus.FLOAT, reason="first\n  second")
    assert read_track(write_track([row]))[0].reason == "first second"


def test_further_columns_are_passed_over():
    text = write_track([FIXED]).replace("reason", "reason,new").replace(",85,", ",85,,7")
    assert read_track(text)[0].position_m == HERE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("x_m", "x"), "track.csv, line 1: no column x_m"),
        ((",fixed,", ",sharp,"), "track.csv, line 2: 'sharp' is not a valid RoverStatus"),
        (("3908909.8758", "abc"), "track.csv, line 2: could not convert string to float: 'abc'"),
        (("2021-01-01T", "2021-13-01T"), "track.csv, line 2: month must be in 1..12"),
        ((",11,8.09e-09,0.000,12.3,85,", ""), "track.csv, line 2: the line ends before satellites"),
    ],
)
def test_broken_tracks_are_refused_with_their_line(change, expected):
    with pytest.raises(GpsgridError) as caught:
        read_track(write_track([FIXED]).replace(*change))
    assert caught.value.reason is Reason.BROKEN_FILE
    assert str(caught.value).startswith(expected)


def test_answer_becomes_a_row_with_local_standard_deviations():
    rotation = enu_rotation_at(np.array(HERE))
    covariance = rotation.T @ np.diag([0.01**2, 0.02**2, 0.03**2]) @ rotation
    answer = Answer(
        "q", START_NS, RoverStatus.PARTIAL, np.array(HERE), covariance, "ITRF2014", 2021.0, ("G01", "G07"), cell="85"
    )
    row = row_of(answer, 0, 5.0)
    assert (row.time_ns, row.position_m, row.satellites, row.cell, row.claimed) == (START_NS, HERE, 2, "85", True)
    assert row.sd_enu_m == pytest.approx((0.01, 0.02, 0.03), abs=1e-12)


def test_refusal_becomes_a_row_with_its_code_at_the_time_of_asking():
    row = row_of(refusal("q", Reason.MALFORMED, "no frame"), START_NS)
    assert (row.time_ns, row.status, row.reason) == (START_NS, RoverStatus.NONE, "malformed: no frame")


def test_pos_has_one_line_for_every_position_with_week_and_quality():
    lines = [line for line in write_pos([FIXED, FAILED]).splitlines() if not line.startswith("%")]
    assert len(lines) == 1
    fields = lines[0].split()
    assert fields[:2] == ["2138", "432000.000"]
    assert [float(value) for value in fields[2:5]] == pytest.approx([52.13780, 4.83919, 43.5], abs=0.1)
    assert fields[5:7] == ["1", "11"]
    assert [float(value) for value in fields[7:10]] == [0.0062, 0.0051, 0.0206]


def test_geojson_has_longitude_first_and_null_where_there_is_no_position():
    document = json.loads(write_geojson([FIXED, FAILED], "ITRF2014"))
    assert document["frame"] == "ITRF2014"
    first, second = document["features"]
    assert first["geometry"]["coordinates"] == pytest.approx([4.83919, 52.13780, 43.5], abs=0.1)
    assert first["properties"]["status"] == "fixed"
    assert second["geometry"] is None


def test_columns_are_not_renamed():
    assert ",".join(COLUMNS) == write_track([]).strip()
