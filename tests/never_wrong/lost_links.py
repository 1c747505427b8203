"""Ways in which a followed value may leave NumPy: conversions, serialisation, C code, random draws."""

from __future__ import annotations

import array
import copy
import ctypes
import decimal
import fractions
import importlib.util
import io
import json
import math
import pathlib
import pickle
import statistics
import struct
import warnings
from typing import Any

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.spatial.distance
import scipy.stats

from tests.never_wrong.case import MATRIX, Case, Table

__all__ = ["CASES"]


def _load_foreign() -> Any:
    """The foreign module, from a folder that looks like an installation and is not on the path."""
    path = pathlib.Path(__file__).parent / "site-packages" / "foreign_numerics.py"
    specification = importlib.util.spec_from_file_location("foreign_numerics", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


foreign_numerics = _load_foreign()
table = Table()
TEMPLATE = "%.17g"


@table.function()
def float_stored_in_a_list(x):
    values = []
    for k in range(len(x)):
        values.append(float(x[k]))
    return np.array(values) ** 2


@table.function()
def saved_and_loaded(x):
    file = io.BytesIO()
    np.save(file, x)
    file.seek(0)
    return np.load(file) ** 2


@table.function()
def saved_as_text(x):
    file = io.StringIO()
    np.savetxt(file, x)
    file.seek(0)
    return np.loadtxt(file) ** 2


@table.function()
def through_a_pointer(x):
    pointer = x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    return pointer[0] * x


@table.function()
def pointer_written_through(x):
    y = x * 2.0
    y.ctypes.data_as(ctypes.POINTER(ctypes.c_double))[0] = 5.0
    return y


@table.function()
def array_interface(x):
    class View:
        __array_interface__ = x.__array_interface__

    return np.array(View()) ** 2


@table.function()
def shuffled(x):
    y = x * x
    np.random.default_rng(0).shuffle(y)
    return y


@table.function()
def shuffled_rows(x):
    y = np.outer(x, x**2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.default_rng(0).shuffle(y)
    return y


@table.function()
def legacy_random_normal(x):
    state = np.random.get_state()
    np.random.seed(0)
    drawn = np.random.normal(loc=x)
    np.random.set_state(state)
    return drawn**2


@table.function()
def random_draws_as_constants(x):
    rng = np.random.default_rng(3)
    return (x + rng.normal(size=4)) ** 2 * rng.uniform(0.5, 1.5, 4)


@table.function()
def foreign_fitted_object(x):
    return foreign_numerics.Scaler().fit(x**2).transform(x)


@table.function()
def integrate_an_ode(x):
    solution = scipy.integrate.solve_ivp(lambda t, y: -x[0] * y, (0.0, 1.0), [x[1]], rtol=1e-10, atol=1e-12)
    return solution.y[0, -1]


CASES: list[Case] = [
    *table.cases,
    Case("float", lambda x: float(x[0]) * x),
    Case("float of a whole result", lambda x: float((x**2).sum()) * x),
    Case("int", lambda x: int(10 * x[0] + 0.5) * x),
    Case("int as index", lambda x: x[int(x[0])] ** 2),
    Case("complex", lambda x: complex(x[0]).real * x),
    Case("np.float64", lambda x: np.float64(x[0]) * x),
    Case("np.float32 and back", lambda x: np.float64(np.round(np.float32(x[0]))) * x),
    Case("math.exp", lambda x: math.exp(x[0]) * x),
    Case("math.sqrt of a sum", lambda x: math.sqrt((x**2).sum())),
    Case("math.fsum", lambda x: math.fsum(x)),
    Case("math.hypot", lambda x: math.hypot(*x)),
    Case("math.prod", lambda x: math.prod(x)),
    Case("math.sumprod by hand", lambda x: sum(map(math.sin, x))),
    Case("math.floor", lambda x: math.floor(x[0]) * x),
    Case("math.isnan", lambda x: x if not math.isnan(x[0]) else 0 * x),
    Case("math.isclose", lambda x: x if math.isclose(x[0], 1.3) else x**2),
    Case("tolist", lambda x: np.array(x.tolist()) ** 2),
    Case("item", lambda x: x[1].item() * x),
    Case("item with a position", lambda x: x.item(2) * x),
    Case("pickle", lambda x: pickle.loads(pickle.dumps(x)) ** 2),
    Case("copy.copy", lambda x: copy.copy(x) ** 2),
    Case("copy.deepcopy", lambda x: copy.deepcopy(x) ** 2),
    Case("copy.deepcopy of a tree", lambda x: copy.deepcopy({"layers": [x * 2]})["layers"][0] ** 2),
    Case("np.vectorize with math", lambda x: np.vectorize(math.exp)(x)),
    Case("np.vectorize with branches", lambda x: np.vectorize(lambda v: v if v > 1 else v * v)(x)),
    Case("np.vectorize with otypes", lambda x: np.vectorize(lambda v: v * v, otypes=[float])(x)),
    Case("np.frompyfunc", lambda x: np.frompyfunc(lambda v: v * v, 1, 1)(x).astype(float)),
    Case("np.fromiter", lambda x: np.fromiter((v * v for v in x), dtype=float)),
    Case("struct", lambda x: struct.unpack("d", struct.pack("d", x[0]))[0] * x),
    Case("array.array", lambda x: np.array(array.array("d", x)) ** 2),
    Case("json of elements", lambda x: np.array(json.loads(json.dumps(list(x)))) ** 2),
    Case("json of a float", lambda x: json.loads(json.dumps({"x": float(x[0])}))["x"] * x),
    Case("formatted and parsed", lambda x: float(f"{x[0]:.17g}") * x),
    Case("percent-formatted and parsed", lambda x: float(TEMPLATE % x[0]) * x),
    Case("str and back", lambda x: float(str(x[0])) * x),
    Case("repr of a float and back", lambda x: float(repr(float(x[0]))) * x),
    Case("np.array2string and back", lambda x: np.fromstring(np.array2string(x)[1:-1], sep=" ") ** 2),
    Case("statistics.mean", lambda x: statistics.mean(x) * x),
    Case("statistics.fmean", lambda x: statistics.fmean(x) * x),
    Case("statistics.median", lambda x: statistics.median(x) * x),
    Case("fractions", lambda x: float(fractions.Fraction(x[0])) * x),
    Case("decimal", lambda x: float(decimal.Decimal(x[0])) * x),
    Case("hex and back", lambda x: float.fromhex(x[0].hex()) * x),
    Case("as_integer_ratio", lambda x: (lambda p, q: p / q)(*x[0].as_integer_ratio()) * x),
    Case("memoryview", lambda x: memoryview(x)[0] * x),
    Case("tobytes", lambda x: np.frombuffer(x.tobytes()) ** 2),
    Case("data", lambda x: np.frombuffer(x.data) ** 2),
    Case("bytes", lambda x: np.frombuffer(bytes(x)) ** 2),
    Case("view as integers", lambda x: x.view(np.int64).view(np.float64) ** 2),
    Case("ctypes.c_double", lambda x: ctypes.c_double(x[0]).value * x),
    Case("astype integer", lambda x: x.astype(int) * x),
    Case("astype object", lambda x: (x.astype(object) ** 2).sum()),
    Case("astype str and back", lambda x: x.astype(str).astype(float) ** 2),
    Case("np.array of objects", lambda x: np.array([x[0], x[1]], dtype=object).sum() ** 2),
    Case("random normal around", lambda x: np.random.default_rng(0).normal(x) ** 2),
    Case("random normal scaled", lambda x: np.random.default_rng(0).normal(0.0, x)),
    Case("RandomState normal around", lambda x: np.random.RandomState(0).normal(loc=x) ** 2),
    Case("random permutation", lambda x: np.random.default_rng(0).permutation(x) ** 2),
    Case("random choice", lambda x: np.random.default_rng(0).choice(x, 3) ** 2),
    Case("foreign asarray", lambda x: foreign_numerics.total_of_squares(x) * x),
    Case("foreign captured names", lambda x: foreign_numerics.squares_by_captured_names(x)),
    Case("foreign math", lambda x: foreign_numerics.geometric_mean(x) * x),
    Case("foreign cache", lambda x: foreign_numerics.cached_cube(x[0]) * x),
    Case("foreign callback", lambda x: foreign_numerics.apply(lambda point: point * x[0] ** 2, np.arange(3.0))),
    Case("scipy.optimize.brentq", lambda x: scipy.optimize.brentq(lambda t: t * t - x[0], 0.0, 3.0) * x),
    Case("scipy.optimize.fsolve", lambda x: scipy.optimize.fsolve(lambda t: t**3 - x[0], 1.0)[0] * x),
    Case("scipy.optimize.root", lambda x: scipy.optimize.root(lambda t: t**3 - x, np.ones(4), tol=1e-13).x),
    Case("scipy.integrate.quad", lambda x: scipy.integrate.quad(lambda t: x[0] * t * t, 0.0, 1.0)[0]),
    Case("scipy.integrate.simpson", lambda x: scipy.integrate.simpson(x)),
    Case("scipy.integrate.trapezoid", lambda x: scipy.integrate.trapezoid(x**2, dx=0.5)),
    Case("scipy.interpolate.CubicSpline", lambda x: scipy.interpolate.CubicSpline(np.arange(4.0), x)(1.4)),
    Case("scipy.stats.norm.logpdf", lambda x: scipy.stats.norm.logpdf(x)),
    Case("scipy.sparse left", lambda x: scipy.sparse.csr_matrix(MATRIX) @ x),
    Case("scipy.sparse from values", lambda x: scipy.sparse.diags(x).toarray() @ x),
    Case("scipy.spatial cdist", lambda x: scipy.spatial.distance.cdist(x.reshape(2, 2), MATRIX[:, :2])),
    Case("scipy.ndimage", lambda x: scipy.ndimage.gaussian_filter(x, 1.0)),
    Case("scipy.signal.fftconvolve", lambda x: scipy.signal.fftconvolve(x, x)),
    Case("scipy.signal.lfilter", lambda x: scipy.signal.lfilter([1.0, 0.5], [1.0, -0.2], x)),
    Case("scipy.fft", lambda x: np.abs(scipy.fft.fft(x)) ** 2),
]
