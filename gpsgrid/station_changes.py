"""What a new list of stations means for integers that were found with an old one, and how old a saved state may be."""

from dataclasses import dataclass
from typing import Final

from gpsgrid.saved_state import SavedState
from stations.catalog import Network, Station
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

OLDEST_S: Final = 6.0 * 3600.0  # zenith delays and hyperparameters of the morning say little about the evening
_CLOCK_SET_S: Final = 60.0  # by which a host's clock may be set back between two starts


@dataclass(frozen=True)
class StationChanges:
    """How one list of stations became another.

    Attributes:
        kept: In both, with the same coordinates, antenna and antenna height: their integers go on.
        moved: In both, with something of that changed by decree of the operator: they begin anew.
        joined: New.
        left: No longer there.
    """

    kept: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restored:
    """What was taken over from a saved state.

    Attributes:
        time_ns: Its last network epoch.
        age_s: Since it was taken, by the calendar of the host.
        changes: Stations then and now.
        arcs: Arcs that go on if their stations are heard before the filter forgets them.
        fixed_share: Share of fixed double differences when it was taken.
        ephemerides: Number of ephemerides.
        learned: Whether the hyperparameters are learned ones.
    """

    time_ns: int
    age_s: float
    changes: StationChanges
    arcs: int
    fixed_share: float
    ephemerides: int
    learned: bool


def compare_stations(before: tuple[Station, ...], now: tuple[Station, ...]) -> StationChanges:
    """Return what changed between two lists of stations; topics and recorded files do not count."""
    old = {station.id: _measured(station) for station in before}
    new = {station.id: _measured(station) for station in now}
    both = [name for name in new if name in old]
    return StationChanges(
        tuple(name for name in both if new[name] == old[name]),
        tuple(name for name in both if new[name] != old[name]),
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
    )


def compare_networks(before: Network, now: Network) -> StationChanges:
    """Return what changed between two networks; in another frame or epoch all stations have moved."""
    changes = compare_stations(before.stations, now.stations)
    if (before.frame, before.epoch) == (now.frame, now.epoch):
        return changes
    both = tuple(station.id for station in now.stations if station.id not in changes.joined)
    return StationChanges((), both, changes.joined, changes.left)


def _measured(station: Station) -> tuple[object, ...]:
    return station.position_m, station.antenna, station.antenna_serial, station.antenna_height_m


def usable_age_s(saved: SavedState, network: Network, now_ns: int) -> float:
    """Return how old a saved state is, at least 0.

    Args:
        saved: The state.
        network: The network now.
        now_ns: Calendar of the host, ns of GPS time.

    Raises:
        GpsgridError: ``UNUSABLE_STATE``: another frame, too old, or from the future.
    """
    if (saved.frame, saved.epoch) != (network.frame, network.epoch):
        message = (
            f"the saved state has coordinates in {saved.frame} at {saved.epoch}, the network in {network.frame} at"
            f" {network.epoch}; the engine starts without it"
        )
        raise GpsgridError(Reason.UNUSABLE_STATE, message)
    age_s = (now_ns - saved.calendar_ns) / NS_PER_S
    if age_s < -_CLOCK_SET_S:
        message = (
            f"the saved state was taken {-age_s:.0f} s in the future; the engine starts without it."
            f" Check the clock of this host"
        )
        raise GpsgridError(Reason.UNUSABLE_STATE, message, age_s=age_s)
    if age_s > OLDEST_S:
        message = (
            f"the saved state is {age_s / 3600.0:.1f} h old, of use are {OLDEST_S / 3600.0:.0f} h;"
            f" the engine starts without it"
        )
        raise GpsgridError(Reason.UNUSABLE_STATE, message, age_s=age_s)
    return max(age_s, 0.0)
