"""A rover in a small world, and the network's corrections for it, epoch after epoch."""

import numpy as np

from models import session
from models.rover import Corrections, RoverPolicy, RoverStatus, common_rows, solve
from models.session_noise import rover_policy
from models.session_observe import MasterFindings, SessionEpoch
from models.session_state import SessionPolicy, init

POLICY = SessionPolicy()
CLAIMED = (RoverStatus.FIXED, RoverStatus.PARTIAL)


class Drive:
    """Rover ``S01``, masters ``S00`` and ``S02``; errors of the field last, as real ones do.

    Args:
        world: With three slots.
        iono_sd_m: Of the field's error, slant; 0.7 of it is common to all satellites of neighbouring directions.
        moved_m: Rover against where it is reduced.
        coloured_s: Correlation time of phase multipath of the rover, 0 for none.
        multipath_m: Its standard deviation.
    """

    def __init__(self, world, *, seed=0, iono_sd_m=0.012, moved_m=(0.8, -1.1, 0.6), coloured_s=0.0, multipath_m=0.0):
        self.world, self.rng = world, np.random.default_rng(7000 + seed)
        self.iono_sd_m, self.moved_m = iono_sd_m, np.asarray(moved_m, dtype=float)
        self.coloured_s, self.multipath_m = coloured_s, multipath_m
        count = len(world.satellites)
        self._field = self.rng.normal(size=count)
        self._common = self.rng.normal()
        self._multipath = self.rng.normal(size=(2, count))
        self._zwd_m = np.array([0.003, 0.002]) * self.rng.normal(size=2)
        self.state = init()

    def epoch(self, master="S00"):
        """Return the next epoch against a master."""
        world, dt = self.world, self.world.epoch_s
        world.moved_m["S01"] = self.moved_m
        if self.coloured_s:
            keep = np.exp(-dt / self.coloured_s)
            self._multipath = keep * self._multipath + np.sqrt(1 - keep**2) * self.rng.normal(
                size=(2, len(world.satellites))
            )
            world.extra_phase_m[:, 1] = self.multipath_m * self._multipath
        keep = np.exp(-dt / 1200.0)
        self._field = keep * self._field + np.sqrt(1 - keep**2) * self.rng.normal(size=len(world.satellites))
        self._common = keep * self._common + np.sqrt(1 - keep**2) * self.rng.normal()
        _, reduced = world.epoch()
        rover, base = reduced["S01"], reduced[master]
        i, k = common_rows(RoverPolicy(), rover, base)
        rover, base = rover.rows(i), base.rows(k)
        column = np.searchsorted(world.satellites, rover.satellite)
        number = int(master[1:])
        truth_m = (
            world.zenith_ionosphere_m[1, column] * rover.slant_factor
            - world.zenith_ionosphere_m[number, column] * base.slant_factor
        )
        slant, sd = rover.slant_factor, self.iono_sd_m
        error_m = sd * slant * (np.sqrt(0.5) * self._field[column] + np.sqrt(0.5) * self._common)
        covariance = sd**2 * (0.5 * np.eye(len(column)) + 0.5) * np.outer(slant, slant)
        zwd_m = world.zwd_m[[1, number]] + self._zwd_m
        corrections = Corrections(truth_m + error_m, covariance, zwd_m, np.diag([0.003, 0.002]) ** 2)
        quiet = np.zeros(len(column), dtype=bool)
        followed = np.full(len(column), 100)
        findings = MasterFindings(master, quiet, quiet, followed)
        return SessionEpoch(rover, base, corrections, world.station_m[1], findings)

    def step(self, policy=POLICY, epoch=None, single=None, *, may_fix=True):
        """Take the next epoch in; return what happened."""
        epoch = epoch or self.epoch()
        if single is None:
            single = solve(
                rover_policy(policy, self.state.noise), epoch.rover, epoch.master, epoch.corrections, epoch.reference_m
            )
        self.state, info = session.step(policy, self.state, epoch, single, may_fix=may_fix)
        return info

    def error_m(self, solution):
        """Return how far off a position is, ECEF, shape ``(3,)``."""
        return solution.position_m - self.world.station_m[1] - self.moved_m


def drive(make_world, seed, satellites=9, epoch_s=1.0, **options):
    """Return a rover at some 35 km from its masters."""
    world = make_world(
        seed,
        stations=4,
        satellites=satellites,
        radius_m=35_000.0,
        slots=3,
        epoch_s=epoch_s,
        code_sd_m=0.1,
        phase_sd_m=0.001,
    )
    return Drive(world, seed=seed, **options)
