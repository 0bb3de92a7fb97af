"""RINEX observation files: every rule of the format that a reader can get wrong, on texts written for it."""

import numpy as np
import pytest

from stations import gpstime
from stations.errors import GpsgridError, Reason
from stations.rinex_obs import RinexObservations, read_observations, splice_observations
from stations.signals import GPS_L1CA, GPS_L2W, Constellation, signal_of

GPS_L2C = signal_of(Constellation.GPS, "2X").number
GPS_L1W = signal_of(Constellation.GPS, "1W").number
START = gpstime.from_calendar(2021, 1, 1)


def label(text: str, name: str) -> str:
    return f"{text:<60}{name}\n"


def header_2(types: str = "L1 L2 C1 P2", *extra: str, system: str = "M", version: str = "2.11") -> str:
    names = types.split()
    listed = ""
    for start in range(0, len(names), 9):
        count = f"{len(names):6d}" if start == 0 else " " * 6
        listed += label(count + "".join(f"{name:>6}" for name in names[start : start + 9]), "# / TYPES OF OBSERV")
    return (
        label(f"{version:>9}{'':11}{'OBSERVATION DATA':<20}{system}", "RINEX VERSION / TYPE")
        + label("DELF", "MARKER NAME")
        + label(f"{'0220314044':<20}{'TRM29659.00     UNAV':<20}", "ANT # / TYPE")
        + label(f"{'323-0386':<20}{'TPS ODYSSEY_E':<20}3.5", "REC # / TYPE / VERS")
        + label(f"{3924687.702:14.4f}{301132.766:14.4f}{5001910.775:14.4f}", "APPROX POSITION XYZ")
        + label(f"{0.05:14.4f}{0:14.4f}{0:14.4f}", "ANTENNA: DELTA H/E/N")
        + listed
        + "".join(extra)
        + label("", "END OF HEADER")
    )


def field(value: float | None, lli: int = 0, ssi: int = 0) -> str:
    number = " " * 14 if value is None else f"{value:14.3f}"
    return number + (str(lli) if lli else " ") + (str(ssi) if ssi else " ")


def epoch_2(second: float, satellites: str, *lines: str, flag: int = 0, count: int | None = None) -> str:
    names = [satellites[start : start + 3] for start in range(0, len(satellites), 3)]
    minute, second = divmod(second, 60)
    first = f" 21  1  1  0 {int(minute):2d}{second:11.7f}  {flag}{len(names) if count is None else count:3d}"
    text = first + "".join(names[:12]) + "\n"
    for start in range(12, len(names), 12):
        text += " " * 32 + "".join(names[start : start + 12]) + "\n"
    return text + "".join(line.rstrip() + "\n" for line in lines)


def satellite(number: int, lli: int = 0) -> str:
    """Return a line L1 L2 C1 P2 with values that tell the satellite."""
    return field(1000.0 + number, lli) + field(2000.0 + number) + field(3000.0 + number) + field(4000.0 + number)


def two(text: str) -> RinexObservations:
    return read_observations(text, "some.21o")


def at(read: RinexObservations, epoch: int, satellite: int, signal: int = GPS_L1CA) -> dict[str, float]:
    rows = read.epochs[epoch]
    (row,) = np.flatnonzero((rows.satellite == satellite) & (rows.signal == signal))
    return {
        "code": rows.pseudorange_m[row],
        "phase": rows.phase_cyc[row],
        "cn0": rows.cn0_dbhz[row],
        "lock": rows.lock_ms[row],
        "half": rows.half_cycle[row],
    }


def test_header_values():
    read = two(header_2() + epoch_2(0, "G07", satellite(7)))
    assert (read.version, read.marker, read.receiver) == (2.11, "DELF", "TPS ODYSSEY_E")
    assert (read.antenna, read.antenna_serial) == ("TRM29659.00     UNAV", "0220314044")
    assert read.antenna_height_m == 0.05
    assert read.approx_position_m == (3924687.702, 301132.766, 5001910.775)
    assert read.problems == []


def test_signals_of_version_2():
    read = two(header_2() + epoch_2(0, "G07", satellite(7)))
    epoch = read.epochs[0]
    assert epoch.time_ns == START
    assert epoch.satellite.tolist() == [7, 7]
    assert epoch.signal.tolist() == [GPS_L1CA, GPS_L2W]
    assert epoch.phase_cyc.tolist() == [1007.0, 2007.0]
    assert epoch.pseudorange_m.tolist() == [3007.0, 4007.0]


