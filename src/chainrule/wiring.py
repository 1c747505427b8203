"""Brings the tables of rules and the machinery that reads them together, at import.

Only the everyday families are loaded here; :func:`chainrule.dispatch.load_families` loads the others
when a function is met that has no rule yet.
"""

from __future__ import annotations

import numpy as np

from chainrule import handlers, python_math, ufuncs
from chainrule.dispatch import EVALUATORS
from chainrule.ops import OPERATIONS
from chainrule.rules import core, elementwise, joining, products, rearrange, reductions
from chainrule.rules.einsum import normalise_einsum
from chainrule.rules.ufunc_methods import FALLBACKS, UFUNC_METHODS

FAMILIES = (python_math, core, elementwise, joining, products, rearrange, reductions)

ufuncs.UFUNC_METHODS.update(UFUNC_METHODS)
ufuncs.UFUNC_FALLBACKS.update(FALLBACKS)
handlers.EINSUM["normalise"] = normalise_einsum
EVALUATORS[OPERATIONS[np.einsum]] = handlers.einsum
