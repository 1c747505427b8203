"""Derivations put together by hand, for the renderings: what they look like does "
"not wait for what derives them."""

from __future__ import annotations

import numpy as np

from chainrule.explain.derivation import Derivation, Edge, Line, Local, Node, Part, Route
from chainrule.explain.formula import (
    Add,
    Compare,
    Element,
    Equation,
    Index,
    Multiply,
    Number,
    Partial,
    Power,
    Size,
    Sum,
)
from chainrule.language import message
from examples import network


def _times(*factors):
    return Multiply(factors)


def four_layers() -> Derivation:
    """The network of ``examples/network.py``, derived as a person would on paper."""
    held = {name: value for name, value in vars(network).items() if isinstance(value, np.ndarray | np.floating)}
    n, j = Index("n", 1, "len(X)"), Index("j", 1)
    err = Element("err")
    count = Power(Size(1, "Y.size"), Number(-1))
    gradients = {"Y": 2 * (held["Y"] - held["T"]) / held["Y"].size}
    y, t = Element("Y", (n, j)), Element("T", (n, j))
    miss = Add((y, _times(Number(-1), t)))
    parts = [
        Part(
            "err = ((Y - T) ** 2).mean()",
            48,
            "err",
            (),
            Equation(err, (_times(count, Sum((n, j), Power(miss, Number(2)))),)),
            (Local("Y", Equation(Partial(err, y), (_times(Number(2), miss, count),))),),
            (
                Route(
                    "Y",
                    "dY",
                    Equation(Partial(err, y), (_times(Number(2), miss, count),)),
                    (("err", 48),),
                    (
                        Line(
                            "dY",
                            "dY = 2 * (Y - T) / Y.size",
                            "(1,1) = (1,1) - (1,1)",
                            (
                                (
                                    "/ Y.size",
                                    message(
                                        "a mean divides the sum by the number of its elements, Y.size = {count}, and a "
                                        "factor of a sum is one of each term",
                                        count=1,
                                    ),
                                ),
                            ),
                            gradients["Y"],
                        ),
                    ),
                ),
            ),
            held["err"],
            np.float64(1.0),
        )
    ]
    below = "Y"
    for layer in (4, 3, 2, 1):
        z, w, b = ("Y" if layer == 4 else f"Z{layer}"), f"W{layer}", f"B{layer}"
        a = f"A{layer - 1}" if layer > 1 else "X"
        if layer < 4:
            gradients[z] = gradients[f"A{layer}"] * (held[z] > 0)
            parts.append(_relu(layer, 40 + 2 * layer, gradients, held, n, Index("j", 6), err))
        d = gradients[z]
        gradients[a], gradients[w], gradients[b] = d @ held[w].T, held[a].T @ d, d.sum(axis=0)
        parts.append(_dense(z, a, w, b, 40 + 2 * layer - 1, gradients, held, err))
        below = a
    del gradients["X"], below
    return Derivation(
        "network.py",
        "err",
        held["err"],
        tuple(parts),
        *_picture(held, gradients),
        indices={
            "n": message("the rows of {array}", array="X"),
            "j": message("the columns of {array}", array="Z3"),
            "k": message("the columns of {array}", array="A2"),
        },
        gradients={f"{kind}{i}": gradients[f"{kind}{i}"] for i in (1, 2, 3, 4) for kind in "WB"},
        code="\n".join(
            text
            for part in parts
            for text in [f"# {part.source}    line {part.line}", *(x.code for r in part.routes for x in r.lines)]
        ),
        notes=(message("valid while {condition}", condition="Y.shape == T.shape"),),
    )


def _relu(layer, line, gradients, held, n, j, err):
    z, a = Element(f"Z{layer}", (n, j)), Element(f"A{layer}", (n, j))
    mask = Compare(">", z, Number(0))
    d = Element(f"dA{layer}", (n, j))
    code = f"dZ{layer} = dA{layer} * (Z{layer} > 0)"
    why = message("np.maximum(0, z) is z where z > 0 and constant elsewhere, so the gradient passes where it was z")
    chain = Equation(Partial(err, z), (_times(Partial(err, a), Partial(a, z)), _times(d, mask)))
    lines = (Line(f"dZ{layer}", code, "(1,6) = (1,6) * (1,6)", ((f"(Z{layer} > 0)", why),), gradients[f"Z{layer}"]),)
    kink = message("at 0 the derivative is taken to be 0")
    return Part(
        f"A{layer} = np.maximum(0, Z{layer})",
        line,
        f"A{layer}",
        (1, 6),
        None,
        (Local(f"Z{layer}", Equation(Partial(a, z), (mask,)), kink),),
        (Route(f"Z{layer}", f"dZ{layer}", chain, ((f"A{layer}", line),), lines),),
        held[f"A{layer}"],
        gradients[f"A{layer}"],
    )