def test_more_than_twelve_satellites_and_more_than_five_types():
    types = "L1 L2 C1 P2 P1 S1 S2 D1 D2 C2"
    count = 27
    lines = []
    for number in range(1, count + 1):
        lines.append(satellite(number) + field(5000.0))
        lines.append(field(40.0 + number / 10) + field(30.0))
    names = "".join(f"G{number:2d}" for number in range(1, count + 1))
    read = two(header_2(types) + epoch_2(0, names, *lines) + epoch_2(30, names, *lines))
    for epoch in range(2):
        assert len(read.epochs[epoch]) == 2 * count
        for number in (1, 12, 13, 24, 25, count):
            assert at(read, epoch, number)["phase"] == 1000.0 + number
            assert at(read, epoch, number)["cn0"] == pytest.approx(40.0 + number / 10, abs=1e-9)
    assert read.skipped == {"G:P1": 2 * count}


def test_blank_fields_zeros_and_short_lines_are_missing():
    lines = [field(1.0) + field(None) + field(0.0) + field(4.0), field(None) + field(2.0), ""]
    read = two(header_2() + epoch_2(0, "G01G02G03", *lines))
    first = at(read, 0, 1)
    assert (first["phase"], np.isnan(first["code"])) == (1.0, True)
    assert np.isnan(at(read, 0, 1, GPS_L2W)["phase"])
    assert read.epochs[0].satellite.tolist() == [1, 1, 2]


def test_blank_system_letter_is_gps_and_others_are_counted_when_not_wanted():
    lines = [satellite(number) for number in (7, 8, 1, 20)]
    read = read_observations(header_2() + epoch_2(0, "  7 08R01S20", *lines), "some.21o", "GE")
    assert sorted(set(read.epochs[0].satellite.tolist())) == [7, 8]
    assert at(read, 0, 8)["phase"] == 1008.0
    assert read.skipped == {"R": 1, "S": 1}


def test_blank_letter_in_a_glonass_file_is_glonass():
    read = two(header_2(system="R") + epoch_2(0, "  7", satellite(7)))
    assert set(read.epochs[0].satellite.tolist()) == {107}
    assert read.skipped == {}


@pytest.mark.parametrize(
    ("types", "signals"),
    [
        ("L1 L2 P1 P2", [GPS_L1W, GPS_L2W]),
        ("L1 L2 C1 C2", [GPS_L1CA, GPS_L2C]),
        ("L1 L2 C1 P1 P2 C2", [GPS_L1CA, GPS_L2W]),
        ("L1 C1", [GPS_L1CA]),
    ],
)
def test_which_code_belongs_to_a_phase(types, signals):
    values = field(1.0) * 5 + "\n" + field(1.0) if len(types.split()) > 5 else field(1.0) * len(types.split())
    read = two(header_2(types) + epoch_2(0, "G01", values))
    assert sorted(read.epochs[0].signal.tolist()) == sorted(signals)
    assert not np.isnan(read.epochs[0].pseudorange_m).any()


def test_strength_digit_stands_in_for_missing_decibels():
    read = two(header_2("L1 C1 S1") + epoch_2(0, "G01G02", field(1.0, 0, 7) + field(1.0), field(1.0) + field(1.0)))
    assert at(read, 0, 1)["cn0"] == 45.0
    assert np.isnan(at(read, 0, 2)["cn0"])


# ------------------------------------------------------------------------------------------------- age of the arcs


def locks(text: str, number: int = 7) -> list[float]:
    read = two(text)
    return [at(read, epoch, number)["lock"] for epoch in range(len(read.epochs))]


def test_lock_counts_from_first_appearance():
    epochs = "".join(epoch_2(30 * place, "G07", satellite(7)) for place in range(4))
    assert locks(header_2() + epochs) == [0, 30000, 60000, 90000]


def test_loss_of_lock_bit_starts_a_new_arc_of_its_signal_only():
    indicators = [0, 0, 1, 0]
    text = header_2() + "".join(
        epoch_2(30 * place, "G07", satellite(7, indicator)) for place, indicator in enumerate(indicators)
    )
    assert locks(text) == [0, 30000, 0, 30000]
    assert [at(two(text), epoch, 7, GPS_L2W)["lock"] for epoch in range(4)] == [0, 30000, 60000, 90000]


@pytest.mark.parametrize(
    ("indicator", "half", "lock"), [(2, True, 30000), (4, False, 30000), (7, True, 0), (6, True, 30000)]
)
def test_bits_of_the_indicator(indicator, half, lock):
    text = header_2() + epoch_2(0, "G07", satellite(7)) + epoch_2(30, "G07", satellite(7, indicator))
    found = at(two(text), 1, 7)
    assert (found["half"], found["lock"]) == (half, lock)


