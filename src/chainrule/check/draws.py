"""Data on which a candidate is judged: the user's example, and draws made to show what an example may hide.

The lengths of axes that may differ are distinct primes, values are away from special points, and what an array is
(labels, a mask, rows of probabilities) it stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.check import looping
from chainrule.check.forward import Forward, as_float, holes_of, tied_axes
from chainrule.indexing import Index
from chainrule.ir import Program, Var
from chainrule.lengths import ONE, Symbol, whole_symbols

__all__ = ["Draw", "Drawing", "cotangent_for", "example_of", "floats_in", "role_of"]

_LONG = 24  # forward steps of the example from which on loops are drawn with few turns
_ERRORS = (Exception,)  # whatever the user's function raises says that these lengths do not go together


@dataclass(frozen=True, slots=True)
class Draw:
    """Arguments, and a cotangent of the result.

    Attributes:
        arguments: by name.
        cotangent: of the result: 1.0 for a loss, an array or a tuple of them otherwise.
        label: ``"example"``, ``"fresh"``, ``"sizes"``, ``"kinks"``, ``"large"``.
        seed: for what is random in the functions.
    """

    arguments: Mapping[str, Any]
    cotangent: Any
    label: str
    seed: int = 0


def role_of(x: Any) -> str:
    """What an array is, as far as its values tell."""
    if not isinstance(x, np.ndarray) or x.size == 0:
        return "fixed"
    kind = x.dtype.kind
    if kind == "b":
        return "boolean"
    if kind in "iu":
        ordered = np.sort(x.ravel())
        permuted = x.ndim == 1 and len(x) > 1 and np.array_equal(ordered, np.arange(len(x)))
        return "permutation" if permuted else "indices" if ordered[0] >= 0 else "integers"
    if kind not in "fc":
        return "fixed"
    if not np.all(np.isfinite(x)):
        return "fixed"
    if kind == "c":
        return "general"
    return _role_of_floats(x)


def _role_of_floats(x: np.ndarray[Any, Any]) -> str:
    values = np.unique(x)
    if x.ndim and set(values.tolist()) <= {0.0, 1.0}:
        if x.ndim > 1 and len(values) == 2 and np.all(x.sum(axis=-1) == 1):
            return "one hot"
        if len(values) == 2:
            return "zeros and ones"
        return "positive" if values[0] == 1.0 else "general"
    if x.ndim and set(values.tolist()) == {-1.0, 1.0}:
        return "signs"
    if x.ndim == 2 and x.shape[0] == x.shape[1] > 1 and np.allclose(x, x.T, rtol=1e-10, atol=0):
        if np.all(x == x.astype(bool) * x[0, 0]) and x[0, 0] == 0:
            return "general"
        return "positive definite" if np.linalg.eigvalsh(x)[0] > 0 else "symmetric"
    if values[0] >= 0 and x.ndim and x.shape[-1] > 1 and np.allclose(x.sum(axis=-1), 1.0, rtol=1e-6):
        return "probabilities"
    if values[0] > 0:
        return "fractions" if values[-1] < 1.0 and x.size > 1 else "positive"
    return "general"


@dataclass(slots=True)
class Drawing:
    """Draws for a forward function.

    Attributes:
        forward: the function with its example.
        program: its forward pass in the example.
        wrt: the names of the leaves that are differentiated, which are drawn even where they are numbers.
        lengths: the axes that have the same length, by leaf.
        indexed: for leaves that are indices, what they index.
        looped: the axes that loops run over, where these take many steps.
        takes_cotangent: whether the candidate takes a cotangent; else the sum of the result is differentiated.
        forward_steps: the number of steps of the program that are the user's; all of them if not given.
    """

    forward: Forward
    program: Program
    wrt: frozenset[str]
    lengths: dict[tuple[int, int], Symbol] = field(default_factory=dict)
    indexed: dict[int, Symbol] = field(default_factory=dict)
    looped: frozenset[Symbol] = frozenset()
    takes_cotangent: bool = True
    forward_steps: int | None = None

    def __post_init__(self) -> None:
        traced = [n for n, leaf in enumerate(self.forward.leaves) if leaf.is_traced]
        count = min(len(traced), len(self.program.inputs))
        ties = tied_axes(self.program, count)
        self.lengths = {(traced[k], axis): s for (k, axis), s in ties.items()}
        numbers = {self.program.inputs[k].number: traced[k] for k in range(count)}
        self.indexed = _indexed(self.program, numbers, {traced[k]: k for k in range(count)}, ties)
        items = looping.items_in_loops(self.program, self._own_steps(), ties)
        self.looped = frozenset(items) if self._own_steps() > _LONG else frozenset()
        example = self.example_lengths()
        for a, b in itertools.combinations([s for s in items if s in example], 2):
            if example[a] == example[b] and looping.in_step(items[a], items[b]):
                self.lengths = {place: a if s == b else s for place, s in self.lengths.items()}

    # ---- lengths

    def example_lengths(self) -> dict[Symbol, int]:
        """The length of each group of axes in the example, in the order of the arguments."""
        found: dict[Symbol, int] = {}
        for (leaf, axis), symbol in self.lengths.items():
            found.setdefault(symbol, np.shape(self.forward.leaves[leaf].value)[axis])
        return found

    def other_lengths(
        self, seed: int, before: Sequence[Mapping[Symbol, int]] = (), refused: Sequence[Mapping[Symbol, int]] = ()
    ) -> dict[Symbol, int] | None:
        """Lengths that differ from each other where the function allows that, tried on it; ``None`` where none go.

        Args:
            seed: what they are drawn with.
            before: lengths of earlier draws, from which these differ as far as that goes.
            refused: lengths that are not to be given again.
        """
        example = self.example_lengths()
        traced = [n for n, leaf in enumerate(self.forward.leaves) if leaf.is_traced]
        ties = {(traced.index(leaf), axis): s for (leaf, axis), s in self.lengths.items()}
        # The order of the lengths is kept, so that a window still fits into an image.
        free = looping.free_lengths(self.program, self._own_steps(), ties, example)
        random = np.random.default_rng(seed)
        earlier = [[e.get(s, 0) for s in free] for e in (example, *before)]
        turning = [k for k, s in enumerate(free) if s in self.looped]
        for attempt in range(-1 if turning else 0, 3):
            chosen = [
                looping.few_turns(random, len(free), turning)
                if attempt < 0
                else looping.ascending(random, len(free), attempt)
                for _ in range(8)
            ]
            primes = min(
                chosen,
                key=lambda own: (
                    sum(a == b for e in earlier for a, b in zip(own, e, strict=True)),
                    sum(own) if attempt < 0 else 0,
                ),
            )
            lengths = {**example, **dict(zip(free, primes, strict=True))}
            if lengths not in refused and self.fits(lengths, seed):
                return lengths
            # A length that belongs to another, for a reason that the steps do not show, is found by trying.
            merged = self._merged(lengths, free, example)
            if merged is not None and merged not in refused and self.fits(merged, seed):
                return merged
        return self._one_by_one(free, example, random, seed, refused)

    def _merged(
        self, lengths: Mapping[Symbol, int], free: Sequence[Symbol], example: Mapping[Symbol, int]
    ) -> dict[Symbol, int] | None:
        first: dict[int, int] = {}
        merged = {**lengths, **{s: first.setdefault(example[s], lengths[s]) for s in free}}
        return None if merged == dict(lengths) else merged

    def _one_by_one(
        self,
        free: Sequence[Symbol],
        example: Mapping[Symbol, int],
        random: np.random.Generator,
        seed: int,
        refused: Sequence[Mapping[Symbol, int]],
    ) -> dict[Symbol, int] | None:
        lengths = dict(example)
        groups: list[list[Symbol]] = [[s] for s in free]
        for n in dict.fromkeys(example[s] for s in free):
            same = [s for s in free if example[s] == n]
            if len(same) > 1:
                groups.append(same)
        changed: set[Symbol] = set()
        for group in groups:
            if changed & set(group):
                continue
            n = example[group[0]]
            taken = set(lengths.values())
            primes = [p for p in looping.PRIMES[1:] if p not in taken]
            for length in [*primes[:2], 2 * n if n < 10 else 0, 3 * n if n < 7 else 0, n // 2 if n > 12 else 0]:
                if length > 1:
                    tried = {**lengths, **dict.fromkeys(group, length)}
                    if tried not in refused and self.fits(tried, seed):
                        lengths = tried
                        changed.update(group)
                        break
        return lengths if changed else None

    def fits(self, lengths: Mapping[Symbol, int], seed: int) -> bool:
        """Whether the function runs with arrays of these lengths, and gives numbers."""
        try:
            result = self.forward(self.forward.with_leaves(self.values(lengths, np.random.default_rng(seed))))
        except _ERRORS:
            return False
        return _is_numbers(result)

    def is_comparable(self, program: Program, forward_steps: int) -> bool:
        """Whether what the function makes on other lengths stands to it as in the example.

        Where a slice happens to have one item, it is broadcast, and the function computes something that was not meant.
        """
        known = looping.single_axes(self.program, self._own_steps())
        drawn = looping.single_axes(program, forward_steps)
        return all(
            not (single and key in known) or single in known[key] for key, own in drawn.items() for single in own
        )

    def _own_steps(self) -> int:
        return len(self.program.steps) if self.forward_steps is None else self.forward_steps

    # ---- values

    def values(self, lengths: Mapping[Symbol, int] | None, random: np.random.Generator, how: str = "") -> list[Any]:
        """The leaves of a draw.

        Args:
            lengths: of the axes; those of the example if not given.
            random: what they are drawn with.
            how: ``"near"`` for values near those of the example, ``"whole"`` for small whole numbers (ties and kinks),
                ``"wide"`` for either sign, ``"wider"`` of arrays too, ``"positive"``, ``"high"``, ``"low"`` far away.
        """
        found: list[Any] = []
        for n, leaf in enumerate(self.forward.leaves):
            x = leaf.value
            if isinstance(x, np.ndarray):
                shape = tuple(
                    lengths.get(self.lengths[n, k], length) if lengths and (n, k) in self.lengths else length
                    for k, length in enumerate(x.shape)
                )
                found.append(self._array(n, x, shape, lengths, random, how))
            elif leaf.name in self.wrt and isinstance(x, float | np.floating):
                factor = 3.0 * random.standard_cauchy() if how.startswith("wide") else random.uniform(0.6, 1.4)
                found.append(type(x)(x * factor) if x else type(x)(random.normal()))
            else:
                found.append(x)
        return found

    def _array(
        self,
        leaf: int,
        x: np.ndarray[Any, Any],
        shape: tuple[int, ...],
        lengths: Mapping[Symbol, int] | None,
        random: np.random.Generator,
        how: str,
    ) -> np.ndarray[Any, Any]:
        role = role_of(x)
        if role == "indices":
            return random.integers(0, self._range(leaf, x, lengths), shape).astype(x.dtype)
        drawn = _values(role, x, shape, random, how)
        if how in ("high", "low") and leaf == self._first():
            # Far out, but near each other: what is subtracted for safety must be near them too.
            drawn = drawn + np.asarray(1000.0 if how == "high" else -1000.0).astype(x.dtype)
        return drawn

    def _first(self) -> int:
        """The first array that is differentiated."""
        arrays = [n for n, leaf in enumerate(self.forward.leaves) if leaf.name in self.wrt and np.ndim(leaf.value)]
        return arrays[0] if arrays else -1

    def _range(self, leaf: int, x: np.ndarray[Any, Any], lengths: Mapping[Symbol, int] | None) -> int:
        """How many things an array of indices may name."""
        largest = int(x.max())
        if lengths is None:
            lengths = self.example_lengths()
        symbol = self.indexed.get(leaf)
        if symbol is not None and symbol in lengths:
            return lengths[symbol]
        if leaf in self.indexed:
            return largest + 1
        example = self.example_lengths()
        fitting = [lengths[s] for s, n in example.items() if n > largest and s in lengths]
        return max(1, min(largest + 1, *fitting)) if fitting else largest + 1

    def draw(self, label: str, lengths: Mapping[Symbol, int] | None, seed: int, how: str = "") -> Draw | None:
        """A draw with a cotangent of its own; ``None`` where the function gives no numbers on what was tried."""
        for attempt, way in enumerate([how, "positive", "near"] if not how else [how]):
            if way == "near" and lengths is not None:
                break
            random = np.random.default_rng([seed, attempt])
            arguments = self.forward.with_leaves(self.values(lengths, random, way))
            try:
                result = self.forward(arguments) if not how.startswith("wide") else as_float(self.forward(arguments))
            except _ERRORS:
                continue
            if _is_numbers(result):
                return Draw(arguments, self.cotangent(result, random), label, seed)
        return None

    def cotangent(self, result: Any, random: np.random.Generator) -> Any:
        """A cotangent of a result."""
        return cotangent_for(result, random, self.takes_cotangent)

    def common_length(self, parameters: Collection[str]) -> str:
        """How the length is written that all arrays but the parameters have; empty where it is not one alone."""
        axes: dict[int, set[Symbol]] = {}
        for (leaf, _), symbol in self.lengths.items():
            axes.setdefault(leaf, set()).add(symbol)
        of_parameters = {k for k in axes if self.forward.leaves[k].name in parameters}
        data = [symbols for k, symbols in axes.items() if k not in of_parameters]
        shared = set.intersection(*data) if len(data) > 1 else set()
        shared -= {ONE, *(symbol for k in of_parameters for symbol in axes[k])}
        first = {symbol: place for place, symbol in reversed(self.lengths.items())}
        named = [f"{self.forward.leaves[leaf].name}.shape[{axis}]" for leaf, axis in (first[s] for s in shared)]
        return named[0] if len(named) == 1 else ""

    def named_lengths(self, draw: Draw) -> dict[str, int]:
        """The lengths of the axes on a draw, by how they are written: ``X.shape[0]``."""
        values = self.forward.leaves_of(draw.arguments)
        found: dict[str, int] = {}
        seen: set[Symbol] = set()
        for (leaf, axis), symbol in self.lengths.items():
            if symbol not in seen and symbol != ONE:
                seen.add(symbol)
                found[f"{self.forward.leaves[leaf].name}.shape[{axis}]"] = np.shape(values[leaf])[axis]
        if not isinstance(draw.cotangent, tuple):
            found.update((f"grad_output.shape[{axis}]", n) for axis, n in enumerate(np.shape(draw.cotangent)) if n > 1)
        return found


def _indexed(
    program: Program,
    numbers: Mapping[int, int],
    places: Mapping[int, int],
    ties: Mapping[tuple[int, int], Symbol],
) -> dict[int, Symbol]:
    """For each leaf that is used as indices the symbol of the axis that it indexes."""
    symbols = whole_symbols(program)
    roots = looping.roots_of(program, ties)
    found: dict[int, Symbol] = {}
    for step in program.steps:
        index = step.params.get("index")
        if not isinstance(index, Index):
            continue
        split = 1 if step.operation.name == "getitem" else 2
        arrays = step.inputs[split:]
        own = symbols.get(step.inputs[0])
        for axis, place in holes_of(index, arrays):
            x = arrays[place]
            if isinstance(x, Var) and x.number in numbers and x.dtype.kind in "iu" and axis < len(own):
                found[numbers[x.number]] = roots.get(own[axis], own[axis])
    return found


def _values(
    role: str, x: np.ndarray[Any, Any], shape: tuple[int, ...], random: np.random.Generator, how: str
) -> np.ndarray[Any, Any]:
    drawn: Any
    if role == "fixed":
        return np.resize(x, shape) if x.shape != shape else x.copy()
    if role == "boolean":
        return random.random(shape) < 0.6
    if role == "permutation":
        return random.permutation(shape[0]).astype(x.dtype)
    if role == "integers":
        return random.integers(int(x.min()), int(x.max()) + 1, shape).astype(x.dtype)
    if role == "one hot":
        drawn = np.eye(shape[-1])[random.integers(0, shape[-1], shape[:-1])]
    elif role == "zeros and ones":
        drawn = (random.random(shape) < 0.6).astype(float)
    elif role == "signs":
        drawn = np.where(random.random(shape) < 0.5, -1.0, 1.0)
    elif role == "probabilities":
        drawn = random.uniform(0.2, 1.2, shape)
        drawn = drawn / drawn.sum(axis=-1, keepdims=True)
    elif role == "fractions":
        drawn = random.uniform(0.1, 0.9, shape)
    elif role in ("positive definite", "symmetric"):
        base = random.standard_normal(shape)
        drawn = base @ base.T / shape[0] + np.eye(shape[0]) if role == "positive definite" else base + base.T
    elif how == "near":
        drawn = x * (1.0 + 0.05 * random.standard_normal(shape))
    elif how == "whole":
        drawn = random.integers(1, 3, shape) if role == "positive" else random.integers(-1, 2, shape)
    elif (role == "positive" and how != "wider") or how == "positive":
        drawn = random.uniform(0.5, 1.8, shape)
    else:
        drawn = random.standard_normal(shape)
    if x.dtype.kind == "c":
        drawn = drawn + 1j * random.standard_normal(shape)
    return np.asarray(drawn).astype(x.dtype)


def floats_in(result: Any) -> Iterator[Any]:
    """The arrays and numbers of a result that are differentiated, in order."""
    items = result if isinstance(result, tuple | list) else result.values() if isinstance(result, dict) else (result,)
    for x in items:
        if isinstance(x, tuple | list | dict):
            yield from floats_in(x)
        elif np.asarray(x).dtype.kind in "fc":
            yield x


def _is_numbers(result: Any) -> bool:
    found = list(floats_in(result))
    return bool(found) and all(np.size(x) and np.all(np.isfinite(x)) for x in found)


def cotangent_for(result: Any, random: np.random.Generator, free: bool = True) -> Any:
    """A cotangent without special values for a result: 1.0 for a real number, a tuple for several arrays.

    Args:
        result: what the forward function returned.
        random: what it is drawn with.
        free: whether it may be any; else it is that of the sum of the result.
    """
    items = list(floats_in(result))
    if len(items) == 1:
        x = np.asarray(items[0])
        if x.ndim == 0 and x.dtype.kind == "f":
            return 1.0
        return _drawn(x, random) if free else np.ones_like(x)
    return tuple(_drawn(np.asarray(x), random) if free else np.ones_like(x) for x in items)


def example_of(forward: Forward, takes_cotangent: bool, seed: int) -> Draw:
    """The user's own arguments, with a cotangent."""
    result = forward(forward.arguments)
    cotangent = cotangent_for(result, np.random.default_rng(seed), takes_cotangent)
    return Draw(forward.arguments, cotangent, "example", seed)


def _drawn(x: np.ndarray[Any, Any], random: np.random.Generator) -> Any:
    drawn: Any = random.standard_normal(x.shape)
    drawn = np.asarray(np.where(np.abs(drawn) < 0.05, 0.3, drawn))
    if x.dtype.kind == "c":
        drawn = drawn + 1j * random.standard_normal(x.shape)
    return drawn.astype(x.dtype)[()]
