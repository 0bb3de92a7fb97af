"""Recorded files as streams: what is sent when, nothing before its time, and nothing of an excluded station."""

import dataclasses
import gzip
import re
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from stations import gpstime
from stations.catalog import Network, Station
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.files import read_text
from stations.edge.recording_checks import check_rover_overlaps
from stations.edge.recordings import (
    find_station,
    load_antennas,
    load_ephemerides,
    load_recording,
    load_rover,
    load_station,
    load_station_as_rover,
)
from stations.ephemeris_calendar import calendar_of, told_at
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.feed import AntennaReceived, EphemerisReceived, EpochReceived, Feed, FeedEvent, PositionReceived
from stations.glonass_channels import channels_of
from stations.navigation import GpsEphemeris
from stations.recorded import RecordedRover, Recording, whole_millisecond
from stations.rinex_obs import RinexObservations
from stations.signals import GPS_L1CA, GPS_L2W, SIGNALS, Constellation, channels_from, signal_of
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.framing import encode_frame
from stations.wire.msm_fields import lock_indicator_of, lock_ms_of

START_NS = int(gpstime.from_calendar(2021, 1, 1))
HOUR_NS = 3600 * NS_PER_S
ANTENNA = "TRM29659.00     UNAV"


def ephemeris(satellite: int, toe_h: float, transmitted_h: float) -> GpsEphemeris:
    values = {item.name: 0 for item in dataclasses.fields(GpsEphemeris)}
    values |= {
        "satellite": satellite,
        "toe_ns": START_NS + round(toe_h * 3600) * NS_PER_S,
        "toc_ns": START_NS + round(toe_h * 3600) * NS_PER_S,
        "transmitted_ns": START_NS + round(transmitted_h * 3600) * NS_PER_S,
        "sqrt_a": 5153.5,
        "fit_interval_flag": False,
        "l2p_data_off": False,
    }
    return GpsEphemeris(**values)


def epoch(second: float, *, range_m: float = 2.2e7, lock_ms: int = 60_000) -> StationEpoch:
    satellite = np.repeat([3, 7, 19], 2)
    signal = np.tile([GPS_L1CA, GPS_L2W], 3)
    wavelength_m = np.array([SIGNALS[number].wavelength_m for number in signal])
    code_m = range_m + np.repeat([0.0, 3000.0, 9000.0], 2) + np.tile([0.0, 4.0], 3)
    return make_epoch(
        START_NS + round(second * NS_PER_S),
        satellite,
        signal,
        code_m,
        code_m / wavelength_m - 12_345_678.0,  # receivers start their phases anywhere
        np.full(6, 45.0),
        np.full(6, lock_ms),
        np.zeros(6, dtype=bool),
    )


def observations(seconds: list[float], receiver: str = "SEPT POLARX5") -> RinexObservations:
    epochs = [epoch(second) for second in seconds]
    return RinexObservations(2.11, "TEST", None, ANTENNA, "1", 0.1, receiver, 30.0, epochs, {}, [])


def station(name: str, shift_m: float, height_m: float = 0.05) -> Station:
    return Station(name, (3924687.2159 + shift_m, 301133.2568, 5001911.1479), ANTENNA, "0220314044", height_m)


@pytest.fixture
def network() -> Network:
    return Network("test", "ITRF2014", 2021.0, (station("BBBB", 0.0), station("AAAA", 9000.0)))


def decoded(payload: bytes, near_ns: int = START_NS) -> list[FeedEvent]:
    return Feed("X").push(payload, near_ns)


def kinds(payload: bytes) -> Counter[str]:
    return Counter(type(event).__name__ for event in decoded(payload))


