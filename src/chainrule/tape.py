"""The tape: what is written down while a function runs, and the function that writes it.

A tape numbers its variables.  ``values[v]`` is the array that variable ``v`` held and each entry of
``steps`` is a tuple ``(operation, inputs, params, outputs, code, offset)`` in which an input is a
variable number or a literal with its type.  Raw tuples, because writing a step down must cost
about as much as a small NumPy call; :meth:`chainrule.trace.program_of` makes the readable records.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType
from typing import Any, NoReturn

import numpy as np

from chainrule.errors import ChainruleError, LinkLostError, NotDifferentiableError
from chainrule.failures import explained, refusal
from chainrule.indexing import get_item
from chainrule.ops import Operation
from chainrule.positions import is_internal, locate, outermost, user_frame
from chainrule.sizes import Size, SizeFloat, SizeFloat64, plain_number
from chainrule.watch import fingerprint, words

__all__ = [
    "Handle",
    "Tape",
    "ViewLink",
    "current_tape",
    "here",
    "install",
    "layout_of",
    "record",
    "refused",
    "sync",
    "write",
]

Input = int | tuple[Any, Any]
StepTuple = tuple[Operation, tuple[Input, ...], dict[str, Any], Any, CodeType | None, int]

_SIZES = (Size, SizeFloat, SizeFloat64)
_LITERALS = frozenset((int, float, complex, bool, type(None)))
_thread = threading.get_ident
_NOWHERE: tuple[CodeType | None, int] = (None, 0)
_LARGE = 1024  # constants with more elements than this are watched for changes rather than copied


class _Current(threading.local):
    tape: Tape | None = None


_current = _Current()


def current_tape() -> Tape | None:
    """The tape that this thread is writing, if any."""
    return _current.tape


class Tape:
    """The record of one traced call.

    Args:
        names: note the names of the variables that hold stand-ins, for a readable record.
        located: note where each step stands in the user's source.  Numbers alone do not need it.
        loops: note which steps belong to which turn of which ``for``.
    """

    __slots__ = (
        "always_one", "closed", "constants", "containers", "counts", "depth", "facts", "guards", "inputs", "items",
        "iterated", "leaves", "loops", "measured", "names", "open", "origin", "outer", "prefix", "ranges",
        "refusals", "removed", "shared", "steps", "texts", "thread", "top", "unsure", "values", "watched",
    )  # fmt: skip

    def __init__(self, *, names: bool = False, located: bool = False, loops: bool = False) -> None:
        self.values: list[Any] = []
        self.steps: list[StepTuple] = []
        self.inputs: list[int] = []
        self.leaves: list[int] = []  # variables that no step makes
        self.constants: dict[int, tuple[int, Any]] = {}
        self.watched: list[tuple[np.ndarray[Any, Any], bytes]] = []
        self.guards: list[tuple[int, Any, CodeType | None, int]] = []  # where a value decided what was traced
        self.measured: dict[tuple[CodeType | None, int], list[tuple[Any, ...]]] = {}  # where lengths did, and what
        self.iterated: dict[int, tuple[int, int]] = {}  # the items of vectors that were gone through, with their places
        self.counts: list[Any] = []  # how many turns the loops have that are written out
        self.unsure = False  # whether a length may have become a plain number, or a number of steps
        self.names: dict[int, str] | None = {} if names else None
        # The place of the steps that are written; None where each step asks the user's frame.
        self.origin: tuple[CodeType | None, int] | None = None if names or located else _NOWHERE
        self.refusals: list[ChainruleError] = []
        self.ranges: dict[int, tuple[range, tuple[Any, ...]]] = {}  # the sizes in them, which range forgets
        self.texts: set[str] = set()  # the words of what followed values were formatted as
        self.shared: set[int] = set()  # variables whose memory others hold too, so that writes would be missed
        self.always_one: Callable[[int, int], bool] | None = None  # tells axes of length 1, whatever the sizes
        self.loops: list[Any] | None = [] if loops else None
        self.items: dict[int, tuple[int, str, Any, int]] = {}  # the lists of the arguments, and what lengths are called
        self.containers: dict[int, tuple[CodeType, str, Any]] = {}  # lists that the user's names hold, by the object
        self.facts: dict[int, frozenset[str]] = {}  # what the reader assumes of variables
        self.top: Any = None  # with names, the frame of the function that is traced, from its first step on
        self.prefix = "d"  # what stands in front of a name in the name of its cotangent or tangent
        self.removed: set[int] = set()  # variables whose steps became part of a loop
        self.open: list[Any] = []  # the loops that are running, outermost first
        self.depth, self.thread = 0, threading.get_ident()
        self.closed = False
        self.outer: Tape | None = None

    def __enter__(self) -> Tape:
        self.outer = _current.tape
        _current.tape = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.tape = self.outer
        self.closed = True

    def input(self, value: Any, *, active: bool) -> Traced:
        """A fresh variable for an argument of the traced function."""
        variable = len(self.values)
        self.values.append(value)
        self.inputs.append(variable)
        self.leaves.append(variable)
        return Traced(self, variable, value, active)

    def constant(self, array: np.ndarray[Any, Any]) -> int:
        """The variable of a plain array that was met; the same array gives the same variable."""
        known = self.constants.get(id(array))
        if known is not None and (array.size > _LARGE or self.values[known[0]].tobytes() == array.tobytes()):
            return known[0]
        if array.dtype == object:
            raise refused(
                NotDifferentiableError,
                "an array of Python objects (dtype=object) was met",
                "NumPy calls Python for each of its elements, so no rule applies to it",
                "use a float array; for ragged data keep a list of arrays",
            )
        variable = len(self.values)
        if array.size > _LARGE:
            self.watched.append((array, fingerprint(array)))
            self.values.append(array)
        else:
            self.values.append(np.copy(array))
        self.leaves.append(variable)
        self.constants[id(array)] = (variable, array)
        return variable

    def check_watched(self) -> None:
        """Raise if a plain array that the function used has been changed while it ran."""
        for array, before in self.watched:
            if fingerprint(array) != before:
                raise refused(
                    LinkLostError,
                    "a plain array of shape {shape} was used and then changed in place",
                    "its earlier values are needed for the backward pass and are gone",
                    "make the array inside the function, pass it as an argument, or change a copy of it",
                    shape=array.shape,
                )

    def remember(self, text: str) -> None:
        """Note a text that was made from followed values."""
        self.texts.update(words(text))

    def has_written(self, text: str) -> bool:
        """Whether a text holds a number that a followed value was formatted as."""
        return not self.texts.isdisjoint(words(text))

    def guard(self, traced: Traced, value: Any) -> None:
        """Note that the Python value of ``traced`` decided what was traced."""
        if not self.closed:
            code, offset = here() if self.origin is None else self.origin
            self.guards.append((traced.variable, value, code, offset))


class ViewLink:
    """How a followed array is a view of another: written through when it is written."""

    __slots__ = ("arrays", "base", "operation", "params", "root", "seen")

    def __init__(self, base: Traced, operation: Operation, arrays: tuple[Any, ...], params: dict[str, Any]) -> None:
        self.base = base
        self.operation = operation
        self.arrays = arrays
        self.params = params
        link = base.link
        self.root: Traced = base if link is None else link.root
        self.seen: int = self.root.version


def layout_of(x: Any) -> np.ndarray[Any, Any]:
    """An array that lies in memory as NumPy's array for ``x`` would; its values mean nothing.

    Whether ``reshape`` gives a view or a copy depends on nothing else.
    """
    value: np.ndarray[Any, Any] = x.value
    strides = x.layout
    if strides is None or value.size == 0:
        return value
    below = sum((n - 1) * s for n, s in zip(value.shape, strides, strict=True) if s < 0)
    above = sum((n - 1) * s for n, s in zip(value.shape, strides, strict=True) if s > 0)
    memory = np.empty(above - below + value.itemsize, np.uint8)
    return np.ndarray(value.shape, value.dtype, memory, -below, strides)


class Handle:
    """The state of a stand-in: a mutable handle on the latest variable that it holds.

    Attributes:
        tape: the tape it is written on.
        variable: the number of the variable that it holds now.
        value: that variable's concrete value.
        active: whether the value depends on a differentiable input.
        owned: nobody else refers to ``value``, so it may be written in place.
        link: what it is a view of, if it is one.
        version: how often it, or a view of it, has been written.
        layout: the strides of NumPy's array, where the value is held in a copy that is laid out otherwise.
    """

    __slots__ = ("active", "layout", "link", "owned", "tape", "value", "variable", "version")

    tape: Tape
    variable: int
    value: Any
    active: bool
    owned: bool
    link: ViewLink | None
    version: int
    layout: tuple[int, ...] | None

    def __init__(self, tape: Tape, variable: int, value: Any, active: bool) -> None:
        self.tape = tape
        self.variable = variable
        self.value = value
        self.active = active
        self.owned = False
        self.link = None
        self.version = 0
        self.layout = None


# ``Traced`` is the class users meet; it adds NumPy's protocols to ``Handle`` and is defined in
# ``traced``, which sits above.  The functions here only need to recognise and make it.
Traced: Any = Handle
_convert: Callable[[Any], Any] = lambda x: x  # noqa: E731  replaced by ``install``


def install(traced: type[Handle], convert: Callable[[Any], Any]) -> None:
    """Tell this module the stand-in's class, and how a list becomes a followed array."""
    global Traced, _convert
    Traced = traced
    _convert = convert


