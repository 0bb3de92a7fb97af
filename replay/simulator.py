"""A network of our own with known truth: stations and a moving rover under simulated satellites and weather.

An oracle, not a mirror: ranges come from light-time iterations in an inertial frame and delays from
``simulated_...`` modules, none of which share code with what they test. The exception is the solid earth tide,
which moves simulated ground by the same displacement as the engine corrects.
"""

from dataclasses import dataclass

import numpy as np

from models.tides import solid_earth_tide_m
from replay import simulated_ionosphere, simulated_receiver, simulated_troposphere
from replay.scenario import ReceiverScenario, RoverPath, Scenario
from replay.simulated_ionosphere import Ionosphere, make_ionosphere
from replay.simulated_orbits import (
    Constellation,
    broadcast,
    earth_angle_rad,
    issue_start_ns,
    make_constellation,
    true_states,
)
from replay.simulated_receiver import ReceiverState
from replay.simulated_troposphere import Troposphere, make_troposphere
from stations.arrays import FloatArray, IntArray
from stations.catalog import Network, Station
from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch, make_epoch
from stations.frames import ecef_from_geodetic, enu_rotation, enu_rotation_at
from stations.navigation import GpsEphemeris
from stations.signals import GPS_L1CA, GPS_L2W

_FREQUENCY_HZ = np.array([FREQUENCY_L1_HZ, FREQUENCY_L2_HZ])
_WAVELENGTH_M = SPEED_OF_LIGHT_M_S / _FREQUENCY_HZ
_DISPERSION = (FREQUENCY_L1_HZ / _FREQUENCY_HZ) ** 2
_FLIGHT_S = 0.075
_NEVER_BELOW_RAD = float(np.radians(1.0))  # atmospheres are only asked for rays above the horizon
_FRAME = "ITRF2020"


@dataclass(frozen=True)
class World:
    """What all receivers share.

    Attributes:
        start_ns: Start, ns of GPS time.
        constellation, ionosphere, troposphere: One draw of each.
    """

    start_ns: int
    constellation: Constellation
    ionosphere: Ionosphere
    troposphere: Troposphere


@dataclass(frozen=True)
class SimulatedEpoch:
    """One epoch of one receiver, with the truth.

    Attributes:
        epoch: What it observed.
        position_m: Where its antenna was when the signals arrived, tide-free ECEF, shape ``(3,)``.
        clock_s: Receiver clock less GPS time.
        slipped, slipped_silently: Satellites that lost cycles since the epoch before; those of them whose lock
            time does not show it.
    """

    epoch: StationEpoch
    position_m: FloatArray
    clock_s: float
    slipped: IntArray
    slipped_silently: IntArray


def make_world(scenario: Scenario, start_ns: int, rng: np.random.Generator) -> World:
    """Draw satellites and weather for a scenario that begins at ``start_ns``."""
    stations_m = np.array([station.position_m for station in network_of(scenario, start_ns).stations])
    center_m = stations_m.mean(axis=0)
    return World(
        start_ns,
        make_constellation(scenario.orbit, start_ns, rng),
        make_ionosphere(scenario.ionosphere, center_m, rng),
        make_troposphere(scenario.troposphere, center_m, rng),
    )


def network_of(scenario: Scenario, start_ns: int) -> Network:
    """Return the stations as an operator would describe them, with the epoch of the start."""
    stations = []
    for site in scenario.stations:
        latitude, longitude = np.radians([site.latitude_deg, site.longitude_deg])
        x, y, z = np.round(ecef_from_geodetic(latitude, longitude, site.height_m), 4).tolist()
        stations.append(Station(site.id, (x, y, z)))
    year = round(1980.0 + (start_ns / NS_PER_S / 86_400.0 + 5.0) / 365.25, 2)
    return Network(scenario.name, _FRAME, year, tuple(stations))


def rover_position_m(path: RoverPath, time_s: float) -> FloatArray:
    """Return where the antenna of the rover is, tide-free ECEF, shape ``(3,)``, so long after the start."""
    latitude, longitude = np.radians([path.latitude_deg, path.longitude_deg])
    phase = 2.0 * np.pi * time_s / path.lap_s
    east_m = path.half_width_m * np.sin(phase)
    north_m = path.half_length_m * np.sin(2.0 * phase)
    up_m = path.relief_m * np.sin(phase)
    enu = np.array([east_m, north_m, up_m])
    return ecef_from_geodetic(latitude, longitude, path.height_m) + enu @ enu_rotation(latitude, longitude)


