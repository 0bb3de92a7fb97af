"""Whether a decoded message, encoded again, is the same bits."""

from stations.signals import Constellation
from stations.wire.bits import BitReader
from stations.wire.ephemeris_fields import read_fields
from stations.wire.framing import message_number
from stations.wire.legacy import decode_legacy
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.legacy_fields import LEGACY_LAYOUTS
from stations.wire.msm import decode_msm, encode_block
from stations.wire.msm_fields import LAYOUTS, group_of


def identical(payload, near_ns):
    """Return whether an observation message comes back to the bit, but for what its sender is free to choose.

    The order of the satellites before MSM, and code and lock time of satellites without L2 there; the bits behind the
    last field; a day of week that is not told.
    """
    number = message_number(payload)
    if group_of(number):
        again = encode_block(decode_msm(payload, near_ns))
        return len(again) == len(payload) and _bits(again) == _bits(payload)
    block = decode_legacy(payload, near_ns)
    flags = {"divergence_free": block.divergence_free, "smoothing_interval": block.smoothing_interval}
    again = encode_legacy(number, block.station_number, block.epoch(), more=block.more, **flags)
    return _legacy_fields(again) == _legacy_fields(payload)


def _bits(payload):
    reader = BitReader(payload)
    level = group_of(message_number(payload))[1]
    reader.unsigned(73)
    satellites, signals = reader.unsigned(64).bit_count(), reader.unsigned(32).bit_count()
    cells = reader.unsigned(satellites * signals).bit_count()
    reader.unsigned(satellites * LAYOUTS[level].satellite_bits + cells * LAYOUTS[level].cell_bits)
    position, reader = reader.position, BitReader(payload)
    head, field, rest = reader.unsigned(24), reader.unsigned(30), reader.unsigned(position - 54)
    if group_of(message_number(payload))[0] is Constellation.GLONASS:
        field %= 1 << 27  # the time of day
    return head, field, rest


def _legacy_fields(payload):
    layout, reader = LEGACY_LAYOUTS[message_number(payload)], BitReader(payload)
    header = read_fields(reader, layout.header)
    satellites = [read_fields(reader, layout.satellite) for _ in range(header["count"])]
    for raw in satellites:
        if (raw["l2_range"], raw["l2_phase"]) in {(-(2**13), -(2**19)), (0, 0)} and not raw["l2_cn0"]:
            raw.update(l2_range=0, l2_phase=0, l2_code=0, l2_lock=0)
    return header, sorted(satellites, key=lambda raw: raw["satellite"])
