"""Rules for what the stand-in does itself: indexing, writing at an index, casts, identity."""

from __future__ import annotations

import numpy as np

from chainrule.calls import identity
from chainrule.indexing import add_item, get_item, set_item
from chainrule.ops import elementwise, structural
from chainrule.writing import cast

__all__: list[str] = []

# The engine applies the rules of indexing itself, because it accumulates cotangents in place of making an array of
# zeros for each element that is read; these say the same on plain arrays.
structural(
    get_item,
    name="getitem",
    x=lambda g, out, x, *arrays, index: add_item(np.zeros_like(x), g, *arrays, index=index),
)
structural(
    set_item,
    name="setitem",
    x=lambda g, out, x, value, *arrays, index: set_item(g, 0.0, *arrays, index=index),
    value=lambda g, out, x, value, *arrays, index: g[index.key(arrays)],
)
structural(
    add_item,
    name="add.at",
    x=lambda g, out, x, value, *arrays, index: g,
    value=lambda g, out, x, value, *arrays, index: g[index.key(arrays)],
)
structural(cast, name="astype", lazy=True, x=lambda g, out, x, dtype, order="K": g)
elementwise(identity, lambda out, x: 1, name="identity")
