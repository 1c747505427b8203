"""What was found out about a wrong candidate, before it is put into words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.check.judging import Trial
from chainrule.check.report import Suspect
from chainrule.check.vocabulary import KINDS, kind_named, place, suspect
from chainrule.ir import Program, Step
from chainrule.language import Message, message

__all__ = ["Finding", "Place", "ordered", "part_of", "place_of", "suspect_of"]


_ASSIGNED = re.compile(r"(\w+)\s*(?:\[.*\])?\s*(?:[-+*/@%]|//|\*\*)?=(?!=)")
# Words that say little: another that fits as well says more.
_VAGUE = frozenset("wrong_local_derivative wrong_operand extra_factor missing_local_derivative wrong_power".split())

_ROUNDING = 1e-14  # what is below says more about the processor than about the candidate


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the forward code: the name that it assigns, its line, and its text."""

    step: str | None = None
    line: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An explanation that reproduces what the candidate gave.

    Attributes:
        kind: a word of the vocabulary.
        gradients: those that it explains.
        place: where in the forward code.
        details: what fills the gaps of the kind's sentences.
        relation: what was compared: ``"candidate == exact.T"``.
        error: how well it holds: the largest relative difference.
        draws: on how many draws it was tested.
        cost: how far-fetched it is; smaller is likelier.
        breaks: gradients that are right and would not be with it.
        word: what the edit is called that was found; empty for a relation.
        number: the number of the step that was edited.
        misses: wrong gradients that it changes to something else than the candidate has.
        together: a number that findings share which explain a gradient only together; 0 for those that do so alone.
        factored: whether it says that the gradient is a multiple of the right one.
    """

    kind: str
    gradients: tuple[str, ...]
    place: Place = Place()
    details: Mapping[str, Any] = field(default_factory=dict)
    relation: str | Message = ""
    error: float = 0.0
    draws: int = 0
    cost: float = 0.0
    breaks: tuple[str, ...] = ()
    word: str = ""
    number: int = 0
    misses: tuple[str, ...] = ()
    together: int = 0
    factored: bool = False

    @property
    def rank(self) -> float:
        """How unlikely it is: simple edits that are often met come first."""
        often = kind_named(self.kind).often if self.kind in KINDS else 1
        vague = 0.8 if self.kind in _VAGUE else 0.0
        return self.cost + vague - 0.5 * often + 1.5 * bool(self.breaks) - 0.4 * len(self.gradients)


# Words that say less, with those that say more of the same mistake.
_MORE_SPECIFIC = {
    "missing_path": ("missing_mean_path", "missing_var_path", "missing_label_term"),
    "overwrites_instead_of_accumulates": (
        "missing_mean_path",
        "missing_var_path",
        "missing_label_term",
        "duplicate_index_overwrite",
    ),
    "state_leak": ("resampled_mask",),
}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Findings, likeliest first; of two words for the same gradients, the one that says more stands first."""
    found = sorted(findings, key=lambda f: f.rank)
    for general in list(found):
        wanted = _MORE_SPECIFIC.get(general.kind, ())
        later = found[found.index(general) + 1 :]
        specific = [f for f in later if f.kind in wanted and set(f.gradients) >= set(general.gradients)]
        if specific:
            found.remove(specific[0])
            found.insert(found.index(general), specific[0])
    return _side_by_side(found)


def _side_by_side(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that explain a gradient only together, one behind the other."""
    found: list[Finding] = []
    for f in findings:
        if f not in found:
            found.append(f)
            found += [s for s in findings if f.together and s.together == f.together and s not in found]
    return found


def place_of(program: Program, forward_steps: int, step: int) -> Place:
    """The statement of the forward code that a step belongs to: what it assigns, and its line."""
    steps = program.steps[:forward_steps]
    if not 0 <= step < len(steps):
        return Place()
    position = steps[step].position
    if position is None:
        return Place(_named(steps[step]))
    # The last step of the statement is what it assigns; a part of an array may be written to.
    written = _ASSIGNED.match(position.text)
    name = None
    for later in steps[step:]:
        if later.position is None or _where(later) != _where(steps[step]):
            continue
        found = _named(later)
        name = found or name
        if found:
            break
    return Place(name or (written[1] if written else None), position.line, position.text)


def part_of(program: Program, forward_steps: int, step: int) -> Message | None:
    """The expression of a step as a place in the forward code, where its statement holds more than that."""
    steps = program.steps[:forward_steps]
    position = steps[step].position if 0 <= step < len(steps) else None
    if position is None or position.end_line != position.line:
        return None
    part, text = position.segment.strip(), position.text
    if not part or part.isidentifier() or part == text or text.replace("return ", "= ").endswith(f"= {part}"):
        return None
    return place(None, position.line, part)


def _where(step: Step) -> Any:
    position = step.position
    return None if position is None else (position.filename, position.function, position.line)


def _named(step: Step) -> str | None:
    return next((out.name for out in step.outputs if out.name is not None), None)


def suspect_of(finding: Finding, trials: Sequence[Trial]) -> Suspect:
    """A finding in words."""
    proof: Message | None = None
    if finding.relation:
        proof = message(
            "{relation}, to {error} on {draws} draws",
            relation=finding.relation,
            error=f"{max(finding.error, _ROUNDING):.0e}",
            draws=finding.draws or len(trials),
        )
    found = suspect(
        finding.kind,
        step=finding.place.step,
        line=finding.place.line,
        source=finding.place.source,
        gradients=finding.gradients,
        proof=proof,
        rank=finding.rank,
        **{k: v for k, v in finding.details.items() if v is not None},
    )
    return replace(found, together=finding.together) if finding.together else found
