"""``chainrule.check``: the verdict on a backward pass that was written by hand.

The package is the verb, too: ``cr.check(candidate, forward, args)`` is :func:`chainrule.check.checking.check`.  Python
binds the name of a package in the one around it whenever a module of it is imported, so nothing else could be called by
this name there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.verb import becomes_verb

if TYPE_CHECKING:
    from chainrule.check.checking import check

__all__ = ["check"]

becomes_verb(__name__, "chainrule.check.checking")
