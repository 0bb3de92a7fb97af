"""What RTCM 3 messages are called, in words for people."""

from stations.wire.msm_fields import group_of

_SYSTEMS = ("GPS", "GLONASS", "Galileo", "SBAS", "QZSS", "BeiDou", "NavIC")
_LEVELS = {
    1: "code only, compact",
    2: "phase only, compact",
    3: "code and phase, compact",
    4: "code, phase, C/N0",
    5: "code, phase, C/N0, Doppler",
    6: "code, phase, C/N0, extended precision",
    7: "code, phase, C/N0, Doppler, extended precision",
}
# RTCM 10403.3 table 3.5-1 and 10403.4 for NavIC.
_NAMES = {
    1001: "GPS L1 code and phase",
    1002: "GPS L1 code, phase, C/N0",
    1003: "GPS L1/L2 code and phase",
    1004: "GPS L1/L2 code, phase, C/N0",
    1005: "reference position",
    1006: "reference position and antenna height",
    1007: "antenna",
    1008: "antenna and serial number",
    1009: "GLONASS L1 code and phase",
    1010: "GLONASS L1 code, phase, C/N0",
    1011: "GLONASS L1/L2 code and phase",
    1012: "GLONASS L1/L2 code, phase, C/N0",
    1013: "list of messages",
    1014: "network auxiliary station",
    1015: "network GPS ionospheric differences",
    1016: "network GPS geometric differences",
    1017: "network GPS combined differences",
    1019: "GPS ephemeris",
    1020: "GLONASS ephemeris",
    1021: "coordinate transformation",
    1023: "coordinate residuals, ellipsoidal grid",
    1029: "text for people",
    1030: "GPS network residuals",
    1031: "GLONASS network residuals",
    1032: "physical reference position",
    1033: "antenna and receiver",
    1034: "GPS network gradients",
    1035: "GLONASS network gradients",
    1041: "NavIC ephemeris",
    1042: "BeiDou ephemeris",
    1044: "QZSS ephemeris",
    1045: "Galileo F/NAV ephemeris",
    1046: "Galileo I/NAV ephemeris",
    1230: "GLONASS code-phase biases",
}
_PROPRIETARY = range(4001, 4096)


def message_name(number: int) -> str:
    """Return what a message is called."""
    group = group_of(number)
    if group is not None:
        return f"{_SYSTEMS[group[0]]} MSM{group[1]} ({_LEVELS[group[1]]})"
    if number in _NAMES:
        return _NAMES[number]
    if number in _PROPRIETARY:
        return "proprietary"
    return "state space corrections" if 1057 <= number <= 1068 or 1240 <= number <= 1270 else "not known to us"