def here() -> tuple[CodeType, int]:
    """The running instruction of the innermost frame of the user's."""
    frame = user_frame(2)
    return frame.f_code, frame.f_lasti


def refused(kind: type[ChainruleError], met: str, why: str, instead: str, /, **values: Any) -> ChainruleError:
    """The error for something that cannot be followed, made of templates: what, why, and what to write instead."""
    error = kind(refusal(met, why, instead, locate(*here()).pointer(), values))
    tape = _current.tape
    if tape is not None and not isinstance(error, AttributeError):  # attributes are asked for with hasattr
        tape.refusals.append(error)
    return error


def sync(x: Any) -> None:
    """Bring a view up to date with what has been written to the array it is a view of."""
    link = x.link
    if link is None or link.seen == link.root.version:
        return
    base = link.base
    sync(base)
    if x.tape.closed:
        x.value = link.operation.function(base.value, *[getattr(a, "value", a) for a in link.arrays], **link.params)
        link.seen = link.root.version
        return
    version, owned = link.root.version, base.owned
    strides = x.layout or getattr(x.value, "strides", None)
    fresh = record(link.operation, (base, *link.arrays), link.params)
    x.variable, x.value, x.active, x.owned = fresh.variable, fresh.value, fresh.active, False
    if owned and link.operation.function is get_item:
        x.value = x.tape.values[x.variable] = np.copy(x.value)
        base.owned = True
    x.layout = None if strides == getattr(x.value, "strides", None) else strides
    link.seen = version


