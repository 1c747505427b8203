"""Programs that once gave a wrong gradient or a foreign error, by what was wrong."""

import importlib
import linecache
import math
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(11)
X = np.array([0.3, 1.2, 2.0, 0.7])
MIXED = np.array([0.0, 1.0, 4.0, 0.0])


def guarded(x):
    return np.where(x > 0, np.sqrt(x), 0.0)


# ---- a plan that was made for other values
@pytest.mark.parametrize("verb", ["vjp", "jvp", "jacobian", "grad"])
def test_a_plan_from_harmless_values_gives_no_nan(verb):
    derivative = {
        "vjp": lambda x: cr.vjp(guarded, x)[1](np.ones(4))[0],
        "jvp": lambda x: cr.jvp(guarded, (x,), (np.ones(4),))[1],
        "jacobian": lambda x: np.diag(cr.jacobian(guarded)(x)),
        "grad": cr.grad(lambda x: guarded(x).sum()),
    }[verb]
    for x in (X, MIXED, X):
        with np.errstate(all="ignore"):
            expected = np.where(x > 0, 0.5 / np.sqrt(x), 0.0)
        np.testing.assert_allclose(derivative(x), expected)


def test_a_rule_that_looks_at_the_cotangent_sees_the_one_it_is_given():
    def clipped(g, out, x):
        norm = np.sqrt(np.sum(g * g))
        return (g / norm if norm > 1 else g,)

    @cr.custom_vjp(clipped)
    def clip_gradient(x):
        return np.array(x)

    _, pullback = cr.vjp(clip_gradient, X)
    for g in (np.full(4, 0.1), np.full(4, 2.0), np.full(4, 0.2)):
        norm = np.linalg.norm(g)
        np.testing.assert_allclose(pullback(g)[0], g / norm if norm > 1 else g)


# ---- constants that change while they are used
def test_a_large_constant_whose_rows_are_reordered_while_tracing_is_refused():
    data = rng.normal(size=(64, 32))

    def f(w):
        first = np.tanh(data @ w).sum()
        data[:] = data[::-1].copy()
        return first + (np.arange(64.0) * (data @ w) ** 2).sum()

    with pytest.raises(cr.LinkLostError, match="changed in place"):
        cr.grad(f)(np.ones(32))


# ---- source that is not that of the function
FORMULAS = {"x * x": 2 * X, "x * x * x": 3 * X**2, "np.sin(x) * 7": 7 * np.cos(X)}


def test_the_source_has_been_edited_since_the_import(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = None
    previous = None
    for formula, expected in FORMULAS.items():
        (tmp_path / "edited.py").write_text(f"import numpy as np\ndef f(x):\n    return np.sum({formula})\n")
        if module is None:
            module = importlib.import_module("edited")
        else:
            np.testing.assert_allclose(cr.grad(module.f)(X), previous)  # edited, and not loaded again
            module = importlib.reload(module)
        np.testing.assert_allclose(cr.grad(module.f)(X), expected)
        previous = expected


def test_a_cell_is_run_again_while_its_old_function_lives():
    def cell(source):
        linecache.cache["<cell 7>"] = (len(source), None, source.splitlines(True), "<cell 7>")
        namespace = {"np": np}
        exec(compile(source, "<cell 7>", "exec"), namespace)
        return namespace["f"]

    old = cell("def f(x):\n    return np.sum(x)\n")
    new = cell("def f(x):\n    return np.sum(x * 3)\n")
    np.testing.assert_allclose(cr.grad(old)(X), np.ones(4))
    np.testing.assert_allclose(cr.grad(new)(X), 3 * np.ones(4))


def test_a_function_that_has_run_often_is_still_known_by_its_source():
    matrix = np.diag(X)

    class Layer:
        @property
        def plain(self):
            return matrix

        def loss(self, x):
            return np.array([matrix.dot(x).sum(), x[0]]).sum()

    layer = Layer()
    for _ in range(100):
        layer.loss(X)  # Python specialises the code, which then compares unequal to that of the source
    np.testing.assert_allclose(cr.grad(layer.loss)(X), X + np.array([1.0, 0, 0, 0]))


# ---- functions without source
SOURCELESS = {
    "a global that another function assigns": (
        """
        scale = 1.0
        def double():
            global scale
            scale = scale * 2
        def f(x):
            double()
            return (x * scale).sum()
        """,
        2 * np.ones(4),
    ),
    "a closure variable that another function assigns": (
        """
        def make():
            weights = np.ones(4)
            def double():
                nonlocal weights
                weights = weights * 2
            def f(x):
                double()
                return (x * weights).sum()
            return f
        f = make()
        """,
        None,
    ),
    "a global array that is written": (
        """
        buffer = np.zeros(4)
        def read():
            return buffer.sum()
        def f(x):
            buffer[1] = x[0] * 2
            return read() + x.sum()
        """,
        None,
    ),
}


@pytest.mark.parametrize("name", SOURCELESS)
def test_without_source(name):
    source, expected = SOURCELESS[name]
    namespace = {"np": np}
    exec(textwrap.dedent(source), namespace)
    if expected is None:
        with pytest.raises(cr.LinkLostError):
            cr.grad(namespace["f"])(X)
    else:
        np.testing.assert_allclose(cr.grad(namespace["f"])(X), expected)


# ---- values that a function may return or ask for
RESULTS = [lambda x: x.sum, lambda x: np.sum, lambda x: lambda: x, lambda x: frozenset([1.0]), lambda x: (v for v in x)]


@pytest.mark.parametrize("function", RESULTS)
def test_a_result_that_is_no_number_is_refused(function):
    with pytest.raises(cr.NotDifferentiableError, match="of type"):
        cr.grad(function)(X)


def test_a_square_root_of_a_size_has_the_methods_of_a_numpy_scalar():
    def f(q):
        scale = np.sqrt(q.shape[-1])
        return ((q @ q.T) / scale.astype(q.dtype)).sum() * scale.item()

    q = rng.normal(size=(2, 4)).astype(np.float32)
    gradient = cr.grad(f)(q)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, np.tile(2 * q.sum(axis=0), (2, 1)), rtol=1e-5)


