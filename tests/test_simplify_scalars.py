"""Roots, exponentials, choices and numbers: what is written is the gradient at ties, zeros, integers and masks too."""

import numpy as np
import pytest

import chainrule as cr
from tests.forms.form import count_function


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _normal_prices(S, K, sigma, T, r):
    """With a cumulative distribution of which the slope is the normal density up to a factor."""
    erf = pytest.importorskip("scipy.special").erf
    d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    return np.sum((S * erf(d1 / np.sqrt(2)) - K * np.exp(-r * T) * erf(d2 / np.sqrt(2))) ** 2)


def _squash(s):
    n = np.sum(s**2, axis=-1, keepdims=True)
    return np.sum(np.cos(n / (1 + n) * s / np.sqrt(n)))


def _kept_away(x, y):
    n = np.linalg.norm(x, axis=1)
    unit = x / np.maximum(n, 0.5)[:, None]
    return np.sum(np.cos(unit)) + np.sum(np.sum(x * y, axis=1) / np.maximum(n * np.linalg.norm(y, axis=1), 0.5))


def _noise(mu, sigma, eps):
    w = mu + sigma * eps
    return np.sum(np.log(sigma) + ((w - mu) / sigma) ** 2) + np.sum(w**2)


def _policy(z, r, beta):
    p = _softmax(z)
    return np.sum(p * r) - beta * np.sum(np.sum(p * np.log(p + 1e-8), axis=1) ** 2)


def _kinetics(s, v, top, half):
    rate = top * s / (half + s)
    return np.sum((rate - v) ** 2)


def _tempered(z, y, T):
    s = z / T
    logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(y)), y])


def _positive(*shape):
    return lambda random: random.random(shape) + 0.5


def _normal(*shape):
    return lambda random: random.standard_normal(shape)


def _tied(*shape):
    return lambda random: np.round(random.standard_normal(shape))


def _counts(*shape):
    return lambda random: random.integers(0, 3, shape)


def _mask(*shape):
    return lambda random: random.random(shape) > 0.5


def _number(x):
    return lambda random: np.asarray(x)


FUNCTIONS = {
    "prices of one asset": (_normal_prices, (_number(1.1), _positive(5), _number(0.3), _number(0.7), _number(0.1))),
    "squash": (_squash, (_normal(4, 3),)),
    "kept away from zero": (_kept_away, (_normal(4, 3), _normal(4, 3))),
    "root of a product": (lambda x, y: np.sum(np.sin(x * y / np.sqrt(x * y)) * x), (_positive(5), _positive(5))),
    "root below": (lambda x: np.sum(np.sin(np.sqrt(x) / x)), (_positive(5),)),
    "cube root": (lambda x: np.sum(np.sin(x / np.cbrt(x) ** 2)), (_normal(5),)),
    "multiple of a denominator": (
        lambda x, y: np.sum(y * (x - np.log1p(-np.exp(-x)))) + np.sum(y * np.log(1 - np.tanh(x)) + y * x),
        (_positive(5), _normal(5)),
    ),
    "power of minus one half": (lambda x: np.sum(np.sin(x * (x + 0.0) ** -0.5) + x**-0.5 * x), (_positive(5),)),
    "noise": (_noise, (_normal(5), _positive(5), _normal(5))),
    "entropy": (_policy, (_normal(4, 3), _normal(4, 3), _number(0.3))),
    "kinetics": (_kinetics, (_positive(6), _positive(6), _number(2.0), _number(0.7))),
    "temperature": (_tempered, (_normal(5, 3), _counts(5), _number(1.7))),
    "quantile": (lambda r, q: np.mean(np.maximum(q * r, (q - 1) * r)), (_tied(9), _number(0.3))),
    "quantiles of rows": (lambda r, q: np.mean(np.maximum(q * r, (q - 1) * r)), (_tied(9, 2), _positive(2))),
    "larger": (lambda a, b: np.sum(np.sin(np.maximum(a, b)) + 0.3 * np.maximum(a, 0)), (_tied(9), _tied(9))),
    "slope by a mask": (
        lambda x, m: np.sum((0.2 + 3 * m) * np.sin(x) + np.where(x > 0, x, 0.1 * x)),
        (_tied(6), _mask(6)),
    ),
    "integer labels": (lambda z, y: np.sum(y / (1 + np.exp(-z)) - (1 - y) * z) ** 2, (_normal(6), _counts(6))),
    "zeros and others": (
        lambda e, y: np.sum(np.where(y == 0, np.log(1 + np.exp(-np.exp(e))), y * e - np.exp(e))),
        (_normal(6), _counts(6)),
    ),
    "integer power": (lambda x: np.sum(x ** np.int64(2) + x ** np.int64(3)), (_tied(6),)),
    "negative scalar": (lambda x, e, s: -(x @ e) / s**2 - np.sum(x * e) / s, (_normal(6), _normal(6), _number(0.4))),
}