def _operand(tape: Tape, x: Any) -> tuple[Input, Any, bool]:
    """Input, value and activity of an operand that is neither a stand-in nor a plain literal."""
    if isinstance(x, np.ndarray):
        if type(x) is not np.ndarray and isinstance(x, np.ma.MaskedArray | np.matrix):
            raise refused(
                NotDifferentiableError,
                "a {kind} was met",
                "its operators do not mean what an array's do",
                "use a plain array (np.asarray(m)), and np.where for a mask",
                kind=type(x).__name__,
            )
        variable = tape.constant(x)
        return variable, tape.values[variable], False
    if isinstance(x, np.generic) or type(x) in _SIZES:
        return (x, type(x)), plain_number(x), False
    if isinstance(x, list | tuple):
        converted = _convert(x)
        if type(converted) is Traced:
            return converted.variable, converted.value, converted.active
        variable = tape.constant(converted)
        return variable, tape.values[variable], False
    return (x, type(x)), x, False


def _refuse_another_tape() -> NoReturn:
    raise refused(
        LinkLostError,
        "followed values of two traced calls met, or one was used in another thread, or written after its call had "
        "ended",
        "each traced call has its own tape; the value was stored somewhere (a global, an attribute, a list)",
        "return the value from the function (has_aux=True returns extra results) or store np.array(...) outside of it",
    )


