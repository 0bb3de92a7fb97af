"""Messages 1014-1017, 1030-1032, 1034, 1035: a recorded network service, generated vectors, an independent decoder."""

import math
import re
import tarfile
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrtcm import RTCMMessage

from stations.errors import GpsgridError, Reason
from stations.gpstime import from_calendar, to_glonass_day, to_week
from stations.signals import Constellation
from stations.wire.bits import BitReader, BitWriter, NeedMoreBits
from stations.wire.ephemeris_fields import Field
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.messages import decode_message
from stations.wire.network_gradients import _HEADS as FKP_HEADS
from stations.wire.network_gradients import _ROW as FKP_ROW
from stations.wire.network_gradients import NetworkGradients, SatelliteGradients
from stations.wire.network_mac import _HEAD as MAC_HEAD
from stations.wire.network_mac import _ROWS as MAC_ROWS
from stations.wire.network_mac import _STATION_FIELDS, CorrectionDifference, CorrectionDifferences
from stations.wire.network_messages import NETWORK_DECODERS, encode_network_message
from stations.wire.network_reference import _FIELDS as REFERENCE_FIELDS
from stations.wire.network_residuals import _HEADS as RESIDUAL_HEADS
from stations.wire.network_residuals import _ROW as RESIDUAL_ROW
from stations.wire.network_residuals import NetworkResiduals
from stations.wire.network_rows import read_rows, write_rows

NEAR_NS = from_calendar(2020, 12, 1, 10)
# Head, row, bits of the count of rows.
LAYOUTS = {
    1014: (_STATION_FIELDS, (), 0),
    1032: (REFERENCE_FIELDS, (), 0),
    **{number: (MAC_HEAD, row, 4) for number, row in MAC_ROWS.items()},
    **{number: (head, RESIDUAL_ROW, 5) for number, head in RESIDUAL_HEADS.items()},
    **{number: (head, FKP_ROW, 5) for number, head in FKP_HEADS.items()},
}
# What one raw unit is in the vectors, in their unit.
SCALES = {
    1014: {"latitude": 25e-6, "longitude": 25e-6, "height": 1e-3},
    1032: {"x": 1e-4, "y": 1e-4, "z": 1e-4},
    **{number: {"time": 0.1, "geometric": 5e-4, "ionospheric": 5e-4} for number in MAC_ROWS},
    **{
        number: {
            "geometric": 0.5,
            "geometric_distance": 0.01,
            "geometric_height": 0.1,
            "ionospheric": 0.5,
            "ionospheric_distance": 0.01,
        }
        for number in RESIDUAL_HEADS
    },
    **{number: {field.name: 0.01 for field in FKP_ROW[2:]} for number in FKP_HEADS},
}


def raw_of(payload):
    reader = BitReader(payload)
    head, row, count_bits = LAYOUTS[reader.unsigned(12)]
    return read_rows(reader, head, row, count_bits)


def payload_of(number, head, rows):
    fields, row, count_bits = LAYOUTS[number]
    return write_rows(number, (fields, head), (row, rows), count_bits)


@pytest.fixture(scope="module")
def vectors(shared_data):
    return generated(shared_data)


