"""Recorded RINEX files: our readers give what RTKLIB's and georinex's give.

RTKLIB 2.4.3 through pyrtklib 0.2.7, georinex 1.16; the files are those of ``shared/data``.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pyrtklib
import pytest

from stations import gpstime
from stations.constants import NS_PER_S
from stations.edge.files import load_navigation, load_observations, read_text
from stations.rinex_nav import read_navigation
from stations.rinex_obs import RinexObservations, read_observations
from stations.signals import GPS_L1CA, GPS_L2W

pytestmark = pytest.mark.data

UNIX_OF_GPS_S = 315_964_800
L1, L2 = 0, 1
NETHERLANDS = [f"{name}0010{part}.21d.gz" for name in ("delf", "eijs", "rovn", "wsra", "zegv") for part in "ap"]


def nanos(time: pyrtklib.gtime_t) -> int:
    return (time.time - UNIX_OF_GPS_S) * NS_PER_S + round(time.sec * NS_PER_S)


def rtklib_files(path: Path) -> tuple[pyrtklib.obs_t, pyrtklib.nav_t]:
    obs, nav = pyrtklib.obs_t(), pyrtklib.nav_t()
    assert pyrtklib.readrnx(str(path), 1, "", obs, nav, pyrtklib.sta_t()) == 1
    return obs, nav


def plain_copy(path: Path, folder: Path, name: str) -> Path:
    copy = folder / name
    copy.write_text(read_text(path), encoding="latin-1")
    return copy


def table_of_rtklib(obs: pyrtklib.obs_t) -> dict[tuple[int, int, int], tuple[float, ...]]:
    """Return code, phase, strength, loss-of-lock digit by time, satellite and signal; GPS on two frequencies."""
    found = {}
    for place in range(obs.n):
        row = obs.data[place]
        if row.sat > 32:
            continue
        moment = nanos(row.time)
        for frequency, signal in ((L1, GPS_L1CA), (L2, GPS_L2W)):
            code, phase = row.P[frequency], row.L[frequency]
            if 0.0 < code < 1000.0:
                continue  # RTKLIB takes the channel number (type X1) for a code where C1C is blank
            if (code or phase) and row.code[frequency] in {pyrtklib.CODE_L1C, pyrtklib.CODE_L2W}:
                values = (code, phase, row.SNR[frequency] * pyrtklib.SNR_UNIT, row.LLI[frequency])
                found[moment, row.sat, signal] = values
    return found


def table_of_ours(read: RinexObservations) -> dict[tuple[int, int, int], tuple[float, ...]]:
    found = {}
    for epoch in read.epochs:
        columns = (epoch.pseudorange_m, epoch.phase_cyc, epoch.cn0_dbhz)
        values = np.nan_to_num(np.column_stack(columns)).tolist()
        keys = zip(epoch.satellite.tolist(), epoch.signal.tolist(), strict=True)
        for key, value, lock, half in zip(keys, values, epoch.lock_ms.tolist(), epoch.half_cycle.tolist(), strict=True):
            if key[1] in {GPS_L1CA, GPS_L2W}:
                found[epoch.time_ns, *key] = (*value, lock, half)
    return found


def slow_locks(
    theirs: dict[tuple[int, int, int], tuple[float, ...]], interval_ns: int
) -> dict[tuple[int, int, int], int]:
    """Return the age of the arcs in ms, the obvious way, from RTKLIB's phases and loss-of-lock digits."""
    since: dict[tuple[int, int], tuple[int, int]] = {}
    ages = {}
    for (moment, satellite, signal), (_, phase, _, indicator) in sorted(theirs.items()):
        if not phase:
            ages[moment, satellite, signal] = 0
            continue
        begin, last = since.get((satellite, signal), (moment, moment - 10 * interval_ns))
        if indicator & 1 or moment - last > 1.5 * interval_ns:
            begin = moment
        since[satellite, signal] = (begin, moment)
        ages[moment, satellite, signal] = (moment - begin) // 1_000_000
    return ages


def compare(path: Path, read: RinexObservations) -> int:
    theirs, ours = table_of_rtklib(rtklib_files(path)[0]), table_of_ours(read)
    assert ours.keys() == theirs.keys()
    locks = slow_locks(theirs, round(read.interval_s * NS_PER_S))
    for key, (code, phase, strength, indicator) in theirs.items():
        mine = ours[key]
        # Both hold the decimal of the file, rounded to the nearest double.
        assert mine[:2] == (code, phase), key
        # RTKLIB keeps thousandths of a dBHz.
        assert mine[2] == pytest.approx(strength, abs=1.1e-3) or not strength, key
        assert mine[3] == locks[key], key
        assert mine[4] == bool(phase and indicator & 2), key
    return len(theirs)


@pytest.mark.parametrize("name", NETHERLANDS)
def test_netherlands_equal_rtklib(shared_data, tmp_path, name):
    path = shared_data / "nl-2021-001" / name
    copy = plain_copy(path, tmp_path, "copy.21o")
    assert compare(copy, load_observations([path])) > 10_000


