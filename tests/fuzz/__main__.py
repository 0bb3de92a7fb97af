"""Fuzz the parsers for some time: ``make fuzz SECONDS=60``, or ``python -m tests.fuzz --seconds 60 [TARGET ...]``.

With atheris (``pip install 'gpsgrid[fuzz]'``) the fuzzer follows the coverage of the parsers; without, it changes the
seeds at random. The kernels check their indexes meanwhile. An input that fails is written to ``out/fuzz``.
"""

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.conftest import SHARED_DATA

OUT = Path("out") / "fuzz"
SLOWEST_S = 10  # a hang, for an input of at most 4 kB
MOST_MEMORY_MB = 2048  # of the whole process with its libraries
LONGEST_INPUT = 4096


def main() -> int:
    """Fuzz every target in a process of its own; return the number of targets that failed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("targets", nargs="*")
    options.add_argument("--seconds", type=int, default=60, help="for all targets together")
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.inside:
        one(given.targets[0], given.seconds)
        return 0
    targets = _targets()
    # Numba reads this when a kernel is compiled, and must not mix such kernels with others.
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(OUT.resolve() / "numba")}
    names = given.targets or list(targets)
    each_s = max(given.seconds // len(names), 1)
    failed = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz", name, "--inside", "--seconds", str(each_s)]
        plain = targets[name].interpreted and importlib.util.find_spec("atheris") is not None
        chosen = {**environment, "NUMBA_DISABLE_JIT": str(int(plain))}
        done = subprocess.run(command, env=chosen, check=False, capture_output=True, text=True)
        failed += done.returncode != 0
        log = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        print(f"{name}: {'FAILED' if done.returncode else 'ok'} in {each_s} s; {_summary(log)}", flush=True)
        if done.returncode:
            print("\n".join(log[-30:]))
    return failed


def one(name: str, seconds: int) -> None:
    """Fuzz one target in this process, with atheris if it is there."""
    if importlib.util.find_spec("atheris"):
        _guided(name, seconds)
    else:
        _blind(name, seconds)


def _targets():
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - atheris instruments what is imported after it

    return TARGETS


def _guided(name: str, seconds: int) -> None:
    import atheris  # noqa: PLC0415 - optional

    # Numba cannot compile what atheris has instrumented.
    compiled = [] if os.environ["NUMBA_DISABLE_JIT"] == "1" else _with_kernels()
    with atheris.instrument_imports(include=["stations", "tests.fuzz.targets"], exclude=compiled):
        target = _targets()[name]
    corpus = OUT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds(SHARED_DATA) if SHARED_DATA.is_dir() else []:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed[:LONGEST_INPUT])
    for path in sorted(corpus.iterdir()):
        target.run(path.read_bytes())  # compiles the kernels before the clock of the fuzzer runs
    limits = f"-max_total_time={seconds} -timeout={SLOWEST_S} -rss_limit_mb={MOST_MEMORY_MB} -max_len={LONGEST_INPUT}"
    arguments = [sys.argv[0], *limits.split(), f"-artifact_prefix={OUT}/{name}-", "-verbosity=1", str(corpus)]
    atheris.Setup(arguments, target.run)
    atheris.Fuzz()


def _with_kernels() -> list[str]:
    paths = [path for path in Path("stations").rglob("*.py") if "@njit" in path.read_text(encoding="utf-8")]
    return [".".join(path.with_suffix("").parts) for path in paths]


def _blind(name: str, seconds: int) -> None:
    target = _targets()[name]
    seeds = target.seeds(SHARED_DATA) if SHARED_DATA.is_dir() else [b""]
    for seed in seeds:
        target.run(seed[:LONGEST_INPUT])  # compiles most kernels before the clock runs
    rng = np.random.default_rng(0)
    end_s, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        data = changed(seeds[int(rng.integers(len(seeds)))], rng)
        start_s = time.monotonic()
        try:
            target.run(data)
            if time.monotonic() - start_s >= SLOWEST_S:
                # A kernel may have been compiled for arrays of another layout; what hangs does so again.
                start_s = time.monotonic()
                target.run(data)
                assert time.monotonic() - start_s < SLOWEST_S
        except BaseException:
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise
        runs += 1
    print(f"#{runs} DONE")


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Return data with one to eight bytes or runs of bytes changed, inserted, repeated or removed."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        kind, place = int(rng.integers(4)), int(rng.integers(len(out) + 1))
        if kind == 0:
            out[place : place + 1] = rng.bytes(1)
        elif kind == 1:
            out[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 2:
            other = int(rng.integers(len(out) + 1))
            out[place:place] = out[other : other + int(rng.integers(1, 80))]
        else:
            del out[place : place + int(rng.integers(1, 40))]
    return bytes(out[:LONGEST_INPUT])


def _summary(log: list[str]) -> str:
    done = [line for line in log if line.startswith(("#", "Done"))]
    return done[-1] if done else "no summary"


if __name__ == "__main__":
    sys.exit(main())
