"""What a verdict says: the vocabulary of mistakes, the report as text and as JSON, and its levels."""

from __future__ import annotations

import json
import math
import os
import string
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.edits import numbers
from chainrule.check.layout import Table, lines_of
from chainrule.check.levels import at_level
from chainrule.check.rendering import error_text
from chainrule.check.report import GradientVerdict, Report
from chainrule.check.vocabulary import KINDS, explanation, kind_named, place, same_kind, suspect
from chainrule.errors import ChainruleError, NotJudgedError
from chainrule.explain.columns import wide, wrapped
from chainrule.language import message

GAPS = set("statement gradients operand wrong right factor count axis condition error unread candidate_line".split())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_kind_is_described(kind):
    assert str(kind.meaning).endswith(".")
    assert "{" not in str(kind.meaning)
    assert "?" in str(kind.hint)
    assert kind.details, "a kind says where it sits"
    for sentence in kind.details:
        gaps = {name for _, name, _, _ in string.Formatter().parse(sentence.template) if name}
        assert gaps <= GAPS
        assert not sentence.values
    assert set(kind.near) <= set(KINDS)
    hint = str(kind.hint).lower()
    for word in (kind.name, *kind.synonyms):
        assert word not in hint
        assert kind_named(word) is kind, "a word means one kind"
    assert str(kind.meaning).lower() not in hint


def test_words_and_synonyms():
    assert kind_named("transpose-missing").name == "missing_transpose"
    assert same_kind("missing_relu_mask", "missing_activation_grad")
    assert not same_kind("sign_flipped", "missing_transpose")
    with pytest.raises(ChainruleError, match="no kind of mistake"):
        kind_named("bad luck")


def test_an_explanation_says_as_much_as_is_known():
    where = place("A3", 29, "A3 = np.maximum(0, Z3)")
    assert str(explanation("missing_relu_mask", statement=where, factor="(Z3 > 0)")) == (
        "The gradient passes `A3 = np.maximum(0, Z3)` (line 29) unchanged: the mask `(Z3 > 0)` is left out."
    )
    assert "derivative of the ReLU is left out" in str(explanation("missing_relu_mask", statement=where, factor=None))
    assert str(explanation("missing_relu_mask")) == str(KINDS["missing_relu_mask"].meaning)
    found = suspect("bias_sum_missing", step="Z1", gradients=("b",))
    assert found.kind == "bias_not_summed"
    assert "`Z1`" in str(found.explanation)
    assert found.hint is not None


def wrong_report(**changes):
    gradients = {
        "x": GradientVerdict("x", True, 2e-16, 1e-10, (5, 4), (5, 4), points=2.0),
        "W": GradientVerdict("W", False, 0.83, 1e-10, (4, 3), (4, 3), ((0, 2), 1.25, 0.5)),
        "b": GradientVerdict("b", False, math.inf, 1e-10, (5, 3), (3,)),
    }
    where = {"step": "z", "line": 3, "source": "z = x @ W + b"}
    proof = message("candidate == rule with x.T -> x, to 2e-16 on 3 draws")
    missing = suspect(
        "missing_transpose", **where, gradients=("W",), operand="x", right="x.T @ g", fix="dW = x.T @ g", proof=proof,
        candidate_line=7,
    )  # fmt: skip
    missing = replace(missing, candidate_source="dW = x @ g", fix_holds=True)
    others = (
        suspect("bias_not_summed", **where, gradients=("b",), operand="b", axis=0, right="g.sum(axis=0)"),
        suspect("wrong_operand", **where, gradients=("W",), wrong="x", right="x.T"),
    )
    notes, remarks = (message("Run without a network."),), (message("Your x is square: it hides a transpose."),)
    fields = {"gradients": gradients, "suspects": (missing, *others), "notes": notes, "remarks": remarks}
    return Report("dense_backward", "dense", False, **{**fields, **changes})


def test_the_report_says_what_is_wrong_where_and_what_to_write_instead():
    text = str(wrong_report())
    assert text.splitlines()[0] == "dense_backward is wrong: 2 of its 3 gradients are not those of dense."
    for expected in (
        "W: missing_transpose",
        "your line 7    dW = x @ g",
        "write instead  dW = x.T @ g",
        "Run with this line, your gradient of W is right.",
        "Shown by: candidate == rule with x.T -> x",
        "What fits too:",
        "b: bias_not_summed",
        "x is square",
    ):
        assert expected in text
    assert max(map(len, text.splitlines())) <= 80
    assert repr(wrong_report()) == text