@pytest.mark.parametrize(
    "name", ["sim-sparse/SP01.crx.gz", "sim-regional/RRB2.crx.gz", "short-baseline-2024/base.obs.gz"]
)
def test_version_3_equals_rtklib(shared_data, tmp_path, name):
    copy = plain_copy(shared_data / name, tmp_path, "copy.obs")
    assert compare(copy, load_observations([shared_data / name])) > 1000


def test_geonet_equals_rtklib(shared_data):
    path = shared_data / "geonet-2005-092" / "07590920.05o"
    assert compare(path, load_observations([path])) > 1000


@pytest.mark.parametrize("name", ["delf0010a.21d.gz", "zegv0010a.21d.gz"])
def test_equal_to_georinex(shared_data, tmp_path, name):
    """The first hundred epochs only: georinex needs minutes for a file."""
    lines = read_text(shared_data / "nl-2021-001" / name).split("\n")
    starts = [number for number, line in enumerate(lines) if re.match(r" 21 [ 0]1 [ 0]1 ", line)]
    text = "\n".join(lines[: starts[100]]) + "\n"
    copy = tmp_path / "copy.21o"
    copy.write_text(text, encoding="latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import georinex  # noqa: PLC0415 - it and what it imports warn about deprecations

        theirs = georinex.load(copy, use="G", useindicators=False)
        theirs.load()
    read = read_observations(text, name)
    times = [gpstime.from_iso(str(moment)[:26]) for moment in theirs.time.values]
    assert [epoch.time_ns for epoch in read.epochs] == times
    satellites = [int(str(satellite)[1:]) for satellite in theirs.sv.values]
    columns = {(GPS_L1CA, "phase_cyc"): "L1", (GPS_L1CA, "pseudorange_m"): "C1", (GPS_L1CA, "cn0_dbhz"): "S1"}
    columns |= {(GPS_L2W, "phase_cyc"): "L2", (GPS_L2W, "pseudorange_m"): "P2", (GPS_L2W, "cn0_dbhz"): "S2"}
    for (signal, column), name_2 in columns.items():
        ours = np.full((len(times), len(satellites)), np.nan)
        for number, epoch in enumerate(read.epochs):
            here = epoch.signal == signal
            places = [satellites.index(satellite) for satellite in epoch.satellite[here].tolist()]
            ours[number, places] = getattr(epoch, column)[here]
        np.testing.assert_array_equal(ours, theirs[name_2].values, err_msg=name_2)


# ------------------------------------------------------------------------------------------------------ navigation

SAME_NAME = {
    "af0_s": "f0", "af1": "f1", "af2": "f2", "eccentricity": "e", "m0_rad": "M0", "delta_n_rad_s": "deln",
    "omega_rad": "omg", "i0_rad": "i0", "idot_rad_s": "idot", "omega0_rad": "OMG0", "omega_dot_rad_s": "OMGd",
    "cuc_rad": "cuc", "cus_rad": "cus", "cic_rad": "cic", "cis_rad": "cis", "crc_m": "crc", "crs_m": "crs",
    "iode": "iode", "iodc": "iodc", "health": "svh", "ura_index": "sva", "l2_code": "code", "satellite": "sat",
    "l2p_data_off": "flag",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "nl-2021-001/CBW100NLD_R_20210010000_01D_MN.rnx.gz",
        "nl-2021-001/AMEL00NLD_R_20210010000_01D_MN.rnx.gz",
        "sim-city/brdc.rnx.gz",
        "short-baseline-2024/base.nav",
        "geonet-2005-092/07590920.05n",
    ],
)
def test_navigation_equals_rtklib(shared_data, tmp_path, name):
    path = shared_data / name
    copy = plain_copy(path, tmp_path, "copy.05n" if name.endswith("05n") else "copy.rnx")
    nav = rtklib_files(copy)[1]
    theirs = [eph for eph in (nav.eph[place] for place in range(nav.n)) if eph.sat <= 32]
    # RTKLIB removes repetitions; so does merging. Of two that differ in transmission time it may keep another one.
    ours = {(e.satellite, e.iode, e.toe_ns): e for e in load_navigation([path], systems="G")}
    assert len(ours) > 10
    assert {(eph.sat, eph.iode, nanos(eph.toe)) for eph in theirs} == ours.keys()
    transmissions = {(e.satellite, e.iode, e.toe_ns, e.transmitted_ns) for e in read_navigation(read_text(path), name)}
    for eph in theirs:
        mine = ours[eph.sat, eph.iode, nanos(eph.toe)]
        # RTKLIB multiplies by powers of ten, which may differ from strtod in the last bits of a double.
        for field, other in SAME_NAME.items():
            assert getattr(mine, field) == pytest.approx(getattr(eph, other), rel=1e-15, abs=0.0), field
        assert mine.sqrt_a**2 == pytest.approx(eph.A, rel=1e-15)
        assert mine.tgd_s == pytest.approx(eph.tgd[0], rel=1e-15, abs=0.0)
        assert mine.toc_ns == nanos(eph.toc)
        assert (eph.sat, eph.iode, mine.toe_ns, nanos(eph.ttr)) in transmissions
        assert mine.fit_interval_flag == (eph.fit > 4.0)
