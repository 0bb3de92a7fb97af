"""Every recorded observation file: our reader gives all that RTKLIB's gives, our writer what RTKLIB and georinex read.

RTKLIB 2.4.3 through pyrtklib 0.2.7 and Debian's convbin, georinex 1.16; the files are those of ``shared/data``.
RTKLIB keeps one signal of at most three frequencies; the other signals are compared with the slow twin.
"""

import ctypes
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pyrtklib
import pytest

from stations import gpstime
from stations.constants import NS_PER_S
from stations.edge.files import read_data
from stations.rinex_columns import SYSTEMS, layouts_of
from stations.rinex_epochs import find_epochs
from stations.rinex_header import read_header
from stations.rinex_obs import RinexObservations, read_observations
from stations.rinex_obs_writer import StationDescription, write_observations
from stations.rinex_rows import read_rows
from stations.rinex_slow import slow_rows
from stations.rinex_text import LineTable
from stations.signals import SIGNALS, Constellation, satellite_name, satellite_number, signal_of

pytestmark = pytest.mark.data

FILES = [
    *(f"nl-2021-001/{name}0010{part}.21d.gz" for name in ("delf", "eijs", "rovn", "wsra", "zegv") for part in "ap"),
    "geonet-2005-092/07590920.05o",
    "short-baseline-2024/base.obs.gz",
    "short-baseline-2024/rover.obs.gz",
    *(f"sim-city/{name}.crx.gz" for name in ("CI00", "CI01", "CI02", "CI03", "CI04", "CI05", "CI06", "CRA1", "CRB2")),
    *(f"sim-city/{name}.crx.gz" for name in ("CRC3", "CRM9")),
    *(f"sim-storm/{name}.crx.gz" for name in ("CI00", "CI01", "CI02", "CI03", "CI04", "CI05", "CI06", "CRA1", "CRB2")),
    *(f"sim-storm/{name}.crx.gz" for name in ("CRC3", "CRM9")),
    *(f"sim-regional/RG{row}{column}.crx.gz" for row in "012" for column in "012"),
    *(f"sim-regional/{name}.crx.gz" for name in ("RRA1", "RRB2", "RRC3", "RRM9")),
    *(f"sim-sparse/SP0{number}.crx.gz" for number in range(1, 7)),
    *(f"sim-sparse/{name}.crx.gz" for name in ("SRA1", "SRB2", "SRM9")),
]
UNIX_OF_GPS_S = 315_964_800
OBSD = np.dtype(  # obsd_t of rtklib.h with three frequencies
    [
        ("time", "<i8"), ("sec", "<f8"), ("sat", "u1"), ("rcv", "u1"), ("SNR", "<u2", 3), ("LLI", "u1", 3),
        ("code", "u1", 3), ("L", "<f8", 3), ("P", "<f8", 3), ("D", "<f4", 3),
    ],
    align=True,
)  # fmt: skip
SYSTEM_BITS = {1: "G", 2: "S", 4: "R", 8: "E", 16: "J", 32: "C", 64: "I"}
FIRST_PRN = {"J": 192, "S": 100}


