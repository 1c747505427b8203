"""``check_gradients`` passes what is right, finds what is wrong, and says where."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.numeric import complex_step, directional, richardson
from chainrule.testing import GradientCheck, GradientError, check_gradients

rng = np.random.default_rng(11)
A = rng.normal(size=(3, 5))
X = rng.normal(size=5)
Z = rng.normal(size=3) + 1j * rng.normal(size=3)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


RIGHT = {
    "a number": (lambda x: np.sum(np.tanh(A @ x) ** 2), (X,)),
    "an array": (lambda x: np.tanh(A @ x), (X,)),
    "a tree": (lambda p, n: {"y": np.tanh(p["W"] @ p["b"]) ** n, "n": n}, ({"W": A, "b": X}, 2)),
    "several numbers": (lambda x, y: (x * y, x + y), (2.0, 3.0)),
    "a kink": (lambda x: np.abs(x).sum() + np.maximum(0, x).sum(), (X,)),
    "near a pole": (lambda x: np.log(np.abs(x)).sum(), (np.array([1e-6, 2.0, 1e3]),)),
    "different sizes": (lambda x, w: np.sum(np.sqrt(np.abs(x))) * w**2, (np.array([1e6, 2.0]), 0.1)),
    "steps": (lambda x: np.sum(x * np.floor(x)), (X,)),
    "complex arguments": (lambda z: np.sum(np.abs(z) ** 3), (Z,)),
    "complex results": (lambda z: z**2 * np.exp(z), (Z,)),
    "real to complex": (lambda x: np.fft.fft(x) ** 2, (X,)),
    "integers beside": (lambda x, i: x[i] * x, (X, np.array([0, 0, 1, 4, 2]))),
    "float32 inside": (lambda x: np.sum(np.sin(x.astype(np.float32))), (X,)),
    "an empty array": (lambda x, y: np.sum(x) + y**2, (np.zeros((0, 3)), 1.5)),
    "float32 arguments": (lambda x: np.sum(np.exp(x)), (X.astype(np.float32),)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_pass(name):
    f, args = RIGHT[name]
    order = 1 if name == "float32 inside" else 3
    found = check_gradients(f, args, order=order)
    assert found.checked > 0
    assert found.worst < 1e-4 if name == "float32 inside" else found.worst < 1e-7


def test_the_summary():
    found = check_gradients(lambda x: np.sum(np.exp(x)), (X,), order=1)
    assert type(found) is GradientCheck
    assert (found.argument, found.order, found.method, found.checked) == ("x", 1, "complex step", 5)
    assert len(found.element) == 1
    assert str(found).startswith("5 comparisons; worst: x[")
    assert str(found).endswith("(complex step)")


def test_the_same_at_every_call():
    assert check_gradients(RIGHT["a tree"][0], RIGHT["a tree"][1]) == check_gradients(*RIGHT["a tree"])


def test_large_arrays_by_a_sample_and_projections():
    x = rng.normal(size=(60, 50))
    found = check_gradients(lambda x: np.sum(np.sin(x) * np.flip(x)), (x,), order=1)
    assert found.checked == 34


def wrong(rule, f):
    return cr.custom_vjp(rule)(f)


SCALED = wrong(lambda g, out, x: (1.0005 * g * (1 - out**2),), np.tanh)
SIGN = wrong(lambda g, out, x: (-g * (1 - out**2),), np.tanh)
MISSING_SUM = wrong(lambda g, out, x: (out * g,), softmax)
ONE_ELEMENT = wrong(lambda g, out, x: (g * (1 - out**2) * np.where(np.arange(5) == 3, 1.0005, 1.0),), np.tanh)
TRANSPOSED = wrong(lambda g, out, W: (g.T,), lambda W: 1.0 * W)
CONJUGATED = wrong(lambda g, out, z: (2 * g * np.conj(z),), lambda z: z * z)


@cr.custom_vjp
def second_only(x):
    return x**3


@cr.custom_vjp
def slope(x):
    return 3 * x**2


second_only.defvjp(lambda x: (second_only(x), x), lambda x, g: (g * slope(x),))
slope.defvjp(lambda x: (slope(x), x), lambda x, g: (6.003 * g * x,))  # 6, were it right

WRONG = {
    "0.05 %": (lambda x: np.sum(SCALED(x)), (X,), r"order 1 with respect to x\[0\] is .* but complex step gives"),
    "0.05 % in a tree": (
        lambda p: np.sum(SCALED(p["a"]) * p["b"]),
        ({"a": X, "b": X + 1},),
        r"with respect to p\['a'\]\[0\]",
    ),
    "0.05 % of one of two": (lambda x, y: np.sum(np.tanh(x) * SCALED(y)), (X, X + 1), r"with respect to y\[0\]"),
    "0.05 % of a large array": (lambda x: np.sum(SCALED(x)), (rng.normal(size=(40, 40)),), r"x\[\d+, \d+\]"),
    "a sign": (lambda x: np.sum(SIGN(x)), (X,), "order 1"),
    "a missing sum": (MISSING_SUM, (X,), "order 1"),
    "one element": (lambda x: np.sum(ONE_ELEMENT(x)), (X,), r"x\[3\]"),
    "transposed": (TRANSPOSED, (rng.normal(size=(3, 3)),), r"W?\[0, 1\]|\[0, 1\]"),
    "conjugated": (lambda z: np.sum(np.abs(CONJUGATED(z)) ** 2), (Z,), r"z\[0\]"),
    "the second order": (lambda x: np.sum(second_only(x)), (X,), r"order 2 with respect to x\["),
    "not differentiated": (lambda x: wrong(lambda g, out, x: (None,), np.tanh)(x), (X,), "is 0, but"),
    "not a number": (lambda x: np.sum(np.sqrt(np.abs(x) - np.abs(x))), (X,), "nan|inf"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradients_are_found(name):
    f, args, message = WRONG[name]
    with pytest.raises(GradientError, match=message) as caught:
        check_gradients(f, args, order=2)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, cr.ChainruleError)
    assert "accepted" in str(caught.value)


def test_a_wrong_second_order_passes_at_first():
    check_gradients(lambda x: np.sum(second_only(x)), (X,), order=1)


def test_one_wrong_element_of_many_is_found_by_projection():
    weights = np.ones(500)
    weights[257] = 1.5
    f = wrong(lambda g, out, x: (g * np.cos(x) * weights,), np.sin)
    with pytest.raises(GradientError, match=r"random direction|257"):
        check_gradients(lambda x: np.sum(f(x)), (rng.normal(size=500),), order=1)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(cr.NotDifferentiableError, match="nothing to check"):
        check_gradients(lambda n: n * 1.0, (3,))
    with pytest.raises(cr.TreeError, match="as a tuple"):
        check_gradients(np.sum, X)
    with pytest.raises(cr.LinkLostError):
        check_gradients(lambda x: sum(x.tolist()), (X,))


def test_the_complex_step_is_exact():
    found = complex_step(lambda x: np.sum(np.exp(x) * x), [X], [np.ones(5)])
    assert found == pytest.approx(np.sum(np.exp(X) * (X + 1)), rel=1e-15)
    assert complex_step(lambda x: np.sum(np.real(x)), [X], [np.ones(5)]) == 0.0


def test_differences_say_how_good_they_are():
    value, error = richardson(lambda x: np.sum(np.abs(x) ** 1.5), [X], [np.ones(5)])
    assert abs(value - np.sum(1.5 * np.sqrt(np.abs(X)) * np.sign(X))) <= 10 * error < 1e-6
    value, error = richardson(lambda x: np.float32(np.sum(np.sin(x))), [X], [np.ones(5)])
    assert 1e-7 < abs(error) < 1e-3
    assert abs(value - np.sum(np.cos(X))) <= 10 * error


def test_the_complex_step_is_dropped_where_it_does_not_agree():
    _, _, method = directional(lambda x: np.sum(np.abs(x) ** 2), [X], [np.ones(5)])
    assert method == "differences"
    _, _, method = directional(lambda x: np.sum(x**2), [X], [np.ones(5)])
    assert method == "complex step"
