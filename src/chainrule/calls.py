"""One traced call: arguments become variables, the function runs, its results are taken apart."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from chainrule.containers import name_contents
from chainrule.differentiate import full, is_differentiable
from chainrule.dispatch import known
from chainrule.errors import NotDifferentiableError, TreeError
from chainrule.follow import call, followed
from chainrule.language import Message, message, plural
from chainrule.members import lists_in
from chainrule.ops import OPERATIONS
from chainrule.positions import adopt
from chainrule.protocol import apply
from chainrule.sizes import is_size
from chainrule.tape import Tape, record, sync
from chainrule.traced import Traced, primitive
from chainrule.trees import LEAF, Structure, flatten, paths, unflatten

__all__ = ["TracedCall", "argument_names", "detached", "identity", "normalise_argnums"]


def identity(x: Any) -> Any:
    """``x``: a variable of its own for an argument of an inner derivative, so that only paths through it count."""
    return x


alias = primitive(identity)


def normalise_argnums(argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Positions of arguments as non-negative numbers.

    Raises:
        TreeError: where the call has no such positional argument.
    """
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in wanted:
        if not -count <= n < count:
            raise TreeError(
                plural(
                    "argnums={argnums} was given, but the call has {count} positional argument. "
                    "Pass the arguments to differentiate by position.",
                    "argnums={argnums} was given, but the call has {count} positional arguments. "
                    "Pass the arguments to differentiate by position.",
                    count,
                    argnums=str(argnums),
                )
            )
    return tuple(n % count for n in wanted)