def generated(shared_data):
    found = []
    with tarfile.open(shared_data / "rtcm3" / "message-vectors.tar.gz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    for name, content in files.items():
        number = re.search(r"msg(\d{4})_\d\.rtcm$", name)
        if number and int(number[1]) in NETWORK_DECODERS:
            text = files[name.removesuffix("rtcm") + "in"].decode()
            (payload,) = FrameBuffer().push(content)
            found.append((int(number[1]), payload, text))
    return found


@pytest.mark.data
def test_generated_messages(vectors):
    assert Counter(number for number, _, _ in vectors) == dict.fromkeys(NETWORK_DECODERS, 4) | {1014: 3}
    compared = 0
    for number, payload, text in vectors:
        head, rows = raw_of(payload)
        assert payload_of(number, head, rows) == payload
        first, *others = text.split("vec.push(")
        expected = values_of(first.split("{", 1)[1].split("satellites", maxsplit=1)[0]) + [
            value for other in others for value in values_of(other.split("{", 1)[1])
        ]
        ours = [scaled(number, field, head) for field in LAYOUTS[number][0]]
        ours += [scaled(number, field, row) for row in rows for field in LAYOUTS[number][1]]
        # Half of the generated values are single precision.
        assert ours == [None if value is None else pytest.approx(value, rel=2e-7, abs=1e-9) for value in expected]
        compared += len(ours)
        possible = payload
        if "time" in head and head["time"] >= limit(number):
            with pytest.raises(GpsgridError, match="is not in a"):
                decode_message(payload, NEAR_NS)
            possible = payload_of(number, head | {"time": head["time"] % limit(number)}, rows)
        assert encode_network_message(decode_message(possible, NEAR_NS)) == possible
    assert compared == 2215


def limit(number):
    return {1031: 86_401, 1035: 86_401, 1030: 604_800, 1034: 604_800}.get(number, 6_048_000)


def values_of(text):
    found = re.findall(r"\w+:(?:Some\()?(-?[\d.]+(?:e-?\d+)?|None)", text)
    return [None if value == "None" else float(value) for value in found]


def scaled(number, field: Field, raw):
    if number in FKP_HEADS and field.kind == "signed" and raw[field.name] == -(2 ** (field.width - 1)):
        return None
    return raw[field.name] * SCALES[number].get(field.name, 1)


@pytest.mark.data
def test_a_recorded_service_equals_pyrtcm(shared_data):
    counts = Counter()
    compared = 0
    for payload in FrameBuffer().push((shared_data / "rtcm3" / "1012_first.rtcm").read_bytes()):
        number = message_number(payload)
        if number not in NETWORK_DECODERS:
            continue
        counts[number] += 1
        ours, theirs = decode_message(payload, NEAR_NS), RTCMMessage(payload=payload)
        assert encode_network_message(ours) == payload
        if number == 1032:
            assert (ours.station_number, ours.physical_number, ours.itrf_year) == (
                theirs.DF003,
                theirs.DF226,
                theirs.DF021,
            )
            assert ours.position_m == pytest.approx((theirs.DF025, theirs.DF026, theirs.DF027), abs=1e-9)
            compared += 6
            continue
        assert (ours.station_number, ours.stations) == (theirs.DF003, theirs.DF223)
        if number == 1030:
            assert to_week(ours.time_ns)[1] == theirs.DF224 * 10**9
        else:
            assert to_glonass_day(ours.time_ns)[1] == theirs.DF225 * 10**9
        assert len(ours.rows) == (theirs.DF006 if number == 1030 else theirs.DF035) > 0
        compared += 4
        for place, row in enumerate(ours.rows, 1):
            satellite = getattr(theirs, f"DF009_{place:02d}" if number == 1030 else f"DF038_{place:02d}")
            assert row.satellite == satellite + (0 if number == 1030 else 100)
            pairs = {
                "DF218": row.geometric_m * 1e3,
                "DF219": row.geometric_distance_ratio * 1e6,
                "DF220": row.geometric_height_ratio * 1e6,
                "DF221": row.ionospheric_m * 1e3,
                "DF222": row.ionospheric_distance_ratio * 1e6,
            }
            for name, value in pairs.items():
                assert value == pytest.approx(getattr(theirs, f"{name}_{place:02d}"), abs=1e-9)
            compared += 6
    assert set(counts) == {1030, 1031, 1032}
    assert compared > 300


@st.composite
def payloads(draw):
    number = draw(st.sampled_from(tuple(NETWORK_DECODERS)))
    head_fields, row_fields, _ = LAYOUTS[number]

    def draw_fields(fields):
        raw = {}
        for field in fields:
            half = 2 ** (field.width - 1)
            low, high = (0, 2 * half - 1) if field.kind == "unsigned" else (-half, half - 1)
            raw[field.name] = draw(st.integers(low, high if field.name != "time" else limit(number) - 2))
        return raw

    rows = [draw_fields(row_fields) for _ in range(draw(st.integers(0, 4)) if row_fields else 0)]
    return payload_of(number, draw_fields(head_fields), rows)


@given(payloads())
def test_any_message_comes_back_to_the_bit(payload):
    assert encode_network_message(decode_message(payload, NEAR_NS)) == payload


@given(payloads(), st.data())
def test_every_cut_payload_is_malformed(payload, data):
    if len(payload) > 2:
        cut = payload[: data.draw(st.integers(2, len(payload) - 1))]
        with pytest.raises(NeedMoreBits):
            NETWORK_DECODERS[message_number(cut)](cut, NEAR_NS)
        with pytest.raises(GpsgridError, match="ends after"):
            decode_message(cut, NEAR_NS)


def test_damaged_messages_are_values_or_refused(rng):
    refused = 0
    for _ in range(2000):
        number = int(rng.choice(list(NETWORK_DECODERS)))
        writer = BitWriter()
        writer.unsigned(number, 12)
        payload = writer.to_bytes()[:-1] + bytes([number % 16 * 16 + int(rng.integers(16))])
        payload += rng.integers(0, 256, int(rng.integers(0, 120)), dtype="uint8").tobytes()
        try:
            message = decode_message(payload, int(rng.integers(0, 2 * 10**18)))
        except GpsgridError as error:
            assert error.reason is Reason.MALFORMED
            refused += 1
        else:
            assert message_number(encode_network_message(message)) == number
    assert 100 < refused < 1900


def test_misuse_says_what_is_wrong():
    row = CorrectionDifference(7, 1, 0, 0.1, 3, None)
    differences = CorrectionDifferences(1017, 1, 2, 3, 4, NEAR_NS, more=False, rows=(row,))
    with pytest.raises(ValueError, match="ionospheric is missing"):
        encode_network_message(differences)
    with pytest.raises(ValueError, match="1015, 1016 and 1017"):
        encode_network_message(replace(differences, number=1019))
    with pytest.raises(ValueError, match="geometric: 131072 does not fit"):
        encode_network_message(replace(differences, number=1016, rows=(replace(row, geometric_m=65.536),)))
    with pytest.raises(ValueError, match="16 does not fit"):
        encode_network_message(replace(differences, number=1016, rows=(row,) * 16))
    with pytest.raises(ValueError, match="only GPS"):
        encode_network_message(NetworkResiduals(Constellation.GALILEO, NEAR_NS, 1, 2, ()))
    gradients = SatelliteGradients(7, 3, -20.48e-6, None, 0.0, 0.0)
    with pytest.raises(ValueError, match="geometric_north"):
        encode_network_message(NetworkGradients(Constellation.GPS, 1, NEAR_NS, (gradients,)))
    with pytest.raises(ValueError, match="only GPS"):
        encode_network_message(NetworkGradients(Constellation.QZSS, 1, NEAR_NS, ()))


def test_units():
    station = decode_message(
        payload_of(1014, {"latitude": 40_000, "longitude": -40_000, "height": -1500, "master": 5}, []), NEAR_NS
    )
    assert (math.degrees(station.delta_latitude_rad), math.degrees(station.delta_longitude_rad)) == pytest.approx(
        (1.0, -1.0), abs=1e-12
    )
    assert (station.delta_height_m, station.master) == (-1.5, 5)
    gradients = decode_message(
        payload_of(1035, {"time": 0}, [{"satellite": 3, "geometric_north": 250, "ionospheric_east": -8192}]), NEAR_NS
    )
    (row,) = gradients.rows
    assert (row.satellite, row.geometric_north, row.ionospheric_east) == (103, pytest.approx(2.5e-6), None)
