"""Who may in: passwords checked off the event loop, guesses counted by address, known ones remembered.

A password hash is slow by design, so it must be nobody's lever: one is computed at a time, few may wait, and an address
that has guessed wrong too often is refused without computing anything.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Mapping

from gpsgrid.caster_users import HashedPassword, hash_password
from stations.errors import GpsgridError, Reason

_MOST_WAITING = 500
_MOST_REMEMBERED = 20_000
_MOST_ADDRESSES = 10_000
_MOST_GUESSES = 8  # in
_GUESSES_S = 60.0


class Gate:
    """The users of a caster."""

    def __init__(self, users: Mapping[str, HashedPassword] | None) -> None:
        """Prepare; with ``None`` everybody may in."""
        self._users = users
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, None] = OrderedDict()
        self._guesses: OrderedDict[str, deque[float]] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0
        # Somebody who does not exist costs as long as somebody who does, so that names cannot be found out.
        self._nobody = hash_password(secrets.token_hex(), secrets.token_bytes(16)) if users is not None else None

    @property
    def closed(self) -> bool:
        """Whether a password is needed."""
        return self._users is not None

    async def check(self, user: str, password: str, address: str) -> None:
        """Let a user in.

        Raises:
            GpsgridError: ``STREAM_REFUSED`` with the HTTP ``status`` 401, 429 or 503 among its facts.
        """
        if self._users is None:
            return
        # The hash that was checked is part of what is remembered: a changed password is asked for again.
        known = self._users.get(user)
        mark = hashlib.blake2b(f"{user}\0{password}".encode(), key=self._key)
        mark.update(known.hashed if known is not None else b"")
        if mark.digest() in self._remembered:
            return
        self._check_guesses(address)
        if not user or not password:
            message = "a user name and a password are needed"
            raise GpsgridError(Reason.STREAM_REFUSED, message, status=401)
        if self._waiting >= _MOST_WAITING:
            message = "too many log in at the same time; try again in some seconds"
            raise GpsgridError(Reason.QUEUE_FULL, message, status=503)
        if not await self._fits(known or self._nobody, password) or known is None:
            self._guesses.setdefault(address, deque(maxlen=_MOST_GUESSES)).append(time.monotonic())
            self._guesses.move_to_end(address)
            if len(self._guesses) > _MOST_ADDRESSES:
                self._guesses.popitem(last=False)
            message = "user name or password is wrong"
            raise GpsgridError(Reason.STREAM_REFUSED, message, status=401)
        self._remembered[mark.digest()] = None
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _fits(self, hashed: HashedPassword | None, password: str) -> bool:
        self._waiting += 1
        try:
            async with self._turn:
                return hashed is not None and await asyncio.to_thread(hashed.fits, password)
        finally:
            self._waiting -= 1

    def _check_guesses(self, address: str) -> None:
        guesses = self._guesses.get(address)
        if guesses is not None and len(guesses) == _MOST_GUESSES and time.monotonic() - guesses[0] < _GUESSES_S:
            message = f"{_MOST_GUESSES} wrong passwords from {address} within {_GUESSES_S:.0f} s; wait that long"
            raise GpsgridError(Reason.STREAM_REFUSED, message, status=429)
