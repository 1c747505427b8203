"""Finds what makes a form of a backward pass infinite or undefined on a probe where the form before is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.ir import Program, Step, Var
from chainrule.run import run
from chainrule.simplify.choices import Choice, Instance

__all__ = ["culprits"]


def culprits(
    found: Backward,
    inputs: Sequence[Any],
    failing: Mapping[int, Any],
    made: Mapping[Instance, Var],
    chosen: Mapping[Instance, Choice],
) -> tuple[set[int], set[Any]]:
    """The values that must not be factors, and the choices that must not be made: instances with what they need.

    Args:
        found: the form.
        inputs: those of the probe.
        failing: for the gradients that are not finite where they were, the places.
        made: the variable of each instance.
        chosen: how each instance is computed.
    """
    program = found.program
    steps = program.steps
    outputs = tuple(o for step in steps for o in step.outputs)
    values = dict(zip((o.number for o in outputs), run(replace(program, outputs=outputs), inputs), strict=True))
    values.update((x.number, v) for x, v in zip(program.inputs, inputs, strict=True))
    wild: set[int] = set()
    banned: set[Any] = set()
    places: dict[tuple[int, ...], Any] = {}
    for where in failing.values():
        places[where.shape] = places.get(where.shape, False) | where
    owners = _owners(program, found.forward_steps, made)
    for step in _cone(found, failing):
        instance = owners.get(step.outputs[0].number)
        if instance is None or instance not in chosen or not _spoils(step, values, places):
            continue
        children = chosen[instance].children
        infinite = {c[0] for c in children if c in made and _at(np.isinf, values.get(made[c].number, 0.0), places)}
        if infinite and chosen[instance].kind == "prod":
            wild |= infinite
        else:
            banned.add((instance[0], tuple(sorted(c[0] for c in children))))
    return wild, banned


def _at(test: Any, x: Any, places: Mapping[tuple[int, ...], Any]) -> bool:
    """Whether something holds for an element of an array: one of those that matter, if it is of that shape."""
    found = test(np.asarray(x))
    return bool(np.any(found & places.get(found.shape, True)))


def _cone(found: Backward, failing: Mapping[int, Any]) -> list[Step]:
    """The backward steps that the gradients depend on."""
    wanted = {found.gradients[k].number for k in failing}
    result: list[Step] = []
    for step in reversed(found.program.steps[found.forward_steps :]):
        if any(o.number in wanted for o in step.outputs):
            wanted.update(x.number for x in step.inputs)
            result.append(step)
    return result


def _spoils(step: Step, values: Mapping[int, Any], places: Mapping[tuple[int, ...], Any]) -> bool:
    """Whether a step makes something undefined of what is not, or something infinite of what is finite."""
    operands = [np.asarray(values[x.number]) for x in step.inputs if x.number in values]
    operands = [x for x in operands if x.dtype.kind == "f"]
    for out in step.outputs:
        result = np.asarray(values[out.number])
        if result.dtype.kind != "f":
            continue
        undefined, infinite = np.isnan(result), np.isinf(result)
        try:
            for x in operands:
                undefined = undefined & ~np.isnan(x)
                infinite = infinite & np.isfinite(x)
        except ValueError:  # no elementwise operation
            undefined = np.isnan(result) & (not any(np.isnan(x).any() for x in operands))
            infinite = np.isinf(result) & all(np.isfinite(x).all() for x in operands)
        if _at(lambda _, u=undefined, i=infinite: u | i, result, places):
            return True
    return False


def _owners(program: Program, forward_steps: int, made: Mapping[Instance, Var]) -> dict[int, Instance]:
    """By variable, the instance that its step was written for: the next one that is made."""
    instances = {var.number: instance for instance, var in made.items()}
    found: dict[int, Instance] = {}
    owner: Instance | None = None
    for step in reversed(program.steps[forward_steps:]):
        for out in step.outputs:
            owner = instances.get(out.number, owner)
            if owner is not None:
                found[out.number] = owner
    return found
