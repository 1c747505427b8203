"""The verbs: conventions, composition, dtypes, and what they refuse."""

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(3)
A = rng.normal(size=(3, 5))
X = rng.normal(size=5)


def quadratic(x):
    return np.sum(np.tanh(A @ x) ** 2)


def vector(x):
    return np.tanh(A @ x)


def test_grad_and_value():
    value, gradient = cr.value_and_grad(quadratic)(X)
    t = np.tanh(A @ X)
    assert value == quadratic(X)
    np.testing.assert_allclose(gradient, A.T @ (2 * t * (1 - t**2)), rtol=1e-13)


def test_argnums():
    def f(a, b, c):
        return np.sum(a * b) * c

    a, b = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    np.testing.assert_allclose(cr.grad(f, argnums=1)(a, b, 2.0), 2 * a)
    ga, gc = cr.grad(f, argnums=(0, 2))(a, b, 2.0)
    np.testing.assert_allclose(ga, 2 * b)
    assert gc == 13.0
    assert cr.grad(f, argnums=-1)(a, b, 2.0) == 13.0
    with pytest.raises(cr.TreeError, match="argnums=3"):
        cr.grad(f, argnums=3)(a, b, 2.0)


def test_has_aux():
    def f(x):
        return np.sum(x**2), {"twice": 2 * x, "note": "kept"}

    (value, extra), gradient = cr.value_and_grad(f, has_aux=True)(X)
    assert value == np.sum(X**2)
    assert type(extra["twice"]) is np.ndarray
    assert extra["note"] == "kept"
    np.testing.assert_allclose(gradient, 2 * X)
    gradient, _ = cr.grad(f, has_aux=True)(X)
    np.testing.assert_allclose(gradient, 2 * X)


def test_keyword_arguments_are_handed_on():
    assert cr.grad(lambda x, *, power: x**power)(3.0, power=3) == 27.0


def test_vjp_and_jvp_agree_with_the_jacobian():
    jacobian = cr.jacobian(vector)(X)
    u, v = rng.normal(size=3), rng.normal(size=5)
    value, pullback = cr.vjp(vector, X)
    np.testing.assert_array_equal(value, vector(X))
    for _ in range(2):
        np.testing.assert_allclose(pullback(u)[0], u @ jacobian, rtol=1e-12)
    value, tangent = cr.jvp(vector, (X,), (v,))
    np.testing.assert_allclose(tangent, jacobian @ v, rtol=1e-12)


def test_vjp_keeps_the_point_it_was_taken_at():
    x = X.copy()
    _, pullback = cr.vjp(vector, x)
    before = pullback(np.ones(3))[0]
    x[:] = 0
    np.testing.assert_array_equal(pullback(np.ones(3))[0], before)


def test_vjp_of_several_outputs_and_arguments():
    def f(a, n, b):
        return {"product": a @ b, "sum": a.sum() + n}

    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    value, pullback = cr.vjp(f, a, 7, b)
    g = rng.normal(size=(2, 4))
    da, dn, db = pullback({"product": g, "sum": 2.0})
    np.testing.assert_allclose(da, g @ b.T + 2)
    np.testing.assert_allclose(db, a.T @ g)
    assert dn is None
    assert value["sum"] == a.sum() + 7


def test_hessian_and_hvp():
    hessian = cr.hessian(quadratic)(X)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-13)
    v = rng.normal(size=5)
    np.testing.assert_allclose(cr.hvp(quadratic, X, v), hessian @ v, rtol=1e-11)
    (product,) = cr.hvp(quadratic, (X,), (v,))
    np.testing.assert_allclose(product, hessian @ v, rtol=1e-11)


def test_jacobian_of_trees():
    def f(p):
        return [p["a"] * p["b"], p["a"].sum()]

    p = {"a": X, "b": 2.0}
    first, second = cr.jacobian(f)(p)
    np.testing.assert_allclose(first["a"], 2 * np.eye(5))
    np.testing.assert_allclose(first["b"], X)
    np.testing.assert_allclose(second["a"], np.ones(5))
    assert second["b"] == 0


def test_composition_to_any_order():
    def f(t):
        return np.sin(t) * t**3

    g = f
    derivatives = []
    for _ in range(4):
        derivatives.append(g(0.7))
        g = cr.grad(g)
    s, c, t = np.sin(0.7), np.cos(0.7), 0.7
    expected = [
        s * t**3,
        c * t**3 + 3 * s * t**2,
        -s * t**3 + 6 * c * t**2 + 6 * s * t,
        -c * t**3 - 9 * s * t**2 + 18 * c * t + 6 * s,
    ]
    np.testing.assert_allclose(derivatives, expected, rtol=1e-12)


