"""RINEX files of any version as RINEX 3.04: what has a place there, and what has not."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from stations.conversion_report import Tally
from stations.epoch import StationEpoch
from stations.navigation_kinds import Ephemeris
from stations.rinex_nav_writer import write_navigation
from stations.rinex_obs import RinexObservations
from stations.rinex_obs_writer import StationDescription, writable
from stations.signals import SIGNALS, satellite_name


def description_of(observations: RinexObservations) -> StationDescription:
    """Return the header of a file for the writer."""
    return StationDescription(
        marker=observations.marker,
        marker_number=observations.marker_number,
        approx_position_m=observations.approx_position_m,
        antenna=observations.antenna,
        antenna_serial=observations.antenna_serial,
        antenna_height_m=observations.antenna_height_m,
        receiver=observations.receiver,
        receiver_serial=observations.receiver_serial,
        receiver_version=observations.receiver_version,
        comments=(f"converted from RINEX {observations.version:.2f}",),
        glonass_bias_m=observations.glonass_bias_m,
        clock_applied=observations.clock_applied,
    )


def usable_epochs(observations: RinexObservations, tally: Tally) -> list[StationEpoch]:
    """Return the epochs without signals that RINEX 3.04 does not have, which are counted."""
    found = []
    for epoch in observations.epochs:
        known = np.array([writable(number) for number in epoch.signal.tolist()], dtype=np.bool_)
        for number, count in Counter(epoch.signal[~known].tolist()).items():
            name = f"{satellite_name(number)[0]} {SIGNALS[number].code}"
            tally.left_out[f"observations of {name}, which RINEX 3.04 does not have"] += count
        kept = epoch.rows(known)
        tally.epoch(kept)
        found.append(kept)
    tally.left_out["events between the epochs"] += len(observations.events)
    for name, count in observations.skipped.items():
        system, _, kind = name.partition(":")
        what = f"values of {system} {kind} that belong to no signal" if kind else f"records of satellites of {system}"
        tally.left_out[what] += count
    for problem in observations.problems:
        tally.note(problem)
    return found


def writable_ephemerides(ephemerides: Iterable[Ephemeris], tally: Tally) -> Sequence[Ephemeris]:
    """Return the ephemerides that a record of RINEX 3.04 can hold; the others are counted."""
    found = []
    for ephemeris in ephemerides:
        try:
            write_navigation([ephemeris])
        except ValueError:
            tally.left_out[f"ephemerides of {satellite_name(ephemeris.satellite)[0]} that no record can hold"] += 1
            continue
        found.append(ephemeris)
    return found
