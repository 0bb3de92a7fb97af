"""``gpsgrid caster-user``: names and hashed passwords of the caster's users."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from gpsgrid.caster_users import check_name, format_users, hash_password
from gpsgrid.edge.caster import load_users
from stations.errors import GpsgridError, Reason

_PRIVATE = 0o600


def add_user(path: Path, name: str, password: str) -> bool:
    """Add a user or change the password; return whether the user was there before.

    Raises:
        GpsgridError: ``BAD_CONFIG`` for a name, a password or a file that cannot be used.
    """
    check_name(name)
    users = dict(load_users(path)) if path.exists() else {}
    before = name in users
    try:
        users[name] = hash_password(password, secrets.token_bytes(16))
    except ValueError as error:
        message = "a password has 1 to 256 characters"
        raise GpsgridError(Reason.BAD_CONFIG, message) from error
    _write(path, format_users(users))
    return before


def remove_user(path: Path, name: str) -> None:
    """Take a user away.

    Raises:
        GpsgridError: ``BAD_CONFIG``, there is none of that name.
    """
    users = dict(load_users(path))
    if users.pop(name, None) is None:
        message = f"{path} has no user {name!r}; it has {', '.join(sorted(users)) or 'none'}"
        raise GpsgridError(Reason.BAD_CONFIG, message)
    _write(path, format_users(users))


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all, readable for its owner only."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), _PRIVATE)
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); check folder and rights"
        raise GpsgridError(Reason.BAD_CONFIG, message) from error
