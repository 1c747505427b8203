"""Candidates that are functions of the inputs and the incoming gradient, in any order and under any usual name."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.check.adapters.adapter import Origin, Task, changed_in, handed_over, origin_of
from chainrule.check.adapters.forwards import Facts, ForwardValues, function_node, returned_names
from chainrule.check.adapters.naming import (
    CACHE_NAMES,
    MODEL_NAMES,
    OUTPUT_NAMES,
    alike,
    is_cotangent_name,
    matched,
    plain,
)
from chainrule.check.adapters.observing import observe
from chainrule.check.adapters.reading import Reader, kept
from chainrule.check.candidate import Answer, CandidateError, in_lines
from chainrule.language import Message, listed, message, plural

__all__ = ["COTANGENT", "FunctionAdapter", "Role", "arranged", "cache_for", "roles_of", "value_of_role", "wants_cache"]

COTANGENT = "grad_output"
_TIME = re.compile(r"_?(next|t)$")  # what a name of one step of a recurrence may end in


@dataclass(frozen=True, slots=True)
class Role:
    """What a parameter of a candidate stands for.

    Attributes:
        kind: ``"argument"``, ``"cotangent"``, ``"output"``, ``"cache"``, ``"local"``, ``"model"`` for a dict of all
            arguments, ``"arguments"`` for all that are left, or ``"default"`` where it is left to its default.
        name: of the argument or variable; of a cotangent the position of its output, where there are several.
    """

    kind: str
    name: str = ""


def value_of_role(role: Role, values: ForwardValues, cotangent: Any, roles: Mapping[str, Role]) -> Any:
    """What a parameter of this role is given, among parameters of these roles; ``None`` where its default stands."""
    if role.kind == "argument":
        return values.arguments.get(role.name)
    if role.kind == "cotangent":
        return cotangent[int(role.name)] if role.name else cotangent
    if role.kind == "output":
        return values.output
    if role.kind == "local":
        return values.local.get(role.name)
    if role.kind == "model":
        return Known(values.arguments)
    if role.kind == "cache":
        return values.cache
    if role.kind == "arguments":
        taken = {r.name for r in roles.values() if r.kind == "argument"}
        return {n: x for n, x in values.arguments.items() if n not in taken}
    return None


def wants_cache(function: Callable[..., Any]) -> bool:
    """Whether a function takes what a forward pass kept."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return any(plain(name) in CACHE_NAMES for name in parameters)


