"""Written functions run beside the function that they were written from, and beside its exact derivatives."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.api import hvp, jvp, vjp
from chainrule.calls import TracedCall
from chainrule.emit.material import Material
from chainrule.emit.text import formatted_path
from chainrule.facts import holds_for, made_with
from chainrule.follow import call
from chainrule.linear import is_floating
from chainrule.members import Members
from chainrule.tape import Tape
from chainrule.trees import flatten, paths, unflatten

__all__ = ["agrees", "as_pasted", "like_scaled", "turns_asked"]

_REFUSED = "written for "  # how the messages begin with which written code refuses what it does not hold for

_HUGE = 1e9
# How arguments differ hardly, those of float32 and others: by more than is rounded off, and by so little that only what
# rounding decides differs by as much as numbers may.
_NEAR = {True: 1 + 2.0**-20, False: 1 + 2.0**-40}
_COUNTED = re.compile(r"\[\d+\]")  # the places in lists


class _UndeterminedError(Exception):
    """It cannot be told whether the written function is right."""


def agrees(
    material: Material,
    function: Callable[..., Any],
    positional: Sequence[Any],
    named: Mapping[str, Any],
    what: str = "backward",
    *,
    moving: Collection[int] = (),
    runs: bool = True,
) -> bool | None:
    """Whether a written function is right for these arguments; ``None`` where that cannot be told.

    It cannot where the user's own function does not run or gives something else at each call, where the written one
    refuses the arguments, and where rounding decides: numbers are so large that their differences say nothing, or, with
    linear algebra, the exact ones are others for arguments that hardly differ, as near singular matrices.

    Args:
        material: what was written.
        function: what was written, executed.
        positional: the arguments.
        named: the keyword arguments.
        what: what was written: ``"backward"``, ``"forward"``, ``"jvp"`` or ``"hvp"``.
        moving: for the last two, the positions of the arguments whose tangents or vectors it is given.
        runs: whether it must run, and is not right where it raises.
    """
    positional, named = _with_facts(material, positional, named)
    state = np.random.get_state()
    try:
        with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            if not holds_for(material.function, material.assume, positional, named):
                return None
            pairs, known = [], True
            try:
                for pair in _pairs(material, function, positional, named, what, moving):
                    pairs.append(pair)
            except _UndeterminedError:
                known = False  # the value may be, where the derivative is not
            if any(_is_huge(exact) for _, exact in pairs):
                return None
            if all(_equal(written, exact) for written, exact in pairs):
                return True if known else None
            if not any("linalg" in step.operation.name for step in material.program.steps):
                return False
            factor = _NEAR[any(map(_is_short, flatten([*positional, *named.values()])[0]))]
            near = [like_scaled(x, factor) for x in positional]
            near_named = {n: like_scaled(x, factor) for n, x in named.items()}
            others = list(_pairs(material, function, near, near_named, what, moving))
    except _UndeterminedError:
        return None
    except Exception as error:
        return None if not runs or str(error).startswith(_REFUSED) else False
    finally:
        np.random.set_state(state)
    # Near these arguments a derivative may be known that is not known for them.
    both = zip(others, pairs, strict=known)
    return False if all(_equal(other, exact) for (_, other), (_, exact) in both) else None


def _with_facts(material: Material, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Arguments near these that have the facts that are assumed; further items of a list as those that it had."""
    facts: dict[str, frozenset[str]] = {}
    for leaf in material.leaves if material.assume else ():
        own = material.program.facts.get(leaf.variable.number, frozenset())
        for source in (leaf.source, _COUNTED.sub("[]", leaf.source)):
            facts[source] = facts.get(source, own) & own
    if not any(facts.values()):
        return args, kwargs

    def made(name: str, tree: Any) -> Any:
        leaves, structure = flatten(tree)
        sources = [name + formatted_path(path) for path in paths(tree)]
        known = [facts.get(x, facts.get(_COUNTED.sub("[]", x), frozenset())) for x in sources]
        return unflatten(structure, [made_with(own, x) if own else x for own, x in zip(known, leaves, strict=True)])

    return [made(n, x) for n, x in zip(material.parameters, args, strict=False)], {
        n: made(n, x) for n, x in kwargs.items()
    }