def test_markdown_has_no_markup_of_its_own():
    report = replace(wrong_report(), candidate="<lambda>", forward="f_x*")
    text = report._repr_markdown_()
    assert "**&lt;lambda> is wrong: 2 of its 3 gradients are not those of f\\_x\\*.**" in text
    assert "| W | WRONG |" in text


@pytest.mark.parametrize(
    ("shape", "worst", "said"),
    [
        ((3,), ((1,), math.nan, 0.5), "not finite"),
        ((3,), None, "fixed size"),
        ((5,), None, "shape"),
        (None, None, "missing"),
    ],
)
def test_where_there_is_no_number_the_reason_is_said(shape, worst, said):
    assert error_text(GradientVerdict("b", False, math.inf, 1e-9, shape, (3,), worst)) == said


def test_a_count_of_nothing_divides_nothing(monkeypatch):
    monkeypatch.setattr(numbers, "_counts", lambda base: [("len(x)", 0.0), ("len(y)", 4.0)])
    assert [text for _, text, *_ in numbers._for_counts(None, 0.5) if isinstance(text, str)] == ["len(y)"]
    assert [text for _, text, *_ in numbers._for_counts(None, 2.0) if isinstance(text, str)] == ["len(x)", "len(y)"]


SECRETS = ("transpose", ".T", "bias", "not_summed", "operand", "line 3", "line 7", "x @ W", "square", "1.25", "step z")


@pytest.mark.parametrize("feedback", ["verdict", "hint"])
def test_a_hint_gives_nothing_away(feedback):
    report = at_level(wrong_report(feedback=feedback))
    shown = {
        "text": str(wrong_report(feedback=feedback)),
        "json": wrong_report(feedback=feedback).to_json(),
        "markdown": wrong_report(feedback=feedback)._repr_markdown_(),
        "gradescope": wrong_report(feedback=feedback).to_gradescope(),
        "record": "\n".join(f"{getattr(report, name)}" for name in report.__dataclass_fields__),
    }
    for where, text in shown.items():
        leaks = [secret for secret in SECRETS if secret in text.replace("right expression", "")]
        assert not leaks, where
    assert ("which axis is summed over" in shown["text"]) is (feedback == "hint")
    assert "Run without a network" in shown["text"]
    assert at_level(report) == report


def test_a_hint_about_two_mistakes_at_once_can_be_asked_for_again():
    pair = tuple(replace(suspect(k, gradients=("W",)), together=1) for k in ("missing_transpose", "sign_flipped"))
    report = at_level(wrong_report(feedback="hint", suspects=pair))
    assert len(report.suspects) == 2
    assert at_level(report) == report


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_is_named_by_its_hint(kind):
    report = Report("c", "f", False, suspects=(suspect(kind, step="q7", line=77, source="q7 = p7"),), feedback="hint")
    text = report.to_json() + str(report)
    assert kind not in text
    assert "q7" not in text
    assert "77" not in text


def test_the_fault_does_not_show_the_fix():
    text = str(wrong_report(feedback="fault")) + wrong_report(feedback="fault").to_json()
    assert "missing_transpose" in text
    assert "your line 7" in text
    for fix in ("x.T @ g", "g.sum(axis=0)", "write instead", "Run with this line"):
        assert fix not in text


def test_json_is_what_is_documented():
    found = json.loads(wrong_report().to_json())
    assert found["schema"] == 1
    assert (found["points"], found["max_points"]) == (2.0, 4.0)
    assert (found["ok"], found["judged"], found["feedback"]) == (False, True, "fix")
    w, b = found["gradients"]["W"], found["gradients"]["b"]
    assert (w["right"], w["label"], w["points"], w["max_points"]) == (False, "missing_transpose", 0.0, 1.0)
    assert w["location"]["step"] == "z"
    assert w["location"]["candidate_line"] == 7
    assert w["worst"] == {"index": [0, 2], "given": 1.25, "right": 0.5}
    assert b["error"] is None
    assert (b["shape"], b["expected_shape"]) == ([5, 3], [3])
    assert [s["kind"] for s in found["suspects"]] == ["missing_transpose", "bias_not_summed", "wrong_operand"]
    assert found["suspects"][0]["fix"] == "dW = x.T @ g"
    assert len(found["hints"]) == 2


