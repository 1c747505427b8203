"""The grader that can fail: whether the check finds mistakes that are planted in an exact backward pass."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.check.checking import judge
from chainrule.check.layout import Heading, Paragraph, Table
from chainrule.check.mutations import Mutant, mutants
from chainrule.check.rendering import Block, text_of
from chainrule.check.report import Report
from chainrule.check.vocabulary import kind_named
from chainrule.errors import ChainruleError
from chainrule.language import Message, message, plural

__all__ = ["Planted", "SelfTest", "selftest", "selftest_blocks"]

Judge = Callable[[Mutant, Callable[..., Any], Mapping[str, Any]], Report]

_READ = 3  # suspects of a report that somebody reads


@dataclass(frozen=True, slots=True)
class Planted:
    """A mistake that was planted, and what the check said of it.

    Attributes:
        kind: the word for it.
        text: what was done.
        step: the name that the forward function assigns where it was planted; empty where it has none.
        line: that line.
        found: whether the gradients, or the behaviour, were called wrong; and those that are right were not.
        named: whether one of the first suspects is what was planted.
        placed: whether that suspect is at its step.
        said: the word of the suspect that names it, else of the likeliest; empty where there is none.
        bounded: whether the report says where it goes wrong without a name for it.
        seconds: that the check took.
    """

    kind: str
    text: str
    step: str
    line: int | None
    found: bool
    named: bool
    placed: bool
    said: str
    bounded: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What became of the mistakes that were planted in the backward pass of a function.

    Attributes:
        forward: the name of the function.
        right_passes: whether the exact backward pass, with nothing planted, was called right.
        planted: the mistakes.
    """

    forward: str
    right_passes: bool
    planted: tuple[Planted, ...]

    @property
    def ok(self) -> bool:
        """Whether every mistake was found, there was one to find, and the exact pass was called right."""
        return self.right_passes and bool(self.planted) and all(p.found for p in self.planted)

    def __str__(self) -> str:
        return text_of(selftest_blocks(self))

    def to_json(self) -> str:
        """The same as JSON."""
        fields = ("kind", "text", "step", "line", "found", "named", "placed", "said", "bounded", "seconds")
        rows = [{name: getattr(p, name) for name in fields} for p in self.planted]
        whole = {"forward": self.forward, "ok": self.ok, "right_passes": self.right_passes, "planted": rows}
        return json.dumps(whole, indent=2)


def selftest(
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    *,
    most: int = 40,
    seed: int = 0,
    judged: Judge | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SelfTest:
    """Plant mistakes in the exact backward pass of a function, and check each as if somebody had written it.

    A check that finds nothing is one that cannot fail; this shows what the check sees for the function at hand.

    Args:
        forward: the forward function.
        args: an example of its arguments: by name, or in order.
        most: how many mistakes are tried in steps, of as many kinds as there are; all that can be planted if 0.
        seed: of the data that the check draws.
        judged: what judges a candidate; the check of chainrule if not given.
        progress: is told how many of how many are done.

    Raises:
        ChainruleError: where the function cannot be followed.
    """
    named = _by_name(forward, args)

    def with_seed(candidate: Mutant, forward: Callable[..., Any], args: Mapping[str, Any]) -> Report:
        return judge(candidate, forward, args, seed=seed)

    ask = with_seed if judged is None else judged
    names = tuple(named)
    all_of_them = list(mutants(forward, tuple(named.values()), names, most))
    wrt = all_of_them[0].wrt if all_of_them else ()
    exact = Mutant("", frozenset(), frozenset(), None, str(message("nothing planted")), forward, names, wrt)
    right = ask(exact, forward, named)
    planted = []
    for number, mutant in enumerate(all_of_them):
        if progress is not None:
            progress(number, len(all_of_them))
        start = time.perf_counter()
        report = ask(mutant, forward, named)
        planted.append(_compared(mutant, report, time.perf_counter() - start))
    if progress is not None:
        progress(len(all_of_them), len(all_of_them))
    name = getattr(forward, "__name__", "forward")
    return SelfTest(name, right.judged and right.ok, tuple(planted))


def _by_name(forward: Callable[..., Any], args: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(args, Mapping):
        order = list(inspect.signature(forward).parameters)
        return dict(sorted(args.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))
    bound = inspect.signature(forward).bind(*args)
    return dict(bound.arguments)


def _compared(mutant: Mutant, report: Report, seconds: float) -> Planted:
    wrong = {name for name, verdict in report.gradients.items() if not verdict.ok}
    found = report.judged and not report.ok and (not mutant.edit or wrong == set(mutant.wrong))
    first = report.suspects[:_READ]
    naming = [s for s in first if any(_same(s.kind, word) for word in mutant.kinds)]
    placed = any(not mutant.steps or s.step in mutant.steps for s in naming)
    step = "" if len(mutant.steps) != 1 else next(iter(mutant.steps))
    said = naming[0].kind if naming else report.suspects[0].kind if report.suspects else ""
    bounded = report.bound is not None
    return Planted(mutant.kind, mutant.text, step, mutant.line, found, bool(naming), placed, said, bounded, seconds)


def _same(word: str, other: str) -> bool:
    return _word(word) == _word(other)


# ---- in words
def selftest_blocks(result: SelfTest) -> list[Block]:
    """What is said about a self-test: the verdict, and a table of what was planted."""
    count, found = len(result.planted), sum(p.found for p in result.planted)
    names = sum(p.named for p in result.planted)
    blocks: list[Block] = [Heading(str(_verdict(result, count, found)), "right" if result.ok else "wrong")]
    if not result.right_passes:
        said = message("The exact backward pass, with nothing planted, is called wrong.")
        blocks.append(Paragraph(str(said), "wrong"))
    if count:
        said = message("{named} of {count} are named as what was planted, among the first suspects.",
                       named=names, count=count)  # fmt: skip
        blocks.append(Paragraph(str(said)))
        head = [str(said) for said in (message("planted"), message("at"), message("found"), message("named as"))]
        blocks.append(Table(head, [_row(p) for p in result.planted]))
    return blocks


def _verdict(result: SelfTest, count: int, found: int) -> Message:
    if not count:
        return message("No mistake could be planted in the backward pass of {forward}.", forward=result.forward)
    if found == count:
        return plural(
            "The check finds the {count} mistake planted in the backward pass of {forward}.",
            "The check finds all {count} mistakes planted in the backward pass of {forward}.",
            count,
            forward=result.forward,
        )
    return message(
        "The check misses {missed} of {count} mistakes planted in the backward pass of {forward}.",
        missed=count - found,
        count=count,
        forward=result.forward,
    )


def _row(planted: Planted) -> list[tuple[str, str]]:
    where = planted.step or ("" if planted.line is None else str(message("line {line}", line=planted.line)))
    found = (str(message("yes")), "right") if planted.found else (str(message("no")), "wrong")
    if planted.named:
        said = (_word(planted.said), "")
    else:
        said = (str(message("only where") if planted.bounded else message("not named")), "quiet")
    return [(_word(planted.kind), ""), (where, "code"), found, said]


def _word(kind: str) -> str:
    try:
        return kind_named(kind).name
    except ChainruleError:
        return kind