def _pairs(
    material: Material,
    function: Callable[..., Any],
    positional: Sequence[Any],
    named: Mapping[str, Any],
    what: str,
    moving: Collection[int],
) -> Iterator[tuple[Any, Any]]:
    """What was computed, with what is exact."""
    args, kwargs = _copied(positional), _copied(named)
    # Those that the written function takes by name only, as the cotangent stands behind the others.
    late = dict(p for p in zip(material.parameters, args, strict=False) if p[0] in material.optional)
    own = [x for name, x in zip(material.parameters, args, strict=False) if name not in late]
    late.update(kwargs)

    # The arrays that an object holds are differentiated one by one.
    owner = args[0] if args and type(args[0]) is Members else None
    held, form = flatten(owner)
    arguments = args if owner is None else [held, *args[1:]]

    def users(*xs: Any) -> Any:
        # The user's function is called from here, which is no code of the user's that is followed by itself.
        own = xs if owner is None else (unflatten(form, xs[0]), *xs[1:])
        return call(material.function, *own, **kwargs)

    with _known():
        result = material.function(*_copied(positional), **_copied(named))
        plain = flatten(result)[0]
        again = flatten(material.function(*_copied(positional), **_copied(named)))[0]
        if not _same(plain, again):
            raise _UndeterminedError
    if what == "forward":
        yield function(*own, **late), plain
        return
    if what in ("jvp", "hvp"):
        with _known():
            if owner is not None:
                raise _UndeterminedError
            tangents = [_like(x, k in moving) for k, x in enumerate(args)]
            pushed = (jvp if what == "jvp" else hvp)(users, tuple(args), tuple(tangents))
        found = function(*own, *(x for k, x in enumerate(tangents) if k in moving), **late)
        if what == "jvp":
            yield found[0], plain
            yield found[1], pushed[1]
        else:
            yield from _by_name(material, args, found, pushed, 1.0)
        return
    leaves, structure = flatten(result)
    given = [np.ones_like(x) * np.cos(1 + np.arange(np.size(x))).reshape(np.shape(x)) for x in leaves]
    scalar = len(leaves) == 1 and not np.shape(leaves[0])
    cotangent = [] if scalar else [given[0] if len(given) == 1 else tuple(given)]
    value, found = function(*_copied(own), *cotangent, **_copied(late))
    yield value, plain
    with _known():
        output, pullback = vjp(users, *arguments)
        gradients = pullback(unflatten(structure, given) if given else output)
    scale = given[0] if scalar else 1.0
    yield from _by_name(material, args, found, gradients, scale)


def _by_name(
    material: Material, args: Sequence[Any], found: Mapping[str, Any], exact: Sequence[Any], scale: float
) -> Iterator[tuple[Any, Any]]:
    """What was written for each argument, or for each of the arrays in it, with what is exact."""
    by_name = dict(zip(material.parameters, exact, strict=False))
    own_names = {leaf.source: leaf.name for leaf in material.leaves}
    for name, argument, value in zip(material.parameters, args, exact, strict=False):
        if name not in found:  # the arrays in it, one by one
            sources = [name + formatted_path(path) for path in paths(argument)]
            by_name.update((own_names.get(x, x), g) for x, g in zip(sources, flatten(value)[0], strict=False))
    for name, value in by_name.items():
        if name in found:
            yield [x * scale for x in flatten(found[name])[0]], value


@contextlib.contextmanager
def _known() -> Iterator[None]:
    """What fails here says nothing of the written function."""
    try:
        yield
    except Exception:
        raise _UndeterminedError from None


def _copied(x: Any) -> Any:
    leaves, structure = flatten(x)
    return unflatten(structure, [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves])


