"""Expressions with ufuncs and their methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread

__all__ = ["ROWS"]

X = spread(3, 4)
Y = spread(3, 4, seed=1)
ROW = spread(4, seed=2)
UNIT = spread(3, 4, low=-0.9, high=0.9)
POSITIVE = spread(3, 4, low=0.3, high=2.5)
ABOVE_ONE = spread(3, 4, low=1.2, high=3.0)
DENOMINATOR = spread(3, 4, low=0.7, high=1.3, seed=3)
VECTOR = spread(7)
LEFT = spread(5, 3, seed=4)
MATRICES = spread(2, 5, 3, seed=5)
VECTORS = spread(2, 3, seed=6)


def smooth(function: str, expression: Callable[..., Any], *args: np.ndarray, refusable: bool = False) -> Row:
    return Row("ufunc", function, expression, args, refusable)


def zero_slope(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("ufunc (zero slope)", function, expression, args)


def method(function: str, expression: Callable[..., Any], *args: np.ndarray, refusable: bool = False) -> Row:
    return Row("ufunc method", function, expression, args, refusable)


def sum_where(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.add(x, y, where=x > y, out=np.zeros((3, 4)))


def product_into_buffer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    buffer = np.empty((3, 4))
    np.multiply(x, y, out=buffer)
    np.sin(buffer, out=buffer)
    return buffer


ROWS = [
    smooth("absolute", lambda x: np.absolute(x), X),
    smooth("arccos", lambda x: np.arccos(x), UNIT),
    smooth("arcsin", lambda x: np.arcsin(x), UNIT),
    smooth("arcsinh", lambda x: np.arcsinh(x), X),
    smooth("arctan", lambda x: np.arctan(x), X),
    smooth("arctanh", lambda x: np.arctanh(x), UNIT),
    smooth("cbrt", lambda x: np.cbrt(x), POSITIVE),
    smooth("conjugate", lambda x, y: np.conjugate(x + 1j * y) * (2.0 - 3.0j), X, Y),
    smooth("cos", lambda x: np.cos(x), X),
    smooth("cosh", lambda x: np.cosh(x), X),
    smooth("deg2rad", lambda x: np.deg2rad(x), X),
    smooth("degrees", lambda x: np.degrees(x), X),
    smooth("exp", lambda x: np.exp(x), X),
    smooth("exp2", lambda x: np.exp2(x), X),
    smooth("expm1", lambda x: np.expm1(x), X),
    smooth("fabs", lambda x: np.fabs(x), X),
    smooth("log", lambda x: np.log(x), POSITIVE),
    smooth("log10", lambda x: np.log10(x), POSITIVE),
    smooth("log1p", lambda x: np.log1p(x), POSITIVE),
    smooth("log2", lambda x: np.log2(x), POSITIVE),
    smooth("negative", lambda x: np.negative(x), X),
    smooth("positive", lambda x: np.positive(x), X),
    smooth("rad2deg", lambda x: np.rad2deg(x), X),
    smooth("radians", lambda x: np.radians(x), X),
    smooth("reciprocal", lambda x: np.reciprocal(x), POSITIVE),
    smooth("sin", lambda x: np.sin(x), X),
    smooth("sinh", lambda x: np.sinh(x), X),
    smooth("sqrt", lambda x: np.sqrt(x), POSITIVE),
    smooth("square", lambda x: np.square(x), X),
    smooth("tan", lambda x: np.tan(x), UNIT),
    smooth("tanh", lambda x: np.tanh(x), X),
    zero_slope("ceil", lambda x: np.ceil(x), X),
    zero_slope("floor", lambda x: np.floor(x) * x, X),
    zero_slope("rint", lambda x: np.rint(x), X),
    zero_slope("sign", lambda x: np.sign(x) * x, X),
    zero_slope("trunc", lambda x: np.trunc(x), X),
    zero_slope("floor_divide", lambda x, y: np.floor_divide(x, y), X, DENOMINATOR),
    zero_slope("heaviside", lambda x: np.heaviside(x, 0.5) * x**2, X),
    smooth("arccosh", lambda x: np.arccosh(x), ABOVE_ONE),
    smooth("add", lambda x, y: np.add(x, y), X, ROW),
    smooth("subtract", lambda x, y: np.subtract(x, y), ROW, X),
    smooth("multiply", lambda x, y: np.multiply(x, y), X, ROW),
    smooth("divide", lambda x, y: np.divide(x, y), ROW, POSITIVE),
    smooth("true_divide", lambda x, y: np.true_divide(x, y), X, POSITIVE),
    smooth("power", lambda x, y: np.power(x, y), POSITIVE, ROW),
    smooth("float_power", lambda x, y: np.float_power(x, y), POSITIVE, Y),
    smooth("arctan2", lambda x, y: np.arctan2(x, y), X, POSITIVE),
    smooth("hypot", lambda x, y: np.hypot(x, y), X, Y),
    smooth("logaddexp", lambda x, y: np.logaddexp(x, y), X, Y),
    smooth("logaddexp2", lambda x, y: np.logaddexp2(x, y), X, Y),
    smooth("maximum", lambda x, y: np.maximum(x, y), X, Y),
    smooth("minimum", lambda x, y: np.minimum(x, y), X, ROW),
    smooth("fmax", lambda x, y: np.fmax(x, y), X, Y),
    smooth("fmin", lambda x, y: np.fmin(x, y), X, Y),
    smooth("copysign", lambda x, y: np.copysign(x, y), X, Y),
    smooth("fmod", lambda x, y: np.fmod(x, y), X, DENOMINATOR),
    smooth("remainder", lambda x, y: np.remainder(x, y), X, DENOMINATOR),
    smooth("divmod", lambda x, y: np.divmod(x, y), X, DENOMINATOR),
    smooth("modf", lambda x: np.modf(x), X),
    smooth("frexp", lambda x: np.frexp(x)[0], X),
    smooth("ldexp", lambda x: np.ldexp(x, np.array([0, 1, 2, 3])), X),
    smooth("nextafter", lambda x, y: np.nextafter(x, y), X, Y, refusable=True),
    smooth("matmul", lambda x, y: np.matmul(x, y), LEFT, X),
    smooth("vecdot", lambda x, y: np.vecdot(x, y), X, Y),
    smooth("matvec", lambda x, y: np.matvec(x, y), MATRICES, VECTORS),
    smooth("vecmat", lambda x, y: np.vecmat(x, y), VECTORS, np.swapaxes(MATRICES, 1, 2).copy()),
    method("add.reduce", lambda x: np.add.reduce(x, axis=1), X),
    method("multiply.reduce", lambda x: np.multiply.reduce(x, axis=0), X),
    method("maximum.reduce", lambda x: np.maximum.reduce(x), X),
    method("minimum.reduce", lambda x: np.minimum.reduce(x, axis=1, keepdims=True), X),
    method("logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=1), X),
    method("add.accumulate", lambda x: np.add.accumulate(x, axis=1), X),
    method("multiply.accumulate", lambda x: np.multiply.accumulate(x), X),
    method("add.outer", lambda x, y: np.add.outer(x, y) ** 2, VECTOR, ROW),
    method("multiply.outer", lambda x, y: np.multiply.outer(x, y), VECTOR, X),
    method("add.reduceat", lambda x: np.add.reduceat(x, [0, 3, 5]), VECTOR, refusable=True),
    method("ufunc (where)", sum_where, X, Y),
    method("ufunc (out)", product_into_buffer, X, Y),
]
