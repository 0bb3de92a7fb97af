"""``network.toml`` from disk."""

import re
import tomllib
from pathlib import Path

from gpsgrid.config import NetworkConfig, parse_config
from stations.edge.files import read_bytes
from stations.errors import GpsgridError, Reason

_LINE = re.compile(r"at line (\d+)")


def load_network(path: str | Path) -> NetworkConfig:
    """Read and check a ``network.toml``; relative paths in it start from its folder.

    Raises:
        GpsgridError: ``MISSING_FILE``, or ``BAD_CONFIG`` with the line of a TOML mistake or with all mistakes
            in the values.
    """
    path = Path(path)
    try:
        data = tomllib.loads(read_bytes(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 text (byte {error.start}); TOML must be. Save it as UTF-8"
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path), errors=[message]) from error
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else None
        message = f"{path} is not valid TOML: {error}"
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path), line=line, errors=[message]) from error
    return parse_config(data, str(path.parent), str(path))
