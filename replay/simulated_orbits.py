"""GPS satellites that do not exist: where they are, what their clocks show, and what they broadcast about it.

Truth is computed in an inertial frame, and broadcast is truth without the errors of the control segment,
rounded to what a receiver decodes. The rule to keep: nothing here uses ``models.ephemeris``, which is what the
simulation tests.
"""

from dataclasses import dataclass

import numpy as np

from replay.scenario import OrbitScenario
from stations.arrays import FloatArray, IntArray
from stations.constants import (
    EARTH_GM_GPS_M3_S2,
    EARTH_ROTATION_RAD_S,
    GPS_RELATIVITY_F_S_SQRT_M,
    NS_PER_S,
    SPEED_OF_LIGHT_M_S,
)
from stations.gpstime import to_week
from stations.navigation import GpsEphemeris
from stations.wire.gps_ephemeris import decode_ephemeris, encode_ephemeris

ISSUE_S = 7_200
"""A new issue of data comes every two hours, as in IS-GPS-200 20.3.4.5."""

_PLANES = (5, 5, 5, 5, 5, 6)
_INCLINATION_RAD = float(np.radians(55.0))
_SQRT_A = 5_153.65  # half a sidereal day; IS-GPS-200 table 20-II
_NODE_RATE_RAD_S = -8.0e-9  # from the flattening of the Earth
_MOTION_RAD_S = 4.5e-9
_PLANE_PHASE_RAD = float(np.radians(22.0))
_NEWTON_ROUNDS = 4
_ERROR_WAVES = 4
_ISSUES = 256  # IODE has eight bits


@dataclass(frozen=True)
class Constellation:
    """Elements of all satellites at the start, shape ``(sat,)`` each; times count in seconds from the start.

    Attributes:
        start_ns: Start of the simulation; the inertial frame is the Earth-fixed one of this instant.
        satellite: Satellite integers, ascending.
        sqrt_a, eccentricity, inclination_rad, inclination_rate_rad_s: As in the broadcast message.
        node_rad, node_rate_rad_s: Right ascension of the ascending node in the inertial frame.
        perigee_rad, anomaly_rad, motion_rad_s: Argument of perigee, mean anomaly, correction of the mean motion.
        harmonic: Sine and cosine terms: cuc, cus, cic, cis in radians, crc, crs in metres, shape ``(6, sat)``.
        clock_s, drift: Satellite clock.
        error_m: Amplitudes of orbit errors (radial, along, cross) and clock error, shape ``(4, wave, sat)``.
        error_rad_s, error_phase_rad: Their frequencies and phases, same shape.
        code_bias_m, phase_bias_cyc: Hardware delays of both signals, shape ``(2, sat)``.
    """

    start_ns: int
    satellite: IntArray
    sqrt_a: FloatArray
    eccentricity: FloatArray
    inclination_rad: FloatArray
    inclination_rate_rad_s: FloatArray
    node_rad: FloatArray
    node_rate_rad_s: FloatArray
    perigee_rad: FloatArray
    anomaly_rad: FloatArray
    motion_rad_s: FloatArray
    harmonic: FloatArray
    clock_s: FloatArray
    drift: FloatArray
    error_m: FloatArray
    error_rad_s: FloatArray
    error_phase_rad: FloatArray
    code_bias_m: FloatArray
    phase_bias_cyc: FloatArray