def test_wavelength_factor_two_turns_the_half_cycle_bit_round():
    squaring = label(f"{1:6d}{2:6d}", "WAVELENGTH FACT L1/2")
    line = field(1.0) + field(2.0) + field(3.0) + field(4.0)
    read = two(header_2("L1 L2 C1 P2", squaring) + epoch_2(0, "G07", line))
    assert [at(read, 0, 7)["half"], at(read, 0, 7, GPS_L2W)["half"]] == [False, True]


def test_gap_longer_than_one_and_a_half_intervals_starts_a_new_arc():
    seconds = [0, 30, 60, 120, 150]
    epochs = "".join(epoch_2(second, "G07", satellite(7)) for second in seconds)
    assert locks(header_2() + epochs) == [0, 30000, 60000, 0, 30000]


def test_satellite_that_was_away_starts_a_new_arc():
    text = header_2() + epoch_2(0, "G07G08", satellite(7), satellite(8)) + epoch_2(30, "G08", satellite(8))
    text += epoch_2(60, "G07G08", satellite(7), satellite(8))
    read = two(text)
    assert at(read, 2, 7)["lock"] == 0
    assert at(read, 2, 8)["lock"] == 60000


def test_missing_phase_interrupts_the_arc():
    no_phase = field(None) + field(2.0) + field(3.0) + field(4.0)
    text = header_2() + epoch_2(0, "G07", satellite(7)) + epoch_2(30, "G07", no_phase)
    text += epoch_2(60, "G07", satellite(7)) + epoch_2(90, "G07", satellite(7))
    assert locks(text) == [0, 0, 0, 30000]


def test_power_failure_is_loss_of_lock_for_all():
    text = header_2() + epoch_2(0, "G07G08", satellite(7), satellite(8))
    text += epoch_2(30, "G07G08", satellite(7), satellite(8), flag=1)
    text += epoch_2(60, "G07G08", satellite(7), satellite(8))
    assert locks(text, 7) == locks(text, 8) == [0, 0, 30000]


# ---------------------------------------------------------------------------------------------------------- events


@pytest.mark.parametrize("flag", [2, 4, 5])
def test_events_are_passed_over(flag):
    records = [label("teqc was here", "COMMENT").rstrip("\n"), label("more", "COMMENT").rstrip("\n")]
    event = epoch_2(15, "", *records, flag=flag, count=2)
    blank_time = f"{'':28}{flag}{1:3d}\n" + label("no time", "COMMENT")
    text = header_2() + epoch_2(0, "G07", satellite(7)) + event + blank_time + epoch_2(30, "G07", satellite(7))
    assert locks(text) == [0, 30000]


def test_new_site_interrupts_the_arcs_and_is_reported():
    event = epoch_2(15, "", label("NEW", "MARKER NAME").rstrip("\n"), flag=3, count=1)
    text = header_2() + epoch_2(0, "G07", satellite(7)) + event + epoch_2(30, "G07", satellite(7))
    assert locks(text) == [0, 0]
    assert "new site" in two(text).problems[0]
    assert two(text).marker == "DELF"


def new_records(flag: int, *records: str) -> str:
    event = epoch_2(15, "", *(record.rstrip("\n") for record in records), flag=flag, count=len(records))
    return header_2() + epoch_2(0, "G07", satellite(7)) + event + epoch_2(30, "G07", satellite(7))


MOVED = (
    label("ROVN", "MARKER NAME"),
    label(f"{3924687.703:14.4f}{306132.766:14.4f}{5001910.775:14.4f}", "APPROX POSITION XYZ"),
)


def test_header_records_of_another_station_are_an_error_with_their_line():
    with pytest.raises(GpsgridError, match=r"line 11: header records of another station .*marker ROVN is 5.0 km from"):
        two(new_records(4, *MOVED))
    assert "new site" in two(new_records(3, *MOVED)).problems[0]


def test_header_records_that_change_the_antenna_are_reported():
    read = two(new_records(4, label(f"{1.5:14.4f}{0.0:14.4f}{0.0:14.4f}", "ANTENNA: DELTA H/E/N")))
    assert len(read.problems) == 1
    assert "becomes 1.5000 m; the first header counts" in read.problems[0]


