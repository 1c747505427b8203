"""How long ``write`` takes for programs from a hundred to ten thousand forward steps, stage by stage.

The programs are generated: straight lines without the regularity of a loop, deep networks of mixed layers, helpers that
call themselves, and one long recurrence.  What counts is the growth: ten times the steps should take about ten times as
long.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import verdict
from chainrule import source
from chainrule.emit import writing

SIZES = (100, 300, 1000, 3000, 10000)
SHAPE = (4, 3)

_MIXED = (
    "np.tanh({a})", "{a} * {b}", "{a} + {b}", "{a} - {b}", "np.exp(-({a} * {a}))", "{a} / (1 + {b} * {b})",
    "np.maximum({a}, {b})", "{a} @ W", "{a} @ V", "{a} - {a}.mean(axis=0)", "{a} * {b}.sum(axis=1, keepdims=True)",
    "np.sin({a}) + u", "{a} * u", "0.5 * {a}", "np.log(1 + np.exp({a}))", "np.where({a} > 0, {a}, 0.1 * {b})",
    "{a} / np.sqrt(1 + ({b} ** 2).mean(axis=1, keepdims=True))", "np.abs({a}) - {b}",
)  # fmt: skip

_LAYERS = (
    ("{y} = np.maximum(0, {x} @ {w} + {c})", 3),
    ("{y} = np.tanh({x} @ {w} + {c})", 3),
    ("{y} = {x} + 1 / (1 + np.exp(-({x} @ {w} + {c})))", 7),
    ("m = {x}.mean(axis=1, keepdims=True)\n    s = np.sqrt((({x} - m) ** 2).mean(axis=1, keepdims=True) + 1e-5)\n"
     "    {y} = {c} * ({x} - m) / s", 9),
    ("e = np.exp({x} - {x}.max(axis=1, keepdims=True))\n    {y} = {x} * e / e.sum(axis=1, keepdims=True)", 6),
)  # fmt: skip

Case = tuple[str, tuple[Any, ...]]


def mixed(steps: int) -> Case:
    """A random program: each line reads one of the last few values, and now and then one from long ago."""
    choose = random.Random(3)
    lines, made, count = [], ["X"], 0
    while count < steps:
        text = choose.choice(_MIXED)
        a = made[-1] if choose.random() < 0.7 else choose.choice(made[-8:])
        b = choose.choice(made[-8:]) if choose.random() < 0.95 else choose.choice(made)
        name = f"a{len(made)}"
        lines.append(f"    {name} = {text.format(a=a, b=b)}")
        if len(made) % 4 == 0:
            lines[-1] = f"    {name} = np.tanh({text.format(a=a, b=b)})"
        made.append(name)
        count += 3
    return _function("X, W, V, u", lines, f"({made[-1]} ** 2).mean()"), _arrays(SHAPE, (3, 3), (3, 3), (3,))


def layers(steps: int) -> Case:
    """A deep network of mixed layers, each with weights of its own."""
    choose = random.Random(5)
    lines, count, k = [], 0, 0
    while count < steps:
        text, operations = choose.choice(_LAYERS)
        lines.append("    " + text.format(x="X" if not k else f"h{k}", y=f"h{k + 1}", w=f"W[{k}]", c=f"b[{k}]"))
        count += operations
        k += 1
    return _function("X, W, b", lines, f"((h{k} - 1) ** 2).sum()"), _arrays(SHAPE, (k, 3, 3), (k, 3))


def recursion(steps: int) -> Case:
    """A helper that halves a range and calls itself for both halves."""
    n = max(2, steps // 4)
    helper = (
        "def helper(x, w, low, high):\n    if high - low == 1:\n        return np.tanh(x * w[low] + low)\n"
        "    middle = (low + high) // 2\n"
        "    return helper(x, w, low, middle) * 0.9 + helper(x, w, middle, high)\n\n\n"
    )
    return helper + _function("X, w", [], f"helper(X, w, 0, {n}).sum()"), _arrays(SHAPE, (n,))


def recurrence(steps: int) -> Case:
    """One long recurrence, in a loop."""
    n = max(2, steps // 5)
    loop = [
        "    h = X",
        "    for t in range(len(u)):",
        "        z = h @ W + u[t]",
        "        h = 0.5 * h + np.tanh(z)",
    ]
    return _function("X, W, u", loop, "(h ** 2).sum()"), _arrays(SHAPE, (3, 3), (n, 3))


def _function(parameters: str, lines: Sequence[str], result: str) -> str:
    return "\n".join([f"def f({parameters}):", *lines, f"    loss = {result}", "    return loss", ""])


def _arrays(*shapes: tuple[int, ...]) -> tuple[Any, ...]:
    draw = np.random.default_rng(1)
    return tuple(draw.standard_normal(shape) * 0.3 for shape in shapes)


def load(text: str, folder: str) -> Callable[..., Any]:
    """The function ``f`` of a module that is written to a file, so that its source is known."""
    name = f"generated_{abs(hash(text))}"
    path = Path(folder) / f"{name}.py"
    path.write_text(f"import numpy as np\n\n\n{text}", encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    found: Callable[..., Any] = module.f
    return found


@contextmanager
def _clocked(module: Any, name: str, clock: list[float], results: list[Any]) -> Iterator[None]:
    """Add up the processor time that is spent in a function of a module, and keep what it returns."""
    function = getattr(module, name)

    def timed(*args: Any) -> Any:
        start = time.process_time()
        try:
            results.append(function(*args))
            return results[-1]
        finally:
            clock.append(time.process_time() - start)

    setattr(module, name, timed)
    try:
        yield
    finally:
        setattr(module, name, function)


def measure(f: Callable[..., Any], args: Sequence[Any]) -> tuple[dict[str, float], dict[str, int]]:
    """Processor seconds per stage, and counts of steps and lines."""
    stages = {"backward": (source, "backward_of"), "simplify": (source, "simplify"),
              "statements": (writing, "statements_of")}  # fmt: skip
    clocks: dict[str, list[float]] = {stage: [] for stage in stages}
    results: dict[str, list[Any]] = {stage: [] for stage in stages}
    with ExitStack() as stack:
        for stage, (module, name) in stages.items():
            stack.enter_context(_clocked(module, name, clocks[stage], results[stage]))
        start = time.process_time()
        text = str(source.write(f, *args))
        whole = time.process_time() - start
    times = {stage: sum(spent) for stage, spent in clocks.items()}
    times["emit"] = whole - sum(times.values())
    times["write"] = whole
    (plain,), (short,) = results["backward"], results["simplify"]
    return times, {
        "forward": plain.forward_steps,
        "plain": len(plain.program.steps) - plain.forward_steps,
        "short": len(short.program.steps) - short.forward_steps,
        "lines": len(text.splitlines()),
    }


def main(sizes: Sequence[int] = SIZES, cases: Sequence[Callable[[int], Case]] = ()) -> None:
    """Measure and print."""
    source.write(np.tanh, 1.0)  # what is imported and built once
    print("write: processor seconds per stage, by forward and backward steps before and after")
    for case in cases or (mixed, layers, recursion, recurrence):
        measured: list[tuple[int, float]] = []
        print(f"  {case.__name__}: {(case.__doc__ or '').rstrip('.')}")
        with tempfile.TemporaryDirectory() as folder:
            for size in sizes:
                text, args = case(size)
                times, counts = measure(load(text, folder), args)
                measured.append((counts["forward"], times["write"]))
                figures = "  ".join(f"{name} {seconds:7.3f}" for name, seconds in times.items())
                numbers = "  ".join(f"{name} {count:6d}" for name, count in counts.items())
                print(f"    {numbers}   {figures}", flush=True)
        (fewest, quickest), (most, slowest) = measured[0], measured[-1]
        if most > fewest:
            exponent = np.log(slowest / quickest) / np.log(most / fewest)
            print(f"    time grows as steps to the power {exponent:.2f} ({verdict(exponent, 1.2)})")


if __name__ == "__main__":
    main(
        [int(a) for a in sys.argv[1:] if a.isdigit()] or SIZES,
        [globals()[a] for a in sys.argv[1:] if not a.isdigit()],
    )