class FunctionAdapter:
    """A function that returns gradients.

    Args:
        function: the function.
        task: what it is the backward pass of.
        style: how it is called in the report.

    Raises:
        CandidateError: where it cannot be told what a parameter stands for.
    """

    needs_forward: bool
    takes_cotangent: bool
    wrt: tuple[str, ...]

    def __init__(self, function: Callable[..., Any], task: Task, style: str = "function") -> None:
        self.function = function
        self.task = task
        self.style = style
        self.name = getattr(function, "__name__", type(function).__name__)
        self.origin: Origin = origin_of(function if hasattr(function, "__name__") else type(function))
        node = function_node(function)
        self.node = node
        self.roles, notes = roles_of(function, task, node)
        kinds = {role.kind for role in self.roles.values()}
        self.takes_cotangent = "cotangent" in kinds
        self.needs_forward = bool(kinds & {"output", "cache", "local"})
        own = tuple(role.name for role in self.roles.values() if role.kind == "argument")
        returned = returned_names(node)
        self.reader = Reader(task.facts, task.wrt, None if returned is None else tuple(returned), own, self.name)
        self.notes: tuple[Message, ...] = tuple(notes)
        self.wrt = task.wrt or self._tried()

    def remade(self, function: Callable[..., Any]) -> FunctionAdapter:
        """The same for a function that is this one but for a line: what its parameters stand for is known."""
        other = copy.copy(self)
        other.function, other.origin = function, origin_of(function)
        return other

    def _tried(self) -> tuple[str, ...]:
        """The arguments that it gives gradients for, found by trying it on the example."""
        facts = self.task.facts
        default = facts.arrays or facts.floats
        call, _ = self._prepared(self.task.example, self.task.cotangent())
        seen = observe(call, self.origin.files, False)
        if seen.error is not None:
            by_name = {n for n in self.reader.returned or () if n is not None}
            named = tuple(t for t in facts.floats if any(matched(n, [f"d{t}", f"grad_{t}", f"d_{t}"]) for n in by_name))
            told = self.reader.told_by_name() if len(self.reader.returned or ()) <= 1 else None
            if told is not None:
                return (told,)
            return named if named and len(named) >= len(self.reader.returned or ()) else default
        try:
            found, notes = self.reader.understood(seen.result, self.task.example.output, self.task.example.arguments)
        except CandidateError:
            return default
        self.notes += tuple(notes)
        holding = {argument for path, _, argument in facts.inner if path in found}
        order = [n for n in facts.floats if n in found or n in holding]
        return tuple(order) or default

    def _prepared(self, values: ForwardValues, cotangent: Any) -> tuple[Callable[[], Any], list[tuple[str, Any, Any]]]:
        """The call on copies, and what was handed over, for the changes to be seen."""
        given = {parameter: self._value(role, values, cotangent) for parameter, role in self.roles.items()}
        handed = [(n, h, b) for n, h, b in handed_over(given) if self.roles[n].kind != "default"]
        args, kwargs = arranged(inspect.signature(self.function), {name: copy for name, copy, _ in handed})
        named = [(_called_in_report(self.roles[n]) or n, h, b) for n, h, b in handed]
        return (lambda: self.function(*args, **kwargs)), named

    def _value(self, role: Role, values: ForwardValues, cotangent: Any) -> Any:
        if role.kind == "cache" and values.cache is None:
            return cache_for(self.node, role.name, values)
        return value_of_role(role, values, cotangent, self.roles)

    def _answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        call, handed = self._prepared(values, cotangent)
        seen = observe(call, self.origin.files, look)
        changed = changed_in(handed)
        if seen.error is not None:
            return Answer({}, seen.seen, seen.error, seen.error_line, changed, seen.notes)
        try:
            found = self.reader.read(seen.result, values.output, values.arguments)
        except CandidateError as error:
            return Answer({}, seen.seen, error, None, changed, seen.notes)
        return Answer(kept(found), seen.seen, None, None, changed, seen.notes)

    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run it once."""
        return self._answer(values, cotangent, look)

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """Run it twice: what it keeps between its calls is its own affair."""
        return self._answer(values, cotangent, False), self._answer(values, cotangent, False)


def arranged(signature: inspect.Signature, by_name: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The values of parameters as the arguments of a call: by position as far as none is left out."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    skipped = False
    for p in signature.parameters.values():
        if p.name not in by_name:
            skipped = skipped or p.kind is not p.KEYWORD_ONLY
        elif p.kind is p.VAR_POSITIONAL:
            args += [] if skipped else by_name[p.name].values()
        elif p.kind is p.VAR_KEYWORD:
            kwargs |= by_name[p.name]
        elif p.kind is p.KEYWORD_ONLY or skipped:
            kwargs[p.name] = by_name[p.name]
        else:
            args.append(by_name[p.name])
    return args, kwargs


def _called_in_report(role: Role) -> str:
    return COTANGENT + (f"_{role.name}" if role.name else "") if role.kind == "cotangent" else role.name


# ---- what the parameters stand for
def roles_of(
    function: Callable[..., Any], task: Task, node: ast.AST | None = None, skip: Sequence[str] = ()
) -> tuple[dict[str, Role], list[Message]]:
    """What each parameter of a function stands for, and what had to be assumed.

    Args:
        function: the function.
        task: what it is the backward pass of.
        node: its syntax.
        skip: parameters that are taken care of.

    Raises:
        CandidateError: where it cannot be told.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        text = message(
            "the parameters of {function} cannot be read: {error}.", function=repr(function), error=str(error)
        )
        raise CandidateError(text) from None
    choice = _Choice(task, [p for p in signature.parameters.values() if p.name not in skip])
    return choice.made()


