"""What people write in a forward pass, beyond calls of NumPy functions on their arguments: all of it is followed."""

import functools
import math
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy as renamed
import pytest
from numpy import array, zeros

import chainrule as cr
from chainrule.numeric import richardson

WEIGHTS = np.random.default_rng(0).normal(size=(4, 4))
STORED = {"weights": [WEIGHTS]}
POINT = np.array([2.1, 1.7, 2.6, 2.3])


def from_imported_names(x):
    out = zeros(3)
    out[0] = x[0]
    out[1] = x[1] * x[2]
    out[2] = out[1] * out[0]
    return array([out[2], out[0]]).sum()


class Network:
    def __init__(self, weights):
        self.weights = weights
        self.__scale = 2.0

    def forward(self, x):
        buffer = np.zeros(4)
        buffer[:] = self.weights.dot(x) * self.__scale
        return buffer

    def __call__(self, x):
        return self.forward(x)


class Deeper(Network):
    def __init__(self, weights):
        super().__init__(weights)

    def forward(self, x):
        return super().forward(x) * 2


def generated(x):
    for value in x:
        yield value * value


def factorial_like(x, n):
    return x.sum() if n == 0 else factorial_like(x * x[0], n - 1)


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * 2

    return wrapper


@doubled
def decorated(x):
    return np.array([x[0], x[1] ** 2]).sum()


def local_class(x):
    class Layer:
        def __init__(self):
            self.state = np.zeros(2)

        def add(self, value):
            self.state[0] += value
            return self

    return Layer().add(x[0] * x[1]).add(x[2]).state.sum()


def closure(x):
    def inner(k):
        return np.array([x[0] * k, x[1]]).sum()

    return sum(inner(k) for k in range(3))


def nonlocal_counter(x):
    total = 0.0

    def add(value):
        nonlocal total
        total += value

    for value in x:
        add(value * value)
    return total


def while_on_values(x):
    total = x.sum()
    while total < 100:
        total = total * 2
    return total


def steered(x):
    if x.sum() > 0 and x[0] < x[2]:
        return x[0] * x[1]
    return x[2]


def index_by_argmax(x):
    i = np.argmax(x)
    return x[i] * 2 + WEIGHTS[i, 0] * x[0]


def handles_its_own_error(x):
    try:
        return (x @ np.ones(3)).sum()
    except ValueError:
        return x.sum() * x[0]


def prints(x):
    print("value %.2f" % x[0], f"{x[1]:.3f}", x[:2], f"{x}", "{:.1f}".format(x[0]), repr(x))
    return x[0] * 3


def in_place(x):
    a = x * 1.0
    for row in a.reshape(2, 2):
        row *= x[0]
    a[1:3] = a[0:2]
    a[[0, 1]] += x[2]
    a[a > 30] = 0
    b = a.T
    b += 1
    return (a * a).sum()


def views_of_views(x):
    a = np.empty((2, 2))
    a[0] = x[:2]
    a[1] = x[2:]
    a.T[0] = a[1]
    a.ravel()[3] = x[0]
    a[1:][0, :1] *= x[1]
    return (a**2).sum()


