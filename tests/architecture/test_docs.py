"""The documentation is checked like code: links lead somewhere, blocks parse, commands and files that it names exist.

Fenced blocks marked ``toml``, ``json`` and ``python`` must parse. In ``console`` blocks a line that starts with
``$ `` is a command; everything else is what it printed.
"""

import ast
import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
OUR_FILE = re.compile(r"(?:stations|models|gpsgrid|replay|tests|docs)/[\w/.-]*\.(?:py|md|toml|csv|png|svg)")


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _blocks(text: str, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(text) if name == language]


def _prose(text: str) -> str:
    return FENCE.sub("", text)


def _anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(_prose(text)))
    return {heading.replace(" ", "-") for heading in headings}


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the command lines of console blocks and code spans, split into words."""
    for block in _blocks(text, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield shlex.split(line[2:], comments=True)
    for span in CODE_SPAN.findall(_prose(text)):
        if re.match(r"(gpsgrid|make) [a-z]", span):
            yield span.split()


def _after(program: str, words: list[str]) -> str | None:
    """Return the first word after a program that is no option and no assignment."""
    if program not in words:
        return None
    rest = words[words.index(program) + 1 :]
    return next((word for word in rest if re.fullmatch(r"[a-z][a-z-]*", word)), None)


@pytest.fixture(scope="module")
def command_names() -> set[str]:
    if not list((ROOT / "gpsgrid" / "edge").glob("cli*")):
        pytest.skip("there is no command line yet")
    cli = importlib.import_module("gpsgrid.edge.cli")
    apps = [value for value in vars(cli).values() if isinstance(value, typer.Typer)]
    assert apps, "gpsgrid.edge.cli holds no typer application"
    return {name for app in apps for name in getattr(typer.main.get_command(app), "commands", {})}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_links_lead_somewhere(document: Path):
    broken = []
    for target in LINK.findall(_prose(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in _anchors(path.read_text())):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_blocks_parse(document: Path):
    text = document.read_text()
    for block in _blocks(text, "toml"):
        tomllib.loads(block)
    for block in _blocks(text, "json"):
        json.loads(block)
    for block in _blocks(text, "python"):
        ast.parse(block)
    for block in _blocks(text, "console"):
        assert any(line.startswith("$ ") for line in block.splitlines()), f"no command in console block:\n{block}"
    assert all(_commands(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_every_block_is_closed_and_marked(document: Path):
    text = document.read_text()
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(FENCE.findall(text))
    assert all(language for language, _ in FENCE.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_commands_exist(document: Path, command_names: set[str]):
    named = {_after("gpsgrid", words) for words in _commands(document.read_text())} - {None}
    assert named - command_names == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_make_targets_exist(document: Path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {_after("make", words) for words in _commands(document.read_text())} - {None}
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_files_named_in_code_spans_exist(document: Path):
    spans = {span for span in CODE_SPAN.findall(_prose(document.read_text())) if OUR_FILE.fullmatch(span)}
    assert [span for span in sorted(spans) if not (ROOT / span).exists()] == []
