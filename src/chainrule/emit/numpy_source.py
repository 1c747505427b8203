"""Backward passes as NumPy source, in the styles people use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.backward import Backward
from chainrule.emit.deciding import decisive
from chainrule.emit.gathered import gathered
from chainrule.emit.material import Material, constant_lines
from chainrule.emit.series import series_at_hand
from chainrule.emit.writing import INDENT, WIDTH, Writing, words_of
from chainrule.ir import Const, Var
from chainrule.lengths import whole_symbols
from chainrule.loops import COUNTS
from chainrule.names import Namespace
from chainrule.statements.request import Request

__all__ = [
    "Pasted",
    "blocks",
    "forward_source",
    "function_source",
    "layer_source",
    "output_names",
    "outputs_of",
    "page",
    "pasted",
    "pullback_source",
    "returned",
]


def _given(material: Material, backward: Backward | None) -> dict[int, str]:
    given = {leaf.variable.number: leaf.name for leaf in material.leaves}
    given.update(material.counts)
    taken = set(given.values()) | set(material.parameters)
    space = Namespace(taken)
    for c in material.program.constants:
        given[c.number] = space.claim(c.name or "constant")
    if backward is not None and backward.cotangents:
        single = len(backward.cotangents) == 1
        for k, x in enumerate(backward.cotangents):
            given[x.number] = _cotangent_name(material) if single else space.claim(f"grad_output_{k}")
    return given


def _cotangent_name(material: Material) -> str:
    return Namespace([*material.parameters, *(leaf.name for leaf in material.leaves)]).claim("grad_output")


def _cotangent_lines(backward: Backward, given: dict[int, str], source: str) -> list[str]:
    if len(backward.cotangents) < 2:
        return []
    return [f"{', '.join(given[x.number] for x in backward.cotangents)} = {source}"]


def outputs_of(backward: Backward) -> tuple[Var | Const, ...]:
    """The outputs of the forward pass."""
    return backward.program.outputs[: len(backward.program.outputs) - len(backward.gradients)]


def output_names(outputs: Sequence[Var | Const], scalar: bool) -> dict[int, str]:
    """Names for outputs that the user left unnamed."""
    bare = len(outputs) == 1
    return {
        x.number: ("loss" if scalar else "output") if bare else f"output_{k}"
        for k, x in enumerate(outputs)
        if isinstance(x, Var)
    }


class Chosen:
    """The gradients that are wanted, with the leaves they belong to."""

    def __init__(self, material: Material, backward: Backward, wrt: Sequence[Var], prefix: str) -> None:
        index = {x.number: k for k, x in enumerate(backward.wrt)}
        self.pairs = [(material.leaf_of(x), backward.gradients[index[x.number]]) for x in wrt]
        # What the forward pass holds already keeps its own name.
        forward = {out.number for step in backward.program.steps[: backward.forward_steps] for out in step.outputs}
        self.names = {
            g.number: prefix + leaf.name
            for leaf, g in reversed(self.pairs)
            if isinstance(g, Var) and g.number >= 0 and g.number not in forward
        }
        gradients = [g for _, g in self.pairs]
        # The array itself is read at the end where its shape or dtype is needed.
        shaped = [leaf.variable for leaf, g in self.pairs if not isinstance(g, Var) or g.shape != leaf.variable.shape]
        self.roots: tuple[Var | Const, ...] = (*gradients, *shaped)


def _request(material: Material, backward: Backward, chosen: Chosen, prefix: str, **options: Any) -> Request:
    given = options.pop("given", None) or _given(material, backward)
    wanted = {**chosen.names, **options.pop("wanted", {})}
    return Request(
        backward.program,
        whole_symbols(backward.program, backward.likes),
        backward.forward_steps,
        options.pop("roots", chosen.roots),
        given,
        backward.links,
        {n: name for n, name in wanted.items() if n not in given},
        prefix,
        taken=(*options.pop("taken", ()), *material.parameters, _cotangent_name(material), *material.lengths()),
        checked=not options.get("late"),
        **options,
    )


def function_source(material: Material, backward: Backward, wrt: Sequence[Var], prefix: str) -> tuple[str, str]:
    """A function that returns the output and the gradients by name; and its name."""
    chosen = Chosen(material, backward, wrt, prefix)
    outputs = outputs_of(backward)
    request = _request(
        material,
        backward,
        chosen,
        prefix,
        roots=(*outputs, *chosen.roots, *decisive(backward.program, backward.forward_steps)),
        wanted=output_names(outputs, not backward.cotangents),
    )
    writing = Writing(material, request)
    texts, settling = writing.settled(chosen.pairs, prefix)
    gradients = [f'"{name}": {text}' for name, text in gathered(writing, chosen.pairs, texts)]
    output = material.result_text([writing.operand(x) for x in outputs])
    forward = writing.forward_lines()
    lines = blocks(forward, [*writing.backward_lines(), *settling])
    end = returned(f"{output}, ", gradients, "{", "}")
    head = material.head(*([_cotangent_name(material)] if backward.cotangents else []))
    opening = [*writing.checks(), *writing.unpacking([*lines, *end])]
    opening += _cotangent_lines(backward, dict(request.given), _cotangent_name(material))
    name = f"{material.name}_and_grad"
    doc = f"The {'value' if not backward.cotangents else 'output'} of {material.name} and its gradients by name."
    body = writing.finished([*opening, *lines, *end], f"{name}({head})", doc)
    return page(writing, body), name


def blocks(*parts: Sequence[str]) -> list[str]:
    """Groups of lines with an empty line behind each that is not empty."""
    return [line for part in parts if part for line in (*part, "")]


def returned(
    start: str, items: Sequence[str], opening: str, closing: str, room: int = WIDTH - len(INDENT)
) -> list[str]:
    """A return statement, on several lines where there is no room for it on one."""
    line = f"return {start}{opening}{', '.join(items)}{closing}"
    if len(line) <= room:
        return [line]
    return [f"return {start}{opening}", *(f"{INDENT}{item}," for item in items), closing]


def page(writing: Writing, body: Sequence[str]) -> str:
    """The whole text: imports, constants and remarks above the code."""
    top = writing.top(body)
    return "\n".join([*top, *(["", ""] if top else []), *writing.remarks(), *body]) + "\n"


def pullback_source(material: Material, backward: Backward, wrt: Sequence[Var], prefix: str) -> tuple[str, str]:
    """A function of the inputs and the cotangent that returns the gradients."""
    chosen = Chosen(material, backward, wrt, prefix)
    roots = (*chosen.roots, *decisive(backward.program, backward.forward_steps))
    request = _request(material, backward, chosen, prefix, roots=roots)
    writing = Writing(material, request)
    texts, settling = writing.settled(chosen.pairs, prefix)
    pairs = gathered(writing, chosen.pairs, texts)
    gradients = [text for _, text in pairs]
    forward = writing.forward_lines()
    lines = blocks(forward, [*writing.backward_lines(), *settling])
    end = returned("", gradients, "(", ")") if len(gradients) > 1 else [f"return {gradients[0]}"]
    if len(gradients) > 1 and len(end) == 1:
        end = [f"return {', '.join(gradients)}"]
    head = material.head(*([_cotangent_name(material)] if backward.cotangents else []))
    opening = [*writing.checks(), *writing.unpacking([*lines, *end])]
    opening += _cotangent_lines(backward, dict(request.given), _cotangent_name(material))
    single = len(pairs) == 1
    name = f"{material.name}_grad_{pairs[0][0]}" if single else f"{material.name}_backward"
    of = ", ".join(name for name, _ in pairs)
    doc = f"The gradient{'' if single else 's'} of {material.name} with respect to {of}."
    body = writing.finished([*opening, *lines, *end], f"{name}({head})", doc)
    return page(writing, body), name


def layer_source(material: Material, backward: Backward, wrt: Sequence[Var], prefix: str) -> tuple[str, str]:
    """A class with ``forward`` and ``backward``, which keeps what backward needs."""
    chosen = Chosen(material, backward, wrt, prefix)
    outputs = outputs_of(backward)
    request = _request(
        material,
        backward,
        chosen,
        prefix,
        roots=(*outputs, *chosen.roots, *decisive(backward.program, backward.forward_steps)),
        wanted=output_names(outputs, not backward.cotangents),
        taken=("self",),
        kept=True,
    )
    writing = Writing(material, request, WIDTH - 2 * len(INDENT))
    texts, settling = writing.settled(chosen.pairs, prefix)
    gradients = [f'"{name}": {text}' for name, text in gathered(writing, chosen.pairs, texts)]
    forward = writing.forward_lines()
    lines = [*writing.backward_lines(), *settling]
    end = returned("", gradients, "{", "}", writing.room)
    made = {t for s in writing.statements.statements if s.forward for t in s.targets}
    known = made | {leaf.name for leaf in material.leaves} | set(writing.length_of) | set(material.parameters)
    known.update(w for w in words_of([*lines, *end]) if COUNTS.fullmatch(w))
    kept = [w for w in words_of([*lines, *end]) if w in known and not writing.only_in_loops(w)]
    output = material.result_text([writing.operand(x) for x in outputs])
    # A method keeps what it needs in its own object, which holds its arrays already.
    itself = material.parameters[0] if material.owner else "self"
    there = {leaf.name for leaf in material.leaves if leaf.source == f"{itself}.{leaf.name}"}
    head = material.head().removeprefix(itself).removeprefix(", ") if material.owner else material.head()
    saving = [f"{itself}.{w} = {w}" for w in kept if w not in (*there, itself)]
    loading = [f"{w} = {itself}.{w}" for w in kept if w != itself]
    opening = [*writing.checks(), *writing.unpacking([*forward, output], kept)]
    first = writing.finished(
        [*opening, *forward, *saving, f"return {output}"],
        f"forward({', '.join([itself, *([head] if head else [])])})",
        f"The output of {material.name}.",
        INDENT,
    )
    loading += _cotangent_lines(backward, dict(request.given), _cotangent_name(material))
    parameters = [itself, *([_cotangent_name(material)] if backward.cotangents else [])]
    last = writing.finished(
        [*loading, *lines, *end], f"backward({', '.join(parameters)})", "The gradients by name.", INDENT
    )
    name = material.owner or "".join(part[:1].upper() + part[1:] for part in material.name.split("_")) or "Layer"
    said = f"{material.name} with its backward pass"
    if material.owner:
        said += "; the arrays are those of your own object"
    doc = f'{INDENT}"""{said}."""'
    return page(writing, [f"class {name}:", doc, "", *first, "", *last]), name


def forward_source(material: Material) -> tuple[str, str]:
    """The user's function, statement for statement."""
    program = material.program
    named = frozenset(out.number for s in program.steps for out in s.outputs if out.name is not None)
    deciding = decisive(program, len(program.steps))
    request = Request(
        program,
        whole_symbols(program),
        len(program.steps),
        (*program.outputs, *deciding),
        _given(material, None),
        taken=(*material.parameters, *material.lengths()),
        fold_roots=True,
        checked=True,
        forced=named.union(x.number for x in deciding),
    )
    writing = Writing(material, request)
    output = material.result_text([writing.operand(x) for x in program.outputs])
    if len(program.outputs) > 1 and output.startswith("("):
        output = output[1:-1]
    lines = writing.forward_lines()
    opening = [*writing.checks(), *writing.unpacking([*lines, output])]
    code = [*opening, *lines, f"return {output}"]
    head = f"def {material.name}({material.head()}):"
    return page(writing, [head, *(f"{INDENT}{line}" for line in code)]), material.name


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """Backward lines for under the user's own forward lines.

    Attributes:
        writing: the statements, with their texts.
        opening: what stands above them: remarks, imports, constants, arrays read out of trees.
        settled: lines behind the statements, for gradients that depend on how many rows there are.
        named: behind those, the gradients that no line has made under the names that they are to have, with what
            they are.
        targets: by gradient, the variable that holds it behind the lines.
        cotangents: the names of the gradients with respect to the results.
    """

    writing: Writing
    opening: tuple[str, ...]
    settled: tuple[str, ...]
    named: tuple[tuple[str, str], ...]
    targets: Mapping[str, str]
    cotangents: tuple[str, ...]

    def lines(self) -> list[str]:
        """All of them."""
        body = [*self.writing.backward_lines(), *self.settled]
        return [*self.opening, *body, *(f"{name} = {text}" for name, text in self.named)]

    def text(self) -> str:
        """The lines as source."""
        return "\n".join(self.lines()) + "\n"


