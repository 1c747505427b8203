"""The cheapest equal form of a backward pass.

``simplify(backward)`` rewrites the backward steps so that few array operations are executed beyond the forward pass.
The steps are read as polynomials over forward values (:mod:`chainrule.simplify.normal_form`), further ways of
computing each value are added (:mod:`chainrule.simplify.options`), and the cheapest combination is written down.  The
steps as they were are among the ways, and the result is never more expensive than they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import Any

from chainrule.backward import Backward
from chainrule.dispatch import load_families
from chainrule.ir import Const, Var
from chainrule.positions import Position
from chainrule.simplify.algebra import ALGEBRA
from chainrule.simplify.choices import Choices, Instance, scalars_of
from chainrule.simplify.cost import cost_of
from chainrule.simplify.culprits import culprits
from chainrule.simplify.estimates import Estimates
from chainrule.simplify.identities import IDENTITIES
from chainrule.simplify.late_views import with_late_views
from chainrule.simplify.openings import ALL, BUT_CONSTANTS, NONE
from chainrule.simplify.options import add_options
from chainrule.simplify.perturb import perturb
from chainrule.simplify.probe import Comparison, compare
from chainrule.simplify.read import Reader
from chainrule.simplify.realise import Emitter
from chainrule.simplify.rectified import masks_of_results
from chainrule.simplify.repeats import without_repeats
from chainrule.simplify.scalars import NoFormError, times
from chainrule.simplify.select import Selection, StuckError
from chainrule.simplify.values import Ref
from chainrule.verify import verify

__all__ = ["Rewrite", "Simplified", "quickly", "simplify"]

_MOST_STEPS = 150  # of a backward pass that is read in several ways
_MANY_STEPS = 400  # for which one way to start must do
_FEW_OPERATIONS = 4  # of which no fewer are looked for a second time
_MOST_FORMS = 5  # of which each avoids what spoilt those before
_MOST_ATTEMPTS = 6  # at a selection, where values turn out to need each other
_quick: ContextVar[bool] = ContextVar("chainrule_quick", default=False)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One thing that was rewritten in a backward pass, and why it is the same.

    Attributes:
        identity: the name of the identity, as in :mod:`chainrule.simplify.identities`.
        position: the place in the user's source that the rewritten cotangent belongs to.
        text: what became of it.
    """

    identity: str
    position: Position | None
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Simplified(Backward):
    """A backward pass that was simplified, with what was done to it.

    Attributes:
        rewrites: what was rewritten, and why.
    """

    rewrites: tuple[Rewrite, ...] = ()


@contextmanager
def quickly() -> Iterator[None]:
    """Within this, the first good form will do, and a better one is not looked for: that takes most of the time."""
    token = _quick.set(True)
    try:
        yield
    finally:
        _quick.reset(token)


def simplify(backward: Backward) -> Simplified:
    """The same record with backward steps that take fewer array operations.

    The forward steps are unchanged.  A gradient keeps its shape and dtype.  Links may lead to other variables than
    before, to numbers, or be absent where a cotangent is never formed; ``rewrites`` tells what was done.
    """
    first = _simplified(backward)
    if _quick.get() or _is_long(first) or cost_of(first)[0] < _FEW_OPERATIONS:
        return first
    # What became one array, as the choice between two terms, was read as a sum until now.
    second = _simplified(first, (ALL,))
    return second if cost_of(second)[0] < cost_of(first)[0] else first


def _simplified(backward: Backward, openings: Sequence[str] = ()) -> Simplified:
    shorter = without_repeats(backward)
    verify(shorter.program)
    removed = len(backward.program.steps) - len(shorter.program.steps)
    text = f"{removed} backward steps repeated others or were not needed"
    earlier = backward.rewrites if isinstance(backward, Simplified) else ()
    plain = Simplified(
        **_record_of(shorter),
        rewrites=(*earlier, Rewrite("repeated", None, text)) if removed else earlier,
    )
    best, safer = plain, 0
    for attempt, gained in _attempts(plain, openings):
        # A value that the forward pass has may have been found under another form.
        found = replace(attempt, **_record_of(without_repeats(attempt)))
        cost, least = cost_of(found), cost_of(best)
        if (cost < least and gained >= safer) or (gained > safer and cost[0] <= least[0] + 1):
            best, safer = found, gained
    late = masks_of_results(with_late_views(best))
    return best if late is best else replace(best, **_record_of(late))


def _record_of(backward: Backward) -> dict[str, Any]:
    return {f.name: getattr(backward, f.name) for f in fields(Backward)}


def _is_long(backward: Backward) -> bool:
    return len(backward.program.steps) - backward.forward_steps > _MOST_STEPS


