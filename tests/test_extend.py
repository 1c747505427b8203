"""``chainrule.extend``: the forms of rules, for functions of other packages and of one's own."""

import types

import numpy as np
import pytest

import chainrule as cr
from chainrule import extend

X = np.array([0.5, -1.0, 2.0])

# An installed package: its code is not followed, so without a rule it fails.
PACKAGE = types.ModuleType("package")
exec(
    compile(
        """
import numpy as np
def plain(x): return np.array(np.asarray(x).tolist())
def cube(x): return plain(x) ** 3
def product(x, y): return plain(x) * plain(y)
def weighted(a, b, axis=0, scale=1.0): return np.sum(plain(a) * plain(b), axis=axis) * scale
def total(arrays, scale=1.0): return scale * sum(plain(a) for a in arrays)
def total_of(*arrays): return sum(plain(a) for a in arrays)
def rank(x): return np.argsort(plain(x))
def softplus(x, sharpness=1.0): return np.log1p(np.exp(plain(x) * sharpness)) / sharpness
def halves(x): return plain(x)[:1], plain(x)[1:]
def unknown(x): return plain(x)
""",
        "/somewhere/site-packages/package.py",
        "exec",
    ),
    PACKAGE.__dict__,
)

extend.elementwise(PACKAGE.cube, lambda out, x: 3 * x**2)
extend.elementwise(PACKAGE.product, lambda out, x, y: y, lambda out, x, y: x)
extend.structural(
    PACKAGE.weighted,
    a=lambda g, out, a, b, axis=0, scale=1.0: np.expand_dims(g, axis) * b * scale,
    b=lambda g, out, a, b, axis=0, scale=1.0: np.expand_dims(g, axis) * a * scale,
)
extend.structural(
    PACKAGE.halves,
    x=lambda g, out, x: np.concatenate([np.zeros_like(o) if c is None else c for c, o in zip(g, out, strict=True)]),
)
extend.variadic(PACKAGE.total, lambda g, out, *arrays, scale=1.0: [scale * g for _ in arrays])
extend.variadic(PACKAGE.total_of, lambda g, out, *arrays: [g for _ in arrays])
extend.constant(PACKAGE.rank, "it returns positions")


@extend.composite(PACKAGE.softplus)
def softplus(x, sharpness=1.0):
    return np.logaddexp(0, x * sharpness) / sharpness


