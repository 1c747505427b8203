"""``custom_vjp``: rules of one's own, in both forms."""

import dataclasses

import numpy as np
import pytest

import chainrule as cr

X = np.array([0.5, -1.0, 2.0])
A = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])


def tanh_rule(g, out, x):
    return (g * (1 - out**2),)


@cr.custom_vjp(tanh_rule)
def tanh(x):
    return np.tanh(np.array(np.asarray(x).tolist()))  # by way of plain numbers, which cannot be followed


@cr.custom_vjp
def square(x):
    return np.asarray(x) ** 2


square.defvjp(lambda x: (square(x), x), lambda x, g: (2 * g * x,))


@pytest.mark.parametrize(("ours", "plain"), [(tanh, np.tanh), (square, np.square)])
def test_every_verb(ours, plain):
    def loss(f):
        return lambda x: np.sum(f(x) * np.sin(x))

    v = np.array([1.0, 0.5, -2.0])
    np.testing.assert_array_equal(ours(X), plain(X))
    np.testing.assert_allclose(cr.grad(loss(ours))(X), cr.grad(loss(plain))(X), rtol=1e-13)
    np.testing.assert_allclose(cr.jacobian(ours)(X), cr.jacobian(plain)(X), rtol=1e-13)
    np.testing.assert_allclose(cr.jvp(ours, (X,), (v,))[1], cr.jvp(plain, (X,), (v,))[1], rtol=1e-13)
    np.testing.assert_allclose(cr.vjp(ours, X)[1](v)[0], cr.vjp(plain, X)[1](v)[0], rtol=1e-13)
    np.testing.assert_allclose(cr.hessian(loss(ours))(X), cr.hessian(loss(plain))(X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(cr.hvp(loss(ours), X, v), cr.hvp(loss(plain), X, v), rtol=1e-12)


@pytest.mark.parametrize("ours", [tanh, square])
def test_third_order(ours):
    cr.testing.check_gradients(lambda x: np.sum(ours(x) * x), (X,), order=3)


def test_a_number():
    assert cr.grad(square)(3.0) == 6.0
    assert cr.grad(cr.grad(square))(3.0) == 2.0
    assert cr.grad(tanh)(0.5) == 1 - np.tanh(0.5) ** 2


def test_float32_stays_float32():
    x = X.astype(np.float32)
    value, gradient = cr.value_and_grad(lambda x: np.sum(square(x)))(x)
    assert value.dtype == np.float32
    assert gradient.dtype == np.float32
    # foreign code that works in double precision
    assert cr.grad(lambda x: np.sum(tanh(x)))(x).dtype == np.float32


def test_trees_and_several_outputs():
    def rule(g, out, p, k):
        g_product, g_parts = g["product"], g["parts"]
        to_a = g_product * p["b"][0] + k * g_parts[0]
        return {"a": to_a, "b": [np.sum(g_product * p["a"])]}, None

    @cr.custom_vjp(rule)
    def f(p, k):
        assert type(p["a"]) is np.ndarray
        return {"product": p["a"] * p["b"][0], "parts": (k * p["a"], "a text")[:1]}

    def loss(p):
        out = f(p, 3)
        return np.sum(out["product"] ** 2) + np.sum(out["parts"][0])

    gradient = cr.grad(loss)({"a": X, "b": [2.0]})
    np.testing.assert_allclose(gradient["a"], 8 * X + 3)
    np.testing.assert_allclose(gradient["b"][0], 4 * np.sum(X**2))
    # outputs that nobody uses have a cotangent of zeros
    gradient = cr.grad(lambda p: np.sum(f(p, 3)["parts"][0]))({"a": X, "b": [2.0]})
    np.testing.assert_allclose(gradient["a"], 3.0)
    assert gradient["b"][0] == 0.0


def test_none_for_a_leaf():
    @cr.custom_vjp(lambda g, out, p: ({"a": None, "b": g * p["a"]},))
    def f(p):
        return p["a"] * p["b"]

    gradient = cr.grad(lambda p: np.sum(f(p)))({"a": X, "b": X + 1})
    np.testing.assert_array_equal(gradient["a"], np.zeros(3))
    np.testing.assert_array_equal(gradient["b"], X)


def test_dataclasses():
    @dataclasses.dataclass
    class Layer:
        W: np.ndarray
        b: np.ndarray

    @cr.custom_vjp(lambda g, out, layer, x: (Layer(np.outer(g, x), g), layer.W.T @ g))
    def apply(layer, x):
        return np.asarray(layer.W) @ np.asarray(x) + layer.b

    layer = Layer(A, np.zeros(2))
    to_layer, to_x = cr.grad(lambda layer, x: np.sum(apply(layer, x)), argnums=(0, 1))(layer, X)
    np.testing.assert_allclose(to_layer.W, np.outer(np.ones(2), X))
    np.testing.assert_allclose(to_layer.b, np.ones(2))
    np.testing.assert_allclose(to_x, A.sum(axis=0))


def test_a_method():
    class Scale:
        factor = 2.0

        @cr.custom_vjp
        def apply(self, x):
            """Times the factor."""
            return self.factor * np.asarray(x)

        apply.defvjp(lambda self, x: (self.apply(x), self), lambda self, g: (None, self.factor * g))

    scale = Scale()
    assert Scale.apply.__doc__ == "Times the factor."
    np.testing.assert_array_equal(scale.apply(X), 2 * X)
    for factor in (2.0, 5.0):  # the object is asked at each call
        scale.factor = factor
        np.testing.assert_array_equal(cr.grad(lambda x: np.sum(scale.apply(x)))(X), np.full(3, factor))


def test_keywords_and_defaults():
    @cr.custom_vjp(lambda g, out, x, n: (g * n * x ** (n - 1), None))
    def power(x, n=2):
        return np.asarray(x) ** n

    np.testing.assert_allclose(cr.grad(lambda x: np.sum(power(x, n=3)))(X), 3 * X**2)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(power(n=4, x=x)))(X), 4 * X**3)
    with pytest.raises(cr.TreeError, match="by keyword only"):
        cr.custom_vjp(lambda g, out, x: (g,))(lambda x, *, n: x * n)(X, n=2)