def record(
    operation: Operation,
    operands: tuple[Any, ...],
    params: dict[str, Any],
    evaluate: Callable[..., Any] | None = None,
) -> Any:
    """Evaluate ``operation`` on the operands' values, write the step down and return its stand-in.

    An operation with several outputs gives a tuple of stand-ins.
    """
    tape: Any = None
    inputs: list[Any] = []
    values: list[Any] = []
    active = later = False
    for x in operands:
        kind = type(x)
        if kind is Traced:
            link = x.link
            if link is not None and link.seen != link.root.version:
                sync(x)
            if tape is not x.tape:
                if tape is not None or x.tape.closed:
                    return _afterwards(operation, operands, params, evaluate)
                tape = x.tape
            x.owned = False
            inputs.append(x.variable)
            values.append(x.value)
            if x.active:
                active = True
        elif kind in _LITERALS:
            # The type tells 2 from 2.0 and True where traces are compared; zeros also by their sign.
            inputs.append((x, kind) if x or kind is not float else (x, repr(x)))
            values.append(x)
        else:
            later = True
            inputs.append(x)
            values.append(x)
    if tape is None:
        tape = _current.tape
    if tape.thread != _thread():
        _refuse_another_tape()
    if later:
        for k, x in enumerate(operands):
            if type(x) is not Traced and type(x) not in _LITERALS:
                inputs[k], values[k], also = _operand(tape, x)
                active = active or also
    try:
        out = evaluate(*values, **params) if evaluate is not None else operation.function(*values, **params)
    except ChainruleError:
        raise
    except Exception as error:
        raise explained(error, operation, operands, values) from None
    kind = type(out)
    if tape.origin is None or isinstance(out, tuple):
        return write(tape, operation, inputs, params, out, active)
    # The same as ``write``, for one output and a place that is known: this is the path that must be short.
    held = tape.values
    variable = len(held)
    held.append(out)
    tape.steps.append((operation, tuple(inputs), params, variable, *tape.origin))
    if active and (operation.kind == "constant" or not _floating(out)):
        active = False
    return Traced(tape, variable, out, active)


def _afterwards(operation: Operation, operands: Any, params: dict[str, Any], evaluate: Any) -> Any:
    """An operation on values of a trace that has ended, such as a running mean: they are constants now."""
    plain = tuple([x.value if type(x) is Traced and x.tape.closed else x for x in operands])
    tapes = {id(x.tape) for x in plain if type(x) is Traced}
    if len(tapes) > 1:
        _refuse_another_tape()
    if tapes or _current.tape is not None:
        return record(operation, plain, params, evaluate)
    return (evaluate or operation.function)(*plain, **params)


def _floating(out: Any) -> bool:
    """Whether a value has a derivative."""
    dtype = getattr(out, "dtype", None)
    return isinstance(out, float | complex) if dtype is None else dtype.kind in "fc"


def write(tape: Tape, operation: Operation, inputs: Any, params: dict[str, Any], out: Any, active: bool) -> Any:
    """Write down a step that has been evaluated already."""
    origin = tape.origin
    if origin is None:
        frame = sys._getframe(2)
        while is_internal[frame.f_code.co_filename]:
            frame = frame.f_back  # type: ignore[assignment]
        code: CodeType | None = frame.f_code
        offset = frame.f_lasti
        if tape.names is not None:
            observe(tape, tape.names, frame)
        if tape.depth:
            offset = ~offset
    else:
        code, offset = origin
    if operation.kind == "constant":
        active = False
    values = tape.values
    variable = len(values)
    if isinstance(out, tuple):
        values.extend(out)
        outputs = tuple(range(variable, variable + len(out)))
        tape.steps.append((operation, tuple(inputs), params, outputs, code, offset))
        made = tuple([Traced(tape, v, o, active and _floating(o)) for v, o in zip(outputs, out, strict=True)])
        return made if type(out) is tuple else type(out)(*made)  # np.linalg.eigh(a).eigenvalues
    values.append(out)
    tape.steps.append((operation, tuple(inputs), params, variable, code, offset))
    return Traced(tape, variable, out, active and _floating(out))


def observe(tape: Tape, names: dict[int, str], frame: Any) -> None:
    """Note the names under which the frame's variables hold stand-ins, and lists and dictionaries that may."""
    if tape.top is None:
        tape.top = outermost(frame)
    # What a helper calls x is no x where the function that is traced has another one.
    own = () if frame is tape.top else tape.top.f_code.co_varnames
    for name, held in list(frame.f_locals.items()):
        kind = type(held)
        if kind is Traced:
            if held.tape is tape and name not in own:
                names.setdefault(held.variable, name)
        elif kind is list or kind is dict:
            tape.containers.setdefault(id(held), (frame.f_code, name, held))
