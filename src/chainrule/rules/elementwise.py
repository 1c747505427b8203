"""Rules for NumPy's ufuncs and its other functions that work element by element.

At kinks, where a derivative from one side or between the two sides has to be chosen:

- ``abs``, ``fabs``, ``sign``, ``copysign`` and ``hypot`` have derivative 0 at 0;
- ``maximum``, ``minimum``, ``fmax`` and ``fmin`` give nothing to an operand that ties with a plain number, so that
  ``np.maximum(0, z)`` has derivative ``(z > 0)``, and share evenly between two arrays that tie, as JAX and PyTorch do;
- ``clip`` has derivative 1 at its bounds, as in PyTorch;
- rounding, ``floor_divide`` and ``sign`` are flat, also at their jumps.

Complex arguments: an elementwise rule is the holomorphic derivative.  The functions that are not holomorphic (``abs``,
``conj``, ``real``, ``imag``, ``angle``, ``sign``) are structural; theirs is ``dL/dx - i dL/dy``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.broadcasting import unbroadcast
from chainrule.language import message
from chainrule.ops import composite, constant, elementwise, structural
from chainrule.rules.helpers import as_operand, is_literal, is_same_in_all_turns

__all__: list[str] = []

_POSITIVE = (0.3, 2.5)
_AWAY_FROM_ZERO = (0.5, 2.0)
_UNIT = (-0.9, 0.9)
_ANY = (-2.0, 2.0)

_function: Any

# ---- arithmetic

elementwise(np.positive, lambda out, x: 1)
elementwise(np.negative, lambda out, x: -1)
elementwise(np.add, lambda out, x, y: 1, lambda out, x, y: 1)
elementwise(np.subtract, lambda out, x, y: 1, lambda out, x, y: -1)
elementwise(np.multiply, lambda out, x, y: y, lambda out, x, y: x)
elementwise(np.divide, lambda out, x, y: 1 / y, lambda out, x, y: -out / y, domain=(_ANY, _AWAY_FROM_ZERO))
elementwise(np.reciprocal, lambda out, x: -(out**2), domain=_AWAY_FROM_ZERO)
elementwise(np.square, lambda out, x: 2 * x)
elementwise(np.sqrt, lambda out, x: 0.5 / out, domain=_POSITIVE)
elementwise(np.cbrt, lambda out, x: 1 / (3 * out**2), domain=_POSITIVE)
elementwise(np.fmod, lambda out, x, y: 1, lambda out, x, y: -np.trunc(x / y), domain=(_ANY, _AWAY_FROM_ZERO))
elementwise(np.remainder, lambda out, x, y: 1, lambda out, x, y: -np.floor_divide(x, y), domain=(_ANY, _AWAY_FROM_ZERO))


def _power_base(out: Any, x: Any, y: Any) -> Any:
    if not (is_literal(y) or issubclass(type(y), np.number)):
        # At x = y = 0 the derivative is 0; 0 * 0.0**-1 would be NaN.
        return y * x ** np.where((x == 0) & (y == 0), 1, y - 1)
    if not is_same_in_all_turns(y):
        return y * x ** np.where((x == 0) & (x == y), 1, y - 1)
    if y in (0, 1):
        return int(y)
    if y == 2:
        return 2 * x
    if y == -0.5:
        return -0.5 * out**3
    return 0.5 / out if y == 0.5 else y * x ** (y - 1)


def _power_exponent(out: Any, x: Any, y: Any) -> Any:
    # Where the base is 0 the power does not change with a positive exponent; 0 * log(0) would be NaN.
    if is_literal(x):
        if not is_same_in_all_turns(x):
            return out * np.log(np.where(out == 0, 1, x))
        return out * np.log(x).item() if x != 0 else 0
    return out * np.log(np.where(x == 0, 1, x))


elementwise(np.power, _power_base, _power_exponent, domain=(_POSITIVE, _ANY))
elementwise(np.float_power, _power_base, _power_exponent, domain=(_POSITIVE, _ANY))

# ---- exponentials and logarithms

elementwise(np.exp, lambda out, x: out)
elementwise(np.exp2, lambda out, x: out * math.log(2))
elementwise(np.expm1, lambda out, x: out + 1)
elementwise(np.log, lambda out, x: 1 / x, domain=_POSITIVE)
elementwise(np.log2, lambda out, x: 1 / (x * math.log(2)), domain=_POSITIVE)
elementwise(np.log10, lambda out, x: 1 / (x * math.log(10)), domain=_POSITIVE)
elementwise(np.log1p, lambda out, x: 1 / (1 + x), domain=(-0.6, 2.0))


def _finite(out: Any, x: Any, y: Any) -> Any:
    """``out``, with 0 where both operands are -inf, the logarithms of probabilities 0.

    There neither has a share, and -inf - -inf would be NaN.  Beside a finite literal, as in softplus, that cannot be.
    """
    literal = any(isinstance(operand, int | float) and operand > -math.inf for operand in (x, y))
    return out if literal else np.where(out == -math.inf, 0, out)


elementwise(
    np.logaddexp,
    lambda out, x, y: np.exp(x - _finite(out, x, y)),
    lambda out, x, y: np.exp(y - _finite(out, x, y)),
)
elementwise(
    np.logaddexp2,
    lambda out, x, y: np.exp2(x - _finite(out, x, y)),
    lambda out, x, y: np.exp2(y - _finite(out, x, y)),
)

# ---- trigonometry

elementwise(np.sin, lambda out, x: np.cos(x))
elementwise(np.cos, lambda out, x: -np.sin(x))
elementwise(np.tan, lambda out, x: 1 + out**2, domain=(-1.2, 1.2))
elementwise(np.arcsin, lambda out, x: 1 / np.sqrt(1 - x**2), domain=_UNIT)
elementwise(np.arccos, lambda out, x: -1 / np.sqrt(1 - x**2), domain=_UNIT)
elementwise(np.arctan, lambda out, x: 1 / (1 + x**2))
elementwise(
    np.arctan2,
    lambda out, y, x: x / (x**2 + y**2),
    lambda out, y, x: -y / (x**2 + y**2),
    domain=(_ANY, _AWAY_FROM_ZERO),
)
elementwise(np.sinh, lambda out, x: np.cosh(x))
elementwise(np.cosh, lambda out, x: np.sinh(x))
elementwise(np.tanh, lambda out, x: 1 - out**2)
elementwise(np.arcsinh, lambda out, x: 1 / np.sqrt(1 + x**2))
# Two roots rather than one of x**2 - 1: exact near 1, and on the right branch for complex x.
elementwise(np.arccosh, lambda out, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)), domain=(1.2, 3.0))
elementwise(np.arctanh, lambda out, x: 1 / (1 - x**2), domain=_UNIT)
elementwise(
    np.hypot,
    lambda out, x, y: x / np.where(out == 0, 1, out),
    lambda out, x, y: y / np.where(out == 0, 1, out),
    domain=(_ANY, _AWAY_FROM_ZERO),
)
for _function in (np.deg2rad, np.radians):
    elementwise(_function, lambda out, x: math.pi / 180)
for _function in (np.rad2deg, np.degrees):
    elementwise(_function, lambda out, x: 180 / math.pi)


def _sinc_slope(x: Any) -> Any:
    """The derivative of ``sin(pi x) / (pi x)``, exact at and around 0 to any order: by its power series there."""
    near = np.abs(x) < 0.25
    u = (math.pi * np.where(near, x, 0)) ** 2
    series = 0.0
    for k in range(9, 0, -1):
        series = (-1) ** k * 2 * k / math.factorial(2 * k + 1) + series * u
    far = np.where(near, 1, x)
    return np.where(near, math.pi**2 * x * series, (np.cos(math.pi * far) - np.sinc(far)) / far)


# I0 and its derivative I1 are means of cosh(c x) and c sinh(c x) over these nodes (Gauss-Chebyshev quadrature), exact
# to rounding for all x at which they do not overflow.
_NODES = np.cos(np.arange(0.5, 64) * math.pi / 128)


def _i1(out: Any, x: Any) -> Any:
    nodes = _NODES.astype(out.dtype)
    return np.mean(nodes * np.sinh(np.expand_dims(x, -1) * nodes), axis=-1)


elementwise(np.sinc, lambda out, x: _sinc_slope(x))
elementwise(np.i0, _i1)

# ---- signs, extrema and choices

structural(
    np.absolute,
    lazy=True,
    x=lambda g, out, x, dtype=None: g * (np.conjugate(np.sign(x)) if np.iscomplexobj(x) else np.sign(x)),
)
elementwise(np.fabs, lambda out, x: np.sign(x))
elementwise(np.copysign, lambda out, x, y: np.sign(x) * np.sign(out), None)
elementwise(np.heaviside, None, lambda out, x, y: x == 0)


def _sign(g: Any, out: Any, x: Any, dtype: Any = None) -> Any:
    if not np.iscomplexobj(x):
        return None
    return np.where(x == 0, 0, g - np.conjugate(g * out**2)) / (2 * np.where(x == 0, 1, np.absolute(x)))


structural(np.sign, x=_sign)

elementwise(
    np.maximum,
    lambda out, x, y: x > y if is_literal(y) else np.where(x == y, 0.5, x > y),
    lambda out, x, y: y > x if is_literal(x) else np.where(x == y, 0.5, y > x),
)
elementwise(
    np.minimum,
    lambda out, x, y: x < y if is_literal(y) else np.where(x == y, 0.5, x < y),
    lambda out, x, y: y < x if is_literal(x) else np.where(x == y, 0.5, y < x),
)
# These take the other operand where one is NaN, so what is asked is which of them came out.
for _function in (np.fmax, np.fmin):
    elementwise(
        _function,
        lambda out, x, y: (x == out) & (x != y) if is_literal(y) else np.where(x == y, 0.5, x == out),
        lambda out, x, y: (y == out) & (x != y) if is_literal(x) else np.where(x == y, 0.5, y == out),
    )


def _bounds(a_min: Any, a_max: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """The bounds of ``np.clip``, under whichever of their two names they were given; ``None`` where there is none."""
    given = [None if b is np._NoValue else b for b in (a_min, a_max, low, high)]
    return (given[0] if given[2] is None else given[2]), (given[1] if given[3] is None else given[3])


def _clip(g: Any, out: Any, a: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Any:
    low, high = _bounds(a_min, a_max, min, max)
    if low is None or high is None:
        return g if low is high else g * (a <= high if low is None else a >= low)
    # What is within the bounds, they included, is what comes out as it went in.
    return g * (a == out)


def _clip_low(g: Any, out: Any, a: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Any:
    low, high = _bounds(a_min, a_max, min, max)
    # Bounds the wrong way round: NumPy applies the upper one last.
    return g * (a < low) if high is None else g * ((a < low) & (low <= high))


def _clip_high(g: Any, out: Any, a: Any, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Any:
    low, high = _bounds(a_min, a_max, min, max)
    return g * (a > high) if low is None else g * ((a > high) | (low > high))


structural(np.clip, a=_clip, a_min=_clip_low, a_max=_clip_high, min=_clip_low, max=_clip_high)

structural(
    np.where,
    lazy=True,
    condition=None,
    x=lambda g, out, condition, x, y: unbroadcast(np.where(condition, g, 0), out, x),
    y=lambda g, out, condition, x, y: unbroadcast(np.where(condition, 0, g), out, y),
)


@composite(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    x = as_operand(x)
    if x.dtype.kind == "c":
        parts = [np.nan_to_num(part, True, nan, posinf, neginf) for part in (np.real(x), np.imag(x))]
        result = (parts[0] + 1j * parts[1]).astype(x.dtype)
    elif x.dtype.kind != "f":
        result = np.copy(x)
    else:
        limits = np.finfo(x.dtype)
        posinf = float(limits.max) if posinf is None else posinf
        neginf = float(limits.min) if neginf is None else neginf
        replacement = np.where(np.isnan(x), nan, np.where(x > 0, posinf, neginf))
        result = np.where(np.isfinite(x), x, replacement.astype(x.dtype))
    if copy:
        return result
    x[...] = result
    return x


# ---- two results

structural(np.modf, x=lambda g, out, x, dtype=None: g[0])
structural(np.frexp, x=lambda g, out, x, dtype=None: None if g[0] is None else np.ldexp(g[0], -out[1]))
structural(np.ldexp, x1=lambda g, out, x1, x2, dtype=None: np.ldexp(g, x2), x2=None)
structural(
    np.divmod,
    x1=lambda g, out, x1, x2, dtype=None: g[1],
    x2=lambda g, out, x1, x2, dtype=None: None if g[1] is None else -g[1] * out[0],
)

# ---- complex numbers

structural(np.conjugate, lazy=True, x=lambda g, out, x, dtype=None: np.conjugate(g) if np.iscomplexobj(g) else g)
structural(np.real, lazy=True, val=lambda g, out, val: g)
structural(np.imag, lazy=True, val=lambda g, out, val: -1j * g if np.iscomplexobj(val) else None)
structural(
    np.angle,
    lazy=True,
    z=lambda g, out, z, deg=False: g * ((-180j / math.pi if deg else -1j) / z) if np.iscomplexobj(z) else None,
)


@composite(np.real_if_close)
def _real_if_close(a: Any, tol: Any = 100) -> Any:
    a = as_operand(a)
    if a.dtype.kind != "c":
        return a
    limit = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(np.imag(a)) < limit) else a


# The jumps that are taken out are whole periods, which do not change with the argument.
structural(np.unwrap, lazy=True, p=lambda g, out, p, discont=None, axis=-1, period=2 * math.pi: g)

# ---- no derivative

for _function in (np.ceil, np.floor, np.trunc, np.rint, np.floor_divide, np.spacing):
    constant(_function, message("it is flat between its jumps"))
for _function, _operand in ((np.round, "a"), (np.around, "a"), (np.fix, "x")):
    constant(_function, message("it is flat between its jumps"), _operand)
for _function in (
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.logical_and,
    np.logical_or,
    np.logical_xor,
    np.logical_not,
    np.isfinite,
    np.isinf,
    np.isnan,
    np.isnat,
    np.signbit,
):
    constant(_function, message("it returns truth values"))
for _function in (
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.bitwise_count,
    np.invert,
    np.left_shift,
    np.right_shift,
    np.gcd,
    np.lcm,
):
    constant(_function, message("it works on integers"))