def test_moments_are_those_of_all_stations_and_payloads_come_in_the_order_of_the_network(network):
    recording = Recording(network, {"AAAA": observations([0, 30]), "BBBB": observations([30, 60])}, [])
    assert recording.times_ns == tuple(START_NS + second * NS_PER_S for second in (0, 30, 60))
    assert [[name for name, _ in recording.payloads(t)] for t in recording.times_ns] == [
        ["AAAA"],
        ["BBBB", "AAAA"],
        ["BBBB"],
    ]


def test_time_tags_that_differ_by_milliseconds_belong_to_one_moment(network):
    recording = Recording(network, {"AAAA": observations([0.0]), "BBBB": observations([0.003])}, [])
    assert recording.times_ns == (START_NS,)
    times = [decoded(payload)[-1].epoch.time_ns for _, payload in recording.payloads(START_NS)]
    assert times == [START_NS + 3_000_000, START_NS]


def test_limits_include_both_ends(network):
    both = {"AAAA": observations([0, 30, 60, 90])}
    recording = Recording(network, both, [], from_ns=START_NS + 30 * NS_PER_S, to_ns=START_NS + 60 * NS_PER_S)
    assert recording.times_ns == (START_NS + 30 * NS_PER_S, START_NS + 60 * NS_PER_S)
    assert recording.station_ids == ("AAAA",)


def test_station_says_where_and_what_it_is_at_first_and_then_every_minute(network):
    recording = Recording(network, {"AAAA": observations([0, 30, 60, 90, 120])}, [])
    counts = [kinds(recording.payloads(t)[0][1]) for t in recording.times_ns]
    assert [count["PositionReceived"] for count in counts] == [1, 0, 1, 0, 1]
    assert [count["AntennaReceived"] for count in counts] == [1, 0, 1, 0, 1]
    assert all(count["EpochReceived"] == 1 for count in counts)


def test_description_is_that_of_the_catalogue_with_the_reference_point(network):
    recording = Recording(network, {"BBBB": observations([0])}, [])
    events = decoded(recording.payloads(START_NS)[0][1])
    position = next(event.position for event in events if isinstance(event, PositionReceived))
    antenna = next(event.antenna for event in events if isinstance(event, AntennaReceived))
    assert position.position_m == pytest.approx(network.stations[0].reference_point_m, abs=6e-5)
    assert position.antenna_height_m == pytest.approx(0.05)
    assert (antenna.antenna, antenna.serial, antenna.receiver) == (ANTENNA, "0220314044", "SEPT POLARX5")


def test_height_that_1006_cannot_carry_is_left_to_1005(network):
    network = dataclasses.replace(network, stations=(station("AAAA", 0.0, height_m=-0.2),))
    recording = Recording(network, {"AAAA": observations([0])}, [])
    events = decoded(recording.payloads(START_NS)[0][1])
    position = next(event.position for event in events if isinstance(event, PositionReceived))
    assert position.antenna_height_m is None


def test_observations_survive_but_for_whole_cycles(network):
    recording = Recording(network, {"AAAA": observations([0, 30])}, [])
    for time_ns in recording.times_ns:
        sent = epoch((time_ns - START_NS) / NS_PER_S)
        got = decoded(recording.payloads(time_ns)[0][1])[-1].epoch
        np.testing.assert_allclose(got.pseudorange_m, sent.pseudorange_m, atol=3e-4)
        cycles = got.phase_cyc - sent.phase_cyc
        np.testing.assert_allclose(cycles, np.round(cycles), atol=2e-3)
        assert np.all(np.abs(cycles) > 1e6)


def test_time_tag_between_milliseconds_is_moved_with_code_and_phase():
    early = epoch(0.0004)
    moved = whole_millisecond(early)
    assert moved.time_ns == START_NS
    shift_m = -0.0004 * SPEED_OF_LIGHT_M_S
    wavelength_m = np.array([SIGNALS[number].wavelength_m for number in early.signal.tolist()])
    np.testing.assert_allclose(moved.pseudorange_m - early.pseudorange_m, shift_m, atol=1e-6)
    np.testing.assert_allclose((moved.phase_cyc - early.phase_cyc) * wavelength_m, shift_m, atol=1e-6)


