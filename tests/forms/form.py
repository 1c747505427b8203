"""Forms: forward passes in plain NumPy, each with the backward pass that an expert writes by hand.

They say how short a backward pass can be.  A form is a subclass of ``Form`` that is used as a namespace::

    class Softmax(Form):
        title, group = "Softmax of rows", "softmax"
        wrt = "X"
        ref = "Bridle 1990"

        @staticmethod
        def make(random):
            return dict(X=random.standard_normal((5, 4)))

        @staticmethod
        def forward(X):
            E = np.exp(X - X.max(1, keepdims=True))
            return E / E.sum(1, keepdims=True)

        @staticmethod
        def expert(X):
            E = np.exp(X - X.max(1, keepdims=True))
            P = E / E.sum(1, keepdims=True)
            g = yield P
            return dict(X=P * (g - (g * P).sum(1, keepdims=True)))

The expert is a generator.  What it does up to the ``yield`` is the forward pass, which saves what it likes but executes
no more array operations than ``forward``.  It yields the result, receives the cotangent (``None`` for a scalar loss,
whose cotangent is 1) and returns the gradients by name.  What it does after the ``yield`` is the backward pass, and the
array operations of it are the yardstick; ``tests.forms.counting`` defines the unit.

An expert may overwrite its own intermediate values, as people do, but neither the inputs nor the results.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tests.forms.counting import Recorder, unwrap

__all__ = [
    "ASSUMED",
    "FORMS",
    "Counts",
    "Form",
    "cotangent",
    "count_expert",
    "count_function",
    "forms",
    "inputs",
    "run_expert",
    "score",
]

FORMS: dict[str, type[Form]] = {}
"""The forms of the modules that have been imported, by ``id``; ``forms()`` imports them all."""

ASSUMED: dict[str, Mapping[str, Any]] = {
    "held_maxout_classifier": {"Y": "distribution", "X": "no_ties"},
    "held_one_hot_built_inside": {"T": "one_hot"},
    "held_focal_loss_on_logits": {"y": "binary"},
    "held_maxpool_of_strided_slices": {"x": "no_ties"},
    "held_tsne_kl": {"P": ("symmetric", "joint_distribution")},
    "held_metric_stress": {"d": "nonzero"},
    "held_spring_network_energy": {"length": "nonzero"},
    "held_gaussian_by_slogdet_and_solve": {"Sigma": "symmetric"},
    "held_wishart_log_density": {"V": "symmetric"},
    "held_kalman_step_likelihood": {"P": "symmetric", "Q": "symmetric", "R": "symmetric"},
}
"""What ``write`` may assume of held forms, by ``id``, as their titles say; of others they say so themselves."""

Counts = dict[str, Any]


class Form:
    """A forward pass and the backward pass that an expert writes; the docstring of the module shows one.

    ``needs`` names the rewrites that lead from mechanical reverse mode to the expert's backward pass:

    ===== ====================================================================================
    OUT   a derivative written with a saved forward value; values shared with the forward pass
    SEED  a cotangent of 1, and no arrays of ones or zeros: a mean becomes a number 1 / n
    SCAL  numbers and signs collected into one factor on the smallest array
    MM    transposes moved through matrix products; sums of broadcast products as products
    UNB   sums that undo broadcasting dropped, merged or shared
    FACT  common factors taken out, also of matrix products
    CANC  ``x * (1 / x)``, ``exp`` of ``log`` and quotients cancelled between the two passes
    SMAX  the softmax family: no gradient through the shift, ``P * (g - (g * P).sum())``
    MEAN0 the normalisation family: centred values have a mean of zero
    SIG   identities of the logistic function
    MASK  ``maximum``, ``where``, ``abs`` and ``clip`` as one mask
    SCAT  a gather undone by one scatter, into an array that exists
    SYM   facts of linear algebra: a factor or a solution reused, symmetry
    CAT   ``split``, ``concatenate``, ``stack`` and windows undone in one piece
    ZERO  terms that vanish by structure
    ASM   a fact about the inputs, which ``assumes`` states
    ===== ====================================================================================
    """

    title: ClassVar[str] = ""
    group: ClassVar[str] = ""
    """The family, for tables."""
    ref: ClassVar[str] = ""
    """Where the backward pass is derived or stated."""
    wrt: ClassVar[str] = ""
    """The inputs to differentiate with respect to, separated by blanks."""
    needs: ClassVar[str] = ""
    assumes: ClassVar[str] = ""
    """Facts about the inputs that the expert uses; empty for none."""
    assume: ClassVar[Mapping[str, Any]] = {}
    """The same for ``chainrule.write``, by the name of an argument or of a variable of ``forward``."""
    stretch: ClassVar[bool] = False
    """Whether it takes insight into linear algebra that few simplifiers have."""

    id: ClassVar[str]
    names: ClassVar[list[str]]
    held: ClassVar[bool]
    """Whether the form is for measuring only, in a module ``held_…``: nobody develops the simplifier against it."""

    make: ClassVar[Callable[[np.random.Generator], dict[str, Any]]]
    """The inputs, in the order of the parameters of ``forward``."""
    forward: ClassVar[Callable[..., Any]]
    expert: ClassVar[Callable[..., Generator[Any, Any, dict[str, Any]]]]

    def __init_subclass__(cls) -> None:
        cls.held = cls.__module__.rpartition(".")[2].startswith("held_")
        # Who writes held forms does not look at the others, and may well meet a name twice.
        cls.id = "held_" * cls.held + re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.names = cls.wrt.split()
        cls.assume = ASSUMED.get(cls.id, cls.assume)
        # Two forms of one name would hide one of them from every test and every table.
        if cls.id in FORMS:
            raise ValueError(f"two forms are called {cls.id}: in {FORMS[cls.id].__module__} and in {cls.__module__}")
        FORMS[cls.id] = cls


def forms() -> dict[str, type[Form]]:
    """All forms of this package, by ``id``: imports its modules, each of which registers its own."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("test_"):
            importlib.import_module(f"{package}.{module.name}")
    return FORMS


