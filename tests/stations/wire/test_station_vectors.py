"""All generated vectors of 1005, 1006, 1007, 1008 and 1033: every field, and back to the bit."""

import re

import pytest

from stations.wire.messages import decode_message
from stations.wire.station_messages import encode_antenna, encode_position
from tests.stations.wire import oracle_readings

NUMBER = r"{}:(-?[\d.]+)"
TEXT = r'{}:Df88591String::<31>::from\("((?:[^"\\]|\\.)*)"\)'
TEXTS = {
    "antenna": "antenna_descriptor_str",
    "serial": "antenna_serial_number_str",
    "receiver": "receiver_type_descriptor_str",
    "firmware": "receiver_firmware_version_str",
    "receiver_serial": "receiver_serial_number_str",
}


def number(text, name):
    return float(re.search(NUMBER.format(name), text)[1])


def of_station(shared_data):
    for name, payload, text in oracle_readings.vectors(shared_data / "rtcm3" / "message-vectors.tar.gz"):
        if name[3:7] in {"1005", "1006", "1007", "1008", "1033"}:
            yield name[3:7], payload, text


@pytest.mark.data
def test_positions(shared_data):
    count = 0
    for kind, payload, text in of_station(shared_data):
        if kind not in {"1005", "1006"}:
            continue
        count += 1
        one = decode_message(payload, 0)
        assert one.station_number == number(text, "reference_station_id")
        assert one.position_m == tuple(
            pytest.approx(number(text, f"antenna_ref_point_ecef_{axis}_m"), abs=2e-9) for axis in "xyz"
        )
        height_m = pytest.approx(number(text, "antenna_height_m"), abs=1e-9) if kind == "1006" else None
        assert one.antenna_height_m == height_m
        flags = (one.gps, one.glonass, one.galileo, one.virtual, one.single_oscillator, one.reserved)
        names = ("gps_flag", "glonass_flag", "galileo_flag", "reference_station_ind", "single_receiver_osc_ind")
        assert flags == tuple(bool(number(text, name)) for name in (*names, "reserved_73_1"))
        assert (one.itrf_year, one.quarter_cycle) == (number(text, "reserved_24_6"), number(text, "quarter_cycle_ind"))
        assert encode_position(one) == payload
    assert count == 8


@pytest.mark.data
def test_antennas(shared_data):
    count = 0
    for kind, payload, text in of_station(shared_data):
        if kind in {"1005", "1006"}:
            continue
        count += 1
        one = decode_message(payload, 0)
        assert one.station_number == number(text, "reference_station_id")
        assert one.setup == number(text, "antenna_setup_id")
        for ours, theirs in TEXTS.items():
            found = re.search(TEXT.format(theirs), text)
            assert (found is not None) == (kind == "1033" or ours == "antenna" or (kind, ours) == ("1008", "serial"))
            expected = "" if found is None else found[1].replace('\\"', '"').replace("\\\\", "\\")
            assert getattr(one, ours) == expected
        assert encode_antenna(one, int(kind)) == payload
    assert count == 12