def sent_ephemerides(recording: Recording) -> dict[str, list[tuple[float, int, float]]]:
    """Return by station: when, which satellite, reference time in hours."""
    found: dict[str, list[tuple[float, int, float]]] = {}
    for time_ns in recording.times_ns:
        for name, payload in recording.payloads(time_ns):
            for event in decoded(payload, time_ns):
                if isinstance(event, EphemerisReceived):
                    toe_h = (event.ephemeris.toe_ns - START_NS) / HOUR_NS
                    found.setdefault(name, []).append(
                        ((time_ns - START_NS) / HOUR_NS, event.ephemeris.satellite, toe_h)
                    )
    return found


def test_ephemeris_is_sent_once_by_every_station_and_not_before_it_was_transmitted(network):
    hours = [0, 1, 2, 3]
    data = {name: observations([3600 * hour for hour in hours]) for name in ("AAAA", "BBBB")}
    ephemerides = [ephemeris(3, 0.0, -2.0), ephemeris(3, 2.0, 0.5), ephemeris(3, 4.0, 2.0)]
    expected = [(0.0, 3, 0.0), (1.0, 3, 2.0), (2.0, 3, 4.0)]
    assert sent_ephemerides(Recording(network, data, ephemerides)) == {"AAAA": expected, "BBBB": expected}


def test_what_was_transmitted_during_a_gap_is_sent_after_it(network):
    data = {"AAAA": observations([0, 3 * 3600])}
    sent = sent_ephemerides(Recording(network, data, [ephemeris(3, 0.0, -1.0), ephemeris(3, 2.0, 1.0)]))
    assert sent["AAAA"] == [(0.0, 3, 0.0), (3.0, 3, 2.0)]


def test_first_payload_leaves_out_what_has_long_expired(network):
    ephemerides = [ephemeris(3, 0.0, -2.0), ephemeris(7, 10.0, 8.0), ephemeris(19, 8.0, 6.5)]
    data = {"AAAA": observations([10 * 3600])}
    assert sent_ephemerides(Recording(network, data, ephemerides)) == {"AAAA": [(10.0, 19, 8.0), (10.0, 7, 10.0)]}


def test_satellites_unknown_at_the_start_of_the_navigation_data_get_their_earliest_ephemeris(network):
    ephemerides = [ephemeris(3, 0.0, -2.0), ephemeris(7, 2.0, 0.1), ephemeris(7, 4.0, 2.0), ephemeris(19, 6.0, 4.0)]
    sent = sent_ephemerides(Recording(network, {"AAAA": observations([0, 3600, 2 * 3600])}, ephemerides))
    assert sent["AAAA"] == [(0.0, 3, 0.0), (0.0, 7, 2.0), (2.0, 7, 4.0)]


def test_later_in_the_day_nothing_is_known_in_advance(network):
    ephemerides = [ephemeris(3, 0.0, -2.0), ephemeris(7, 12.0, 10.5)]
    assert sent_ephemerides(Recording(network, {"AAAA": observations([10 * 3600])}, ephemerides)) == {}


def test_made_up_transmission_time_counts_as_the_start_of_the_fit_interval():
    late = dataclasses.replace(ephemeris(3, 10.0, 0.0), transmitted_ns=START_NS + 80 * HOUR_NS)
    calendar = calendar_of([ephemeris(7, 0.0, -2.0), late], START_NS + 5 * HOUR_NS)
    assert [item.from_ns for item in calendar] == [START_NS - 2 * HOUR_NS, START_NS + 8 * HOUR_NS]


