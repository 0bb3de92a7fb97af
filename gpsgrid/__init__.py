"""gpsgrid: an open network-RTK engine. Raw station streams in, centimetre positions out.

Users import from here only. Names are loaded when they are first used (PEP 562), so that ``import gpsgrid``
is quick and a program can still choose its number of BLAS threads before numpy is there.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpsgrid.answer import Answer
    from gpsgrid.client_requests import RefusedError
    from gpsgrid.config import NetworkConfig, parse_network
    from gpsgrid.edge.client import AsyncClient, Client
    from gpsgrid.edge.local_network import Network
    from gpsgrid.engine import Engine, EngineConfig
    from stations.catalog import Station
    from stations.errors import GpsgridError, Reason

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Engine",
    "EngineConfig",
    "GpsgridError",
    "Network",
    "NetworkConfig",
    "Reason",
    "RefusedError",
    "Station",
    "parse_network",
]

_HOMES = {
    "Answer": "gpsgrid.answer",
    "AsyncClient": "gpsgrid.edge.client",
    "Client": "gpsgrid.edge.client",
    "Engine": "gpsgrid.engine",
    "EngineConfig": "gpsgrid.engine",
    "GpsgridError": "stations.errors",
    "Network": "gpsgrid.edge.local_network",
    "NetworkConfig": "gpsgrid.config",
    "Reason": "stations.errors",
    "RefusedError": "gpsgrid.client_requests",
    "Station": "stations.catalog",
    "parse_network": "gpsgrid.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of several classes and functions
    """Load a public name."""
    if name not in _HOMES:
        message = f"module 'gpsgrid' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