def make_constellation(scenario: OrbitScenario, start_ns: int, rng: np.random.Generator) -> Constellation:
    """Return 31 satellites in six planes; the seed, not the date, decides where they stand at the start."""
    count = sum(_PLANES)
    plane = np.repeat(np.arange(len(_PLANES)), _PLANES)
    slot = np.concatenate([np.arange(size) / size for size in _PLANES])
    turn = 2.0 * np.pi
    latitude_argument = turn * slot + _PLANE_PHASE_RAD * plane + rng.uniform(0, turn) + rng.normal(0, 0.05, count)
    perigee = rng.uniform(-np.pi, np.pi, count)
    periods_s = np.exp(
        rng.uniform(
            np.log(scenario.shortest_period_s), np.log(scenario.longest_period_s), size=(4, _ERROR_WAVES, count)
        )
    )
    sd_m = (scenario.radial_sd_m, scenario.along_sd_m, scenario.cross_sd_m, scenario.clock_sd_m)
    amplitude_m = np.array(sd_m)[:, None, None] * np.sqrt(2.0 / _ERROR_WAVES)
    harmonic_size = np.array([4e-6, 4e-6, 1e-7, 1e-7, 100.0, 60.0])[:, None]
    return Constellation(
        start_ns,
        np.arange(1, count + 1, dtype=np.int64),
        _SQRT_A + rng.normal(0, 0.02, count),
        rng.uniform(0.002, 0.018, count),
        _INCLINATION_RAD + rng.normal(0, 0.012, count),
        rng.normal(0, 2e-10, count),
        turn / len(_PLANES) * plane + rng.uniform(0, turn) + rng.normal(0, 0.03, count),
        _NODE_RATE_RAD_S + rng.normal(0, 1e-10, count),
        perigee,
        latitude_argument - perigee,
        _MOTION_RAD_S + rng.normal(0, 2e-10, count),
        harmonic_size * rng.normal(size=(6, count)) + np.array([0.0, 0.0, 0.0, 0.0, 200.0, 0.0])[:, None],
        rng.uniform(-4e-4, 4e-4, count),
        rng.normal(0, 3e-12, count),
        np.broadcast_to(amplitude_m, periods_s.shape),
        turn / periods_s,
        rng.uniform(0, turn, size=periods_s.shape),
        rng.normal(0, scenario.code_bias_sd_m, size=(2, count)),
        rng.normal(0, scenario.phase_bias_sd_cyc, size=(2, count)),
    )


