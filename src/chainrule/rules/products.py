"""Rules for products of arrays: ``dot``, ``matmul``, ``outer``, ``tensordot``, ``cross``, ``convolve`` and their kin.

All of them are linear in each factor, so every rule is again a product: of the cotangent with the other factor,
summed over the axes that the first factor does not have.  Nothing is conjugated, except where the function itself
conjugates its first factor (``vdot``, ``vecdot``, ``vecmat``) or its second (``correlate``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.language import message
from chainrule.ops import constant, structural, variadic
from chainrule.rules.einsum import einsum_rule, normalise_einsum
from chainrule.rules.helpers import mt, with_axis_at
from chainrule.rules.matrices import conjugate

__all__ = ["normalise_einsum"]

variadic(np.einsum, einsum_rule, sequence="operands")
constant(np.einsum_path, message("it returns an order of contractions, which does not depend on the elements"))


# ---- matmul


def _matmul_first(g: Any, out: Any, x1: Any, x2: Any, dtype: Any = None) -> Any:
    if np.ndim(x1) == np.ndim(x2) == 2:
        return g @ x2.T
    if np.ndim(x2) == 1:
        return g * x2 if np.ndim(x1) == 1 else g[..., None] * x2
    if np.ndim(x1) == 1:
        return x2 @ g if np.ndim(x2) == 2 else (x2 @ g[..., None])[..., 0]
    if np.ndim(x1) == 2:
        summed = [*range(np.ndim(x2) - 2), np.ndim(x2) - 1]
        return np.tensordot(g, x2, axes=(summed, summed))
    return g @ mt(x2)


def _matmul_second(g: Any, out: Any, x1: Any, x2: Any, dtype: Any = None) -> Any:
    if np.ndim(x1) == np.ndim(x2) == 2:
        return x1.T @ g
    if np.ndim(x1) == 1:
        return g * x1 if np.ndim(x2) == 1 else x1[:, None] * g[..., None, :]
    if np.ndim(x2) == 1:
        return g @ x1 if np.ndim(x1) == 2 else np.tensordot(g, x1, axes=np.ndim(g))
    if np.ndim(x2) == 2:
        summed = list(range(np.ndim(x1) - 1))
        return np.tensordot(x1, g, axes=(summed, summed))
    return mt(x1) @ g


structural(np.matmul, x1=_matmul_first, x2=_matmul_second)
structural(np.linalg.matmul, x1=_matmul_first, x2=_matmul_second)


# ---- dot, inner, outer


def _dot_first(g: Any, out: Any, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return g * b
    if np.ndim(b) <= 2:
        return _matmul_first(g, out, a, b)
    last = np.ndim(b) - 1
    return np.tensordot(g, b, axes=([*range(np.ndim(a) - 1, np.ndim(g))], [*range(last - 1), last]))


def _dot_second(g: Any, out: Any, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return g * a
    if np.ndim(b) <= 2:
        return _matmul_second(g, out, a, b)
    summed = list(range(np.ndim(a) - 1))
    return np.moveaxis(np.tensordot(a, g, axes=(summed, summed)), 0, -2)


structural(np.dot, a=_dot_first, b=_dot_second)


def _inner_first(g: Any, out: Any, a: Any, b: Any) -> Any:
    if np.ndim(g) == 0 or np.ndim(a) == 0 or np.ndim(b) == 0:
        return g * b
    if np.ndim(b) <= 2:
        return g @ b if np.ndim(b) == 2 else g[..., None] * b
    return np.tensordot(g, b, axes=np.ndim(b) - 1)


def _inner_second(g: Any, out: Any, a: Any, b: Any) -> Any:
    if np.ndim(g) == 0 or np.ndim(a) == 0 or np.ndim(b) == 0:
        return g * a
    if np.ndim(a) == np.ndim(b) == 2:
        return g.T @ a
    summed = list(range(np.ndim(a) - 1))
    return np.tensordot(g, a, axes=(summed, summed))


structural(np.inner, a=_inner_first, b=_inner_second)


def _shaped(x: Any, like: Any) -> Any:
    """``x`` in the shape of ``like``, and ``x`` itself where it has that shape."""
    return x if np.shape(x) == np.shape(like) else np.reshape(x, np.shape(like))


def _flat(x: Any) -> Any:
    return x if np.ndim(x) == 1 else np.ravel(x)


def _outer_first(g: Any, out: Any, a: Any, b: Any) -> Any:
    return _shaped(g @ _flat(b), a)


def _outer_second(g: Any, out: Any, a: Any, b: Any) -> Any:
    return _shaped(_flat(a) @ g, b)


structural(np.outer, a=_outer_first, b=_outer_second)
structural(np.linalg.outer, x1=_outer_first, x2=_outer_second)


# ---- products of vectors that conjugate the first, and products with stacks of vectors

structural(
    np.vdot,
    a=lambda g, out, a, b: conjugate(g * _shaped(b, a)),
    b=lambda g, out, a, b: g * _shaped(conjugate(a), b),
)


def _vecdot_factor(g: Any, other: Any, other_axis: int, axis: int) -> Any:
    """``g`` times the other factor, with the axis of the vectors at ``axis``, counted from the end."""
    if other_axis == axis == -1:
        return g[..., None] * other
    return np.moveaxis(g[..., None] * np.moveaxis(other, other_axis, -1), -1, axis)


def _from_the_end(axis: int, x: Any) -> int:
    return axis if axis < 0 else axis - np.ndim(x)


def _vecdot_first(g: Any, out: Any, x1: Any, x2: Any, axis: int = -1, dtype: Any = None) -> Any:
    return conjugate(_vecdot_factor(g, x2, _from_the_end(axis, x2), _from_the_end(axis, x1)))


def _vecdot_second(g: Any, out: Any, x1: Any, x2: Any, axis: int = -1, dtype: Any = None) -> Any:
    return _vecdot_factor(g, conjugate(x1), _from_the_end(axis, x1), _from_the_end(axis, x2))


structural(np.vecdot, x1=_vecdot_first, x2=_vecdot_second)
structural(np.linalg.vecdot, x1=_vecdot_first, x2=_vecdot_second)


def _times_vectors(matrices: Any, vectors: Any) -> Any:
    return (matrices @ vectors[..., None])[..., 0]


if hasattr(np, "matvec"):  # NumPy 2.2
    structural(
        np.matvec,
        x1=lambda g, out, x1, x2, dtype=None: g[..., None] * x2[..., None, :],
        x2=lambda g, out, x1, x2, dtype=None: _times_vectors(mt(x1), g),
    )
    structural(
        np.vecmat,
        x1=lambda g, out, x1, x2, dtype=None: conjugate(_times_vectors(x2, g)),
        x2=lambda g, out, x1, x2, dtype=None: conjugate(x1)[..., None] * g[..., None, :],
    )


# ---- tensordot, kron


def _contracted(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of ``a`` and the axes of ``b`` that ``tensordot`` sums over, in pairs."""
    if isinstance(axes, int | np.integer):
        return list(range(np.ndim(a) - axes, np.ndim(a))), list(range(axes))
    first, second = ([int(k) for k in np.atleast_1d(part)] for part in axes)
    return [k % np.ndim(a) for k in first], [k % np.ndim(b) for k in second]


