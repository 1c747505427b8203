# ruff: noqa: E501
"""Random NumPy functions as source text: expressions over arrays of named lengths, statements, writes and loops.

``program(seed)`` is the text of a function and the shapes of its arguments in lengths ``n``, ``d`` and ``k``, so that
the same function runs for other lengths.
"""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ARGUMENTS", "Made", "arguments", "function_of", "program"]

Shape = tuple[str, ...]
ARGUMENTS: dict[str, Shape] = {
    "X": ("n", "d"), "Y": ("n", "d"), "W": ("d", "k"), "U": ("n", "k"), "A": ("d", "d"), "C": ("k", "k"),
    "v": ("n",), "w": ("d",), "b": ("k",), "s": (), "T": ("n", "d", "k"), "labels": ("n",), "rows": ("n",),
}  # fmt: skip
_INTEGER = {"labels", "rows"}
_ELEMENTWISE = [
    "np.tanh({})", "np.sin({})", "np.exp(np.tanh({}))", "{} ** 2", "np.square({})", "np.abs({})", "np.maximum({}, 0)",
    "np.minimum(0, {})", "-{}", "np.sqrt({} ** 2 + 1)", "1 / (1 + np.exp(-{}))", "np.log(1 + np.exp({}))",
    "np.log1p(np.exp({}))", "np.log1p(np.exp(-np.abs({0}))) + np.maximum({0}, 0)", "np.logaddexp(0, {})", "np.clip({}, -1, 1)",
    "np.where({0} > 0, {0}, 0.1 * {0})", "np.where({0} > 0, {0}, np.exp(np.minimum({0}, 0)) - 1)", "({0} > 0) * {0}",
    "{} / 2", "3 * {}", "{} - 1", "1 - {}", "{} ** 3", "np.sign({0}) * {0}", "np.cos({}) ** 2", "np.arctan({})",
    "np.exp({0} - np.maximum({0}, 1))", "0.5 * (1 + np.tanh({} / 2))", "{0} / (1 + np.abs({0}))",
    "np.where({0} >= 0, 1 / (1 + np.exp(-np.abs({0}))), np.exp(-np.abs({0})) / (1 + np.exp(-np.abs({0}))))",
    "np.exp({0}) / (1 + np.exp({0}))", "1 / (1 + np.exp({}))", "{0} * (1 / (1 + np.exp(-{0})))",
    "np.where(np.abs({0}) < 1, 0.5 * {0} ** 2, np.abs({0}) - 0.5)", "np.sinc({})", "np.expm1(np.sin({}))",
    "1 / (2 + np.exp(-{}))", "1 / (1 - 3 * np.exp(-np.abs({})) - 3)", "np.tanh({0}) * (1 - np.tanh({0}))",
    "np.heaviside({0}, 0.5) * {0}", "np.sqrt(np.abs({}) + 1)", "np.cbrt(2 + np.cos({}))", "np.cosh(np.sin({}))",
    "np.reciprocal(2 + np.sin({}))", "np.positive({})", "np.float_power(2 + np.sin({}), 1.5)", "np.exp2(np.sin({}))",
    "np.where({0} > 1, {0}, {0} ** 2)", "np.where({0} < 0, 0.0, 1.0) * {0}", "np.maximum({0}, -{0})", "np.maximum({0}, 0.2 * {0})",
]  # fmt: skip
_POSITIVE = [
    "({} ** 2 + 0.5)", "np.exp(np.sin({}))", "(np.abs({}) + 1)", "(1 + np.exp(-{} ** 2))", "(2 + np.tanh({}))",
    "np.sqrt(1 + {0} * {0})", "np.log(3 + {} ** 2)",
]  # fmt: skip
_OF_POSITIVE = [
    "np.log({})",
    "np.sqrt({})",
    "1 / {}",
    "{} ** -0.5",
    "{} ** 1.5",
    "{} ** -2",
    "1 / np.sqrt({})",
    "np.log({}) ** 2",
]
_BINARY = [
    "{} + {}", "{} - {}", "{} * {}", "{} * {}", "np.maximum({}, {})", "np.minimum({}, {})", "np.where({1} > 0, {0}, {1})",
    "np.where({0} > {1}, {0} * {1}, {1})", "({} + {}) ** 2", "({0} - {1}) * ({0} + {1})", "np.hypot({}, 2 + np.cos({}))",
    "np.multiply({}, {})", "np.subtract({}, {})", "np.logaddexp({}, {})", "({} <= {}) * 2.0", "np.arctan2({}, 2 + np.sin({}))",
    "{} * np.tanh({})", "{} - 0.5 * {}", "np.add({}, {}) / 2", "({0} > {1}) * {0} + ({0} <= {1}) * {1}",
]  # fmt: skip
_REDUCTIONS = [
    "{x}.sum(axis={a}{k})", "np.sum({x}, axis={a}{k})", "{x}.mean(axis={a}{k})", "np.mean({x}, {a}{k})", "{x}.max(axis={a}{k})",
    "{x}.min(axis={a}{k})", "{x}.var(axis={a}{k})", "np.std({x}, axis={a}{k})", "np.linalg.norm({x}, axis={a}{k})",
    "np.log(np.exp({x}).sum(axis={a}{k}))", "np.sqrt(({x} ** 2).sum(axis={a}{k}))", "np.sqrt(({x} ** 2).mean(axis={a}{k}) + 1)",
    "np.logaddexp.reduce({x}, axis={a}{k})", "np.abs({x}).sum(axis={a}{k})", "(({x} > 0) * {x}).sum(axis={a}{k})",
    "np.add.reduce({x}, axis={a}{k})", "np.amax({x}, axis={a}{k})", "np.prod(np.cos({x}), axis={a}{k})",
    "np.linalg.norm({x}, ord=1, axis={a}{k})", "np.average({x}, axis={a}{k})", "np.mean(np.square({x}), axis={a}{k})",
]  # fmt: skip
_KEPT = [
    "({x} - {x}.mean(axis={a}, keepdims=True))", "({x} - {x}.mean(axis={a}, keepdims=True)) / np.sqrt({x}.var(axis={a}, keepdims=True) + 1e-2)",
    "np.exp({x}) / np.exp({x}).sum(axis={a}, keepdims=True)",
    "np.exp({x} - {x}.max(axis={a}, keepdims=True)) / np.exp({x} - {x}.max(axis={a}, keepdims=True)).sum(axis={a}, keepdims=True)",
    "{x} - np.log(np.exp({x}).sum(axis={a}, keepdims=True))", "{x} / np.sqrt(1 + ({x} ** 2).sum(axis={a}, keepdims=True))",
    "{x} / np.linalg.norm({x}, axis={a}, keepdims=True)", "{x} - {x}.max(axis={a}, keepdims=True)", "{x}.cumsum(axis={a})",
    "np.flip({x}, axis={a})", "np.roll({x}, 1, axis={a})", "np.where({x} == {x}.max(axis={a}, keepdims=True), {x}, 0)",
    "{x} * {x}.shape[{a}]", "{x} / {x}.shape[{a}]", "np.sort({x}, axis={a})", "{x} * {x}.sum(axis={a}, keepdims=True)",
    "{x} + ({x} > {x}.mean(axis={a}, keepdims=True))", "np.cumsum({x}, {a})", "np.flip(np.cumsum(np.flip({x}, {a}), {a}), {a})",
]  # fmt: skip


