"""Forward mode over steps and loops: the tangents of what they make, from those of what they are given.

Between loops, the tangents are the derivative of the pullback with respect to its cotangent.  A loop becomes a loop
that counts as it does, whose turns compute the user's values and hand on the tangents beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backward import Backward, number_of
from chainrule.differentiate import differentiate, full, is_differentiable
from chainrule.ir import Step
from chainrule.language import message
from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.linear import dummies
from chainrule.loop_activity import active_in
from chainrule.loop_bodies import body_tape, input_like, mark_written, record_loop, stand_in
from chainrule.loop_sums import steps_needed
from chainrule.loops import Loop, Out, Slot, loop_in, with_outputs
from chainrule.protocol import apply
from chainrule.simplify.rewriting import simplify
from chainrule.sizes import is_size, rebuilt
from chainrule.statics import moved
from chainrule.tape import Tape
from chainrule.trace import Recorded, program_of
from chainrule.traced import Traced
from chainrule.verify import MalformedError

__all__ = ["fused", "pushed", "summed"]

_NO_DERIVATIVE = message(
    "the derivative of the tangents of a loop was asked for. Instead: write the tangents, and trace that."
)


def pushed(tape: Tape, tangents: Mapping[int, Any], wanted: Collection[int], links: dict[int, Any]) -> dict[int, Any]:
    """The tangents of variables; lazy ones, of any shape that broadcasts to the variable's.

    Args:
        tape: where the steps stand, and where those of the tangents are written; it must be open.
        tangents: the tangents of what the steps are given, by variable.
        wanted: the variables whose tangents are wanted.
        links: takes the whole tangents of all variables on the way.
    """
    known = dict(tangents)
    steps: list[Any] = list(tape.steps)
    begin = 0
    for k in [*(k for k, step in enumerate(steps) if isinstance(step[0].function, Loop)), len(steps)]:
        later = {x for step in steps[k:] for x in step[1] if type(x) is int} | set(wanted)
        made = {v for step in steps[begin:k] for v in (step[3] if type(step[3]) is tuple else (step[3],))}
        ends = sorted(v for v in made & later if is_differentiable(tape.values[v]))
        if ends:
            known.update(_between(tape, known, ends, begin, k, links))
        if k < len(steps):
            known.update(_through_loop(tape, steps[k], known, links))
        begin = k + 1
    return {v: known[v] for v in wanted if v in known}


def _between(
    tape: Tape, known: Mapping[int, Any], ends: Sequence[int], begin: int, stop: int, links: dict[int, Any]
) -> dict[int, Any]:
    """The tangents of what steps without loops make: the derivative of the pullback with respect to its cotangent."""
    lengths = tape.always_one
    symbols = whole_symbols(program_of(Recorded(None, tape, [])))
    symbols.of.update({x.variable: symbols.of[v] for v, x in known.items() if type(x) is Traced and v in symbols.of})
    start, there = len(tape.steps), len(tape.values)
    seeds: dict[int, Any] = {}
    for v, dummy in zip(ends, dummies([tape.values[v] for v in ends]), strict=True):
        seeds[v] = Traced(tape, len(tape.values), dummy, True)
        tape.values.append(dummy)
        symbols.of[seeds[v].variable] = symbols.of[v]
        if lengths is not None:
            lengths.symbols.of[seeds[v].variable] = lengths.symbols.of[v]  # type: ignore[attr-defined]
    first: dict[int, Any] = {}

    def note_first(variable: int, step: int, contribution: Any, whole: Any) -> None:
        first[variable] = whole

    found = differentiate(tape, seeds, known, start=begin, stop=stop, on_contribution=note_first)
    given: dict[int, Any] = {}
    for v, tangent in known.items():
        g = found.get(v)
        if type(g) is Traced:
            whole = full(tape, tangent, tape.values[v], v)
            part = summed(g, whole, tape.values[v], lengths, v)
            given[g.variable] = part if g.variable not in given else given[g.variable] + part
    second: dict[int, Any] = {}

    def note_second(variable: int, step: int, contribution: Any, whole: Any) -> None:
        second[variable] = whole

    own = {v: seeds[v].variable for v in ends}
    pulled = len(tape.steps)
    result = differentiate(tape, given, own.values(), start=start, stop=pulled, on_contribution=note_second)
    cotangents = {
        g.variable: v for v, g in first.items() if type(g) is Traced and g.value.shape == np.shape(tape.values[v])
    }
    _measured(tape, TapeLengths(tape, symbols, start), pulled, there, cotangents)
    links.update({
        v: number_of(second[g.variable])
        for v, g in first.items()
        if v not in known and type(g) is Traced and g.variable in second and g.value.shape == np.shape(tape.values[v])
    })  # fmt: skip
    return {v: result[s] for v, s in own.items() if s in result}


def _measured(tape: Tape, lengths: TapeLengths, begin: int, there: int, cotangents: Mapping[int, int]) -> None:
    """Let zeros be as large as something of the user's, and not as a cotangent that is needed for nothing else.

    Where lengths do not say what is as large (those of what was joined are sums), it is what it is the cotangent of.
    """
    lengths(0, 0)
    of = lengths.symbols.of
    known: dict[Any, int] = {}
    for v in sorted(v for v in of if v < there):
        known[of[v], np.shape(tape.values[v]), np.asarray(tape.values[v]).dtype] = v
    alike = dict(cotangents)
    for v in (v for v in of if v >= there):
        own = known.get((of[v], np.shape(tape.values[v]), np.asarray(tape.values[v]).dtype))
        if own is not None:
            alike[v] = own
    axes = {symbol: (v, k) for v in sorted(of, reverse=True) if v < there for k, symbol in enumerate(of[v])}

    def own_lengths(x: Any) -> Any:
        if is_size(x):
            return rebuilt(x, lambda size, e: own_length(e))
        return moved(x, own_lengths)

    def own_length(e: Any) -> Any:
        if e[0] not in ("length", "size") or e[1] < there:
            return e
        if e[1] in alike:
            return (e[0], alike[e[1]], *e[2:])
        place = axes.get(of[e[1]][e[2]]) if e[0] == "length" and e[1] in of else None
        return e if place is None else ("length", *place)

    for k, step in enumerate(tape.steps[begin:], begin):
        operation, given, params, output, code, offset = step
        taken: Any = given
        inputs: Any = tuple(x if type(x) is int else (own_lengths(x[0]), x[1]) for x in taken)
        if operation.name == "zeros_like" and inputs[0] in alike:
            inputs = (alike[inputs[0]], *inputs[1:])
        params = {name: own_lengths(value) for name, value in params.items()}
        tape.steps[k] = (operation, inputs, params, output, code, offset)


def summed(g: Traced, tangent: Any, value: Any, lengths: Any, variable: int) -> Any:
    """A tangent summed down to the shape of a lazy cotangent, which stands for its broadcast."""
    shape, whole = np.shape(g.value), np.shape(value)
    extra = len(whole) - len(shape)
    if extra:
        tangent = apply(np.sum, tangent, axis=tuple(range(extra)) if extra > 1 else 0)
    axes = tuple(
        k
        for k, n in enumerate(shape)
        if n == 1
        and (
            whole[k + extra] != 1
            or (lengths is not None and lengths(g.variable, k) and not lengths(variable, k + extra))
        )
    )
    if axes:
        tangent = apply(np.sum, tangent, axis=axes if len(axes) > 1 else axes[0], keepdims=True)
    return tangent if type(tangent) is Traced else full(g.tape, tangent, g.value)


def _through_loop(tape: Tape, step: Any, known: Mapping[int, Any], links: dict[int, Any]) -> dict[int, Any]:
    """The tangents of what a loop leaves: of a loop that computes them beside the user's values."""
    operation, inputs, _, outputs, code, offset = step
    loop: Loop = operation.function
    loop.wanted = [type(x) is int and x in known for x in inputs]
    active = active_in(loop)
    moving = [slot for slot in loop.slots if slot.variable in active]
    left = [(out, v) for out, v in zip(loop.outs, outputs if type(outputs) is tuple else (outputs,), strict=True)
            if _variable(out) in active]  # fmt: skip
    if not left:
        return {}
    held = [_held(tape, x) for x in inputs]
    pushing, given = _body(loop, active, moving, [_variable(out) for out, _ in left], held, tape.prefix)
    slots = [replace(slot) for slot in loop.slots]
    moved: dict[int, Slot] = {}
    operands: list[Any] = list(inputs)
    origin = tape.origin
    tape.origin = (code, offset)
    try:
        for slot in moving:
            count = len(loop.values) if slot.kind == "item" else 1
            taken = inputs[slot.place : slot.place + count]
            if slot.kind == "item" and not all(type(x) is int and _is_input(tape, known.get(x)) for x in taken):
                raise MalformedError("the tangents of some items of a list are not given")
            own = [_whole(tape, known, x) for x in taken]
            following = None if slot.following is None else pushing.links_of[slot.following]
            slots.append(Slot(slot.kind, given[slot.variable], len(operands), following, slot.items, slot.first))
            moved[id(slot)] = slots[-1]
            operands += own
        outs = []
        for out, _ in left:
            if isinstance(out.variable, Slot):
                outs.append(Out(out.kind, moved[id(out.variable)]))
            else:
                outs.append(Out(out.kind, pushing.links_of[out.variable]))
        mark_written(slots, pushing.backward.program.steps)
        joint = Loop(
            pushing.backward.program, pushing.backward.forward_steps, slots, outs, loop.turn, loop.values, loop.header,
            dict(pushing.backward.links), alike={t: v for v, t in given.items()}, tangents_of=loop,
            lengthened=loop.lengthened,
        )  # fmt: skip
        results = record_loop(joint, [_held(tape, x) for x in operands], _NO_DERIVATIVE)
    finally:
        tape.origin = origin
    found = {v: result for (_, v), result in zip(left, results, strict=True)}
    links.update({v: x.variable for v, x in found.items()})
    return found