def test_gradescope_counts_points_per_gradient():
    found = json.loads(wrong_report().to_gradescope())
    assert found["score"] == 2.0
    assert [(t["score"], t["max_score"], t["status"]) for t in found["tests"]] == [
        (2.0, 2.0, "passed"),
        (0.0, 1.0, "failed"),
        (0.0, 1.0, "failed"),
    ]
    assert "missing_transpose" in found["tests"][1]["output"]
    assert "bias_not_summed" not in found["tests"][1]["output"]


def test_what_is_no_gradient_can_be_wrong():
    right = {"x": GradientVerdict("x", True, 0.0, 1e-10, (2,), (2,))}
    report = Report("c", "f", False, gradients=right, suspects=(suspect("mutates_input", operand="x"),))
    assert "although its gradients are those of f" in str(report)
    assert json.loads(report.to_gradescope())["tests"][-1]["status"] == "failed"
    with pytest.raises(AssertionError, match="mutates_input"):
        report.raise_if_wrong()
    Report("c", "f", True, gradients=right).raise_if_wrong()


def test_what_could_not_be_judged_does_not_pass():
    report = Report("c", "f", False, judged=False, notes=(message("It ran for longer than 1 s."),))
    assert str(report).startswith("c could not be judged.")
    assert "longer than 1 s" in str(report)
    with pytest.raises(NotJudgedError):
        report.raise_if_wrong()


def test_faults_that_hold_together_are_both_shown():
    both = [replace(suspect(k, gradients=("W",)), together=1) for k in ("sign_flipped", "factor_2_missing")]
    text = str(wrong_report(suspects=tuple(both)))
    assert "W: sign_flipped" in text
    assert "W: factor_2_missing" in text
    assert "What fits too" not in text


def test_a_cause_that_was_not_found_is_said_so():
    text = str(wrong_report(suspects=()))
    assert "The cause was not found" in text
    assert "W[0, 2]: 1.25, where 0.5 is right" in text
    bound = message("It goes wrong between line 3 and line 5.")
    assert "between line 3 and line 5" in str(wrong_report(suspects=(), bound=bound))
    assert "line 3" not in str(wrong_report(suspects=(), bound=bound, feedback="hint"))


def test_wide_characters_are_counted_as_wide():
    assert wide("ab") == 2
    assert wide("勾配") == 4
    lines = wrapped("勾配の形は引数の形と同じでなければなりません。`x.T @ g`", 20)
    assert len(lines) > 2
    assert all(wide(line) <= 20 for line in lines)
    assert wrapped("数据（第一行）：全部", 7) == ["数据", "（第一", "行）：", "全部"]
    table = lines_of([Table(["勾配", "x"], [[("W", ""), ("1", "")]])])
    assert ["".join(text for text, _ in line) for line in table] == ["勾配  x", "W     1"]


@pytest.mark.parametrize("width", [40, 80])
def test_it_is_coloured_in_a_terminal(width):
    console = pytest.importorskip("rich.console")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        terminal = console.Console(record=True, width=width, file=nowhere)
        terminal.print(wrong_report())
    printed = terminal.export_text()
    assert max(map(len, printed.splitlines())) <= width
    assert (printed.rstrip() == str(wrong_report())) is (width == 80)
    assert "write instead  dW = x.T @ g" in printed


def square(x):
    return (x**2).sum()


def test_a_test_fails_with_the_report():
    x = np.array([0.5, -1.5, 2.5])
    assert cr.testing.assert_gradient(lambda x: 2 * x, square, [x]).ok
    with pytest.raises(cr.WrongGradientError, match="factor_2_missing"):
        cr.testing.assert_gradient(lambda x: x, square, [x])
    with pytest.raises(AssertionError) as failure:
        cr.testing.assert_gradient(lambda x: x, square, {"x": x}, feedback="verdict")
    assert "factor" not in str(failure.value)