def _like(x: Any, moves: bool) -> Any:
    """Some direction, as large as an argument; none where the argument does not move."""
    leaves, structure = flatten(x)
    some = [np.sin(1 + 2 * k + np.arange(np.size(x))).reshape(np.shape(x)) for k, x in enumerate(leaves)]
    return unflatten(structure, [np.asarray(own * moves, np.asarray(x).dtype)[()] if is_floating(x) else x
                                 for own, x in zip(some, leaves, strict=True)])  # fmt: skip


def like_scaled(x: Any, factor: float) -> Any:
    """An argument with its floats multiplied by a number."""
    leaves, structure = flatten(x)
    return unflatten(structure, [type(leaf)(leaf * factor) if isinstance(leaf, float) else
                                 (leaf * factor).astype(leaf.dtype) if is_floating(leaf) else leaf
                                 for leaf in leaves])  # fmt: skip


def turns_asked(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str, int]] | None:
    """How often each "while" is run for these arguments; "None" where the function fails."""
    try:
        with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()), Tape(names=True, loops=True) as tape:
            TracedCall(function, args, dict(kwargs), (), tape)
    except Exception:
        return None
    return [(record.part.args[1], len(record.starts)) for record in tape.loops or () if record.part.kind == "while"]


def _same(left: Sequence[Any], right: Sequence[Any]) -> bool:
    return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))


def _is_huge(exact: Any) -> bool:
    arrays = [np.asarray(x) for x in flatten(exact)[0]]
    return any(x.dtype.kind in "fc" and bool(np.any(np.abs(x) > _HUGE)) for x in arrays)


def _is_short(x: Any) -> bool:
    """Whether a number or array is of float32, or shorter."""
    dtype = getattr(x, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "fc" and bool(np.finfo(dtype).eps > 1e-10)


def _equal(written: Any, exact: Any) -> bool:
    own, other = flatten(written)[0], flatten(exact)[0]
    if len(own) != len(other):
        return False
    for a, b in zip(own, other, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind not in "fciub" or b.dtype.kind not in "fciub":
            continue
        if a.shape != b.shape:
            return False
        known = np.isfinite(b)
        size = float(np.max(np.abs(b), where=known, initial=0.0))
        near = 1e-2 * size + 1e-4 if _is_short(a) or _is_short(b) else 1e-4 * size + 1e-9
        if known.all() and not np.all(np.abs(a - b if b.dtype.kind != "b" else a != b) <= near):
            return False
    return True


def as_pasted(
    function: Callable[..., Any], lines: str, targets: Mapping[str, str], cotangents: Sequence[str]
) -> Callable[..., Any]:
    """Lines to paste as a function like those that are written: they run where the user's own function returns.

    Args:
        function: the user's own.
        lines: the lines.
        targets: by gradient, the variable that holds it behind the lines.
        cotangents: what the lines call the gradients with respect to the results.
    """
    code = inspect.unwrap(function).__code__
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    def run(*args: Any, **kwargs: Any) -> Any:
        own = args[: len(args) - bool(cotangents)]
        given = args[-1] if len(cotangents) > 1 else args[len(own) :]
        bound = dict(zip(parameters, _copied(own), strict=False))
        names: dict[str, Any] = {}

        def left(frame: Any, event: str, _: Any) -> None:
            if event == "return" and frame.f_code is code:
                names.update(frame.f_locals)  # of a function that calls itself, the outermost call is the last

        before = sys.getprofile()
        sys.setprofile(left)
        try:
            value = function(*own, **kwargs)
        finally:
            sys.setprofile(before)
        names = {**inspect.unwrap(function).__globals__, "np": np, **names}
        names.update({f"{name}_given": x for name, x in bound.items()}, **dict(zip(cotangents, given, strict=True)))
        exec(lines, names)
        return value, {name: names[variable] for name, variable in targets.items()}

    return run
