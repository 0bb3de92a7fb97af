"""Make the figures of the documentation from the recorded network nl-2021-001.

``python docs/make_figures.py ../shared/data/nl-2021-001`` replays a held-out station with the whole network and with
the nearest base alone, in the quiet night and in the disturbed evening, and draws the horizontal error of every
epoch. Tracks that are in the folder of ``--tracks`` already are not replayed again. Needs matplotlib (extra report).
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpsgrid.edge.settings import load_network
from replay.edge.outputs import write_outputs
from replay.edge.prepare import ReplayRequest, prepare
from replay.edge.run import ReplayReport, replay_offline
from replay.score import CENTIMETRE_H_M, WRONG_H_M, score
from replay.track import TrackRow, read_track
from replay.truth import Truth, fixed_truth
from stations.constants import NS_PER_S
from stations.edge.recordings import find_station
from stations.frames import enu_rotation_at

BLOCKS = {"night": "quiet night", "evening": "disturbed evening"}
NETWORKS = {"nearest": "nearest base, {distance:.0f} km", "network": "network of {count} stations"}
LOWEST_M, HIGHEST_M = 0.001, 10.0


def main() -> None:
    """Replay what is missing and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of nl-2021-001")
    parser.add_argument("--hold-out", default="ZEGV", help="station that is the rover")
    parser.add_argument("--tracks", type=Path, default=Path("out/figures"), help="folder of the tracks")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "figures", help="folder of the figures")
    options = parser.parse_args()
    options.tracks.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    figure = draw(options.data, options.hold_out, options.tracks)
    path = options.out / f"{options.hold_out.lower()}.png"
    figure.savefig(path, dpi=110)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def draw(data: Path, station_id: str, tracks: Path) -> Figure:
    """Return the figure: blocks are rows, the nearest base is left and the network right."""
    mpl.rcParams.update({"font.size": 9, "axes.titlesize": 9, "axes.grid": True, "grid.color": "0.9"})
    figure = Figure(figsize=(10.0, 6.2), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True)
    for line, block in zip(panels, BLOCKS, strict=True):
        network = load_network(data / f"{block}.toml").network
        marker_m = find_station(network, station_id).marker_m
        distances_m = [float(np.linalg.norm(one.marker_m - marker_m)) for one in network.without(station_id).stations]
        for axes, kind in zip(line, NETWORKS, strict=True):
            rows = track_of(data, station_id, block, kind, tracks)
            truth = fixed_truth(*find_station(network, station_id).position_m)
            title = NETWORKS[kind].format(distance=min(distances_m) / 1000.0, count=len(distances_m))
            panel(axes, rows, truth, f"{BLOCKS[block]}, {title}")
        line[0].set_ylabel("horizontal error (m)")
    for axes in panels[-1]:
        axes.set_xlabel("GPS time on 2021-01-01 (h)")
    panels[0][0].legend(loc="upper left", ncols=2, fontsize=8, framealpha=1.0)
    figure.suptitle(f"{station_id} held out: every 30 s one epoch of GPS L1/L2, from scratch", fontsize=10)
    return figure


def panel(axes: Axes, rows: list[TrackRow], truth: Truth, title: str) -> None:
    """Draw one track: dots are fixes, circles are not, a mark at the top is an epoch without a position."""
    hour = np.array([row.time_ns % (86_400 * NS_PER_S) / NS_PER_S / 3600.0 for row in rows])
    error_m = np.array([horizontal_error_m(row, truth) for row in rows])
    fixed = np.array([row.claimed for row in rows])
    lost = ~np.isfinite(error_m)
    shown_m = np.clip(error_m, LOWEST_M, HIGHEST_M)
    loose = ~fixed & ~lost
    axes.plot(hour[loose], shown_m[loose], "o", ms=3.0, mfc="white", mec="0.55", mew=0.6, label="not fixed")
    axes.plot(hour[fixed], shown_m[fixed], ".", ms=2.6, color="black", label="fixed")
    axes.plot(hour[lost], np.full(lost.sum(), HIGHEST_M), "|", ms=6.0, color="0.4", label="no position")
    axes.axhline(CENTIMETRE_H_M, color="black", lw=0.9, ls="--", label="centimetre: 2 cm")
    axes.axhline(WRONG_H_M, color="black", lw=0.9, ls=":", label="wrong fix: 5 cm")
    axes.set_yscale("log")
    axes.set_ylim(LOWEST_M, HIGHEST_M * 1.3)
    axes.set_xlim(np.floor(hour.min()), np.ceil(hour.max()))
    result = score(rows, truth)
    axes.set_title(
        f"{title}\nfixed {result.fixed_percent:.1f} %, centimetre {result.centimetre_percent:.1f} %, "
        f"wrong fixes {result.wrong_fixes}"
    )


def horizontal_error_m(row: TrackRow, truth: Truth) -> float:
    """Return the distance from the truth in the horizontal plane; NaN without position."""
    true_m = truth.at(row.time_ns)
    if true_m is None or not row.positioned:
        return float("nan")
    east, north, _ = enu_rotation_at(true_m) @ (np.array(row.position_m) - true_m)
    return float(np.hypot(east, north))


def track_of(data: Path, station_id: str, block: str, kind: str, tracks: Path) -> list[TrackRow]:
    """Return a track, replaying it if its file is not there."""
    path = tracks / f"{station_id.lower()}-{block}-{kind}.csv"
    if not path.is_file():
        print(f"replaying {path.stem}")
        request = ReplayRequest(data / f"{block}.toml", station_id, nearest_base=kind == "nearest")
        prepared = prepare(request)
        rows: list[TrackRow] = []
        replay_offline(prepared, rows.append, ReplayReport())
        write_outputs(rows, [path], prepared.config.network.frame)
    return read_track(path.read_text(encoding="utf-8"), str(path))


if __name__ == "__main__":
    main()
