"""What a single bad station, stream or satellite must not be able to do to everybody else."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.events import InputRefused, NetworkSolved, PayloadArrived, Tick
from models.coordinates_monitor import Verdict
from models.rover import RoverStatus
from stations.antex import read_antex
from stations.constants import NS_PER_S
from stations.errors import Reason
from stations.feed import EphemerisReceived, EpochReceived, Feed
from stations.navigation_vector import GlonassEphemeris
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.framing import encode_frame
from stations.wire.gps_ephemeris import encode_ephemeris

pytestmark = pytest.mark.data


def _ephemerides(payload, near_ns):
    events = Feed("").push(payload, near_ns)
    return [event.ephemeris for event in events if isinstance(event, EphemerisReceived)]


def _epochs(outputs):
    return [output.time_ns for output in outputs if isinstance(output, NetworkSolved)]


def _play(night, engine, moments, change):
    """Feed moments, the payloads of EIJS changed, with a tick a second after each."""
    outputs = []
    for time_ns, payloads in moments:
        for station, payload in payloads:
            sent = change(payload, time_ns) if station == "EIJS" else payload
            outputs += engine.handle(PayloadArrived(station, sent, time_ns))
        outputs += engine.handle(Tick(time_ns + NS_PER_S))
    return outputs


def test_the_calendar_comes_from_the_data_however_the_bytes_are_cut(night):
    """A recording of another year replays through a byte stream: an ephemeris cut in two still tells the time."""
    engine = night.engine()
    for time_ns, payloads in night.moments[:3]:
        for station, payload in payloads:
            for start in range(0, len(payload), 37):
                engine.handle(PayloadArrived(station, payload[start : start + 37], time_ns))
    assert engine.snapshot.time_ns == night.moments[2][0]
    assert len(engine.snapshot.delays.satellite) > 0


def test_observations_before_the_first_ephemeris_do_not_fix_a_wrong_calendar(night, tools):
    """Joining a recorded stream between two ephemerides must not refuse everything after as late."""
    engine = night.engine()
    time_ns, payloads = night.moments[0]
    for station, payload in payloads:
        engine.handle(PayloadArrived(station, tools.frames_of(payload, but=tools.ephemerides), time_ns))
    ephemerides = tools.frames_of(payloads[0][1], only=tools.ephemerides)
    engine.handle(PayloadArrived("DELF", ephemerides, night.moments[1][0]))
    outputs = night.feed(engine, 1, 4)
    assert _epochs(outputs) == [moment for moment, _ in night.moments[:4]]
    assert not [output for output in outputs if isinstance(output, InputRefused)]


def test_a_station_days_ahead_that_is_heard_first_does_not_poison(night, tools):
    """Before anybody can outvote it a receiver with a wrong clock is heard; the others must still be served."""
    engine = night.engine(near_ns=night.moments[0][0])
    first_ns, payloads = night.moments[0]
    wrong = tools.shifted(dict(payloads)["EIJS"], 2 * 86_400 * NS_PER_S, first_ns)
    engine.handle(PayloadArrived("EIJS", wrong, first_ns))
    engine.handle(Tick(first_ns + NS_PER_S))
    outputs = night.feed(engine, 0, 12, without=("EIJS",))
    assert _epochs(outputs) == [moment for moment, _ in night.moments[:12]]


@pytest.mark.parametrize("ahead_s", [40, 1800])
def test_a_station_less_than_an_hour_ahead_does_not_block(night, tools, ahead_s):
    """A receiver whose clock is a little ahead costs itself and nobody else."""
    engine = night.engine()
    night.feed(engine, 0, 3)

    def ahead(payload, time_ns):
        return tools.shifted(payload, ahead_s * NS_PER_S, time_ns)

    outputs = _play(night, engine, night.moments[3:13], ahead)
    true_ns = {moment for moment, _ in night.moments[3:13]}
    served = {o.time_ns for o in outputs if isinstance(o, NetworkSolved) and len(o.stations) >= 3}
    assert served == true_ns


@pytest.mark.parametrize(
    "nonsense",
    [
        {"sqrt_a": 0.0},
        {"sqrt_a": 0.0, "iode": 77},
        {"sqrt_a": 100.0},
        {"sqrt_a": 8191.0},
        {"eccentricity": 0.4999},
        {"crc_m": 1023.0, "crs_m": -1023.0, "delta_n_rad_s": 1e-8},
        {"af0_s": 9e-4, "af1": 3e-9},
    ],
    ids=str,
)
def test_impossible_ephemerides_never_raise(night, nonsense):
    """An ephemeris with a right checksum and an impossible orbit may cost its satellite, never the engine."""
    engine = night.engine()
    time_ns, payloads = night.moments[0]
    (seen,) = [e.epoch for e in Feed("").push(night.rover[time_ns], time_ns) if isinstance(e, EpochReceived)]
    good = [one for one in _ephemerides(payloads[0][1], time_ns) if one.satellite in seen.satellite]
    hit = sorted({one.satellite for one in good})[:2]
    bad = b"".join(encode_frame(encode_ephemeris(replace(one, **nonsense))) for one in good if one.satellite in hit)
    engine.handle(PayloadArrived("DELF", bad, time_ns))
    outputs = night.feed(engine, 0, 12)
    assert len(_epochs(outputs)) == 12
    answer = night.ask(engine, 11)
    assert answer.refusal is None
    # Two of nine satellites have a wrong orbit: the others must carry the position, to code accuracy at least.
    assert np.linalg.norm(answer.position_m - night.rover_m) < 5.0


def test_all_ephemerides_impossible_never_raises(night):
    """With nothing but impossible orbits there is no position and a reason."""
    engine = night.engine()
    time_ns, payloads = night.moments[0]
    good = _ephemerides(payloads[0][1], engine.config.near_ns)
    assert {one.satellite // 100 for one in good} >= {0, 1, 2, 5}
    bad = b"".join(encode_frame(encode_broadcast(replace(one, **_nonsense(one)))) for one in good)
    engine.handle(PayloadArrived("DELF", bad, time_ns))
    night.feed(engine, 0, 3)
    assert night.ask(engine, 2).refusal in {Reason.TOO_FEW_SATELLITES, Reason.NO_CODE_POSITION, None}


def _nonsense(ephemeris):
    return {"velocity_m_s": (0.0, 0.0, 0.0)} if isinstance(ephemeris, GlonassEphemeris) else {"sqrt_a": 0.0}


def _without_l2(text, antenna):
    """Return an ANTEX text in which one antenna has lost its second frequency."""
    kept, inside, cut = [], False, False
    for line in text.splitlines(keepends=True):
        if line[60:].startswith("TYPE / SERIAL NO"):
            inside = line.startswith(antenna)
        if inside and line[60:].startswith("# OF FREQUENCIES"):
            kept.append(f"{int(line[:6]) - 1:6d}{line[6:]}")
            continue
        if inside and line[60:].startswith("START OF FREQUENCY") and "G02" in line:
            cut = True
        if not cut:
            kept.append(line)
        if line[60:].startswith("END OF FREQUENCY"):
            cut = False
    return "".join(kept)


def test_rover_antenna_without_second_frequency_is_refused(night, shared_data):
    """A rover antenna that is calibrated on L1 only is an error for that rover, not for the engine."""
    text = (shared_data / "nl-2021-001" / "nl.atx").read_text()
    table = read_antex(_without_l2(text, "SEPCHOKE_B3E6   SPKE5461"), "nl.atx")
    engine = night.engine(antennas=table)
    night.feed(engine, 0, 4)
    answer = night.ask(engine, 3)
    assert answer.refusal is Reason.UNKNOWN_ANTENNA
    assert "G02" in answer.reason


def test_nothing_above_left_the_engine_useless(night):
    """The same engine, same night, undisturbed: a fix (guards the tests above against passing for nothing)."""
    engine = night.engine()
    night.feed(engine, 0, 12)
    assert night.ask(engine, 11).status is RoverStatus.FIXED


def test_days_of_silence_do_not_lose_the_week(night, tools):
    """After four days without data the next epochs are placed in their own week, not the one before."""
    engine = night.engine()
    night.feed(engine, 0, 2)
    gap_ns = 4 * 86_400 * NS_PER_S
    outputs = []
    for time_ns, payloads in night.moments[2:5]:
        for station, payload in payloads:
            later = tools.shifted(payload, gap_ns, time_ns)
            outputs += engine.handle(PayloadArrived(station, later, time_ns + gap_ns))
    assert _epochs(outputs) == [moment + gap_ns for moment, _ in night.moments[2:5]]


def test_a_wrong_coordinate_is_no_reason_to_claim_fixes(night):
    """With a station half a metre off a rover is given no integers, until the station has been found and left out."""
    network = night.network
    wrong = replace(
        network,
        stations=tuple(
            replace(s, position_m=(s.position_m[0] + 0.5, *s.position_m[1:])) if s.id == "DELF" else s
            for s in network.stations
        ),
    )
    engine = night.engine(network=wrong)
    excluded_at = None
    for moment in range(len(night.moments)):
        night.feed(engine, moment, moment + 1)
        if "DELF" not in engine.snapshot.reduced:
            excluded_at = moment
            break
        if moment > 25:  # the start-up is over, and the share of held integers has settled
            assert not engine.snapshot.trusted
            assert night.ask(engine, moment).status in {RoverStatus.FLOAT, RoverStatus.CODE}
    assert excluded_at is not None
    assert engine.health.stations["DELF"].coordinate.verdict is Verdict.WRONG