def simulate_epoch(
    world: World,
    receiver: ReceiverScenario,
    state: ReceiverState,
    time_ns: int,
    place: RoverPath | FloatArray,
    rng: np.random.Generator,
) -> tuple[ReceiverState, SimulatedEpoch]:
    """Simulate the next epoch of one receiver.

    Args:
        world: Satellites and weather.
        receiver: How good the receiver is.
        state: What it remembers.
        time_ns: Time tag on the receiver's own clock, ns of GPS time.
        place: Its fixed position (tide-free ECEF, shape ``(3,)``), or the path that it drives.
        rng: Randomness of this receiver.

    Returns:
        New state, observations and truth.
    """
    clock_s = simulated_receiver.move_clock(receiver, state, time_ns, rng)
    time_s = (time_ns - world.start_ns) / NS_PER_S - clock_s
    position_m = rover_position_m(place, time_s) if isinstance(place, RoverPath) else place
    ground_m = position_m + solid_earth_tide_m(position_m, time_ns)
    range_m, satellite_clock_s, unit = _rays(world.constellation, ground_m, time_s)
    enu = unit @ enu_rotation_at(position_m).T
    elevation_rad = np.arcsin(enu[:, 2])
    state, errors = simulated_receiver.step(receiver, state, time_ns, clock_s, elevation_rad, _WAVELENGTH_M, rng)

    seen = np.flatnonzero(state.tracked)
    azimuth_rad = np.arctan2(enu[seen, 0], enu[seen, 1])
    low_rad = np.maximum(elevation_rad[seen], _NEVER_BELOW_RAD)
    air_m = simulated_troposphere.slant_delay_m(world.troposphere, ground_m, low_rad, azimuth_rad, time_s)
    plasma_m = simulated_ionosphere.slant_delay_m(world.ionosphere, ground_m, unit[seen], time_s)
    common_m = range_m[seen] + SPEED_OF_LIGHT_M_S * (clock_s - satellite_clock_s[seen]) + air_m
    dispersive_m = _DISPERSION[:, None] * plasma_m
    bias = world.constellation
    code_m = common_m + dispersive_m + errors.code_m[:, seen] + bias.code_bias_m[:, seen]
    phase_m = common_m - dispersive_m
    phase_cyc = phase_m / _WAVELENGTH_M[:, None] + errors.phase_cyc[:, seen] + bias.phase_bias_cyc[:, seen]
    satellite = bias.satellite
    epoch = make_epoch(
        time_ns,
        np.tile(satellite[seen], 2),
        np.repeat([GPS_L1CA, GPS_L2W], len(seen)),
        code_m.ravel(),
        phase_cyc.ravel(),
        errors.cn0_dbhz[:, seen].ravel(),
        np.tile(errors.lock_ms[seen], 2),
        np.zeros(2 * len(seen), dtype=np.bool_),
    )
    return state, SimulatedEpoch(epoch, position_m, clock_s, satellite[errors.slipped], satellite[errors.silently])


def _rays(
    constellation: Constellation, receiver_m: FloatArray, time_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return range, satellite clock and direction (Earth-fixed) of all satellites at a true time of reception.

    The instant of emission is iterated in the inertial frame; each round is 1e-5 of the one before.
    """
    angle = earth_angle_rad(time_s)
    cosine, sine = np.cos(angle), np.sin(angle)
    # Rows are Earth-fixed axes in the inertial frame.
    axes = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    inertial_m = receiver_m @ axes
    rows = np.arange(len(constellation.satellite))
    flight_s = np.full(len(rows), _FLIGHT_S)
    for _ in range(3):
        satellite_m, clock_s = true_states(constellation, rows, time_s - flight_s)
        ray_m = satellite_m - inertial_m
        range_m = np.linalg.norm(ray_m, axis=-1)
        flight_s = range_m / SPEED_OF_LIGHT_M_S
    return range_m, clock_s, ray_m / range_m[:, None] @ axes.T


class Simulator:
    """A scenario that runs: asked for one instant after another, it answers with the epochs of all receivers."""

    def __init__(self, scenario: Scenario, start_ns: int, rng: np.random.Generator) -> None:
        """Draw the world and switch on the receivers.

        Args:
            scenario: All numbers.
            start_ns: Start, ns of GPS time.
            rng: Randomness; every receiver gets a child of its own, so that none depends on another.
        """
        self.scenario = scenario
        self.network = network_of(scenario, start_ns)
        world_rng, rover_rng, *station_rngs = rng.spawn(2 + len(scenario.stations))
        self.world = make_world(scenario, start_ns, world_rng)
        count = len(self.world.constellation.satellite)
        self._rngs = {s.id: r for s, r in zip(self.network.stations, station_rngs, strict=True)}
        self._states = {key: simulated_receiver.init(scenario.station, count, r) for key, r in self._rngs.items()}
        self._issue: tuple[int, tuple[GpsEphemeris, ...]] = (-1, ())
        self._rover_rng = rover_rng
        self._rover = simulated_receiver.init(scenario.rover, count, rover_rng)

    def ephemerides(self, time_ns: int) -> tuple[GpsEphemeris, ...]:
        """Return the ephemerides that are broadcast at an instant, those of one issue always as the same tuple."""
        since_ns = issue_start_ns(time_ns)
        if since_ns != self._issue[0]:
            self._issue = (since_ns, broadcast(self.world.constellation, time_ns))
        return self._issue[1]

    def stations(self, time_ns: int) -> dict[str, SimulatedEpoch]:
        """Return the next epoch of every station; one that is silent has no rows."""
        epochs = {}
        for station in self.network.stations:
            self._states[station.id], epochs[station.id] = simulate_epoch(
                self.world,
                self.scenario.station,
                self._states[station.id],
                time_ns,
                station.marker_m,
                self._rngs[station.id],
            )
        return epochs

    def rover(self, time_ns: int) -> SimulatedEpoch:
        """Return the next epoch of the rover."""
        self._rover, epoch = simulate_epoch(
            self.world, self.scenario.rover, self._rover, time_ns, self.scenario.rover_path, self._rover_rng
        )
        return epoch
