"""What the counter of a loop decides in the user's code, ``if t < 100``, and whether it does for other lengths too."""

from __future__ import annotations

import ast
import dis
import operator
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.positions import locate
from chainrule.sizes import is_size, plain_number
from chainrule.statics import canonical, instruction
from chainrule.turns import Turns
from chainrule.user_source import node_of

__all__ = ["decided"]

_CHOICES = ("min", "max", "sorted")
_OTHER_LENGTHS: tuple[Callable[[int], int], ...] = (
    lambda n: n - 1,
    lambda n: n // 2,
    lambda n: n + 1,
    lambda n: 2 * n + 3,
    lambda n: 16 * n + 5,
)


def decided(record: Turns, listed: bool = False) -> list[str]:
    """What the turns of a loop took for granted, and what is otherwise for other lengths: texts for remarks.

    Args:
        record: the loop.
        listed: whether it takes the items of a list of the arguments.
    """
    groups: dict[Any, list[tuple[int, Any]]] = {}
    operands: dict[Any, tuple[str, Any, Any]] = {}
    own = {record.number: -1}  # the counter, which is another number in every turn
    for turn, code, offset, operation, left, right, result in record.decisions:
        begin = instruction(code, offset)
        if not _is_users(code, begin, operation):
            continue
        key = (code, begin, operation, canonical(left, [], own), canonical(right, [], own))
        groups.setdefault(key, []).append((turn, result))
        operands.setdefault(key, (operation, left, right))
    found: list[str] = []
    for key, results in groups.items():
        pattern = _Pattern(results, len(record.starts), listed)
        if not pattern.holds_for_other_lengths(record, *operands[key]):
            position = locate(key[0], key[1])
            chosen = isinstance(node_of(position), ast.Call)
            said = "chooses the same in every turn" if chosen else pattern.said(key[2])
            found.append(f"`{position.segment}` on line {position.line} {said}")
    return list(dict.fromkeys(found))


def _is_users(code: Any, offset: int, operation: str) -> bool:
    """Whether the user's instruction decides something, and not what is called in it."""
    name: str = dis.opname[code.co_code[offset]]
    if operation in ("bool", "and_", "or_", "xor", "rshift"):
        tests = name in ("TO_BOOL", "UNARY_NOT") or "_IF_" in name
        return tests if operation == "bool" else name == "BINARY_OP"
    if operation == "hash":
        return name == "CONTAINS_OP"
    if name in ("COMPARE_OP", "CONTAINS_OP"):
        return True
    node = node_of(locate(code, offset))
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CHOICES


class _Pattern:
    """What a decision gave in the first turn, in the last one, and in those between.

    Args:
        results: turns with what it gave.
        count: the number of turns.
        listed: whether it is the length of a list of the arguments.
    """

    def __init__(self, results: Sequence[tuple[int, Any]], count: int, listed: bool) -> None:
        self.alike = True
        self.listed = listed
        self.first, self.last, self.middle = set[Any](), set[Any](), set[Any]()
        for first, last in ((0, 0), (1, 0), (0, 1), (1, 1)):
            self.ends = (first, last)
            parts = [set[Any](), set[Any](), set[Any]()]
            for turn, result in results:
                parts[0 if turn < first else 2 if turn >= count - last else 1].add(result)
            self.first, self.middle, self.last = parts
            if all(len(part) <= 1 for part in parts):
                return
        self.alike = False

    def holds_for_other_lengths(self, record: Turns, operation: str, left: Any, right: Any) -> bool:
        """Whether the decisions are these for other lengths of what the loop runs over too."""
        if not self.alike or operation == "hash":
            return False
        for change in _OTHER_LENGTHS:
            try:
                if not self._holds(record, change, operation, left, right):
                    return False
            except (ArithmeticError, KeyError):
                return False
        return True

    def _holds(self, record: Turns, change: Callable[[int], int], operation: str, left: Any, right: Any) -> bool:
        count = record.count()
        if self.listed and type(count) is int:
            count = change(count)
        start, stop, step = record.counted or (0, count, 1)
        turns = range(*(int(_at(x, change, 0)) for x in (start, stop, step)))
        function = bool if operation == "bool" else getattr(operator, operation)
        for k, turn in enumerate(turns):
            sides = [_at(x, change, turn) for x in ((left,) if operation == "bool" else (left, right))]
            allowed = self.first if k < self.ends[0] else self.last if k >= len(turns) - self.ends[1] else self.middle
            if allowed and function(*sides) not in allowed:
                return False
        return True

    def said(self, operation: str) -> str:
        """What the decisions were, in words."""
        if not self.alike or operation == "hash":
            return "gives the same as in the example"
        words = [_word(part) for part in (self.first, self.middle, self.last)]
        if not words[0] and not words[2]:
            return f"is {words[1]} in every turn"
        ends = [f"{word} in the {which} turn" for word, which in ((words[0], "first"), (words[2], "last")) if word]
        return f"is {', '.join(ends)} and {words[1]} in the others"


def _word(part: set[Any]) -> str:
    return ", ".join({True: "true", False: "false"}[x] if type(x) is bool else repr(x) for x in part)


_HEADS = {"add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg"}


def _at(x: Any, change: Callable[[int], int], turn: int) -> Any:
    """What a number is where the lengths are others, in a turn."""
    if not is_size(x):
        return x
    head, *operands = x.expression
    if head == "turn":
        return turn
    if head in ("length", "size", "name", "value"):
        value = plain_number(x)
        return max(change(value), 1) if isinstance(value, int) else value
    if head == "number":
        return operands[0]
    if head not in _HEADS:
        raise KeyError(head)
    return getattr(operator, head)(*(_at(e, change, turn) for e in operands))
