"""How many values of descriptions, ephemerides, network messages and files are compared with which oracle.

``python -m tests.stations.oracle_summary [FOLDER]`` runs the comparisons of the tests and prints the counts; those of
observation messages are printed by ``tests.stations.wire.oracle_table``. Whatever is not equal ends it.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from stations.edge.files import read_data, read_text
from stations.rinex_nav import read_navigation_file
from stations.rinex_obs import read_observations
from stations.wire.framing import message_number
from tests.stations import (
    conftest,
    test_antex,
    test_nmea,
    test_rinex_nav_systems,
    test_rinex_obs_oracles,
    test_rinex_oracles,
    test_sinex,
    test_solution_file,
    test_sp3,
)
from tests.stations.wire import test_broadcast_ephemeris, test_network_messages, test_station_messages

POSITION_VALUES, ANTENNA_VALUES = 9, 8  # of one message, as test_station_messages compares them


def counted(check, *arguments):
    """Run a test and return how many values it compares approximately or as arrays; others are not counted."""
    equal, close = np.testing.assert_array_equal, np.testing.assert_allclose
    with (
        mock.patch.object(pytest, "approx", wraps=pytest.approx) as approx,
        mock.patch.object(np.testing, "assert_array_equal", wraps=equal) as arrays,
        mock.patch.object(np.testing, "assert_allclose", wraps=close) as nearly,
    ):
        check(*arguments)
    calls = (*arrays.call_args_list, *nearly.call_args_list)
    return approx.call_count + sum(int(np.isfinite(call.args[1]).sum()) for call in calls)


def descriptions(folder):
    """Recorded messages about stations, against pyrtcm."""
    test_station_messages.test_recorded_positions_equal_pyrtcm_and_come_back_to_the_bit(folder)
    test_station_messages.test_recorded_antennas_equal_pyrtcm_and_come_back_to_the_bit(folder)
    counts = Counter()
    for payload in test_station_messages.recorded(folder, {1005, 1006, 1007, 1008, 1033}):
        number = message_number(payload)
        counts[number, "pyrtcm"] += POSITION_VALUES if number < 1007 else ANTENNA_VALUES
    return counts


def ephemerides(folder):
    """Recorded ephemerides against pyrtcm, field by field, and RTKLIB, value by value; generated ones."""
    tests, counts = test_broadcast_ephemeris, Counter()
    for name, near_ns in tests.STREAMS.items():
        tests.test_recorded_fields_equal_pyrtcm(folder, name)
        for payload in set(tests.recorded(folder, name)):
            number = message_number(payload)
            counts[number, "pyrtcm"] += len(tests.raw_of(payload))
            oracles = conftest.kepler_differences, conftest.glonass_differences
            compared, wrong = tests.against_rtklib(payload, near_ns, *oracles)
            assert not wrong
            counts[number, "RTKLIB"] += compared
    vectors = tests.generated(folder)
    tests.test_fields_of_generated_messages(vectors)
    for number, payload, _ in vectors:
        counts[number, "vectors"] += len(tests.raw_of(payload))
    return counts


def network(folder):
    """Generated network messages, and those of a recorded service against pyrtcm."""
    tests, counts = test_network_messages, Counter()
    vectors = tests.generated(folder)
    tests.test_generated_messages(vectors)
    for number, payload, _ in vectors:
        head, rows = tests.raw_of(payload)
        counts[number, "vectors"] += len(head) + sum(map(len, rows))
    counts["1030-1032", "pyrtcm"] = counted(tests.test_a_recorded_service_equals_pyrtcm, folder)
    return counts


def files(folder, scratch):
    """Recorded, simulated and made-up files."""
    counts = Counter()
    tests = test_rinex_obs_oracles
    for name in tests.FILES:
        data = read_data(folder / name)
        copy = scratch / ("copy.05o" if "2005" in name else "copy.21o")
        copy.write_bytes(data)
        version = data[:9].decode().strip()
        counts[f"RINEX {version} observation", "RTKLIB"] += tests.compare(
            tests.columns_of_rtklib(copy), tests.columns_of_ours(read_observations(data, name))
        )
    for name in test_rinex_nav_systems.FILES:
        text = read_text(folder / name)
        copy = scratch / ("copy.05n" if name.endswith("05n") else "copy.rnx")
        copy.write_text(text, encoding="latin-1")
        counts[f"RINEX {text[:9].strip()} navigation", "RTKLIB"] += test_rinex_nav_systems.compare(
            copy,
            read_navigation_file(text, name).ephemerides,
            test_rinex_nav_systems.satellites_by_number(),
            conftest.kepler_differences,
            conftest.glonass_differences,
        )
    for name in ("delf0010a.21d.gz", "zegv0010a.21d.gz"):
        compared = counted(test_rinex_oracles.test_equal_to_georinex, folder, scratch, name)
        counts["RINEX 2.11 observation", "georinex"] += compared
    counts["ANTEX", "RTKLIB"] += counted(test_antex.test_equal_to_rtklib, folder)
    counts["ANTEX of satellites", "RTKLIB"] += counted(test_antex.test_satellite_antennas_equal_rtklib, scratch)
    counts["SP3", "RTKLIB"] += counted(test_sp3.test_equal_to_rtklib, scratch)
    counts["RINEX clocks", "RTKLIB"] += counted(test_sp3.test_clocks_equal_rtklib, scratch)
    counts["NMEA", "pynmeagps"] += counted(test_nmea.test_equal_to_pynmeagps)
    for latitude, longitude in test_nmea.PLACES:
        counts["NMEA", "RTKLIB"] += counted(test_nmea.test_sentences_of_rtklib, latitude, longitude)
    counts["SINEX", "pandas"] += test_sinex.compare_with_pandas(test_sinex.sinex())
    for cartesian in (False, True):
        compared = counted(test_solution_file.test_rtklib_reads_the_same, scratch, cartesian)
        # And time, quality and number of satellites of each position, which are compared in another way.
        counts["RTKLIB .pos", "RTKLIB"] += compared + 3 * len(test_solution_file.solutions())
    return counts


def main():
    """Print the counts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data"))
    folder = parser.parse_args().folder
    counts = descriptions(folder) + ephemerides(folder) + network(folder)
    with tempfile.TemporaryDirectory() as scratch:
        counts += files(folder, Path(scratch))
    columns = ("pyrtcm", "RTKLIB", "vectors", "georinex", "pynmeagps", "pandas")
    sys.stdout.write(f"{'':<26}" + "".join(f"{column:>11}" for column in columns) + "\n")
    for label in sorted({label for label, _ in counts}, key=str):
        values = (counts[label, column] or "" for column in columns)
        sys.stdout.write(f"{label!s:<26}" + "".join(f"{value:>11}" for value in values) + "\n")


if __name__ == "__main__":
    main()
