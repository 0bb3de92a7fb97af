"""The users of our caster: a file with one line a user, passwords as salted scrypt hashes.

A line is ``name:scrypt$N$r$p$salt$hash`` with hexadecimal salt and hash; ``#`` begins a comment.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stations.errors import GpsgridError, Reason

_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1  # 16 MiB and some tens of milliseconds; RFC 7914 section 2
_MOST_COST = 1 << 17
_MEMORY = 256 << 20
_LENGTH = 32
_SALT = 16
_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_HASH = re.compile(r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{16,128})\$([0-9a-f]{64})")
_LONGEST_PASSWORD = 256


@dataclass(frozen=True)
class HashedPassword:
    """What is kept of a password; parameters as in RFC 7914."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    hashed: bytes

    def fits(self, password: str) -> bool:
        """Return whether it is this password; takes tens of milliseconds by design."""
        found = _scrypt(password, self.salt, self.cost, self.block, self.parallel)
        return hmac.compare_digest(found, self.hashed)


def hash_password(password: str, salt: bytes) -> HashedPassword:
    """Return what to keep of a password.

    Args:
        password: At most 256 characters, not empty.
        salt: 16 random bytes.

    Raises:
        ValueError: The password is empty or too long, or the salt has another length.
    """
    if not 0 < len(password) <= _LONGEST_PASSWORD or len(salt) != _SALT:
        message = f"a password of {len(password)} characters, salt of {len(salt)} bytes; expected 1 to 256, and 16"
        raise ValueError(message)
    hashed = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL)
    return HashedPassword(_COST, _BLOCK, _PARALLEL, salt, hashed)


def parse_users(text: str, source: str) -> dict[str, HashedPassword]:
    """Read a file of users.

    Raises:
        GpsgridError: ``BAD_CONFIG`` with the lines that are wrong; no message repeats a hash.
    """
    users: dict[str, HashedPassword] = {}
    errors: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        match = _HASH.fullmatch(hashed)
        if not _NAME.fullmatch(name) or match is None or not _sane(*map(int, match.groups()[:3])):
            errors.append(f"line {number} is not name:scrypt$N$r$p$salt$hash")
        elif name in users:
            errors.append(f"line {number}: user {name!r} is there already")
        else:
            cost, block, parallel = map(int, match.groups()[:3])
            users[name] = HashedPassword(cost, block, parallel, bytes.fromhex(match[4]), bytes.fromhex(match[5]))
    if errors:
        message = f"{source}: {'; '.join(errors)}. Write it with `gpsgrid caster-user`"
        raise GpsgridError(Reason.BAD_CONFIG, message, file=source, errors=errors)
    return users


def format_users(users: Mapping[str, HashedPassword]) -> str:
    """Return the text of a file of users, sorted by name."""
    return "".join(
        f"{name}:scrypt${one.cost}${one.block}${one.parallel}${one.salt.hex()}${one.hashed.hex()}\n"
        for name, one in sorted(users.items())
    )


def check_name(name: str) -> None:
    """Refuse a name that cannot stand in the file; ``BAD_CONFIG``."""
    if not _NAME.fullmatch(name):
        message = f"user name {name!r}; expected 1 to 64 letters, digits, '.', '_', '@', '+' or '-'"
        raise GpsgridError(Reason.BAD_CONFIG, message)


def _sane(cost: int, block: int, parallel: int) -> bool:
    power_of_two = cost > 1 and cost & (cost - 1) == 0
    return power_of_two and cost <= _MOST_COST and 1 <= block <= 16 and 1 <= parallel <= 4


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    words = password.encode("utf-8")
    return hashlib.scrypt(words, salt=salt, n=cost, r=block, p=parallel, maxmem=_MEMORY, dklen=_LENGTH)