def pasted(material: Material, backward: Backward, wrt: Sequence[Var], prefix: str) -> Pasted:
    """The backward lines alone, for under the user's own forward lines, with what they are made of."""
    chosen = Chosen(material, backward, wrt, prefix)
    given = _given(material, backward)
    forward = backward.program.steps[: backward.forward_steps]
    given.update({} if material.apart else material.still_there(forward))
    lost = material.lost(forward)
    series = {} if material.apart else series_at_hand(material, forward, {*material.user_names(), *given.values()})
    given.update((number, held.name) for number, held in series.items() if number not in given)
    given.update((number, f"{name}_given") for number, name in lost.items())
    request = _request(
        material,
        backward,
        chosen,
        prefix,
        given=given,
        taken=(*material.user_names(), *(held.name for held in series.values())),
        fixed=True,
        late=True,
    )
    writing = Writing(material, request)
    texts, settling = writing.settled(chosen.pairs, prefix)
    lines = [*writing.backward_lines(), *settling]
    names = writing.statements.names
    named = []
    targets: dict[str, str] = {}
    for name, text in gathered(writing, chosen.pairs, texts):
        wanted = prefix + name
        if text != wanted:
            if wanted in names.values():
                wanted += "_"
            named.append((wanted, text))
            lines.append(f"{wanted} = {text}")
        targets[name] = wanted
    words = words_of(lines)
    opening = writing.remarks()
    for number, name in lost.items():
        if given[number] in words:
            opening.append(f"# put `{given[number]} = {name}` above the line that gives {name} a new value")
    if backward.cotangents:
        names_of = ", ".join(given[x.number] for x in backward.cotangents)
        plural = len(backward.cotangents) > 1
        opening.append(f"# {names_of}: the gradient{'s' * plural} of the loss with respect to the result{'s' * plural}")
    opening += constant_lines([(name, c) for name, c in writing.constants() if c.name is None])
    opening += writing.unpacking(lines)
    opening += dict.fromkeys(held.line for held in series.values() if held.line and held.name in words)
    cotangents = tuple(given[x.number] for x in backward.cotangents)
    return Pasted(writing, tuple(opening), tuple(settling), tuple(named), targets, cotangents)
