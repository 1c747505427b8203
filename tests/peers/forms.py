"""The grammar of random programs: each form of statement in the dialects of NumPy, JAX and PyTorch.

Beside the templates stands what has to be drawn for a form (an axis, an index, …) and the condition under which it is
smooth: near kinks and ties libraries may rightly differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

CLEARANCE = 1e-3


@dataclass(frozen=True)
class Form:
    """One form of statement, as a template in each dialect.

    ``{0}`` and ``{1}`` stand for operands, ``{out}`` for the name it defines, and other fields for what ``fill`` draws.
    A dialect that is not given is NumPy's with ``np`` exchanged for its own name.
    """

    numpy: str
    torch: str = ""
    jax: str = ""
    operands: str = "any"
    fill: Callable[..., dict[str, Any] | None] = lambda draw, *arrays: {}
    smooth: Callable[..., bool] = lambda *arrays, **fields: True

    def write(self, dialect: str, out: str, names: tuple[str, ...], fields: dict[str, Any]) -> list[str]:
        """The statement's lines in a dialect."""
        text = getattr(self, dialect) or self.numpy.replace(
            "np.", {"numpy": "np.", "jax": "jnp."}.get(dialect, "torch.")
        )
        if "{out}" not in text:
            text = "{out} = " + text
        if dialect == "jax" and "index" in fields:  # JAX takes arrays as indices, and refuses lists
            fields = fields | {"index": re.sub(r"\[[\d, ]+\]", r"jnp.array(\g<0>)", fields["index"])}
        return text.format(*names, out=out, **fields).splitlines()


# Conditions that keep clear of kinks and ties


def away_from_zero(x: np.ndarray, **_: Any) -> bool:
    """No element near zero."""
    return bool(np.all(np.abs(x) > CLEARANCE))


def has_axes(x: np.ndarray, **_: Any) -> bool:
    """An array that can be written into by parts."""
    return x.ndim > 0


def apart(x: np.ndarray, y: np.ndarray, **_: Any) -> bool:
    """No element of one near that of the other."""
    return bool(np.all(np.abs(x - y) > CLEARANCE))


def distinct(x: np.ndarray, axis: Any = None, **_: Any) -> bool:
    """No two elements near each other along the axis."""
    return bool(np.all(np.diff(np.sort(x, axis=axis), axis=-1 if axis is None else axis) > CLEARANCE))


def spread(x: np.ndarray, axis: Any = None, **_: Any) -> bool:
    """A standard deviation and a norm that are not near zero."""
    return bool(np.all(np.std(x, axis=axis) > CLEARANCE) and np.all(np.linalg.norm(x, axis=axis) > CLEARANCE))


# What is drawn for a form, given its operands


def draw_axis(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any] | None:
    """One axis, from either end."""
    return {"axis": draw(st.integers(-x.ndim, x.ndim - 1))} if x.ndim else None


def draw_axes(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any]:
    """No axis, one or several, with and without keeping them."""
    options: list[Any] = [None, *range(-x.ndim, x.ndim)]
    if x.ndim > 1:
        options += [(0, 1), (0, -1)]
    axis = draw(st.sampled_from(options))
    return {"axis": axis, "keepdims": axis is not None and draw(st.booleans())}


def draw_some_axes(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any] | None:
    """As ``draw_axes``, but never all axes at once by ``None``, which PyTorch spells differently."""
    found = draw_axes(draw, x)
    return None if found["axis"] is None else found


def draw_index(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any] | None:
    """An index of slices, integers, ``...``, ``None`` and lists of integers."""
    if not x.ndim:
        return None
    n, last = x.shape[0], x.shape[-1]
    options = ["0", "-1", "1:", ":-1", "::2", "...", "None", "..., 0", "..., ::2", "..., None, :"]
    options += [str([0, n - 1, 0]), f"..., {[last - 1, 0]}"]
    if x.ndim > 1:
        options += ["0, 1:", ":, 0", "1:, ..., -1", f"{[0, n - 1]}, {[x.shape[1] - 1, 0]}", f":, {[0, 0]}"]
    index = draw(st.sampled_from(options))
    return {"index": index} if np.size(eval(f"x[{index}]", {"x": x})) else None


