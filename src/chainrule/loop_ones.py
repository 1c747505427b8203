"""Which axes are of length 1 whatever the sizes, in the body of a loop: those of what it is given, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.loops import Loop
from chainrule.tape import Tape
from chainrule.trace import Recorded, program_of
from chainrule.traced import Traced

__all__ = ["ones_in_body"]


def ones_in_body(body: Tape, loop: Loop, operands: Sequence[Any]) -> TapeLengths:
    """Tells such axes on the tape of a body.

    Args:
        body: the tape, with the steps of a turn.
        loop: the loop.
        operands: what it is given, as stand-ins of the tape that it stands on.
    """
    ones: set[tuple[int, int]] = set()
    for slot in loop.slots:
        x = operands[slot.place]
        always_one = x.tape.always_one if type(x) is Traced else None
        # What is handed on may be longer than what the first turn is given.
        if always_one is None or slot.kind == "carried":
            continue
        first = int(slot.kind == "row")
        rank = np.ndim(body.values[slot.variable])
        ones.update((slot.variable, k) for k in range(rank) if always_one(x.variable, k + first))
    return TapeLengths(body, whole_symbols(program_of(Recorded(None, body, [])), ones=ones))
