"""Rules for the equations between matrices in ``scipy.linalg``: Sylvester, Lyapunov, Riccati.

The solution of such an equation moves as the solution of its linear part does, so that the rules solve the transposed
linear part for the cotangent once, and multiply by what stands around each operand in the equation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from chainrule.ops import composite
from chainrule.rules.helpers import mt
from chainrule.rules.matrices import adjoint, conjugate
from chainrule.rules.scipy_calls import call, give_rules

__all__: list[str] = []


# ---- linear equations


def _sylvester_back(g: Any, out: Any, a: Any, b: Any, q: Any) -> Any:
    return call(scipy.linalg.solve_sylvester, mt(a), mt(b), g)


give_rules(
    scipy.linalg.solve_sylvester,
    a=lambda g, out, a, b, q: -_sylvester_back(g, out, a, b, q) @ mt(out),
    b=lambda g, out, a, b, q: -mt(out) @ _sylvester_back(g, out, a, b, q),
    q=_sylvester_back,
)


@composite(scipy.linalg.solve_continuous_lyapunov)
def _solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    return call(scipy.linalg.solve_sylvester, a, adjoint(a), q)


def _discrete_back(g: Any, a: Any, method: str | None) -> Any:
    return call(scipy.linalg.solve_discrete_lyapunov, mt(a), g, method=method)


def _discrete_lyapunov(g: Any, out: Any, a: Any, q: Any, method: str | None = None) -> Any:
    dq = _discrete_back(g, a, method)
    return dq @ conjugate(a) @ mt(out) + conjugate(mt(dq) @ a @ out)


give_rules(
    scipy.linalg.solve_discrete_lyapunov,
    a=_discrete_lyapunov,
    q=lambda g, out, a, q, method=None: _discrete_back(g, a, method),
)


# ---- Riccati equations


def _continuous(g: Any, x: Any, a: Any, b: Any, r: Any) -> tuple[Any, Any]:
    """The feedback matrix, and the cotangent of the equation's constant term."""
    feedback = np.linalg.solve(r, adjoint(b) @ x)
    closed = a - b @ feedback
    return feedback, -call(scipy.linalg.solve_sylvester, conjugate(closed), mt(closed), g)


def _continuous_a(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    _, dq = _continuous(g, out, a, b, r)
    return conjugate(out) @ (dq + adjoint(dq))


def _continuous_b(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    feedback, dq = _continuous(g, out, a, b, r)
    return -conjugate(out) @ (dq + adjoint(dq)) @ mt(feedback)


def _continuous_q(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    return _continuous(g, out, a, b, r)[1]


def _continuous_r(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    feedback, dq = _continuous(g, out, a, b, r)
    return conjugate(feedback) @ dq @ mt(feedback)


give_rules(scipy.linalg.solve_continuous_are, a=_continuous_a, b=_continuous_b, q=_continuous_q, r=_continuous_r)


def _discrete(g: Any, x: Any, a: Any, b: Any, r: Any) -> tuple[Any, Any, Any]:
    """The feedback matrix, the closed loop, and the cotangent of the equation's constant term."""
    feedback = np.linalg.solve(r + adjoint(b) @ x @ b, adjoint(b) @ x @ a)
    closed = a - b @ feedback
    return feedback, closed, call(scipy.linalg.solve_discrete_lyapunov, conjugate(closed), g)


def _discrete_a(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    _, closed, dq = _discrete(g, out, a, b, r)
    return conjugate(out @ closed) @ (dq + adjoint(dq))


def _discrete_b(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    feedback, closed, dq = _discrete(g, out, a, b, r)
    return -conjugate(out @ closed) @ (dq + adjoint(dq)) @ mt(feedback)


def _discrete_q(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    return _discrete(g, out, a, b, r)[2]


def _discrete_r(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any, balanced: bool = True) -> Any:
    feedback, _, dq = _discrete(g, out, a, b, r)
    return conjugate(feedback) @ dq @ mt(feedback)


give_rules(scipy.linalg.solve_discrete_are, a=_discrete_a, b=_discrete_b, q=_discrete_q, r=_discrete_r)