def test_slip_records_are_passed_over():
    slips = epoch_2(30, "G07G08", satellite(7), satellite(8), flag=6)
    text = header_2() + epoch_2(0, "G07", satellite(7)) + slips + epoch_2(30, "G07", satellite(7))
    assert locks(text) == [0, 30000]


def test_event_may_change_the_observation_types():
    changed = label(f"{2:6d}{'C1':>6}{'L1':>6}", "# / TYPES OF OBSERV").rstrip("\n")
    text = header_2() + epoch_2(0, "G07", satellite(7)) + epoch_2(15, "", changed, flag=4, count=1)
    text += epoch_2(30, "G07", field(5.0) + field(6.0))
    read = two(text)
    assert (at(read, 1, 7)["code"], at(read, 1, 7)["phase"]) == (5.0, 6.0)
    assert at(read, 1, 7)["lock"] == 30000
    assert len(read.epochs[1]) == 1


# --------------------------------------------------------------------------------------------------- broken files


def test_half_written_last_epoch_is_dropped_and_reported():
    whole = header_2() + epoch_2(0, "G07G08", satellite(7), satellite(8))
    last = epoch_2(30, "G07G08", satellite(7), satellite(8))
    expected = two(whole).epochs
    for cut in range(2, len(last) - 1):
        read = two(whole + last[:cut])
        # Cut exactly behind a value, the line may just as well be complete.
        if len(read.epochs) == 1:
            assert any("last epoch dropped" in problem for problem in read.problems), cut
            np.testing.assert_array_equal(read.epochs[0].phase_cyc, expected[0].phase_cyc)
        else:
            assert last[:cut].count("\n") == 2, cut
            assert "." in last[cut - 6 : cut - 3], cut


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("1007.000", "10x7.000", 10, "'10x7.000' where a number"),
        (" 21  1  1  0  0", " 21 13  1  0  0", 9, "month must be"),
        ("  0  1G07", "  0  xG07", 9, "expected an epoch line"),
        ("  0  1G07", "  9  1G07", 9, "event flag 9"),
        ("  0  1G07", "  0  1Q07", 9, "satellite 'Q07'"),
        ("  0  1G07", "  0  1G00", 9, "numbers start at 1"),
        ("  0  1G07", "  0  2G07G07", 9, "comes twice"),
        ("2.11", "9.11", 1, "versions 2, 3 and 4"),
        ("2.11", "2.x1", 1, "RINEX version"),
        ("OBSERVATION", "NAVIGATION ", 1, "expected an observation file"),
        ("     4    L1", "     5    L1", 8, "5 announced"),
        ("END OF HEADER", "END OF HEAD  ", 10, "ends before 'END OF HEADER'"),
        ("301132.7660", "3011b2.7660", 5, "APPROX POSITION XYZ"),
        ("RINEX VERSION / TYPE", "CRINEX VERS   / TYPE", 1, "expected a RINEX header"),
    ],
)
def test_broken_file_names_file_line_and_cause(old, new, line, what):
    text = header_2() + epoch_2(0, "G07", satellite(7), *([satellite(8)] if "G07G07" in new else []))
    assert old in text
    text = text.replace(old, new, 1)
    with pytest.raises(GpsgridError, match=r"some\.21o") as raised:
        two(text)
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)
    assert raised.value.facts["line"] == line


def test_epochs_that_do_not_advance_are_dropped_and_reported():
    text = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (0, 30, 30, 0, 60))
    read = two(text)
    assert [epoch.time_ns - START for epoch in read.epochs] == [0, 30 * 10**9, 60 * 10**9]
    assert len(read.problems) == 2


@pytest.mark.parametrize("count", ["99", "40"])
def test_too_many_announced_satellites_do_not_swallow_the_rest(count):
    text = header_2() + "".join(epoch_2(30 * place, "G07", satellite(7)) for place in range(3))
    with pytest.raises(GpsgridError, match="line 11 begins another epoch") as raised:
        two(text.replace("  0  1G07", f"  0 {count}G07", 1))
    assert raised.value.facts["line"] == 9


def test_empty_file():
    with pytest.raises(GpsgridError, match="expected a RINEX header"):
        two("")


def test_header_without_epochs():
    read = two(header_2("L1 C1", label(f"{30:10.3f}", "INTERVAL")))
    assert (read.epochs, read.interval_s) == ([], 30.0)


def test_carriage_returns_do_not_matter():
    text = header_2() + epoch_2(0, "G07", satellite(7))
    assert at(two(text.replace("\n", "\r\n")), 0, 7) == pytest.approx(at(two(text), 0, 7), nan_ok=True)


