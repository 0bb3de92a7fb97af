"""What the demonstration knows without touching the world: its network file, its lines, its summary.

Processes, clocks and sockets are in ``replay.edge``. Everything shown about accuracy comes from ``replay.score``;
nothing is counted twice here.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from gpsgrid.answer_json import AnswerJson
from gpsgrid.problem import ProblemJson
from models.rover import RoverStatus
from replay.score import Score
from replay.simulator import SimulatedEpoch, Simulator
from replay.track import TrackRow
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.frames import enu_rotation_at
from stations.gpstime import to_iso
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import ReferencePosition

HEADER = "   time status   sat    east  north     up      sigma e/n/u   latency     age"
LEGEND = "Errors against the true path and sigmas in millimetres; latency is epoch sent to answer received."

_EPHEMERIDES_EVERY_S = 30
_HTTP_OK = 200
_MM_PER_M = 1000.0


class Encoder:
    """Epochs of the simulated receivers as RTCM 3, one message per station-epoch."""

    def __init__(self, simulator: Simulator) -> None:
        """Start with nothing sent."""
        self._simulator = simulator
        self._aligners = {station.id: PhaseAligner() for station in simulator.network.stations}
        self._rover = PhaseAligner()
        self._sent = 0

    def stations(self, time_ns: int) -> dict[str, bytes]:
        """Return what every station publishes at an epoch; one that is silent publishes nothing."""
        payloads = {}
        ephemerides = self._simulator.ephemerides(time_ns) if self._sent % _EPHEMERIDES_EVERY_S == 0 else ()
        for number, (name, one) in enumerate(self._simulator.stations(time_ns).items(), start=1):
            if not len(one.epoch):
                continue
            x, y, z = one.position_m.tolist()
            seen = set(one.epoch.satellite.tolist())
            payloads[name] = encode_station_epoch(
                number,
                self._aligners[name].align(one.epoch),
                position=ReferencePosition(number, (x, y, z), 0.0),
                ephemerides=[ephemeris for ephemeris in ephemerides if ephemeris.satellite in seen],
            )
        self._sent += 1
        return payloads

    def rover(self, time_ns: int) -> tuple[bytes, SimulatedEpoch]:
        """Return what the rover asks with at an epoch, and the truth about it."""
        one = self._simulator.rover(time_ns)
        return encode_station_epoch(0, self._rover.align(one.epoch)), one


def network_toml(network: Network, broker_url: str) -> str:
    """Return a ``network.toml`` for a network of live stations without antenna calibrations."""

    def quoted(text: str) -> str:
        # The strings of JSON are strings of TOML.
        return msgspec.json.encode(text).decode()

    lines = [
        "[network]",
        f"name = {quoted(network.name)}",
        f"frame = {quoted(network.frame)}",
        f"epoch = {network.epoch}",
        "",
        "[mqtt]",
        f"url = {quoted(broker_url)}",
    ]
    for station in network.stations:
        x, y, z = station.position_m
        lines += ["", "[[station]]", f"id = {quoted(station.id)}", f"position = [{x:.4f}, {y:.4f}, {z:.4f}]"]
    return "\n".join(lines) + "\n"


def row_of_response(status_code: int, body: bytes, time_ns: int, latency_ms: float) -> TrackRow:
    """Return the answer of ``POST /v1/position`` as a row of a track; a problem document is a row too."""
    if status_code != _HTTP_OK:
        try:
            problem = msgspec.json.decode(body, type=ProblemJson)
        except msgspec.DecodeError:
            return TrackRow(time_ns, RoverStatus.NONE, latency_ms=latency_ms, reason=f"HTTP status {status_code}")
        reason = f"{problem.reason}: {problem.detail}"
        return TrackRow(time_ns, RoverStatus.NONE, latency_ms=latency_ms, reason=reason)
    answer = msgspec.json.decode(body, type=AnswerJson)
    unknown = (math.nan,) * 3
    return TrackRow(
        time_ns,
        RoverStatus(answer.status),
        unknown if answer.position is None else answer.position.ecef_m,
        unknown if answer.sd_enu_m is None else answer.sd_enu_m,
        len(answer.satellites.used),
        _number(answer.wrong_fix_probability),
        _number(answer.age_s),
        latency_ms,
        answer.cell or "",
        answer.reason,
    )


def error_enu_m(row: TrackRow, true_m: FloatArray) -> FloatArray:
    """Return position less truth, east, north and up, shape ``(3,)``; NaN without position."""
    return enu_rotation_at(true_m) @ (np.array(row.position_m) - true_m)


def live_line(row: TrackRow, true_m: FloatArray, elapsed_s: float) -> str:
    """Return the line of one answer, under :data:`HEADER` and no longer than 80 characters when there is a position."""
    start = f"{elapsed_s:5.0f} s {row.status:<8}{row.satellites:4d} "
    if not row.positioned:
        return start + row.reason
    error = "".join(f"{round(value * _MM_PER_M):+7d}" for value in error_enu_m(row, true_m).tolist())
    sigma = "/".join(f"{value * _MM_PER_M:.0f}" for value in row.sd_enu_m)
    return f"{start}{error}   {sigma:>14} {row.latency_ms:6.0f} ms {row.age_s:5.1f} s"


def live_record(row: TrackRow, true_m: FloatArray) -> dict[str, object]:
    """Return one answer as an object for JSON; what is not known is ``None``."""
    return {
        "time_gpst": to_iso(row.time_ns),
        "status": str(row.status),
        "satellites": row.satellites,
        "error_enu_m": _rounded(error_enu_m(row, true_m).tolist()),
        "sd_enu_m": _rounded(row.sd_enu_m),
        "age_s": _rounded([row.age_s])[0],
        "latency_ms": _rounded([row.latency_ms])[0],
        "reason": row.reason,
    }


def first_fix_s(rows: Sequence[TrackRow], start_ns: int) -> float:
    """Return when the first fix came, seconds after ``start_ns``; NaN when none did."""
    return next(((row.time_ns - start_ns) / NS_PER_S for row in rows if row.claimed), math.nan)


def summary_lines(score: Score, first_s: float) -> list[str]:
    """Return what the demonstration says at the end.

    Args:
        score: Of all answers.
        first_s: From the first station epoch to the first fix; NaN without one.
    """
    first = f"first fix {first_s:.0f} s after the first observation" if math.isfinite(first_s) else "no fix"
    horizontal, vertical, latency = score.horizontal_m, score.vertical_m, score.latency_ms
    lines = [
        f"{score.epochs} answers, one per second, each from a single epoch; {first}",
        f"fixed {score.fixed_percent:.1f} %   centimetre {score.centimetre_percent:.1f} %   wrong {score.wrong_fixes}",
    ]
    if score.fixed_percent > 0.0:
        lines += [
            f"horizontal error of the fixes: median {_mm(horizontal.p50)}, 95 % within {_mm(horizontal.p95)}",
            f"vertical error of the fixes:   median {_mm(vertical.p50)}, 95 % within {_mm(vertical.p95)}",
        ]
    return [*lines, f"epoch sent to answer received: median {latency.p50:.0f} ms, 99 % within {latency.p99:.0f} ms"]


def _mm(value_m: float) -> str:
    return f"{value_m * _MM_PER_M:.0f} mm"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _rounded(values: Sequence[float]) -> list[float | None]:
    return [round(value, 4) if math.isfinite(value) else None for value in values]