def test_locals_hold_the_users_variables_only():
    def f(x, y=2.0):
        held = dict(locals())
        assert set(vars()) == {"x", "y", "held"}
        return sum(np.sum(v) for v in held.values())

    np.testing.assert_allclose(cr.grad(f)(X), np.ones(4))


def test_a_refusal_that_the_function_catches_is_raised_all_the_same():
    def f(x):
        try:
            return math.gamma(x[0])
        except Exception:
            return x[1]

    with pytest.raises(cr.LinkLostError, match="become a Python float"):
        cr.grad(f)(X)


def test_the_value_is_evaluated_before_the_array_that_it_is_stored_in():
    class Cache:
        def keep(self, x):
            self.store["square"] = self.square(x)
            return self.store["square"]

        def square(self, x):
            self.store = {}
            return x * x

    np.testing.assert_allclose(cr.grad(lambda x: Cache().keep(x).sum())(X), 2 * X)


# ---- threads
def test_rules_are_loaded_by_one_thread_while_others_wait():
    program = """
        import sys, threading
        import numpy as np, chainrule as cr
        sys.setswitchinterval(1e-6)
        failed = []
        def f(x):
            return np.linalg.norm(np.pad(x, 1)) + np.median(x) + np.trapezoid(x) + x[0]
        def work():
            try:
                cr.grad(f)(np.arange(1.0, 6.0))
            except Exception as error:
                failed.append(error)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads: t.start()
        for t in threads: t.join()
        sys.exit(str(failed[0]) if failed else 0)
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- functions that call themselves, and methods that name their class
EYE = np.eye(4)


class _Solver:
    def __init__(self, rate):
        super(_Solver, self).__init__()  # noqa: UP008
        self.rate = rate

    @staticmethod
    def slope(y, rate):
        return np.array([EYE.dot(y)[1], *(-rate * y[:-1])])

    def run(self, y):
        for _ in range(3):
            y = y + 0.1 * _Solver.slope(y, self.rate)
        return (y**2).sum()


def _folded(x, n):
    return x.sum() if n == 0 else float(EYE.dot(x)[0]) * _folded(np.sin(x), n - 1)


@pytest.mark.parametrize("f", [lambda x: _Solver(1.3).run(x), lambda x: _folded(x, 3)], ids=["method", "recursion"])
def test_what_a_function_calls_by_a_name_of_its_own_is_followed(f):
    steps = 1e-6 * np.eye(4)
    differences = [(f(X + h) - f(X - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(cr.grad(f)(X), differences, rtol=1e-6, atol=1e-8)


def _chain(A, y):
    if y is None:
        return _chain(A, A[0])
    for _ in range(4):
        y = np.tanh(A @ y)
    return y.sum()


def test_a_loop_in_a_function_that_calls_itself_stays_a_loop():
    assert "for _ in range(4)" in str(cr.write(_chain, np.eye(3), np.ones(3)))


# ---- zeros that stand in the way of an infinite slope, where gradients of ones cancel
def pair_distances(x):
    return np.sqrt((x[:, None] - x) ** 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: guarded(x) - guarded(x).mean(),
        lambda x: guarded(x)[:, None] - guarded(x),
        lambda x: (guarded(x), -guarded(x)),
    ],
)
def test_forward_mode_through_guards_where_gradients_of_ones_cancel(f):
    def stacked(x):
        return np.concatenate([np.ravel(part) for part in f(x)])

    v = np.array([1.0, 2.0, -1.0, 0.5])
    exact = cr.jacobian(stacked)(MIXED) @ v
    assert np.any(exact)
    for tangent in (cr.jvp(stacked, (MIXED,), (v,))[1], np.ravel(cr.jvp(f, (MIXED,), (v,))[1])):
        np.testing.assert_allclose(tangent, exact, atol=1e-12)
    within = cr.grad(lambda x: (cr.jvp(stacked, (x,), (v,))[1] ** 2).sum())(MIXED)
    np.testing.assert_allclose(within, cr.grad(lambda x: ((cr.jacobian(stacked)(x) @ v) ** 2).sum())(MIXED), atol=1e-12)
    written = cr.write(stacked, MIXED, what="jvp").function
    for x in (MIXED, MIXED[::-1].copy(), X):
        with np.errstate(all="ignore"):
            tangent = written(x, v)[1]
        np.testing.assert_allclose(tangent, cr.jacobian(stacked)(x) @ v, atol=1e-12)


def test_hessian_products_of_distances_with_themselves():
    def energy(x):
        return np.sum(pair_distances(x) ** 3)

    v = np.array([1.0, 2.0, -1.0, 0.5])
    (product,) = cr.hvp(energy, (X,), (v,))
    differences = (cr.grad(energy)(X + 1e-5 * v) - cr.grad(energy)(X - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(product, differences, rtol=1e-7)
    with np.errstate(all="ignore"):
        written = cr.write(energy, X, what="hvp").function(X, v)
    np.testing.assert_allclose(written["x"], product)
