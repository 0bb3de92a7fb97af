"""A tiny world of reduced observations with known clocks, delays and integers, made without the models under test."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from models.observables import MISSING, Observables
from models.reduction import Reduced
from stations.signals import GPS_L1CA, GPS_L2W, Constellation, signal_of

C_M_S = 299_792_458.0
L1_HZ, L2_HZ = 1575.42e6, 1227.60e6
WAVELENGTH_M = np.array([C_M_S / L1_HZ, C_M_S / L2_HZ])
EARTH_M, SHELL_M = 6_371_000.0, 6_771_000.0
SECOND_NS = 1_000_000_000
START_NS = 1_293_501_600 * SECOND_NS


def local_axes(position_m):
    """Return the rows east, north, up on a sphere."""
    up = position_m / np.linalg.norm(position_m)
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    return np.stack([east, np.cross(up, east), up])


def ring(count, radius_m, latitude=0.9, longitude=0.1):
    """Return a point on the Earth and others around it, shape ``(count, 3)``."""
    up = np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    axes = local_axes(up * EARTH_M)
    angle = 2 * np.pi * np.arange(count - 1) / max(count - 1, 1) + 0.3
    offsets = np.vstack([np.zeros(2), radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    points = up * EARTH_M + offsets @ axes[:2]
    return points * (EARTH_M / np.linalg.norm(points, axis=1))[:, None]


@dataclass
class World:
    """Stations, satellites and the truth about everything between them.

    Everything per station and satellite has shape ``(station, satellite)``, per band a leading 2. Carriers, signals
    and the slot of the second carrier may be changed per station and satellite in ``wavelength``, ``signal`` and
    ``second_slot``; a third slot needs ``slots=3``.
    """

    rng: np.random.Generator
    station_m: np.ndarray
    satellites: np.ndarray
    code_sd_m: float = 0.15
    phase_sd_m: float = 0.001
    ionosphere_sd_m: float = 0.05
    ionosphere_length_m: float = 300_000.0
    clock_sd_m: float = 300.0
    epoch_s: float = 30.0
    lowest_rad: float = np.radians(15.0)
    wavelength_m: np.ndarray = field(default_factory=WAVELENGTH_M.copy)
    signals: tuple = (GPS_L1CA, GPS_L2W)
    slots: int = 2
    names: tuple = ()
    moved_m: dict = field(default_factory=dict)

    def __post_init__(self):
        """Draw the truth."""
        stations, satellites = len(self.station_m), len(self.satellites)
        rng = self.rng
        self.names = tuple(f"S{k:02d}" for k in range(stations))
        self.azimuth = (2 * np.pi * np.arange(satellites) / satellites + rng.uniform(0, 0.5, satellites)) % (2 * np.pi)
        self.elevation = np.arcsin(rng.uniform(np.sin(np.radians(18)), np.sin(np.radians(80)), satellites))
        self.elevation[0] = np.radians(75)
        self.azimuth_rate = rng.uniform(-8e-5, 8e-5, satellites)  # rad/s, as seen from the ground
        self.elevation_rate = rng.uniform(-3e-5, 3e-5, satellites)
        self.integers = rng.integers(-10_000, 10_000, (2, stations, satellites))
        self.bias_m = rng.normal(0, 5.0, (4, stations, 1)) + rng.normal(0, 5.0, (4, 1, satellites))
        self.zwd_m = 0.03 + rng.normal(0, 0.01, stations)
        distance = np.linalg.norm(self.station_m[:, None] - self.station_m[None], axis=-1)
        scaled = np.sqrt(3.0) * distance / self.ionosphere_length_m
        self._root = np.linalg.cholesky((1 + scaled) * np.exp(-scaled) + 1e-10 * np.eye(stations))
        self.zenith_ionosphere_m = self.ionosphere_sd_m * self._root @ rng.normal(size=(stations, satellites))
        self.lock_ms = np.full((stations, satellites), 10_000_000)
        self.half_cycle = np.zeros((stations, satellites), dtype=bool)
        self.extra_phase_m = np.zeros((2, stations, satellites))
        self.extra_code_m = np.zeros((2, stations, satellites))
        self.visible = np.ones((stations, satellites), dtype=bool)
        self.wavelength = np.broadcast_to(self.wavelength_m[:, None, None], self.integers.shape).copy()
        self.signal = np.broadcast_to(np.array(self.signals)[:, None, None], self.integers.shape).copy()
        self.second_slot = np.ones((stations, satellites), dtype=int)
        self.index = -1

    def track(self, code, where=...):
        """Let stations and satellites track another second signal from now on, aligned in phase."""
        signal = signal_of(Constellation(int(self.satellites[0]) // 100), code)
        self.signal[1][where] = signal.number
        self.wavelength[1][where] = signal.wavelength_m
        self.second_slot[where] = 2 if code[0] == "5" and signal.constellation is Constellation.GPS else 1

    def slip(self, station, satellite, cycles, *, reported=False):
        """Add whole cycles from the next epoch on."""
        self.integers[:, station, satellite] += np.array(cycles)
        if reported:
            self.lock_ms[station, satellite] = 0

    def geometry(self, time_s):
        """Return unit vectors, elevations and azimuths of all lines, shapes ``(station, satellite[, 3])``."""
        azimuth = self.azimuth + self.azimuth_rate * time_s
        elevation = self.elevation + self.elevation_rate * time_s
        far = local_axes(self.station_m[0])
        enu = np.stack(
            [np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=-1
        )
        satellite_m = self.station_m[0] + 2.2e7 * enu @ far
        delta = satellite_m[None] - self.station_m[:, None]
        unit = delta / np.linalg.norm(delta, axis=-1, keepdims=True)
        local = np.stack([local_axes(point) for point in self.station_m])
        seen = np.einsum("sij,skj->ski", local, unit)
        return satellite_m, unit, np.arcsin(seen[..., 2]), np.arctan2(seen[..., 0], seen[..., 1]) % (2 * np.pi)

    def epoch(self):
        """Advance by one epoch; return time and reduced observations by station."""
        self.index += 1
        time_s = self.index * self.epoch_s
        time_ns = START_NS + round(time_s * 1e9)
        rng = self.rng
        stations, satellites = len(self.station_m), len(self.satellites)
        if self.index:
            decay = np.exp(-self.epoch_s / 7200.0)
            step = self.ionosphere_sd_m * np.sqrt(1 - decay**2)
            drive = self._root @ rng.normal(size=(stations, satellites))
            self.zenith_ionosphere_m = decay * self.zenith_ionosphere_m + step * drive
        satellite_m, unit, elevation, azimuth = self.geometry(time_s)
        slant = 1 / np.sqrt(1 - (EARTH_M / SHELL_M * np.cos(elevation)) ** 2)
        wet = 1 / np.sin(elevation)
        # One clock per receiver and per satellite, and biases that never change.
        clock = rng.normal(0, self.clock_sd_m, (stations, 1)) + rng.normal(0, 1.0, (1, satellites))
        common = clock + wet * self.zwd_m[:, None]
        delay = slant * self.zenith_ionosphere_m
        spread = np.sqrt(1 + 1 / np.sin(elevation) ** 2)
        code, phase = np.zeros((2, stations, satellites)), np.zeros((2, stations, satellites))
        for band in range(2):
            noise = rng.normal(size=(2, stations, satellites)) * spread
            mu = (self.wavelength[band] * (L1_HZ / C_M_S)) ** 2
            code[band] = common + mu * delay + self.bias_m[band] + self.code_sd_m * noise[0]
            phase[band] = common - mu * delay + self.bias_m[2 + band] + self.phase_sd_m * noise[1]
            phase[band] += self.wavelength[band] * self.integers[band]
        code, phase = code + self.extra_code_m, phase + self.extra_phase_m
        epochs = {}
        for k, name in enumerate(self.names):
            rows = np.flatnonzero(self.visible[k] & (elevation[k] > self.lowest_rad))
            shift = -unit[k] @ self.moved_m.get(name, np.zeros(3))
            count = len(rows)
            place = np.stack([np.zeros(count, dtype=int), self.second_slot[k, rows]])

            def table(values, empty=np.nan, place=place):
                full = np.full((self.slots, values.shape[1]), empty)
                np.put_along_axis(full, place, values, axis=0)
                return full

            raw = Observables(
                time_ns,
                self.satellites[rows],
                table(self.signal[:, k, rows], MISSING),
                table(self.wavelength[:, k, rows]),
                table(np.zeros((2, count))),
                table(np.zeros((2, count))),
                table(np.full((2, count), 45.0)),
                self.lock_ms[k, rows].copy(),
                self.half_cycle[k, rows].copy(),
            )
            pierce = self.station_m[k] + 4e5 * slant[k, rows, None] * unit[k, rows]
            epochs[name] = Reduced(
                raw,
                self.station_m[k],
                satellite_m[rows],
                unit[k, rows],
                elevation[k, rows],
                azimuth[k, rows],
                wet[k, rows],
                slant[k, rows],
                pierce,
                table((code[:, k] + shift)[:, rows]),
                table((phase[:, k] + shift)[:, rows]),
            )
        self.lock_ms += int(self.epoch_s * 1000)
        return time_ns, epochs

    def true_integers(self, state):
        """Return the true ambiguities of the arcs of a filter state, shape ``(2, arc)``."""
        column = np.searchsorted(self.satellites, state.arc_satellite)
        return self.integers[:, state.arc_station, column]


@dataclass
class Worlds:
    """Several worlds of one system each, over the same stations; every system has receiver clocks of its own."""

    parts: list

    def __post_init__(self):
        """Take stations and zenith delays from the first."""
        self.names, self.station_m = self.parts[0].names, self.parts[0].station_m
        for part in self.parts[1:]:
            part.zwd_m = self.parts[0].zwd_m

    def epoch(self):
        """Advance all by one epoch; return time and reduced observations of all systems by station."""
        steps = [part.epoch() for part in self.parts]
        return steps[0][0], {name: joined([epochs[name] for _, epochs in steps]) for name in self.names}

    def true_integers(self, state):
        """Return the true ambiguities of the arcs of a filter state, shape ``(2, arc)``."""
        truth = np.zeros((2, len(state.arc_station)), dtype=int)
        for part in self.parts:
            ours = np.isin(state.arc_satellite, part.satellites)
            column = np.searchsorted(part.satellites, state.arc_satellite[ours])
            truth[:, ours] = part.integers[:, state.arc_station[ours], column]
        return truth


def joined(reduced):
    """Return the rows of several reduced epochs of one receiver as one, systems ascending; three slots."""

    def rows(values):
        return np.concatenate(values, axis=0)

    def table(values, empty):
        padded = [np.pad(v, ((0, 3 - len(v)), (0, 0)), constant_values=empty) for v in values]
        return np.concatenate(padded, axis=1)

    raws = [one.raw for one in reduced]
    raw = Observables(
        raws[0].time_ns,
        rows([r.satellite for r in raws]),
        table([r.signal for r in raws], MISSING),
        *(table([getattr(r, c) for r in raws], np.nan) for c in ("wavelength_m", "code_m", "phase_m", "cn0_dbhz")),
        rows([r.lock_ms for r in raws]),
        rows([r.half_cycle for r in raws]),
    )
    columns = ("satellite_m", "unit", "elevation_rad", "azimuth_rad", "wet_mapping", "slant_factor", "pierce_m")
    return Reduced(
        raw,
        reduced[0].receiver_m,
        *(rows([getattr(one, c) for one in reduced]) for c in columns),
        *(table([getattr(one, c) for one in reduced], np.nan) for c in ("code_m", "phase_m")),
    )


SYSTEM_CODES = {
    Constellation.GPS: ("1C", "2W"),
    Constellation.GALILEO: ("1C", "5Q"),
    Constellation.BEIDOU: ("2I", "6I"),
}


def make_worlds(seed=1, systems=tuple(SYSTEM_CODES), stations=4, satellites=6, radius_m=60_000.0, **options):
    """Return GPS L1/L2, Galileo E1/E5a and BeiDou B1I/B3I over the same stations."""
    parts = []
    for system in systems:
        signals = [signal_of(system, code) for code in SYSTEM_CODES[system]]
        parts.append(
            World(
                np.random.default_rng([seed, int(system)]),
                ring(stations, radius_m),
                100 * int(system) + np.arange(1, satellites + 1),
                wavelength_m=np.array([signal.wavelength_m for signal in signals]),
                signals=tuple(signal.number for signal in signals),
                slots=3,
                **options,
            )
        )
    return Worlds(parts)


def make_world(seed=1, stations=5, satellites=8, radius_m=60_000.0, **options):
    """Return a world with a station in the middle of a ring of others."""
    rng = np.random.default_rng(seed)
    return World(rng, ring(stations, radius_m), np.arange(1, satellites + 1), **options)


def reduced_with(reduced, **changes):
    """Return reduced observations with some columns changed."""
    return replace(reduced, **changes)


@pytest.fixture(scope="session", name="make_world")
def _make_world():
    return make_world


@pytest.fixture(scope="session", name="reduced_with")
def _reduced_with():
    return reduced_with


@pytest.fixture(scope="session", name="make_worlds")
def _make_worlds():
    return make_worlds
