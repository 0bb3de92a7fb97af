"""What tests of navigation data share: RTKLIB's ephemerides compared with ours, field by field."""

import pytest

UNIX_OF_GPS_S = 315_964_800
KEPLER = {
    "af0_s": "f0", "af1": "f1", "af2": "f2", "eccentricity": "e", "m0_rad": "M0", "delta_n_rad_s": "deln",
    "omega_rad": "omg", "i0_rad": "i0", "idot_rad_s": "idot", "omega0_rad": "OMG0", "omega_dot_rad_s": "OMGd",
    "cuc_rad": "cuc", "cus_rad": "cus", "cic_rad": "cic", "cis_rad": "cis", "crc_m": "crc", "crs_m": "crs",
    "health": "svh",
}  # fmt: skip
OWN = {
    "GpsEphemeris": {"iode": "iode", "iodc": "iodc", "ura_index": "sva", "l2_code": "code", "l2p_data_off": "flag"},
    "GalileoEphemeris": {"iod_nav": "iode", "sisa_index": "sva", "data_sources": "code"},
    "BeiDouEphemeris": {"aode": "iode", "aodc": "iodc", "ura_index": "sva"},
    "NavicEphemeris": {"iodec": "iode", "ura_index": "sva"},
}
DELAYS = {
    "GpsEphemeris": ("tgd_s",),
    "GalileoEphemeris": ("bgd_e5a_s", "bgd_e5b_s"),
    "BeiDouEphemeris": ("tgd1_s", "tgd2_s"),
    "NavicEphemeris": ("tgd_s",),
}


def nanos(time):
    """Return a time of RTKLIB as ours."""
    return (time.time - UNIX_OF_GPS_S) * 1_000_000_000 + round(time.sec * 1e9)


def _close(ours, theirs):
    # RTKLIB multiplies by powers of ten and of two in another order: the last bits of a double.
    return ours == pytest.approx(theirs, rel=2e-15, abs=0.0)


def kepler_differences(ours, eph, rounds_sisa=False):
    """Return the number of values compared, and what is not equal."""
    kind = type(ours).__name__
    names = KEPLER | OWN[kind]
    pairs = {name: (getattr(ours, name), getattr(eph, other)) for name, other in names.items()}
    pairs |= {name: (getattr(ours, name), eph.tgd[place]) for place, name in enumerate(DELAYS[kind])}
    pairs["a_m"] = (ours.sqrt_a**2, eph.A)
    wrong = {name: pair for name, pair in pairs.items() if not _close(*pair)}
    if rounds_sisa and "sisa_index" in wrong and ours.sisa_index - eph.sva == 1:
        del wrong["sisa_index"]  # RTKLIB cuts 7.000 off to 6 when it turns metres into the index
    times = {"toe_ns": nanos(eph.toe), "toc_ns": nanos(eph.toc)}
    wrong |= {name: (getattr(ours, name), their) for name, their in times.items() if getattr(ours, name) != their}
    return len(pairs) + len(times), wrong


def glonass_differences(ours, geph):
    """Return the number of values compared, and what is not equal."""
    pairs = {
        "channel": (ours.channel, geph.frq),
        "health": (ours.health, geph.svh),
        "age_days": (ours.age_days, geph.age),
        "tau_s": (ours.tau_s, geph.taun),
        "gamma": (ours.gamma, geph.gamn),
        "issue": (ours.issue, geph.iode),
    }
    for name, theirs in (("position_m", geph.pos), ("velocity_m_s", geph.vel), ("acceleration_m_s2", geph.acc)):
        pairs |= {f"{name}[{axis}]": (getattr(ours, name)[axis], theirs[axis]) for axis in range(3)}
    wrong = {name: pair for name, pair in pairs.items() if not _close(*pair)}
    times = {"toe_ns": nanos(geph.toe), "frame_ns": nanos(geph.tof)}
    wrong |= {name: (getattr(ours, name), their) for name, their in times.items() if getattr(ours, name) != their}
    return len(pairs) + len(times), wrong


@pytest.fixture(scope="session")
def kepler_oracle():
    """Compare a Kepler ephemeris of ours with an ``eph_t``."""
    return kepler_differences


@pytest.fixture(scope="session")
def glonass_oracle():
    """Compare a GLONASS ephemeris of ours with a ``geph_t``."""
    return glonass_differences
