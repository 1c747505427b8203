"""A report in the names that the reader's script has: ``params["W1"]``, where the checker says ``params_W1``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chainrule.check.report import Report
from chainrule.check.verdicts import Suspect
from chainrule.language import Message

__all__ = ["renamed"]


def renamed(report: Report, names: Mapping[str, str]) -> Report:
    """The same report, with other names.

    Args:
        report: the report.
        names: what the names in it are called instead.
    """
    if not names:
        return report
    pattern = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, names)) + r")(?!\w)")

    def said(x: Any) -> Any:
        if isinstance(x, str):
            return pattern.sub(lambda found: names[found[0]], x)
        if isinstance(x, Message):
            return replace(x, values={k: said(v) for k, v in x.values.items()})
        return tuple(said(v) for v in x) if isinstance(x, tuple) else x

    def suspect(s: Suspect) -> Suspect:
        return replace(
            s, explanation=said(s.explanation), fix=said(s.fix), gradients=said(s.gradients), proof=said(s.proof)
        )

    gradients = [replace(g, name=said(g.name), convention=said(g.convention)) for g in report.gradients.values()]
    return replace(
        report,
        gradients={g.name: g for g in gradients},
        suspects=tuple(map(suspect, report.suspects)),
        bound=said(report.bound),
        notes=said(report.notes),
        remarks=said(report.remarks),
    )
