"""The targets of the fuzzer, for a moment: seeds and damaged seeds of every parser, with little memory."""

import tracemalloc

import pytest

from tests.fuzz.__main__ import changed
from tests.fuzz.targets import TARGETS

ROUNDS = 60
MOST_BYTES = 4 << 20  # for an input of at most 4 kB


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_damaged_seeds(shared_data, rng, name):
    target = TARGETS[name]
    seeds = target.seeds(shared_data)
    assert seeds
    for seed in seeds:
        target.run(seed)  # kernels are compiled and tables made before memory is counted
    tracemalloc.start()
    try:
        for _ in range(ROUNDS):
            target.run(changed(seeds[int(rng.integers(len(seeds)))], rng))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES
