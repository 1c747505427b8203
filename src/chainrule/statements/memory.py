"""Which writes into arrays are done in place, and which need a copy because the old values are still read."""

from __future__ import annotations

from typing import Any

from chainrule.indexing import Index, get_item
from chainrule.ir import Const, Step, Var
from chainrule.statements.folding import Folding
from chainrule.statements.order import Order
from chainrule.statements.request import apart, is_element, is_view, is_write, kept_starts

__all__ = ["Memory"]


class Memory:
    """Who reads what, and which versions of an array can share its memory and its name.

    Args:
        folding: what is folded into what.
        order: the order of the statements.
        copied: variables that are copies of a part of an array, because the array is written over.

    Attributes:
        last_read: for each variable, the place of the last statement that reads it.
        chain: for each version of an array that is written in place, the first one.
        written: the steps that write in place.
        first: variables that should have statements of their own, in front of a write to what they are read from.
    """

    def __init__(self, folding: Folding, order: Order, copied: set[int]) -> None:
        self.folding = folding
        self.order = order
        self.copied = copied
        self.first: set[int] = set()
        self.chain: dict[int, int] = {}
        self.written: set[int] = set()
        self._reads()
        self._write_in_place()

    def _windows(self, k: int) -> list[tuple[int, Index | None]]:
        """What the statement of a step reads: pairs of a variable and, if only a part is read, the part."""
        found: list[tuple[int, Index | None]] = []
        for step in (*(self.folding.steps[n] for n in self.folding.inner(k)), self.folding.steps[k]):
            for position, x in enumerate(step.inputs):
                if isinstance(x, Var) and x.number not in self.folding.folded:
                    part = position == 0 and step.operation.function is get_item
                    found.append((x.number, step.params["index"] if part else None))
        return found

    def _reads(self) -> None:
        self.last_read: dict[int, int] = {}
        self.last_use: dict[int, int] = {}
        self.windows: dict[int, list[tuple[int, Index | None]]] = {}
        for place, k in enumerate(self.order.lines):
            for number in self.order.depends[k]:
                self.last_read[number] = place
            for inner in self.folding.inner(k):
                self.last_use.update((out.number, place) for out in self.folding.steps[inner].outputs)
            for number, part in self._windows(k):
                self.windows.setdefault(number, []).append((place, part))
        end = len(self.order.lines)
        for k in self.order.lines:
            for number in kept_starts(self.folding.steps[k]):
                # It stands in a list from then on.
                self.windows.setdefault(number, []).append((end, None))
        for x in self.folding.request.roots:
            if isinstance(x, Var):
                step = self.folding.folded.get(x.number)
                read = {x.number} if step is None else self.folding.variables_read(self.folding.producer[x.number])
                self.last_read.update(dict.fromkeys(read, end))
                for number in read:
                    self.windows.setdefault(number, []).append((end, None))

    def _storage_operand(self, x: Any) -> int | None:
        """The named variable whose memory an operand shares."""
        while isinstance(x, Var) and x.number in self.folding.folded:
            step = self.folding.folded[x.number]
            if not is_view(step) or not step.inputs:
                return None
            x = step.inputs[0]
        return x.number if isinstance(x, Var) or (isinstance(x, Const) and x.number >= 0) else None

    def _write_in_place(self) -> None:
        """Decide which writes go into the array itself: where nobody reads what it held before."""
        storage: dict[int, int] = {number: number for number in self.folding.request.given}
        owned: set[int] = set(self.folding.request.owned)
        members: dict[int, dict[int, Index | None]] = {number: {number: None} for number in self.folding.request.given}
        for place, k in enumerate(self.order.lines):
            step = self.folding.steps[k]
            for out in step.outputs:
                if is_write(step):
                    base = self._storage_operand(step.inputs[0])
                    home = storage.get(base, -1) if base is not None else -1
                    free = (
                        home in owned
                        and not self._is_kept(home, k)
                        and not any(
                            self._reads_what(m, window, step.params["index"], place)
                            for m, window in members[home].items()
                        )
                    )
                    if base is not None and free and self.chain.get(base, base) == home == self._first(base, step):
                        self.chain[out.number] = self.chain.get(base, base)
                        self.written.add(k)
                        storage[out.number] = home
                        members[home][out.number] = None
                        continue
                    if home in owned:
                        self._read_first(set(members[home]), step.params["index"], place)
                elif is_view(step) and step.inputs and out.number not in self.copied:
                    shared = self._storage_operand(step.inputs[0])
                    if shared is not None and shared in storage:
                        storage[out.number] = storage[shared]
                        whole = step.operation.function is get_item and members[storage[shared]][shared] is None
                        part = step.params["index"] if whole else members[storage[shared]][shared]
                        members[storage[shared]][out.number] = part
                        continue
                storage[out.number] = out.number
                members[out.number] = {out.number: None}
                if out.shape or is_write(step):
                    owned.add(out.number)

    def _is_kept(self, home: int, k: int) -> bool:
        """Whether a backward step would write into what the forward pass keeps for the next backward pass too."""
        request = self.folding.request
        made_forward = self.folding.producer.get(home, -1) < request.forward_steps
        return request.kept and k >= request.forward_steps and made_forward

    def _reads_what(self, member: int, window: Index | None, written: Index, place: int) -> bool:
        """Whether what is written at a place is read behind it through an array in the same memory."""
        for when, part in self.windows.get(member, []):
            seen = part if window is None else window
            if when > place and (seen is None or not apart(seen, written, self.folding.request.counts)):
                return True
        return False

    def _read_first(self, arrays: set[int], written: Index, place: int) -> None:
        """Give parts of these arrays that are read behind a write a statement of their own, in front of it."""
        for k in self.order.lines[:place]:
            step = self.folding.steps[k]
            if step.operation.function is get_item and not is_element(step):
                number = step.outputs[0].number
                direct = isinstance(step.inputs[0], Var) and step.inputs[0].number in arrays
                if (
                    direct
                    and step.params["index"].basic
                    and any(when > place for when, _ in self.windows.get(number, []))
                ):
                    self.first.add(number)
                    self.copied.add(number)
        for number, step in self.folding.folded.items():
            if step.operation.function is not get_item or self.last_use.get(number, -1) <= place:
                continue
            index: Index = step.params["index"]
            direct = isinstance(step.inputs[0], Var) and step.inputs[0].number in arrays
            if direct and index.basic and not apart(index, written, self.folding.request.counts):
                self.first.add(number)
                if not is_element(step):
                    self.copied.add(number)

    def _first(self, base: int, step: Step) -> int:
        """The first version of the array that a write goes to, unless the write goes to a view of it."""
        direct = isinstance(step.inputs[0], Var) and step.inputs[0].number == base
        return self.chain.get(base, base) if direct else -1
