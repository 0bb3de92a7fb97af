"""An independent rover on our virtual stations: ``rnx2rtkp`` of RTKLIB, base virtual against base nearest station.

``python -m tests.gpsgrid.vrs_proof SET [--rover NAME ...] [--work DIR]`` makes the virtual station of every rover with
``gpsgrid vrs`` (minutes; a file in DIR is used again), runs RTKLIB with the same options on both bases, and prints a
table. SET is ``night`` or ``evening`` (recorded; ZEGV, DELF, ROVN held out one at a time), ``city``, ``sparse``,
``storm`` or ``regional`` (simulated rovers). Shares are over all epochs of the rover; "later" leaves out the first five
minutes, in which a network that has just been switched on does not hold its integers.
"""

import argparse
import csv
import gzip
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import hatanaka
import numpy as np

from gpsgrid.edge.settings import load_network
from stations.catalog import Network, Station
from stations.constants import NS_PER_S
from stations.edge.files import load_observations, load_solutions, read_text
from stations.frames import enu_rotation_at
from stations.gpstime import from_iso, to_iso
from stations.recorded import epochs_by_moment
from stations.solution_file import FIXED

DATA = Path(__file__).parents[3] / "shared" / "data"
RECORDED = {"night": "nl-2021-001/night.toml", "evening": "nl-2021-001/evening.toml"}
SIMULATED = {name: f"sim-{name}/network.toml" for name in ("city", "regional", "sparse", "storm")}
HELD_OUT = ("ZEGV", "DELF", "ROVN")
START_S = 300
NEAR_NS = NS_PER_S // 20
OFFSET_M = np.array([3.0, -4.0, 5.0])  # a rover asks with the position that its codes gave
OPTIONS = {
    "pos1-posmode": "kinematic",
    "pos1-frequency": "l1+2",
    "pos1-elmask": "15",
    "pos1-ionoopt": "brdc",
    "pos1-tropopt": "saas",
    "pos1-posopt2": "on",  # receiver antenna calibrations
    "pos2-arthres": "3",
    "out-solformat": "xyz",
    "out-timesys": "gpst",
    "ant2-postype": "xyz",
}


@dataclass(frozen=True)
class Rover:
    """One rover of a set: its file, its truth by moment, and the network without it."""

    name: str
    observations: Path
    truth_m: dict[int, np.ndarray]
    station: Station | None
    network: Network

    @property
    def first_m(self) -> np.ndarray:
        """Where it was first: the marker."""
        return self.truth_m[min(self.truth_m)]


@dataclass(frozen=True)
class Shares:
    """Of all epochs of a rover, percent; wrong fixes in percent of fixes."""

    epochs: int
    fixed: float
    centimetre: float
    wrong: float
    horizontal_mm: float

    def __str__(self) -> str:
        """Return a line of the table."""
        return f"{self.epochs:6d} {self.fixed:7.1f} {self.centimetre:7.1f} {self.wrong:7.2f} {self.horizontal_mm:8.1f}"


def rovers_of(which: str, only: list[str], work: Path) -> tuple[Path, list[Rover]]:
    """Return the network file of a set and its rovers."""
    file = DATA / {**RECORDED, **SIMULATED}[which]
    network = load_network(file).network
    rovers = []
    if which in RECORDED:
        for name in only or HELD_OUT:
            station = network.station(name)
            path = plain(file.parent / station.observations[0], work)
            moments = epochs_by_moment(load_observations([path]))
            truth = dict.fromkeys(moments, station.marker_m)
            rovers.append(Rover(name, path, truth, station, network.without(name)))
        return file, rovers
    for table in sorted((file.parent / "truth").glob("*.csv")):
        if only and table.stem not in only:
            continue
        rows = list(csv.DictReader(read_text(table).splitlines()))
        truth = {int(from_iso(row["time_gpst"])): np.array([float(row[f"{k}_m"]) for k in "xyz"]) for row in rows}
        path = plain(file.parent / f"{table.stem}.crx.gz", work)
        rovers.append(Rover(table.stem, path, truth, None, network))
    return file, rovers


def plain(path: Path, work: Path) -> Path:
    """Return an uncompressed copy, which RTKLIB can read."""
    copy = work / f"{path.name.split('.')[0]}{'.21o' if path.suffix == '.gz' else ''}"
    if not copy.exists():
        data = path.read_bytes()
        packed = ".crx" in path.name or path.name.endswith("d.gz")
        copy.write_bytes(hatanaka.decompress(data) if packed else gzip.decompress(data))
    return copy


def virtual(file: Path, rover: Rover, which: str, work: Path, *, limits: tuple[str, ...] = ()) -> Path:
    """Return the virtual station of a rover, written by the public command."""
    out = work / f"{which}-{rover.name}.rnx"
    if not out.exists():
        at = [f"{x:.4f}" for x in rover.first_m + OFFSET_M]
        exclude = ["--exclude", rover.name] if rover.station is not None else []
        command = [sys.executable, "-m", "gpsgrid.edge.cli", "vrs", str(file), "--at", *at, *exclude]
        subprocess.run([*command, "--out", str(out), *limits], check=True)
    return out


