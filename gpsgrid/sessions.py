"""The sessions of an engine: a bounded number of named states, forgotten when nobody has asked for a while.

Time is that of the rovers' epochs, held against the network's; no clock is read.
"""

from collections import OrderedDict
from dataclasses import dataclass

from models.session_state import Motion, SessionState, init
from stations.constants import NS_PER_S


@dataclass(frozen=True)
class SessionLimits:
    """How many sessions, and for how long.

    Attributes:
        maximum: A further one is answered epoch by epoch, with a warning.
        expiry_s: A session is forgotten when the network has moved on by this since its last epoch.
    """

    maximum: int = 1000
    expiry_s: float = 600.0


@dataclass
class _Session:
    motion: Motion
    state: SessionState
    used_ns: int


class Sessions:
    """States by name."""

    def __init__(self, limits: SessionLimits) -> None:
        """Start without sessions."""
        self.limits = limits
        self._sessions: OrderedDict[str, _Session] = OrderedDict()  # the one used last is at the end

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sessions)

    def state_of(self, name: str, motion: Motion, network_ns: int) -> SessionState | None:
        """Return the state of a session, fresh for a new one, or ``None`` when there is no room for it.

        Args:
            name: Of the session.
            motion: What is assumed of the rover; a session that assumed something else starts anew.
            network_ns: Newest network epoch; what has expired by then is forgotten.
        """
        expired_ns = network_ns - round(self.limits.expiry_s * NS_PER_S)
        while self._sessions and next(iter(self._sessions.values())).used_ns < expired_ns:
            self._sessions.popitem(last=False)
        one = self._sessions.get(name)
        if one is None or one.motion is not motion:
            return init() if one is not None or len(self._sessions) < self.limits.maximum else None
        return one.state

    def keep(self, name: str, motion: Motion, state: SessionState, network_ns: int) -> None:
        """Carry a state on under a name."""
        self._sessions[name] = _Session(motion, state, network_ns)
        self._sessions.move_to_end(name)

    def clear(self) -> None:
        """Forget all sessions."""
        self._sessions.clear()