class _Pushed:
    """The body of a loop with the tangents: the record, and for variables of the body those of their tangents."""

    def __init__(self, backward: Backward, links_of: dict[int, int]) -> None:
        self.backward = backward
        self.links_of = links_of


def _body(
    loop: Loop,
    active: Collection[int],
    moving: Sequence[Slot],
    left: Sequence[int],
    operands: Sequence[Any],
    prefix: str,
) -> tuple[_Pushed, dict[int, int]]:
    body, lengths = body_tape(loop, operands)
    body.prefix = prefix
    forward_steps = len(body.steps)
    roots = list(dict.fromkeys((*(s.following for s in moving if s.following is not None), *left)))
    with body:
        given = {s.variable: input_like(body, lengths, s.variable) for s in moving}
        links: dict[int, Any] = {v: x.variable for v, x in given.items()}
        found = pushed(body, given, roots, links)
        whole = {v: _filled(body, found.get(v), v) for v in roots}
        links.update({v: x.variable for v, x in whole.items()})
        stand_ins = [Traced(body, v, body.values[v], False) for v in loop.roots() if type(v) is int]
        program = program_of(Recorded(None, body, stand_ins), forward_steps, links)
    variables: dict[int, Any] = dict(program.by_number())
    gradients = tuple(variables[whole[v].variable] for v in roots)
    backward = Backward(
        replace(program, outputs=(*program.outputs, *gradients)),
        forward_steps,
        tuple(variables[v] for v in roots),
        gradients,
        tuple(variables[x.variable] for x in given.values()),
        links,
        {},
        {x.variable: v for v, x in given.items()},
    )
    simplified = simplify(backward)
    numbers = {v: g.number for v, g in zip(roots, simplified.gradients, strict=True)}
    return _Pushed(simplified, numbers), {v: x.variable for v, x in given.items()}


