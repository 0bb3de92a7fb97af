"""An epoch of raw observations as JSON, for programs that have no RTCM encoder; a public contract.

Signals are called by their RINEX 3 codes, satellites by their RINEX names. Keys may be added, never renamed.
"""

import math
import re

import msgspec
import numpy as np

from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_iso, to_iso
from stations.recorded import whole_millisecond
from stations.signals import (
    CHANNELS,
    LETTERS,
    SIGNALS,
    Constellation,
    frequency_of,
    satellite_name,
    satellite_number,
    signal_of,
)

_MOST_SIGNALS = 1000
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_FIRST, _LAST = "1980-01-06T00:00:00.000", "2100-01-01T00:00:00.000"


class SignalJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signal of one satellite; what was not observed is left out or null.

    ``code_m`` is the pseudorange, ``phase_cyc`` the carrier phase as in RINEX (it grows with range), ``lock_ms`` how
    long it has been tracked without a slip, ``half_cycle`` whether it may be off by half a cycle.
    """

    code_m: float | None = None
    phase_cyc: float | None = None
    cn0_dbhz: float | None = None
    doppler_hz: float | None = None
    lock_ms: int = 0
    half_cycle: bool = False


class EpochJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One epoch: ``time_gpst`` is the receiver's time tag, ISO 8601 in GPS time.

    ``satellites`` is by RINEX name (``G05``), then by RINEX 3 code (``1C``). The antenna is the IGS type with radome;
    its height is from the marker up to the antenna reference point. ``glonass_channels`` is by satellite, -7 to 6.
    """

    time_gpst: str
    satellites: dict[str, dict[str, SignalJson]]
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height_m: float | None = None
    glonass_channels: dict[str, int] = {}


_DECODER = msgspec.json.Decoder(EpochJson | list[EpochJson])


def decode_epochs(data: bytes) -> list[tuple[EpochJson, StationEpoch]]:
    """Return the epochs of a body: one object, or a list of them.

    Raises:
        GpsgridError: ``MALFORMED``, with the place in the document, or ``UNSUPPORTED_SIGNAL``.
    """
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = (
            f"the body is no JSON epoch: {error}; expected an object with time_gpst and satellites, as in /docs, or a "
            "list of them"
        )
        raise GpsgridError(Reason.MALFORMED, message) from error
    documents = found if isinstance(found, list) else [found]
    return [(one, station_epoch(one)) for one in documents]


def station_epoch(document: EpochJson) -> StationEpoch:
    """Return the observations of a document.

    Raises:
        GpsgridError: As :func:`decode_epochs`.
    """
    time_ns = _time_ns(document.time_gpst)
    rows = [
        (_satellite(name), code, one) for name, signals in document.satellites.items() for code, one in signals.items()
    ]
    if len(rows) > _MOST_SIGNALS:
        message = f"{len(rows)} signals in one epoch; expected at most {_MOST_SIGNALS}"
        raise GpsgridError(Reason.MALFORMED, message)
    satellite = np.array([number for number, _, _ in rows], dtype=np.int64)
    signal = np.array([_signal(number, code) for number, code, _ in rows], dtype=np.int64)
    channels = {_satellite(name): _channel(name, channel) for name, channel in document.glonass_channels.items()}
    values = [one for _, _, one in rows]
    try:
        return make_epoch(
            time_ns,
            satellite,
            signal,
            _column([one.code_m for one in values]),
            _column([one.phase_cyc for one in values]),
            _column([one.cn0_dbhz for one in values]),
            np.array([min(max(one.lock_ms, 0), 2**31) for one in values], dtype=np.int64),
            np.array([one.half_cycle for one in values], dtype=np.bool_),
            _column([one.doppler_hz for one in values]),
            np.array(
                [frequency_of(SIGNALS[_signal(n, code)], channels.get(n)) for n, code, _ in rows], dtype=np.float64
            ),
        )
    except ValueError as error:  # G5 and G05 are the same satellite
        message = f"epoch {document.time_gpst}: {error}"
        raise GpsgridError(Reason.MALFORMED, message) from error


def epoch_document(
    epoch: StationEpoch, antenna: str = "", antenna_serial: str = "", antenna_height_m: float | None = None
) -> EpochJson:
    """Return the document of an epoch, the inverse of :func:`station_epoch`.

    The time tag is moved to the whole millisecond, and code and phase with it.
    """
    epoch = whole_millisecond(epoch)
    satellites: dict[str, dict[str, SignalJson]] = {}
    channels: dict[str, int] = {}
    for row in range(len(epoch)):
        signal = SIGNALS[int(epoch.signal[row])]
        name = satellite_name(int(epoch.satellite[row]))
        if signal.channel_step_hz and math.isfinite(epoch.frequency_hz[row]):
            channels[name] = round((float(epoch.frequency_hz[row]) - signal.base_hz) / signal.channel_step_hz)
        satellites.setdefault(name, {})[signal.code] = SignalJson(
            _known(epoch.pseudorange_m[row]),
            _known(epoch.phase_cyc[row]),
            _known(epoch.cn0_dbhz[row]),
            _known(epoch.doppler_hz[row]),
            int(epoch.lock_ms[row]),
            bool(epoch.half_cycle[row]),
        )
    return EpochJson(to_iso(epoch.time_ns), satellites, antenna, antenna_serial, antenna_height_m, channels)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _column(values: list[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _time_ns(text: str) -> int:
    if not _ISO.fullmatch(text):  # a zone letter would mean UTC, which is 18 s off
        message = f"time_gpst {text[:40]!r}; expected GPS time without a zone letter, such as 2021-01-01T12:00:30.000"
        raise GpsgridError(Reason.MALFORMED, message)
    try:
        time_ns = from_iso(text)
    except ValueError as error:
        message = f"time_gpst {text[:40]!r}: {error}"
        raise GpsgridError(Reason.MALFORMED, message) from error
    if not from_iso(_FIRST) < time_ns < from_iso(_LAST):
        message = f"time_gpst {text[:40]!r}; expected a time of GPS, after {_FIRST} and before {_LAST}"
        raise GpsgridError(Reason.MALFORMED, message)
    return time_ns


def _satellite(name: str) -> int:
    if len(name) == 3 and name[0] in LETTERS and name[1:].isdecimal() and name[1:].isascii() and name[1:] != "00":
        return satellite_number(name)
    message = f"satellite {name[:12]!r}: expected a letter of {LETTERS} and two digits, such as G07"
    raise GpsgridError(Reason.MALFORMED, message)


def _channel(name: str, channel: int) -> int:
    if channel in CHANNELS:
        return channel
    message = f"glonass_channels: {name} {channel}; expected {CHANNELS[0]} to {CHANNELS[-1]}"
    raise GpsgridError(Reason.MALFORMED, message)


def _signal(satellite: int, code: str) -> int:
    system = Constellation(satellite // 100)
    try:
        return signal_of(system, code).number
    except KeyError:
        message = (
            f"{satellite_name(satellite)}: signal {code[:8]!r} is none of {system.name}; expected a RINEX 3 code, band "
            "and attribute, such as 1C"
        )
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, message) from None