def draw_place(draw: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any] | None:
    """An index of ``x`` without repetition into which ``y`` broadcasts."""
    if not x.ndim:
        return None
    n = x.shape[0]
    options = ["0", "-1", ":", "1:", ":-1", "::2", "...", "..., 0", "..., 1:", str(sorted({0, n - 1}))]
    if x.ndim > 1:
        options += ["0, 1:", ":, 0"]
    fitting = [index for index in options if fits(y, eval(f"x[{index}]", {"x": x}))]
    return {"index": draw(st.sampled_from(fitting))} if fitting else None


def draw_rows(draw: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any] | None:
    """Row numbers with repetition, whose rows ``y`` broadcasts to."""
    if not x.ndim:
        return None
    rows = draw(st.lists(st.integers(0, x.shape[0] - 1), min_size=1, max_size=4))
    return {"rows": rows} if fits(y, x[rows]) else None


def draw_whole(draw: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any] | None:
    """Nothing, where ``y`` broadcasts to ``x``."""
    return {} if x.ndim and fits(y, x) else None


def draw_shape(draw: Any, x: np.ndarray) -> dict[str, Any]:
    """A shape with as many elements."""
    return {
        "shape": draw(
            st.sampled_from([(x.size,), (-1, x.shape[-1] if x.ndim else 1), (*x.shape[::-1],), (1, *x.shape)])
        )
    }


def draw_order(draw: Any, x: np.ndarray) -> dict[str, Any]:
    """An order of the axes."""
    return {"order": tuple(draw(st.permutations(range(x.ndim))))}


def draw_padding(draw: Any, x: np.ndarray) -> dict[str, Any] | None:
    """How many zeros before and after the last axis."""
    if not x.ndim:
        return None
    before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return {"widths": [(0, 0)] * (x.ndim - 1) + [(before, after)], "before": before, "after": after}


def draw_matrix(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any] | None:
    """Nothing, where ``x`` is a matrix."""
    return {} if x.ndim == 2 else None


def draw_vectors(draw: Any, x: np.ndarray, *_: Any) -> dict[str, Any] | None:
    """Nothing, where ``x`` has rows to go through."""
    return {"n": x.shape[0]} if x.ndim and x.shape[0] > 1 else None


def view_only(fields: dict[str, Any] | None, x: np.ndarray) -> dict[str, Any] | None:
    """What was drawn, where the index gives an array that shares memory with ``x``."""
    if fields is None:
        return None
    part = eval(f"x[{fields['index']}]", {"x": x})
    return fields if isinstance(part, np.ndarray) and np.shares_memory(part, x) else None


def fits(y: np.ndarray, x: np.ndarray) -> bool:
    """Whether ``y`` broadcasts to the shape of ``x``."""
    try:
        return np.broadcast_shapes(np.shape(y), np.shape(x)) == np.shape(x)
    except ValueError:
        return False


