"""What pyrtcm and the generated vectors say of a message, in one form; ``oracle_table`` compares it with ours."""

import re
import tarfile

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.signals import signal_of
from stations.wire.msm_fields import group_of

RANGE_MS_M = SPEED_OF_LIGHT_M_S / 1000
# pyrtcm's fields of the MSM cells by level, and the names that the vectors have for the same.
_LOW = ("DF400", "DF401", "DF402", "DF403")
_HIGH = ("DF405", "DF406", "DF407", "DF408")
_BITS = {"DF400": 2.0**-10, "DF401": 2.0**-8, "DF405": 2.0**-10, "DF406": 2.0**-8}
NAN = float("nan")


def least_ms(indicator, width):
    """The tables of the standard, line by line: DF402 (3.5-74) and DF407 (3.5-75)."""
    if width == 4:
        return [0, *(2**power for power in range(5, 20))][indicator]
    if indicator > 704:
        return 0  # reserved
    start, unit, least = 0, 1, 0
    while indicator >= start + (64 if start == 0 else 32):
        least += unit * (64 if start == 0 else 32)
        start, unit = start + (64 if start == 0 else 32), unit * 2
    return least + (indicator - start) * unit


def pyrtcm_cells(message):
    """Return (satellite, signal) -> (code m, phase m, rate, C/N0, lock ms, half cycle, extended) of a message."""
    _, level = group_of(int(message.identity))
    fields = _LOW if level < 6 else _HIGH
    # pyrtcm names satellites and signals, and some not at all, so the masks are read again.
    satellites = [number for number in range(1, 65) if message.DF394 >> (64 - number) & 1]
    signals = [number for number in range(1, 33) if message.DF395 >> (32 - number) & 1]
    pairs = [(satellite, signal) for satellite in satellites for signal in signals]
    pairs = [pair for bit, pair in enumerate(reversed(pairs)) if message.DF396 >> bit & 1][::-1]
    cells = {}
    for index, (satellite, signal) in enumerate(pairs, 1):
        at, own = f"_{index:02d}", f"_{satellites.index(satellite) + 1:02d}"
        whole = getattr(message, "DF397" + own, 0)
        rough_ms = NAN if whole == 255 else whole + getattr(message, "DF398" + own)
        code, phase = (
            NAN if (fine := getattr(message, name + at, -_BITS[name])) == -_BITS[name] else rough_ms + fine
            for name in fields[:2]
        )
        rate, fine_rate = getattr(message, "DF399" + own, -8192), getattr(message, "DF404" + at, -1.6384)
        width = 4 if level < 6 else 10
        cells[satellite, signal] = (
            code * RANGE_MS_M,
            phase * RANGE_MS_M,
            NAN if rate == -8192 or fine_rate == -1.6384 else rate + fine_rate,
            getattr(message, fields[3] + at, 0) or NAN,
            least_ms(getattr(message, fields[2] + at, 0), width),
            bool(getattr(message, "DF420" + at, 0)),
            getattr(message, "DF419" + own, getattr(message, "ExtSatInfo" + own, 0)),
        )
    return cells


def vector_structs(text):
    """Return the innermost structures of a vector as (name, {field: value}) in order."""
    pattern = r"(\w+): ?(None|Some\([^)]*\)|\w+::SigId::new\(\d,'\w'\)|-?[\d.e-]+)"
    return [
        (name, {key: _vector_value(value) for key, value in re.findall(pattern, body)})
        for name, body in re.findall(r"(\w+) *\{([^{}]*)\}", text)
    ]


def _vector_value(text):
    if text == "None":
        return None
    if "SigId" in text:
        return re.sub(r".*\((\d),'(\w)'\)", r"\1\2", text)
    return float(text.removeprefix("Some(").removesuffix(")"))


