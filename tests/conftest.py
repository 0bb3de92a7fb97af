"""Fixtures for all tests: the recorded networks beside the repository, and seeded randomness."""

import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy comes in: with more, small solves are forty times slower

import numpy as np  # noqa: E402
import pytest  # noqa: E402

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recorded and simulated networks; tests that ask for it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        message = f"the recorded networks are not there: {SHARED_DATA}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED_DATA


@pytest.fixture
def rng() -> np.random.Generator:
    """Generator with a fixed seed, fresh for every test."""
    return np.random.default_rng(20210101)