def true_states(constellation: Constellation, rows: IntArray, time_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where satellites really are, and what their clocks really show.

    Args:
        constellation: The satellites.
        rows: Which of them, indexes, shape ``(n,)``.
        time_s: GPS time since the start, shape ``(n,)``.

    Returns:
        Inertial positions, metres, shape ``(n, 3)``; clock less GPS time, seconds, shape ``(n,)``.

    Source:
        Elements: IS-GPS-200 20.3.3.4.3, without the rotation of the Earth; Kepler's equation by Newton's
        iteration. Relativity: 20.3.3.3.3.1. Errors: sums of slow sines in the orbital frame.
    """
    c = constellation
    sqrt_a, e = c.sqrt_a[rows], c.eccentricity[rows]
    a_m = sqrt_a**2
    mean = c.anomaly_rad[rows] + (np.sqrt(EARTH_GM_GPS_M3_S2 / a_m**3) + c.motion_rad_s[rows]) * time_s
    eccentric = mean + e * np.sin(mean)
    for _ in range(_NEWTON_ROUNDS):
        eccentric = eccentric - (eccentric - e * np.sin(eccentric) - mean) / (1.0 - e * np.cos(eccentric))
    sine, cosine = np.sin(eccentric), np.cos(eccentric)
    argument = np.arctan2(np.sqrt(1.0 - e**2) * sine, cosine - e) + c.perigee_rad[rows]
    waves = np.stack([np.cos(2.0 * argument), np.sin(2.0 * argument)])
    in_plane, out_of_plane, radial = c.harmonic[:, rows].reshape(3, 2, -1)
    argument = argument + np.sum(in_plane * waves, axis=0)
    radius_m = a_m * (1.0 - e * cosine) + np.sum(radial * waves, axis=0)
    tilt = c.inclination_rad[rows] + c.inclination_rate_rad_s[rows] * time_s + np.sum(out_of_plane * waves, axis=0)
    node = c.node_rad[rows] + c.node_rate_rad_s[rows] * time_s

    ascending = np.stack([np.cos(node), np.sin(node), np.zeros_like(node)], axis=-1)
    normal = np.stack([np.sin(tilt) * np.sin(node), -np.sin(tilt) * np.cos(node), np.cos(tilt)], axis=-1)
    highest = np.cross(normal, ascending)
    outward = np.cos(argument)[:, None] * ascending + np.sin(argument)[:, None] * highest
    forward = np.cross(normal, outward)

    phase = c.error_rad_s[:, :, rows] * time_s + c.error_phase_rad[:, :, rows]
    error_m = np.sum(c.error_m[:, :, rows] * np.sin(phase), axis=1)
    position_m = (
        (radius_m + error_m[0])[:, None] * outward + error_m[1][:, None] * forward + error_m[2][:, None] * normal
    )
    relativity_s = GPS_RELATIVITY_F_S_SQRT_M * e * sqrt_a * sine
    clock_s = c.clock_s[rows] + c.drift[rows] * time_s + relativity_s + error_m[3] / SPEED_OF_LIGHT_M_S
    return position_m, clock_s


def earth_angle_rad(time_s: float) -> float:
    """Return by how much the Earth has turned since the start, the longitude of the inertial x axis negated."""
    return EARTH_ROTATION_RAD_S * time_s


def issue_start_ns(time_ns: int) -> int:
    """Return the instant from which the ephemerides in use at ``time_ns`` are broadcast."""
    return time_ns - time_ns % (ISSUE_S * NS_PER_S)


def broadcast(constellation: Constellation, time_ns: int) -> tuple[GpsEphemeris, ...]:
    """Return the ephemerides in use at an instant, one per satellite, as a receiver decodes them.

    The reference time is the middle of the two hours in which they are in use. All issues describe the same
    orbit; only the rounding to the fields of the message differs.
    """
    c = constellation
    since_ns = issue_start_ns(time_ns)
    toe_ns = since_ns + ISSUE_S * NS_PER_S // 2
    dt_s = (toe_ns - c.start_ns) / NS_PER_S
    week_s = to_week(toe_ns)[1] / NS_PER_S
    motion = np.sqrt(EARTH_GM_GPS_M3_S2) / c.sqrt_a**3 + c.motion_rad_s
    issue = since_ns // (ISSUE_S * NS_PER_S) % _ISSUES
    ephemerides = []
    for row, satellite in enumerate(c.satellite.tolist()):
        cuc, cus, cic, cis, crc_m, crs_m = c.harmonic[:, row].tolist()
        exact = GpsEphemeris(
            satellite=satellite,
            toe_ns=toe_ns,
            toc_ns=toe_ns,
            transmitted_ns=since_ns,
            iode=issue,
            iodc=issue,
            health=0,
            ura_index=0,
            fit_interval_flag=False,
            l2_code=1,
            l2p_data_off=False,
            af0_s=float(c.clock_s[row] + c.drift[row] * dt_s),
            af1=float(c.drift[row]),
            af2=0.0,
            tgd_s=0.0,
            sqrt_a=float(c.sqrt_a[row]),
            eccentricity=float(c.eccentricity[row]),
            m0_rad=_turned(c.anomaly_rad[row] + motion[row] * dt_s),
            delta_n_rad_s=float(c.motion_rad_s[row]),
            omega_rad=_turned(c.perigee_rad[row]),
            i0_rad=float(c.inclination_rad[row] + c.inclination_rate_rad_s[row] * dt_s),
            idot_rad_s=float(c.inclination_rate_rad_s[row]),
            # The message counts the node from the Earth-fixed x axis at the beginning of the week.
            omega0_rad=_turned(c.node_rad[row] + c.node_rate_rad_s[row] * dt_s - earth_angle_rad(dt_s - week_s)),
            omega_dot_rad_s=float(c.node_rate_rad_s[row]),
            cuc_rad=cuc,
            cus_rad=cus,
            cic_rad=cic,
            cis_rad=cis,
            crc_m=crc_m,
            crs_m=crs_m,
        )
        ephemerides.append(decode_ephemeris(encode_ephemeris(exact), since_ns))
    return tuple(ephemerides)


def _turned(angle_rad: float) -> float:
    """Return an angle between minus and plus pi."""
    return float((angle_rad + np.pi) % (2.0 * np.pi) - np.pi)