def test_time_systems():
    epochs = epoch_2(0, "G07", satellite(7))
    first = f"{2021:6d}{1:6d}{1:6d}{0:6d}{0:6d}{0:13.7f}     "
    for system, seconds in (("GPS", 0), ("GLO", 18), ("BDT", 14)):
        read = two(header_2("L1 L2 C1 P2", label(first + system, "TIME OF FIRST OBS")) + epochs)
        assert read.epochs[0].time_ns - START == seconds * 10**9
    with pytest.raises(GpsgridError, match="time system 'XYZ'"):
        two(header_2("L1 L2 C1 P2", label(first + "XYZ", "TIME OF FIRST OBS")) + epochs)


@pytest.mark.parametrize(("short", "year"), [("80", 1980), ("99", 1999), ("00", 2000), ("79", 2079)])
def test_two_digits_of_a_year(short, year):
    read = two(
        header_2()
        + epoch_2(0, "G07", satellite(7)).replace(" 21  1", f" {short}  1" if year > 1980 else f" {short}  2")
    )
    assert gpstime.to_iso(read.epochs[0].time_ns).startswith(str(year))


# --------------------------------------------------------------------------------------------------------- splices


def test_arcs_continue_across_files():
    first = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (0, 30))
    second = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (30, 60, 90))
    read = splice_observations([(second, "b"), (first, "a")])
    assert [at(read, epoch, 7)["lock"] for epoch in range(4)] == [0, 30000, 60000, 90000]
    assert read.problems == ["1 epochs dropped that an earlier file has already"]


def test_slip_at_a_joint_is_kept():
    first = header_2() + epoch_2(0, "G07", satellite(7)) + epoch_2(30, "G07", satellite(7))
    second = header_2() + epoch_2(60, "G07", satellite(7, 1)) + epoch_2(90, "G07", satellite(7))
    read = splice_observations([(first, "a"), (second, "b")])
    assert [at(read, epoch, 7)["lock"] for epoch in range(4)] == [0, 30000, 0, 30000]


def test_other_antenna_in_the_second_file_is_reported():
    first = header_2() + epoch_2(0, "G07", satellite(7))
    second = (header_2() + epoch_2(30, "G07", satellite(7))).replace("UNAV", "NONE")
    (problem,) = splice_observations([(first, "a"), (second, "b")]).problems
    assert problem == ("b: antenna TRM29659.00     UNAV becomes TRM29659.00     NONE after a; the first header counts")


def elsewhere(text: str, marker: str = "ROVN", east_m: float = 5000.0) -> str:
    moved = text.replace(f"{301132.766:14.4f}", f"{301132.766 + east_m:14.4f}")
    return moved.replace(label("DELF", "MARKER NAME"), label(marker, "MARKER NAME"))


def test_files_of_two_stations_are_not_one_series():
    first = header_2() + epoch_2(0, "G07", satellite(7))
    second = elsewhere(header_2() + epoch_2(30, "G07", satellite(7)))
    with pytest.raises(GpsgridError, match=r"b: this is the file of another station than a \(marker ROVN is 5.0 km"):
        splice_observations([(first, "a"), (second, "b")])


def test_a_station_that_moved_and_said_so_goes_on_in_the_next_file():
    second = elsewhere(header_2() + epoch_2(60, "G07", satellite(7)))
    read = splice_observations([(new_records(3, *MOVED), "a"), (second, "b")])
    assert len(read.epochs) == 3
    with pytest.raises(GpsgridError, match="b: this is the file of another station than a"):
        splice_observations([(new_records(3, *MOVED), "a"), (header_2() + epoch_2(60, "G07", satellite(7)), "b")])


def test_the_file_of_another_station_behind_a_file_is_an_error_with_its_line():
    second = elsewhere(header_2() + epoch_2(30, "G07", satellite(7)), east_m=250.0)
    with pytest.raises(
        GpsgridError, match=r"line 11: the file of another station begins here .marker ROVN is 250 m from marker DELF"
    ):
        two(header_2() + epoch_2(0, "G07", satellite(7)) + second)


@pytest.mark.parametrize(
    ("marker", "east_m"), [("ROVN", 20.0), ("delf", 5000.0)], ids=["renamed marker", "receiver that moved"]
)
def test_one_station_under_two_names_and_one_receiver_at_two_places_are_read_on(marker: str, east_m: float):
    second = elsewhere(header_2() + epoch_2(30, "G07", satellite(7)), marker, east_m)
    read = two(header_2() + epoch_2(0, "G07", satellite(7)) + second)
    assert len(read.epochs) == 2
    assert f"marker DELF becomes {marker}" in read.problems[0]