def _dense(z, a, w, b, line, gradients, held, err):
    n, k, j = Index("n", 1, "len(X)"), Index("k", held[w].shape[0]), Index("j", held[w].shape[1])
    out, inside, weight, bias = (
        Element(z, (n, j)),
        Element(a, (n, k)),
        Element(w, (k, j)),
        Element(b, (j,)),
    )
    d = Element(f"d{z}", (n, j))
    rows, inner, columns = held[z].shape[0], held[a].shape[1], held[z].shape[1]
    transposed = message(
        "the sum runs over the columns of {left} and the columns of {right}: a matrix "
        "product sums over the columns of its left and the rows of its right operand, so "
        "{right} is transposed",
        left=f"d{z}",
        right=w,
    )
    first = message(
        "the sum runs over the rows of both: {left} is transposed, so that its rows become what is summed over", left=a
    )
    summed = message("{bias} is added to every row, so every row sends a gradient back to it, and they add up", bias=b)
    routes = []
    if a != "X":
        routes.append(
            Route(
                a,
                f"d{a}",
                Equation(
                    Partial(err, inside),
                    (Sum((j,), _times(Partial(err, out), Partial(out, inside))), Sum((j,), _times(d, weight))),
                ),
                ((z, line),),
                (
                    Line(
                        f"d{a}",
                        f"d{a} = d{z} @ {w}.T",
                        f"({rows},{inner}) = ({rows},{columns})·({inner},{columns})ᵀ",
                        ((".T", transposed),),
                        gradients[a],
                    ),
                ),
            )
        )
    routes.append(
        Route(
            w,
            f"d{w}",
            Equation(
                Partial(err, weight),
                (Sum((n,), _times(Partial(err, out), Partial(out, weight))), Sum((n,), _times(inside, d))),
            ),
            ((z, line),),
            (
                Line(
                    f"d{w}",
                    f"d{w} = {a}.T @ d{z}",
                    f"({inner},{columns}) = ({rows},{inner})ᵀ·({rows},{columns})",
                    ((".T", first),),
                    gradients[w],
                ),
            ),
        )
    )
    routes.append(
        Route(
            b,
            f"d{b}",
            Equation(Partial(err, bias), (Sum((n,), _times(Partial(err, out), Partial(out, bias))), Sum((n,), d))),
            ((z, line),),
            (
                Line(
                    f"d{b}",
                    f"d{b} = d{z}.sum(axis=0)",
                    f"({columns},) = Σ over axis 0 of ({rows},{columns})",
                    ((".sum(axis=0)", summed),),
                    gradients[b],
                ),
            ),
        )
    )
    return Part(
        f"{z} = {a}.dot({w}) + {b}",
        line,
        z,
        held[z].shape,
        Equation(out, (Add((Sum((k,), _times(inside, weight)), bias)),)),
        (
            *([Local(a, Equation(Partial(out, inside), (weight,)))] if a != "X" else []),
            Local(w, Equation(Partial(out, weight), (inside,))),
            Local(b, Equation(Partial(out, bias), (Number(1),))),
        ),
        tuple(routes),
        held[z],
        gradients[z],
    )


def _picture(held, gradients):
    nodes, edges, places = [], [], {}

    def add(name, kind, part=-1):
        places[name] = len(nodes)
        nodes.append(Node(name, kind, np.shape(held[name]), held[name], gradients.get(name), part))

    for name in ("X", "T"):
        add(name, "data")
    for layer in (1, 2, 3, 4):
        z, a = ("Y" if layer == 4 else f"Z{layer}"), (f"A{layer - 1}" if layer > 1 else "X")
        add(f"W{layer}", "input")
        add(f"B{layer}", "input")
        add(z, "value", 1 + 2 * (4 - layer))
        edges += [Edge(places[name], places[z]) for name in (a, f"W{layer}", f"B{layer}")]
        if layer < 4:
            add(f"A{layer}", "value", 2 + 2 * (3 - layer))
            edges.append(Edge(places[z], places[f"A{layer}"]))
    add("err", "result", 0)
    edges += [Edge(places["Y"], places["err"]), Edge(places["T"], places["err"])]
    return tuple(nodes), tuple(edges)


def long_chain(steps: int) -> Derivation:
    """A chain of many steps on small arrays: ``x1 = x0 * w; x2 = x1 * w; …``."""
    i = Index("i", 4)
    w, values = Element("w", (i,)), [np.linspace(0.9, 1.1, 4)]
    for _ in range(steps):
        values.append(values[-1] * 1.001)
    parts, nodes, edges = [], [Node("w", "input", (4,), values[0], values[0])], []
    result = Element("loss")
    for step in range(steps, 0, -1):
        before, after = Element(f"x{step - 1}", (i,)), Element(f"x{step}", (i,))
        chain = Equation(
            Partial(result, before),
            (_times(Partial(result, after), Partial(after, before)), _times(Element(f"dx{step}", (i,)), w)),
        )
        line = Line(f"dx{step - 1}", f"dx{step - 1} = dx{step} * w", "(4,) = (4,) * (4,)", (), values[step])
        parts.append(
            Part(
                f"x{step} = x{step - 1} * w",
                step + 2,
                f"x{step}",
                (4,),
                Equation(after, (_times(before, w),)),
                (Local(f"x{step - 1}", Equation(Partial(after, before), (w,))),),
                (Route(f"x{step - 1}", f"dx{step - 1}", chain, ((f"x{step}", step + 2),), (line,)),),
                values[step],
                values[step],
            )
        )
    for step in range(steps + 1):
        nodes.append(Node(f"x{step}", "value", (4,), values[step], values[step], steps - step if step else -1))
        if step:
            edges += [Edge(step, step + 1), Edge(0, step + 1)]
    return Derivation(
        "chain.py",
        f"x{steps}",
        values[-1],
        tuple(parts),
        tuple(nodes),
        tuple(edges),
        {"i": message("the elements of {array}", array="x0")},
    )
