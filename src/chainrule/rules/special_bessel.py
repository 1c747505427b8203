"""Rules for ``scipy.special``: Bessel functions and their relatives (Airy, Kelvin, Struve, parabolic cylinder)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sc

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import Rule, elementwise, structural
from chainrule.rules.scipy_calls import call
from chainrule.rules.special_orders import combined, in_last, unknown

__all__: list[str] = []

_ORDER = (1.5, 2.5)
_POSITIVE = (0.3, 3.0)
_ANY = (-3.0, 3.0)

# ---- Bessel functions of integer and real order: the means of their neighbours

elementwise(sc.j0, lambda out, x: -sc.j1(x), domain=_ANY)
elementwise(sc.j1, lambda out, x: (sc.j0(x) - sc.jv(2, x)) / 2, domain=_ANY)
elementwise(sc.y0, lambda out, x: -sc.y1(x), domain=_POSITIVE)
elementwise(sc.y1, lambda out, x: (sc.y0(x) - sc.yn(2, x)) / 2, domain=_POSITIVE)
elementwise(sc.i0, lambda out, x: sc.i1(x), domain=_ANY)
elementwise(sc.i1, lambda out, x: (sc.i0(x) + sc.iv(2, x)) / 2, domain=_ANY)
elementwise(sc.k0, lambda out, x: -sc.k1(x), domain=_POSITIVE)
elementwise(sc.k1, lambda out, x: -(sc.k0(x) + sc.kn(2, x)) / 2, domain=_POSITIVE)
for _function, _domain in (
    (sc.jv, _ANY),
    (sc.yv, _POSITIVE),
    (sc.yn, _POSITIVE),
    (sc.hankel1, _POSITIVE),
    (sc.hankel2, _POSITIVE),
):
    in_last(_function, lambda out, v, z, f=_function: (f(v - 1, z) - f(v + 1, z)) / 2, _ORDER, _domain)
in_last(sc.iv, lambda out, v, z: (sc.iv(v - 1, z) + sc.iv(v + 1, z)) / 2, _ORDER, _ANY)
in_last(sc.kv, lambda out, v, z: -(sc.kv(v - 1, z) + sc.kv(v + 1, z)) / 2, _ORDER, _POSITIVE)
in_last(sc.kn, lambda out, n, x: -(sc.kn(abs(n - 1), x) + sc.kn(n + 1, x)) / 2, _ORDER, _POSITIVE)

# ---- the same, scaled by an exponential


def _on_the_real_line(name: str, partial: Rule) -> Rule:
    """A partial of a function that is scaled by ``exp(-|z.imag|)`` or so, and not holomorphic."""

    def checked(out: Any, *inputs: Any) -> Any:
        if np.iscomplexobj(inputs[-1]):
            raise NotDifferentiableError(
                message(
                    "scipy.special.{name} is not holomorphic, and has a rule for real arguments only. "
                    "Use scipy.special.{other} and scale it yourself.",
                    name=name,
                    other=name.removesuffix("e"),
                )
            )
        return partial(out, *inputs)

    return checked


elementwise(sc.i0e, lambda out, x: sc.i1e(x) - np.sign(x) * out, domain=_POSITIVE)
elementwise(sc.i1e, lambda out, x: (sc.i0e(x) + sc.ive(2, x)) / 2 - np.sign(x) * out, domain=_POSITIVE)
elementwise(sc.k0e, lambda out, x: out - sc.k1e(x), domain=_POSITIVE)
elementwise(sc.k1e, lambda out, x: out - (sc.k0e(x) + sc.kve(2, x)) / 2, domain=_POSITIVE)
in_last(
    sc.jve,
    _on_the_real_line("jve", lambda out, v, z: (sc.jve(v - 1, z) - sc.jve(v + 1, z)) / 2),
    _ORDER,
    _ANY,
)
in_last(
    sc.yve,
    _on_the_real_line("yve", lambda out, v, z: (sc.yve(v - 1, z) - sc.yve(v + 1, z)) / 2),
    _ORDER,
    _POSITIVE,
)
in_last(
    sc.ive,
    _on_the_real_line("ive", lambda out, v, z: (sc.ive(v - 1, z) + sc.ive(v + 1, z)) / 2 - np.sign(z) * out),
    _ORDER,
    _POSITIVE,
)
in_last(sc.kve, lambda out, v, z: out - (sc.kve(v - 1, z) + sc.kve(v + 1, z)) / 2, _ORDER, _POSITIVE)
in_last(
    sc.hankel1e,
    lambda out, v, z: (sc.hankel1e(v - 1, z) - sc.hankel1e(v + 1, z)) / 2 - 1j * out,
    _ORDER,
    _POSITIVE,
)
in_last(
    sc.hankel2e,
    lambda out, v, z: (sc.hankel2e(v - 1, z) - sc.hankel2e(v + 1, z)) / 2 + 1j * out,
    _ORDER,
    _POSITIVE,
)

# ---- spherical Bessel functions: the second derivative from their differential equation


def _spherical(function: Any, sign: int) -> None:
    def rule(g: Any, out: Any, n: Any, z: Any, derivative: bool = False) -> Any:
        if not derivative:
            return g * call(function, n, z, derivative=True)
        return g * ((n * (n + 1) / z**2 + sign) * call(function, n, z) - 2 / z * out)

    structural(function, n=unknown(function.__name__, 0), z=rule)


_spherical(sc.spherical_jn, -1)
_spherical(sc.spherical_yn, -1)
_spherical(sc.spherical_in, 1)
_spherical(sc.spherical_kn, 1)

# ---- functions that come with their derivatives: two solutions f, h of one differential equation

structural(
    sc.airy,
    x=lambda g, out, z, dtype=None: combined(g, out[1], z * out[0], out[3], z * out[2]),
)
structural(
    sc.pbdv,
    x1=unknown("pbdv", 0),
    x2=lambda g, out, v, x, dtype=None: combined(g, out[1], (x**2 / 4 - v - 0.5) * out[0]),
)
structural(
    sc.pbvv,
    x1=unknown("pbvv", 0),
    x2=lambda g, out, v, x, dtype=None: combined(g, out[1], (x**2 / 4 - v - 0.5) * out[0]),
)
structural(
    sc.pbwa, x1=unknown("pbwa", 0), x2=lambda g, out, a, x, dtype=None: combined(g, out[1], (a - x**2 / 4) * out[0])
)
structural(
    sc.kelvin,
    x=lambda g, out, x, dtype=None: combined(g, out[2], out[3], 1j * out[0] - out[2] / x, 1j * out[1] - out[3] / x),
)
elementwise(sc.ber, lambda out, x: sc.berp(x), domain=_POSITIVE)
elementwise(sc.bei, lambda out, x: sc.beip(x), domain=_POSITIVE)
elementwise(sc.ker, lambda out, x: sc.kerp(x), domain=_POSITIVE)
elementwise(sc.kei, lambda out, x: sc.keip(x), domain=_POSITIVE)
elementwise(sc.berp, lambda out, x: -sc.bei(x) - out / x, domain=_POSITIVE)
elementwise(sc.beip, lambda out, x: sc.ber(x) - out / x, domain=_POSITIVE)
elementwise(sc.kerp, lambda out, x: -sc.kei(x) - out / x, domain=_POSITIVE)
elementwise(sc.keip, lambda out, x: sc.ker(x) - out / x, domain=_POSITIVE)

# ---- Struve functions, and integrals


def _struve_source(v: Any, x: Any) -> Any:
    return (x / 2) ** v * sc.rgamma(v + 1.5) / math.sqrt(math.pi)


in_last(
    sc.struve,
    lambda out, v, x: (sc.struve(v - 1, x) - sc.struve(v + 1, x) + _struve_source(v, x)) / 2,
    _ORDER,
    _POSITIVE,
)
in_last(
    sc.modstruve,
    lambda out, v, x: (sc.modstruve(v - 1, x) + sc.modstruve(v + 1, x) + _struve_source(v, x)) / 2,
    _ORDER,
    _POSITIVE,
)
elementwise(sc.itstruve0, lambda out, x: sc.struve(0, x), domain=_POSITIVE)
elementwise(sc.itmodstruve0, lambda out, x: sc.modstruve(0, x), domain=_POSITIVE)
elementwise(sc.it2struve0, lambda out, x: -sc.struve(0, x) / x, domain=_POSITIVE)
structural(sc.itj0y0, x=lambda g, out, x, dtype=None: combined(g, sc.j0(x), sc.y0(x)))
structural(sc.iti0k0, x=lambda g, out, x, dtype=None: combined(g, sc.i0(x), sc.k0(x)))
structural(sc.it2j0y0, x=lambda g, out, x, dtype=None: combined(g, (1 - sc.j0(x)) / x, -sc.y0(x) / x))
structural(sc.it2i0k0, x=lambda g, out, x, dtype=None: combined(g, (sc.i0(x) - 1) / x, -sc.k0(x) / x))