def test_verbs_inside_a_traced_function():
    def penalty(x):
        inner = cr.grad(lambda y: np.sum(y**3) * x[0])(x)
        _, pullback = cr.vjp(vector, x)
        _, tangent = cr.jvp(vector, (x,), (x,))
        return np.sum(inner**2) + np.sum(pullback(tangent)[0] ** 2) + np.sum(cr.jacobian(vector)(x) ** 2)

    cr.testing.check_gradients(penalty, (X,), order=1)


def test_no_perturbation_confusion():
    # d/dx (x * d/dy (x + y)) = 1, and not 2.
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0) == 1.0


def test_jvp_of_a_pullback_made_outside():
    _, pullback = cr.vjp(vector, X)
    g, v = rng.normal(size=3), rng.normal(size=3)
    _, tangent = cr.jvp(lambda g: pullback(g)[0], (g,), (v,))
    np.testing.assert_allclose(tangent, pullback(v)[0], rtol=1e-12)


def test_float32_stays_float32():
    x = X.astype(np.float32)
    value, gradient = cr.value_and_grad(lambda x: np.mean(np.exp(x / 5.0) * 2))(x)
    assert value.dtype == np.float32
    assert gradient.dtype == np.float32


def test_complex_arguments_follow_the_convention_of_jax():
    z = np.array([1 + 2j, 3 - 1j])
    np.testing.assert_allclose(cr.grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.conj(z))
    np.testing.assert_allclose(cr.grad(lambda z: np.sum((z * z).real))(z), 2 * z)
    spectrum = cr.grad(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(X)
    np.testing.assert_allclose(spectrum, 2 * 5 * X)


def test_scalars():
    g = cr.grad(lambda x: x * x)
    assert g(3.0) == 6.0
    assert g(np.float64(3)) == 6.0
    assert g(np.float32(3)).dtype == np.float32
    assert g(np.array(3.0)).shape == ()


def test_results_are_the_callers_own():
    x = X.copy()
    value, gradient = cr.value_and_grad(lambda a, b: np.sum(a * b), argnums=(0, 1))(x, x)
    gradient[0][:] = 0
    np.testing.assert_array_equal(x, X)
    identity, _ = cr.vjp(lambda a: a, x)
    identity[:] = 0
    np.testing.assert_array_equal(x, X)


def test_unused_arguments():
    def f(a, b):
        return np.sum(a**2)

    np.testing.assert_array_equal(cr.grad(f, argnums=1)(X, X), np.zeros(5))
    with pytest.warns(cr.UnusedInputWarning, match="does not depend on b"):
        cr.grad(f, argnums=(0, 1), unused="warn")(X, X)
    with pytest.raises(cr.DependenceError, match="does not depend on b"):
        cr.grad(f, argnums=(0, 1), unused="raise")(X, X)


def test_debug_nans_names_the_step_and_the_operands():
    def f(x):
        norm = np.sqrt(np.sum(x**2))
        return norm * 2

    assert np.isnan(cr.grad(f)(np.zeros(2))).all()
    with pytest.raises(cr.NanError) as caught:
        cr.grad(f, debug_nans=True)(np.zeros(2))
    assert "norm" in str(caught.value) or "np.sqrt" in str(caught.value)
    assert "operand" in str(caught.value)


REFUSED = {
    "an array": (lambda x: x, (X,), cr.NotDifferentiableError, r"shape \(5,\).*sum it"),
    "one element in an array": (lambda x: x[:1], (X,), cr.NotDifferentiableError, "only element"),
    "a comparison": (lambda x: x.sum() > 0, (X,), cr.NotDifferentiableError, "type bool"),
    "an integer": (lambda x: np.argmax(x), (X,), cr.NotDifferentiableError, "type int64"),
    "nothing": (lambda x: None, (X,), cr.NotDifferentiableError, "returned nothing|NoneType"),
    "a pair": (lambda x: (x.sum(), x.sum()), (X,), cr.NotDifferentiableError, "has_aux=True"),
    "a complex number": (lambda x: x.sum() * 1j, (X,), cr.NotDifferentiableError, "complex"),
    "an integer argument": (lambda x: x * 1.0, (3,), cr.NotDifferentiableError, "type int.*3.0"),
    "an integer array": (lambda x: x.sum() * 1.0, (np.arange(3),), cr.NotDifferentiableError, "astype"),
    "a boolean array": (lambda x: x.sum() * 1.0, (np.ones(3, bool),), cr.NotDifferentiableError, "bool"),
    "an object array": (lambda x: x.sum(), (np.array([1.0, None]),), cr.NotDifferentiableError, "object"),
    "a string": (lambda x: 1.0, ("text",), cr.NotDifferentiableError, "str"),
    "shapes": (lambda x: np.sum(A.T @ x), (X,), cr.ShapeError, r"x has shape \(5,\)"),
    "a matrix": (lambda x: x.sum(), (np.ma.masked_array(X),), cr.NotDifferentiableError, "MaskedArray"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    f, args, kind, message = REFUSED[name]
    with pytest.raises(kind, match=f"(?s){message}"):
        cr.grad(f)(*args)


def test_trees_that_do_not_match():
    _, pullback = cr.vjp(vector, X)
    with pytest.raises(cr.ShapeError, match=r"shape \(2,\)"):
        pullback(np.ones(2))
    with pytest.raises(cr.TreeError, match="same structure"):
        pullback((np.ones(3),))
    with pytest.raises(cr.TreeError, match="1 primals and 2 tangents"):
        cr.jvp(vector, (X,), (X, X))
    with pytest.raises(cr.TreeError, match="two tuples"):
        cr.jvp(vector, X, X)
    with pytest.raises(cr.ShapeError):
        cr.jvp(vector, (X,), (np.ones(4),))


def test_a_value_that_outlives_its_trace_is_plain():
    kept = []

    def f(x):
        kept.append(x * 2)
        return x.sum()

    cr.grad(f)(X)
    assert type(kept[0] + 1) is np.ndarray
    np.testing.assert_array_equal(np.asarray(kept[0]), 2 * X)
    assert float(kept[0][0]) == 2 * X[0]
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(x * kept[0]))(X), 2 * X)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(x**2))(kept[0]), 4 * X)
    with pytest.raises(cr.LinkLostError, match="after that call had ended"):
        kept[0][0] = 1.0


