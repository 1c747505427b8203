"""Gradients of plain NumPy functions: as numbers that are always right, and as code that can be read and pasted."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from chainrule import wiring as _wiring
from chainrule.api import hessian as hessian
from chainrule.api import hvp as hvp
from chainrule.api import jacobian as jacobian
from chainrule.api import jvp as jvp
from chainrule.api import vjp as vjp
from chainrule.custom import custom_vjp as custom_vjp
from chainrule.errors import ChainruleError as ChainruleError
from chainrule.errors import DependenceError as DependenceError
from chainrule.errors import LinkLostError as LinkLostError
from chainrule.errors import NanError as NanError
from chainrule.errors import NotDifferentiableError as NotDifferentiableError
from chainrule.errors import NotJudgedError as NotJudgedError
from chainrule.errors import ShapeError as ShapeError
from chainrule.errors import TreeError as TreeError
from chainrule.errors import UnusedInputWarning as UnusedInputWarning
from chainrule.errors import WrongGradientError as WrongGradientError
from chainrule.gradient import grad as grad
from chainrule.gradient import value_and_grad as value_and_grad
from chainrule.ir import Program as Program
from chainrule.trace import trace as trace

if _TYPE_CHECKING:
    from chainrule.check.checking import check as check
    from chainrule.check.selftesting import selftest as selftest
    from chainrule.explain.explaining import explain as explain
    from chainrule.explain.notebook import load_ipython_extension as load_ipython_extension
    from chainrule.explain.why import why as why
    from chainrule.source import Source as Source
    from chainrule.source import write as write

__version__ = "0.1.0"

del _wiring

# Loaded when they are first used: what gives numbers does not wait for what writes code.
_LATER = {
    "check": "",
    "explain": "",
    "load_ipython_extension": "explain.notebook",
    "selftest": "check.selftesting",
    "why": "explain.why",
    "write": "source",
    "Source": "source",
    "testing": "",
    "extend": "",
    "layers": "",
}


def __getattr__(name: str) -> object:
    """Load what is in ``_LATER``."""
    if name not in _LATER:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    if not _LATER[name]:
        return _import_module(f"chainrule.{name}")
    found = globals()[name] = getattr(_import_module(f"chainrule.{_LATER[name]}"), name)
    return found
