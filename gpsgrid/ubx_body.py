"""UBX RXM-RAWX messages of u-blox receivers as epochs; the messages are taken apart by pyubx2 (extra ``ubx``).

Not here: any other message; a body of a query holds raw observations.
"""

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np

from stations.constants import NS_PER_S
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_week
from stations.signals import SIGNALS, Constellation, frequency_of, signal_of

# u-blox F9 HPG 1.32 interface description, 1.5.2 and 1.5.4: gnssId, then sigId, as RINEX 3 codes.
_SYSTEMS = {
    0: Constellation.GPS,
    1: Constellation.SBAS,
    2: Constellation.GALILEO,
    3: Constellation.BEIDOU,
    5: Constellation.QZSS,
    6: Constellation.GLONASS,
    7: Constellation.NAVIC,
}
_CODES: dict[Constellation, dict[int, str]] = {
    Constellation.GPS: {0: "1C", 3: "2L", 4: "2S", 6: "5I", 7: "5Q"},
    Constellation.SBAS: {0: "1C"},
    Constellation.GALILEO: {0: "1C", 1: "1B", 3: "5I", 4: "5Q", 5: "7I", 6: "7Q", 8: "6B", 9: "6C", 10: "6A"},
    Constellation.BEIDOU: {
        0: "2I", 1: "2I", 2: "7I", 3: "7I", 4: "6I", 10: "6I", 5: "1P", 6: "1D", 7: "5P", 8: "5D"
    },
    Constellation.QZSS: {0: "1C", 1: "1Z", 4: "2S", 5: "2L", 8: "5I", 9: "5Q"},
    Constellation.GLONASS: {0: "1C", 2: "2C"},
    Constellation.NAVIC: {0: "5A"},
}  # fmt: skip
_SBAS_BEFORE = 100  # S20 is PRN 120
_MOST_NUMBER = 99
_CHANNEL_ZERO = 7  # freqId of GLONASS channel 0
_RAWX = "RXM-RAWX"
_LOG, _UBX_ONLY = 1, 2  # of pyubx2: call the handler and go on; other protocols are passed over


def read_rawx(data: bytes, most: int) -> tuple[list[StationEpoch], list[str]]:
    """Return the epochs of UBX bytes in their order, and what could not be used.

    Args:
        data: Messages of any kind; those that are not RXM-RAWX are passed over.
        most: Reading ends with the epoch after so many.

    Raises:
        GpsgridError: ``UNSUPPORTED_FORMAT``: pyubx2 is not installed; ``BAD_CRC`` or ``MALFORMED``: no epoch inside.
    """
    try:
        reader_class = import_module("pyubx2").UBXReader
    except ImportError as error:
        message = "UBX is not read by this service: pyubx2 is not installed there (pip install 'gpsgrid[ubx]')"
        raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message) from error
    errors: list[str] = []
    reader = reader_class(
        BytesIO(data), protfilter=_UBX_ONLY, quitonerror=_LOG, errorhandler=lambda one: errors.append(str(one)[:120])
    )
    epochs: list[StationEpoch] = []
    others = 0
    for _, message in reader:
        if getattr(message, "identity", "") != _RAWX:
            others += 1
            continue
        epochs.append(_epoch(message))
        if len(epochs) > most:
            break
    if not epochs:
        damaged = any("checksum" in one.lower() for one in errors)
        said = f"; {errors[0]}" if errors else ""
        text = f"body of {len(data)} bytes holds no {_RAWX} message ({others} other UBX messages{said})"
        raise GpsgridError(Reason.BAD_CRC if damaged else Reason.MALFORMED, text, bytes=len(data))
    return epochs, [f"part of the body is not used: {one}" for one in errors]


def _epoch(message: Any) -> StationEpoch:  # noqa: ANN401 - pyubx2 makes the attributes while it runs
    fields: Mapping[str, Any] = vars(message)
    time_ns = from_week(int(fields["week"]), round(float(fields["rcvTow"]) * NS_PER_S))
    rows = [row for row in (_row(fields, f"_{k:02d}") for k in range(1, int(fields["numMeas"]) + 1)) if row is not None]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in range(9)]
    floats = [np.array(column, dtype=np.float64) for column in columns]
    ints = [np.array(columns[k], dtype=np.int64) for k in (0, 1, 5)]
    half = np.array(columns[6], dtype=np.bool_)
    try:
        return make_epoch(
            time_ns, ints[0], ints[1], floats[2], floats[3], floats[4], ints[2], half, floats[7], floats[8]
        )
    except ValueError as error:
        text = f"{_RAWX} of week {fields['week']}, second {fields['rcvTow']}: {error}"
        raise GpsgridError(Reason.MALFORMED, text) from error


def _row(fields: Mapping[str, Any], k: str) -> tuple[float, ...] | None:
    """Return one measurement, or ``None`` for a satellite or signal that has no name in RINEX."""
    system = _SYSTEMS.get(fields[f"gnssId{k}"])
    number = int(fields[f"svId{k}"]) - (_SBAS_BEFORE if system is Constellation.SBAS else 0)
    code = _CODES[system].get(fields[f"sigId{k}"]) if system is not None else None
    if system is None or code is None or not 0 < number <= _MOST_NUMBER:
        return None
    signal = signal_of(system, code)
    glonass = system is Constellation.GLONASS
    channel = int(fields[f"freqId{k}"]) - _CHANNEL_ZERO if glonass else None
    return (
        100 * system + number,
        signal.number,
        float(fields[f"prMes{k}"]) if fields[f"prValid{k}"] else np.nan,
        float(fields[f"cpMes{k}"]) if fields[f"cpValid{k}"] else np.nan,
        float(fields[f"cno{k}"]) or np.nan,
        int(fields[f"locktime{k}"]),
        not fields[f"halfCyc{k}"],
        float(fields[f"doMes{k}"]),
        frequency_of(SIGNALS[signal.number], channel),
    )
