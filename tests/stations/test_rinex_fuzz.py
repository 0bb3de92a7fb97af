"""Damaged files: whatever is done to a text, a reader gives values or a ``GpsgridError``, nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.antex import read_antex
from stations.edge.files import read_text
from stations.errors import GpsgridError, Reason
from stations.rinex_nav import read_navigation
from stations.rinex_obs import RinexObservations, read_observations

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


@pytest.mark.parametrize("reader", [read_observations, read_navigation, read_antex])
@given(text=st.text(max_size=400))
@settings(max_examples=60)
def test_any_text(reader, text):
    assert not survives(reader, text)