# -------------------------------------------------------------------------------------------------------- version 3


def header_3(types: str = "C1C L1C D1C S1C C2W L2W S2W", *extra: str) -> str:
    listed = ""
    names = types.split()
    for start in range(0, len(names), 13):
        head = f"G  {len(names):3d}" if start == 0 else " " * 6
        listed += label(head + "".join(f" {name}" for name in names[start : start + 13]), "SYS / # / OBS TYPES")
    return (
        label(f"{'3.04':>9}{'':11}{'OBSERVATION DATA':<20}M", "RINEX VERSION / TYPE")
        + listed
        + label("E    2 C1C L1C", "SYS / # / OBS TYPES")
        + "".join(extra)
        + label("", "END OF HEADER")
    )


def epoch_3(second: float, *lines: str, flag: int = 0) -> str:
    return f"> 2021 01 01 00 00{second:11.7f}  {flag}{len(lines):3d}\n" + "".join(f"{line}\n" for line in lines)


def test_version_3():
    line = "G07" + field(1.0) + field(2.0, 1, 7) + field(3.0) + field(45.5) + field(4.0) + field(5.0, 2) + field(30.0)
    galileo = "E11" + field(9.0) + field(9.0)
    read = read_observations(header_3() + epoch_3(0, line, galileo) + epoch_3(1, galileo, line), "x.rnx")
    for epoch in range(2):
        found = at(read, epoch, 7)
        assert (found["code"], found["phase"], found["cn0"], found["lock"]) == (1.0, 2.0, 45.5, 0)
        other = at(read, epoch, 7, GPS_L2W)
        assert (other["code"], other["phase"], other["cn0"], other["half"]) == (4.0, 5.0, 30.0, True)
        assert other["lock"] == 1000 * epoch
    assert read.skipped == {}


def test_version_3_many_types_events_and_scale():
    types = "C1C L1C D1C S1C C2W L2W D2W S2W C5Q L5Q D5Q S5Q C2L L2L S2L"
    scale = label("G   10  1 L2L", "SYS / SCALE FACTOR")
    line = "G07" + "".join(field(float(place)) for place in range(1, 16))
    event = f">{'':30}4{1:3d}\n" + label("inside", "COMMENT")
    read = read_observations(header_3(types, scale) + epoch_3(0, line) + event + epoch_3(1, line, flag=1), "x.rnx")
    phase = {int(row[0]): row[1] for row in zip(read.epochs[0].signal, read.epochs[0].phase_cyc, strict=True)}
    assert phase[signal_of(Constellation.GPS, "2L").number] == 1.4
    assert phase[signal_of(Constellation.GPS, "5Q").number] == 10.0
    assert read.epochs[1].lock_ms.tolist() == [0, 0, 0, 0]


def test_version_3_wrong_count_of_satellites():
    line = "G07" + field(1.0)
    text = header_3() + epoch_3(0, line).replace("  0  1", "  0  2") + epoch_3(1, line)
    with pytest.raises(GpsgridError, match="satellite '> 2'") as raised:
        read_observations(text, "x.rnx")
    assert raised.value.facts["line"] == 7


# ------------------------------------------------------------------------------------- all systems, later versions


def number_of(letter: str, code: str) -> int:
    return signal_of(Constellation("GRESJCI".index(letter)), code).number


def header_all(types: dict[str, str], *extra: str, version: str = "3.05") -> str:
    listed = "".join(
        label(f"{system}  {len(names.split()):3d} {names}", "SYS / # / OBS TYPES") for system, names in types.items()
    )
    return (
        label(f"{version:>9}{'':11}{'OBSERVATION DATA':<20}M", "RINEX VERSION / TYPE")
        + listed
        + "".join(extra)
        + label("", "END OF HEADER")
    )