def _attempts(plain: Simplified, only: Sequence[str]) -> Iterator[tuple[Simplified, int]]:
    """The cheapest forms under each way to read sums, and in how many places more than the given form each is finite.

    Multiplied out, terms cancel; as they are, they are shared.  Where a form is not as good as the given one, another
    is found that keeps exponentials that may overflow out of products.
    """
    openings = [*(only or (ALL,))]
    for opening in openings:
        rewriting = _Rewriting(plain, opening, again=bool(only))
        try:
            rewriting.prepare()
            yield from _selections(rewriting, plain)
        except NoFormError:
            continue  # something in it has no form here
        finally:
            differing = rewriting.table.differing
            if opening == ALL and not only and not _is_long(plain) and not _quick.get():
                openings += [o for o in (BUT_CONSTANTS, NONE) if o in differing]


def _selections(rewriting: _Rewriting, plain: Simplified) -> Iterator[tuple[Simplified, int]]:
    """The cheapest form that is as good as the given one: what spoilt those before is avoided."""
    spoiling: set[int] = set()
    banned: set[Any] = set()
    strict = False
    for attempt in range(_MOST_FORMS):
        strict = strict or attempt == _MOST_FORMS - 1
        found = rewriting.run(strict, spoiling, banned)
        if cost_of(found)[0] > cost_of(plain)[0] + 1:
            return
        comparison = compare(found, plain, _quick.get())
        if comparison.as_good:
            yield found, comparison.safer
            return
        if strict:
            break
        more = rewriting.culprits(found, comparison) if comparison.inputs is not None else (set(), set())
        strict = not (more[0] - spoiling or more[1] - banned)
        spoiling |= more[0]
        banned |= more[1]
    # A product of tiny scalars may be zero where none of them is.
    found = rewriting.one_by_one()
    comparison = compare(found, plain, _quick.get())
    if comparison.as_good:
        yield found, comparison.safer


