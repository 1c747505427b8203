"""Formulas as text, LaTeX and MathML: one arrangement of a formula, three ways to print it."""

from __future__ import annotations

from chainrule.explain.notation.latex import latex
from chainrule.explain.notation.mathml import mathml
from chainrule.explain.notation.text import text

__all__ = ["latex", "mathml", "text"]
