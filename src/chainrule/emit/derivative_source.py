"""Forward mode and products with Hessians as NumPy source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.backward import Backward
from chainrule.emit.deciding import decisive
from chainrule.emit.material import Leaf, Material
from chainrule.emit.numpy_source import blocks, output_names, outputs_of, page, returned
from chainrule.emit.writing import Writing
from chainrule.ir import Const, Var
from chainrule.lengths import whole_symbols
from chainrule.names import Namespace
from chainrule.statements.request import Request

__all__ = ["hessian_source", "moving_leaves", "pushed_gradient_source", "tangent_source"]


def moving_leaves(material: Material, backward: Backward) -> list[Leaf]:
    """The leaves whose tangents or vectors are given, in the order of ``backward.cotangents``."""
    by_number = {leaf.variable.number: leaf for leaf in material.leaves}
    return [by_number[backward.likes[x.number]] for x in backward.cotangents]


def _beside(material: Material, backward: Backward, start: str) -> tuple[list[Leaf], list[str]]:
    """The tangents or vectors as leaves of further parameters, which are trees as the arguments are; and these."""
    space = Namespace([*material.parameters, *(leaf.name for leaf in material.leaves)])
    parameters: dict[int, str] = {}
    found = []
    for leaf, x in zip(moving_leaves(material, backward), backward.cotangents, strict=True):
        own = material.parameters[leaf.argument]
        if leaf.argument not in parameters:
            parameters[leaf.argument] = space.claim(start + own)
        given = parameters[leaf.argument]
        bare = leaf.name == leaf.source
        source = given + leaf.source.removeprefix(own)
        found.append(Leaf(x, given if bare else space.claim(start + leaf.name), source, -1, leaf.value, leaf))
    return found, list(parameters.values())


def _written(
    material: Material, backward: Backward, prefix: str, beside: Sequence[Leaf], wanted: dict[int, str], whole: bool
) -> tuple[Writing, Sequence[Var | Const]]:
    """The statements that compute the outputs and what is wanted, with names for what is given beside the arguments."""
    outputs = outputs_of(backward)
    given = {leaf.variable.number: leaf.name for leaf in material.leaves}
    given.update((leaf.variable.number, leaf.name) for leaf in beside)
    given.update(material.counts)
    space = Namespace({*given.values(), *material.parameters})
    given.update((c.number, space.claim(c.name or "constant")) for c in material.program.constants)
    material = replace(material, leaves=(*material.leaves, *beside))
    request = Request(
        backward.program,
        whole_symbols(backward.program, backward.likes),
        backward.forward_steps,
        (*(outputs if whole else ()), *backward.gradients, *decisive(backward.program, backward.forward_steps)),
        given,
        backward.links,
        {n: name for n, name in {**output_names(outputs, False), **wanted}.items() if n not in given},
        prefix,
        taken=(*material.parameters, *material.lengths()),
        checked=True,
    )
    return Writing(material, request), outputs


def tangent_source(material: Material, backward: Backward, prefix: str) -> tuple[str, str]:
    """A function of the arguments and their tangents that returns the output and its tangent; and its name."""
    leaves = moving_leaves(material, backward)
    beside, names = _beside(material, backward, prefix)
    wanted = _tangent_names(backward, prefix)
    writing, outputs = _written(material, backward, prefix, beside, wanted, True)
    tangents = {x.number: _whole(writing, x, g) for x, g in zip(backward.wrt, backward.gradients, strict=True)}
    texts = [writing.operand(x) for x in outputs]
    pushed = [
        tangents.get(x.number, f"np.zeros_like({text})") if isinstance(x, Var) else "0.0"
        for x, text in zip(outputs, texts, strict=True)
    ]
    end = [f"return {material.result_text(texts)}, {material.result_text(pushed)}"]
    body = [*blocks(writing.forward_lines(), writing.backward_lines()), *end]
    doc = f"The output of {material.name} and its tangent, from those of {_arguments(material, leaves)}."
    return _defined(writing, material, names, f"{material.name}_jvp", doc, body)


def _tangent_names(backward: Backward, prefix: str) -> dict[int, str]:
    """What the tangents of outputs are called, and those that loops compute beside the user's values."""
    forward = {out.number for step in backward.program.steps[: backward.forward_steps] for out in step.outputs}
    wanted = {
        g.number: prefix + (x.name or "output")
        for x, g in zip(backward.wrt, backward.gradients, strict=True)
        if isinstance(g, Var) and g.number >= 0 and g.number not in forward
    }
    variables = backward.program.by_number()
    for primal, g in backward.links.items():
        x = variables.get(primal)
        if type(g) is int and g in forward and isinstance(x, Var) and x.name is not None:
            wanted.setdefault(g, prefix + x.name)
    return wanted