SINGLE = ("power of minus one half", "quantile", "slope by a mask", "integer power", "negative scalar")


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, np.float64) for name in FUNCTIONS), *((name, np.float32) for name in SINGLE)]
)
def test_what_is_written_is_the_gradient(name, dtype):
    f, makers = FUNCTIONS[name]
    random = np.random.default_rng(5)
    values = [make(random) for make in makers]
    values = [v.astype(dtype) if v.dtype.kind == "f" and v.shape else v for v in values]
    places = tuple(k for k, v in enumerate(values) if v.dtype.kind == "f")
    written = cr.write(f, *values, wrt=places).function
    tolerance = 64 * np.finfo(dtype).eps
    for seed in (5, 6):
        random = np.random.default_rng(seed)
        fresh = [np.asarray(make(random), v.dtype) for make, v in zip(makers, values, strict=True)]
        _, found = written(*fresh)
        for g, e in zip(found.values(), cr.grad(f, places)(*fresh), strict=True):
            assert np.shape(g) == np.shape(e)
            assert np.asarray(g).dtype == np.asarray(e).dtype
            np.testing.assert_allclose(g, e, rtol=tolerance * 8, atol=tolerance * (1 + np.max(np.abs(e))))


def test_a_root_that_is_zero_gives_no_less_than_before():
    """Where the sum of squares is zero, its quotients are not defined; all other rows are."""
    values = np.random.default_rng(5).standard_normal((4, 3))
    written = cr.write(_squash, values).function
    values[2] = 0
    with np.errstate(all="ignore"):
        _, found = written(values)
        expected = cr.grad(_squash)(values)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found["s"][finite], expected[finite], rtol=1e-12)


def test_exponentials_that_underflow_stay_finite():
    places = (0, 1)
    random = np.random.default_rng(5)
    S, K, T, r = random.random(5) + 0.5, random.random(5) + 0.5, np.asarray(0.7), np.asarray(0.1)
    sigma = random.random(5) + 0.5
    written = cr.write(_normal_prices, S, K, sigma, T, r, wrt=places).function
    for factor in (1e-3, 1e3):
        _, found = written(S * factor, K, sigma * 0.1, T, r)
        expected = cr.grad(_normal_prices, places)(S * factor, K, sigma * 0.1, T, r)
        for g, e in zip(found.values(), expected if isinstance(expected, tuple) else (expected,), strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(e))))


def _adaptive(w, log_c, X, y, alpha):
    """Of which the scale underflows where it is squared."""
    x = (X @ w - y) / np.exp(log_c)
    return np.mean((x**2 + 1) ** (alpha / 2)) / alpha + log_c


def test_scalars_of_which_the_product_underflows_are_divided_by_in_turn():
    random = np.random.default_rng(5)
    values = [random.standard_normal(3), 0.2, random.standard_normal((6, 3)), random.standard_normal(6), 1.5]
    written = cr.write(_adaptive, *values, wrt=("w", "log_c")).function
    for values[1], values[4] in ((-571.0, -504.0), (-1.0, 0.5), (0.2, 1.5)):
        with np.errstate(all="ignore"):
            found, expected = written(*values)[1], cr.grad(_adaptive, (0, 1))(*values)
        for g, e in zip(found.values(), expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-9)
    count = count_function(written, *values)["operations"] - count_function(_adaptive, *values)["operations"]
    assert count <= 7


def test_a_power_that_is_given_stays_a_variable():
    def f(x, k):
        return np.sum((1 - x) ** k * np.log(x))

    x = np.linspace(0.1, 0.9, 5)
    written = cr.write(f, x, 2.0, wrt="x").function
    for k in (2.0, 3.0, 0.5):
        np.testing.assert_allclose(written(x, k)[1]["x"], cr.grad(f)(x, k), rtol=1e-12)


def test_a_norm_that_is_kept_away_from_zero_has_its_gradient_at_zero_and_below_the_bound():
    written = cr.write(_kept_away, np.ones((3, 2)), np.ones((3, 2))).function
    x = np.array([[0.0, 0.0], [0.1, 0.2], [3.0, -4.0]])
    y = np.array([[1.0, 2.0], [0.0, 0.0], [0.5, 0.5]])
    for values in ((x, y), (y, x)):
        found = written(*values)[1]
        for g, e in zip(found.values(), cr.grad(_kept_away, (0, 1))(*values), strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-12)
