"""``write``: the backward pass of a function as source that a person would write."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from chainrule.asked import (
    by_position,
    chosen_inputs,
    defaults_of,
    positions_of,
    whole_numbers_of,
    with_defaults,
)
from chainrule.backward import backward_of, select_output
from chainrule.calls import TracedCall, argument_names
from chainrule.derivatives import hessian_products_of, tangents_of
from chainrule.emit.derivative_source import (
    hessian_source,
    moving_leaves,
    pushed_gradient_source,
    tangent_source,
)
from chainrule.emit.material import Material, material_of
from chainrule.emit.numpy_source import (
    Pasted,
    forward_source,
    pasted,
)
from chainrule.emit.remarks import turns_written_out
from chainrule.errors import ChainruleError
from chainrule.facts import named_facts, suppose
from chainrule.index_lists import as_arrays
from chainrule.ir import Program
from chainrule.language import message
from chainrule.linear import floating_arguments
from chainrule.loop_recurrences import loops_finished
from chainrule.loop_tangents import fused
from chainrule.loops import loop_in
from chainrule.members import Members
from chainrule.methods import as_function
from chainrule.one_row import unsettled
from chainrule.other_lengths import fixed_lengths
from chainrule.reroll import rolled
from chainrule.simplify.rewriting import quickly, simplify
from chainrule.sizes import named_number
from chainrule.styles import Style, What, check_options, styled
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.trying import agrees, as_pasted, like_scaled, turns_asked
from chainrule.verify import MalformedError
from chainrule.written import Source

__all__ = ["Draft", "Source", "write"]

_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, MalformedError)  # then a plainer form is
_MOST_TRIED = 5000  # steps of what is run beside the function
_STACKED = {"list": "stack", "trail": "whole"}  # no loop is found where a list is read by a counter


def write(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | str | Sequence[int | str] | None = None,
    of: int | str | None = None,
    style: Style = "function",
    prefix: str = "d",
    what: What = "backward",
    assume: Mapping[str, str | Sequence[str]] | None = None,
    **kwargs: Any,
) -> Source:
    """The backward pass of ``f`` as NumPy source.

    Args:
        f: a function of arrays, numbers and trees of them; for a method of an object of yours, the arrays that it reads
            from the object's attributes are arguments too.
        args: its arguments, with concrete values; what is written runs for other sizes, of the same ranks, and for
            other whole numbers where they are lengths, counts or steps; it raises ``ValueError`` for most of what it
            does not hold for, and what it holds for is said above it.
        wrt: what to differentiate: names or positions of arguments, or names that arrays in a tree are unpacked to;
            all floating arrays if not given.
        of: what is differentiated: an index or key of the result of ``f``, or the name of one of its variables; the
            whole result if not given.
        style: ``"function"``: forward and backward, returns ``(output, {name: gradient})``; ``"lines"``: the backward
            lines alone, for under the forward lines; ``"pullback"``: a function of the inputs and ``grad_output`` that
            returns the gradients; ``"layer"``: a class with ``forward`` and ``backward``.
        prefix: what stands in front of a name in the name of its gradient: ``"d"``, ``"D"`` or ``"grad_"``.
        what: ``"backward"``; ``"forward"`` for the function itself, statement for statement; ``"jvp"`` for a function
            of the arguments and their tangents (``X, W, dX, dW``) that returns ``(output, tangent)``; ``"hvp"`` for a
            function of the arguments and a vector for each (``x, v_x``) that returns the products with the Hessian by
            name.
        assume: facts that make it shorter, by the name of an argument or of a variable of ``f``, several in a tuple:
            ``"symmetric"`` (with its last two axes exchanged it is the same), ``"one_hot"`` (one 1 and zeros along the
            last axis), ``"distribution"`` (the last axis adds to 1), ``"joint_distribution"`` (all elements do),
            ``"binary"`` (0 or 1), ``"nonzero"`` and ``"no_ties"`` (where a maximum or minimum is taken in it, or of
            what is computed from it, one element has it).  The example must have them, and the source says so.
            Gradients are not restricted to changes that keep them.
        kwargs: keyword arguments of ``f``.

    Returns:
        A :class:`Source`: ``str`` is the text, ``.function`` runs it, ``.save(path)`` keeps it.

    Raises:
        ChainruleError: where something cannot be followed or written.
    """
    check_options(style, prefix, what)
    return Draft(f, args, kwargs, wrt=wrt, of=of, what=what, defaults=True, assume=assume).source(style, prefix)


class Draft:
    """A function traced, differentiated and simplified, to be written in any style.

    Args:
        f: the function.
        args: its arguments.
        kwargs: its keyword arguments.
        wrt: what to differentiate, as for :func:`write`.
        of: which output, as for :func:`write`.
        what: what is to be written, as for :func:`write`.
        shorten: whether the backward pass is simplified.
        defaults: whether it is for a reader: with names of numbers that the function has by default, sums in place.
        assume: facts about arrays, as for :func:`write`.

    Attributes:
        record: the backward pass as the rules wrote it.
        backward: the same in the form that is written.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        wrt: int | str | Sequence[int | str] | None = None,
        of: int | str | None = None,
        what: What = "backward",
        shorten: bool = True,
        defaults: bool = False,
        assume: Mapping[str, str | Sequence[str]] | None = None,
    ) -> None:
        self.what, self.defaults, self.of_a_part = what, defaults, of is not None
        self.assume = named_facts(assume)
        f, args = as_function(f, args, kwargs)
        args, kwargs = by_position(f, args, kwargs)
        names = argument_names(f, args, {})
        for listed in (as_arrays(f, {**dict(zip(names, args, strict=True)), **kwargs}), {}):
            self.listed = tuple(listed)
            given = tuple(listed.get(n, x) for n, x in zip(names, args, strict=True))
            try:
                self._settle(f, given, {n: listed.get(n, x) for n, x in kwargs.items()}, wrt, of, shorten, defaults)
            except ChainruleError:
                if not listed:
                    raise
                continue
            # What is looked up in a list of the user's is decided by the numbers: then they hold for themselves alone.
            if not listed or not any(type(g.value) is int and not g.lengths for g in self.material.program.guards):
                break

    def _settle(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        wrt: int | str | Sequence[int | str] | None,
        of: int | str | None,
        shorten: bool,
        defaults: bool,
    ) -> None:
        """Draw it up with the names of numbers for which it is right."""
        whole = whole_numbers_of(f, args, kwargs)
        args = tuple(
            named_number(x, n) if n in whole else x for n, x in zip(argument_names(f, args, {}), args, strict=True)
        )
        self.rolling = True
        self._written: tuple[Material, Source] | None = None
        named: Mapping[str, float] = {}
        if defaults and of is None and self.what in ("backward", "forward"):
            named = defaults_of(f, args, kwargs, wrt, whole)
        while True:
            self.left_out = frozenset(named)
            self._drawn_up(f, *with_defaults(f, args, kwargs, named), wrt, of, shorten)
            lost = self._lost(args, kwargs, named)
            if not lost:
                break
            if args and type(args[0]) is Members:
                args = (args[0].without_names(lost), *args[1:])
            named = {name: value for name, value in named.items() if name not in lost}
        self.call = args, kwargs

    def _drawn_up(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        wrt: int | str | Sequence[int | str] | None,
        of: int | str | None,
        shorten: bool,
    ) -> None:
        """Draw it up, and try it; where it is wrong, with the loops written out, and as the rules give it."""
        self.own = f
        ways = [(True, shorten, True), (True, shorten, False), (False, shorten, False), (False, False, False)]
        for rolling, short, in_place in ways if self.defaults and self.what == "backward" else ways[1:]:
            self.rolling, self.in_place = rolling, in_place
            self.gradient = self._looped_gradient(f, args, kwargs, wrt) if rolling and self.what == "hvp" else None
            try:
                self._draw_up(f, args, kwargs, wrt, of, short)
            except _FAILURES:
                if rolling or short:
                    continue
                raise
            if of is not None or (self._holds(args, kwargs) and self._holds_for_other_values(args, kwargs)):
                self._note_lengths(args, kwargs, of)
                return
        raise ChainruleError(
            message(
                "what was written for {name} does not give what the function itself gives, so it is "
                "not shown. Instead: cr.grad, cr.vjp and cr.jvp give the numbers; or write a part of "
                "the function on its own.",
                name=self.material.name,
            )
        )

    def _looped_gradient(
        self, f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], wrt: Any
    ) -> tuple[Callable[..., Any], str] | None:
        """A function with loops that gives value and gradients, and the name of the user's; ``None`` without loops."""
        with Tape(names=True, loops=True) as tape:
            TracedCall(f, args, dict(kwargs), (), tape)
        if self.assume or not tape.loops:
            return None  # facts are about the variables of this function
        draft = Draft(f, args, kwargs, wrt=wrt)
        loops = [loop for step in draft.backward.program.steps if (loop := loop_in(step)) is not None]
        if not loops or draft.material.program.guards or any(loop.decided or loop.decisions() for loop in loops):
            return None  # what decides is said by the user's lines, not by those of another function
        draft.material = replace(draft.material, fixed=())  # its lengths are tried, too, and said once
        for loop in loops:
            if not any(slot.kind == "item" for slot in loop.slots):  # loops over lists keep theirs
                loop.outs = [replace(out, kind=_STACKED.get(out.kind, out.kind)) for out in loop.outs]
        return draft.source().function, draft.material.name

    def _holds(self, args: Sequence[Any], kwargs: Mapping[str, Any], *, runs: bool = True) -> bool:
        """Whether what is written is right for these arguments, as far as that can be told; and whether it runs."""
        if len(self.material.program.steps) > _MOST_TRIED:
            return True
        try:
            written = self.source().function
        except ChainruleError:
            return True  # it is said when it is to be written
        except _FAILURES:
            return False
        moving: set[int] = set()
        if self.what in ("jvp", "hvp"):
            moving = {leaf.argument for leaf in moving_leaves(self.material, self.backward)}
        material = replace(self.material, function=self.own)
        return agrees(material, written, args, kwargs, self.what, moving=moving, runs=runs) is not False

    def _holds_for_other_values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether loops that values end are right where they end sooner or later; where none does so, they are not."""
        loops = [loop for s in self.material.program.steps if (loop := loop_in(s)) is not None]
        if all(loop.header.condition is None for loop in loops):
            return True
        own, other = turns_asked(self.material.function, args, kwargs), False
        for factor in (0.5, 0.8, 1.25):
            scaled = [like_scaled(x, factor) for x in args]
            turns = turns_asked(self.material.function, scaled, kwargs)
            if turns is None or turns == own:
                continue
            other = True
            if not self._holds(scaled, kwargs, runs=False):
                return False
        return other

    def _draw_up(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        wrt: int | str | Sequence[int | str] | None,
        of: int | str | None,
        shorten: bool,
    ) -> None:
        what, supposing = self.what, partial(suppose, assume=self.assume)
        if what == "forward":
            with Tape(names=True, loops=True) as tape:
                call = TracedCall(f, args, dict(kwargs), (), tape)
                if of is not None:
                    select_output(call, of)
                if self.rolling:
                    rolled(call)
                supposing(call)
            self.material = self._material(f, args, kwargs, program_of(call), call.structure)
            return
        if of is not None and what != "backward":
            raise ChainruleError(
                message(
                    "of= chooses what is differentiated, and what={what} is written for the whole "
                    "result. Instead: write it for a function that returns that alone.",
                    what=repr(what),
                )
            )
        wanted = None if wrt is None else [wrt] if isinstance(wrt, int | str) else list(wrt)
        positions = positions_of(f, args, kwargs, wanted)
        if what == "backward":
            record = backward_of(f, args, positions, kwargs, of, rolled if self.rolling else None, supposing)
        else:
            given = positions if positions is not None else floating_arguments(args, kwargs)
            if what == "jvp":
                record = tangents_of(f, args, given, kwargs, rolled if self.rolling else None, supposing)
            elif self.gradient is not None:
                f = self.gradient[0]
                try:
                    record = tangents_of(f, args, given, kwargs, _rolled_gradients, prefix="v_")
                except ChainruleError as error:
                    # It stacks what may be of several lengths; the function's own steps can be followed.
                    raise MalformedError(str(error)) from error
            else:
                record = hessian_products_of(f, args, given, kwargs, supposing)
        self.record = record
        with quickly() if what == "hvp" else contextlib.nullcontext():  # of second derivatives there is no short form
            simplified = simplify(record) if shorten else record
        pushing = what == "jvp" or self.gradient is not None
        self.backward = fused(simplified) if pushing else loops_finished(simplified, self.in_place)
        if self.gradient is not None and turns_written_out(self.backward.program.steps):
            raise MalformedError("loops of the gradients are written out")  # those of the function's own say more
        self.material = self._material(f, args, kwargs, self.backward.program, self.backward.structure)
        self.chosen = list(self.backward.wrt)
        if what == "backward":
            self.chosen = chosen_inputs(self.material, self.backward, wanted, len(args))
            if of is None:
                said, rows = unsettled(self.material, self.backward, args, kwargs, lambda: self.source().function)
                if said or rows:
                    self.material = replace(self.material, remark=said, fixed=tuple(rows))

    def _material(
        self, f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], program: Program, structure: Any
    ) -> Material:
        material = material_of(f, args, program, kwargs, structure, self.left_out)
        return replace(material, listed=self.listed, assume=self.assume if self.what != "forward" else {})

    def _lost(self, args: Sequence[Any], kwargs: Mapping[str, Any], named: Mapping[str, float]) -> set[str]:
        """The defaults that what is written has the values of, and not only the names: an exponent that is 2."""
        lost: set[str] = set()
        floats = {name: value for name, value in named.items() if type(value) is float}
        owner = args[0] if args and type(args[0]) is Members else None
        attributes = {} if owner is None else {name: getattr(owner.owner, name) for name in owner.numbers}
        if not (floats or attributes) or self.what != "backward":
            return lost
        written = self.source().function
        for name, value in (*floats.items(), *attributes.items()):
            for other in (1.25 * value + 0.125, -value, 0.0):
                given, plain = args, dict(named)
                if name in floats:
                    plain[name] = other
                else:
                    assert owner is not None
                    given = (owner.with_number(name, other), *args[1:])
                if agrees(self.material, written, given, {**kwargs, **plain}) is False:
                    lost.add(name)
                    break
        return lost

    def _note_lengths(self, args: Sequence[Any], kwargs: Mapping[str, Any], of: int | str | None) -> None:
        """Find out which lengths of the example what is written holds for alone."""
        looped = self.rolling
        if args and type(args[0]) is Members and not self.material.program.measured:
            return  # the arrays of an object are not followed in a copy of it

        def prepare(call: TracedCall) -> None:
            if of is not None:
                select_output(call, of)
            if looped:
                rolled(call)

        # What a counter decides otherwise in other numbers of turns is said above the code.
        said = any(loop.decided for s in self.material.program.steps if (loop := loop_in(s)) is not None)

        def holds(positional: Sequence[Any], named: Mapping[str, Any], *, runs: bool = False) -> bool:
            return of is not None or (said and not runs) or self._holds(positional, named, runs=runs)

        found = fixed_lengths(self.material, args, kwargs, prepare if looped or of is not None else None, holds)
        if found:
            self.material = replace(self.material, fixed=(*self.material.fixed, *found))

    def lines(self, prefix: str = "d") -> Pasted:
        """The lines to paste, tried where the function returns; where they are wrong there, without its variables.

        Raises:
            ChainruleError: where they are wrong in that way too.
        """
        made = pasted(self.material, self.backward, self.chosen, prefix)
        code = getattr(inspect.unwrap(self.material.function), "__code__", None)
        if code is None or len(self.material.program.steps) > _MOST_TRIED or self.of_a_part:
            return made
        for apart in (False, True):
            if apart:
                self.material = replace(self.material, apart=True)
                made = pasted(self.material, self.backward, self.chosen, prefix)
            run = as_pasted(self.material.function, "\n".join(made.lines()), made.targets, made.cotangents)
            if agrees(self.material, run, *self.call) is not False:
                return made
        raise ChainruleError(
            message(
                "lines below those of {name} would not give its gradients, as variables are written "
                'over. Instead: style="function", which computes all that it needs.',
                name=self.material.name,
            )
        )

    def source(self, style: Style = "function", prefix: str = "d") -> Source:
        """The source in one of the styles."""
        if (style, prefix) != ("function", "d"):
            return self._source(style, prefix)
        if self._written is None or self._written[0] is not self.material:
            self._written = self.material, self._source(style, prefix)
        return self._written[1]

    def _source(self, style: Style, prefix: str) -> Source:
        if self.what == "forward":
            return Source(*forward_source(self.material))
        if self.what == "jvp":
            return Source(*tangent_source(self.material, self.backward, prefix))
        if self.what == "hvp" and self.gradient is not None:
            return Source(*pushed_gradient_source(self.material, self.backward, self.gradient[1]))
        if self.what == "hvp":
            return Source(*hessian_source(self.material, self.backward, prefix))
        if style == "lines":
            return Source(self.lines(prefix).text(), "")
        return styled(self.material, self.backward, self.chosen, style, prefix)


def _rolled_gradients(call: TracedCall) -> None:
    """Let the gradients be all that a written function returns, and its loops steps."""
    select_output(call, 1)
    rolled(call)
