"""Navigation data: a day's file read and written, an epoch of satellites, beside RTKLIB in the same run.

Times are those of the processor, the best of some rounds: others on the machine then matter little. They still share
its caches and, with hyper-threading, its cores, which can double them.
"""

import statistics
import time
from pathlib import Path

import numpy as np
import pyrtklib
import pytest

from models.ephemeris import BroadcastStore, satellite_states
from stations.constants import NS_PER_S
from stations.edge.files import read_text
from stations.gpstime import from_calendar
from stations.rinex_nav import read_navigation, read_navigation_file
from stations.rinex_nav_writer import write_navigation

ROUNDS = 15


def in_turns_s(*functions):
    """Return the fastest and the median of some rounds of each function; every round calls all of them."""
    times = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, taken in zip(functions, times, strict=True):
            start = time.process_time()
            function()
            taken.append(time.process_time() - start)
    return [(min(taken), statistics.median(taken)) for taken in times]


def best_s(function):
    return in_turns_s(function)[0][0]


def rtklib_reads(path: Path):
    nav = pyrtklib.nav_t()
    pyrtklib.readrnx(str(path), 1, "", pyrtklib.obs_t(), nav, pyrtklib.sta_t())
    return nav


@pytest.mark.data
@pytest.mark.parametrize("name", ["sim-city/brdc.rnx.gz", "nl-2021-001/AMEL00NLD_R_20210010000_01D_MN.rnx.gz"])
def test_a_day_of_navigation(shared_data, tmp_path, name):
    text = read_text(shared_data / name)
    copy = tmp_path / "copy.rnx"
    copy.write_text(text, encoding="latin-1")
    ephemerides = read_navigation_file(text, name).ephemerides
    (ours, median), (gps, _), (theirs, their_median), (writes, _) = (
        (1e3 * best, 1e3 * median)
        for best, median in in_turns_s(
            lambda: read_navigation_file(text, name),
            lambda: read_navigation(text, name),
            lambda: rtklib_reads(copy),
            lambda: write_navigation(ephemerides),
        )
    )
    print(
        f"\n{name}: {len(ephemerides)} ephemerides, {len(text) / 1e6:.1f} MB: all systems {ours:.0f} ms (median "
        f"{median:.0f}), GPS only {gps:.0f} ms, RTKLIB (C, through pyrtklib) {theirs:.0f} ms (median "
        f"{their_median:.0f}), ratio {ours / theirs:.1f}; written in {writes:.0f} ms"
    )


@pytest.mark.data
def test_satellites_of_an_epoch(shared_data):
    name = "short-baseline-2024/base.nav"
    store = BroadcastStore()
    for ephemeris in read_navigation_file(read_text(shared_data / name), name).ephemerides:
        store.add(ephemeris)
    time_ns = from_calendar(2024, 6, 24, 8, 22, 30 * NS_PER_S)
    chosen = list(store.selection(time_ns).values())
    index, travel_s = np.arange(len(chosen)), np.full(len(chosen), 0.075)
    satellite_states(chosen, index, time_ns, travel_s)
    ours = best_s(lambda: satellite_states(chosen, index, time_ns, travel_s))
    print(f"\n{len(chosen)} satellites of five systems at one epoch: {ours * 1e6:.0f} us")
