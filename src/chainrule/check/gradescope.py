"""A ``results.json`` as Gradescope reads it: a test per gradient, with its points and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.check.levels import Reported
from chainrule.check.rendering import blocks_of, gradient_text, text_of

__all__ = ["results_of"]


def results_of(reports: Sequence[Reported]) -> dict[str, Any]:
    """The results of one or several candidates."""
    tests = [test for report in reports for test in _tests(report)]
    return {
        "score": sum(test["score"] for test in tests),
        "output": "\n\n".join(text_of(blocks_of(report)) for report in reports),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def _tests(report: Reported) -> list[dict[str, Any]]:
    found = []
    for g in report.gradients.values():
        passed = g.ok and report.judged
        found.append(
            {
                "name": f"{report.candidate}: {g.name}",
                "score": g.points if passed else 0.0,
                "max_score": g.points,
                "status": "passed" if passed else "failed",
                "output": gradient_text(report, g),
                "output_format": "text",
            }
        )
    if not report.ok and all(test["status"] == "passed" for test in found):
        # Something other than a number is wrong, or nothing could be judged: it must not look as if all had passed.
        found.append(
            {
                "name": report.candidate,
                "score": 0.0,
                "max_score": 0.0,
                "status": "failed",
                "output": text_of(blocks_of(report)),
                "output_format": "text",
            }
        )
    return found
