"""Damaged files: whatever is done to a text, a reader gives values or a ``GpsgridError``, nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.antex import read_antex
from stations.edge.files import read_text
from stations.errors import GpsgridError, Reason
from stations.rinex_clock import read_clocks
from stations.rinex_nav import read_navigation
from stations.rinex_obs import RinexObservations, read_observations
from stations.sinex import read_sinex
from stations.solution_file import read_solutions
from stations.sp3 import read_sp3

ROUNDS = 300
CHARACTERS = np.frombuffer(b"0123456789 .-+DEGRX>\n\t\r\x00\xb2\xff_", dtype=np.uint8)


def mutate(text: str, rng: np.random.Generator) -> str:
    """Return the text with one to twelve characters changed, inserted, removed, moved or cut off."""
    data = bytearray(text.encode("latin-1"))
    for _ in range(int(rng.integers(1, 13))):
        kind, place = rng.integers(0, 6), int(rng.integers(0, max(1, len(data))))
        if kind <= 1:
            data[place : place + 1] = bytes([rng.choice(CHARACTERS)])
        elif kind == 2:
            data[place:place] = bytes([rng.choice(CHARACTERS)])
        elif kind == 3:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            other = int(rng.integers(0, max(1, len(data))))
            data[place:place] = data[other : other + int(rng.integers(1, 200))]
        elif rng.random() < 0.2:
            del data[place:]
    return data.decode("latin-1")


def outcome(reader: Callable[[str, str], object], text: str) -> object:
    try:
        return reader(text, "damaged")
    except GpsgridError as error:
        return error


def survives(reader: Callable[[str, str], object], text: str) -> bool:
    """Return whether the reader accepted the text; any error but its own fails the test."""
    read = outcome(reader, text)
    if isinstance(read, GpsgridError):
        assert read.reason is Reason.BROKEN_FILE
        assert isinstance(read.facts["line"], int)
        return False
    if isinstance(read, RinexObservations):
        for before, after in zip(read.epochs, read.epochs[1:], strict=False):
            assert before.time_ns < after.time_ns
        for epoch in read.epochs:
            assert len({len(column) for column in vars(epoch).values() if isinstance(column, np.ndarray)}) == 1
            assert not np.isinf(epoch.phase_cyc).any()
            assert (epoch.lock_ms >= 0).all()
    return True


def short(text: str, lines: int) -> str:
    return "\n".join(text.split("\n")[:lines]) + "\n"


@pytest.mark.data
@pytest.mark.parametrize(
    ("reader", "name", "lines"),
    [
        (read_observations, "nl-2021-001/delf0010a.21d.gz", 200),
        (read_observations, "nl-2021-001/zegv0010a.21d.gz", 200),
        (read_observations, "geonet-2005-092/07590920.05o", 60),
        (read_observations, "short-baseline-2024/base.obs.gz", 180),
        (read_navigation, "geonet-2005-092/07590920.05n", 12 + 8 * 8),
        (read_navigation, "short-baseline-2024/base.nav", 10 + 8 * 8),
        (read_antex, "nl-2021-001/nl.atx", 200),
    ],
)
def test_damaged_recordings(shared_data, rng, reader, name, lines):
    whole = short(read_text(shared_data / name), lines)
    accepted = sum(survives(reader, mutate(whole, rng)) for _ in range(ROUNDS))
    # Most damage must be noticed in fixed columns, some must pass: else the fuzzer is blunt.
    assert 0 < accepted < ROUNDS


SP3 = (
    "#dP2021  1  1  0  0  0.00000000       1 ORBIT IGS14 HLM  IGS\n"
    "## 2138 432000.00000000   900.00000000 59215 0.0000000000000\n+    2   G01R05\n++         7  0\n"
    "%c M  cc GPS ccc cccc cccc cccc cccc ccccc ccccc ccccc ccccc\n%f  1.2500000  1.025000000  0.0 0.0\n"
    "*  2021  1  1  0  0  0.00000000\n"
    "PG01  26560.000000      0.000000  -1234.567890    100.000000 10  9 11 102 EP  MP\n"
    "PR05  16560.000000 -10000.000000  -1234.567890 999999.999999\n"
    "*  2021  1  1  0 15  0.00000000\nPG01  26560.100000      0.000000  -1234.567890    100.000000\nEOF\n"
)
CLOCK = (
    f"{'     3.00           C                   M':<60}RINEX VERSION / TYPE\n"
    f"{'   GPS':<60}TIME SYSTEM ID\n{'':60}END OF HEADER\n"
    "AS G01  2021 01 01 00 00  0.000000  2    1.234567890123E-04  1.000000000000E-11\n"
    "AR ALGO 2021 01 01 00 00 30.000000  4    1.234567890555E-04  1.000000000000E-11\n    1.0E-12   2.0E-13\n"
)
SINEX = (
    "%=SNX 2.02 IGN 16:021:00000 IGN 79:003:00000 15:045:00000 C 00003 2 X\n+SOLUTION/EPOCHS\n"
    " DELF  A    1 C 96:001:00000 12:001:00000 04:001:00000\n-SOLUTION/EPOCHS\n+SOLUTION/ESTIMATE\n"
    "     1 STAX   DELF  A    1 10:001:00000 m    2  3.92468765410000E+06 1.00000E-03\n"
    "     2 STAY   DELF  A    1 10:001:00000 m    2  3.01132871200000E+05 1.00000E-03\n"
    "     3 STAZ   DELF  A    1 10:001:00000 m    2  5.00191090120000E+06 1.00000E-03\n"
    "-SOLUTION/ESTIMATE\n%ENDSNX\n"
)
POSITIONS = (
    "% program   : x\n%  GPST                  latitude(deg) longitude(deg)  height(m)   Q  ns   sdn(m)   sde(m)\n"
    "2021/01/01 00:00:00.200   52.000000000    4.400000000    74.0000   1   5   0.0200   0.0300   0.0400"
    "   0.0010  -0.0020   0.0030   0.00    0.0\n"
    "2138 432001.000   52.000000000    4.400000000    74.0000   2   7   0.0200   0.0300   0.0400\n"
)


@pytest.mark.parametrize(
    ("reader", "whole"),
    [(read_sp3, SP3), (read_clocks, CLOCK), (read_sinex, SINEX), (read_solutions, POSITIONS)],
    ids=["sp3", "clock", "sinex", "solutions"],
)
def test_damaged_texts(rng, reader, whole):
    assert survives(reader, whole)
    accepted = sum(survives(reader, mutate(whole, rng)) for _ in range(ROUNDS))
    assert 0 < accepted < ROUNDS


@pytest.mark.data
@pytest.mark.parametrize("name", ["short-baseline-2024/base.obs.gz", "sim-city/CI00.crx.gz"])
def test_damaged_bytes_of_all_systems(shared_data, rng, name):
    whole = short(read_text(shared_data / name), 150)
    for _ in range(ROUNDS):
        damaged = mutate(whole, rng)
        text, data = outcome(read_observations, damaged), outcome(read_observations, damaged.encode("latin-1"))
        assert str(text)[:200] == str(data)[:200] or not isinstance(text, GpsgridError)


@pytest.mark.parametrize("reader", [read_sp3, read_clocks, read_sinex])
@given(text=st.text(max_size=400))
@settings(max_examples=60)
def test_any_text_of_products(reader, text):
    assert not survives(reader, text)


@pytest.mark.parametrize("reader", [read_observations, read_navigation, read_antex])
@given(text=st.text(max_size=400))
@settings(max_examples=60)
def test_any_text(reader, text):
    assert not survives(reader, text)
