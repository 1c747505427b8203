"""A report as dictionaries and lists, for programs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.check.levels import Reported
from chainrule.check.verdicts import GradientVerdict, Suspect, chief
from chainrule.language import Message

__all__ = ["SCHEMA", "dictionary_of"]

SCHEMA = 1  # of the JSON; raised when a key changes its meaning or goes


def dictionary_of(report: Reported) -> dict[str, Any]:
    """What :meth:`Report.to_json` holds."""
    gradients = report.gradients.values()
    told = report.feedback in ("fault", "fix")
    return {
        "schema": SCHEMA,
        "candidate": report.candidate,
        "forward": report.forward,
        "feedback": report.feedback,
        "ok": report.ok,
        "judged": report.judged,
        "points": sum(g.points for g in gradients if g.ok and report.judged),
        "max_points": sum(g.points for g in gradients),
        "gradients": {g.name: _gradient(report, g) for g in gradients},
        "suspects": [_suspect(s) for s in report.suspects] if told else [],
        "hints": list(dict.fromkeys(str(s.hint) for s, _ in chief(report.suspects) if s.hint is not None)),
        "bound": _text(report.bound),
        "remarks": [str(r) for r in report.remarks],
        "notes": [str(n) for n in report.notes],
    }


def _gradient(report: Reported, g: GradientVerdict) -> dict[str, Any]:
    own = [s for s in report.suspects if g.name in s.gradients and s.kind] if not g.ok else []
    best = own[0] if own else None
    return {
        "right": g.ok,
        "error": number(g.error),
        "tolerance": number(g.tolerance),
        "shape": _shape(g.shape),
        "expected_shape": _shape(g.expected_shape),
        "label": best.kind if best else None,
        "location": _location(best) if best else None,
        "worst": _worst(g),
        "convention": _text(g.convention),
        "points": g.points if g.ok and report.judged else 0.0,
        "max_points": g.points,
    }


def _worst(g: GradientVerdict) -> dict[str, Any] | None:
    if g.worst is None or g.ok:
        return None
    index, given, right = g.worst
    return {"index": list(map(int, index)), "given": number(given), "right": number(right)}


def _location(s: Suspect) -> dict[str, Any]:
    return {
        "step": s.step,
        "line": s.line,
        "source": s.source or None,
        "candidate_line": s.candidate_line,
        "candidate_source": s.candidate_source or None,
    }


def _suspect(s: Suspect) -> dict[str, Any]:
    return {
        "kind": s.kind,
        **_location(s),
        "gradients": list(s.gradients),
        "explanation": str(s.explanation),
        "proof": _text(s.proof),
        "fix": s.fix,
        "fix_holds": s.fix_holds,
        "together": s.together,
        "rank": number(s.rank),
    }


def _text(said: Message | None) -> str | None:
    return None if said is None else str(said)


def _shape(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else [int(n) for n in shape]


def number(x: Any) -> float | str | None:
    """A number for JSON, which knows no infinity and no complex numbers."""
    if x is None:
        return None
    try:
        value: Any = np.asarray(x)[()]
        if isinstance(value, complex | np.complexfloating):
            return str(value)
        plain = float(value)
    except (TypeError, ValueError):
        return str(x)
    return plain if math.isfinite(plain) else None
