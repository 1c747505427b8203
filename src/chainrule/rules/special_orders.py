"""Rules for ``scipy.special``: hypergeometric, elliptic and integral functions, and orthogonal polynomials.

Many of these have an order or a parameter; the derivative with respect to it is mostly not known in closed form, and is
refused.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import scipy.special as sc

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import Rule, composite, elementwise, structural
from chainrule.rules.helpers import is_literal, is_same_in_all_turns

__all__ = ["combined", "in_last", "unknown"]

_POSITIVE = (0.3, 2.5)
_UNIT = (-0.9, 0.9)


def unknown(name: str, position: int) -> Callable[..., NoReturn]:
    """The rule for an operand with respect to which the derivative is not known."""
    ordinal = (message("first"), message("second"), message("third"), message("fourth"))[position]

    def rule(*_: Any, **__: Any) -> NoReturn:
        raise NotDifferentiableError(
            message(
                "the derivative of scipy.special.{name} with respect to its {ordinal} argument has "
                "no rule. Keep that argument independent of what is differentiated, or give the "
                "function a rule of your own with chainrule.custom_vjp.",
                name=name,
                ordinal=ordinal,
            )
        )

    return rule


def in_last(function: np.ufunc, partial: Rule, *domains: tuple[float, float]) -> None:
    """Give a ufunc its derivative with respect to its last operand, and refuse those with respect to the others."""
    orders = [unknown(function.__name__, k) for k in range(function.nin - 1)]
    elementwise(function, *orders, partial, domain=domains)


def combined(g: tuple[Any, ...], *slopes: Any) -> Any:
    """What arrived at several results, each times its slope; ``None`` at those that were not used."""
    return functools.reduce(operator.add, [c * slope for c, slope in zip(g, slopes, strict=True) if c is not None])


# ---- hypergeometric functions

in_last(sc.hyp0f1, lambda out, v, z: sc.hyp0f1(v + 1, z) / v, (1.5, 2.5), (-2.0, 2.0))
in_last(sc.hyp1f1, lambda out, a, b, z: a / b * sc.hyp1f1(a + 1, b + 1, z), (1.5, 2.5), (2.5, 3.5), (-2.0, 2.0))
in_last(
    sc.hyp2f1,
    lambda out, a, b, c, z: a * b / c * sc.hyp2f1(a + 1, b + 1, c + 1, z),
    (0.5, 1.5),
    (1.5, 2.5),
    (2.5, 3.5),
    (-0.8, 0.8),
)
in_last(sc.hyperu, lambda out, a, b, x: -a * sc.hyperu(a + 1, b + 1, x), (0.5, 1.5), (1.5, 2.5), _POSITIVE)
in_last(sc.wright_bessel, lambda out, a, b, x: sc.wright_bessel(a, a + b, x), (0.5, 1.5), (1.5, 2.5), _POSITIVE)
in_last(
    sc.log_wright_bessel,
    lambda out, a, b, x: np.exp(sc.log_wright_bessel(a, a + b, x) - out),
    (0.5, 1.5),
    (1.5, 2.5),
    _POSITIVE,
)

# ---- elliptic integrals and functions; hypergeometric forms where the usual quotients vanish at m = 0

elementwise(sc.ellipk, lambda out, m: math.pi / 8 * sc.hyp2f1(0.5, 0.5, 2, m) / (1 - m), domain=_UNIT)
elementwise(sc.ellipkm1, lambda out, p: -math.pi / 8 * sc.hyp2f1(0.5, 0.5, 2, 1 - p) / p, domain=(0.1, 1.9))
elementwise(sc.ellipe, lambda out, m: -math.pi / 8 * sc.hyp2f1(0.5, 1.5, 2, m), domain=_UNIT)


def _delta(phi: Any, m: Any) -> Any:
    return np.sqrt(1 - m * np.sin(phi) ** 2)


def _first_kind_parameter(first: Any, second: Any, phi: Any, m: Any) -> Any:
    """The derivative of the first incomplete integral with respect to m, from both integrals."""
    periodic = np.sin(2 * phi) / (4 * (1 - m) * _delta(phi, m))
    return (second / (1 - m) - first) / (2 * m) - periodic


elementwise(
    sc.ellipkinc,
    lambda out, phi, m: 1 / _delta(phi, m),
    lambda out, phi, m: _first_kind_parameter(out, sc.ellipeinc(phi, m), phi, m),
    domain=((-2.5, 2.5), (0.1, 0.8)),
)
elementwise(
    sc.ellipeinc,
    lambda out, phi, m: _delta(phi, m),
    lambda out, phi, m: (out - sc.ellipkinc(phi, m)) / (2 * m),
    domain=((-2.5, 2.5), (0.1, 0.8)),
)


def _ellipj_parameter(g: Any, out: Any, u: Any, m: Any) -> Any:
    sn, cn, dn, phi = out
    amplitude = -dn * _first_kind_parameter(u, sc.ellipeinc(phi, m), phi, m)
    return combined(g, cn * amplitude, -sn * amplitude, -sn * (sn / 2 + m * cn * amplitude) / dn, amplitude)


structural(
    sc.ellipj,
    x1=lambda g, out, u, m, dtype=None: combined(g, out[1] * out[2], -out[0] * out[2], -m * out[0] * out[1], out[2]),
    x2=lambda g, out, u, m, dtype=None: _ellipj_parameter(g, out, u, m),
)

elementwise(
    sc.elliprf,
    lambda out, x, y, z: -sc.elliprd(y, z, x) / 6,
    lambda out, x, y, z: -sc.elliprd(z, x, y) / 6,
    lambda out, x, y, z: -sc.elliprd(x, y, z) / 6,
    domain=((0.3, 0.8), (1.0, 1.5), (2.0, 2.5)),
)
elementwise(
    sc.elliprc,
    lambda out, x, y: (out - 1 / np.sqrt(x)) / (2 * (y - x)),
    lambda out, x, y: (np.sqrt(x) / y - out) / (2 * (y - x)),
    domain=((0.3, 0.8), (1.0, 1.5)),
)
elementwise(
    sc.elliprg,
    lambda out, x, y, z: (sc.elliprf(x, y, z) - x * sc.elliprd(y, z, x) / 3) / 4,
    lambda out, x, y, z: (sc.elliprf(x, y, z) - y * sc.elliprd(z, x, y) / 3) / 4,
    lambda out, x, y, z: (sc.elliprf(x, y, z) - z * sc.elliprd(x, y, z) / 3) / 4,
    domain=((0.3, 0.8), (1.0, 1.5), (2.0, 2.5)),
)


def _elliprd_first(out: Any, x: Any, y: Any, z: Any) -> Any:
    return (sc.elliprd(y, z, x) - out) / (2 * (x - z))


def _elliprd_second(out: Any, x: Any, y: Any, z: Any) -> Any:
    return (sc.elliprd(z, x, y) - out) / (2 * (y - z))


elementwise(
    sc.elliprd,
    _elliprd_first,
    _elliprd_second,
    # The function is homogeneous of degree -3/2.
    lambda out, x, y, z: -(1.5 * out + x * _elliprd_first(out, x, y, z) + y * _elliprd_second(out, x, y, z)) / z,
    domain=((0.3, 0.8), (1.0, 1.5), (2.0, 2.5)),
)

# ---- integrals

elementwise(sc.exp1, lambda out, x: -np.exp(-x) / x, domain=_POSITIVE)
elementwise(sc.expi, lambda out, x: np.exp(x) / x, domain=_POSITIVE)


def _expn(out: Any, n: Any, x: Any) -> Any:
    # The recurrence below 1 has terms of one sign; above, the difference of neighbours would cancel.
    if not is_same_in_all_turns(n):
        n = np.zeros_like(x) + n
    if is_literal(n):
        return -sc.expn(n - 1, x) if n > 0 else ((n - 1) * out - np.exp(-x)) / x
    return np.where(n > 0, -sc.expn(np.maximum(n - 1, 0), x), ((n - 1) * out - np.exp(-x)) / x)


in_last(sc.expn, _expn, (1.5, 2.5), _POSITIVE)
elementwise(sc.spence, lambda out, z: -sc.hyp2f1(1, 1, 2, 1 - z), domain=(0.3, 1.8))
structural(sc.sici, x=lambda g, out, x, dtype=None: combined(g, np.sinc(x / math.pi), np.cos(x) / x))
structural(sc.shichi, x=lambda g, out, x, dtype=None: combined(g, (sc.exprel(x) + sc.exprel(-x)) / 2, np.cosh(x) / x))
structural(
    sc.fresnel,
    x=lambda g, out, x, dtype=None: combined(g, np.sin(math.pi / 2 * x**2), np.cos(math.pi / 2 * x**2)),
)

# ---- orthogonal polynomials: their derivatives are others of one degree less


def _lower(function: np.ufunc, n: Any, *arguments: Any) -> Any:
    """The polynomial of degree n - 1; 0 for the derivative of a constant."""
    if not is_same_in_all_turns(n):
        n = np.zeros_like(arguments[-1]) + n
    if is_literal(n):
        return function(n - 1, *arguments) if n != 0 else 0.0
    return np.where(n != 0, function(np.where(n != 0, n - 1, 0), *arguments), 0)


_DEGREE = (1.5, 4.5)
in_last(sc.eval_legendre, lambda out, n, x: (n + 1) / 2 * _lower(sc.eval_jacobi, n, 1, 1, x), _DEGREE, _UNIT)
in_last(
    sc.eval_sh_legendre,
    lambda out, n, x: (n + 1) * _lower(sc.eval_jacobi, n, 1, 1, 2 * x - 1),
    _DEGREE,
    (0.1, 0.9),
)
in_last(sc.eval_chebyt, lambda out, n, x: n * _lower(sc.eval_chebyu, n, x), _DEGREE, _UNIT)
in_last(sc.eval_chebyu, lambda out, n, x: 2 * _lower(sc.eval_gegenbauer, n, 2, x), _DEGREE, _UNIT)
in_last(sc.eval_chebyc, lambda out, n, x: n * _lower(sc.eval_chebyu, n, x / 2), _DEGREE, _UNIT)
in_last(sc.eval_chebys, lambda out, n, x: _lower(sc.eval_gegenbauer, n, 2, x / 2), _DEGREE, _UNIT)
in_last(sc.eval_sh_chebyt, lambda out, n, x: 2 * n * _lower(sc.eval_chebyu, n, 2 * x - 1), _DEGREE, (0.1, 0.9))
in_last(
    sc.eval_sh_chebyu,
    lambda out, n, x: 4 * _lower(sc.eval_gegenbauer, n, 2, 2 * x - 1),
    _DEGREE,
    (0.1, 0.9),
)
in_last(
    sc.eval_gegenbauer,
    lambda out, n, a, x: 2 * a * _lower(sc.eval_gegenbauer, n, a + 1, x),
    _DEGREE,
    (0.5, 1.5),
    _UNIT,
)
in_last(
    sc.eval_jacobi,
    lambda out, n, a, b, x: (n + a + b + 1) / 2 * _lower(sc.eval_jacobi, n, a + 1, b + 1, x),
    _DEGREE,
    (0.5, 1.5),
    (1.5, 2.5),
    _UNIT,
)
in_last(
    sc.eval_sh_jacobi,
    lambda out, n, p, q, x: n * _lower(sc.eval_sh_jacobi, n, p + 2, q + 1, x),
    _DEGREE,
    (2.5, 3.5),
    (1.5, 2.5),
    (0.1, 0.9),
)
in_last(sc.eval_hermite, lambda out, n, x: 2 * n * _lower(sc.eval_hermite, n, x), _DEGREE, _UNIT)
in_last(sc.eval_hermitenorm, lambda out, n, x: n * _lower(sc.eval_hermitenorm, n, x), _DEGREE, _UNIT)
in_last(sc.eval_laguerre, lambda out, n, x: -_lower(sc.eval_genlaguerre, n, 1, x), _DEGREE, _UNIT)
in_last(
    sc.eval_genlaguerre,
    lambda out, n, a, x: -_lower(sc.eval_genlaguerre, n, a + 1, x),
    _DEGREE,
    (0.5, 1.5),
    _UNIT,
)
in_last(
    sc.lpmv,
    lambda out, m, v, x: (v * x * out - (v + m) * sc.lpmv(m, v - 1, x)) / (x**2 - 1),
    (0.5, 1.5),
    (2.5, 3.5),
    _UNIT,
)


@composite(sc.assoc_laguerre)
def _assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    return sc.eval_genlaguerre(n, k, x)
