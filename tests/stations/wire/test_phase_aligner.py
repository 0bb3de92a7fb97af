"""Whole cycles between phase and code: near at the start of an arc, constant within, announced at a change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_S
from stations.epoch import make_epoch
from stations.signals import GPS_L1CA, GPS_L2W, SIGNALS
from stations.wire.msm import decode_msm, encode_msm7
from stations.wire.phase_aligner import FAR_M, PhaseAligner

L1_M, L2_M = SIGNALS[GPS_L1CA].wavelength_m, SIGNALS[GPS_L2W].wavelength_m


def epoch_of(second, *rows):
    """Return an epoch of rows (satellite, signal, code m, phase cycles, lock ms)."""
    satellite, signal, code_m, phase_cyc, lock_ms = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    return make_epoch(
        second * NS_PER_S, satellite, signal, code_m, phase_cyc, np.full(count, 45.0), lock_ms, np.zeros(count, bool)
    )


def away_m(epoch):
    wavelength_m = np.array([SIGNALS[signal].wavelength_m for signal in epoch.signal.tolist()])
    return epoch.phase_cyc * wavelength_m - epoch.pseudorange_m


def test_a_raw_phase_comes_within_half_a_cycle_of_its_code():
    rows = epoch_of(10, (3, GPS_L1CA, 2.2e7, -12_345_678.25, 0), (3, GPS_L2W, 2.2e7, 4.5e8 + 0.125, 0))
    aligned = PhaseAligner().align(rows)
    assert np.all(np.abs(away_m(aligned)) <= [L1_M / 2, L2_M / 2])
    # What is added is whole, so the fraction stays.
    assert ((aligned.phase_cyc - rows.phase_cyc) % 1 == 0).all()
    block = decode_msm(encode_msm7(1, aligned, more=False), aligned.time_ns)
    # Half a unit of DF406, 2^-31 ms.
    np.testing.assert_allclose(block.phase_cyc, aligned.phase_cyc, rtol=0, atol=7e-5 / L1_M)


def test_the_offset_stays_within_an_arc_while_code_and_phase_drift_apart():
    aligner = PhaseAligner()
    first = aligner.align(epoch_of(0, (3, GPS_L1CA, 2.2e7, 500.0, 0)))
    for second in range(1, 60):
        rows = epoch_of(second, (3, GPS_L1CA, 2.2e7 + 10.0 * second, 500.0, 1000 * second))
        aligned = aligner.align(rows)
        assert aligned.phase_cyc[0] == first.phase_cyc[0]
        assert aligned.lock_ms[0] == 1000 * second


def test_a_change_is_announced_and_remembered():
    aligner = PhaseAligner()
    aligner.align(epoch_of(0, (3, GPS_L1CA, 2.2e7, 0.0, 0)))
    before = aligner.offset_cyc(3, GPS_L1CA)
    far = aligner.align(epoch_of(100, (3, GPS_L1CA, 2.2e7 + FAR_M + 1.0, 0.0, 100_000)))
    assert aligner.offset_cyc(3, GPS_L1CA) != before
    assert far.lock_ms[0] == 0
    # Who misses that row still sees from the next one that there is no continuity across it.
    later = aligner.align(epoch_of(105, (3, GPS_L1CA, 2.2e7 + FAR_M + 1.0, 0.0, 105_000)))
    assert later.lock_ms[0] == 5000
    assert later.phase_cyc[0] == far.phase_cyc[0]


@pytest.mark.parametrize("lock_ms", [0, 2000])
def test_a_slip_starts_a_new_offset(lock_ms):
    aligner = PhaseAligner()
    aligner.align(epoch_of(0, (3, GPS_L1CA, 2.2e7, 0.0, 5000)))
    slipped = aligner.align(epoch_of(1, (3, GPS_L1CA, 2.2e7, 2000.0, lock_ms)))
    assert abs(away_m(slipped)[0]) <= L1_M / 2
    assert slipped.lock_ms[0] == 0


def test_what_is_aligned_already_is_left_alone():
    rows = epoch_of(0, (3, GPS_L1CA, 2.2e7, (2.2e7 + 30.0) / L1_M, 70_000))
    aligned = PhaseAligner().align(rows)
    assert aligned.phase_cyc[0] == rows.phase_cyc[0]
    assert aligned.lock_ms[0] == 70_000


def test_a_row_without_code_uses_another_code_of_its_satellite():
    nan = float("nan")
    aligned = PhaseAligner().align(
        epoch_of(0, (3, GPS_L1CA, 2.2e7, 0.0, 0), (3, GPS_L2W, nan, 0.0, 0), (4, GPS_L1CA, nan, 7.0, 0))
    )
    assert abs(aligned.phase_cyc[1] * L2_M - 2.2e7) <= L2_M / 2
    assert aligned.phase_cyc[2] == 7.0


def test_satellites_and_signals_come_and_go():
    aligner = PhaseAligner()
    aligner.align(epoch_of(0, (3, GPS_L1CA, 2.2e7, 0.0, 0), (9, GPS_L1CA, 2.3e7, 0.0, 0)))
    offsets = {satellite: aligner.offset_cyc(satellite, GPS_L1CA) for satellite in (3, 9)}
    aligned = aligner.align(
        epoch_of(1, (1, GPS_L1CA, 2.1e7, 0.0, 0), (3, GPS_L2W, 2.2e7, 0.0, 0), (9, GPS_L1CA, 2.3e7, 0.0, 1000))
    )
    assert (np.abs(away_m(aligned)) < L2_M).all()
    assert {satellite: aligner.offset_cyc(satellite, GPS_L1CA) for satellite in (3, 9)} == offsets
    assert aligner.offset_cyc(30, GPS_L1CA) == 0.0


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.floats(-3000, 3000), st.sampled_from([0.0, 1e6, -777_777.0]), st.booleans()),
        max_size=40,
    )
)
def test_no_jump_is_silent(steps):
    """Between two rows whose later lock time covers the gap, the aligned phase moves as the raw one did."""
    aligner = PhaseAligner()
    second, arc_start, raw_cyc = 0, 0, 0.0
    sent = []
    for seconds, drift_m, jump_cyc, slip in steps:
        second += seconds
        if slip:
            arc_start, raw_cyc = second, raw_cyc + jump_cyc
        rows = epoch_of(second, (3, GPS_L1CA, 2.2e7 + drift_m, raw_cyc, 1000 * (second - arc_start)))
        aligned = aligner.align(rows)
        assert abs(away_m(aligned)[0]) <= FAR_M
        assert aligned.lock_ms[0] <= rows.lock_ms[0]
        sent.append((second, aligned.phase_cyc[0] - raw_cyc, aligned.lock_ms[0]))
    for index, (later, offset, lock_ms) in enumerate(sent):
        for earlier, offset_then, _ in sent[:index]:
            if lock_ms >= 1000 * (later - earlier):
                assert offset == offset_then
