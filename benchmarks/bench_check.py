"""How many planted mistakes the check finds, names and bounds, and how long a check takes.

python -m benchmarks.bench_check            # eight mistakes of each function of the zoo
python -m benchmarks.bench_check all        # all of them
python -m benchmarks.bench_check dense      # all those of one function
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.measure import verdict
from chainrule.check.selftesting import SelfTest
from tests.museum import held_out
from tests.museum.exhibit import Exhibit
from tests.museum.rooms import EXHIBITS
from tests.museum.scoring import judged, score
from tests.zoo import FUNCTIONS

FEW = 8


def four_layers(X, W1, B1, W2, B2, W3, B3, W4, B4, T):  # type: ignore[no-untyped-def]
    """The network whose check has to take less than five seconds."""
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Z3 = A2.dot(W3) + B3
    A3 = np.maximum(0, Z3)
    Y = A3.dot(W4) + B4
    err = ((Y - T) ** 2).mean()
    return err


def four_layers_backward(X, W1, B1, W2, B2, W3, B3, W4, B4, T, forgotten=0):  # type: ignore[no-untyped-def]
    """Its backward pass, written by hand; the mask of one layer may be forgotten."""
    weights, biases = [W1, W2, W3, W4], [B1, B2, B3, B4]
    inputs, before = [X], []
    for W, B in zip(weights, biases, strict=True):
        before.append(inputs[-1].dot(W) + B)
        inputs.append(np.maximum(0, before[-1]))
    delta = 2 * (before[-1] - T) / T.size
    gradients = {}
    for k in (3, 2, 1, 0):
        gradients[f"W{k + 1}"] = inputs[k].T.dot(delta)
        gradients[f"B{k + 1}"] = delta.sum(axis=0)
        if k:
            delta = delta.dot(weights[k].T)
            if k != forgotten:
                delta = delta * (before[k - 1] > 0)
    return gradients


def without_a_mask(X, W1, B1, W2, B2, W3, B3, W4, B4, T):  # type: ignore[no-untyped-def]
    """The same with the mask of the second layer forgotten."""
    return four_layers_backward(X, W1, B1, W2, B2, W3, B3, W4, B4, T, forgotten=2)


def right_backward(X, W1, B1, W2, B2, W3, B3, W4, B4, T):  # type: ignore[no-untyped-def]
    """The same with nothing forgotten."""
    return four_layers_backward(X, W1, B1, W2, B2, W3, B3, W4, B4, T)


def dense(X, W, b):  # type: ignore[no-untyped-def]
    """A layer."""
    Z = X @ W + b
    return Z


def dense_backward(X, W, b, dZ):  # type: ignore[no-untyped-def]
    """Its backward pass, with the bias not summed."""
    return dZ @ W.T, X.T @ dZ, dZ


def dense_right(X, W, b, dZ):  # type: ignore[no-untyped-def]
    """Its backward pass."""
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)


def _times() -> None:
    draw = np.random.default_rng(0)
    layer = {"X": draw.standard_normal((64, 20)), "W": draw.standard_normal((20, 10)), "b": draw.standard_normal(10)}
    sizes = (18, 16, 14, 12, 5)
    network: dict[str, Any] = {"X": draw.standard_normal((64, 18))}
    for k, (rows, columns) in enumerate(pairwise(sizes)):
        network[f"W{k + 1}"] = draw.standard_normal((rows, columns))
        network[f"B{k + 1}"] = draw.standard_normal(columns)
    network["T"] = draw.standard_normal((64, 5))
    print("seconds for a check")
    cases: list[tuple[str, Callable[..., Any], Callable[..., Any], dict[str, Any], float]] = [
        ("a layer that is right", dense_right, dense, layer, 1.0),
        ("a layer with a mistake", dense_backward, dense, layer, 1.0),
        ("four layers that are right", right_backward, four_layers, network, 5.0),
        ("four layers with a mistake", without_a_mask, four_layers, network, 5.0),
    ]
    for name, candidate, forward, args, goal in cases:
        wrt = [n for n in args if n not in ("T", "X")] if forward is four_layers else None
        cr.check(candidate, forward, args, wrt)
        start = time.perf_counter()
        report = cr.check(candidate, forward, args, wrt)
        spent = time.perf_counter() - start
        said = report.suspects[0].kind if report.suspects else "right" if report.ok else "no name"
        print(f"  {name:<28} {spent:6.2f} ({verdict(spent, goal)})  {said}", flush=True)


def _rates(title: str, counts: Counter[str]) -> None:
    whole = max(1, counts["planted"])
    shares = ", ".join(f"{word} {100 * counts[word] / whole:.1f} %" for word in ("found", "named", "placed", "bounded"))
    print(f"  {title:<24} {counts['planted']:5d} planted: {shares}", flush=True)


def planted(most: int, names: Sequence[str] = ()) -> Counter[str]:
    """What becomes of the mistakes that are planted in the functions of the zoo."""
    total: Counter[str] = Counter()
    spent: list[float] = []
    print("mistakes planted in the backward passes of the zoo")
    for name, (function, args) in FUNCTIONS.items():
        if names and name not in names:
            continue
        result: SelfTest = cr.selftest(function, args, most=most)
        counts: Counter[str] = Counter(planted=len(result.planted))
        for p in result.planted:
            counts += Counter(found=p.found, named=p.named, placed=p.placed)
            counts["bounded"] += p.bounded and not p.named
            spent.append(p.seconds)
        total += counts
        _rates(name, counts)
        missed = [f"{p.kind} ({p.text}, line {p.line})" for p in result.planted if not p.found]
        if missed:
            print(f"    missed: {'; '.join(missed)}")
        if not result.right_passes:
            print("    the exact backward pass is called wrong")
    _rates("all", total)
    print(f"  seconds for one of these: {np.mean(spent):.2f} on average, {np.max(spent):.2f} at most")
    return total


def museum(exhibits: Sequence[Exhibit]) -> Counter[str]:
    """What becomes of the backward passes that people wrote."""
    counts: Counter[str] = Counter()
    for exhibit in exhibits:
        report = judged(exhibit)
        result = score(exhibit, report)
        if not exhibit.kinds:
            counts += Counter(right=1, alarms=not result.found)
            continue
        counts += Counter(planted=1, found=result.found, named=result.named, placed=result.placed, first=result.first)
        counts["bounded"] += report.bound is not None and not result.named
    return counts


def main(most: int = FEW, names: Sequence[str] = ()) -> None:
    """Measure and print."""
    if not names:
        _times()
        print("backward passes that people wrote")
        for title, exhibits in (("the museum", list(EXHIBITS.values())), ("the held-out wing", held_out.room.exhibits)):
            counts = museum(exhibits)
            _rates(title, counts)
            print(f"    named first: {counts['first']}; false alarms: {counts['alarms']} of {counts['right']}")
    planted(most, names)


if __name__ == "__main__":
    given = sys.argv[1:]
    unknown = [name for name in given if name != "all" and name not in FUNCTIONS]
    if unknown:
        sys.exit(f"no function of the zoo: {', '.join(unknown)}")
    main(0 if given else FEW, [name for name in given if name != "all"])
