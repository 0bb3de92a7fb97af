"""What a conversion did, in numbers: what was written, and what was left out and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stations.epoch import StationEpoch
from stations.navigation_kinds import Ephemeris
from stations.rinex_obs_contents import ObservationContents
from stations.signals import SIGNALS, satellite_name


@dataclass(frozen=True)
class ConversionReport:
    """Numbers of one conversion.

    Attributes:
        epochs: Written epochs.
        first_ns, last_ns: Times of the first and last of them, ns of GPS time.
        interval_s: Median time between them, seconds; ``None`` with fewer than two.
        observations: Written observations (one signal of one satellite in one epoch).
        satellites: Names by system letter.
        signals: RINEX codes by system letter.
        ephemerides: How many by system letter.
        left_out: What was not written and why, with counts, in the order of the counts.
        notes: What else is to be known.
    """

    epochs: int
    first_ns: int
    last_ns: int
    interval_s: float | None
    observations: int
    satellites: dict[str, tuple[str, ...]]
    signals: dict[str, tuple[str, ...]]
    ephemerides: dict[str, int]
    left_out: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


class Tally:
    """Counts during a conversion.

    Attributes:
        contents: Of the epochs so far.
        left_out: What was left out so far, by reason.
        notes: What else is to be known, without repetition.
        ephemerides: Written ephemerides so far, by system letter.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.contents = ObservationContents()
        self.left_out: Counter[str] = Counter()
        self.notes: dict[str, None] = {}
        self.ephemerides: Counter[str] = Counter()
        self._satellites: set[int] = set()
        self._observations = 0

    def note(self, text: str) -> None:
        """Keep a sentence, once."""
        self.notes[text] = None

    def epoch(self, epoch: StationEpoch) -> None:
        """Count an epoch that is written."""
        self.contents.add(epoch)
        self._satellites.update(np.unique(epoch.satellite).tolist())
        self._observations += len(epoch)

    def navigation(self, ephemerides: Iterable[Ephemeris]) -> None:
        """Count ephemerides that are written."""
        self.ephemerides.update(satellite_name(one.satellite)[0] for one in ephemerides)

    def report(self, left_out: Counter[str] | None = None) -> ConversionReport:
        """Return the numbers so far; ``left_out`` is counted with what stands here."""
        satellites: dict[str, tuple[str, ...]] = {}
        for number in sorted(self._satellites):
            name = satellite_name(number)
            satellites[name[0]] = (*satellites.get(name[0], ()), name)
        signals: dict[str, tuple[str, ...]] = {}
        for number in sorted(self.contents.signals):
            letter = satellite_name(number)[0]
            signals[letter] = (*signals.get(letter, ()), SIGNALS[number].code)
        counted = self.left_out + (left_out or Counter())
        contents = self.contents
        return ConversionReport(
            contents.epochs,
            contents.first_ns,
            contents.last_ns,
            contents.interval_s,
            self._observations,
            satellites,
            signals,
            dict(sorted(self.ephemerides.items())),
            tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0]))),
            tuple(self.notes),
        )
