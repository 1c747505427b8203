"""The code of one turn of a loop in index notation, with the numbers of the turns that formulas are tried on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.bodies import Body
from chainrule.explain.coded import Coded, Draw
from chainrule.explain.index_forms.reading import Forms
from chainrule.explain.turn_numbers import Turn, spaces_of, turns_of
from chainrule.ir import Var

__all__ = ["TurnCoded"]


class TurnCoded(Coded):
    """The code of one turn in index notation, with the numbers of the last turn and of the first.

    Args:
        body: the body of the loop, which code is written for.
        outer: the code that the loop stands in.
    """

    def __init__(self, body: Body, outer: Coded) -> None:
        assert body.text is not None
        super().__init__(body, body.text.loop.program)
        self.text = body.text
        self.outer = outer

    @property
    def arriving(self) -> dict[int, tuple[str, int]]:
        """The gradients that the code has under a name: that and the number, by the number of the array."""
        return self.text.arriving

    @cached_property
    def code(self) -> tuple[Forms, dict[int, str]]:
        """The lines of code in index notation; and the names that only they have."""
        forward, names = self.made.forward, self.text.names
        forms = Forms(
            self.text.loop.program.steps, {**forward.names, **names}, self.letters.within(self.text.symbols),
            self.draws[0].code, forward.size_text, forward.number_text,
        )  # fmt: skip
        forms.counters = self.made.counters
        return forms, names

    def gradient(self, number: int) -> Var | None:
        """What the code computes as the gradient of an array."""
        g = self.text.loop.links.get(number)
        return self.variables.get(g) if type(g) is int else None

    # ---- numbers

    @cached_property
    def draws(self) -> list[Draw]:
        """The last turn and the first, on the numbers that the code around the loop is tried on: the example first."""
        found: list[Draw] = []
        for outer in self.outer.draws:
            try:
                found += self._turns(outer)
            except (ChainruleError, ValueError, ArithmeticError, IndexError, KeyError, np.linalg.LinAlgError):
                if not found:
                    raise
        return found

    def _turns(self, outer: Draw) -> list[Draw]:
        turns = turns_of(self.made.step, self.made.backward_step, outer.values, outer.gradients)
        spaces = spaces_of(self.text.step, outer.code)
        return [self._turn(turns[k], spaces[k]) for k in dict.fromkeys((len(turns) - 1, 0))]

    def _turn(self, turn: Turn, space: Mapping[int, Any]) -> Draw:
        code = {**space, **turn.values}
        named = self.made.named_in(turn) | {name: code[n] for n, name in self.text.names.items() if n in code}
        return Draw(named, turn.gradients, turn.values, code, self.made.counts_in(turn))
