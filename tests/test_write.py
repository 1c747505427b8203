"""Written source: it runs on its own, gives the right numbers for other sizes too, and reads as if by hand."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.source import Draft
from chainrule.trees import flatten, unflatten
from tests.golden.examples import EXAMPLES
from tests.zoo import FUNCTIONS
from tests.zoo_wild import FIXED, WILD

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parent.parent
SIZES, LARGER = (6, 4, 3), (9, 5, 4)
ALL = [*FUNCTIONS, *WILD]


def example(name):
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    f, make = WILD[name]
    return f, make(*SIZES)


@cache
def draft(name):
    """One function, its arguments, and what is needed to write it in any style; simplified once for all tests."""
    f, args = example(name)
    return f, args, Draft(f, args, {})


@cache
def written(name, style="function"):
    return draft(name)[2].source(style)


def cotangents(value, seed=5):
    rng = np.random.default_rng(seed)
    leaves, structure = flatten(value)
    return unflatten(structure, [rng.standard_normal(np.shape(x)).astype(np.asarray(x).dtype) for x in leaves])


def expected(f, args):
    """Value, gradients of the floating arguments, and the extra argument that written functions take."""
    value, pullback = cr.vjp(f, *args)
    leaves = flatten(value)[0]
    if len(leaves) == 1 and np.ndim(leaves[0]) == 0:
        return value, flatten(pullback(np.ones((), np.asarray(leaves[0]).dtype)))[0], ()
    given = cotangents(value)
    parts = flatten(given)[0]
    return value, flatten(pullback(given))[0], (parts[0] if len(parts) == 1 else tuple(parts),)


def close(a, b):
    for x, y in zip(flatten(a)[0], flatten(b)[0], strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        tolerance = 1e-5 if x.dtype == np.float32 else 1e-10
        assert np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True)


def runs(function, f, args):
    """A written function gives the value and the gradients of ``f`` at these arguments."""
    value, gradients, extra = expected(f, args)
    output, named = function(*args, *extra)
    close(output, value)
    close(list(named.values()), gradients)


def resized(name, args, rng):
    """The arguments of a zoo function with all lengths changed."""
    lengths = {n for a in args for n in np.shape(a)}
    larger = {n: n + 2 for n in lengths}
    if name == "lstm_step":
        larger = {2: 3, 3: 4, 4: 5, 7: 9, 16: 20}
    if name == "batched_attention":
        larger = {n: n + 1 for n in lengths}
    result = []
    for a in args:
        array = np.asarray(a)
        if not array.shape:
            result.append(a)
            continue
        shape = tuple(larger[n] for n in array.shape)
        square = array.ndim == 2 and array.shape[0] == array.shape[1] and np.allclose(array, array.T)
        if square:
            half = rng.standard_normal(shape)
            result.append(half @ half.T + np.eye(shape[0]))
        elif array.dtype.kind in "iu" or set(np.unique(array)) <= {-1.0, 0.0, 1.0}:
            result.append(np.resize(array, shape))
        else:
            result.append(np.resize(array, shape) + 0.01 * rng.random(shape))
    return tuple(result)


@pytest.mark.parametrize("name", ALL)
def test_written_functions_give_the_gradients(name):
    f, args, _ = draft(name)
    runs(written(name).function, f, args)


@pytest.mark.parametrize("name", ALL)
def test_written_functions_run_for_other_sizes(name):
    if name in FIXED:
        pytest.skip("its loop is written out")
    f, args, _ = draft(name)
    others = resized(name, args, np.random.default_rng(1)) if name in FUNCTIONS else WILD[name][1](*LARGER)
    runs(written(name).function, f, others)


ONE_ROW = [
    "dense", "four_layers", "mean_squared", "logistic_loss", "softmax_rows", "layer_norm", "cross_entropy_labels",
    "batch_norm", "row_bias", "course_columns", "column_times_row", "row_and_column", "broadcast_stack", "potentials",
    "normalise_in_place", "svm_loss", "label_smoothing", "cosine_matrix", "flattened_images", "gaussian_density",
]  # fmt: skip


@pytest.mark.parametrize("name", ONE_ROW)
def test_code_written_from_a_batch_of_one_runs_on_more_and_back(name):
    f, args, _ = draft(name)
    if name in WILD:
        one = WILD[name][1](1, *SIZES[1:])
    else:
        one = tuple(a[:1] if np.ndim(a) and len(a) == len(args[0]) else a for a in args)
    runs(cr.write(f, *one).function, f, args)
    runs(written(name).function, f, one)


@pytest.mark.parametrize("name", ALL)
def test_pullbacks_and_layers_give_the_gradients(name):
    f, args, _ = draft(name)
    value, gradients, extra = expected(f, args)
    result = written(name, "pullback").function(*args, *extra)
    close(list(result) if isinstance(result, tuple) else [result], gradients)
    layer = written(name, "layer").function()
    close(layer.forward(*args), value)
    close(list(layer.backward(*extra).values()), gradients)
    # What forward keeps is there for another cotangent.
    close(list(layer.backward(*extra).values()), gradients)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lines_run_under_the_forward_lines(name):
    f, args, _ = draft(name)
    _, _, extra = expected(f, args)
    parameters = list(inspect.signature(f).parameters)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(f))).body
    forward = ast.unparse(ast.Module([s for s in definition.body if not isinstance(s, ast.Return)], []))
    space = {"np": np, **dict(zip(parameters, args, strict=True))}
    space.update((f"{p}_given", a) for p, a in zip(parameters, args, strict=True))
    exec(forward, space)
    if extra:
        parts = extra[0] if isinstance(extra[0], tuple) else extra
        names = ["grad_output"] if len(parts) == 1 else [f"grad_output_{k}" for k in range(len(parts))]
        space.update(zip(names, parts, strict=True))
    exec(str(written(name, "lines")), space)
    for parameter, gradient in written(name).function(*args, *extra)[1].items():
        close(space["d" + parameter], gradient)


# Their helpers, loops and branches are written out, or they use what only the user's module has.
SIMPLE = [name for name in FUNCTIONS if name not in {"gaussian_likelihood", "batched_attention"}] + [
    "svm_loss", "augmented", "normalise_in_place", "masked_assignment", "padded_differences", "edge_padding",
    "every_second", "reversed_weights", "negative_axes", "stacked", "joined_columns", "concatenated", "keyword_axis",
    "chained_where", "cumulative", "sorted_gaps", "ranked", "top_value", "median_deviation", "einsum_chain",
    "tensor_products", "cholesky_likelihood", "ridge_by_hand", "several_outputs", "loss_and_extra", "mixed_outputs",
    "row_and_column", "counted", "reshaped", "flattened_images", "transposed_axes", "moved_axes", "repeated", "rolled",
    "convolution", "sliding", "trapezoid", "polynomial", "horner", "dropout", "focal", "dice", "triplet",
    "kl_divergence", "group_statistics", "potentials", "heat_step", "complex_modulus", "spectrum", "reused_name",
    "returns_argument", "same_value_twice",
]  # fmt: skip


@pytest.mark.parametrize("name", SIMPLE)
def test_the_forward_pass_comes_back_as_it_was_written(name):
    f, args, _ = draft(name)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(f))).body
    again = ast.parse(str(cr.write(f, *args, what="forward"))).body[-1]
    assert ast.unparse(again) == ast.unparse(definition)


def without_comments(source):
    return "\n".join(line for line in str(source).splitlines() if not line.lstrip().startswith("#"))


AGAIN = [
    "dense", "mean_squared", "logistic", "softmax_rows", "log_sum_exp", "hinge", "rms_norm", "centred", "cosine",
    "attention", "embedding", "poisson", "kernel", "bilinear", "products", "column_buffer", "every_second", "rotation",
    "row_bias", "picked_rows", "reshaped", "heat_step", "kl_divergence", "dice", "until_small", "nested_parameters",
]  # fmt: skip


@pytest.mark.parametrize("name", AGAIN)
def test_a_second_trace_of_the_written_forward_pass_is_written_as_the_first(name):
    f, args, _ = draft(name)
    once = cr.write(f, *args, what="forward").function
    source = cr.write(once, *args)
    runs(source.function, f, args)
    if "written for" not in str(written(name)):  # the forward pass alone decides nothing any more
        assert without_comments(source) == without_comments(written(name))


def test_source_is_the_same_under_every_hash_seed():
    names = ("dense", "cross_entropy_labels", "softmax_rows", "counted", "svm_loss", "label_smoothing")
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.zoo import FUNCTIONS; from tests.zoo_wild import WILD; from chainrule.source import Draft\n"
        f"for name in {names}:\n"
        f"    f, args = FUNCTIONS[name] if name in FUNCTIONS else (WILD[name][0], WILD[name][1](*{SIZES}))\n"
        "    draft = Draft(f, args, {})\n"
        "    for style in ('function', 'lines', 'pullback', 'layer'): print(draft.source(style))"
    )
    texts = []
    for seed in ("0", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        texts.append(done.stdout)
    assert texts[0] == texts[1]


def test_written_source_passes_ruff(tmp_path):
    for name in ALL:
        for style in ("function", "pullback", "layer"):
            written(name, style).save(tmp_path / f"{name}_{style}.py")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--line-length=100"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_written_lines_are_no_longer_than_a_hundred_columns():
    for name in ALL:
        for style in ("function", "layer"):
            lines = str(written(name, style)).splitlines()
            assert not [line for line in lines if len(line) > 100 and not line.lstrip().startswith("#")], name


TANGENTS = [
    "dense", "mean_squared", "softmax_rows", "layer_norm", "log_sum_exp", "kernel", "solve_system", "several_outputs",
    "row_and_column", "stacked", "pendulum_energy", "loss_and_extra",
]  # fmt: skip


@pytest.mark.parametrize("name", TANGENTS)
def test_forward_mode_and_products_with_hessians(name):
    f, args = example(name)
    positions = [k for k, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]
    tangents = tuple(cotangents([args[k] for k in positions]))
    point = tuple(args[k] for k in positions)

    def g(*given):
        whole = dict(zip(positions, given, strict=True))
        return f(*(whole.get(k, a) for k, a in enumerate(args)))

    value, tangent = cr.write(f, *args, what="jvp").function(*args, *tangents)
    close([value, tangent], list(cr.jvp(g, point, tangents)))
    if np.ndim(value) == 0 and not isinstance(value, dict | tuple):
        products = cr.write(f, *args, what="hvp").function(*args, *tangents)
        _, wanted = cr.jvp(cr.grad(g, argnums=tuple(range(len(point)))), point, tangents)
        close(list(products.values()), list(wanted))


@pytest.mark.parametrize(
    ("name", "of"), [("loss_and_extra", "loss"), ("several_outputs", 1), ("several_outputs", -2), ("mixed_outputs", 0)]
)
def test_one_output_can_be_asked_for(name, of):
    f, args = example(name)
    runs(cr.write(f, *args, of=of).function, lambda *given: f(*given)[of], args)


def test_a_variable_of_the_function_can_be_asked_for():
    f, args = example("two_layer_sigmoid")
    source = cr.write(f, *args, of="a1", wrt=["W1", "b1"], style="pullback")
    X, W1, b1, *_ = args
    g = cotangents(X @ W1)
    _, pullback = cr.vjp(lambda W, b: 1 / (1 + np.exp(-(X @ W + b))), W1, b1)
    close(list(source.function(*args, g)), list(pullback(g)))
    with pytest.raises(cr.ChainruleError, match="none of its variables: a1"):
        cr.write(lambda x: (a1 := x * x).sum() + a1.sum(), X, of="a2")


def test_keyword_arguments_are_parameters_and_defaults_are_kept():
    f, _ = example("power_setting")
    x = np.array([1.0, 2.0])
    source = cr.write(f, x, power=2, scale=3.0)
    assert "def power_setting_and_grad(x, power=2, *, scale=2.0):" in str(source)
    value, named = source.function(x, scale=4.0)
    close([value, *named.values()], [np.float64(20.0), 8.0 * x, np.float64(5.0)])


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("branches", "# valid while `x.sum() > 0` on line {}\n"),
        ("until_small", "# valid while `np.sum(x**2) > 1` on line {} is true, then false\n"),
        ("smallest_of", "# valid while `min(x.sum(), y.sum())` on line {} chooses the same as in the example\n"),
        ("with_mode", "# valid for kind='relu'\n"),
    ],
)
def test_what_decided_the_control_flow_is_said(name, remark):
    line = inspect.getsourcelines(example(name)[0])[1] + (0 if name == "with_mode" else 1)
    assert remark.format(line) in str(written(name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden_files(name):
    """With ``UPDATE_GOLDEN=1`` the files are written anew, to be read before they are kept."""
    f, args, options = EXAMPLES[name]
    text = str(cr.write(f, *args, **options))
    path = GOLDEN / f"{name}.py"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_trees_are_unpacked_and_named():
    def loss(layers, x):
        for W, b in layers:
            x = np.tanh(x @ W + b)
        return (x**2).sum()

    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((3, 4)), np.zeros(4)), (rng.standard_normal((4, 2)), np.zeros(2))]
    x = rng.standard_normal((5, 3))
    source = cr.write(loss, layers, x, wrt=0)
    _, named = source.function(layers, x)
    assert "for W, b in layers:" in str(source)
    assert list(named) == ["layers"]
    close(list(named.values()), flatten(cr.grad(loss)(layers, x))[0])


@pytest.mark.parametrize("asked", ["b", "params_b", 'params["b"]'])
def test_one_array_of_a_tree_can_be_asked_for(asked):
    f, args, _ = EXAMPLES["softmax_loss"]
    source = cr.write(f, *args, wrt=asked)
    assert 'W = params["W"]' in str(source)
    _, named = source.function(*args)
    assert list(named) == ["b"]
    close(named["b"], cr.grad(f)(*args)["b"])


def _scaled(x, weight, bias):
    return weight * np.tanh(x) + bias


def _scaled_twice(params, x):
    hidden = _scaled(x @ params["W"], params["weight1"], params["bias1"])
    total = params["encoder"]["V"] * hidden
    return (_scaled(total, params["weight2"], params["x"]) * params["decoder"]["V"]).sum()


def test_arrays_in_dictionaries_are_called_what_their_keys_are_unless_that_is_the_name_of_others():
    rng = np.random.default_rng(0)
    vectors = {n: rng.standard_normal(4) for n in ("weight1", "bias1", "weight2", "x")}
    coders = {n: {"V": rng.standard_normal(4)} for n in ("encoder", "decoder")}
    params = {"W": rng.standard_normal((3, 4)), **vectors, **coders}
    x = rng.standard_normal((5, 3))
    value, named = cr.write(_scaled_twice, params, x, wrt="params").function(params, x)
    names = {
        "W": "W", "weight1": "weight1", "bias1": "bias1", "weight2": "weight2",
        "params_x": "x", "params_encoder_V": ("encoder", "V"), "params_decoder_V": ("decoder", "V"),
    }  # fmt: skip
    assert set(named) == set(names)
    exact = cr.grad(_scaled_twice)(params, x)
    for name, place in names.items():
        wanted = exact[place] if isinstance(place, str) else exact[place[0]][place[1]]
        np.testing.assert_allclose(named[name], wanted, rtol=1e-12)


def test_prefixes_name_gradients():
    f, args = FUNCTIONS["dense"]
    assert "DW = X.T @ grad_output" in str(cr.write(f, *args, prefix="D"))
    assert "grad_W = X.T @ grad_output" in str(cr.write(f, *args, prefix="grad_"))


def test_names_of_gradients_give_way_to_the_users():
    def f(x, dx):
        y = x * dx
        return (y * y).sum()

    source = cr.write(f, np.ones(3), 2.0 * np.ones(3), wrt=["x", 1])
    _, named = source.function(np.ones(3), 2.0 * np.ones(3))
    close(list(named.values()), list(cr.grad(f, argnums=(0, 1))(np.ones(3), 2.0 * np.ones(3))))


def test_what_the_code_is_valid_for_stands_at_the_top():
    def f(x, power):
        if x.sum() > 0:
            x = x**power
        return x.sum()

    text = str(cr.write(f, np.ones(3), 3))
    assert "# valid for power=3" in text
    assert "# valid while `x.sum() > 0` on line" in text


def test_gradients_of_constants_and_sums_are_whole():
    def f(x, y):
        return x.sum() + 0.0 * 3 + y[0]

    x, y = np.ones((2, 3)), np.ones(4)
    _, named = cr.write(f, x, y).function(x, y)
    close(list(named.values()), list(cr.grad(f, argnums=(0, 1))(x, y)))


def test_arrays_from_outside_are_written_down():
    scale = np.array([1.0, 2.0, 4.0])

    def f(x):
        return (scale * x).sum()

    source = cr.write(f, np.ones(3))
    assert "scale = np.array([1.0, 2.0, 4.0])" in str(source)
    close(source.function(np.ones(3))[1]["x"], scale)


def test_large_arrays_from_outside_are_refused():
    large = np.ones(1000)

    def f(x):
        return (large * x).sum()

    with pytest.raises(cr.ChainruleError, match="make it an argument"):
        cr.write(f, np.ones(1000))


def test_what_has_no_name_in_numpy_is_refused_with_its_line():
    @cr.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))

    def f(x):
        return cube(x).sum()

    with pytest.raises(cr.ChainruleError, match=r"line \d+: return cube\(x\)"):
        cr.write(f, np.ones(3))


@pytest.mark.parametrize(
    "options",
    [{"wrt": "nothing"}, {"wrt": 7}, {"style": "poem"}, {"prefix": "delta"}, {"what": "sideways"}],
)
def test_what_cannot_be_asked_for_is_said(options):
    f, args = FUNCTIONS["dense"]
    with pytest.raises(cr.ChainruleError):
        cr.write(f, *args, **options)


def test_lines_are_no_function():
    f, args = FUNCTIONS["dense"]
    with pytest.raises(cr.ChainruleError, match="lines to paste"):
        _ = cr.write(f, *args, style="lines").function


def test_functions_without_source_are_written_too():
    space = {"np": np}
    exec("def f(x, W):\n    z = x @ W\n    return (z * z).sum()", space)
    x, W = np.ones((2, 3)), np.ones((3, 4))
    source = cr.write(space["f"], x, W)
    _, named = source.function(x, W)
    close(list(named.values()), list(cr.grad(space["f"], argnums=(0, 1))(x, W)))


def test_writes_into_arrays_stay_writes():
    def f(x):
        y = np.zeros((3, x.shape[0]))
        y[0] = x
        y[1, 1:] = x[:-1] * 2
        y[2] = y[0] * y[1]
        x = y[2] + y[1]
        return (x * y).sum()

    x = np.arange(1.0, 5.0)
    source = cr.write(f, x)
    assert "y[2] = y[0] * y[1]" in str(source)
    assert str(source).count(".copy()") <= 3
    close(source.function(x)[1]["x"], cr.grad(f)(x))


def test_a_mean_over_looked_up_elements_is_over_as_many_as_there_are():
    def loss(scores, labels):
        return -scores[np.arange(len(labels)), labels].mean()

    scores, labels = np.arange(12.0).reshape(4, 3), np.array([0, 2, 1, 1])
    written = cr.write(loss, scores[:2], labels[:2], wrt="scores").function
    np.testing.assert_array_equal(written(scores, labels)[1]["scores"], cr.grad(loss)(scores, labels))


def test_whole_numbers_that_are_lengths_keep_their_names():
    def pooled(x, size, stride, padding):
        padded = np.pad(x, ((padding, padding), (0, 0)))
        return padded.reshape(-1, size).max(axis=1)[::stride] ** 2

    x = np.random.default_rng(0).standard_normal((4, 6))
    source = cr.write(pooled, x, 2, 3, 1)
    assert "valid for" not in str(source)
    larger, settings = np.random.default_rng(1).standard_normal((7, 9)), (3, 2, 1)
    value, (expected, *_), (g,) = expected_of(pooled, larger, settings)
    output, gradients = source.function(larger, *settings, g)
    close(output, value)
    close(gradients["x"], expected)


def expected_of(function, x, settings):
    return expected(lambda x: function(x, *settings), (x,))


def test_whole_numbers_that_decide_something_are_those_of_the_example():
    def chosen(x, axis, count):
        return x.sum(axis=axis) if count > 2 else x.mean(axis=axis)

    source = str(cr.write(chosen, np.ones((2, 3)), 1, 3))
    assert source.startswith(
        ("# valid for axis=1\n# valid for count=3\n", "import numpy as np\n\n\n# valid for axis=1\n")
    )


def test_code_written_from_float64_keeps_float32():
    def largest(x):
        return x.max(axis=1)

    x = np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    written = cr.write(largest, x).function
    output, gradients = written(x.astype(np.float32), np.ones(2, np.float32))
    assert output.dtype == gradients["x"].dtype == np.float32