@dataclass
class Made:
    """The text of a function ``f``, and its arguments."""

    lines: list[str]
    returned: str
    names: list[str] = field(default_factory=list)

    def text(self) -> str:
        body = "\n".join("    " + line for line in self.lines)
        return f"def f({', '.join(self.used())}):\n{body}\n    return {self.returned}\n"

    def used(self) -> list[str]:
        words = set(re.findall(r"\w+", "\n".join([*self.lines, self.returned])))
        return [name for name in ARGUMENTS if name in words]


class Generator:
    """Draws expressions of a wanted shape from the variables that there are."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.pool: dict[str, Shape] = {x: s for x, s in ARGUMENTS.items() if x not in _INTEGER}
        self.lines: list[str] = []
        self.fresh: list[str] = []

    def pick(self, options: Any) -> Any:
        options = list(options)
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def name(self) -> str:
        return f"t{sum(line.count('=') for line in self.lines)}_{len(self.lines)}"

    def length(self, symbol: str) -> str:
        spelled = {
            "n": ["len(X)", "X.shape[0]", "v.size", "len(v)"],
            "d": ["X.shape[1]", "W.shape[0]", "w.size"],
            "k": ["W.shape[1]", "len(b)", "b.shape[0]"],
            "1": ["1"],
        }
        return str(self.pick(spelled[symbol]))

    def leaf(self, shape: Shape) -> str:
        exact = [x for x, s in self.pool.items() if s == shape]
        late = [x for x in exact if x in self.fresh]
        if late and self.chance(0.6):
            return str(self.pick(late))
        if exact:
            return str(self.pick(exact))
        if "1" in shape:
            place = shape.index("1")
            inner = self.leaf(shape[:place] + shape[place + 1 :])
            index = ", ".join("None" if i == place else ":" for i in range(len(shape)))
            return f"{inner}[{index}]"
        if shape[::-1] in self.pool.values():
            return f"{self.leaf(shape[::-1])}.T"
        if len(shape) == 2:
            vector = self.leaf(shape[:1])
            return f"np.outer({vector}, {self.leaf(shape[1:])})"
        lengths = ", ".join(self.length(x) for x in shape)
        return f"np.broadcast_to({self.leaf(shape[-1:])}, ({lengths}))"

    def smaller(self, shape: Shape) -> Shape:
        draw = self.rng.random()
        if draw < 0.45 or not shape:
            return shape
        if draw < 0.65:
            return shape[1:]
        if draw < 0.75:
            return ()
        place = int(self.rng.integers(len(shape)))
        return (*shape[:place], "1", *shape[place + 1 :])

    def expression(self, shape: Shape, depth: int) -> str:
        if depth <= 0 or self.chance(0.08):
            return self.leaf(shape)
        options = [self.unary, self.unary, self.binary, self.binary, self.binary, self.ratio, self.reduce, self.reduce]
        if len(shape) >= 1:
            options += [self.kept, self.kept, self.moved, self.indexed]
        if shape in ((), ("n", "k"), ("k",), ("n",), ("d", "k"), ("d", "d"), ("k", "k"), ("n", "d"), ("d",)):
            options += [self.product, self.product]
        if shape in ((), ("d", "k"), ("d", "d"), ("n", "d"), ("d",)):
            options += [self.linear]
        return str(self.pick(options)(shape, depth - 1))

    def operand(self, shape: Shape, depth: int) -> str:
        """An expression that may stand before a dot, an index or an operator."""
        text = self.expression(shape, depth)
        return text if re.fullmatch(r"\w+", text) else f"({text})"

    def unary(self, shape: Shape, depth: int) -> str:
        if self.chance(0.25):
            return str(self.pick(_OF_POSITIVE)).format(self.positive(shape, depth))
        return str(self.pick(_ELEMENTWISE)).format(self.operand(shape, min(depth, 1)))

    def positive(self, shape: Shape, depth: int) -> str:
        return str(self.pick(_POSITIVE)).format(self.operand(shape, min(depth, 1)))

    def binary(self, shape: Shape, depth: int) -> str:
        parts = [self.operand(shape, depth), self.operand(self.smaller(shape), depth - 1)]
        if self.chance(0.5):
            parts.reverse()
        return str(self.pick(_BINARY)).format(*parts)

    def ratio(self, shape: Shape, depth: int) -> str:
        return f"{self.operand(shape, depth)} / {self.positive(self.smaller(shape), depth - 1)}"

    def reduce(self, shape: Shape, depth: int) -> str:
        if "1" in shape:
            place = shape.index("1")
            wider: Shape = (*shape[:place], self.pick("nd"), *shape[place + 1 :])
            return str(self.pick(_REDUCTIONS)).format(
                x=self.operand(wider, depth - 1), a=self.axis(place, len(shape)), k=", keepdims=True"
            )
        if len(shape) == 3:
            return self.kept(shape, depth)
        if not shape and self.chance(0.5):
            wider = self.pick([("n", "d"), ("d", "k"), ("n",), ("n", "d", "k"), ("d", "d")])
            form = self.pick(
                [
                    "{}.sum()",
                    "{}.mean()",
                    "np.linalg.norm({})",
                    "{}.max()",
                    "np.var({})",
                    "np.sqrt(np.sum({} ** 2))",
                    "np.log(np.sum(np.exp({})))",
                    "np.std({})",
                    "np.sum(np.abs({}))",
                    "np.mean({0} * {0})",
                ]
            )
            return str(form).format(self.operand(wider, depth))
        place = int(self.rng.integers(len(shape) + 1))
        wider = (*shape[:place], self.pick("ndk"), *shape[place:])
        axis = self.axis(place, len(wider))
        if len(shape) == 1 and self.chance(0.2):
            other = self.pick(["nd", "dk"])
            wider, axis = (*shape, *other), "(1, 2)"
        form = self.pick(_REDUCTIONS)
        if axis.startswith("("):
            form = self.pick(_REDUCTIONS[:8])
        return str(form).format(x=self.operand(wider, depth - 1), a=axis, k="")

    def axis(self, place: int, rank: int) -> str:
        return str(place - rank if self.chance(0.4) else place)

    def kept(self, shape: Shape, depth: int) -> str:
        place = int(self.rng.integers(len(shape)))
        return str(self.pick(_KEPT)).format(x=self.operand(shape, min(depth, 1)), a=self.axis(place, len(shape)))

    def moved(self, shape: Shape, depth: int) -> str:
        x = self.operand(shape, depth)
        lengths = ", ".join(self.length(s) for s in shape)
        forms = [
            f"{x}.reshape(-1).reshape({lengths})", f"np.concatenate([{x}[:1], {x}[1:]])", f"{x}[::-1]",
            f"np.concatenate([{x}[1:], {x}[:1]])", f"np.stack([{x}, {self.operand(shape, depth - 1)}]).{self.pick(['sum', 'mean', 'max'])}(axis=0)",
            f"np.concatenate([{x}, {self.operand(shape, 0)}], axis=0)[:{self.length(shape[0])}]", f"np.atleast_1d({x})",
            f"{x}.reshape(*{x}.shape)", f"np.broadcast_to({x}, ({lengths},))", f"{x}.copy()", f"np.where(np.arange({self.length(shape[0])}) > 0, {x}.T, 0).T",
            f"np.diff({x}, axis=0, prepend=0)", f"np.pad({x}, [(1, 1)] + [(0, 0)] * {len(shape) - 1})[1:-1]", f"np.split({x}, [1])[0] * {x}",
            f"{x} * {x}[0]", f"{x} - {x}[-1:]", f"np.append({x}[:-1], {x}[-1:], axis=0)",
        ]  # fmt: skip
        if len(shape) == 2:
            y = self.operand(shape[::-1], depth)
            forms += [
                f"{y}.T",
                f"np.transpose({y})",
                f"np.swapaxes({y}, 0, 1)",
                f"np.hstack([{x}, {x}])[:, {self.length(shape[1])}:]",
                f"np.vstack([{x}, {x}[:1]])[1:]",
            ]
        if shape == ("n", "k"):
            forms += [
                f"{self.operand(('n', 'd', 'k'), depth)}[:, 0]",
                f"{self.operand(('n', 'd', 'k'), depth)}[:, -1, :]",
            ]
        return str(self.pick(forms))

    def indexed(self, shape: Shape, depth: int) -> str:
        if shape == ("n",):
            forms = [
                f"{self.operand(('k',), depth)}[labels]",
                f"{self.operand(('n', 'k'), depth)}[np.arange({self.length('n')}), labels]",
                f"{self.operand(('n',), depth)}[rows]",
                f"{self.operand(('n', 'd'), depth)}[:, 0]",
                f"{self.operand(('n', 'd'), depth)}[rows, -1]",
                f"np.take({self.operand(('k',), depth)}, labels)",
                f"np.take_along_axis({self.operand(('n', 'k'), depth)}, labels[:, None], axis=1)[:, 0]",
            ]
        elif shape == ("n", "d"):
            forms = [
                f"{self.operand(shape, depth)}[rows]",
                f"{self.operand(('d', 'k'), depth)}[:, labels].T",
                f"{self.operand(('k', 'd'), depth)}[labels]",
                f"{self.operand(('n', 'd', 'k'), depth)}[np.arange({self.length('n')}), :, labels]",
                f"np.eye({self.length('k')})[labels] @ {self.operand(('k', 'd'), depth)}",
            ]
        elif shape == ("n", "k"):
            forms = [
                f"np.eye({self.length('k')})[labels] * {self.operand(shape, depth)}",
                f"{self.operand(('k', 'k'), depth)}[labels]",
                f"(labels[:, None] == np.arange({self.length('k')})) * {self.operand(shape, depth)}",
                f"{self.operand(shape, depth)}[rows]",
            ]
        elif shape == ("d",):
            forms = [
                f"np.diag({self.operand(('d', 'd'), depth)})",
                f"{self.operand(('n', 'd'), depth)}[0]",
                f"{self.operand(('d', 'd'), depth)}[np.arange({self.length('d')}), np.arange({self.length('d')})]",
                f"{self.operand(('n', 'd'), depth)}[-1]",
                f"{self.operand(('d', 'k'), depth)}[:, -1]",
                f"np.diagonal({self.operand(('d', 'd'), depth)})",
            ]
        elif shape == ("d", "d"):
            forms = [
                f"np.diag({self.operand(('d',), depth)})",
                f"np.tril({self.operand(shape, depth)})",
                f"np.triu({self.operand(shape, depth)}, 1)",
                f"{self.operand(shape, depth)} * np.eye({self.length('d')})",
                f"np.eye({self.length('d')}) + {self.operand(shape, depth)}",
            ]
        else:
            return self.binary(shape, depth)
        return str(self.pick(forms))

    def product(self, shape: Shape, depth: int) -> str:
        inner = self.pick("ndk")
        if shape == ():
            x, y = self.operand((inner,), depth), self.operand((inner,), depth)
            m = self.operand((inner, inner), depth) if inner != "n" else f"np.outer({x}, {y})"
            return str(
                self.pick(
                    [
                        f"{x} @ {y}",
                        f"np.dot({x}, {y})",
                        f"{x} @ {m} @ {x}",
                        f"np.einsum('i,i->', {x}, {y})",
                        f"np.trace({m} @ {m})",
                        f"np.inner({x}, {y})",
                        f"np.vdot({x}, {y})",
                        f"np.sum({m} * {m}.T)",
                        f"np.einsum('ij,ij->', {m}, {m})",
                        f"np.einsum('i,ij,j', {x}, {m}, {y})",
                    ]
                )
            )
        if len(shape) == 1:
            other = self.pick("ndk")
            x, y, m = (
                self.operand((*shape, other), depth),
                self.operand((other,), depth),
                self.operand((other, *shape), depth),
            )
            return str(
                self.pick(
                    [
                        f"{x} @ {y}",
                        f"{x}.dot({y})",
                        f"{y} @ {m}",
                        f"np.einsum('ij,j->i', {x}, {y})",
                        f"({x} * {m}.T).sum(axis=1)",
                        f"np.einsum('ij,ji->i', {x}, {m})",
                        f"np.einsum('ij,ij->i', {x}, {x})",
                        f"{m}.T @ {y}",
                        f"np.tensordot({y}, {m}, 1)",
                        f"np.diag({x} @ {m})",
                    ]
                )
            )
        a, c = shape
        x, y = self.operand((a, inner), depth), self.operand((inner, c), depth)
        forms = [
            f"{x} @ {y}",
            f"np.dot({x}, {y})",
            f"{x}.dot({y})",
            f"np.einsum('ij,jk->ik', {x}, {y})",
            f"np.matmul({x}, {y})",
            f"np.einsum('ij,jk', {x}, {y})",
            f"({x}[:, :, None] * {y}).sum(axis=1)",
            f"np.tensordot({x}, {y}, axes=1)",
        ]
        if a == c:
            z = self.operand((a, inner), depth)
            forms += [
                f"{z} @ {z}.T",
                f"{z} @ {x}.T",
                f"({z} @ {z}.T + {self.operand(shape, 0)}) / 2",
                f"{x} @ {y} + ({x} @ {y}).T",
                f"np.einsum('ij,kj->ik', {z}, {z})",
                f"{y}.T @ {y}",
            ]
        if shape == ("n", "k"):
            forms += [
                f"np.einsum('ndk,nd->nk', {self.operand(('n', 'd', 'k'), depth)}, {self.operand(('n', 'd'), depth)})",
                f"({self.operand(('n', 'd', 'k'), depth)} * {self.operand(('n', 'd'), depth)}[:, :, None]).sum(1)",
            ]
        return str(self.pick(forms))

    def linear(self, shape: Shape, depth: int) -> str:
        eye = f"np.eye({self.length('d')})"
        half = self.operand(("d", self.pick("dnk")), 0)
        square = self.operand(("d", "d"), 0)
        definite = str(
            self.pick(
                [
                    f"({half} @ {half}.T + 2 * {eye})",
                    f"({square} @ {square}.T + {eye})",
                    f"(3 * {eye} + 0.1 * ({square} + {square}.T))",
                ]
            )
        )
        if self.chance(0.5):
            name = self.name()
            self.statement(name, definite, ("d", "d"))
            definite = name
        general = self.pick([definite, f"({definite} + 0.3 * {square})"])
        if shape == ():
            x = self.operand(("d",), 0)
            return str(
                self.pick(
                    [
                        f"np.linalg.slogdet({general})[1]",
                        f"np.log(np.linalg.det({definite}))",
                        f"{x} @ np.linalg.solve({general}, {x})",
                        f"2 * np.log(np.diag(np.linalg.cholesky({definite}))).sum()",
                        f"np.trace(np.linalg.inv({general}))",
                        f"{x} @ np.linalg.inv({general}) @ {x}",
                        f"np.sum(np.linalg.solve(np.linalg.cholesky({definite}), {x}) ** 2)",
                        f"np.trace(np.linalg.solve({general}, {square}))",
                        f"np.sum(np.log(np.linalg.eigvalsh({definite})))",
                    ]
                )
            )
        if shape == ("d",):
            x = self.operand(("d",), depth)
            return str(
                self.pick(
                    [
                        f"np.linalg.solve({general}, {x})",
                        f"np.linalg.inv({general}) @ {x}",
                        f"np.linalg.solve(np.linalg.cholesky({definite}), {x})",
                        f"{x} @ np.linalg.inv({general})",
                        f"np.diag(np.linalg.cholesky({definite}))",
                        f"np.linalg.cholesky({definite}) @ {x}",
                    ]
                )
            )
        if shape == ("n", "d"):
            return f"{self.operand(shape, depth)} @ np.linalg.inv({general})"
        if shape == ("d", "d"):
            return str(
                self.pick(
                    [
                        f"np.linalg.inv({general})",
                        f"np.linalg.cholesky({definite})",
                        f"np.linalg.solve({general}, {square})",
                        f"np.linalg.inv({general}).T",
                        f"{square} @ np.linalg.inv({definite}) @ {square}.T",
                        f"np.linalg.matrix_power({square} / 3, 3)",
                    ]
                )
            )
        return f"np.linalg.solve({general}, {self.operand(shape, depth)})"

    # ---- statements

    def statement(self, name: str, text: str, shape: Shape) -> None:
        self.lines.append(f"{name} = {text}")
        self.pool[name] = shape
        self.fresh.append(name)

    def add(self) -> None:
        shape = self.pick(
            [
                (),
                ("n",),
                ("d",),
                ("k",),
                ("n", "d"),
                ("n", "k"),
                ("d", "k"),
                ("d", "d"),
                ("n", "d"),
                ("n", "k"),
                ("n", "1"),
                ("1", "d"),
                ("k", "k"),
                ("n", "d", "k"),
                ("n", "n"),
            ]
        )
        if self.chance(0.72):
            text = self.expression(shape, self.pick([1, 2, 2, 3]))
            self.statement(self.name(), text, shape)
        elif self.chance(0.5):
            self.write_in_place()
        else:
            self.loop()

    def write_in_place(self) -> None:
        shape = self.pick([("n",), ("n", "d"), ("n", "k"), ("d", "d"), ("d",)])
        name = self.name()
        start = str(
            self.pick(
                [
                    f"{self.operand(shape, 1)} * 1.0",
                    f"np.zeros(({', '.join(map(self.length, shape))},))",
                    f"np.array({self.operand(shape, 1)})",
                    f"np.ones_like({self.leaf(shape)})",
                ]
            )
        )
        self.statement(name, start, shape)
        for _ in range(self.pick([1, 1, 2, 3])):
            x, y = self.operand(shape, 1), self.operand(shape, 0)
            rest, row = f"{y}[1:]", f"{self.operand(shape[1:], 1)}"
            op = self.pick(["=", "+=", "-=", "*="])
            forms = [
                f"{name}[1:] {op} {rest}",
                f"{name}[0] {op} {row}",
                f"{name}[-1] {op} {row}",
                f"{name} {self.pick(['+=', '-=', '*='])} {x}",
                f"{name}[{name} > 0] = 0",
                f"{name}[{y} < 0] {self.pick(['=', '*='])} 2.0",
                f"{name}[::2] {op} {y}[::2]",
                f"{name}[:-1] {self.pick(['+=', '-='])} {rest}",
                f"{name}[:] = {x}",
                f"{name}[{y} > 0] {op} {y}[{y} > 0]",
                f"{name} /= {self.positive(shape, 0)}",
                f"np.maximum({name}, 0, out={name})",
            ]
            if shape[0] == "n":
                forms += [f"{name}[rows] {op} {y}", f"np.add.at({name}, rows, {x})", f"{name}[rows] += {row}"]
            if shape == ("n", "k"):
                forms += [
                    f"{name}[np.arange({self.length('n')}), labels] {op} {self.operand(('n',), 1)}",
                    f"{name}[rows, labels] {op} {self.operand(('n',), 1)}",
                    f"{name}[np.arange({self.length('n')}), labels] -= 1",
                    f"{name}[:, 0] {op} {self.operand(('n',), 0)}",
                    f"{name}[:, 1:] {op} {y}[:, :-1]",
                ]
            if shape == ("d", "d"):
                forms += [
                    f"np.fill_diagonal({name}, 1.0)",
                    f"{name}[np.arange({self.length('d')}), np.arange({self.length('d')})] {op} {self.operand(('d',), 0)}",
                    f"{name}[np.triu_indices({self.length('d')}, 1)] = 0",
                ]
            self.lines.append(str(self.pick(forms)))

    def loop(self) -> None:
        h, shape = self.name(), self.pick([("d",), ("n", "d"), ("n",), ("k",), ()])
        state = self.operand(shape, 1)
        kind = self.pick(["turns", "rows", "zip", "list", "buffer", "counter", "reverse", "enumerate", "columns"])
        pool, fresh = dict(self.pool), list(self.fresh)
        first = str(self.pick([state, f"np.zeros(({', '.join(map(self.length, shape))},))" if shape else "0.0"]))
        self.statement(h, first, shape)
        body = f"np.tanh({self.expression(shape, 2)})" if self.chance(0.6) else self.expression(shape, 1)
        start, self.lines = [line for line in self.lines], self.lines
        update = str(
            self.pick(
                [
                    f"{h} = 0.5 * {h} + {body}",
                    f"{h} = np.tanh({h} + {body})",
                    f"{h} = {h} + {body}",
                    f"{h} += {body}",
                    f"{h} = {h} * np.sin({body})",
                ]
            )
        )
        del start
        if kind == "turns":
            self.lines += [f"for _ in range({self.pick([2, 3, 5])}):", f"    {update}"]
        elif kind == "counter":
            self.lines += [
                f"for i in range({self.pick([3, 4])}):",
                f"    if i {self.pick(['> 0', '< 2', '% 2 == 0', '== 1'])}:",
                f"        {update}",
                *self.pick([[], ["    else:", f"        {h} = {h} * 0.9 - 0.1"]]),
            ]
        elif kind == "rows":
            self.lines += [f"for i in range({self.length('n')}):", f"    {h} = np.tanh({h} + X[i] @ w) + v[i] * {body}"]
        elif kind == "zip":
            self.lines += ["for x, y in zip(X, v):", f"    {h} = 0.7 * {h} + np.sin(x @ w + y) * {body}"]
        elif kind == "reverse":
            self.lines += [
                f"for i in reversed(range({self.length('n')})):",
                f"    {h} = {h} * np.tanh(v[i]) + {body} / (i + 1)",
            ]
        elif kind == "enumerate":
            self.lines += ["for i, x in enumerate(X):", f"    {h} = np.tanh({h} * x[0] + v[i]) + i * {body} / 5"]
        elif kind == "columns":
            self.lines += [
                f"for j in range({self.length('d')}):",
                f"    {h} = np.tanh({h} + X[:, j].sum() * w[j]) * 0.9",
            ]
        elif kind == "list":
            self.lines += [
                f"{h}_all = []",
                f"for i in range({self.length('n')}):",
                f"    {h} = np.tanh({h} * v[i] + (X[i] * w).sum())",
                f"    {h}_all.append({h})",
                f"{h}_stack = np.{self.pick(['stack', 'array'])}({h}_all)",
            ]
            pool[f"{h}_stack"] = ("n", *shape)
            fresh.append(f"{h}_stack")
        else:
            symbol = "n"
            lengths = ", ".join(map(self.length, (symbol, *shape)))
            self.lines += [
                f"{h}_all = np.zeros(({lengths},))",
                f"for i in range({self.length(symbol)}):",
                f"    {h} = np.tanh({h} * v[i] + (X[i] * w).sum()) + {self.leaf(shape)}",
                f"    {h}_all[i] = {h}",
            ]
            pool[f"{h}_all"] = ("n", *shape)
            fresh.append(f"{h}_all")
        pool.update({name: s for name, s in self.pool.items() if len(s) <= 3})
        self.pool, self.fresh = {x: s for x, s in pool.items() if len(s) <= 3}, [*fresh, h]


def program(seed: int, length: int | None = None) -> Made:
    """The random function of a seed."""
    generator = Generator(seed)
    for _ in range(length or generator.pick([1, 2, 3, 4, 5, 6])):
        generator.add()
    last = generator.fresh[-2:] if generator.fresh else ["X"]
    if generator.chance(0.7):
        weights = [
            f"np.sum(np.sin({x}))" if generator.chance(0.4) else f"{x}.sum()" if generator.pool[x] else x for x in last
        ]
        returned = " + ".join(weights)
        if generator.chance(0.3):
            generator.lines.append(f"loss = {returned}")
            returned = "loss"
    else:
        returned = last[-1]
    return Made(generator.lines, returned)


def arguments(made: Made, sizes: dict[str, int], seed: int, kind: str = "normal") -> tuple[Any, ...]:
    """Arguments for these lengths: normal numbers, ``ties`` of a few equal ones, or ``large`` ones."""
    rng = np.random.default_rng(seed)
    lengths = {**sizes, "1": 1}
    found: list[Any] = []
    for name in ARGUMENTS:
        shape = tuple(lengths[s] for s in ARGUMENTS[name])
        if name == "labels":
            x: Any = rng.integers(0, sizes["k"], shape)
        elif name == "rows":
            x = rng.integers(0, sizes["n"], shape)
        elif kind == "ties":
            x = rng.choice([-1.0, 0.0, 0.0, 1.0, 2.0], shape)
        elif kind == "large":
            x = rng.choice([-800.0, 800.0, 0.5, 3.0], shape)
        elif kind == "symmetric":
            x = rng.standard_normal(shape)
            if name in ("A", "C"):
                x = x + x.T
        else:
            x = rng.standard_normal(shape)
        if name in made.used():
            found.append(float(x) if shape == () else np.asarray(x))
    return tuple(found)


def function_of(made: Made) -> Any:
    """The function, executed from its text, which tracebacks and tracing can read."""
    text = "import numpy as np\n\n\n" + made.text()
    filename = f"<random program {abs(hash(text))}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {}
    exec(compile(text, filename, "exec"), namespace)
    return namespace["f"]