p = PACKAGE
PROGRAMS = {
    "elementwise": (lambda x: np.sum(p.cube(x)), lambda x: np.sum(x**3)),
    "elementwise, two": (lambda x: np.sum(p.product(x, x * x)), lambda x: np.sum(x**3)),
    "elementwise, broadcast": (
        lambda x: np.sum(p.product(x, x[:1]) ** 2),
        lambda x: np.sum((x * x[:1]) ** 2),
    ),
    "structural": (lambda x: p.weighted(x, x * x), lambda x: np.sum(x**3)),
    "structural, statics": (
        lambda x: np.sum(p.weighted(np.outer(x, x), x, axis=-1, scale=2.0) ** 2),
        lambda x: np.sum((2 * np.outer(x, x) @ x) ** 2),
    ),
    "structural, by name": (lambda x: p.weighted(b=np.sin(x), a=x), lambda x: np.sum(x * np.sin(x))),
    "structural, several outputs": (lambda x: np.sum(p.halves(x)[1] ** 2), lambda x: np.sum(x[1:] ** 2)),
    "variadic": (lambda x: np.sum(p.total([x, x * x, X], scale=3.0) * x), lambda x: np.sum(3 * (x + x * x + X) * x)),
    "variadic, spread": (lambda x: np.sum(p.total_of(x, x * x)), lambda x: np.sum(x + x * x)),
    "constant": (lambda x: np.sum(x * p.rank(x)), lambda x: np.sum(x * np.array([1, 0, 2]))),
    "composite": (
        lambda x: np.sum(p.softplus(x, sharpness=2.0)),
        lambda x: np.sum(np.log1p(np.exp(2 * x)) / 2),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_form_in_every_verb(name):
    ours, plain = PROGRAMS[name]
    v = np.array([1.0, -0.5, 2.0])
    np.testing.assert_allclose(ours(X), plain(X))
    for _ in range(2):
        np.testing.assert_allclose(cr.grad(ours)(X), cr.grad(plain)(X), rtol=1e-13)
    np.testing.assert_allclose(cr.jvp(ours, (X,), (v,))[1], cr.jvp(plain, (X,), (v,))[1], rtol=1e-13)
    np.testing.assert_allclose(cr.hessian(ours)(X), cr.hessian(plain)(X), rtol=1e-12, atol=1e-14)


def test_without_a_rule_it_is_refused():
    with pytest.raises(cr.LinkLostError, match="custom_vjp"):
        cr.grad(lambda x: np.sum(p.unknown(x)))(X)


def test_arguments_that_the_rule_does_not_know_are_refused():
    def f(x, mode="a"):
        return x

    f.__module__ = "package"
    function = types.FunctionType(
        f.__code__.replace(co_filename="/somewhere/site-packages/package.py"), {}, "f", ("a",)
    )
    extend.structural(function, x=lambda g, out, x: g)
    assert cr.grad(lambda x: np.sum(function(x)))(X).tolist() == [1, 1, 1]
    with pytest.raises(cr.NotDifferentiableError, match="mode='b'"):
        cr.grad(lambda x: np.sum(function(x, mode="b")))(X)


@pytest.mark.parametrize("wrong", [np.ones((2, 5)), np.ones((2, 3, 1)), np.ones(2)])
def test_a_gradient_of_another_shape_is_refused(wrong):
    function = types.FunctionType((lambda x: x * 2.0).__code__, {}, "shapeless")
    extend.structural(function, x=lambda g, out, x: wrong)
    for verb in (lambda f: cr.grad(f)(np.ones((2, 3))), lambda f: cr.explain(f, np.ones((2, 3)))):
        with pytest.raises(cr.ChainruleError, match=r"of shape \(2.*\) for an operand of shape \(2, 3\)"):
            verb(lambda x: np.sum(function(x)))


def test_one_rule_only():
    with pytest.raises(cr.ChainruleError, match=r"np\.sin already has a rule"):
        extend.elementwise(np.sin, lambda out, x: 1)
    with pytest.raises(cr.ChainruleError, match="already has a rule"):
        extend.elementwise(PACKAGE.cube, lambda out, x: 1)


def test_what_is_registered_prints_under_its_name():
    def f(x):
        y = p.total([p.cube(x), x])
        return y

    text = str(cr.trace(f, X))
    assert "cube(x)" in text
    assert "y = total([t1, x])" in text or "y = package.total([t1, x])" in text


def own_plain(x):
    return np.array(np.asarray(x).tolist())


def own_cube(x):
    return own_plain(x) ** 3


def own_rank(x):
    return np.argsort(own_plain(x))


def own_softplus(x):
    return np.log1p(np.exp(own_plain(x)))


extend.elementwise(own_cube, lambda out, x: 3 * x**2)
extend.constant(own_rank, "it returns positions")
extend.composite(own_softplus)(lambda x: np.logaddexp(0, x))

OWN = {
    "elementwise": (lambda x: np.sum(own_cube(x)), 3 * X**2),
    "constant": (lambda x: np.sum(x * own_rank(x)), np.array([1, 0, 2])),
    "composite": (lambda x: np.sum(own_softplus(x)), 1 / (1 + np.exp(-X))),
}


@pytest.mark.parametrize("name", OWN)
def test_functions_of_ones_own(name):
    f, expected = OWN[name]
    np.testing.assert_allclose(cr.grad(f)(X), expected)


def test_a_function_with_a_rule_differentiated_itself():
    assert cr.grad(own_cube)(2.0) == 12.0
