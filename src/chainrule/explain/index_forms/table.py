"""All index forms that there are."""

from __future__ import annotations

from chainrule.explain.index_forms import elementwise, indexing, joining, products, rearranging, reductions
from chainrule.explain.index_forms.reading import known_forms

__all__ = ["FAMILIES", "load"]

FAMILIES = (elementwise, reductions, products, rearranging, indexing, joining)


def load() -> frozenset[str]:
    """The names of the operations with an index form; importing this module has registered them."""
    return known_forms()
