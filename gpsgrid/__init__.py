"""gpsgrid: an open network-RTK engine. Raw station streams in, centimetre positions out.

Users import from here only. The four packages beside each other and who may import whom are described
in ``docs/conventions.md``.
"""

from gpsgrid.answer import Answer
from gpsgrid.config import NetworkConfig, parse_network
from gpsgrid.engine import Engine, EngineConfig
from stations.catalog import Network, Station
from stations.errors import GpsgridError, Reason

__all__ = [
    "Answer",
    "Engine",
    "EngineConfig",
    "GpsgridError",
    "Network",
    "NetworkConfig",
    "Reason",
    "Station",
    "parse_network",
]