class _Rewriting:
    def __init__(self, backward: Simplified, opening: str, again: bool = False) -> None:
        load_families()  # identities name operations that the program does not have
        self.backward = backward
        self.strict = False
        self.spoiling: Collection[int] = ()
        self.banned: Collection[Any] = ()
        self.reader = Reader(backward, ALGEBRA)
        self.table = self.reader.table
        self.table.opening = opening
        self._first: Selection | None = None
        self._starts: tuple[bool, ...] = (False, True)
        if _quick.get() or self.table.steps > _MANY_STEPS:
            self._starts = (False,)
        elif again:
            self._starts = (True,)  # what was found first has its scales where they are best

    def prepare(self) -> None:
        """Read the steps, and find further ways of computing what they compute."""
        self.reader.read()
        add_options(self.reader)

    def run(self, strict: bool, spoiling: Collection[int], banned: Collection[Any]) -> Simplified:
        """The cheapest form, without exponentials that may overflow as factors, and without what spoilt others."""
        self.strict, self.spoiling, self.banned = strict, spoiling, banned
        roots = [self._root(x) for x in self.backward.gradients]
        wanted = list(dict.fromkeys(i for r in roots for i in self._instances(r)))
        names = self._names()
        selection = self._selected(wanted, names)
        if self._first is None:
            self._first = selection
        return self._written(selection, roots, names)

    def one_by_one(self) -> Simplified:
        """The form that was found first, in which arrays are divided by one scalar after the other."""
        assert self._first is not None
        roots = [self._root(x) for x in self.backward.gradients]
        return self._written(self._first, roots, self._names(), True)

    def _written(
        self, selection: Selection, roots: Sequence[Any], names: Mapping[Instance, Var], one_by_one: bool = False
    ) -> Simplified:
        """A selection as a record."""
        emitter = Emitter(self.reader, names, max(self.reader.variables, default=0), one_by_one)
        for instance in selection.order():
            emitter.emit(instance, selection.chosen[instance])
        self.made, self.chosen = emitter.made, selection.chosen
        results = tuple(self._result(x, r, emitter) for x, r in zip(self.backward.gradients, roots, strict=True))
        return self._record(emitter, results, self._log(selection, emitter))

    def culprits(self, found: Simplified, comparison: Comparison) -> tuple[set[int], set[Any]]:
        """What spoilt the form that was found last."""
        return culprits(found, comparison.inputs, comparison.failing, self.made, self.chosen)

    def _selected(self, wanted: Sequence[Instance], names: Mapping[Instance, Var]) -> Selection:
        """The better of two ways to start: scaling late, and scaling where the steps did."""
        exact = False
        estimates = Estimates(Choices(self.table, self.strict, self.spoiling, self.banned))
        for attempt in range(_MOST_ATTEMPTS):
            try:
                selections = [Selection(estimates, wanted, names, scale_early, exact) for scale_early in self._starts]
                for selection in selections:
                    selection.start()
                    selection.improve()
                # With signs moved about, a first choice is poor more often than good.
                estimates.choices.sign()
                first = selections[0].total
                for k, selection in enumerate(selections if not _quick.get() else ()):
                    if k == 0 or selection.total < first:  # otherwise it does not become better than the first one
                        perturb(selection)
                best = min(selections, key=lambda s: s.total)
            except StuckError as stuck:
                estimates = estimates.untied(stuck.number if attempt + 2 < _MOST_ATTEMPTS else None)
                continue
            if exact or best.is_ordered():
                return best
            exact, estimates = True, estimates.again()
        raise NoFormError("values need each other")

    # ---- what is needed

    def _root(self, x: Var | Const) -> Ref | Const:
        if isinstance(x, Const) and x.number < 0:
            return x
        return self.reader.refs[x.number]

    def _instances(self, root: Ref | Const) -> list[Instance]:
        if isinstance(root, Const):
            return []
        coefficient, value = root
        return [(value.number, coefficient)] if value is not self.table.one else list(scalars_of(coefficient))

    def _names(self) -> Mapping[Instance, Var]:
        """The instances that the steps made, with their variables; those with a name are preferred."""
        names: dict[Instance, Var] = {}
        for step in self.backward.program.steps[self.backward.forward_steps :]:
            for out in step.outputs:
                coefficient, value = self.reader.refs[out.number]
                key = (value.number, coefficient)
                keys = [key] if value.kind != "cut" else [key, self._inside(key)]
                for key in keys:
                    if value is not self.table.one and (key not in names or names[key].name is None):
                        names[key] = out
        return names

    def _inside(self, cut: Instance) -> Instance:
        """What an atom that is not looked into stands for."""
        scale, inner = self.table.values[cut[0]].parts[0]
        return inner.number, times(cut[1], scale)

    def _result(self, x: Var | Const, root: Ref | Const, emitter: Emitter) -> Var | Const:
        if isinstance(root, Const):
            return root
        coefficient, value = root
        scalar = value is self.table.one
        result = emitter.scalar(coefficient) if scalar else emitter.made[value.number, coefficient]
        if isinstance(x, Var) and isinstance(result, Var):
            result = emitter.aligned(result, len(x.shape), value.number)
        if isinstance(x, Var) and isinstance(result, Var) and (x.shape != result.shape or x.dtype != result.dtype):
            raise NoFormError("a gradient would change its shape or dtype")
        return result

    # ---- the record

    def _record(self, emitter: Emitter, results: tuple[Var | Const, ...], log: tuple[Rewrite, ...]) -> Simplified:
        old = self.backward
        program = old.program
        outputs = program.outputs[: len(program.outputs) - len(old.gradients)]
        steps = (*program.steps[: old.forward_steps], *emitter.without_spare(results))
        whole = replace(program, steps=steps, outputs=(*outputs, *results))
        verify(whole)
        links = {v: new for v, g in old.links.items() if (new := self._linked(g, emitter)) is not None}
        contributions = {
            v: tuple((step, new) for step, g in shares if (new := self._linked(g, emitter)) is not None)
            for v, shares in old.contributions.items()
        }
        return replace(
            old,
            program=whole,
            gradients=results,
            links=links,
            contributions={v: shares for v, shares in contributions.items() if shares},
            rewrites=tuple(dict.fromkeys((*old.rewrites, *log))),
        )

    def _linked(self, g: Any, emitter: Emitter) -> Any:
        """Where a cotangent is now: a variable, a number, or nowhere."""
        if type(g) is not int or g not in self.reader.refs:
            return g
        coefficient, value = self.reader.refs[g]
        if value is not self.table.one:
            made = emitter.made.get((value.number, coefficient))
            if made is None or made.number in emitter.removed:
                return None
            return made.number if made.shape == self.reader.variables[g].shape else None
        if scalars_of(coefficient):
            return None
        number = self.reader.lengths.number(coefficient, True)
        return float(number) if type(number) is int else number

    def _log(self, selection: Selection, emitter: Emitter) -> tuple[Rewrite, ...]:
        """What was used, in the order of the steps; a name for each identity, and the variable it was used for."""
        found: dict[Rewrite, None] = {}
        texts = {i.name: i.text for i in IDENTITIES}
        owners = {g: v for v, g in self.backward.links.items() if type(g) is int}
        for number in sorted(self.reader.zeros & owners.keys()):
            name = self.reader.variables[owners[number]].name
            position = self.reader.zero_positions.get(number)
            text = f"{texts['terms cancel']}: the cotangent of {name or 'an intermediate value'} is zero"
            found[Rewrite("terms cancel", position, text)] = None
        for instance in selection.order():
            recipe = selection.chosen[instance].recipe
            if recipe is None or not recipe.identity:
                continue
            name = emitter.made[instance].name
            text = texts.get(recipe.identity, recipe.identity) + (f": {name}" if name else "")
            found[Rewrite(recipe.identity, self.reader.positions.get(instance[0]), text)] = None
        return tuple(found)