def test_running_statistics_are_constants_of_the_next_call():
    class BatchNorm:
        mean = np.zeros(2)

        def __call__(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            return ((x - self.mean) ** 3).sum()

    x = np.arange(6.0).reshape(3, 2)
    layer, plain = BatchNorm(), np.zeros(2)
    for _ in range(3):
        before = plain
        gradient = cr.grad(layer)(x)
        plain = 0.9 * before + 0.1 * x.mean(0)
        np.testing.assert_allclose(np.asarray(layer.mean), plain)
        cubes = 3 * (x - plain) ** 2
        np.testing.assert_allclose(gradient, cubes - 0.1 * cubes.mean(0))


def test_infinite_slopes_of_python_numbers_are_infinite():
    with np.errstate(all="ignore"):
        for _ in range(2):
            assert cr.grad(np.sqrt)(0.0) == np.inf
            assert cr.grad(lambda x: x**0.5)(0.0) == np.inf


def test_no_nan_where_no_cotangent_came_in():
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0)) + np.sum(np.log(x)[1:])

    with np.errstate(all="ignore"):
        for x in (np.array([4.0, 1.0, 9.0]), np.array([0.0, 1.0, 9.0]), np.array([4.0, 1.0, 9.0])):
            expected = np.where(x > 0, 0.5 / np.sqrt(x), 0.0) + np.array([0.0, *1 / x[1:]])
            np.testing.assert_allclose(cr.grad(f)(x), expected)
        np.testing.assert_allclose(cr.jacobian(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(np.zeros(2)), 0.0)


def test_infinite_slopes_reach_forward_mode():
    with np.errstate(all="ignore"):
        x, v = np.zeros(2), np.array([1.0, 0.5])
        np.testing.assert_array_equal(cr.jvp(np.sqrt, (x,), (v,))[1], [np.inf, np.inf])
        np.testing.assert_array_equal(cr.jvp(lambda x: np.where(x > 0, np.sqrt(x), 0.0), (x,), (v,))[1], [0.0, 0.0])
        inner = cr.grad(lambda v: np.sum(cr.jvp(lambda x: x * x, (x + 1,), (v,))[1]))(v)
        np.testing.assert_allclose(inner, [2.0, 2.0])
        jacobian = cr.jacobian(np.sqrt)(x)
        np.testing.assert_array_equal(jacobian, [[np.inf, 0.0], [0.0, np.inf]])


def test_a_cotangent_that_happens_to_be_one_is_not_a_number():
    for g in (1.0, 2.0):
        _, tangent = cr.jvp(lambda g: cr.vjp(np.log1p, 0.7)[1](g)[0], (g,), (1.0,))
        assert tangent == 1 / 1.7
        assert cr.grad(lambda g: cr.vjp(np.log1p, 0.7)[1](g)[0])(g) == 1 / 1.7