def inputs(form: type[Form], seed: int = 0) -> dict[str, Any]:
    """The inputs of a form, by name."""
    return form.make(np.random.default_rng(seed))


def cotangent(result: Any, seed: int = 0) -> Any:
    """A random cotangent of a result; ``None`` for a scalar loss, whose cotangent is 1."""
    random = np.random.default_rng(1000 + seed)
    if isinstance(result, tuple):
        return tuple(random.standard_normal(np.shape(part)) for part in result)
    return None if np.ndim(result) == 0 else random.standard_normal(np.shape(result))


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _finish(passes: Generator[Any, Any, dict[str, Any]], received: Any) -> dict[str, Any]:
    """The gradients that an expert returns on receiving the cotangent."""
    try:
        passes.send(received)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("an expert yields once, the result of the forward pass, and then returns the gradients")


def run_expert(form: type[Form], values: Mapping[str, Any], seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The result and the gradients of the expert's passes."""
    passes = form.expert(**{name: _copy(value) for name, value in values.items()})
    result = next(passes)
    return result, _finish(passes, cotangent(result, seed))


def count_expert(form: type[Form], seed: int = 0) -> Counts:
    """What the expert's passes execute: the operations forward, and those backward with more about them."""
    with Recorder() as recorder:
        passes = form.expert(**{name: recorder.wrap(_copy(value)) for name, value in inputs(form, seed).items()})
        result = next(passes)
        start = recorder.mark()
        _finish(passes, recorder.wrap(cotangent(unwrap(result), seed)))
    return {
        "forward": recorder.operations(stop=start),
        "backward": recorder.operations(start),
        "flops": recorder.flops(start),
        "bytes": recorder.bytes(start),
        "scalars": recorder.scalars(start),
        "names": recorder.names(start),
    }


def count_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Counts:
    """What any function of NumPy arrays executes, source that chainrule has written included."""
    with Recorder() as recorder:
        function(
            *[recorder.wrap(_copy(value)) for value in args],
            **{name: recorder.wrap(_copy(value)) for name, value in kwargs.items()},
        )
    return {
        "operations": recorder.operations(),
        "flops": recorder.flops(),
        "bytes": recorder.bytes(),
        "scalars": recorder.scalars(),
        "names": recorder.names(),
    }


def _parts(result: Any) -> Sequence[Any]:
    return result if isinstance(result, tuple) else (result,)


def score(form: type[Form], function: Callable[..., Any], seed: int = 0) -> Counts:
    """Whether somebody else's passes are right, and how many operations they take beyond the forward pass.

    ``function(*inputs)`` returns the loss and the gradients; where the result is no scalar, ``function(*inputs, g)``
    returns the result and the gradients.  The gradients are a dictionary by name, or a sequence in the order of
    ``form.names``.
    """
    values = inputs(form, seed)
    result, wanted = run_expert(form, values, seed)
    received = cotangent(result, seed)
    with Recorder() as recorder:
        args = [recorder.wrap(_copy(value)) for value in values.values()]
        if received is not None:
            args.append(recorder.wrap(received))
        found_result, found = unwrap(function(*args))
    found = found if isinstance(found, dict) else dict(zip(form.names, found, strict=True))
    right = all(
        np.shape(found[name]) == np.shape(wanted[name])
        and np.allclose(found[name], wanted[name], rtol=1e-8, atol=1e-10)
        for name in form.names
    ) and all(np.allclose(a, b) for a, b in zip(_parts(found_result), _parts(result), strict=True))
    forward = count_function(form.forward, **values)["operations"]
    return {
        "ok": right,
        "ops": recorder.operations() - forward,
        "expert_ops": count_expert(form, seed)["backward"],
        "flops": recorder.flops(),
        "bytes": recorder.bytes(),
        "forward_ops": forward,
    }