FORMS = (
    # elementwise, of one array
    Form("np.tanh({0})"),
    Form("np.sin({0})"),
    Form("np.exp(-{0} ** 2)"),
    Form("np.log1p({0} * {0})", torch="torch.log1p({0} * {0})"),
    Form("1 / (1 + np.exp(-{0}))"),
    Form("np.sqrt({0} ** 2 + 0.5)"),
    Form("np.arctan({0}) - 0.3 * {0}"),
    Form("np.maximum(0, {0})", torch="torch.relu({0})", smooth=away_from_zero),
    Form("np.abs({0})", smooth=away_from_zero),
    Form("np.where({0} > 0, {0}, 0.1 * {0})", smooth=away_from_zero),
    Form(
        "np.clip({0}, -0.5, 0.75)",
        torch="torch.clamp({0}, -0.5, 0.75)",
        smooth=lambda x: apart(x, 0.75) and apart(x, -0.5),
    ),
    # elementwise, of two arrays that broadcast
    Form("{0} + {1}", operands="broadcasting"),
    Form("{0} - 2 * {1}", operands="broadcasting"),
    Form("{0} * {1}", operands="broadcasting"),
    Form("{0} / (1 + {1} * {1})", operands="broadcasting"),
    Form("({0} ** 2 + 0.5) ** {1}", operands="broadcasting"),
    Form("np.maximum({0}, {1})", operands="broadcasting", smooth=apart),
    Form("np.minimum({0}, np.sin({1}))", operands="broadcasting", smooth=lambda x, y: apart(x, np.sin(y))),
    Form("np.where({0} > {1}, {0} * {1}, {1})", operands="broadcasting", smooth=apart),
    Form("np.logaddexp({0}, {1})", operands="broadcasting"),
    Form("np.arctan2({0}, {1} ** 2 + 0.5)", operands="broadcasting"),
    Form("np.hypot({0}, 1 + {1} ** 2)", operands="broadcasting"),
    # products
    Form("{0} @ {1}", operands="matmul"),
    Form("np.matmul(np.tanh({0}), {1})", operands="matmul"),
    Form("{0}.dot({1})", torch="torch.tensordot({0}, {1}, ([-1], [max({1}.ndim - 2, 0)]))", operands="dot"),
    Form("np.outer({0}, {1})", torch="torch.outer({0}.reshape(-1), {1}.reshape(-1))", operands="pair"),
    Form("np.einsum('...i,...i->...', {0}, {1})", operands="same"),
    Form("np.einsum('ij,kj->ik', {0}, {1})", operands="same", fill=draw_matrix),
    Form("np.tensordot({0}, {1}, axes=1)", torch="torch.tensordot({0}, {1}, dims=1)", operands="tensordot"),
    # reductions
    Form("np.sum({0}, axis={axis}, keepdims={keepdims})", fill=draw_axes),
    Form("{0}.mean(axis={axis}, keepdims={keepdims})", fill=draw_axes),
    Form(
        "np.var({0}, axis={axis}, keepdims={keepdims})",
        torch="torch.var({0}, {axis}, correction=0, keepdim={keepdims})",
        fill=draw_axes,
    ),
    Form("{0}.std(axis={axis})", torch="torch.std({0}, {axis}, correction=0)", fill=draw_axes, smooth=spread),
    Form("np.max({0}, axis={axis})", torch="torch.amax({0}, {axis})", fill=draw_axis, smooth=distinct),
    Form("{0}.min(axis={axis})", torch="torch.amin({0}, {axis})", fill=draw_axis, smooth=distinct),
    Form("np.prod({0}, axis={axis})", torch="torch.prod({0}, {axis})", fill=draw_axis),
    Form("np.cumsum({0}, axis={axis})", fill=draw_axis),
    Form("np.cumprod({0}, axis={axis})", fill=draw_axis),
    Form("np.linalg.norm({0}, axis={axis})", torch="torch.linalg.norm({0}, dim={axis})", fill=draw_axis, smooth=spread),
    Form("np.sort({0}, axis={axis})", torch="torch.sort({0}, {axis}).values", fill=draw_axis, smooth=distinct),
    # shape
    Form("{0}.reshape({shape})", fill=draw_shape),
    Form("np.transpose({0}, {order})", torch="torch.permute({0}, {order})", fill=draw_order),
    Form("{0}.T", torch="torch.permute({0}, tuple(range({0}.ndim))[::-1])"),
    Form("np.expand_dims({0}, {axis})", torch="torch.unsqueeze({0}, {axis})", fill=draw_axis),
    Form("np.flip({0}, {axis})", torch="torch.flip({0}, ({axis},))", fill=draw_axis),
    Form("np.roll({0}, 1, axis={axis})", torch="torch.roll({0}, 1, {axis})", fill=draw_axis),
    Form("np.repeat({0}, 2, axis={axis})", torch="torch.repeat_interleave({0}, 2, {axis})", fill=draw_axis),
    Form("np.pad({0}, {widths})", torch="torch.nn.functional.pad({0}, ({before}, {after}))", fill=draw_padding),
    Form("np.tril({0})", fill=draw_matrix),
    Form("np.diagonal({0})", fill=draw_matrix),
    Form("np.stack([{0}, {1}], axis=-1)", operands="same"),
    Form("np.concatenate([{0}, {1}, {0}], axis={axis})", operands="same", fill=draw_axis),
    Form(
        "np.array([{0}.sum(), {1}.mean()])",
        torch="torch.stack([{0}.sum(), {1}.mean()])",
        operands="pair",
    ),
    # indexing
    Form("{0}[{index}]", fill=draw_index),
    Form(
        "np.take_along_axis({0}, np.argsort({0}, axis={axis}), axis={axis})",
        torch="torch.take_along_dim({0}, torch.argsort({0}, dim={axis}), dim={axis})",
        fill=draw_axis,
        smooth=distinct,
    ),
    # in place
    Form(
        "{out} = {0}.copy()\n{out}[{index}] = {1}",
        torch="{out} = {0}.clone()\n{out}[{index}] = {1}",
        jax="{out} = {0}.at[{index}].set({1})",
        operands="pair",
        fill=draw_place,
    ),
    Form(
        "{out} = {0}.copy()\n{out}[{index}] += {1}",
        torch="{out} = {0}.clone()\n{out}[{index}] += {1}",
        jax="{out} = {0}.at[{index}].add({1})",
        operands="pair",
        fill=draw_place,
    ),
    Form(
        "{out} = {0} * 1.5\n{out}[{index}] *= {1}\n{out} -= 0.25",
        torch="{out} = {0} * 1.5\n{out} = torch.clone({out})\n{out}[{index}] *= {1}\n{out} -= 0.25",
        jax="{out} = ({0} * 1.5).at[{index}].multiply({1}, unique_indices=True) - 0.25",
        operands="pair",
        fill=draw_place,
    ),
    Form(
        "{out} = {0} + 0.0\nview = {out}[{index}]\nview += {1}",
        jax="{out} = {0}.at[{index}].add({1})",
        operands="pair",
        fill=lambda draw, x, y: view_only(draw_place(draw, x, y), x),
    ),
    Form(
        "{out} = np.zeros_like({0})\n{out}[...] = {1}\n{out} += {0}",
        jax="{out} = jnp.broadcast_to({1}, {0}.shape) + {0}",
        operands="pair",
        fill=draw_whole,
    ),
    Form(
        "{out} = np.tanh({0})\n{out}[{0} < 0] *= 0.5",
        torch="{out} = torch.tanh({0})\n{out} = torch.where({0} < 0, {out} * 0.5, {out})",
        jax="{out} = jnp.where({0} < 0, jnp.tanh({0}) * 0.5, jnp.tanh({0}))",
        smooth=lambda x: np.ndim(x) > 0 and away_from_zero(x),
    ),
    Form(
        "{out} = {0}.copy()\nnp.add.at({out}, {rows}, {1})",
        torch="{out} = {0}.index_put((torch.tensor({rows}),), {1}.expand_as({0}[{rows}]), accumulate=True)",
        jax="{out} = {0}.at[jnp.array({rows})].add({1})",
        operands="pair",
        fill=draw_rows,
    ),
    Form(
        "{out} = np.empty_like({0})\nnp.multiply({0}, {1}, out={out})",
        torch="{out} = {0} * {1}",
        jax="{out} = {0} * {1}",
        operands="pair",
        fill=draw_whole,
    ),
    Form(
        "{out} = np.zeros_like({0})\nfor i in range({n}):\n    {out}[i] = np.tanh({0}[i] + {out}[i - 1])",
        jax="{out} = jnp.zeros_like({0})\n"
        "for i in range({n}):\n    {out} = {out}.at[i].set(jnp.tanh({0}[i] + {out}[i - 1]))",
        torch="{out} = torch.zeros_like({0})\n"
        "for i in range({n}):\n    {out} = torch.clone({out})\n    {out}[i] = torch.tanh({0}[i] + {out}[i - 1])",
        fill=draw_vectors,
    ),
    # views and overlaps
    Form(
        "{out} = {0}.copy()\nview = {out}[...]\n{out} *= 2\n{out} = view + 1",
        torch="{out} = 2 * {0} + 1",
        jax="{out} = 2 * {0} + 1",
        smooth=has_axes,
    ),
    Form(
        "{out} = {0}.copy()\n{out}[1:] += {out}[:-1]",
        torch="{out} = {0}.clone()\n{out}[1:] += {0}[:-1]",
        jax="{out} = {0}.at[1:].add({0}[:-1])",
        smooth=has_axes,
    ),
    Form(
        "{out} = {0}.copy()\n{out}[[0, -1]] = {out}[[-1, 0]]",
        torch="{out} = {0}.clone()\n{out}[[0, -1]] = {0}[[-1, 0]]",
        jax="{out} = {0}.at[jnp.array([0, -1])].set({0}[jnp.array([-1, 0])])",
        smooth=lambda x: x.ndim > 0 and len(x) > 1,
    ),
    Form(
        "{out} = {0}.copy()\n{out}.T[...] += {1}",
        torch="{out} = {0}.clone()\ntorch.permute({out}, tuple(range({0}.ndim))[::-1]).add_({1})",
        jax="{out} = ({0}.T + {1}).T",
        operands="pair",
        smooth=lambda x, y: x.ndim > 0 and fits(y, x.T),
    ),
    Form(
        "{out} = {0}.copy()\n{out}.reshape(-1)[::2] *= 0.5",
        torch="{out} = {0}.clone(memory_format=torch.contiguous_format)\n{out}.view(-1)[::2] *= 0.5",
        jax="{out} = {0}.reshape(-1).at[::2].multiply(0.5, unique_indices=True).reshape({0}.shape)",
        smooth=has_axes,
    ),
    Form(
        "{out} = {0}.copy()\nrow = {out}[0:1]\nrow[...] = np.sin(row)\n{out}[-1] += row[0]",
        torch="{out} = {0}.clone()\n{out}[0] = torch.sin({0}[0])\n{out}[-1] += {out}[0].clone()",
        jax="{out} = {0}.at[0].set(jnp.sin({0}[0]))\n{out} = {out}.at[-1].add({out}[0])",
        smooth=has_axes,
    ),
    Form(
        "{out} = {0}.copy()\nfor row in {out}[:, ...]:\n    row *= row.sum()",
        torch="{out} = torch.stack([row * row.sum() for row in {0}])",
        jax="{out} = jnp.stack([row * row.sum() for row in {0}])",
        smooth=lambda x: x.ndim > 1,
    ),
    Form(
        "{out} = {0}.copy()\nnp.fill_diagonal({out}, {1}.sum())",
        torch="{out} = {0}.clone()\n{out}.diagonal()[:] = {1}.sum()",
        jax="{out} = jnp.fill_diagonal({0}, {1}.sum(), inplace=False)",
        operands="pair",
        fill=draw_matrix,
        smooth=lambda x, y: x.shape[0] <= x.shape[1],  # on tall matrices NumPy wraps around
    ),
    Form(
        "{out} = np.empty((2, *{0}.shape))\nnp.add({0}, {1}, out={out}[0])\nnp.copyto({out}[1], {0})",
        torch="{out} = torch.stack([{0} + {1}, {0}])",
        jax="{out} = jnp.stack([{0} + {1}, {0}])",
        operands="pair",
        fill=draw_whole,
    ),
    # methods of ufuncs, and control flow on values
    Form("np.add.reduce({0}, axis={axis})", torch="torch.sum({0}, {axis})", jax="jnp.sum({0}, {axis})", fill=draw_axis),
    Form(
        "np.multiply.accumulate({0}, axis={axis})",
        torch="torch.cumprod({0}, {axis})",
        jax="jnp.cumprod({0}, {axis})",
        fill=draw_axis,
    ),
    Form(
        "np.subtract.outer({0}, {1})",
        torch="{0}.reshape(*{0}.shape, *[1] * {1}.ndim) - {1}",
        jax="{0}.reshape(*{0}.shape, *[1] * {1}.ndim) - {1}",
        operands="pair",
        smooth=lambda x, y: x.ndim > 0,
    ),
    Form("{0} * 2 if {0}.sum() > 0 else np.sin({0})", smooth=lambda x: away_from_zero(x.sum())),
    Form(
        "{out} = {0}\nwhile abs({out}.sum()) > 1:\n    {out} = {out} / 2",
        smooth=lambda x: all(apart(abs(x.sum()) / 2**k, 1) for k in range(12)),
    ),
)