@pytest.mark.parametrize("version", ["3.00", "3.02", "3.03", "3.05", "4.00", "4.02"])
def test_every_system_has_its_own_columns(version):
    types = {"G": "C1C L1C", "R": "L1C C1C D1C", "E": "C1X L1X C8Q L8Q", "S": "C5I L5I", "J": "L5Q C5Q", "I": "C5A L5A"}
    names = ["I03", "J01", "S20", "E11", "R05", "G07"]
    lines = [name + "".join(field(10.0 * place + column) for column in range(1, 5)) for place, name in enumerate(names)]
    read = read_observations(header_all(types, version=version) + epoch_3(0, *lines), "x.rnx")
    assert read.epochs[0].satellite.tolist() == [7, 105, 211, 211, 320, 401, 603]
    assert at(read, 0, 105, number_of("R", "1C"))["phase"] == 41.0
    assert at(read, 0, 105, number_of("R", "1C"))["code"] == 42.0
    assert at(read, 0, 211, number_of("E", "8Q"))["phase"] == 34.0
    assert at(read, 0, 603, number_of("I", "5A"))["code"] == 1.0
    assert read.epochs[0].doppler_hz[1] == 43.0
    assert read.skipped == {}


@pytest.mark.parametrize(("version", "types"), [("3.02", "C1I L1I"), ("3.01", "C2I L2I"), ("3.04", "C2I L2I")])
def test_beidou_b1i_has_one_signal_whatever_its_band_was_called(version, types):
    text = header_all({"C": types}, version=version) + epoch_3(0, "C21" + field(1.0) + field(2.0))
    assert at(read_observations(text, "x.rnx"), 0, 521, number_of("C", "2I"))["phase"] == 2.0


def test_beidou_b1c_is_not_b1i():
    text = header_all({"C": "C1X L1X"}, version="3.04") + epoch_3(0, "C21" + field(1.0) + field(2.0))
    assert at(read_observations(text, "x.rnx"), 0, 521, number_of("C", "1X"))["phase"] == 2.0


def test_types_without_a_signal_and_systems_without_types_are_counted():
    text = header_all({"G": "C1C X1  L9Z"}) + epoch_3(
        0, "G07" + field(1.0) + field(2.0) + field(3.0), "E11" + field(1.0)
    )
    assert read_observations(text, "x.rnx").skipped == {"E": 1, "G:X1": 1, "G:L9Z": 1}


def test_glonass_channels_give_frequencies():
    slots = label("  3 R01  1 R05 -4 R24  2", "GLONASS SLOT / FRQ #")
    text = header_all({"R": "L1C L2C"}, slots) + epoch_3(
        0, *(f"{name}{field(1.0)}{field(2.0)}" for name in ("R05", "R06"))
    )
    read = read_observations(text, "x.rnx")
    assert read.glonass_channels == {101: 1, 105: -4, 124: 2}
    np.testing.assert_array_equal(
        read.epochs[0].frequency_hz, [1602e6 - 4 * 562.5e3, 1246e6 - 4 * 437.5e3, np.nan, np.nan]
    )
    with pytest.raises(GpsgridError, match="frequency channel 9 of R01"):
        read_observations(text.replace("R01  1", "R01  9"), "x.rnx")


def test_scale_factors_are_divided_out():
    scales = label("G  100  2 L1C C1C", "SYS / SCALE FACTOR") + label("E   10", "SYS / SCALE FACTOR")
    text = header_all({"G": "C1C L1C S1C", "E": "C1C L1C"}, scales)
    text += epoch_3(0, "G07" + field(100.0) + field(200.0) + field(45.0), "E11" + field(100.0) + field(200.0))
    read = read_observations(text, "x.rnx")
    assert (at(read, 0, 7)["code"], at(read, 0, 7)["phase"], at(read, 0, 7)["cn0"]) == (1.0, 2.0, 45.0)
    assert at(read, 0, 211, number_of("E", "1C"))["phase"] == 20.0
    with pytest.raises(GpsgridError, match="scale factor 0"):
        read_observations(text.replace("G  100", "G    0"), "x.rnx")


def test_phase_shifts_are_told_and_in_the_phases_already():
    shifts = label("G L2X -0.25000", "SYS / PHASE SHIFT") + label("G L1C", "SYS / PHASE SHIFT")
    shifts += label("R L1C  0.25000  02 R01 R02", "SYS / PHASE SHIFT") + label("E", "SYS / PHASE SHIFT")
    read = read_observations(
        header_all({"G": "C2X L2X"}, shifts) + epoch_3(0, "G07" + field(1.0) + field(2.0)), "x.rnx"
    )
    assert [(item.system, item.signal, item.shift_cyc) for item in read.phase_shifts] == [
        ("G", "2X", -0.25),
        ("R", "1C", 0.25),
    ]
    assert read.phase_shifts[1].satellites == (101, 102)
    assert at(read, 0, 7, number_of("G", "2X"))["phase"] == 2.0