def test_the_rule_is_called_anew_with_other_values():
    calls = []

    @cr.custom_vjp(lambda g, out, x: (calls.append(float(np.sum(x))) or g * 2 * x,))
    def f(x):
        return np.asarray(x) ** 2

    gradient = cr.grad(lambda x: np.sum(f(x) * x))
    for k in range(1, 5):
        np.testing.assert_allclose(gradient(k * X), 3 * (k * X) ** 2)
    assert calls == [float(np.sum(k * X)) for k in range(1, 5)]


def test_nothing_from_outside_is_kept():
    scale, table = [2.0], np.ones(3)

    @cr.custom_vjp(lambda g, out, x: (g * scale[0] * table,))
    def f(x):
        return np.asarray(x) * scale[0] * table

    gradient = cr.grad(lambda x: np.sum(f(x) * x))
    np.testing.assert_allclose(gradient(X), 4 * X)
    np.testing.assert_allclose(gradient(X), 4 * X)
    scale[0] = 3.0
    np.testing.assert_allclose(gradient(X), 6 * X)
    table[:] = 10.0
    np.testing.assert_allclose(gradient(X), 60 * X)
    np.testing.assert_allclose(cr.jacobian(f)(X), 30 * np.eye(3))


def test_a_rule_that_decides_by_values():
    def rule(g, out, x):
        if not np.any(g):
            return (np.zeros_like(x),)
        if x[0] < 0:
            return (-g,)
        return (2 * g * x,)

    f = cr.custom_vjp(rule)(lambda x: np.asarray(x) ** 2 if x[0] >= 0 else -np.asarray(x))
    for x, slope in ((X, 2 * X), (-X, -np.ones(3)), (X, 2 * X)):
        np.testing.assert_allclose(cr.jacobian(f)(x), np.diag(slope))
        np.testing.assert_allclose(cr.grad(lambda x: np.sum(f(x)))(x), slope)


