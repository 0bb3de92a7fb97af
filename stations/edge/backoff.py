"""How long to wait before the next attempt to reach somebody who does not answer."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Waiting between attempts to connect: exponential, with full jitter so that clients do not come in step.

    Attributes:
        first_s: Longest wait after the first failure; doubles with every further one.
        longest_s: Where doubling ends.
    """

    first_s: float = 0.25
    longest_s: float = 15.0

    def delay_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        limit_s = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return random.uniform(0.1 * limit_s, limit_s)  # noqa: S311 - spreads reconnects, guards no secret
