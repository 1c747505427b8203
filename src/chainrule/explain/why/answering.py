"""``why``: the answer first, then what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explain.why.blocking import blocks_of, endings_of
from chainrule.explain.why.hops import trail_of
from chainrule.explain.why.labels import count_text, element_text, first_index, number_text
from chainrule.explain.why.norms import cancelled_at, norms_between
from chainrule.explain.why.origins import backward_origin, forward_origin
from chainrule.explain.why.reasons import blocker_of, ending_reason
from chainrule.explain.why.record import Blocker, Kind, Norm, Origin, Trail, Why
from chainrule.explain.why.request import Question, question_of
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import stages_of
from chainrule.explain.why.sweeps import totals
from chainrule.explain.why.trails import best_routes
from chainrule.explain.why.wrapping import wrapped_numbers
from chainrule.language import Message, message, plural

__all__ = ["HUGE", "TINY", "answer"]

TINY, HUGE = 1e-6, 1e4
_CANCELS = 1e-6  # what is left, of the sum of the sizes of all paths, where they cancel
_SMALL_FACTOR, _LARGE_FACTOR = 1e-2, 1e2
_VANISHES = 0.6  # the ratio of norms from statement to statement
_TRAILS, _LONG = 3, 20


class _Answer:
    """One question about one scene."""

    def __init__(self, scene: Scene, question: Question) -> None:
        self.scene, self.question = scene, question
        self.stages = stages_of(scene)
        self.gradient = scene.gradient(question.number)
        self.kind = self._kind()
        self.answer: list[Message] = []
        self.evidence: list[Message] = []
        self.blockers: list[Blocker] = []
        self.origin: Origin | None = None
        self.trails: list[Trail] = []
        self.counts: tuple[float | None, float | None] = (None, None)
        self.signs: tuple[float | None, float | None] = (None, None)

    def _kind(self) -> Kind:
        if self.question.number not in self.scene.cotangents:
            return "unreached"
        g = self.gradient[self.question.mask]
        if np.isnan(g).any():
            return "nan"
        if np.isinf(g).any():
            return "infinite"
        if (g == 0).all():
            return "zero"
        if (g == 0).any():
            return "mixed"
        size = np.abs(g)
        if size.max() < TINY:
            return "tiny"
        return "huge" if size.max() > HUGE else "ordinary"

    def element(self) -> tuple[int, ...]:
        """The element that stands for all that are asked about."""
        g, mask = self.gradient, self.question.mask
        chosen = mask
        if self.kind == "nan":
            chosen = mask & np.isnan(g)
        elif self.kind == "infinite":
            chosen = mask & np.isinf(g)
        elif self.kind in ("tiny", "huge", "ordinary", "mixed"):
            size = np.where(mask, np.abs(g), -1.0)
            return tuple(map(int, np.unravel_index(int(np.argmax(size)), g.shape)))
        return first_index(chosen)

    def why(self) -> Why:
        """The whole answer."""
        scene, question = self.scene, self.question
        getattr(self, f"_{self.kind}")()
        norms = () if self.kind == "unreached" else norms_between(scene, self.stages, question.number)
        if self.kind in ("tiny", "huge", "ordinary", "mixed"):
            self._say_norms(norms)
        self._say_digits()
        wrapped = wrapped_numbers(scene)
        self.evidence += [wrapped] if wrapped is not None else []
        if self.origin is None and not np.isfinite(scene.values[scene.result]).all():
            self._say_result()
        g = self.gradient
        value = g[first_index(question.mask)] if question.single else g[question.mask]
        if not question.single and question.mask.all():
            value = g
        return Why(
            question.text, scene.title, value, self.kind, tuple(self.answer), tuple(self.evidence),
            tuple(self.blockers), self.origin, element_text(self.label, self.element()), tuple(self.trails),
            *self.counts, *self.signs, norms, (*question.notes, *scene.notes),
        )  # fmt: skip

    @property
    def label(self) -> str:
        """What the array is called."""
        return self.scene.labels[self.question.number]

    def _gaps(self, element: tuple[int, ...]) -> dict[str, Any]:
        """What stands in the gaps of most sentences."""
        question = self.question
        name = question.text if question.single else element_text(f"d{self.label}", element)
        return {
            "whole": question.text,
            "gradient": name,
            "value": number_text(self.gradient[element]),
            "name": self.label,
            "result": self.scene.title,
        }

    # ---- by kind
    def _unreached(self) -> None:
        scene, question = self.scene, self.question
        gaps = self._gaps(self.element())
        self.answer.append(message("{whole} is 0: no derivative leads from {name} to {result}.", **gaps))
        endings = endings_of(scene, self.stages, question.number)
        reasons = list({str(r): r for r in (ending_reason(scene, e, scene.title) for e in endings)}.values())
        self.answer += reasons[:1]
        self.evidence += reasons[1:6]

    def _zero(self) -> None:
        question = self.question
        element = self.element()
        self._look(element)
        self._find_blockers(question.mask)
        gaps = self._gaps(element)
        if not self.blockers and not self.signs[0]:
            self.answer.append(
                message("{whole} is 0: the derivatives that lead on from it are 0 but for rounding.", **gaps)
            )
        elif not self.blockers or (self.signs[0] and self.counts[1]):
            self._cancelled()
        elif self.counts[0] == 0:
            self.answer.append(message("{whole} is 0: no path leads to {result}.", **gaps))
            self._say_blockers()
        elif question.single:
            self.answer.append(message("{gradient} is 0: every path to {result} has a factor that is 0.", **gaps))
            self._say_blockers()
        else:
            self.answer.append(message("All of {whole} is 0: every path to {result} has a factor that is 0.", **gaps))
            self._say_blockers()

    def _find_blockers(self, mask: Any) -> None:
        blocks = blocks_of(self.scene, self.stages, self.question.number, mask)
        self.blockers = _ordered([blocker_of(self.scene, b) for b in blocks], by_count=not self.question.single)

    def _say_blockers(self) -> None:
        if self.blockers:
            self.answer.append(self.blockers[0].reason)
            self.evidence += [b.remedy for b in self.blockers[:2] if b.remedy is not None][:1]

    def _cancelled(self) -> None:
        positive, negative = self.signs
        self.answer.append(
            message(
                "{gradient} is {value}: its paths cancel. Those with a positive product sum to {positive}, the others "
                "to {negative}.",
                positive=number_text(positive or 0),
                negative=number_text(negative or 0),
                **self._gaps(self.element()),
            )
        )
        place = cancelled_at(self.scene, self.stages, self.question.number)
        self.answer += [place] if place is not None else []

    def _mixed(self) -> None:
        question = self.question
        zero = question.mask & (self.gradient == 0)
        element = self.element()
        gaps = self._gaps(element)
        self.answer.append(
            plural(
                "{count} of the {all} elements of {whole} is 0.",
                "{count} of the {all} elements of {whole} are 0.",
                int(zero.sum()),
                all=int(question.mask.sum()),
                **gaps,
            )
        )
        self._find_blockers(zero)
        self._say_blockers()
        self._look(element)
        self.evidence.append(message("The largest element is {gradient} = {value}.", **gaps))

    def _nan(self) -> None:
        scene, question = self.scene, self.question
        element = self.element()
        mask = np.zeros(question.mask.shape, bool)
        mask[element] = True
        finite = bool(np.isfinite(scene.values[scene.result]).all())
        self.origin = None if finite else forward_origin(scene, scene.result)
        if self.origin is None:
            self.origin = backward_origin(scene, self.stages, question.number, mask)
        if self.origin is None:
            self.origin = forward_origin(scene, scene.result)
        gaps = self._gaps(element)
        if self.origin is None:
            self.answer.append(message("{gradient} is {value}: a number that was given is not finite.", **gaps))
            return
        if self.origin.backward:
            self.answer.append(message("{gradient} is {value}: it is made in the backward pass.", **gaps))
        elif not finite:
            self.answer.append(message("{gradient} is {value}: {result} is not finite itself.", **gaps))
        else:
            self.answer.append(message("{gradient} is {value}: a value on the way is not finite.", **gaps))
        self.answer.append(self.origin.reason)
        self.answer += [said for said in (self.origin.behind, self.origin.then) if said is not None]
        if self.origin.backward and self.kind == "nan" and np.isinf(self.origin.local or 0):
            self.evidence.append(
                message("The infinity then meets a factor that is 0, and 0 times infinity is NaN: not a number.")
            )
        if self.origin.rewrite is not None:
            self.evidence.append(self.origin.rewrite)
        if not question.single:
            self.evidence.append(
                plural(
                    "{count} of the {all} elements is not finite.",
                    "{count} of the {all} elements are not finite.",
                    int((~np.isfinite(self.gradient[question.mask])).sum()),
                    all=int(question.mask.sum()),
                )
            )

    _infinite = _nan

    def _tiny(self) -> None:
        question = self.question
        element = self.element()
        self._look(element)
        gaps = self._gaps(element)
        sizes = (self.signs[0] or 0) - (self.signs[1] or 0)
        if sizes > TINY and abs(self.gradient[element]) < _CANCELS * sizes:
            self._cancelled()
            return
        if question.single:
            self.answer.append(message("{gradient} = {value} is tiny.", **gaps))
        else:
            self.answer.append(message("All of {whole} is tiny; the largest is {gradient} = {value}.", **gaps))
        self._factors()

    def _huge(self) -> None:
        element = self.element()
        self._look(element)
        gaps = self._gaps(element)
        if self.question.single:
            self.answer.append(message("{gradient} = {value} is huge.", **gaps))
        else:
            self.answer.append(message("{whole} is huge; its largest element is {gradient} = {value}.", **gaps))
        self._factors()

    def _ordinary(self) -> None:
        element = self.element()
        self._look(element)
        gaps = self._gaps(element)
        if not self.question.single:
            self.answer.append(message("The largest element of {whole} is {gradient} = {value}.", **gaps))
            return
        self.answer.append(message("{gradient} = {value}.", **gaps))
        count = self.counts[0]
        if count is not None and count > 1:
            self.answer.append(message("It is the sum of the products along {paths} paths.", paths=count_text(count)))
        elif count == 1:
            self.answer.append(message("It is the product along one path."))

    def _factors(self) -> None:
        """What the factors of the path that weighs most say."""
        trail = next(iter(self.trails), None)
        hops = [] if trail is None else [h for h in trail.hops if abs(h.factor) != 1 and h.factor != 0]
        if not hops:
            return
        tiny = self.kind == "tiny"
        extreme = min(hops, key=lambda h: abs(h.factor)) if tiny else max(hops, key=lambda h: abs(h.factor))
        factor = abs(extreme.factor)
        outstanding = factor < _SMALL_FACTOR if tiny else factor > _LARGE_FACTOR
        gaps = {
            "start": extreme.start,
            "at": number_text(extreme.value),
            "factor": number_text(extreme.factor),
            "source": extreme.source,
            "line": extreme.line,
            "because": extreme.because or message("a local derivative"),
        }
        if outstanding and tiny:
            self.answer.append(
                message("The smallest factor is {factor} at {start} = {at}: {because} (line {line}).", **gaps)
            )
        elif outstanding:
            self.answer.append(
                message("The largest factor is {factor} at {start} = {at}: {because} (line {line}).", **gaps)
            )
        if extreme.saturated:
            self.evidence.append(
                message(
                    "The unit is saturated: its curve is flat that far from 0. Keep its argument near 0, with smaller "
                    "weights or with inputs that are scaled to variance 1."
                )
            )
        if len(hops) > 2:
            with np.errstate(all="ignore"):
                mean = float(np.exp(np.mean([np.log(abs(h.factor)) for h in hops])))
            sentence = message(
                "The path that weighs most is a product of {count} factors that are not 1; their geometric mean is "
                "{mean}.",
                count=len(hops),
                mean=number_text(mean),
            )
            (self.evidence if outstanding else self.answer).append(sentence)

    def _say_norms(self, norms: Sequence[Norm]) -> None:
        """How the norm goes from statement to statement, where there are many."""
        rows = [n for n in norms if np.isfinite(n.norm) and n.norm > 0]
        if len(rows) < 6:
            return
        if len(rows) > 6 and abs(_steady(rows[:-1])) > abs(_steady(rows)):
            rows = rows[:-1]  # what all turns of a loop share has a gradient from each of them
        first, last = rows[1], rows[-1]
        ratio = float(np.exp(_steady(rows)))
        gaps = {
            "first": first.name,
            "last": last.name,
            "before": number_text(first.norm),
            "after": number_text(last.norm),
            "ratio": number_text(ratio),
            "count": len(rows) - 2,
        }
        if ratio < _VANISHES:
            self.evidence.append(
                message(
                    "The gradient vanishes on the way: from d{first} back to d{last} its norm goes from {before} to "
                    "{after}, × {ratio} per statement, in {count} statements.",
                    **gaps,
                )
            )
            self.evidence.append(
                message(
                    "What helps: weights that keep the size of what passes through them (a variance of 1 over the "
                    "number of inputs), ReLU in place of saturating curves, and sums that pass a layer by (x + f(x), "
                    "or the gates of an LSTM)."
                )
            )
        elif ratio > 1 / _VANISHES:
            self.evidence.append(
                message(
                    "The gradient explodes on the way: from d{first} back to d{last} its norm goes from {before} to "
                    "{after}, × {ratio} per statement, in {count} statements.",
                    **gaps,
                )
            )
            self.evidence.append(
                message(
                    "What helps: smaller weights, normalisation between the layers, and a gradient that is clipped: "
                    "g * min(1, limit / np.linalg.norm(g))."
                )
            )

    def _say_digits(self) -> None:
        """That few digits are left, where large products cancel."""
        positive, negative = self.signs
        if self.kind not in ("ordinary", "mixed", "huge") or not positive or not negative:
            return
        left = (positive + negative) / (positive - negative)
        if abs(left) < _CANCELS:
            self.evidence.append(
                message(
                    "Its paths nearly cancel: those with a positive product sum to {positive}, the others to "
                    "{negative}. Few digits of the difference are right.",
                    positive=number_text(positive),
                    negative=number_text(negative),
                )
            )

    def _say_result(self) -> None:
        origin = forward_origin(self.scene, self.scene.result)
        gaps = {
            "result": self.scene.title,
            "value": number_text(np.asarray(self.scene.values[self.scene.result]).max()),
        }
        if origin is not None:
            self.evidence.append(
                message("The result {result} is {value} itself: {reason}", reason=origin.reason, **gaps)
            )
            self.evidence += [said for said in (origin.then, origin.rewrite) if said is not None]

    # ---- what all paths say
    def _look(self, element: tuple[int, ...]) -> None:
        """Count the paths of an element, add up their signs, and find those that weigh most."""
        scene, v = self.scene, self.question.number
        if scene.is_complex:
            self.evidence.append(message("Complex numbers lie on the way: single paths are not shown."))
            return
        count, alive, absolute = (totals(scene, self.stages, how) for how in ("count", "alive", "absolute"))
        if not count.uncertain:
            self.counts = float(count.of(scene, v)[element]), float(alive.of(scene, v)[element])
        size, g = float(absolute.of(scene, v)[element]), self.gradient[element]
        if not absolute.uncertain and np.isfinite(size) and not np.iscomplexobj(g):
            self.signs = max(0.0, (size + float(g)) / 2), min(0.0, (float(g) - size) / 2)
        routes = best_routes(scene, self.stages, v, element, absolute, count, _TRAILS)
        routes = [r for r in routes if not r.zeros] or routes[:1]
        if routes and len(routes[0].legs) > _LONG:
            routes = routes[:1]
        self.trails = [trail_of(scene, route) for route in routes]


def _ordered(blockers: Sequence[Blocker], by_count: bool) -> list[Blocker]:
    """Without repetitions: the first on the way first, or those that stop most."""
    found = {str(b.reason): b for b in blockers}
    return sorted(found.values(), key=lambda b: -b.count) if by_count else list(found.values())


def answer(scene: Scene, text: str) -> Why:
    """Why a gradient is what it is.

    Args:
        scene: the result, and what it was computed from.
        text: what is asked about: ``dW3[2,1]``.
    """
    return _Answer(scene, question_of(scene, text)).why()


def _steady(rows: Sequence[Norm]) -> float:
    """The logarithm of what the norm is multiplied by from row to row, on average."""
    return float(np.log(rows[-1].norm / rows[1].norm) / (len(rows) - 2))
