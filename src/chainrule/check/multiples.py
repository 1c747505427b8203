"""A sum whose terms lack a factor each: what they are multiplied by is solved for, and found among the factors."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.check.changing import Change, Scene, Values, change_to, factors
from chainrule.check.evaluating import NoValueError, evaluated
from chainrule.check.matching import is_close

__all__ = ["gives", "multiples_of_terms"]


def gives(node: ast.expr, values: Sequence[Values], right: Sequence[Any]) -> bool:
    """Whether an expression is what it should be on every draw."""
    try:
        return all(is_close(evaluated(node, v), r) for v, r in zip(values, right, strict=True))
    except NoValueError:
        return False


def multiples_of_terms(whole: ast.expr, scene: Scene, right: Sequence[Any]) -> Iterator[Change]:
    """The sum with those factors, where it has few terms."""
    terms = _terms(whole)
    if not 2 <= len(terms) <= 4:
        return
    solved = []
    for values, wanted in zip(scene.values, right, strict=True):
        try:
            parts = [np.broadcast_to(np.asarray(evaluated(t, values), float), np.shape(wanted)) for t, _ in terms]
        except (NoValueError, ValueError, TypeError):
            return
        rows = np.stack([p.ravel() for p in parts], axis=1)
        if rows.shape[0] <= len(terms):
            return
        solution, *_ = np.linalg.lstsq(rows, np.ravel(wanted), rcond=None)
        if not is_close(rows @ solution, np.ravel(wanted)):
            return
        solved.append(solution)
    new: list[tuple[ast.expr, bool]] = []
    word = ""
    for k, (term, plus) in enumerate(terms):
        own = [float(s[k]) * (1 if plus else -1) for s in solved]
        if all(abs(c - 1) < 1e-7 for c in own):
            new.append((term, plus))
            continue
        negative = all(c < 0 for c in own)
        sizes = [abs(c) for c in own]
        factor = None if all(abs(c - 1) < 1e-7 for c in sizes) else _factor_of(sizes, scene)
        if factor is None and not all(abs(c - 1) < 1e-7 for c in sizes):
            return
        word = word or (factor[2] if factor is not None else "sign_flipped_term")
        if factor is not None:
            term = ast.BinOp(term, ast.Div() if factor[1] else ast.Mult(), factor[0])
        new.append((term, plus != negative))
    total: ast.expr = new[0][0] if new[0][1] else ast.UnaryOp(ast.USub(), new[0][0])
    for term, plus in new[1:]:
        total = ast.BinOp(total, ast.Add() if plus else ast.Sub(), term)
    if word and gives(total, scene.values, right):
        yield change_to(total, word, 0.6)


def _factor_of(sizes: Sequence[float], scene: Scene) -> tuple[ast.expr, bool, str] | None:
    for node, below, _, word in factors(scene):
        try:
            values = [evaluated(node, v) for v in scene.values]
        except NoValueError:
            continue
        if all(np.ndim(v) == 0 for v in values) and all(
            v and abs((1 / v if below else v) - c) < 1e-7 * c for v, c in zip(values, sizes, strict=True)
        ):
            return node, below, word
    return None


def _terms(node: ast.expr, plus: bool = True) -> list[tuple[ast.expr, bool]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        right = plus if isinstance(node.op, ast.Add) else not plus
        return [*_terms(node.left, plus), *_terms(node.right, right)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _terms(node.operand, not plus)
    return [(node, plus)]
