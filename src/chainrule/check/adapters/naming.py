"""How people name things in backward passes: arguments, gradients, the incoming gradient, caches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

__all__ = [
    "CACHE_NAMES",
    "MODEL_NAMES",
    "OUTPUT_NAMES",
    "alike",
    "gradient_target",
    "gradient_words",
    "is_cotangent_name",
    "is_rate_name",
    "matched",
    "one_to_one",
    "plain",
    "short_name",
]

# What the gradient of the loss with respect to the output is called, in lower case and without underscores.
_COTANGENTS = frozenset(
    "g grad gradoutput gradoutputs gradout gradouts outgrad outgrads outputgrad outputgradient outputgradients "
    "gradient gradients upstream upstreamgrad upstreamgradient upstreamgradients gradupstream dupstream incoming "
    "incominggrad incominggradient gradin "
    "dout douts doutput doutputs dy dz da dh do dl do dloss delta deltas deltanext nextgrad nextdelta dnext gradnext "
    "dvalue dvalues topdiff topgrad cotangent cotangents ct seed gy gz gh gout goutput gradtop error errorsignal err "
    "accumgrad dlossdout dldout dldoutput dldy dldz dlda dldh dlossdy djdy djdout dedy dedout dprev backwardgrad vbar "
    "ybar outbar ograd downstream sensitivity up dup chain gradloss lossgrad dscores dlogits dprobs dpred dyhat".split()
)
# A parameter that holds all arrays of a model by name.
MODEL_NAMES = frozenset("parameters params param weights theta model net network p args arguments inputs".split())
CACHE_NAMES = frozenset("cache caches saved savedvalues memory residuals res tape store stash forwardcache ctx".split())
OUTPUT_NAMES = frozenset("out output outputs y yhat ypred result results a z h pred preds probs p prediction".split())
_RATES = frozenset("lr learningrate rate eta alpha stepsize step".split())

# Names that stand for the same thing.
_GROUPS = tuple(
    frozenset(group.split())
    for group in (
        "x xinput xin input inputs inp inputdata features image images img aprev prev hprevious xs data activations "
        "inputtensor inputx",
        "w ws weight weights kernel kernels filter filters theta weightmatrix mat",
        "b bs bias biases offset intercept biasvector",
        "gamma scale g",
        "beta shift",
        "t y target targets label labels ytrue truth gt groundtruth tgt",
        "p pred preds yhat ypred prediction predictions output logits scores probs",
        "q query queries",
        "k key keys",
        "v value values",
        "e emb embedding embeddings table",
        "h hprev hidden state h0 prevh hiddenstate",
        "c cprev cell cellstate prevc",
        "idx index indices ids tokens",
        "m mask",
        "z preactivation preact",
        "a activation act",
    )
)
_PREFIXES = (
    "gradients_wrt_", "gradient_wrt_", "grad_wrt_", "gradient_of_", "gradients_", "gradient_", "grads_", "grad_",
    "Grad_",
    "dLoss_d", "dloss_d", "dLossd", "dlossd", "dloss", "dLoss", "derr_d", "derrd", "dcost_d", "dcostd", "dL_d", "dl_d",
    "dLd", "dld", "dJ_d", "dJd", "dC_d", "dCd", "dE_d", "dEd", "delta_", "Delta_", "nabla_", "nabla", "delta", "dL_",
    "dL", "grad", "Grad", "G_", "g_", "d_", "D_", "d", "D", "g", "G", "\N{PARTIAL DIFFERENTIAL}", "\N{NABLA}",
)  # fmt: skip
_SUFFIXES = (
    "_gradients", "_gradient", "_grads", "_grad", ".gradient", ".grad", "_bar", "_delta", "Gradient", "Grad", "grad",
    "bar", "_d", "_g",
)  # fmt: skip
_OF_SOMETHING = re.compile(r"d_?[A-Za-z][A-Za-z0-9]*_d_?(?P<rest>\w+)")  # dj_dw, dcost_dW1
_SHORT = re.compile(r"""^(?:.*\[\s*['"]?(?P<key>\w+)['"]?\s*\]|(?:.*\.)?(?P<name>\w+))$""")


def plain(name: str) -> str:
    """A name in lower case and without underscores."""
    return name.replace("_", "").lower()


@lru_cache(maxsize=4096)
def alike(one: str, other: str) -> bool:
    """Whether two names usually stand for the same thing: ``W1`` and ``weights1``."""
    left, right = _split(one), _split(other)
    return left[1] == right[1] and any(left[0] in group and right[0] in group for group in _GROUPS)


def _split(name: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.*?)(\d*)", plain(name))
    assert found is not None
    return found[1], found[2]


def is_cotangent_name(name: str, outputs: Sequence[str] = ()) -> bool:
    """Whether a name is one for the gradient with respect to the output.

    Args:
        name: the name.
        outputs: what the forward pass calls its outputs.
    """
    return plain(name) in _COTANGENTS or gradient_target(name, outputs, strict=True) is not None


def is_rate_name(name: str) -> bool:
    """Whether a name is one for a learning rate."""
    return plain(name) in _RATES


def matched(name: str, known: Iterable[str], *, similar: bool = True) -> str | None:
    """The known name that is meant: itself, else in other case, else one that stands for the same thing."""
    known = list(known)
    if name in known:
        return name
    for found in (
        [k for k in known if plain(k) == plain(name)],
        [k for k in known if similar and alike(k, name)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def gradient_words(name: str) -> int:
    """How clearly a name says that it is a gradient: the smaller, the clearer; ``delta_W`` may be an update."""
    short = short_name(name).lower()
    return 0 if short[:1] == "d" and not short.startswith("delta") else 1 if "grad" in name.lower() else 2


def gradient_target(name: str, targets: Sequence[str], *, strict: bool = False, similar: bool = True) -> str | None:
    """What a variable of this name is the gradient of: ``W3`` for ``dW3``, ``grad_w3``, ``W3_grad``, ``grads["W3"]``.

    Args:
        name: the name, or how the value is reached: ``self.grads["W3"]``.
        targets: what it may be the gradient of.
        strict: whether the name must say that it is a gradient; else ``W3`` itself, or a synonym, will do.
        similar: whether names that stand for the same thing will do.
    """
    return _target(name, tuple(targets), strict, similar)


@lru_cache(maxsize=4096)  # a line in a loop is met in every turn, and a candidate is run hundreds of times
def _target(name: str, targets: tuple[str, ...], strict: bool, similar: bool) -> str | None:
    stems = list(_stems(name))
    for loosely in (False, True) if similar else (False,):
        for stem in stems:
            found = matched(stem, targets, similar=loosely)
            if found is not None:
                return found
    if strict:
        return None
    short = short_name(name)
    return matched(short, targets)


def short_name(name: str) -> str:
    """The last part of a path: ``W`` of ``self.grads["W"]``."""
    found = _SHORT.match(name)
    return (found["key"] or found["name"]) if found else name


def _stems(name: str) -> Iterable[str]:
    """What is left of a name without what says that it is a gradient."""
    short = short_name(name)
    if name.endswith((".grad", ".gradient")):
        yield short_name(name.rpartition(".")[0])
        return
    inner = name.rpartition("[")[0]
    if inner and name.endswith("]") and re.search(r"(?i)(grad|delta|nabla|^d|\.d|^g$)", inner):
        yield short  # grads["W"]
    quotient = _OF_SOMETHING.fullmatch(short)
    if quotient:
        yield quotient["rest"]
    for prefix in _PREFIXES:
        rest = short.removeprefix(prefix)
        if rest != short and rest and (rest[0] != "_" or len(rest) > 1):
            yield rest.lstrip("_") or rest
    for suffix in _SUFFIXES:
        rest = short.removesuffix(suffix)
        if rest != short and rest:
            yield rest.rstrip("_") or rest


def one_to_one(names: Sequence[str | None], targets: Sequence[str]) -> Mapping[int, str] | None:
    """Per position the target that its name is the gradient of, where all have one and no two the same."""
    found: dict[int, str] = {}
    for position, name in enumerate(names):
        target = None if name is None else gradient_target(name, targets)
        if target is None or target in found.values():
            return None
        found[position] = target
    return found
