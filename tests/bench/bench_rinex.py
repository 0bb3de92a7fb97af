"""A RINEX 3 observation file of 30 MB: our reader against RTKLIB's through pyrtklib, in the same run."""

import time
from collections.abc import Callable
from pathlib import Path

import pyrtklib
import pytest

from stations.edge.files import load_observations, read_text
from stations.rinex_obs_writer import StationDescription, write_observations

MEGABYTES = 30
ROUNDS = 5


def large_file(shared_data: Path, folder: Path) -> Path:
    """Return twenty minutes at 1 Hz of all systems, repeated hour by hour until the file is large enough."""
    head, _, rest = read_text(shared_data / "sim-city" / "CI00.crx.gz").partition("END OF HEADER")
    line_end, _, body = rest.partition("\n")
    text, hour = f"{head}END OF HEADER{line_end}\n", 8
    while len(text) < MEGABYTES * 1e6:
        text += body.replace("> 2021 01 01 08", f"> 2021 01 01 {hour:02d}")
        hour += 1
    path = folder / "large.rnx"
    path.write_text(text, encoding="latin-1")
    return path


def fastest_s(*functions: Callable[[], object]) -> list[float]:
    """Return the best of several times, the functions taking turns."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            begin = time.perf_counter()
            function()
            best[place] = min(best[place], time.perf_counter() - begin)
    return best


@pytest.mark.data
def test_reading(shared_data, tmp_path):
    path = large_file(shared_data, tmp_path)

    def theirs() -> pyrtklib.obs_t:
        obs = pyrtklib.obs_t()
        assert pyrtklib.readrnx(str(path), 1, "", obs, pyrtklib.nav_t(), pyrtklib.sta_t()) == 1
        return obs

    read = load_observations([path])
    rows = sum(len(epoch) for epoch in read.epochs)
    rtklib_s, ours_s = fastest_s(theirs, lambda: load_observations([path]))
    size_mb = path.stat().st_size / 1e6
    print(
        f"\nRINEX 3 observations, {size_mb:.0f} MB, {len(read.epochs)} epochs, {rows} rows:"
        f" RTKLIB {rtklib_s:.3f} s, ours {ours_s:.3f} s ({size_mb / ours_s:.0f} MB/s), ratio {rtklib_s / ours_s:.1f}"
    )


@pytest.mark.data
def test_writing(shared_data):
    read = load_observations([shared_data / "sim-city" / "CI00.crx.gz"])
    station = StationDescription(marker=read.marker)
    (ours_s,) = fastest_s(lambda: write_observations(station, read.epochs))
    rows = sum(len(epoch) for epoch in read.epochs)
    print(f"\nRINEX 3.04 written: {rows} rows in {ours_s:.3f} s ({1e6 * ours_s / rows:.2f} us a row)")
