"""``gpsgrid doctor``: what is in files and streams, and what they lack for network RTK."""

import asyncio
import json
from pathlib import Path

from rich.console import Console

from gpsgrid.diagnosis import OK, Diagnosis, as_json
from gpsgrid.edge.doctor_files import diagnose_file, navigation_of
from gpsgrid.edge.doctor_live import diagnose_url, is_url
from gpsgrid.edge.doctor_text import show


def doctor(sources: list[str], seconds: float, date: str, *, as_text: bool, console: Console) -> int:
    """Look at files and URLs one after the other and tell what was found.

    Args:
        sources: Paths and URLs.
        seconds: How long to listen to each URL.
        date: Day of RTCM 3 recordings that do not tell it.
        as_text: Tables for people; otherwise JSON, a list with one object a source.
        console: Where to.

    Returns:
        Exit status, the worst of all: 0 in order, 1 unusable for network RTK, 2 cannot be read.
    """
    paths = [Path(source) for source in sources if not is_url(source)]
    ephemerides = navigation_of(paths) if len(paths) > 1 else []
    found: list[Diagnosis] = []
    for source in sources:
        if is_url(source):
            if as_text:
                console.print(f"listening for {seconds:g} s ...", highlight=False)
            some = asyncio.run(diagnose_url(source, seconds))
        else:
            some = [diagnose_file(Path(source), date, ephemerides)]
        for diagnosis in some:
            if as_text:
                show(diagnosis, console)
        found += some
    if not as_text:
        console.out(json.dumps([as_json(diagnosis) for diagnosis in found], indent=2, allow_nan=False), highlight=False)
    return max((diagnosis.status for diagnosis in found), default=OK)