def antennas_of(network: Network, named: dict[str, Station], work: Path) -> Path | None:
    """Return an ANTEX file in which every station is a type: RTKLIB does not look at serial numbers."""
    if not network.antennas:
        return None
    text = read_text(Path(network.folder) / network.antennas)
    head, *blocks = text.split(f"{'':60}START OF ANTENNA")
    chosen = [head]
    lines = [next(one for one in block.splitlines() if one[60:].startswith("TYPE / SERIAL NO")) for block in blocks]
    types = [(*line[:20].split(), line[20:40].strip()) for line in lines]
    for name, station in named.items():
        place = types.index((*station.antenna.split(), station.antenna_serial))
        renamed = blocks[place].replace(lines[place], f"{name:<60}TYPE / SERIAL NO")
        chosen.append(f"{'':60}START OF ANTENNA{renamed}")
    out = work / "rtklib.atx"
    out.write_text("".join(chosen))
    return out


def run_rtklib(rover: Rover, base: Path, options: dict[str, str], navigation: list[Path], work: Path) -> Path:
    """Run RTKLIB; return its solution file."""
    config, out = work / "rtklib.conf", work / "rtklib.pos"
    config.write_text("".join(f"{key}={value}\n" for key, value in {**OPTIONS, **options}.items()))
    names = [str(path) for path in (rover.observations, base, *navigation)]
    command = ["rnx2rtkp", "-k", str(config), "-o", str(out), *names]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return out


def shares(path: Path, rover: Rover, after_ns: int = 0) -> Shares:
    """Score a solution file against the truth."""
    solutions = load_solutions(path)
    moments = sorted(time_ns for time_ns in rover.truth_m if time_ns >= after_ns)
    place = np.clip(np.searchsorted(moments, solutions.time_ns + NEAR_NS) - 1, 0, None)
    found = np.abs(np.array(moments)[place] - solutions.time_ns) <= NEAR_NS
    truth_m = np.array([rover.truth_m[moments[k]] for k in place])
    enu = (solutions.position_m - truth_m)[found] @ enu_rotation_at(rover.first_m).T
    horizontal_m, vertical_m = np.hypot(enu[:, 0], enu[:, 1]), np.abs(enu[:, 2])
    fixed = solutions.quality[found] == FIXED
    good = (horizontal_m <= 0.02) & (vertical_m <= 0.05)
    wrong = fixed & ((horizontal_m > 0.05) | (vertical_m > 0.15))
    count = max(len(moments), 1)
    rms_m = float(np.sqrt(np.mean(horizontal_m[fixed] ** 2))) if fixed.any() else float("nan")
    return Shares(
        len(moments),
        100.0 * fixed.sum() / count,
        100.0 * good.sum() / count,
        100.0 * wrong.sum() / max(fixed.sum(), 1),
        1000.0 * rms_m,
    )


def compare(file: Path, rover: Rover, base: Path, work: Path, systems: str) -> dict[str, Shares]:
    """Run both bases in both modes; return shares by words."""
    navigation = [plain(file.parent / name, work) for name in rover.network.navigation[:1]]
    navigation = [path.rename(path.with_suffix(".nav")) if path.suffix != ".nav" else path for path in navigation]
    nearest = min(rover.network.stations, key=lambda one: float(np.linalg.norm(one.marker_m - rover.first_m)))
    named = {"BASE": nearest} | ({"ROVER": rover.station} if rover.station is not None else {})
    antex = antennas_of(rover.network, named, work)
    at_rover = {"pos1-navsys": systems}
    if antex is not None and rover.station is not None:
        at_rover |= {"file-rcvantfile": str(antex), "ant1-anttype": "ROVER"}
        at_rover["ant1-antdelu"] = str(rover.station.antenna_height_m)
    header = next(line for line in read_text(base).splitlines() if "APPROX POSITION XYZ" in line).split()
    bases = {
        "virtual": (base, {f"ant2-pos{k + 1}": header[k] for k in range(3)}),
        f"nearest {nearest.id}": (
            plain(file.parent / nearest.observations[0], work),
            {f"ant2-pos{k + 1}": f"{nearest.position_m[k]:.4f}" for k in range(3)}
            | {"ant2-antdelu": str(nearest.antenna_height_m)}
            | ({"ant2-anttype": "BASE"} if antex is not None else {}),
        ),
    }
    later_ns = min(rover.truth_m) + START_S * NS_PER_S
    found = {}
    for mode in ("instantaneous", "continuous"):
        for name, (path, options) in bases.items():
            solution = run_rtklib(rover, path, {**at_rover, **options, "pos2-armode": mode}, navigation, work)
            found[f"{mode} {name}"] = shares(solution, rover)
            found[f"{mode} {name} later"] = shares(solution, rover, later_ns)
    return found


def main() -> None:
    """Print the table of a set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("set", choices=[*RECORDED, *SIMULATED])
    parser.add_argument("--rover", action="append", default=[])
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        work.mkdir(exist_ok=True)
        file, rovers = rovers_of(arguments.set, arguments.rover, work)
        print(f"{'':44} epochs  fixed%     cm%  wrong%  H rms mm")
        for rover in rovers:
            base = virtual(file, rover, arguments.set, work)
            systems = "1" if arguments.set in RECORDED else "9"  # GPS; GPS and Galileo
            span = f"{to_iso(min(rover.truth_m))[:16]} to {to_iso(max(rover.truth_m))[11:16]}"
            print(f"{rover.name}, {span}")
            for name, found in compare(file, rover, base, work, systems).items():
                print(f"  {name:42} {found}")


if __name__ == "__main__":
    main()