def test_the_structure_of_the_result_may_change():
    @cr.custom_vjp(lambda g, out, x: (sum(g) if isinstance(g, list) else g,))
    def copies(x):
        return [np.array(x)] * 2 if x[0] > 0 else np.array(x)

    def loss(x):
        first, second = copies(x), copies(-x)
        several, one = (first, second) if isinstance(first, list) else (second, first)
        return np.sum(several[0] + 3 * several[1]) + 10 * np.sum(one)

    np.testing.assert_allclose(cr.grad(loss)(X), np.full(3, 4.0 - 10.0))
    np.testing.assert_allclose(cr.grad(loss)(-X), np.full(3, 10.0 - 4.0))


def test_solving_an_equation_by_foreign_code():
    optimize = pytest.importorskip("scipy.optimize")

    def rule(g, out, a):
        # f(y, a) = y^3 + y - a = 0, so dy/da = 1 / (3 y^2 + 1)
        return (g / (3 * out**2 + 1),)

    @cr.custom_vjp(rule)
    def solve(a):
        return np.array([optimize.brentq(lambda y, t: y**3 + y - t, -10, 10, (t,)) for t in a])

    cr.testing.check_gradients(lambda a: np.sum(np.sin(solve(a * a))), (X,), order=2, rtol=1e-5)


def test_derivatives_inside_the_function_and_the_rule():
    def residual(y, a):
        return y**3 + y - a

    def rule(g, out, a):
        slope = cr.grad(residual)(out, a)
        _, pullback = cr.vjp(lambda a: residual(out, a), a)
        return pullback(-g / slope)

    @cr.custom_vjp(rule)
    def solve(a):
        y = 0.0
        for _ in range(40):
            y -= residual(y, a) / cr.grad(residual)(y, a)
        return float(y)

    y = solve(2.5)
    assert cr.grad(solve)(2.5) == pytest.approx(1 / (3 * y**2 + 1))
    assert cr.grad(cr.grad(solve))(2.5) == pytest.approx(-6 * y / (3 * y**2 + 1) ** 3)


def test_complex_arguments():
    f = cr.custom_vjp(lambda g, out, z: (g * 2 * z,))(lambda z: np.asarray(z) ** 2)
    z = np.array([1 + 2j, -0.5j])
    np.testing.assert_allclose(
        cr.grad(lambda z: np.sum(np.abs(f(z)) ** 2))(z), cr.grad(lambda z: np.sum(np.abs(z**2) ** 2))(z)
    )
    # a complex cotangent of a real argument: its real part
    spin = cr.custom_vjp(lambda g, out, x: (g * 1j,))(lambda x: np.asarray(x) * 1j)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.abs(spin(x)) ** 2))(X), 2 * X)


def test_arguments_cannot_be_changed_nor_results_shared():
    @cr.custom_vjp(lambda g, out, x: (g,))
    def change(x):
        x[0] = 7.0
        return x

    with pytest.raises(cr.ChainruleError, match="read-only"):
        cr.grad(lambda x: np.sum(change(x)))(X)
    identity = cr.custom_vjp(lambda g, out, x: (g,))(lambda x: x)

    def write(x):
        y = identity(x)
        y[0] = 0.0
        return np.sum(y * x)

    np.testing.assert_allclose(cr.grad(write)(X), [0.0, 2 * X[1], 2 * X[2]])


def test_it_prints_as_a_call():
    @cr.custom_vjp(lambda g, out, x, y: (g, g))
    def blend(x, y):
        return x + y

    def f(x):
        y = blend(x, 2 * x)
        return y

    assert "    y = blend(x, t1)  # float64[3]" in str(cr.trace(f, X))
    assert "vjp of blend(" in str(cr.trace(cr.grad(lambda x: np.sum(f(x))), X))


def failing(rule, f=lambda x: np.asarray(x) * 2):
    return lambda: cr.grad(lambda x: np.sum(cr.custom_vjp(rule)(f)(x)))(X)


def no_rule():
    f = cr.custom_vjp(lambda x: 2 * x)
    np.testing.assert_array_equal(f(X), 2 * X)
    cr.grad(lambda x: np.sum(f(x)))(X)


