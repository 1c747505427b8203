"""The order in which statements are written."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.ir import Var
from chainrule.statements.folding import Folding
from chainrule.statements.request import is_write
from chainrule.user_source import Place

__all__ = ["Order"]


class Order:
    """The user's statements as they ran; backward ones from the last statement of the user's to the first.

    Attributes:
        lines: the numbers of the steps that are statements, in order.
        depends: for each of them, the variables that it reads.
        owners: for a forward statement that is written among backward ones, the one that it is written for.
    """

    def __init__(self, folding: Folding) -> None:
        self.folding = folding
        lines = folding.lines()
        forward = [k for k in lines if k < folding.request.forward_steps]
        backward = [k for k in lines if k >= folding.request.forward_steps]
        self.depends = {k: folding.variables_read(k) for k in lines}
        self.owners: dict[int, int] = {}
        ordered = self._sorted(backward, self._priorities(backward))
        self.lines = self._late(forward, ordered) if folding.request.late else forward + ordered

    def _reading_order(self) -> dict[Place, dict[int, int]]:
        """Per statement of the user's, the variables in it in the order in which they are read."""
        order: dict[Place, dict[int, int]] = {}
        for k in range(self.folding.request.forward_steps):
            place = self.folding.place_of(k)
            if place is not None:
                seen = order.setdefault(place, {})
                for x in self.folding.steps[k].inputs:
                    if isinstance(x, Var):
                        seen.setdefault(x.number, len(seen))
        return order

    def _priorities(self, backward: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Where backward statements would stand: later statements of the user's first; there, in order of reading."""
        reading = self._reading_order()
        anchors, looped = self._anchors()
        primals = self.folding.primals
        found = {}
        anchor = self.folding.request.forward_steps
        for k in backward:
            place = self.folding.place_of(k)
            anchor = anchors.get(place, anchor) if place is not None else anchor
            seen = reading.get(place, {}) if place is not None and place not in looped else {}
            known = [seen[p] for out in self.folding.steps[k].outputs for p in primals.get(out.number, []) if p in seen]
            found[k] = (-anchor, min(known) if known else -1, k)
        return found

    def _anchors(self) -> tuple[dict[Place, int], set[Place]]:
        """The last step of each of the user's statements, the same one for all within a loop; and those in loops."""
        spans: dict[Place, tuple[int, int]] = {}
        counts: dict[Any, int] = {}
        looped: set[Place] = set()
        for k in range(self.folding.request.forward_steps):
            step, place = self.folding.steps[k], self.folding.place_of(k)
            if place is None:
                continue
            spans[place] = (spans.get(place, (k, k))[0], k)
            key = (step.position, step.operation)
            counts[key] = counts.get(key, 0) + 1
            if counts[key] > 1:
                looped.add(place)
        anchors = {place: span[1] for place, span in spans.items()}
        intervals: list[tuple[int, int]] = []
        for first, last in sorted(spans[place] for place in looped):
            if intervals and first <= intervals[-1][1]:
                intervals[-1] = (intervals[-1][0], max(last, intervals[-1][1]))
            else:
                intervals.append((first, last))
        for place, (first, last) in spans.items():
            for start, stop in intervals:
                if start <= first and last <= stop:
                    anchors[place] = stop
                    looped.add(place)
        return anchors, looped

    def _sorted(self, lines: Sequence[int], priority: Mapping[int, Any]) -> list[int]:
        """The lines by priority, as far as what depends on what allows."""
        made = {out.number: k for k in lines for out in self.folding.steps[k].outputs}
        readers: dict[int, list[int]] = {}
        for k in lines:
            for n in self.depends[k]:
                readers.setdefault(n, []).append(k)
        users: dict[int, list[int]] = {}
        missing: dict[int, int] = {}
        for k in lines:
            needed = {made[n] for n in self.depends[k] if n in made}
            if is_write(self.folding.steps[k]):
                # What was read before a write stays before it, so that the write can be done in place.
                needed.update(
                    reader for reader in readers.get(self.folding.steps[k].inputs[0].number, []) if reader < k
                )
            missing[k] = len(needed)
            for other in needed:
                users.setdefault(other, []).append(k)
        ready = [(priority[k], k) for k in lines if not missing[k]]
        heapq.heapify(ready)
        result: list[int] = []
        while ready:
            _, chosen = heapq.heappop(ready)
            result.append(chosen)
            for user in users.get(chosen, []):
                missing[user] -= 1
                if not missing[user]:
                    heapq.heappush(ready, (priority[user], user))
        return result

    def _late(self, forward: Sequence[int], backward: Sequence[int]) -> list[int]:
        """Forward statements in front of the first statement that needs them."""
        made = {out.number: k for k in forward for out in self.folding.steps[k].outputs}
        result: list[int] = []
        done: set[int] = set()

        def place(k: int, owner: int) -> None:
            if k in done:
                return
            done.add(k)
            for needed in sorted({made[n] for n in self.depends[k] if n in made}):
                place(needed, owner)
            self.owners[k] = owner
            result.append(k)

        for k in backward:
            place(k, k)
        for k in forward:
            place(k, k)
        return result
