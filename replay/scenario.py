"""A simulated network in numbers: who stands where, how the rover drives, how large each error is.

Only values live here. What they mean physically is written where they are used, in the modules called
``simulated_...``. The defaults are a quiet day and a small network of geodetic receivers around Münster in
Westphalia; a scenario has no date, because a simulation may start at any instant.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class StationSite:
    """Where a reference station stands.

    Attributes:
        id: Name.
        latitude_deg, longitude_deg: Geodetic, WGS 84.
        height_m: Above the ellipsoid.
    """

    id: str
    latitude_deg: float
    longitude_deg: float
    height_m: float


@dataclass(frozen=True)
class RoverPath:
    """A figure of eight on a slope, driven round and round.

    Attributes:
        latitude_deg, longitude_deg, height_m: Its centre, geodetic.
        half_width_m: Centre to the easternmost point.
        half_length_m: Centre to the northernmost point.
        lap_s: Time of one lap.
        relief_m: How far the ground rises from the centre to the eastern end.
    """

    latitude_deg: float = 51.975
    longitude_deg: float = 7.765
    height_m: float = 98.0
    half_width_m: float = 250.0
    half_length_m: float = 120.0
    lap_s: float = 314.0
    relief_m: float = 3.0


@dataclass(frozen=True)
class OrbitScenario:
    """The satellites and how wrong their broadcast ephemerides are.

    Attributes:
        radial_sd_m, along_sd_m, cross_sd_m: True orbit less broadcast orbit.
        clock_sd_m: True clock less broadcast clock, times the speed of light.
        shortest_period_s, longest_period_s: How slowly these errors vary.
        code_bias_sd_m, phase_bias_sd_cyc: Hardware delays by satellite and signal.
    """

    radial_sd_m: float = 0.2
    along_sd_m: float = 0.7
    cross_sd_m: float = 0.5
    clock_sd_m: float = 0.5
    shortest_period_s: float = 7_200.0
    longest_period_s: float = 86_400.0
    code_bias_sd_m: float = 0.6
    phase_bias_sd_cyc: float = 0.3


@dataclass(frozen=True)
class IonosphereScenario:
    """Several thin shells, each with a level, a plane and waves; together they are thick.

    Attributes:
        zenith_m: Zenith delay on L1 of all shells together (0.1624 m is 1 TECU).
        shell_height_m: Heights of the shells.
        shell_share: Share of the delay in each shell.
        gradient_ppm: Root mean square of the zenith delay's horizontal gradient, mm per km.
        waves: Number of plane waves per shell.
        shortest_wave_m, longest_wave_m: Wavelengths on the shell.
        slowest_m_s, fastest_m_s: Phase speeds of the waves.
    """

    zenith_m: float = 1.6
    shell_height_m: tuple[float, ...] = (250_000.0, 380_000.0, 650_000.0)
    shell_share: tuple[float, ...] = (0.30, 0.45, 0.25)
    gradient_ppm: float = 1.0
    waves: int = 24
    shortest_wave_m: float = 200_000.0
    longest_wave_m: float = 3_000_000.0
    slowest_m_s: float = 50.0
    fastest_m_s: float = 250.0


@dataclass(frozen=True)
class TroposphereScenario:
    """Pressure and water vapour over the network.

    Attributes:
        pressure_hpa: At sea level, at the centre of the network.
        pressure_gradient_hpa_per_km: Its horizontal gradient.
        zwd_m: Zenith wet delay at sea level, at the centre of the network.
        zwd_gradient_ppm: Root mean square of its horizontal gradient, mm per km.
        wet_height_m: Scale height of water vapour.
        waves: Number of plane waves in the wet delay.
        shortest_wave_m, longest_wave_m: Wavelengths.
        wind_m_s: How fast the pattern moves.
    """

    pressure_hpa: float = 1017.0
    pressure_gradient_hpa_per_km: float = 0.01
    zwd_m: float = 0.14
    zwd_gradient_ppm: float = 0.15
    wet_height_m: float = 2_000.0
    waves: int = 24
    shortest_wave_m: float = 60_000.0
    longest_wave_m: float = 600_000.0
    wind_m_s: float = 10.0


@dataclass(frozen=True)
class ReceiverScenario:
    """How good a receiver and its surroundings are. Noise and multipath are given at 30 degrees of elevation.

    Attributes:
        code_noise_m, phase_noise_m: White; grow like one over the sine of the elevation, as all four.
        code_multipath_m, phase_multipath_m: First-order Gauss-Markov.
        multipath_s: Its correlation time.
        clock_limit_s: The clock is kept within plus and minus this.
        clock_walk_s: Random walk of the clock in one second.
        code_bias_sd_m, phase_bias_sd_cyc: Hardware delays by signal.
        elevation_mask_deg: Nothing is tracked below.
        slips_per_hour: Cycle slips of one satellite.
        silent_slip_share: Share of them that the lock time does not show.
        largest_slip_cyc: Their size, at most.
        gaps_per_hour: Times that one satellite is lost.
        longest_gap_s: For how long, at most.
        outages_per_hour: Times that the receiver as a whole is silent.
        longest_outage_s: For how long, at most.
    """

    code_noise_m: float = 0.12
    phase_noise_m: float = 0.002
    code_multipath_m: float = 0.20
    phase_multipath_m: float = 0.002
    multipath_s: float = 40.0
    clock_limit_s: float = 0.5e-3
    clock_walk_s: float = 2e-8
    code_bias_sd_m: float = 1.0
    phase_bias_sd_cyc: float = 0.3
    elevation_mask_deg: float = 5.0
    slips_per_hour: float = 1.5
    silent_slip_share: float = 0.2
    largest_slip_cyc: int = 30
    gaps_per_hour: float = 1.0
    longest_gap_s: float = 20.0
    outages_per_hour: float = 0.3
    longest_outage_s: float = 10.0


# Some 22 to 34 km apart, around Münster.
MUENSTERLAND = (
    StationSite("SAER", 52.175, 7.630, 91.0),
    StationSite("WARE", 51.950, 7.985, 104.0),
    StationSite("AHLE", 51.765, 7.880, 126.0),
    StationSite("LUED", 51.775, 7.440, 99.0),
    StationSite("BILL", 51.980, 7.290, 161.0),
)


@dataclass(frozen=True)
class Scenario:
    """Everything that a simulation needs besides a start and randomness.

    Attributes:
        name: Name of the network.
        stations: The reference stations.
        rover_path: What the rover drives.
        orbit, ionosphere, troposphere: The world.
        station, rover: The receivers; the rover's is a little worse.
    """

    name: str = "muensterland-simulated"
    stations: tuple[StationSite, ...] = MUENSTERLAND
    rover_path: RoverPath = RoverPath()
    orbit: OrbitScenario = OrbitScenario()
    ionosphere: IonosphereScenario = IonosphereScenario()
    troposphere: TroposphereScenario = TroposphereScenario()
    station: ReceiverScenario = ReceiverScenario()
    rover: ReceiverScenario = ReceiverScenario(
        code_noise_m=0.15,
        phase_noise_m=0.0025,
        code_multipath_m=0.25,
        phase_multipath_m=0.0025,
        multipath_s=15.0,
        slips_per_hour=3.0,
        gaps_per_hour=2.0,
        outages_per_hour=0.0,
    )


def quiet(scenario: Scenario) -> Scenario:
    """Return the scenario with perfect receivers: no noise, multipath, slips and gaps; clocks and biases stay."""
    return replace(scenario, station=_perfect(scenario.station), rover=_perfect(scenario.rover))


def _perfect(receiver: ReceiverScenario) -> ReceiverScenario:
    return replace(
        receiver,
        code_noise_m=0.0,
        phase_noise_m=0.0,
        code_multipath_m=0.0,
        phase_multipath_m=0.0,
        slips_per_hour=0.0,
        gaps_per_hour=0.0,
        outages_per_hour=0.0,
    )