def half_a_pair():
    f = cr.custom_vjp(lambda x: 2 * x)
    f.defvjp(lambda x: 2 * x, lambda x, g: (2 * g,))
    cr.grad(lambda x: np.sum(f(x)))(X)


def closes_over_a_followed_value():
    def loss(x):
        return np.sum(cr.custom_vjp(lambda g, out, y: (g,))(lambda y: y * x)(2 * x))

    cr.grad(loss)(X)


def rule_closes_over_a_followed_value():
    def loss(x):
        return np.sum(cr.custom_vjp(lambda g, out, y: (g * x,))(lambda y: 2 * y)(2 * x))

    cr.grad(loss)(X)


def foreign_second_order():
    f = cr.custom_vjp(lambda g, out, x: (g * np.array(np.asarray(x).tolist()),))(lambda x: np.asarray(x) ** 2 / 2)
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(f(x)))(X), X)
    cr.hessian(lambda x: np.sum(f(x)))(X)


REFUSED = {
    "no rule": (no_rule, cr.ChainruleError, r"without a rule.*defvjp"),
    "too many cotangents": (failing(lambda g, out, x: (g, g)), cr.TreeError, "returned 2 values.*its 1 argument"),
    "too few cotangents": (
        lambda: cr.grad(lambda x: np.sum(cr.custom_vjp(lambda g, out, x, y: (g,))(lambda x, y: x * y)(x, x)))(X),
        cr.TreeError,
        "returned 1 value;.*its 2 arguments",
    ),
    "no tuple": (
        lambda: cr.grad(lambda x: np.sum(cr.custom_vjp(lambda g, out, x, y: g)(lambda x, y: x * y)(x, x)))(X),
        cr.TreeError,
        "returned ndarray",
    ),
    "another shape": (failing(lambda g, out, x: (g[:2],)), cr.ShapeError, r"shape \(2,\) for argument 0.*shape \(3,\)"),
    "a missing sum": (
        lambda: cr.grad(lambda b: np.sum(cr.custom_vjp(lambda g, out, b: (g,))(lambda b: A + b)(b)))(X),
        cr.ShapeError,
        r"shape \(2, 3\) for argument 0, which has shape \(3,\).*summed over the axes",
    ),
    "another tree": (
        lambda: cr.grad(
            lambda p: np.sum(cr.custom_vjp(lambda g, out, p: ([g, g],))(lambda p: p["a"] * p["b"])(p))
        )({"a": X, "b": X}),
        cr.TreeError,
        "argument 0 that is not a tree of the argument's structure",
    ),
    "a shape in a tree": (
        lambda: cr.grad(lambda p: np.sum(cr.custom_vjp(lambda g, out, p: ([g, 1.0],))(lambda p: p[0] * p[1])(p)))(
            [X, X]
        ),
        cr.ShapeError,
        r"argument 0\[1\]",
    ),
    "names other than g and out": (
        lambda: cr.custom_vjp(lambda ct, y, x: (ct,))(lambda x: x),
        cr.ChainruleError,
        "called g and out",
    ),
    "forward without residuals": (half_a_pair, cr.TreeError, r"pair \(output, residuals\)"),
    "a function with a followed value from outside": (
        closes_over_a_followed_value, cr.LinkLostError, "not among its arguments"
    ),
    "a rule with a followed value from outside": (
        rule_closes_over_a_followed_value, cr.LinkLostError, "not among its arguments"
    ),
    "foreign code in a rule, at second order": (foreign_second_order, cr.LinkLostError, "tolist"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=f"(?s){message}") as caught:
        call()
    assert isinstance(caught.value, cr.ChainruleError)


def test_errors_of_the_function_are_the_users():
    @cr.custom_vjp(tanh_rule)
    def fails(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        cr.grad(lambda x: np.sum(fails(x)))(X)
    with pytest.raises(KeyError, match="mine"):
        fails(X)
    # and nothing stays switched off
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x * x))(X), 2 * X)


def test_functions_written_in_c():
    f = cr.custom_vjp(np.tanh)
    f.defvjp(lambda x: (f(x), f(x)), lambda out, g: (g * (1 - out**2),))
    assert cr.grad(f)(0.5) == 1 - np.tanh(0.5) ** 2