def argument_names(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """The parameter name of each positional argument: ``["params", "X", "T"]``."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [f"argument {k}" for k in range(len(args))]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "argument ")
    return names[: len(args)] + [f"{rest}{k}" for k in range(len(args) - len(names))]


class TracedCall:
    """A function traced at some arguments.

    Attributes:
        tape: where the steps were written.
        start: the number of steps that were on the tape before.
        wrt: per argument of ``argnums``, the variables of its leaves.
        outputs: the leaves of the result: stand-ins, or what else the function returned.
        structure: the structure of the result.
        aux: the second result, with ``has_aux``.
        held: the variables that the names of the function's own stood for when it ended, where the tape notes names.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int | str],
        tape: Tape,
        *,
        nested: bool = False,
        has_aux: bool = False,
        copy: bool = False,
    ) -> None:
        self.function = function
        self.tape = tape
        self.nested = nested
        self.copy = copy
        self.args = args
        self.kwargs = kwargs
        self.argnums = tuple(argnums)
        self.start = len(tape.steps)
        self.leaves: dict[int | str, list[Any]] = {}
        self.trees: dict[int | str, Structure] = {}
        self.variables: dict[int | str, list[int]] = {}
        code = getattr(function, "__code__", None)
        if code is not None:
            adopt(code.co_filename)
        called = [self._wrapped(n, argument) for n, argument in enumerate(args)]
        named = {k: self._wrapped(k, v) if k in argnums else self._wrapped_tree(v, False, k) for k, v in kwargs.items()}
        if not nested:
            self._mark_shared()
        if tape.loops is not None:
            for number, path, x in lists_in(argument_names(function, args, kwargs), called):
                tape.items[id(x)] = (number, path, x, len(x))
        try:
            # A function with a rule of its own (chainrule.extend) is one step; any other is traced.
            ruled = isinstance(function, Hashable) and known(function)
            result = call(function, *called, **named) if ruled else followed(function)(*called, **named)
        except RecursionError as error:
            deep = message("While tracing, each call takes two frames of Python's; sys.setrecursionlimit allows more.")
            error.add_note(str(deep))
            raise
        self.held = None if nested else self._held()
        self.aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TreeError(message("has_aux=True: the function must return a pair (output, extra results)."))
            result, self.aux = result
        self.outputs: list[Any]
        self.outputs, self.structure = ([result], LEAF) if type(result) is Traced else flatten(result)
        for x in self.outputs:
            if type(x) is Traced:
                sync(x)
        if tape.containers:
            name_contents(tape)
        if tape.refusals:
            raise tape.refusals[0]  # the user's code has caught it, and gone on as it would not have without
        tape.check_watched()
        self.wrt = [v for n in self.argnums for v in self.variables[n]]
        self.wrt_values = [x for n in self.argnums for x in self.leaves[n]]

    def _held(self) -> dict[str, int] | None:
        frame, self.tape.top = self.tape.top, None
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        if frame is None or code is None or frame.f_code.co_qualname != code.co_qualname:
            return None
        locals_ = {name: x for name, x in frame.f_locals.items() if type(x) is Traced and x.tape is self.tape}
        for x in locals_.values():
            sync(x)
        return {name: x.variable for name, x in locals_.items()}

    def _mark_shared(self) -> None:
        """Note the inputs that share memory with one another: writing into one would have to change the other."""
        tape = self.tape
        owners: dict[int, int] = {}
        for variable in tape.inputs:
            value = tape.values[variable]
            if type(value) is np.ndarray:
                owner = id(value if value.base is None else value.base)
                if owner in owners:
                    tape.shared.update((variable, owners[owner]))
                owners[owner] = variable

    def names(self) -> list[str]:
        """A readable name for each differentiated leaf: ``params[0][1]``."""
        own = argument_names(self.function, self.args, self.kwargs)
        return [own[n] + path for n in self.argnums if isinstance(n, int) for path in paths(self.args[n])]

    def _wrapped(self, position: int | str, argument: Any) -> Any:
        wrt = position in self.argnums
        if type(argument) is np.ndarray and argument.dtype.kind == "f" and not self.nested:
            # The everyday case, without the detour through trees.
            stand_in = self.tape.input(np.copy(argument) if self.copy else argument, active=wrt)
            if wrt:
                self.leaves[position] = [argument]
                self.trees[position] = LEAF
                self.variables[position] = [stand_in.variable]
            return stand_in
        leaves, structure = flatten(argument)
        if not wrt:
            return unflatten(structure, [self._leaf(x, False, "") for x in leaves])
        stand_ins = []
        plain = not self.nested
        for k, x in enumerate(leaves):
            if plain and type(x) is np.ndarray and x.dtype.kind == "f":
                stand_ins.append(self.tape.input(np.copy(x) if self.copy else x, active=True))
                continue
            self._check(x, position, argument, k)
            stand_ins.append(self._leaf(x, True, ""))
        self.leaves[position] = leaves
        self.trees[position] = structure
        self.variables[position] = [x.variable for x in stand_ins]
        return unflatten(structure, stand_ins)

    def _wrapped_tree(self, tree: Any, wrt: bool, name: str) -> Any:
        leaves, structure = flatten(tree)
        return unflatten(structure, [self._leaf(x, wrt, name) for x in leaves])

    def _leaf(self, x: Any, wrt: bool, name: str) -> Any:
        tape = self.tape
        if type(x) is Traced:
            if x.tape is not tape:
                if x.tape.closed:
                    return self._leaf(x.value, wrt, name)  # of a trace that has ended: a plain value now
                record(OPERATIONS[identity], (x, tape.input(0.0, active=False)), {})  # raises: two tapes meet
            return alias(x) if wrt else x
        if isinstance(x, np.ndarray):
            if type(x) is not np.ndarray or x.dtype.kind not in "fciub":
                if x.dtype.kind not in "fciub" and not wrt:
                    return x
                tape.constant(x) if x.dtype == object else None
                if isinstance(x, np.matrix | np.ma.MaskedArray):
                    raise NotDifferentiableError(
                        message(
                            "an argument is a {kind}, whose operators do not mean what an array's do. "
                            "Pass np.asarray(m).",
                            kind=type(x).__name__,
                        )
                    )
            if self.nested:
                stand_in = Traced(tape, tape.constant(x), x, False)
                return alias(stand_in) if wrt else stand_in
            return tape.input(np.copy(x) if self.copy else x, active=wrt and x.dtype.kind in "fc")
        if is_size(x):
            return x
        if isinstance(x, float | complex | np.inexact) and not isinstance(x, bool):
            if self.nested:
                return record(OPERATIONS[identity], (x,), {}) if wrt else x
            return tape.input(x, active=wrt)
        return x

    def _check(self, x: Any, position: int | str, argument: Any, leaf: int) -> None:
        if is_differentiable(x) or (type(x) is Traced and is_differentiable(x.value)):
            return
        own = argument_names(self.function, self.args, self.kwargs)
        name = (position if isinstance(position, str) else own[position]) + paths(argument)[leaf]
        if isinstance(x, bool | int | np.integer | np.bool) or (
            isinstance(x, np.ndarray | Traced) and x.dtype.kind in "iub"
        ):
            kind = x.dtype if hasattr(x, "dtype") else type(x).__name__
            single = np.ndim(x) == 0 and type(x) is not Traced
            raise NotDifferentiableError(
                message(
                    "{name} is of type {kind}, and a derivative with respect to integers is not defined. "
                    "Instead: pass floats, {example}; or leave it out of argnums.",
                    name=name,
                    kind=str(kind),
                    example=repr(float(x)) if single else "x.astype(float)",
                )
            )
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise NotDifferentiableError(
            message(
                "{name} is of type {kind}, which has no derivative. Instead: pass arrays or floats, or leave it out of "
                "argnums.",
                name=name,
                kind=str(kind),
            )
        )

    def loss(self) -> Any:
        """The result, which must be one real number.

        Raises:
            NotDifferentiableError: where it is not, saying what it is and what to write instead.
        """
        name = getattr(self.function, "__name__", message("the function"))
        if len(self.outputs) != 1 or not self.structure.is_leaf():
            raise NotDifferentiableError(self._no_number(name))
        (x,) = self.outputs
        value = x.value if type(x) is Traced else x
        dtype = getattr(value, "dtype", None)
        kind = dtype.kind if dtype is not None else ""
        if np.shape(value) != ():
            one = message("take its only element (loss[0], .sum())")
            hint = one if np.size(value) == 1 else message("sum it (.sum() or .mean())")
            raise NotDifferentiableError(
                message(
                    "{name} returned an array of shape {shape}, but grad needs one number. "
                    "Instead: {hint}, or use vjp or jacobian for the derivative of an array.",
                    name=name,
                    shape=str(np.shape(value)),
                    hint=hint,
                )
            )
        if isinstance(value, complex | np.complexfloating) or kind == "c":
            raise NotDifferentiableError(
                message(
                    "{name} returned a complex number, which has no gradient. Instead: return a real "
                    "number such as np.abs(z) ** 2 or z.real, or use vjp.",
                    name=name,
                )
            )
        if not isinstance(value, float | np.floating) and kind != "f":
            kind_name = dtype if dtype is not None else type(value).__name__
            raise NotDifferentiableError(
                message(
                    "{name} returned a value of type {kind}, which does not change smoothly. Instead: "
                    "return the floating loss itself (a comparison, argmax or count has no derivative).",
                    name=name,
                    kind=str(kind_name),
                )
            )
        return x

    def _no_number(self, name: Message | str) -> Message:
        """Why a result that is several arrays, or none, has no gradient."""
        if self.structure.type in (None, type(None)):
            return message(
                "{name} returned nothing, but grad needs one number. "
                "Instead: return the loss alone, or (loss, extra) with has_aux=True, or use vjp or jacobian.",
                name=name,
            )
        kind = self.structure.type.__name__
        if not self.outputs:
            return message(
                "{name} returned {kind}, but grad needs one number. "
                "Instead: return the loss alone, or (loss, extra) with has_aux=True, or use vjp or jacobian.",
                name=name,
                kind=kind,
            )
        return plural(
            "{name} returned {kind} of {count} array, but grad needs one number. "
            "Instead: return the loss alone, or (loss, extra) with has_aux=True, or use vjp or jacobian.",
            "{name} returned {kind} of {count} arrays, but grad needs one number. "
            "Instead: return the loss alone, or (loss, extra) with has_aux=True, or use vjp or jacobian.",
            len(self.outputs),
            name=name,
            kind=kind,
        )

    def gathered(self, cotangents: Sequence[Any]) -> tuple[Any, ...]:
        """Per differentiated argument, its tree of cotangents."""
        if len(cotangents) == len(self.argnums) and all(self.trees[n] is LEAF for n in self.argnums):
            return tuple(cotangents)
        remaining = iter(cotangents)
        return tuple(unflatten(self.trees[n], [next(remaining) for _ in self.variables[n]]) for n in self.argnums)