class _Choice:
    """The parameters of a function and what they may stand for; the clearest cases are settled first."""

    def __init__(self, task: Task, parameters: Sequence[inspect.Parameter]) -> None:
        self.facts: Facts = task.facts
        self.task = task
        self.parameters = {p.name: p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        self.collecting = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.roles: dict[str, Role] = {}
        self.notes: list[Message] = []
        output = task.example.output
        self.results = len(output) if isinstance(output, tuple | list) else 1

    @property
    def open(self) -> list[str]:
        """The parameters that are not settled."""
        return [name for name in self.parameters if name not in self.roles]

    @property
    def free(self) -> list[str]:
        """The arguments of the forward function that no parameter stands for."""
        taken = {role.name for role in self.roles.values() if role.kind == "argument"}
        return [name for name in self.facts.arguments if name not in taken]

    def has_cotangent(self) -> bool:
        """Whether some parameter stands for the incoming gradient."""
        return any(role.kind == "cotangent" for role in self.roles.values())

    def made(self) -> tuple[dict[str, Role], list[Message]]:
        self._as_told()
        self._by_name()
        self._cotangents()
        self._computed()
        self._similar()
        self._eliminated()
        for p in self.collecting:
            self.roles[p.name] = Role("arguments")
        order = {p: k for k, p in enumerate([*self.parameters, *(p.name for p in self.collecting)])}
        return dict(sorted(self.roles.items(), key=lambda item: order[item[0]])), self.notes

    def _as_told(self) -> None:
        for name, meaning in self.task.names.items():
            if name in self.parameters:
                self.roles[name] = self._told(name, meaning)

    def _told(self, name: str, meaning: str) -> Role:
        if meaning in self.facts.arguments:
            return Role("argument", meaning)
        kinds = {COTANGENT: "cotangent", "output": "output", "cache": "cache"}
        if meaning in kinds:
            return Role(kinds[meaning])
        if meaning in self.facts.local:
            return Role("local", meaning)
        raise CandidateError(
            message(
                "names={names}: {meaning} is no argument and no variable of {function}. There are: {own}; and "
                "grad_output, output and cache.",
                names=repr({name: meaning}),
                meaning=meaning,
                function=self.facts.name,
                own=listed([*self.facts.arguments, *self.facts.local]),
            )
        )

    def _by_name(self) -> None:
        for name in self.open:
            if name in self.free:
                self.roles[name] = Role("argument", name)
        for name in self.open:
            if name in self.facts.local and not is_cotangent_name(name):
                self.roles[name] = Role("local", name)
        for name in self.open:
            several = len(self.free) > 1 and not any(alike(name, n) for n in self.free)
            required = self.parameters[name].default is inspect.Parameter.empty
            if several and required and plain(name) in MODEL_NAMES and matched(name, self.free, similar=False) is None:
                self.roles[name] = Role("model", name)
        for name in self.open:
            found = matched(name, self.free, similar=False)
            if found is not None:
                self.roles[name] = Role("argument", found)

    def _cotangents(self) -> None:
        if self.has_cotangent():
            return
        if self.results > 1:
            for name in self.open:
                for k, output in enumerate(self.facts.outputs):
                    for called in (name, _TIME.sub("", name)):  # dh, and dh_next
                        if output and is_cotangent_name(called, [output]) and plain(called).endswith(plain(output)):
                            self.roles[name] = Role("cotangent", str(k))
            if self.has_cotangent():
                return
        named = [n for n in self.open if is_cotangent_name(n, [o for o in self.facts.outputs if o])]
        outputs = [n for n in named if any(o and is_cotangent_name(n, [o]) for o in self.facts.outputs)]
        found = [n for n in named if n not in self.facts.local] or named
        if len(found) > 1 and len([n for n in found if n in outputs]) == 1:
            found = [n for n in found if n in outputs]
        if len(found) > 1:
            required = [n for n in found if self.parameters[n].default is inspect.Parameter.empty]
            found = required if len(required) == 1 else found
        if found:
            self.roles[found[0]] = Role("cotangent")

    def _computed(self) -> None:
        for name in self.open:
            if plain(name) in CACHE_NAMES and name not in self.facts.local:
                self.roles[name] = Role("cache", name)
        for name in self.open:
            found = name if name in self.facts.local else matched(name, self.facts.local, similar=False)
            if found is not None:
                self.roles[name] = Role("local", found)
        single = self.results == 1
        for name in self.open:
            if single and (name in self.facts.outputs or plain(name) in ("out", "output", "yhat", "result")):
                self.roles[name] = Role("output")

    def _similar(self) -> None:
        for name in self.open:
            found = [n for n in self.free if alike(n, name)]
            others = [n for n in self.open if n != name and found and alike(found[0], n)]
            if len(found) == 1 and not others:
                self.roles[name] = Role("argument", found[0])
        for name in self.open:
            found = [n for n in self.free if _begins(name, n)]
            others = [n for n in self.open if n != name and found and _begins(n, found[0])]
            if len(found) == 1 and not others:
                self.roles[name] = Role("argument", found[0])

    def _eliminated(self) -> None:
        """Settle what is left by elimination, and by order where that leaves one reading."""
        for name in self.open:
            if self.parameters[name].default is not inspect.Parameter.empty:
                self.roles[name] = Role("default")
        left, free = self.open, [n for n in self.free if n in self.facts.floats] or self.free
        if not left:
            return
        if not self.has_cotangent() and len(left) == 1:
            self._assume(left[0], Role("cotangent"), COTANGENT)
            return
        output = [n for n in left if plain(n) in OUTPUT_NAMES]
        if len(left) == len(output) == 1 and not free:
            self._assume(left[0], Role("output"), "output")
            return
        if self.has_cotangent() and len(left) == len(free):
            for name, argument in zip(left, free, strict=True):
                self._assume(name, Role("argument", argument), argument)
            return
        raise self._refused(left)

    def _assume(self, name: str, role: Role, meaning: str) -> None:
        self.roles[name] = role
        self.notes.append(message("Its parameter {name} is taken for {meaning}.", name=name, meaning=meaning))

    def _refused(self, left: Sequence[str]) -> CandidateError:
        said = {n: _called_in_report(r) or r.kind for n, r in self.roles.items() if r.kind != "default"}
        understood = [message("{name} is {meaning}", name=n, meaning=meaning) for n, meaning in said.items()]
        unclear = plural(
            "it cannot be told what {names} stands for.", "it cannot be told what {names} stand for.", len(left),
            names=listed(left),
        )  # fmt: skip
        function, local = self.facts.name, listed(self.facts.local)
        has = [message("{function} has the arguments {names}.", function=function, names=listed(self.facts.arguments))]
        has += [message("Its variables are {names}.", names=local)] if local else []
        instead = message(
            "Instead: use these names, and {cotangent} for the incoming gradient; or say names={names}.",
            cotangent=COTANGENT, names="{" + ", ".join(f'"{n}": "…"' for n in left) + "}",
        )  # fmt: skip
        known = [message("Understood: {understood}.", understood=listed(understood))] if understood else []
        return CandidateError(in_lines([unclear, *known, *has, instead]))


def _begins(one: str, other: str) -> bool:
    """Whether one name begins with the other, with a word's end behind it: ``x_in`` and ``x``."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    rest = long[len(short) :]
    return long.startswith(short) and (not rest or rest[0] == "_" or len(short) > 1)


# ---- caches that the forward function does not return
def cache_for(node: ast.AST | None, parameter: str, values: ForwardValues) -> Any:
    """A cache as the candidate takes it apart: a tuple in the order of its names, else a dict of all that is known.

    Raises:
        CandidateError: where a name in it is not known.
    """
    known: dict[str, Any] = {**values.local, **values.arguments}
    known.setdefault("output", values.output)
    unpacked = _unpacked(node, parameter)
    if unpacked is None:
        return Known(known)
    found = []
    for name in unpacked:
        match = matched(name, list(known))
        if match is None:
            raise CandidateError(
                message(
                    "it takes {name} out of {parameter}, and the forward function has no argument or variable of that "
                    "name.\n  Instead: let the forward function return a result and a cache, or use its names.",
                    name=name,
                    parameter=parameter,
                )
            )
        found.append(known[match])
    return tuple(found)


class Known(dict[str, Any]):
    """Values by name, found under names in other case too."""

    def __missing__(self, key: str) -> Any:
        found = matched(key, list(self)) if isinstance(key, str) else None
        if found is None:
            raise KeyError(key)
        return self[found]


def _unpacked(node: ast.AST | None, parameter: str) -> list[str] | None:
    """The names that a parameter is unpacked to: ``x, W, b = cache``."""
    for inner in ast.walk(node) if node is not None else ():
        if not isinstance(inner, ast.Assign) or not isinstance(inner.value, ast.Name) or inner.value.id != parameter:
            continue
        target = inner.targets[0]
        if isinstance(target, ast.Tuple | ast.List) and all(isinstance(e, ast.Name) for e in target.elts):
            return [e.id for e in target.elts if isinstance(e, ast.Name)]
    return None
