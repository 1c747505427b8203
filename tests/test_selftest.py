"""``selftest``: mistakes that are planted are found, and a check that finds nothing fails it."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from chainrule.check.checking import judge
from chainrule.check.mutations import BEHAVIOURS, Mutant, mutants
from chainrule.check.report import GradientVerdict, Report
from chainrule.check.selftesting import selftest
from chainrule.cli import app
from tests.zoo import FUNCTIONS

DENSE, DENSE_ARGS = FUNCTIONS["dense"]


def _names(function, args):
    return tuple(inspect.signature(function).parameters)[: len(args)]


def test_all_that_is_planted_is_found():
    result = selftest(DENSE, DENSE_ARGS, most=12)
    assert result.ok
    assert result.right_passes
    assert "finds all" in str(result)
    assert {p.kind for p in result.planted} >= {"bias_not_summed", "sign_flipped", *BEHAVIOURS[:4]}
    assert json.loads(result.to_json())["ok"] is True


def _verdicts(candidate, ok):
    return {n: GradientVerdict(n, ok, 0.0, 1e-9, (), ()) for n in candidate.wrt}


def blind(candidate, forward, args):
    """Calls everything right."""
    return Report(candidate.name, "f", True, gradients=_verdicts(candidate, True))


def suspicious(candidate, forward, args):
    """Calls everything wrong."""
    return Report(candidate.name, "f", False, gradients=_verdicts(candidate, False))


def blind_to_biases(candidate, forward, args):
    """Never looks at the gradient of ``b``."""
    report = judge(candidate, forward, args)
    gradients = {n: v if n != "b" else GradientVerdict(n, True, 0.0, 1e-9, (), ()) for n, v in report.gradients.items()}
    ok = all(v.ok for v in gradients.values())
    return Report(report.candidate, report.forward, ok, gradients=gradients, suspects=report.suspects)


def powerless(candidate, forward, args):
    """Could judge nothing."""
    return Report(candidate.name, "f", False, judged=False)


@pytest.mark.parametrize("checker", [blind, suspicious, powerless])
def test_a_check_that_cannot_see_fails(checker):
    result = selftest(DENSE, DENSE_ARGS, most=12, judged=checker)
    assert not result.ok
    assert "misses" in str(result) or "is called wrong" in str(result)


def test_what_is_missed_is_shown():
    result = selftest(DENSE, DENSE_ARGS, most=12, judged=blind_to_biases)
    assert not result.ok
    missed = [p for p in result.planted if not p.found]
    assert missed
    assert all("no" in str(result) for _ in missed)
    assert any(p.kind == "bias_not_summed" for p in missed)
    assert any(p.found for p in result.planted)


@pytest.mark.parametrize("name", ["dense", "four_layers", "softmax_rows", "layer_norm", "embedding", "lstm_step"])
def test_what_is_planted_is_wrong(name):
    """Against the exact gradients, at the traced sizes: what is said to be wrong is, and nothing else."""
    function, args = FUNCTIONS[name]
    names = _names(function, args)
    exact, found = None, 0
    for mutant in mutants(function, args, names, most=30):
        plain = Mutant("", frozenset(), frozenset(), None, "", function, names, mutant.wrt)
        given = dict(zip(names, args, strict=True))
        result = function(*args)
        draw = np.random.default_rng(1)
        parts = tuple(draw.standard_normal(np.shape(r)) for r in (result if isinstance(result, tuple) else (result,)))
        cotangent = parts if isinstance(result, tuple) else parts[0] if np.ndim(result) else 1.0
        exact = exact or plain.answer(given, cotangent).gradients
        answer = mutant.answer(given, cotangent)
        if answer.error is not None:
            assert mutant.kind == "missing_transpose"
            continue
        wrong = {n for n in mutant.wrt if not _same(answer.gradients[n], exact[n])}
        assert wrong == set(mutant.wrong)
        found += 1
    assert found >= 10


def _same(a, b):
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_mistake_is_made_at_other_sizes_too():
    names = _names(DENSE, DENSE_ARGS)
    draw = np.random.default_rng(0)
    given = {"X": draw.standard_normal((7, 2)), "W": draw.standard_normal((2, 11)), "b": draw.standard_normal(11)}
    g = draw.standard_normal((7, 11))
    by_kind = {m.kind: m for m in mutants(DENSE, DENSE_ARGS, names)}
    assert by_kind["summed_all_axes"].answer(given, g).gradients["b"].shape == ()
    assert _same(by_kind["bias_not_summed"].answer(given, g).gradients["b"], g)


LAYERS = "import numpy as np\n\n\ndef dense(X, W, b):\n    Z = X @ W + b\n    return Z\n"
CALL = ["--shapes", "X=4x3,W=3x2,b=2", "--most", "5"]


@pytest.fixture
def layers(tmp_path):
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return str(path)


def test_the_command(layers):
    result = CliRunner().invoke(app, ["selftest", f"{layers}::dense", *CALL])
    assert result.exit_code == 0, result.output
    assert "finds all" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_the_command_fails_where_the_check_is_blind(layers, monkeypatch):
    def blinded(*args, **kwargs):
        return selftest(*args, **kwargs, judged=blind)

    monkeypatch.setattr(importlib.import_module("chainrule.cli.selftest"), "run_selftest", blinded)
    result = CliRunner().invoke(app, ["selftest", f"{layers}::dense", *CALL, "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


def test_the_command_asks_for_a_function(layers):
    result = CliRunner().invoke(app, ["selftest", layers])
    assert result.exit_code == 2
    assert "name a function" in " ".join(result.output.split())


def test_check_is_callable_whatever_was_imported_before():
    """Importing a module of the package ``chainrule.check`` binds that name in ``chainrule``."""
    code = (
        "import chainrule as cr, {first}\n"
        "import inspect, numpy as np\n"
        "report = cr.check(lambda x, g: g * np.exp(x), np.exp, {{'x': np.zeros(3)}})\n"
        "assert report.ok, report\n"
        "import chainrule.check.report as module\n"
        "assert module.Report is type(report)\n"
        "assert next(iter(inspect.signature(cr.check).parameters)) == 'candidate'\n"
    )
    for first in ("numpy", "chainrule.check.report", "chainrule.check.checking"):
        subprocess.run([sys.executable, "-c", code.format(first=first)], check=True)


@pytest.mark.parametrize("text", ["averaged once too often", "divided by no count", "divided by another count"])
def test_a_planted_count_is_that_of_the_sizes_at_hand(text):
    function, args = FUNCTIONS["mean_squared"]
    names = _names(function, args)
    planted = [m for m in mutants(function, args, names) if m.text == text]
    assert planted
    report = judge(planted[0], function, dict(zip(names, args, strict=True)))
    assert report.suspects[0].kind in planted[0].kinds, report.suspects