def detached(g: Any, value: Any, fresh: bool) -> Any:
    """A concrete cotangent in the shape and dtype of ``value``, in memory of its own.

    ``None`` stands for an output that does not depend on it, and gives zeros.
    """
    own = fresh and type(g) is np.ndarray and type(value) is np.ndarray and g.base is None
    if own and g.shape == value.shape and g.dtype == value.dtype:
        return g
    shape = np.shape(value)
    if not isinstance(value, np.ndarray):
        dtype = np.dtype(type(value)) if not isinstance(value, np.generic) else value.dtype
        return dtype.type(0 if g is None else np.real(g) if dtype.kind == "f" else g)
    if g is None:
        return np.zeros(shape, value.dtype)
    if not isinstance(g, np.ndarray) or g.shape != shape:
        return np.full(shape, g, value.dtype) if np.ndim(g) == 0 else np.array(np.broadcast_to(g, shape), value.dtype)
    return np.array(g, dtype=value.dtype)


def followed_zero(tape: Tape, g: Any, value: Any) -> Any:
    """As :func:`detached`, for a cotangent that stays on the tape."""
    if g is None:
        zero = np.zeros(np.shape(value), np.asarray(value).dtype)
        return Traced(tape, tape.constant(zero), zero if isinstance(value, np.ndarray) else zero[()], False)
    held = full(tape, g, value)
    return apply(np.copy, held) if held.link is not None else held
