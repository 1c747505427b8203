"""Random programs over a few arrays that broadcast with each other, written out as source in three dialects.

A program is drawn one statement at a time and run in NumPy meanwhile, so that every statement fits the shapes at hand,
stays finite and keeps clear of kinks and ties.  A failing program prints as a NumPy function that can be pasted.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .forms import FORMS, Form, fits

LARGEST = 50.0

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Statement:
    """A form with its operands and what was drawn for it."""

    form: Form
    out: str
    names: tuple[str, ...]
    fields: dict[str, Any]

    def lines(self, dialect: str) -> list[str]:
        """The statement's lines in a dialect."""
        return self.form.write(dialect, self.out, self.names, self.fields)


_numbers = count()


@dataclass(frozen=True)
class RandomProgram:
    """Inputs and statements; the result is a scalar in which every value that nobody used takes part."""

    inputs: Arrays
    statements: tuple[Statement, ...]

    def source(self, dialect: str = "numpy") -> str:
        """The program as a function ``f`` in a dialect."""
        prefix = {"numpy": "np", "jax": "jnp", "torch": "torch"}[dialect]
        names = [f"x{k}" for k in range(len(self.inputs))]
        lines = [line for statement in self.statements for line in statement.lines(dialect)]
        used = {name for statement in self.statements for name in statement.names}
        loose = [name for name in [*names, *(statement.out for statement in self.statements)] if name not in used]
        result = " + ".join(f"{prefix}.sin({name}).sum()" for name in loose)
        body = "\n".join("    " + line for line in [*lines, f"return {result}"])
        return f"def f({', '.join(names)}):\n{body}\n"

    def function(self, dialect: str = "numpy", **namespace: Any) -> Callable[..., Any]:
        """The program, ready to be called; its source can be found as that of any function."""
        source = self.source(dialect)
        file = f"<random program {next(_numbers)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), namespace)
        return namespace["f"]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # What hypothesis shows of a failing example.
        inputs = "".join(
            f"x{k} = np.array({x.tolist()}, order={'C' if x.flags.c_contiguous else 'F'!r})\n"
            for k, x in enumerate(self.inputs)
        )
        printer.text(f"\n{inputs}\n{self.source()}")


def partners(kind: str, x: np.ndarray, values: dict[str, np.ndarray]) -> list[str]:
    """The names of the values that can stand beside ``x``."""

    def suits(y: np.ndarray) -> bool:
        match kind:
            case "broadcasting":
                return fits(x, y) or fits(y, x)
            case "same":
                return x.ndim > 0 and x.shape == y.shape
            case "matmul" | "dot" | "tensordot":
                inner = 0 if kind == "tensordot" else max(y.ndim - 2, 0)
                if not (x.ndim and y.ndim and x.shape[-1] == y.shape[inner]):
                    return False
                return kind != "matmul" or x.shape[:-2] == y.shape[:-2] or min(x.ndim, y.ndim) <= 2
            case _:
                return True

    return [name for name, y in values.items() if suits(y)]


@st.composite
def statements(draw: Any, form: Form, values: dict[str, np.ndarray]) -> tuple[Statement, np.ndarray] | None:
    """A statement of that form over the values at hand, and its value; ``None`` where a draw does not fit."""
    first = draw(st.sampled_from(list(values)))
    names = (first,)
    if form.operands != "any":
        found = partners(form.operands, values[first], values)
        if not found:
            return None
        names = (first, draw(st.sampled_from(found)))
    arrays = [values[name] for name in names]
    fields = form.fill(draw, *arrays)
    if fields is None or not form.smooth(*arrays, **fields):
        return None
    statement = Statement(form, f"v{len(values)}", names, fields)
    namespace = {"np": np, **values}
    exec("\n".join(statement.lines("numpy")), namespace)
    value = np.asarray(namespace[statement.out])
    if not 0 < value.size <= 64 or value.ndim > 4 or not np.all(np.abs(value) < LARGEST):
        return None
    return statement, value


# Each row holds shapes that work together; there are few lengths, so that JAX compiles each operation only once.
SHAPES = (
    ((2, 3), (3,), (2, 1)),
    ((3, 2), (2, 3), (2,)),
    ((2, 1, 3), (3, 3), (1, 3)),
    ((3,), (3,), ()),
    ((2, 2, 3), (2, 3, 2), (2,)),
)


@st.composite
def programs(draw: Any, length: int = 8, containing: Form | None = None) -> RandomProgram:
    """A random program of at most ``length`` statements, one of which is of the form ``containing``."""
    shapes = draw(st.sampled_from(SHAPES))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = draw(st.sampled_from("CF"))
    inputs = tuple(np.array(generator.uniform(-1.5, 1.5, shape), order=order) for shape in shapes)
    values = {f"x{k}": x for k, x in enumerate(inputs)}
    forms = draw(st.lists(st.sampled_from(FORMS), min_size=1, max_size=length))
    if containing is not None:
        forms.insert(draw(st.integers(0, len(forms))), containing)
    lines = []
    for form in forms:
        drawn = draw(statements(form, values))
        if drawn is not None:
            statement, values[statement.out] = drawn
            lines.append(statement)
    assume(lines if containing is None else any(line.form is containing for line in lines))
    return RandomProgram(inputs, tuple(lines))
