"""The rules of the repository that no single test of a module can see: imports, wheel, sizes, names."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("stations", "models", "gpsgrid", "replay")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_MODULE = 400
LARGEST_FILE_BYTES = 1_000_000


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _files_of_repository() -> list[Path]:
    """Return what git tracks or would track; without git, everything that is not hidden or built."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    else:
        built = {"build", "dist", "out", "__pycache__"}
        paths = (
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") or part in built for part in path.relative_to(ROOT).parts)
        )
    return [path for path in paths if path.is_file()]


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "COLUMNS": "300"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_import_contracts_hold():
    result = _lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


PLANTED = [
    ("stations/planted.py", "import models", "direction"),
    ("models/planted.py", "import gpsgrid", "direction"),
    ("gpsgrid/planted.py", "import replay", "direction"),
    ("gpsgrid/edge/planted.py", "import replay", "direction"),
    ("models/planted.py", "import stations.edge", "edge"),
    ("gpsgrid/planted.py", "import gpsgrid.edge", "edge"),
    ("replay/planted.py", "from gpsgrid import edge", "edge"),
    ("stations/planted.py", "import asyncio", "world"),
    ("models/planted.py", "from concurrent.futures import ThreadPoolExecutor", "world"),
    ("gpsgrid/planted.py", "from pathlib import Path", "world"),
    ("gpsgrid/planted.py", "def late():\n    import time", "world"),
    ("replay/planted.py", "import aiomqtt", "world"),
    ("models/field/planted.py", "import torch", "torch"),
    ("gpsgrid/edge/planted.py", "import gpytorch", "torch"),
]
NAMES = {
    "direction": "Packages import only downward",
    "edge": "Core never imports edge",
    "world": "Only edge packages do I/O",
    "torch": "torch and gpytorch stay in the learner",
}


@pytest.fixture(scope="module")
def copy_of_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(("path", "code", "contract"), PLANTED)
def test_a_planted_import_breaks_its_contract(copy_of_packages: Path, path: str, code: str, contract: str):
    planted = copy_of_packages / path
    planted.write_text(f'"""A planted fault."""\n\n{code}\n')
    try:
        result = _lint_imports(copy_of_packages)
    finally:
        planted.unlink()
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(line.startswith(NAMES[contract]) for line in broken), result.stdout
    assert _dotted(planted.relative_to(copy_of_packages)) in result.stdout


def test_the_core_starts_without_torch_and_pandas():
    """They cost 300 MB and two seconds; only the learner and the edge may bring them in."""
    learner = {"models.field.definition", "models.field.learning"}
    core = [
        _dotted(path.relative_to(ROOT)) for path in MODULES if "edge" not in path.parts and path.name != "__main__.py"
    ]
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {sorted(set(core) - learner)}]; "
        "print([name for name in ('torch', 'gpytorch', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_the_wheel_holds_exactly_the_four_packages(tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    metadata = f"{wheel.name.split('-')[0]}-{wheel.name.split('-')[1]}.dist-info"
    assert {name.split("/")[0] for name in names} == {*PACKAGES, metadata}
    assert {name for name in names if name.endswith(".py")} == {_named(path) for path in MODULES}


def test_no_dependency_ships_one_of_our_names():
    """Two distributions with one top-level name overwrite each other silently (docs/adr/006)."""
    owners = {name: set(packages_distributions().get(name, [])) - {"gpsgrid"} for name in (*PACKAGES, "tests")}
    assert {name: others for name, others in owners.items() if others} == {}


def _public_definitions(tree: ast.Module) -> list[tuple[int, str, str | None]]:
    """Return line, name and docstring of the module, its public functions and classes, and their public methods."""
    found: list[tuple[int, str, str | None]] = [(1, "module", ast.get_docstring(tree))]
    bodies = [tree.body]
    while bodies:
        for node in bodies.pop():
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            decorators = {ast.unparse(decorator).split("(")[0].split(".")[-1] for decorator in node.decorator_list}
            if not decorators & {"overload", "override", "setter"}:
                found.append((node.lineno, node.name, ast.get_docstring(node)))
            if isinstance(node, ast.ClassDef):
                bodies.append(node.body)
    return found


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_everything_public_has_a_docstring(path: Path):
    silent = [
        f"{_named(path)}:{line} {name}"
        for line, name, text in _public_definitions(ast.parse(path.read_text()))
        if not text
    ]
    assert silent == []


def test_no_module_is_too_long():
    lengths = {_named(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_module_is_a_drawer():
    drawers = {"util", "utils", "helper", "helpers", "common", "misc", "tools", "shared"}
    assert [_named(path) for path in MODULES if path.stem in drawers or path.parent.name in drawers] == []


def test_no_package_under_tests():
    """An ``__init__.py`` there lets tests/models hide the package models."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_every_noqa_names_its_rule_and_its_reason():
    allowed = re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* +- \S")
    bare = [
        f"{_named(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "# noqa" in line and not allowed.search(line)
    ]
    assert bare == []


def test_every_rule_ignored_in_pyproject_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    section = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-annotations]")]
    silent = [line.strip() for line in section.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line) and "#" not in line]
    assert silent == []


def test_no_large_file():
    sizes = {_named(path): path.stat().st_size for path in _files_of_repository()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE_BYTES} == {}


def test_no_path_of_somebodys_machine():
    absolute = re.compile(rb"(?<![\w.~$})>-])/(home|root|Users|mnt|work|workspace|srv)/\w")
    hits = [
        f"{_named(path)}:{number}"
        for path in _files_of_repository()
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if absolute.search(line) and b"\0" not in line
    ]
    assert hits == []