CASES = {
    "imported names": from_imported_names,
    "method of an instance": lambda x: Network(WEIGHTS).forward(x).sum(),
    "callable instance with super": lambda x: (Deeper(WEIGHTS)(x) ** 2).sum(),
    "closure": closure,
    "nonlocal": nonlocal_counter,
    "functools.reduce": lambda x: functools.reduce(lambda a, b: a * b, [v for v in x]),
    "functools.partial": lambda x: functools.partial(np.dot, WEIGHTS)(x).sum(),
    "map": lambda x: sum(map(lambda v: np.array([v, v * v]).sum(), x)),
    "sorted with a key": lambda x: sorted(x, key=lambda v: -v)[0] * x[1],
    "math functions": lambda x: math.exp(x[0] / 3) * math.sin(x[1]) + math.log(x[2], 2) + math.hypot(x[0], x[3]),
    "float": lambda x: float(x[2]) ** 2 * x[0],
    "error function": lambda x: math.erf(x[0] - 2) * math.erfc(x[1] - 1) * math.dist(x[:2], [0.0, x[3]]),
    "item": lambda x: x[2].item() * x.item(1),
    "printing": prints,
    "np.vectorize": lambda x: np.vectorize(lambda v: v * v if v > 2 else v)(x).sum(),
    "generator": lambda x: sum(generated(x)),
    "dict of lists of plain arrays": lambda x: STORED["weights"][0].dot(x).sum(),
    "plain array with a method": lambda x: WEIGHTS.T.dot(x)[1] * x[0],
    "plain array on the left of every operator": lambda x: (WEIGHTS @ x + WEIGHTS[0] * x - WEIGHTS[1] / x).sum(),
    "NumPy scalar on the left": lambda x: (np.float64(2.0) * x + np.int64(3) / x).sum(),
    "index from argmax": index_by_argmax,
    "recursion": lambda x: factorial_like(x, 3),
    "decorator": decorated,
    "class made inside": local_class,
    "while": while_on_values,
    "if": steered,
    "try": handles_its_own_error,
    "in place": in_place,
    "views of views": views_of_views,
    "another alias": lambda x: renamed.sum(renamed.exp(x / 2)),
    "comprehension": lambda x: np.array([[v * k for v in x] for k in range(2)]).sum(),
    "np.r_ and np.c_": lambda x: (np.r_[x, 0.0, x[0]] ** 2).sum() + np.c_[x, x * x].sum(),
    "unpacking": lambda x: (lambda a, b, *rest: a * b + sum(rest))(*x),
    "star-star": lambda x: (lambda a, b: a * b)(**{"a": x[0], "b": x[1]}),
    "min and max of Python": lambda x: max(x[0], x[1]) * min(x),
    "zip and enumerate": lambda x: sum(k * a * b for k, (a, b) in enumerate(zip(x, x[::-1], strict=True))),
    "sizes": lambda x: x.sum() / len(x) + x[0] / np.sqrt(x.shape[0]) + x[1] * x.size,
    "walrus": lambda x: (y := x * x).sum() + y[0],
    "conditional expression": lambda x: x[0] if x[0] > 1e9 else x[1] * x[1],
    "assert and is None": lambda x: x.sum() if x is not None else 0.0,
    "isinstance": lambda x: x.sum() * 2 if isinstance(x, np.ndarray) else x.sum(),
}


@pytest.mark.parametrize("name", CASES)
def test_followed(name, capsys):
    f = CASES[name]
    direction = np.array([0.3, -0.7, 0.4, 0.9])
    before = POINT.copy()
    value, gradient = cr.value_and_grad(f)(POINT)
    assert value == f(POINT)
    expected, error = richardson(f, [POINT], [direction])
    assert abs(gradient @ direction - expected) <= 1e-7 * (1 + abs(expected)) + 10 * error
    again = cr.grad(f)(POINT)  # from the plan
    np.testing.assert_array_equal(again, gradient)
    np.testing.assert_array_equal(POINT, before)


SOURCE = """
def f(x):
    out = np.zeros(2)
    out[0] = x[0] * x[1]
    out[1] = plain.dot(x)[2] + helper(x)
    return out.sum() * float(x[3]) * len(x)

def helper(x):
    return np.array([x[0], x[1] * x[1]]).sum()

def counts(x):
    global calls
    calls += 1
    return x.sum() * x[0]
"""


def test_functions_without_source_are_followed():
    namespace: dict[str, Any] = {"np": np, "plain": WEIGHTS, "calls": 0}
    exec(SOURCE, namespace)
    for f in (namespace["f"], eval("lambda x: np.array([x[0] * 2, x[1]]).sum() * x[2]", {"np": np})):
        gradient = cr.grad(f)(POINT)
        for k, unit in enumerate(np.eye(4)):
            expected, _ = richardson(f, [POINT], [unit])
            assert gradient[k] == pytest.approx(expected, rel=1e-8)
    before = namespace["calls"]
    cr.grad(namespace["counts"])(POINT)
    assert namespace["calls"] == before + 1


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass
class Parameters:
    w: Any
    b: Any
    note: str | None = None


def test_trees():
    x = POINT
    pair = cr.grad(lambda p: (p.a * p.b).sum())(Pair(x, 2 * x))
    assert isinstance(pair, Pair)
    np.testing.assert_allclose(pair.a, 2 * x)
    parameters = cr.grad(lambda p: (p.w * p.b).sum())(Parameters(x, 2.0))
    assert isinstance(parameters, Parameters)
    np.testing.assert_allclose(parameters.w, np.full(4, 2.0))
    assert parameters.b == x.sum()
    nested = cr.grad(lambda p: p["a"] * p["b"][0])({"a": 2.0, "b": [3.0, np.float32(1)], "c": ()})
    assert nested == {"a": 3.0, "b": [2.0, 0.0], "c": ()}
    assert nested["b"][1].dtype == np.float32


