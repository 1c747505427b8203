"""``chainrule.explain``: how gradients are found, step by step.

The package is the verb, too: ``cr.explain(f, *args)`` is :func:`chainrule.explain.explaining.explain`.  Python binds
the name of a package in the one around it whenever a module of it is imported, so nothing else could be called by this
name there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.verb import becomes_verb

if TYPE_CHECKING:
    from chainrule.explain.explaining import explain

__all__ = ["explain"]

becomes_verb(__name__, "chainrule.explain.explaining")