def rtklib_table(path: Path) -> np.ndarray:
    """Return RTKLIB's observations as one structured array, copied out of its memory."""
    obs, nav, sta = pyrtklib.obs_t(), pyrtklib.nav_t(), pyrtklib.sta_t()
    assert pyrtklib.readrnx(str(path), 1, "", obs, nav, sta) == 1
    # A million attributes one by one would take minutes: pybind11 keeps the pointer behind the object's head.
    address = ctypes.c_void_p.from_address(id(obs.data[0]) + 16).value
    table = np.frombuffer((ctypes.c_char * (OBSD.itemsize * obs.n)).from_address(address), dtype=OBSD).copy()
    for row in (0, obs.n // 2, obs.n - 1):
        record = obs.data[row]
        assert (record.time.time, record.sat, record.P[0], record.L[2]) == (
            table["time"][row], table["sat"][row], table["P"][row][0], table["L"][row][2],
        )  # fmt: skip
    return table


def rtklib_satellites() -> np.ndarray:
    """Return our satellite integers by those of RTKLIB."""
    found = np.zeros(256, dtype=np.int64)
    for number in range(1, 256):
        prn = pyrtklib.Arr1Dint(1)
        letter = SYSTEM_BITS.get(pyrtklib.satsys(number, prn))
        if letter:
            found[number] = satellite_number(f"{letter}{prn[0] - FIRST_PRN.get(letter, 0):02d}")
    return found


def columns_of_rtklib(path: Path) -> dict[str, np.ndarray]:
    """Return RTKLIB's values as columns, a row a signal."""
    table = rtklib_table(path)
    satellite = rtklib_satellites()[table["sat"]]
    signal_by_code = np.zeros((7, 256), dtype=np.int64)
    for code in range(1, 69):
        for constellation in Constellation:
            try:
                number = signal_of(constellation, pyrtklib.code2obs(code)).number
            except KeyError:
                continue
            signal_by_code[constellation, code] = number
    time_ns = (table["time"] - UNIX_OF_GPS_S) * NS_PER_S + np.round(table["sec"] * NS_PER_S).astype(np.int64)
    pieces = []
    for frequency in range(3):
        code, phase = table["P"][:, frequency], table["L"][:, frequency]
        # It takes the channel number (type X1) for a code where that is blank.
        keep = ((code != 0) | (phase != 0)) & ~((code > 0.0) & (code < 1000.0))
        pieces.append(
            {
                "time_ns": time_ns[keep],
                "satellite": satellite[keep],
                "signal": signal_by_code[satellite[keep] // 100, table["code"][keep, frequency]],
                "code": code[keep],
                "phase": phase[keep],
                "doppler": table["D"][keep, frequency],
                "strength": table["SNR"][keep, frequency] * 1e-3,
                "indicator": table["LLI"][keep, frequency],
            }
        )
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def columns_of_ours(read: RinexObservations) -> dict[str, np.ndarray]:
    names = {
        "satellite": "satellite", "signal": "signal", "code": "pseudorange_m", "phase": "phase_cyc",
        "doppler": "doppler_hz", "strength": "cn0_dbhz", "half": "half_cycle", "lock": "lock_ms",
    }  # fmt: skip
    found = {ours: np.concatenate([getattr(epoch, name) for epoch in read.epochs]) for ours, name in names.items()}
    found["time_ns"] = np.repeat([epoch.time_ns for epoch in read.epochs], [len(epoch) for epoch in read.epochs])
    return found


def keys_of(columns: dict[str, np.ndarray]) -> np.ndarray:
    # Ten microseconds are below any spacing of epochs; the key fits into 64 bits.
    start = gpstime.from_calendar(1980 + 4 * ((int(columns["time_ns"][0]) // (31_557_600 * NS_PER_S)) // 4), 1, 1)
    return ((columns["time_ns"] - start) // 10_000_000 * 1000 + columns["satellite"]) * 1000 + columns["signal"]


def compare(theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray]) -> int:
    """Compare all values that RTKLIB has; return how many."""
    # RINEX 2: where one code of two on a band is missing, RTKLIB gives the other one, without its phase.
    spare = ~np.isin(theirs["signal"], ours["signal"])
    assert not theirs["phase"][spare].any()
    theirs = {name: column[~spare] for name, column in theirs.items()}
    their_keys, our_keys = keys_of(theirs), keys_of(ours)
    kinds = np.unique(theirs["signal"])
    wanted = np.isin(ours["signal"], kinds)
    their_order, our_order = np.argsort(their_keys), np.flatnonzero(wanted)[np.argsort(our_keys[wanted])]
    np.testing.assert_array_equal(our_keys[our_order], their_keys[their_order])
    mine = {name: column[our_order] for name, column in ours.items()}
    other = {name: column[their_order] for name, column in theirs.items()}
    # Both hold the decimal of the file, rounded to the nearest double; Doppler shifts are singles there.
    np.testing.assert_array_equal(np.nan_to_num(mine["code"]), other["code"])
    np.testing.assert_array_equal(np.nan_to_num(mine["phase"]), other["phase"])
    np.testing.assert_array_equal(np.nan_to_num(mine["doppler"]).astype(np.float32), other["doppler"])
    # RTKLIB keeps thousandths of a dBHz, and knows no strength digits.
    known = other["strength"] > 0.0
    np.testing.assert_allclose(mine["strength"][known], other["strength"][known], atol=1.1e-3, rtol=0.0)
    observed = other["phase"] != 0.0
    np.testing.assert_array_equal(mine["half"], observed & (other["indicator"] & 2 > 0))
    assert not mine["lock"][observed & (other["indicator"] & 1 > 0)].any()
    return int(sum((other[name] != 0).sum() for name in ("code", "phase", "doppler", "strength")))


@pytest.mark.parametrize("name", FILES)
def test_all_systems_equal_rtklib(shared_data, tmp_path, name, record_property):
    data = read_data(shared_data / name)
    copy = tmp_path / ("copy.05o" if "2005" in name else "copy.21o")
    copy.write_bytes(data)
    read = read_observations(data, name)
    count = compare(columns_of_rtklib(copy), columns_of_ours(read))
    record_property("values_compared", count)
    assert count > 3000
    assert not {key for key in read.skipped if len(key) == 1}, "no record of a satellite is left out"


@pytest.mark.parametrize(
    "name", ["nl-2021-001/wsra0010a.21d.gz", "short-baseline-2024/rover.obs.gz", "sim-regional/RRB2.crx.gz"]
)
def test_rows_equal_the_slow_twin(shared_data, name):
    table = LineTable(read_data(shared_data / name), name)
    header, first_line = read_header(table)
    index, records = find_epochs(table, header, first_line)
    rows, _ = read_rows(table, index.headers, records, index.header, SYSTEMS)
    layouts = layouts_of(index.headers)
    last = int(records.border[40])
    slow = [
        row
        for line, satellite in zip(records.line[:last].tolist(), records.satellite[:last].tolist(), strict=True)
        for row in slow_rows(table, line, satellite, layouts, satellite // 100)
    ]
    assert len(slow) == rows.border[40] > 400
    for place, column in enumerate(rows[:-1]):
        np.testing.assert_array_equal(column[: len(slow)], np.array([row[place] for row in slow]))


def describe(read: RinexObservations) -> StationDescription:
    return StationDescription(
        read.marker, read.marker_number, read.approx_position_m, read.antenna, read.antenna_serial,
        read.antenna_height_m, read.receiver, read.receiver_serial, read.receiver_version,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["nl-2021-001/zegv0010a.21d.gz", "short-baseline-2024/base.obs.gz"])
def test_written_file_is_accepted_by_convbin_with_equal_values(shared_data, tmp_path, name):
    read = read_observations(read_data(shared_data / name), name)
    path = tmp_path / "ours.obs"
    path.write_text(write_observations(describe(read), read.epochs), encoding="latin-1")
    assert compare(columns_of_rtklib(path), columns_of_ours(read)) > 10_000
    if shutil.which("convbin") is None:
        pytest.skip("convbin is not there: apt-get install rtklib")
    again = tmp_path / "again.obs"
    command = ["convbin", str(path), "-r", "rinex", "-v", "3.04", "-od", "-os", "-f", "3", "-o", str(again)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    converted = columns_of_ours(read_observations(again.read_bytes(), "again.obs"))
    ours = columns_of_ours(read)
    our_keys, their_keys = keys_of(ours), keys_of(converted)
    assert len(their_keys) > 0.5 * len(our_keys)
    place = np.argsort(our_keys)[np.searchsorted(np.sort(our_keys), their_keys)]
    np.testing.assert_array_equal(our_keys[place], their_keys)
    for column in ("code", "phase", "half"):
        np.testing.assert_array_equal(ours[column][place], converted[column])


def with_georinex(path: Path, use: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import georinex  # noqa: PLC0415 - it and what it imports warn about deprecations

        return georinex.load(path, use=use, useindicators=False).load()


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("short-baseline-2024/base.obs.gz", "GREJC"),
        ("sim-storm/CRC3.crx.gz", "GREC"),
        ("sim-sparse/SP01.crx.gz", "GREC"),
        ("nl-2021-001/wsra0010a.21d.gz", "GREC"),
    ],
)
def test_written_and_recorded_files_equal_georinex(shared_data, tmp_path, name, use):
    """The first epochs, all systems and signals: georinex needs minutes for a whole file."""
    whole = read_observations(read_data(shared_data / name), name)
    text = write_observations(describe(whole), whole.epochs[:4])
    path = tmp_path / "ours.rnx"
    path.write_text(text, encoding="latin-1")
    read = read_observations(text, name)
    compared = 0
    for letter in sorted({satellite_name(number)[0] for epoch in read.epochs for number in epoch.satellite.tolist()}):
        if letter not in use:
            continue
        theirs = with_georinex(path, letter)
        times = {gpstime.from_iso(str(moment)[:26]): place for place, moment in enumerate(theirs.time.values)}
        satellites = {str(name): place for place, name in enumerate(theirs.sv.values)}
        for epoch in read.epochs:
            for row in range(len(epoch)):
                sat_name = satellite_name(int(epoch.satellite[row]))
                if sat_name[0] != letter:
                    continue
                code = SIGNALS[int(epoch.signal[row])].code
                for kind, column in (
                    ("C", "pseudorange_m"),
                    ("L", "phase_cyc"),
                    ("D", "doppler_hz"),
                    ("S", "cn0_dbhz"),
                ):
                    value = getattr(epoch, column)[row]
                    if np.isnan(value):
                        continue
                    other = theirs[f"{kind}{code}"].values[times[epoch.time_ns], satellites[sat_name]]
                    assert value == other, (sat_name, kind, code)
                    compared += 1
    assert compared > 100
