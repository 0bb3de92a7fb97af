"""Examples in the reference of the HTTP door; that of an epoch is what ``gpsgrid.rehearsal`` makes up."""

from typing import Any, Final

EPOCH: Final[dict[str, Any]] = {
    "time_gpst": "2021-01-01T12:00:02.000",
    "satellites": {
        "G02": {
            "1C": {"code_m": 24782980.5416, "phase_cyc": 130235441.8658, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 24782980.5800, "phase_cyc": 101482162.4850, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G03": {
            "1C": {"code_m": 21786710.1654, "phase_cyc": 114489934.5767, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 21786710.1444, "phase_cyc": 89212936.0381, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G07": {
            "1C": {"code_m": 20589139.7404, "phase_cyc": 108196659.6103, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 20589139.7286, "phase_cyc": 84309085.4130, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G08": {
            "1C": {"code_m": 23708099.9724, "phase_cyc": 124586906.2071, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 23708099.9529, "phase_cyc": 97080706.1394, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G11": {
            "1C": {"code_m": 21068106.2595, "phase_cyc": 110713645.7396, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 21068106.2585, "phase_cyc": 86270373.3038, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G12": {
            "1C": {"code_m": 22448220.5457, "phase_cyc": 117966195.0695, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 22448220.5228, "phase_cyc": 91921710.4484, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G16": {
            "1C": {"code_m": 21291860.8823, "phase_cyc": 111889484.0614, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 21291860.8762, "phase_cyc": 87186610.9582, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G20": {
            "1C": {"code_m": 22998096.5559, "phase_cyc": 120855813.1478, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 22998096.5775, "phase_cyc": 94173360.8900, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G21": {
            "1C": {"code_m": 25261624.6887, "phase_cyc": 132750733.6786, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 25261624.6886, "phase_cyc": 103442130.1392, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G25": {
            "1C": {"code_m": 23631308.1348, "phase_cyc": 124183362.3124, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 23631308.1158, "phase_cyc": 96766256.3512, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
        "G26": {
            "1C": {"code_m": 25034948.0447, "phase_cyc": 131559540.0240, "cn0_dbhz": 45.0, "lock_ms": 60000},
            "2W": {"code_m": 25034948.0439, "phase_cyc": 102513927.2916, "cn0_dbhz": 45.0, "lock_ms": 60000},
        },
    },
    "antenna": "TRM59800.00     NONE",
    "antenna_height_m": 1.5,
}

RINEX: Final = """\
     3.04           OBSERVATION DATA    M                   RINEX VERSION / TYPE
gpsgrid                                 20210101 120002 UTC PGM / RUN BY / DATE
ROVER                                                       MARKER NAME
0                   TRM59800.00     NONE                    ANT # / TYPE
        1.5000        0.0000        0.0000                  ANTENNA: DELTA H/E/N
G    4 C1C L1C C2W L2W                                      SYS / # / OBS TYPES
                                                            END OF HEADER
> 2021 01 01 12 00  2.0000000  0  1
G02  24782980.542   130235441.866    24782980.580   101482162.485
"""

ANSWER: Final = {
    "request": "rover-1",
    "time_gpst": "2021-01-01T00:00:30.000",
    "status": "fixed",
    "position": {
        "ecef_m": [3924687.221, 301133.249, 5001911.145],
        "latitude_deg": 51.986065,
        "longitude_deg": 4.387564,
        "height_m": 74.391,
        "frame": "ITRF2014",
        "epoch": 2021.0,
    },
    "covariance_m2": [[4.1e-05, 1.2e-06, 2.9e-05], [1.2e-06, 1.1e-05, 1.4e-06], [2.9e-05, 1.4e-06, 6.0e-05]],
    "sd_enu_m": [0.003, 0.004, 0.009],
    "wrong_fix_probability": 0.0002,
    "satellites": {"used": ["G05", "G07", "G13", "G14", "G15", "G28", "G30"], "dropped": ["G18"]},
    "age_s": 0.0,
    "cell": "851969affffffff",
    "master": "DELF",
    "warnings": [],
    "reason": "",
    "refusal": None,
    "timing": {"latency_ms": 18.4},
    "output": {
        "frame": "ETRF2000",
        "name": "ETRF2000",
        "epoch": 2021.0,
        "axes": ["Geodetic latitude (degree)", "Geodetic longitude (degree)", "Ellipsoidal height (metre)"],
        "coordinates": [51.9860598, 4.3875563, 74.3726],
        "transformation": "ITRF2014 to ETRF2000 (1) + Conversion from ETRF2000 (geocentric) to ETRF2000 (geog3D)",
        "accuracy_m": 0.0,
    },
    "explanation": {
        "text": "all 12 integers are fixed: ratio 4.10 where 2.30 is needed",
        "integers": 12,
        "ratio": 4.1,
        "threshold": 2.3,
        "satellites": [
            {
                "satellite": "G05",
                "used": True,
                "cause": "used",
                "text": "G05 used: ionosphere predicted to 3 mm, code residual +0.21 m",
                "elevation_deg": 61.2,
                "azimuth_deg": 118.4,
                "residuals": [
                    {"signal": "1C", "code_m": 0.21, "phase_m": 0.0021},
                    {"signal": "2W", "code_m": -0.14, "phase_m": -0.0008},
                ],
                "ionosphere_m": 0.0164,
                "ionosphere_sd_m": 0.0031,
                "disturbance": 0.94,
            },
            {
                "satellite": "G18",
                "used": False,
                "cause": "ionosphere",
                "text": (
                    "G18 refused: predicted ionosphere 43 mm on a disturbed satellite, variance 9 times the usual;"
                    " left out in search of a fix"
                ),
                "elevation_deg": 14.9,
                "azimuth_deg": 241.0,
                "residuals": [
                    {"signal": "1C", "code_m": 0.41, "phase_m": 0.0523},
                    {"signal": "2W", "code_m": 0.33, "phase_m": 0.0871},
                ],
                "ionosphere_m": -0.1313,
                "ionosphere_sd_m": 0.0432,
                "disturbance": 9.2,
            },
        ],
    },
}

FEATURE: Final = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [4.387564, 51.986065, 74.391]},
    "properties": {"time_gpst": "2021-01-01T00:00:30.000", "status": "fixed", "frame": "ITRF2014", "epoch": 2021.0},
}

GGA: Final = "$GPGGA,000012.000,5159.1639000,N,00423.2538400,E,4,07,,74.3910,M,0.0000,M,0.0,*5D\r\n"

PROBLEM: Final = {
    "type": "urn:gpsgrid:problem:too_few_satellites",
    "title": "Too few satellites",
    "status": 422,
    "detail": "4 satellites with code and phase on two carriers (4 in the body); at least 5 are needed",
    "reason": "too_few_satellites",
    "request": "rover-1",
    "time_gpst": "2021-01-01T00:00:30.000",
    "age_s": 0.0,
    "warnings": [],
}

CORRECTIONS: Final = {
    "time_gpst": "2021-01-01T00:00:30.000",
    "position_m": [3924687.2159, 301133.2568, 5001911.1479],
    "frame": "ITRF2014",
    "epoch": 2021.0,
    "master": "ZEGV",
    "master_position_m": [3902505.1, 297411.2, 5019453.8],
    "stations": 4,
    "zwd_m": 0.0831,
    "zwd_sd_m": 0.0062,
    "zwd_difference_sd_m": 0.0041,
    "zhd_m": 2.2903,
    "satellites": [
        {
            "satellite": "G05",
            "elevation_deg": 61.2,
            "ionosphere_m": 0.0164,
            "troposphere_m": -0.0021,
            "correction_m": 0.0143,
            "sd_m": 0.0031,
        }
    ],
}

CELL_STATUS: Final = {
    "cell": "851969affffffff",
    "state": "full",
    "reason": "",
    "time_gpst": "2021-01-01T00:00:30.000",
    "age_s": 0.21,
    "position_m": [3924612.1, 301001.4, 5001892.9],
    "frame": "ITRF2014",
    "epoch": 2021.0,
    "master": "DELF",
    "stations": 5,
    "satellites": 9,
    "sd_m": 0.0042,
    "left_out": {"G18": "uncertain by 61 mm"},
}

CELLS: Final = {
    "network": "nl",
    "frame": "ITRF2014",
    "epoch": 2021.0,
    "resolution": 5,
    "cells": [CELL_STATUS],
}

CELL: Final = {
    "status": CELL_STATUS,
    "boundary_deg": [
        [4.29, 51.93],
        [4.42, 51.91],
        [4.52, 51.98],
        [4.48, 52.07],
        [4.34, 52.08],
        [4.25, 52.01],
        [4.29, 51.93],
    ],
    "field": {
        "cell": "851969affffffff",
        "state": "full",
        "time_gpst": "2021-01-01T00:00:30.000",
        "position_m": [3924612.1, 301001.4, 5001892.9],
        "frame": "ITRF2014",
        "epoch": 2021.0,
        "master": "DELF",
        "zwd_sd_m": 0.0021,
        "satellites": [{"satellite": "G05", "mean_m": 0.0031, "sd_m": 0.0012}],
    },
    "topics": {
        "rtcm3": "gpsgrid/v1/cells/851969affffffff/rtcm3",
        "field": "gpsgrid/v1/cells/851969affffffff/field",
        "status": "gpsgrid/v1/cells/851969affffffff/status",
    },
}

STATIONS: Final = {
    "network": "nl",
    "frame": "ITRF2014",
    "epoch": 2021.0,
    "stations": [
        {
            "id": "DELF",
            "position_m": [3924687.2159, 301133.2568, 5001911.1479],
            "antenna": "TRM29659.00     UNAV",
            "antenna_serial": "0220314044",
            "antenna_height_m": 0.05,
            "state": "streaming",
            "last_epoch_gpst": "2021-01-01T00:00:30.000",
            "epochs": 2,
            "refused": {},
            "missed_epochs": 0,
            "repeated_epochs": 0,
            "out_of_order_epochs": 0,
        }
    ],
}

HEALTH: Final = {
    "status": "ok",
    "network": "nl",
    "network_epoch_gpst": "2021-01-01T00:00:30.000",
    "network_solved_ago_s": 0.4,
    "network_epochs": 2,
    "stations": ["DELF", "ZEGV", "ROVN", "WSRA"],
    "missing": ["EIJS"],
    "fixed_share": 0.97,
    "answers": {"fixed": 12},
    "refusals": {"too_few_satellites": 1},
    "learned": 0,
    "queue_depth": 0,
    "mqtt_connected": True,
    "mqtt_dropped": 0,
    "engine_failures": 0,
}
