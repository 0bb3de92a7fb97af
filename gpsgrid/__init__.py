"""gpsgrid: an open network-RTK engine. Raw station streams in, centimetre positions out.

Users import from here only. Names are loaded when they are first used (PEP 562), so that ``import gpsgrid``
is quick and a program can still choose its number of BLAS threads before numpy is there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Answer": "gpsgrid.answer",
    "Engine": "gpsgrid.engine",
    "EngineConfig": "gpsgrid.engine",
    "GpsgridError": "stations.errors",
    "Network": "stations.catalog",
    "NetworkConfig": "gpsgrid.config",
    "Reason": "stations.errors",
    "Station": "stations.catalog",
    "parse_network": "gpsgrid.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of several classes and functions
    """Load a public name."""
    if name not in _HOMES:
        message = f"module 'gpsgrid' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