def test_receiver_clock_offsets():
    line = "G07" + field(1.0) + field(2.0)
    first = epoch_3(0, line).replace("  0  1\n", "  0  1" + " " * 6 + "-0.000123456789\n")
    applied = label(f"{1:6d}", "RCV CLOCK OFFS APPL")
    read = read_observations(header_all({"G": "C1C L1C"}, applied) + first + epoch_3(1, line), "x.rnx")
    np.testing.assert_array_equal(read.clock_offset_s, [-0.000123456789, np.nan])
    assert read.clock_applied
    names = f"{'G07':<36}"
    old = header_2() + epoch_2(0, "G07", satellite(7)).replace("G07\n", names + " 0.000456789\n")
    assert two(old).clock_offset_s.tolist() == [0.000456789]
    assert not two(old).clock_applied


def test_events_are_listed_with_their_time():
    event = epoch_2(15, "", label("photo", "COMMENT").rstrip("\n"), flag=5, count=1)
    blank_time = f"{'':28}4{1:3d}\n" + label("no time", "COMMENT")
    read = two(header_2() + epoch_2(0, "G07", satellite(7)) + event + blank_time)
    assert [(item.flag, item.time_ns) for item in read.events] == [(5, START + 15 * 10**9), (4, None)]
    assert read.events[0].records[0].startswith("photo")


def test_type_that_only_another_system_has_does_not_take_the_phase():
    """Converters list the types of all systems together: P2 there is GPS, the GLONASS L2 goes with C2."""
    glonass = field(1.0) + field(2.0) + field(3.0) + field(None) + field(4.0)
    gps = field(1.0) + field(2.0) + field(3.0) + field(4.0)
    read = two(header_2("L1 L2 C1 P2 C2") + epoch_2(0, "G07R05", gps, glonass))
    assert at(read, 0, 105, number_of("R", "2C"))["phase"] == 2.0
    assert at(read, 0, 7, GPS_L2W)["code"] == 4.0


# -------------------------------------------------------------------------------------------------- order and splices


def test_late_epochs_are_put_where_they_belong_and_reported():
    text = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (0, 60, 30, 90))
    read = two(text)
    assert [(epoch.time_ns - START) // 10**9 for epoch in read.epochs] == [0, 30, 60, 90]
    assert [at(read, epoch, 7)["lock"] for epoch in range(4)] == [0, 30000, 60000, 90000]
    assert read.problems == ["some.21o, line 13: epoch 2021-01-01T00:00:30.000 put where it belongs, it comes late"]


def test_files_put_one_behind_another_are_read_on():
    second = header_2("C1 L1", version="2.10") + epoch_2(30, "G07", field(5.0) + field(6.0))
    read = two(header_2() + epoch_2(0, "G07", satellite(7)) + second)
    assert [at(read, epoch, 7)["phase"] for epoch in range(2)] == [1007.0, 6.0]
    assert at(read, 1, 7)["lock"] == 30000
    assert read.problems == ["some.21o, line 11: another file begins here; read on with it"]


def test_file_of_nothing_but_headers_ends_with_an_error():
    with pytest.raises(GpsgridError, match="changes for the 1000th time"):
        two(header_2() * 1200)


def test_versions_may_be_mixed_in_a_splice():
    modern = header_3() + epoch_3(30, "G07" + field(5.0) + field(6.0))
    read = two(header_2() + epoch_2(0, "G07", satellite(7)) + modern)
    assert [at(read, epoch, 7)["phase"] for epoch in range(2)] == [1007.0, 6.0]


def test_overlapping_files_are_interleaved():
    first = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (0, 60))
    second = header_2() + "".join(epoch_2(second, "G07", satellite(7)) for second in (30, 60, 90))
    read = splice_observations([(first, "a"), (second, "b")])
    assert [(epoch.time_ns - START) // 10**9 for epoch in read.epochs] == [0, 30, 60, 90]


def test_bytes_and_text_are_read_alike():
    text = header_2() + epoch_2(0, "G07", satellite(7))
    assert at(two(text), 0, 7) == pytest.approx(at(read_observations(text.encode(), "some.21o"), 0, 7), nan_ok=True)


def test_odd_numbers_are_read_like_any_other():
    fields = ["1.5D+02", "+7.25", "12345678901234"]
    line = "G07" + "".join(f"{text:>14}  " for text in fields)
    read = read_observations(header_all({"G": "C1C L1C S1C"}) + epoch_3(0, line, line.replace("G07", "G08")), "x.rnx")
    for number in (7, 8):
        found = at(read, 0, number)
        assert (found["code"], found["phase"], found["cn0"]) == (150.0, 7.25, 12345678901234.0)
