"""Brings the tables of rules and the machinery that reads them together, at import."""

from __future__ import annotations

import numpy as np

from chainrule import handlers, ufuncs
from chainrule.dispatch import EVALUATORS
from chainrule.ops import OPERATIONS
from chainrule.rules import (
    calculus,
    core,
    decompositions,
    elementwise,
    fft,
    joining,
    linalg,
    matrices,
    norms,
    padding,
    polynomials,
    products,
    quantiles,
    queries,
    rearrange,
    reductions,
    selection,
    spacing,
)
from chainrule.rules.einsum import normalise_einsum
from chainrule.rules.ufunc_methods import FALLBACKS, UFUNC_METHODS

FAMILIES = (
    calculus, core, decompositions, elementwise, fft, joining, linalg, matrices, norms, padding, polynomials, products,
    quantiles, queries, rearrange, reductions, selection, spacing,
)  # fmt: skip

ufuncs.UFUNC_METHODS.update(UFUNC_METHODS)
ufuncs.UFUNC_FALLBACKS.update(FALLBACKS)
handlers.EINSUM["normalise"] = normalise_einsum
EVALUATORS[OPERATIONS[np.einsum]] = handlers.einsum