def _others(x: Any, axes: list[int]) -> list[int]:
    return [k for k in range(np.ndim(x)) if k not in axes]


def _arranged(x: Any, places: list[int]) -> Any:
    """``x`` with its axis k moved to ``places[k]``."""
    return x if places == sorted(places) else np.transpose(x, tuple(np.argsort(places).tolist()))


def _tensordot_first(g: Any, out: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(a) == np.ndim(b) == 2 and _contracted(a, b, axes) == ([1], [0]):
        return g @ b.T
    axes_a, axes_b = _contracted(a, b, axes)
    kept = _others(a, axes_a)
    product = np.tensordot(g, b, axes=(list(range(len(kept), np.ndim(g))), _others(b, axes_b)))
    return _arranged(product, kept + [axes_a[axes_b.index(k)] for k in sorted(axes_b)])


def _tensordot_second(g: Any, out: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(a) == np.ndim(b) == 2 and _contracted(a, b, axes) == ([1], [0]):
        return a.T @ g
    axes_a, axes_b = _contracted(a, b, axes)
    kept = _others(a, axes_a)
    product = np.tensordot(a, g, axes=(kept, list(range(len(kept)))))
    return _arranged(product, [axes_b[axes_a.index(k)] for k in sorted(axes_a)] + _others(b, axes_b))


structural(np.tensordot, a=_tensordot_first, b=_tensordot_second)
structural(np.linalg.tensordot, x1=_tensordot_first, x2=_tensordot_second)


def _kron_first(g: Any, out: Any, a: Any, b: Any) -> Any:
    shape_a, shape_b = _same_length(a, b)
    blocks = np.reshape(g, tuple(n for pair in zip(shape_a, shape_b, strict=True) for n in pair))
    axes = list(range(len(shape_b)))
    return _shaped(np.tensordot(blocks, np.reshape(b, shape_b), axes=([2 * k + 1 for k in axes], axes)), a)


def _kron_second(g: Any, out: Any, a: Any, b: Any) -> Any:
    shape_a, shape_b = _same_length(a, b)
    blocks = np.reshape(g, tuple(n for pair in zip(shape_a, shape_b, strict=True) for n in pair))
    axes = list(range(len(shape_a)))
    return _shaped(np.tensordot(np.reshape(a, shape_a), blocks, axes=(axes, [2 * k for k in axes])), b)


def _same_length(a: Any, b: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of both, the shorter one with ones in front."""
    ndim = max(np.ndim(a), np.ndim(b))
    return (1,) * (ndim - np.ndim(a)) + tuple(np.shape(a)), (1,) * (ndim - np.ndim(b)) + tuple(np.shape(b))


structural(np.kron, a=_kron_first, b=_kron_second)


# ---- cross


def _in_space(x: Any) -> Any:
    """Vectors along the last axis; those in the plane get a zero as third component."""
    return x if np.shape(x)[-1] == 3 else np.concatenate([x, np.zeros_like(x[..., :1])], axis=-1)


def _cross_operands(
    g: Any, a: Any, b: Any, axisa: int, axisb: int, axisc: int, axis: int | None
) -> tuple[Any, Any, Any, int, int]:
    """The cotangent and the factors as vectors in space along the last axis, and where the factors have theirs."""
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = with_axis_at(a, axisa, -1), with_axis_at(b, axisb, -1)
    if np.shape(first)[-1] == np.shape(second)[-1] == 2:  # two vectors in the plane have a number as product
        g = np.stack([np.zeros_like(g), np.zeros_like(g), g], axis=-1)
    else:
        g = with_axis_at(g, axisc, -1)
    return g, _in_space(first), _in_space(second), _from_the_end(axisa, a), _from_the_end(axisb, b)


def _cross_first(
    g: Any, out: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    size = np.shape(a)[axisa if axis is None else axis]
    g, _, b, place, _ = _cross_operands(g, a, b, axisa, axisb, axisc, axis)
    return _placed(np.cross(b, g), size, place)


def _cross_second(
    g: Any, out: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    size = np.shape(b)[axisb if axis is None else axis]
    g, a, _, _, place = _cross_operands(g, a, b, axisa, axisb, axisc, axis)
    return _placed(np.cross(g, a), size, place)


def _placed(vectors: Any, size: int, axis: int) -> Any:
    """Vectors of ``size`` components along ``axis``, from vectors in space along the last."""
    return with_axis_at(vectors if size == 3 else vectors[..., :2], -1, axis)


structural(np.cross, a=_cross_first, b=_cross_second)
structural(
    np.linalg.cross,
    x1=lambda g, out, x1, x2, axis=-1: _cross_first(g, out, x1, x2, axis=axis),
    x2=lambda g, out, x1, x2, axis=-1: _cross_second(g, out, x1, x2, axis=axis),
)


# ---- convolve, correlate


def _padded(g: Any, a: Any, v: Any, mode: str, start: int) -> Any:
    """The cotangent as one of the full convolution, of which mode "same" keeps what begins at ``start``."""
    if mode != "same":
        return g
    return np.pad(g, (start, np.size(a) + np.size(v) - 1 - start - np.size(g)))


def _back(mode: str, factor: Any, other: Any, ties: bool) -> Any:
    """The mode that gives back the length of ``factor``: what the convolution has shortened, it lengthens."""
    longer = np.size(factor) > np.size(other) or (ties and np.size(factor) == np.size(other))
    return "full" if mode == "valid" and longer else "valid"


def _convolve_factor(g: Any, a: Any, v: Any, mode: str, ties: bool) -> Any:
    g = _padded(g, a, v, mode, (min(np.size(a), np.size(v)) - 1) // 2)
    return np.convolve(g, _flat(v)[::-1], _back(mode, a, v, ties))


structural(
    np.convolve,
    a=lambda g, out, a, v, mode="full": _convolve_factor(g, a, v, mode, True),
    v=lambda g, out, a, v, mode="full": _convolve_factor(g, v, a, mode, False),
)


def _correlate_padded(g: Any, a: Any, v: Any, mode: str) -> Any:
    # NumPy exchanges the two where v is longer, and the middle is then rounded the other way.
    start = (np.size(v) - 1) // 2 if np.size(a) >= np.size(v) else np.size(a) // 2
    return _padded(g, a, v, mode, start)


def _correlate_first(g: Any, out: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    return np.convolve(_correlate_padded(g, a, v, mode), conjugate(_flat(v)), _back(mode, a, v, True))


def _correlate_second(g: Any, out: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    g = _correlate_padded(g, a, v, mode)
    return conjugate(np.convolve(_flat(a), g[::-1], _back(mode, v, a, False)))


structural(np.correlate, a=_correlate_first, v=_correlate_second)


# ---- multi_dot


def _multi_dot(g: Any, out: Any, *arrays: Any) -> tuple[Any, ...]:
    """For each factor the product of what stands left of it, the cotangent and what stands right of it."""
    matrices = list(arrays)
    if np.ndim(arrays[0]) == 1:
        matrices[0] = arrays[0][None, :]
    if np.ndim(arrays[-1]) == 1:
        matrices[-1] = arrays[-1][:, None]
    g = np.reshape(g, (np.shape(matrices[0])[0], np.shape(matrices[-1])[1]))
    transposed = [matrix.T for matrix in matrices]
    return tuple(
        _shaped(np.linalg.multi_dot([*transposed[:k][::-1], g, *transposed[k + 1 :][::-1]]), array)
        for k, array in enumerate(arrays)
    )


variadic(np.linalg.multi_dot, _multi_dot)
