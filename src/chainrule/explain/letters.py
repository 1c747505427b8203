"""The letters of indices: one for each length that is the same by the user's code, the same throughout a derivation."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from chainrule.explain.formula import Index
from chainrule.ir import Const, Var
from chainrule.language import Message, message
from chainrule.lengths import ONE, Symbol
from chainrule.sizes import plain_number

__all__ = ["Letters"]

_ROWS = "nb"
_OTHERS = "ijkmpqrsuvwcdefghxyzat"
# Where a formula has several indices over one length, letters that go together, as n and m.
_TOGETHER = {"n": "mlk", "b": "ac", "i": "jkl", "j": "kli", "k": "lji", "m": "ln", "t": "su", "h": "gf", "d": "ec"}
_MOST_TOGETHER = 4  # of one length; primes then
_MOST_PRIMES = 3
# Names of lengths say which letter is usual; words in them that say nothing are left out.
_SAYS_NOTHING = frozenset("n num number no of size len length dim dims count total".split())
_USUAL = {
    "batch": "b", "seq": "t", "sequence": "t", "time": "t", "times": "t", "steps": "t", "tokens": "t", "samples": "n",
    "rows": "n", "examples": "n", "points": "n", "observations": "n", "features": "d", "clusters": "k",
    "components": "k", "topics": "k", "factors": "k", "rank": "k",
}  # fmt: skip


def _usual(name: str) -> str:
    """The letter that a length of this name is usually counted with; nothing where the name is a letter itself."""
    words = [w.lower() for w in re.split(r"_|\d+|(?<=[a-z])(?=[A-Z])", name) if w]
    if len(name) == 1:
        return name.lower() if name.isupper() else ""
    telling = [w for w in words if w not in _SAYS_NOTHING and w.isascii() and w.isalpha()]
    return _USUAL.get(telling[-1], telling[-1][0]) if telling else ""


class Letters:
    """Gives out indices.

    Args:
        symbols: a symbol per axis of each variable, by its number; equal symbols are equal lengths.
        taken: names of the user's, which are no letters then.
        sizes: what the user calls lengths, by their symbols.

    Attributes:
        owners: for each letter, the symbol of what it runs over.
        lengths: for each symbol how long that is in the example.
    """

    def __init__(
        self, symbols: Mapping[int, tuple[Symbol, ...]], taken: Collection[str], sizes: Mapping[Symbol, str]
    ) -> None:
        self.symbols = symbols
        self.taken = set(taken)
        self.sizes = sizes
        self.owners: dict[str, Symbol] = {}
        self._pools: dict[Symbol, list[str]] = {}
        self._first: dict[Symbol, tuple[str, int, int]] = {}
        self.lengths: dict[Symbol, int] = {}
        self._anonymous = 0

    def within(self, symbols: Mapping[int, tuple[Symbol, ...]]) -> Letters:
        """The same letters for other variables: those of the body of a loop."""
        inner = Letters(symbols, self.taken, self.sizes)
        inner.owners, inner.lengths = self.owners, self.lengths
        inner._pools, inner._first = self._pools, self._first
        inner._anonymous = 1000 * (1 + len(self._pools))
        return inner

    def note(self, x: Var | Const, name: str, rows: bool) -> None:
        """Give letters to the axes of an array, in the order in which a reader meets them."""
        shape = x.shape if isinstance(x, Var) else getattr(x.value, "shape", ())
        for axis, symbol in enumerate(self.symbols.get(x.number, ())):
            if symbol == ONE or symbol in self._first:
                continue
            self._first[symbol] = (name, axis, len(shape))
            self.lengths[symbol] = int(plain_number(shape[axis]))
            self._letter(symbol, rows and axis == 0 and len(shape) > 1)

    def _letter(self, symbol: Symbol, row: bool = False) -> str:
        found = self._pools.get(symbol)
        if found is not None:
            return found[0]
        candidates = [*_usual(self.sizes.get(symbol, "")), *(_ROWS if row else ""), *_OTHERS]
        letter = self._free(chain(candidates, self._numbered()))
        assert letter is not None
        self._pools[symbol] = [letter]
        return letter

    def _free(self, candidates: Iterable[str]) -> str | None:
        """The first of these letters that stands for nothing yet."""
        used = {letter for pool in self._pools.values() for letter in pool} | self.owners.keys()
        return next((c for c in candidates if c not in used and c not in self.taken), None)

    def _another(self, symbol: Symbol) -> str | None:
        """One more letter for a length, if there is one."""
        pool = self._pools[symbol]
        if len(pool) == _MOST_TOGETHER:
            return None
        letter = self._free([*_TOGETHER.get(pool[0], ""), *"mlpqrsuv", *_OTHERS])
        if letter is not None:
            pool.append(letter)
        return letter

    def _numbered(self) -> Iterator[str]:
        k = 1
        while True:
            yield from (f"{c}{k}" for c in "ijk")
            k += 1

    def is_known(self, symbol: Symbol) -> bool:
        """Whether a symbol is the length of an axis that the reader knows by name."""
        return symbol in self._first

    def anonymous(self) -> Symbol:
        """A symbol of its own, for a length that no axis has."""
        self._anonymous += 1
        return ("anonymous", self._anonymous)

    def index(self, symbol: Symbol, length: int, scope: Collection[str]) -> Index:
        """An index over a length, with the first of its letters that is not in use: ``n``, ``m``, …; ``n′`` at last."""
        self._letter(symbol)
        size = self.sizes.get(symbol, "") or self._described(symbol)
        name = next((c for c in self._pools[symbol] if c not in scope), None) or self._another(symbol)
        if name is None or name in scope:
            name = next(c for c in self._marked(self._pools[symbol][0]) if c not in scope)
        self.owners[name] = symbol
        return Index(name, int(length), size)

    def _marked(self, letter: str) -> Iterator[str]:
        yield from (letter + "′" * primes for primes in range(1, _MOST_PRIMES + 1))
        k = 2
        while True:
            yield f"{letter}{k}"
            k += 1

    def _described(self, symbol: Symbol) -> str:
        capital = self._pools[symbol][0].upper()
        if len(capital) == 1 and capital not in self.taken and capital not in self.sizes.values():
            return capital
        found = self._first.get(symbol)
        if found is None:
            return ""
        name, axis, _ = found
        return f"len({name})" if axis == 0 else f"{name}.shape[{axis}]"

    def axes(self, number: int, shape: Sequence[int], scope: Collection[str]) -> tuple[Index | int, ...]:
        """An index per axis of an array, all different; 0 for an axis of length 1 by construction."""
        symbols = self.symbols.get(number, ())
        if len(symbols) != len(shape):
            symbols = tuple(("length", number, axis) for axis in range(len(shape)))
        result: list[Index | int] = []
        used = set(scope)
        for symbol, length in zip(symbols, shape, strict=True):
            if symbol == ONE:
                result.append(0)
                continue
            index = self.index(symbol, length, used)
            used.add(index.name)
            result.append(index)
        return tuple(result)

    def meanings(self, used: Collection[str]) -> dict[str, Message]:
        """What each letter in use runs over."""
        result: dict[str, Message] = {}
        together: dict[Symbol, list[str]] = {}
        for letter in sorted({u.rstrip("′") for u in used}):
            if letter in self.owners:
                together.setdefault(self.owners[letter], []).append(letter)
        for symbol, letters in together.items():
            pool = self._pools.get(symbol, [])
            letter = ", ".join([*(c for c in pool if c in letters), *(c for c in letters if c not in pool)])
            found = self._first.get(symbol)
            if found is None:
                continue
            name, axis, rank = found
            size, count = (
                self._described(symbol) if symbol not in self.sizes else self.sizes[symbol],
                self.lengths[symbol],
            )
            if rank == 1:
                result[letter] = message(
                    "the elements of {array}; {size} = {count}", array=name, size=size, count=count
                )
            elif rank == 2 and axis:
                result[letter] = message("the columns of {array}; {size} = {count}", array=name, size=size, count=count)
            elif rank == 2:
                result[letter] = message("the rows of {array}; {size} = {count}", array=name, size=size, count=count)
            else:
                result[letter] = message(
                    "axis {axis} of {array}; {size} = {count}", axis=axis, array=name, size=size, count=count
                )
        return result