def test_random_draws_are_made_once_and_are_constants():
    generator = np.random.default_rng(5)

    def f(x):
        noise = generator.normal(size=4)
        return noise.dot(x) * x[0]

    gradient = cr.grad(f)(POINT)
    noise = np.random.default_rng(5).normal(size=4)
    np.testing.assert_allclose(gradient, noise * POINT[0] + np.array([noise @ POINT, 0, 0, 0]))


def test_a_constant_that_changes_between_calls_is_seen():
    scale = np.ones(4)

    def f(x):
        return (x * scale).sum()

    np.testing.assert_array_equal(cr.grad(f)(POINT), np.ones(4))
    scale[:] = 3
    np.testing.assert_array_equal(cr.grad(f)(POINT), np.full(4, 3.0))


def test_a_constant_that_changes_while_tracing_is_used_as_it_was():
    def f(x):
        scratch = HOLDER["scratch"]
        scratch[:] = 2.0
        y = (x * scratch).sum()
        scratch[:] = 5.0
        return y + (x * scratch).sum()

    HOLDER = {"scratch": np.ones(4)}
    np.testing.assert_array_equal(cr.grad(f)(POINT), np.full(4, 7.0))


def test_a_large_constant_that_changes_while_tracing_is_refused():
    large = np.ones(5000)

    def f(x):
        y = (x * large).sum()
        large[0] = 2.0
        return y

    with pytest.raises(cr.LinkLostError, match="changed in place"):
        cr.grad(f)(np.ones(5000))


def test_threads_do_not_see_each_other():
    errors = []

    def work(seed):
        generator = np.random.default_rng(seed)
        for _ in range(20):
            x = generator.normal(size=4)
            a = generator.normal(size=(4, 4))

            def f(x, a=a):
                out = np.zeros(4)
                for k in range(4):
                    out[k] = a[k].dot(x) * x[k]
                return out.sum()

            if not np.allclose(cr.grad(f)(x), (a + a.T) @ x) or type(np.zeros(3)) is not np.ndarray:
                errors.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_nothing_of_numpy_is_replaced_while_tracing():
    before = {name: getattr(np, name) for name in dir(np)}
    seen = {}

    def f(x):
        seen.update({name: getattr(np, name) for name in dir(np)})
        return x.sum()

    cr.grad(f)(POINT)
    assert all(seen[name] is before[name] for name in before)


def im2col(x):
    windows = np.lib.stride_tricks.as_strided(x, (2, 2, 3), (x.strides[0], x.strides[1], x.strides[1]))
    return (windows * np.arange(1.0, 4.0)).sum() * x[0, 0]


def test_as_strided_windows():
    x = np.arange(8.0).reshape(2, 4) / 7 + 0.1
    for point in (x, x.astype(np.float32)):
        gradient = cr.grad(im2col)(point)
        assert gradient.dtype == point.dtype
        for k, unit in enumerate(np.eye(8)):
            expected, _ = richardson(im2col, [x], [unit.reshape(2, 4)])
            assert gradient.ravel()[k] == pytest.approx(expected, rel=1e-5)

    def reaches_too_far(x):
        return np.lib.stride_tricks.as_strided(x, (9,), (8,)).sum()

    with pytest.raises(cr.LinkLostError, match="outside"):
        cr.grad(reaches_too_far)(x)


def test_plain_methods_of_what_is_not_differentiated_are_numpys_own():
    seen = {}

    def f(x, k):
        seen.update(bytes=k.tobytes(), list=k[1:].tolist(), bits=k.view(np.int64))
        return np.sum(x * len(seen["bytes"]))

    k = np.array([1.5, 2.5])
    np.testing.assert_array_equal(cr.grad(f)(np.ones(3), k), [16, 16, 16])
    assert (seen["bytes"], seen["list"]) == (k.tobytes(), [2.5])
    np.testing.assert_array_equal(seen["bits"], k.view(np.int64))
    with pytest.raises(cr.LinkLostError, match=r"t\.tobytes\(\) was called"):
        cr.grad(lambda x: np.sum(x * len(x.tobytes())))(np.ones(3))


def test_a_view_is_up_to_date_in_its_plain_form():
    def f(x, k):
        row = k[0]
        k[0] = 7.0
        return np.sum(x * row.tolist()[0])

    np.testing.assert_array_equal(cr.grad(f)(np.ones(2), np.zeros((2, 2))), [7, 7])
