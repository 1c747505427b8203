"""How long mistakes are looked for."""

from __future__ import annotations

import os
import time

__all__ = ["Clock", "spent"]

# On a slower machine, or beside other work, the same is found in more time.
_PATIENCE = float(os.environ.get("CHAINRULE_PATIENCE", "1"))


def spent() -> float:
    """The seconds of the processor that were spent, divided by ``CHAINRULE_PATIENCE``, where that is set."""
    return time.process_time() / _PATIENCE


class Clock:
    """How much time is left.

    Args:
        seconds: how many there are, of one processor.
    """

    def __init__(self, seconds: float) -> None:
        self.end = spent() + seconds

    def until(self, seconds: float) -> float:
        """When a part that may take so many seconds has to stop."""
        return min(spent() + seconds, self.end)
