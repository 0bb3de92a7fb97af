"""Questions over MQTT: every format of the HTTP door, raw or in base64, one epoch at a time."""

import base64
import json

import numpy as np
import pytest

from gpsgrid.mqtt_question import read_asked, read_options
from gpsgrid.rehearsal import START_NS, rover_body
from stations.errors import GpsgridError, Reason
from tests.gpsgrid.small_network import LAST_NS, at, epoch_json, rawx, rinex, rover_epoch

EPOCH = rover_epoch()
BODIES = {"rinex": rinex(EPOCH, antenna="A               NONE"), "json": epoch_json(EPOCH), "ubx": rawx(EPOCH)}


def _asked(payload, host_ns=0):
    return read_asked(read_options(payload), host_ns)


@pytest.mark.parametrize("kind", BODIES)
def test_formats_are_read_raw_and_in_base64(kind):
    body = BODIES[kind]
    packed = {"rtcm3": base64.b64encode(body).decode(), "request": "q", "antenna_height": 1.5, "explain": True}
    raw, named = _asked(body, 7), _asked(json.dumps(packed).encode(), 7)
    for asked in (raw, named):
        assert asked.payload == b""
        assert asked.host_ns == 7
        np.testing.assert_array_equal(asked.epoch.satellite, EPOCH.satellite)
        assert asked.antenna == ("A               NONE" if kind == "rinex" else "")
    assert (named.request, named.antenna_height_m, named.explain) == ("q", 1.5, True)
    assert (raw.request, raw.explain) == ("", False)


def test_rtcm_goes_on_as_it_came():
    asked = _asked(rover_body(LAST_NS))
    assert (asked.payload, asked.epoch) == (rover_body(LAST_NS), None)
    packed = {"rtcm3": base64.b64encode(rover_body(LAST_NS)).decode(), "antenna": "A", "antenna_serial": "7"}
    asked = _asked(json.dumps(packed).encode())
    assert (asked.payload, asked.antenna, asked.antenna_serial) == (rover_body(LAST_NS), "A", "7")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (rinex(at(EPOCH, START_NS), EPOCH), Reason.TOO_MANY_EPOCHS),
        (b'{"satellites": {}}', Reason.MALFORMED),
        (b"PK\x03\x04" + bytes(100), Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_refusals(payload, reason):
    with pytest.raises(GpsgridError) as caught:
        _asked(payload)
    assert caught.value.reason is reason


def test_json_that_is_no_question_says_where():
    with pytest.raises(ValueError, match="rtcm3"):
        read_options(b'{"rtcm3": 7}')