def test_a_receiver_that_joins_is_told_the_latest_three_of_a_satellite():
    often = [ephemeris(3, quarter / 4, quarter / 4 - 1.0) for quarter in range(40)]
    rare = [ephemeris(7, 0.0, -2.0), ephemeris(7, 2.0, 0.0), ephemeris(7, 4.0, 2.0)]
    known = calendar_of([*often, *rare], START_NS)
    told = told_at(known, START_NS + 3 * HOUR_NS)
    reference_h = [(one.ephemeris.satellite, (one.ephemeris.toe_ns - START_NS) / HOUR_NS) for one in told]
    assert sorted(reference_h) == [(3, 3.5), (3, 3.75), (3, 4.0), (7, 2.0), (7, 4.0)]


def test_signals_that_no_message_carries_are_left_out(network):
    rows = epoch(0.0)
    codeless = signal_of(Constellation.GPS, "2D").number
    signal = np.where(rows.signal == GPS_L2W, codeless, rows.signal)
    data = dataclasses.replace(observations([0]), epochs=[dataclasses.replace(rows, signal=signal)])
    (_, payload), *_ = Recording(network, {"AAAA": data}, []).payloads(START_NS)
    got = decoded(payload)[-1].epoch
    assert got.satellite.tolist() == [3, 7, 19]
    assert set(got.signal.tolist()) == {GPS_L1CA}
    rover = RecordedRover("ROVR", data, "", "", 0.0)
    assert len(decoded(rover.payload(START_NS))[-1].epoch) == 3


def test_times_must_rise_and_rewinding_gives_the_same_bytes_again(network):
    recording = Recording(network, {"AAAA": observations([0, 30])}, [ephemeris(3, 0.0, -1.0)])
    first = [recording.payloads(time_ns) for time_ns in recording.times_ns]
    with pytest.raises(ValueError, match="times must rise"):
        recording.payloads(START_NS)
    again = recording.rewound()
    assert [again.payloads(time_ns) for time_ns in again.times_ns] == first


def test_observations_of_a_station_outside_the_network_are_refused(network):
    with pytest.raises(ValueError, match="observations of AAAA, which the network test does not have"):
        Recording(network.without("AAAA"), {"AAAA": observations([0])}, [])


def test_rover_says_its_antenna_and_height_but_not_where_it_is():
    rover = RecordedRover("ROVR", observations([0, 30]), ANTENNA, "77", 1.5)
    assert rover.times_ns == (START_NS, START_NS + 30 * NS_PER_S)
    for time_ns in rover.times_ns:
        events = decoded(rover.payload(time_ns))
        position = next(event.position for event in events if isinstance(event, PositionReceived))
        antenna = next(event.antenna for event in events if isinstance(event, AntennaReceived))
        assert position.position_m == (0.0, 0.0, 0.0)
        assert position.antenna_height_m == pytest.approx(1.5)
        assert (antenna.antenna, antenna.serial) == (ANTENNA, "77")
        assert isinstance(events[-1], EpochReceived)
    with pytest.raises(ValueError, match="times must rise"):
        rover.payload(START_NS)
    assert rover.rewound().payload(START_NS)


def test_rover_with_an_impossible_height_is_refused():
    with pytest.raises(ValueError, match=r"antenna height 7\.0 m"):
        RecordedRover("ROVR", observations([0]), "", "", 7.0)


# ---- from disk -------------------------------------------------------------------------------------------------------


def label(text: str, name: str) -> str:
    return f"{text:<60}{name}\n"


def rinex(minutes: range, types: str = "L1 L2 C1 P2", antenna: str = ANTENNA, day: int = 1) -> str:
    names = types.split()
    text = (
        label(f"{'2.11':>9}{'':11}{'OBSERVATION DATA':<20}G", "RINEX VERSION / TYPE")
        + label(f"{'0220314044':<20}{antenna:<20}", "ANT # / TYPE")
        + label(f"{0.05:14.4f}{0:14.4f}{0:14.4f}", "ANTENNA: DELTA H/E/N")
        + label(f"{len(names):6d}" + "".join(f"{name:>6}" for name in names), "# / TYPES OF OBSERV")
        + label("", "END OF HEADER")
    )
    for minute in minutes:
        text += f" 21  1 {day:2d}  0 {minute:2d}  0.0000000  0  2G03G07\n"
        text += (
            "".join(f"{value:14.3f}  " for value in (1.2e8, 9.1e7, 2.3e7, 2.3e7)[: len(names)]).rstrip() + "\n"
        ) * 2
    return text