def vector_cells(text, constellation, level):
    """Return the same as :func:`pyrtcm_cells` from the text of a vector."""
    structs = vector_structs(text)
    satellites = {one["satellite_id"]: one for name, one in structs if name.endswith("Sat")}
    ext = "_ext" if level >= 6 else ""
    cells = {}
    for name, cell in structs:
        if not name.endswith("Sig"):
            continue
        own = satellites[cell["satellite_id"]]
        whole = own.get("gnss_satellite_rough_range_integer_ms", 0.0)
        rough_ms = NAN if whole is None else whole + own["gnss_satellite_rough_range_mod1ms_ms"]
        fine = [cell.get(f"gnss_signal_fine_{kind}{ext}_ms") for kind in ("pseudorange", "phaserange")]
        code, phase = (NAN if one is None else (rough_ms + one) * RANGE_MS_M for one in fine)
        rates = (
            own.get("gnss_satellite_rough_phaserange_rates_m_s"),
            cell.get("gnss_signal_fine_phaserange_rate_m_s"),
        )
        channel = own.get("glonass_satellite_frequency_channel_number", 8.0)
        cells[int(cell["satellite_id"]), signal_of(constellation, cell["signal_id"]).number % 100] = (
            code,
            phase,
            NAN if None in rates else sum(rates),
            cell.get(f"gnss_signal_cnr{ext}_dbhz") or NAN,
            least_ms(int(cell.get(f"gnss_phaserange_lock_time{ext}_ind", 0)), 10 if ext else 4),
            bool(cell.get("half_cycle_ambiguity_ind", 0)),
            int(own["reserved_8_4"]) if "reserved_8_4" in own else int(8.0 if channel is None else channel) + 7,
        )
    return cells


def legacy_satellites(message):
    """Return pyrtcm's satellites of 1001 to 1004 and 1009 to 1012 under the names of ``legacy_fields``."""
    glonass = int(message.identity) > 1008
    names = {
        "satellite": (9, 38), "l1_code": (10, 39), "channel": (0, 40), "l1_range": (11, 41), "l1_phase": (12, 42),
        "l1_lock": (13, 43), "ambiguity": (14, 44), "l1_cn0": (15, 45), "l2_code": (16, 46), "l2_range": (17, 47),
        "l2_phase": (18, 48), "l2_lock": (19, 49), "l2_cn0": (20, 50),
    }  # fmt: skip
    count = message.DF035 if glonass else message.DF006
    return [
        {name: getattr(message, f"DF{fields[glonass]:03d}_{index:02d}", None) for name, fields in names.items()}
        for index in range(1, count + 1)
    ]


def vector_satellites(text):
    """Return the same from the text of a vector, with ``None`` for invalid."""
    names = {
        "satellite": "glo_satellite_id", "l1_code": "glo_l1_code_ind", "channel": "glo_satellite_freq_chan_number",
        "l1_range": "l1_pseudorange_m", "l1_phase": "l1_phase_pseudorange_diff_m", "l1_lock": "l1_lock_time_index",
        "ambiguity": "l1_pseudorange_amb_m", "l1_cn0": "l1_cnr_dbhz", "l2_code": "glo_l2_code_ind",
        "l2_range": "l2_l1_pseudorange_diff_m", "l2_phase": "l2_phase_l1_pseudorange_diff_m",
        "l2_lock": "l2_lock_time_index", "l2_cn0": "l2_cnr_dbhz",
    }  # fmt: skip
    return [
        {ours: one.get(name, one.get(name.replace("glo_", "gps_"))) for ours, name in names.items()}
        for name, one in vector_structs(text)
        if name.endswith("Sat")
    ]


def vectors(archive):
    """Yield (name, payload, text) of the generated vectors."""
    with tarfile.open(archive) as tar:
        files = {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}
    for name in sorted(files):
        if name.endswith(".rtcm") and name.removesuffix(".rtcm") + ".in" in files:
            yield name, files[name][3:-3], files[name.removesuffix(".rtcm") + ".in"].decode()
