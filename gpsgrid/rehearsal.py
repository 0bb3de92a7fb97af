"""A made-up network for a few seconds, so that every kernel is compiled before the first real epoch comes.

Not a simulation: the observations are what the engine's own models compute, plus a pattern in place of noise. It
shows that an installation works; it says nothing about accuracy.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np

from gpsgrid.answer import Answer
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import PayloadArrived, PositionAnswered, PositionAsked, Tick
from models.observables import GPS_L1_L2_M, Observables, gps_l1_l2, ionosphere_factor
from models.reduction import reduce_epoch
from stations.arrays import FloatArray
from stations.catalog import Network, Station
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch, make_epoch
from stations.frames import ecef_from_geodetic
from stations.gpstime import from_calendar
from stations.navigation import GpsEphemeris
from stations.signals import GPS_L1CA, GPS_L2W
from stations.wire.gps_ephemeris import decode_ephemeris, encode_ephemeris
from stations.wire.publication import encode_station_epoch

START_NS = from_calendar(2021, 1, 1, 12)
_SITES_DEG = {"A": (52.0, 5.0), "B": (52.3, 5.5), "C": (51.8, 5.6), "D": (52.2, 4.6)}
ROVER_DEG = (52.1, 5.2)
STEP_NS = 30 * NS_PER_S
_BUBBLE = (2, 2, 0.3)  # station, row of a satellite, slant delay in metres that no neighbour sees: the field rejects it
_PLANES, _SLOTS = 6, 5
_SQRT_A = 5153.65  # half a sidereal day; IS-GPS-200 table 20-II
_ROUNDS = 4  # of bringing the observations to where the models want them: travel time, then its rate
_CODE_M, _PHASE_M = 0.02, 0.001  # size of the pattern
_LOCK_MS = 60_000


def rehearse(epochs: int = 10) -> Answer:
    """Run an engine of its own over made-up epochs and return the answer to a query at the end."""
    network = rehearsal_network()
    engine = Engine(EngineConfig(network, None, START_NS))
    host_ns = 0
    for epoch in range(epochs):
        time_ns = START_NS + epoch * STEP_NS
        host_ns = epoch * STEP_NS
        for station, payload in station_payloads(network, time_ns):
            engine.handle(PayloadArrived(station, payload, host_ns))
    body = rover_body(START_NS + (epochs - 1) * STEP_NS)
    outputs = engine.handle(PositionAsked("rehearsal", body, host_ns))
    outputs += engine.handle(Tick(host_ns + 10 * NS_PER_S))
    return next(output.answer for output in outputs if isinstance(output, PositionAnswered))


def rehearsal_network() -> Network:
    """Return four stations around the rover."""
    stations = []
    for name, place in _SITES_DEG.items():
        x_m, y_m, z_m = _position_m(*place).tolist()
        stations.append(Station(name, (x_m, y_m, z_m)))
    return Network("rehearsal", "ITRF2014", 2021.0, tuple(stations))


def rover_body(time_ns: int, place_deg: tuple[float, float] = ROVER_DEG, satellites: int | None = None) -> bytes:
    """Return the question of a rover: one epoch as RTCM 3, of all satellites or only the first few."""
    epoch = _epoch(_position_m(*place_deg), time_ns, 9)
    keep = np.isin(epoch.satellite, np.unique(epoch.satellite)[:satellites])
    return encode_station_epoch(0, epoch.rows(keep))


def _position_m(latitude_deg: float, longitude_deg: float) -> FloatArray:
    return ecef_from_geodetic(float(np.radians(latitude_deg)), float(np.radians(longitude_deg)), 50.0)


def station_payloads(network: Network, time_ns: int) -> Iterator[tuple[str, bytes]]:
    """Yield station and RTCM 3 bytes of one epoch; ephemerides come with the first, at ``START_NS``."""
    for number, station in enumerate(network.stations, start=1):
        ephemerides = _ephemerides().values() if time_ns == START_NS else ()
        epoch = _epoch(station.marker_m, time_ns, number)
        yield station.id, encode_station_epoch(number, epoch, ephemerides=ephemerides)


def _epoch(position_m: FloatArray, time_ns: int, number: int) -> StationEpoch:
    """Return what a receiver with a perfect clock observes, ambiguities zero."""
    satellite = np.array(sorted(_ephemerides()), dtype=np.int64)
    code_m = np.full((2, len(satellite)), 0.075 * SPEED_OF_LIGHT_M_S)
    for _ in range(_ROUNDS):
        raw = _raw(time_ns, satellite, code_m)
        reduced = reduce_epoch(raw, _ephemerides(), position_m, None)
        satellite, code_m = reduced.satellite, reduced.raw.code_m - reduced.code_m
    n = len(satellite)
    pattern = np.sin(np.outer([1.0, 2.0], satellite * 1.7) + 2.3 * number + time_ns / NS_PER_S)
    delay_m = np.zeros((2, n))
    if number == _BUBBLE[0]:
        delay_m[:, _BUBBLE[1]] = ionosphere_factor(GPS_L1_L2_M) * _BUBBLE[2]
    phase_m = code_m - delay_m + _PHASE_M * pattern
    code_m = code_m + delay_m + _CODE_M * pattern[::-1]
    return make_epoch(
        time_ns,
        np.tile(satellite, 2),
        np.repeat([GPS_L1CA, GPS_L2W], n),
        code_m.ravel(),
        (phase_m / GPS_L1_L2_M[:, None]).ravel(),
        np.full(2 * n, 45.0),
        np.full(2 * n, _LOCK_MS),
        np.zeros(2 * n, dtype=np.bool_),
    )


def _raw(time_ns: int, satellite: np.ndarray[tuple[int], np.dtype[np.int64]], code_m: FloatArray) -> Observables:
    n = len(satellite)
    return gps_l1_l2(
        time_ns,
        satellite,
        code_m,
        code_m,
        np.full((2, n), 45.0),
        np.full(n, _LOCK_MS),
        np.zeros(n, dtype=np.bool_),
    )


def _ephemeris(plane: int, slot: int) -> GpsEphemeris:
    number = plane * _SLOTS + slot + 1
    turn = 2.0 * np.pi
    anomaly = (slot / _SLOTS + plane / (_PLANES * _SLOTS) * 2.0) * turn
    return GpsEphemeris(
        satellite=number,
        toe_ns=START_NS,
        toc_ns=START_NS,
        transmitted_ns=START_NS - 60 * NS_PER_S,
        iode=number,
        iodc=number,
        health=0,
        ura_index=0,
        fit_interval_flag=False,
        l2_code=1,
        l2p_data_off=False,
        af0_s=0.0,
        af1=0.0,
        af2=0.0,
        tgd_s=0.0,
        sqrt_a=_SQRT_A,
        eccentricity=0.01,
        m0_rad=float((anomaly + np.pi) % turn - np.pi),
        delta_n_rad_s=0.0,
        omega_rad=0.0,
        i0_rad=float(np.radians(55.0)),
        idot_rad_s=0.0,
        omega0_rad=float((plane / _PLANES * turn + np.pi) % turn - np.pi),
        omega_dot_rad_s=0.0,
        cuc_rad=0.0,
        cus_rad=0.0,
        cic_rad=0.0,
        cis_rad=0.0,
        crc_m=0.0,
        crs_m=0.0,
    )


@cache
def _ephemerides() -> dict[int, GpsEphemeris]:
    """Return the constellation as receivers see it: rounded to the fields of the message."""
    exact = (_ephemeris(plane, slot) for plane in range(_PLANES) for slot in range(_SLOTS))
    return {one.satellite: decode_ephemeris(encode_ephemeris(one), START_NS) for one in exact}