NAVIGATION = (
    label(f"{'2.11':>9}{'':11}{'NAVIGATION DATA':<20}", "RINEX VERSION / TYPE")
    + label("", "END OF HEADER")
    + " 3 21  1  1  0  0  0.0"
    + "".join(f"{value:19.12e}" for value in (1e-4, 0.0, 0.0)).replace("e", "D")
    + "\n"
    + "".join(
        "   " + "".join(f"{value:19.12e}" for value in line).replace("e", "D") + "\n"
        for line in (
            (1.0, 0.0, 0.0, 0.0),
            (0.0, 0.01, 0.0, 5153.7),
            (432000.0, 0.0, 0.0, 0.0),
            (0.96, 0.0, 0.0, 0.0),
            (0.0, 1.0, 2138.0, 0.0),
            (2.0, 0.0, 0.0, 1.0),
            (431000.0, 4.0, 0.0, 0.0),
        )
    )
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("AAAA", "BBBB", "CCCC"):
        (tmp_path / f"{name}.21o").write_text(rinex(range(5)))
    (tmp_path / "day.21n").write_text(NAVIGATION)
    return tmp_path


@pytest.fixture
def on_disk(folder: Path) -> Network:
    stations = tuple(
        dataclasses.replace(station(name, 9000.0 * place), observations=(f"{name}.21o",))
        for place, name in enumerate(("AAAA", "BBBB", "CCCC"))
    )
    return Network("disk", "ITRF2014", 2021.0, stations, ("day.21n",), "", str(folder))


def refused(network: Network, **limits: int) -> GpsgridError:
    with pytest.raises(GpsgridError) as caught:
        load_recording(network, **limits)
    return caught.value


def test_network_is_loaded_without_the_excluded_station(on_disk, folder):
    (folder / "BBBB.21o").unlink()
    recording = load_recording(on_disk, exclude=["BBBB"])
    assert recording.station_ids == ("AAAA", "CCCC")
    assert [one.id for one in recording.network.stations] == ["AAAA", "CCCC"]
    assert len(recording.times_ns) == 5


def test_unknown_station_lists_those_there_are_and_the_nearest_name(on_disk):
    with pytest.raises(GpsgridError) as caught:
        find_station(on_disk, "aaab")
    assert caught.value.reason is Reason.UNKNOWN_STATION
    assert str(caught.value) == "network disk has no station 'aaab'; it has AAAA, BBBB, CCCC. Did you mean AAAA?"


def test_missing_file_names_the_station(on_disk, folder):
    (folder / "BBBB.21o").unlink()
    error = refused(on_disk)
    assert error.reason is Reason.MISSING_FILE
    assert "BBBB.21o, needed by station BBBB of disk, does not exist" in str(error)


def test_station_without_files_is_named(on_disk):
    bare = dataclasses.replace(on_disk.stations[1], observations=())
    error = refused(dataclasses.replace(on_disk, stations=(on_disk.stations[0], bare)))
    assert error.reason is Reason.NO_OBSERVATIONS
    assert "station BBBB of disk names no recorded files; add 'observations" in str(error)


def test_network_without_navigation_files_is_told_what_to_add(on_disk):
    error = refused(dataclasses.replace(on_disk, navigation=()))
    assert error.reason is Reason.NO_NAVIGATION
    assert "add 'navigation = [\"FILE\"]' to [network]" in str(error)


def test_navigation_file_without_ephemerides_is_named(on_disk, folder):
    (folder / "day.21n").write_text(NAVIGATION[: NAVIGATION.index(" 3 21")])
    error = refused(on_disk)
    assert error.reason is Reason.NO_NAVIGATION
    assert "day.21n: no ephemeris of GRECJ inside" in str(error)


def test_navigation_of_another_system_than_the_observations_is_named(on_disk, folder, shared_data):
    whole = read_text(shared_data / "nl-2021-001" / "CBW100NLD_R_20210010000_01D_MN.rnx.gz")
    head, body = re.split(r"END OF HEADER *\r?\n", whole)
    galileo = [record for record in re.split(r"\n(?=[A-Z])", body) if record.startswith("E")]
    (folder / "day.21n").write_text(head + "END OF HEADER\n" + "\n".join(galileo[:5]) + "\n")
    error = refused(on_disk)
    assert error.reason is Reason.NO_NAVIGATION
    assert "the navigation files of disk (day.21n) are of E, the observations of G; name navigation files" in str(error)


def test_navigation_of_another_day_is_named_with_both_spans(on_disk, folder):
    for name in ("AAAA", "BBBB", "CCCC"):
        (folder / f"{name}.21o").write_text(rinex(range(5), day=3))
    error = refused(on_disk)
    assert error.reason is Reason.NO_NAVIGATION
    assert "reach from 2021-01-01T00:00:00.000 to 2021-01-01T00:00:00.000, the observations from 2021-01-03" in str(
        error
    )


def test_file_without_dual_frequency_phases_is_named(on_disk, folder):
    (folder / "CCCC.21o").write_text(rinex(range(5), "L1 C1"))
    error = refused(on_disk)
    assert error.reason is Reason.NO_OBSERVATIONS
    assert "CCCC.21o (station CCCC of disk): no satellite with phases on two frequencies in 5 epochs" in str(error)
    assert "(phases found: G:1C)" in str(error)


def test_file_of_another_day_is_named_with_all_spans(on_disk, folder):
    (folder / "CCCC.21o").write_text(rinex(range(5), day=2))
    error = refused(on_disk)
    assert error.reason is Reason.NO_OBSERVATIONS
    assert "station CCCC have no time in common with any other station" in str(error)
    assert "\n  CCCC: 2021-01-02T00:00:00.000 to 2021-01-02T00:04:00.000" in str(error)


def test_limits_outside_the_recording_are_told_what_is_there(on_disk):
    error = refused(on_disk, from_ns=START_NS + HOUR_NS)
    assert "no station of disk has an epoch from 2021-01-01T01:00:00.000 to the end; recorded are:" in str(error)


def test_antenna_missing_in_the_antex_file_names_station_and_nearest(shared_data):
    network = recorded_network(shared_data)
    wrong = dataclasses.replace(network.stations[0], antenna="TRM29659.00     NONE")
    with pytest.raises(GpsgridError) as caught:
        load_recording(dataclasses.replace(network, stations=(wrong, *network.stations[1:])))
    assert caught.value.reason is Reason.UNKNOWN_ANTENNA
    assert str(caught.value).startswith("station DELF: ")
    assert "'TRM29659.00     NONE'" in str(caught.value)
    assert "'TRM29659.00     UNAV'" in str(caught.value)


def test_rover_takes_antenna_and_height_from_its_header_unless_told_otherwise(folder):
    rover = load_rover([folder / "AAAA.21o"])
    assert (rover.name, rover.antenna, rover.antenna_serial, rover.antenna_height_m) == (
        "AAAA.21o",
        ANTENNA,
        "0220314044",
        0.05,
    )
    told = load_rover([folder / "AAAA.21o"], antenna="LEIAR25.R4      LEIT", antenna_height_m=1.7)
    assert (told.antenna, told.antenna_serial, told.antenna_height_m) == ("LEIAR25.R4      LEIT", "", 1.7)


def test_rover_whose_header_says_none_has_no_antenna(folder):
    (folder / "R.21o.gz").write_bytes(gzip.compress(rinex(range(2), antenna="NONE            NONE").encode()))
    assert load_rover([folder / "R.21o.gz"]).antenna == ""


def test_rover_antenna_that_is_not_calibrated_is_refused_with_a_way_out(folder, shared_data):
    antennas = load_antennas(recorded_network(shared_data))
    (folder / "R.21o").write_text(rinex(range(2), antenna="LEIAR25.R3      LEIT"))
    with pytest.raises(GpsgridError, match="--antenna names another one") as caught:
        load_rover([folder / "R.21o"], antennas=antennas)
    assert caught.value.reason is Reason.UNKNOWN_ANTENNA


def test_rover_height_out_of_range_is_refused(folder):
    with pytest.raises(GpsgridError, match=r"antenna height 9\.0 m; expected 0 to 6\.5535 m"):
        load_rover([folder / "AAAA.21o"], antenna_height_m=9.0)


def test_rover_without_epochs_in_the_limits_is_refused(folder):
    with pytest.raises(GpsgridError, match=r"has no epoch from 2021-01-01T01:00:00\.000 to the end"):
        load_rover([folder / "AAAA.21o"], from_ns=START_NS + HOUR_NS)


def test_rover_of_another_day_is_refused_with_both_spans(on_disk, folder):
    (folder / "R.21o").write_text(rinex(range(5), day=2))
    with pytest.raises(GpsgridError, match="they have no time in common; use files of the same day"):
        check_rover_overlaps(load_recording(on_disk), load_rover([folder / "R.21o"]))


# ---- real data -------------------------------------------------------------------------------------------------------


def recorded_network(shared_data: Path) -> Network:
    folder = shared_data / "nl-2021-001"
    data = tomllib.loads((folder / "night.toml").read_text())
    stations = tuple(
        Station(
            one["id"],
            tuple(one["position"]),
            one["antenna"],
            one["antenna_serial"],
            one["antenna_height"],
            (one["observations"],),
        )
        for one in data["station"]
    )
    return Network("nl", "ITRF2014", 2021.0, stations, tuple(data["network"]["navigation"]), "nl.atx", str(folder))


@pytest.mark.data
def test_recorded_night_decodes_to_what_the_files_hold(shared_data):
    network = recorded_network(shared_data)
    recording = load_recording(network, exclude=["EIJS", "ROVN", "WSRA", "DELF"], to_ns=START_NS + HOUR_NS)
    original = {one.time_ns: one for one in load_station(network, network.station("ZEGV")).epochs}
    feed = Feed("ZEGV")
    epochs = []
    for time_ns in recording.times_ns:
        [(name, payload)] = recording.payloads(time_ns)
        assert name == "ZEGV"
        epochs += [event.epoch for event in feed.push(payload, time_ns) if isinstance(event, EpochReceived)]
    assert len(epochs) == 121
    for got in epochs:
        sent = original[got.time_ns]
        assert np.array_equal(got.satellite, sent.satellite)
        np.testing.assert_allclose(got.pseudorange_m, sent.pseudorange_m, atol=3e-4)
        whole = np.round(got.phase_cyc - sent.phase_cyc)
        np.testing.assert_allclose(got.phase_cyc - sent.phase_cyc, whole, atol=2e-3)
    assert not feed.refused


_SETS = {"nl-2021-001/night.toml": ("ZEGV", "GR"), "sim-city/network.toml": ("CI00", "GREC")}


@pytest.mark.data
@pytest.mark.parametrize("name", _SETS)
def test_an_epoch_of_all_systems_comes_back_to_the_resolution_of_the_message(shared_data, name):
    """Code, phase but for whole cycles, lock time, signal strength, and the channels that RINEX 2 headers lack."""
    station_id, letters = _SETS[name]
    network = load_network(shared_data / name).network
    station = network.station(station_id)
    ephemerides = load_ephemerides(network)
    channels = channels_of(ephemerides)
    files = load_station(network, station, channels)
    recording = Recording(network, {station_id: files}, ephemerides)
    rover = load_station_as_rover(network, station, channels=channels)
    feed = Feed(station_id)
    for index, time_ns in enumerate(recording.times_ns[:60]):
        [(_, payload)] = recording.payloads(time_ns)
        (got,) = [event.epoch for event in feed.push(payload, time_ns) if isinstance(event, EpochReceived)]
        sent = whole_millisecond(files.epochs[index])
        observed = np.isfinite(sent.pseudorange_m) | np.isfinite(sent.phase_cyc)
        sent = sent.rows(observed)
        assert np.array_equal(got.satellite, sent.satellite)
        assert np.array_equal(got.signal, sent.signal)
        assert {"GRESJCI"[system] for system in np.unique(got.satellite // 100)} == set(letters)
        np.testing.assert_array_equal(got.frequency_hz, sent.frequency_hz)
        assert not np.isnan(got.frequency_hz).any()
        np.testing.assert_allclose(got.pseudorange_m, sent.pseudorange_m, atol=3e-4)
        assert np.array_equal(np.isfinite(got.phase_cyc), np.isfinite(sent.phase_cyc))
        cycles = (got.phase_cyc - sent.phase_cyc)[np.isfinite(sent.phase_cyc)]
        np.testing.assert_allclose(cycles, np.round(cycles), atol=2e-3)  # 2^-31 ms are 0.14 mm
        np.testing.assert_allclose(got.cn0_dbhz, sent.cn0_dbhz, atol=0.032)
        assert np.array_equal(got.half_cycle, sent.half_cycle)
        assert np.all(got.lock_ms <= sent.lock_ms)
        if index == 59:  # by then the offsets of the phases are as old as the arcs
            old = (sent.lock_ms > 30_000) & np.isfinite(got.phase_cyc)
            assert old.sum() > 20
            assert np.all(got.lock_ms[old] >= lock_ms_of(lock_indicator_of(30_000, 10), 10))
        body = Feed("").push(rover.payload(time_ns), time_ns)[-1].epoch
        np.testing.assert_array_equal(body.phase_cyc, got.phase_cyc)
        glonass = got.satellite // 100 == Constellation.GLONASS
        told = channels_from(got.signal[glonass], got.frequency_hz[glonass])
        assert told.tolist() == [channels[satellite] for satellite in got.satellite[glonass].tolist()]
    assert feed.unknown_channels == 0
    assert not feed.refused


@pytest.mark.data
@pytest.mark.parametrize("name", _SETS)
def test_every_ephemeris_of_the_files_can_be_sent_and_comes_back(shared_data, name):
    ephemerides = load_ephemerides(load_network(shared_data / name).network)
    assert {"GRESJCI"[one.satellite // 100] for one in ephemerides} >= set("GREC")
    for one in ephemerides:
        (event,) = Feed("X").push(encode_frame(encode_broadcast(one)), one.toe_ns)
        assert isinstance(event, EphemerisReceived)
        got = event.ephemeris
        assert type(got) is type(one)
        assert (got.satellite, got.toe_ns, got.issue) == (one.satellite, one.toe_ns, one.issue)
        assert got.healthy == one.healthy


@pytest.mark.data
def test_without_the_navigation_files_phases_of_glonass_are_left_out(shared_data):
    network = load_network(shared_data / "nl-2021-001" / "night.toml").network
    rover = load_station_as_rover(network, network.station("ZEGV"))
    epoch = Feed("").push(rover.payload(rover.times_ns[0]), rover.times_ns[0])[-1].epoch
    glonass = epoch.satellite // 100 == Constellation.GLONASS
    assert np.isfinite(epoch.pseudorange_m[glonass]).any()
    assert np.isnan(epoch.phase_cyc[glonass]).all()