def _filled(tape: Tape, g: Any, variable: int) -> Any:
    """A tangent of the shape of its variable; zeros where there is none."""
    like = stand_in(tape, variable)
    return apply(np.zeros_like, like) if g is None else full(tape, g, like.value, variable)


def _whole(tape: Tape, known: Mapping[int, Any], x: Any) -> Any:
    """The tangent of an operand of a loop."""
    if type(x) is not int:
        return np.zeros_like(x[0])[()] if np.ndim(x[0]) else 0.0
    g = known.get(x)
    if g is None and not np.shape(tape.values[x]):
        return 0.0
    return _filled(tape, g, x)


def _held(tape: Tape, x: Any) -> Any:
    """An operand as it is given to an operation."""
    if type(x) is int:
        return Traced(tape, x, tape.values[x], False)
    return x[0] if type(x) is tuple else x


def _is_input(tape: Tape, x: Any) -> bool:
    return type(x) is Traced and x.variable in tape.inputs


def _variable(out: Out) -> int:
    """The variable of the body that an output holds."""
    v = out.variable
    return int(v.following if isinstance(v, Slot) else v)


def fused(backward: Backward) -> Backward:
    """The same tangents with loops that compute them beside the user's values, in the place of the user's loops."""
    while (found := _fused_once(backward)) is not None:
        backward = found
    return backward


def _fused_once(backward: Backward) -> Backward | None:
    steps, forward = backward.program.steps, backward.forward_steps
    made = {o.number: k for k, step in enumerate(steps) for o in step.outputs}
    for j, step in enumerate(steps[forward:], forward):
        loop = loop_in(step)
        own = None if loop is None else loop.tangents_of
        i = next((k for k, s in enumerate(steps[:forward]) if own is not None and s.operation.function is own), None)
        if loop is None or own is None or i is None:
            continue
        before = steps_needed(steps, made, [x.number for x in step.inputs])
        if any(i <= k < forward for k in before):
            continue  # the tangents need what the loop leaves
        moved = sorted(k for k in before if k >= forward)
        joint = _joint(steps[i], step, own, loop)
        rest = [steps[k] for k in range(forward, len(steps)) if k != j and k not in before]
        order = [*steps[:i], *(steps[k] for k in moved), joint, *steps[i + 1 : forward]]
        program = replace(backward.program, steps=(*order, *rest))
        return replace(backward, program=program, forward_steps=len(order))
    return None


def _joint(plain: Step, step: Step, own: Loop, loop: Loop) -> Step:
    """A loop that leaves what the user's loop leaves, and the tangents of that."""
    slots = {id(a): b for a, b in zip(own.slots, loop.slots, strict=False)}
    outs = [replace(out, variable=slots.get(id(out.variable), out.variable)) for out in own.outs]
    joint = replace(loop, outs=[*outs, *loop.outs], decided=own.decided, series=own.series, tangents_of=None)
    joint.program = replace(with_outputs(joint), guards=own.program.guards)
    operation = replace(step.operation, function=joint)
    return replace(step, operation=operation, outputs=(*plain.outputs, *step.outputs), position=plain.position)