def pushed_gradient_source(material: Material, backward: Backward, name: str) -> tuple[str, str]:
    """The same as ``hessian_source``, from the tangents of a written function that returns gradients.

    Args:
        material: the written function.
        backward: its tangents.
        name: what the function is called whose gradients it returns.
    """
    leaves = moving_leaves(material, backward)
    beside, names = _beside(material, backward, "v_")
    wanted = _tangent_names(backward, "v_")
    writing, _ = _written(material, backward, "v_", beside, wanted, False)
    # A gradient that nothing else reads is not computed, so its lengths are those of the array that it belongs to;
    # they are in a dictionary by name.
    likes: Sequence[Var] = [leaf.variable for leaf in sorted(leaves, key=lambda leaf: leaf.name)]
    if [x.shape for x in likes] != [x.shape for x in backward.wrt]:
        likes = backward.wrt
    products = [_whole(writing, x, g) for x, g in zip(likes, backward.gradients, strict=True)]
    # The comments name lines of the written function, which are not the user's.
    lines = [x for x in writing.backward_lines() if not x.startswith("#")]
    body = [*writing.forward_lines(), *lines, "", f"return {material.result_text(products)}"]
    doc = f"The Hessian of {name} times vectors for {_arguments(material, leaves)}."
    return _defined(writing, material, names, f"{name}_hvp", doc, body)


def hessian_source(material: Material, backward: Backward, prefix: str) -> tuple[str, str]:
    """A function of the arguments and a vector for each that returns products with the Hessian; and its name."""
    leaves = moving_leaves(material, backward)
    beside, names = _beside(material, backward, "v_")
    space = Namespace([*material.parameters, *names, *(leaf.name for leaf in beside)])
    wanted = {
        g.number: space.claim("Hv" if len(leaves) == 1 else f"Hv_{leaf.name}")
        for leaf, g in zip(leaves, backward.gradients, strict=True)
        if isinstance(g, Var) and g.number >= 0
    }
    writing, _ = _written(material, backward, prefix, beside, wanted, False)
    products = [
        f'"{leaf.name}": {writing.gradient(leaf, g)}' for leaf, g in zip(leaves, backward.gradients, strict=True)
    ]
    end = returned("", products, "{", "}")
    body = [*blocks(writing.forward_lines(), writing.backward_lines()), *end]
    doc = f"The Hessian of {material.name} times vectors for {_arguments(material, leaves)}."
    return _defined(writing, material, names, f"{material.name}_hvp", doc, body)


def _defined(
    writing: Writing, material: Material, names: Sequence[str], name: str, doc: str, body: Sequence[str]
) -> tuple[str, str]:
    """The whole text of a function of the arguments and of these further parameters; and its name."""
    opening = [*writing.checks(), *writing.unpacking(body)]
    return page(writing, writing.finished([*opening, *body], f"{name}({material.head(*names)})", doc)), name


def _arguments(material: Material, leaves: Sequence[Leaf]) -> str:
    return ", ".join(dict.fromkeys(material.parameters[leaf.argument] for leaf in leaves))


def _whole(writing: Writing, x: Var, tangent: Var | Const) -> str:
    """A whole tangent as an expression, from one that may be lazy."""
    if isinstance(tangent, Const) and tangent.number < 0:
        filled = f"np.full_like({writing.operand(x)}, {writing.operand(tangent)})"
        return writing.operand(tangent) if not x.shape else filled
    text = writing.operand(tangent)
    lazy = isinstance(tangent, Var) and writing.is_lazy(x, tangent)
    return f"np.broadcast_to({text}, {writing.operand(x)}.shape)" if lazy else text
