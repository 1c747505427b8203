"""Writes the backward passes of the layers: ``python -m chainrule.layers.generate``.

Each function of :mod:`chainrule.layers.forwards` is traced at an example by :func:`chainrule.source.write`.  What is
written goes to ``chainrule/layers/written`` under the names that layers are known by; a test writes it again and
compares.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.layers import forwards
from chainrule.source import write

__all__ = ["FOLDER", "MODULES", "Entry", "main", "module_text", "modules"]

FOLDER = Path(__file__).with_name("written")
_HEADER = '''"""{title}

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""
'''


@dataclass(frozen=True)
class Entry:
    """One layer to be written.

    Attributes:
        function: its forward function.
        name: the name of its class.
        example: the arguments at which it is traced.
        wrt: the arguments that have gradients.
    """

    function: Callable[..., Any]
    name: str
    example: tuple[Any, ...]
    wrt: tuple[str, ...]


def _drawn(*shape: int) -> Any:
    """Numbers without ties, zeros or symmetry; the text does not depend on them."""
    return np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape)


_LABELS = np.array([0, 2, 1, 2, 1])
_NORMS = (_drawn(5, 4), _drawn(4), _drawn(4), 1e-5)
_HEADS = (_drawn(2, 5, 4), _drawn(2, 6, 4), _drawn(2, 6, 3))

MODULES: dict[str, tuple[str, tuple[Entry, ...]]] = {
    "linear": (
        "Products and look-ups.",
        (
            Entry(forwards.dot, "Dot", (_drawn(5, 4), _drawn(5, 4)), ("x1", "x2")),
            Entry(forwards.matmul, "MatMul", (_drawn(5, 4), _drawn(4, 3)), ("x1", "x2")),
            Entry(forwards.dense, "Dense", (_drawn(5, 4), _drawn(4, 3), _drawn(3)), ("x_input", "W", "b")),
            Entry(forwards.embedding, "Embedding", (np.array([1, 3, 1]), _drawn(4, 3)), ("W",)),
        ),
    ),
    "images": (
        "Convolution and pooling.",
        (
            Entry(
                forwards.conv2d,
                "Conv2D",
                (_drawn(2, 3, 6, 7), _drawn(4, 3, 3, 2), _drawn(4), 2, 1),
                ("x_input", "W", "b"),
            ),
            Entry(forwards.max_pool2d, "MaxPool2D", (_drawn(2, 3, 4, 6), 2), ("x_input",)),
        ),
    ),
    "activations": (
        "Activations.",
        (
            Entry(forwards.relu, "ReLU", (_drawn(5, 4),), ("x_input",)),
            Entry(forwards.leaky_relu, "LeakyReLU", (_drawn(5, 4), 0.01), ("x_input",)),
            Entry(forwards.sigmoid, "Sigmoid", (_drawn(5, 4),), ("x_input",)),
            Entry(forwards.tanh, "Tanh", (_drawn(5, 4),), ("x_input",)),
            Entry(forwards.gelu, "GELU", (_drawn(5, 4),), ("x_input",)),
            Entry(forwards.softmax, "Softmax", (_drawn(5, 4),), ("x_input",)),
        ),
    ),
    "normalisation": (
        "Normalisation and dropout.",
        (
            Entry(forwards.layer_norm, "LayerNorm", _NORMS, ("x_input", "gain", "bias")),
            Entry(forwards.batch_norm, "BatchNorm", _NORMS, ("x_input", "gain", "bias")),
            Entry(
                forwards.batch_norm_inference,
                "BatchNormInference",
                (*_NORMS[:3], _drawn(4), _drawn(4) ** 2, 1e-5),
                ("x_input", "gain", "bias"),
            ),
            Entry(forwards.dropout, "Dropout", (_drawn(5, 4), _drawn(5, 4) > 0, 0.5), ("x_input",)),
        ),
    ),
    "rnn": (
        "A step of a recurrent network.",
        (
            Entry(
                forwards.rnn_cell,
                "RNNCell",
                (_drawn(5, 4), _drawn(5, 3), _drawn(4, 3), _drawn(3, 3), _drawn(3)),
                ("x_input", "h", "Wx", "Wh", "b"),
            ),
        ),
    ),
    "lstm": (
        "A step of a long short-term memory.",
        (
            Entry(
                forwards.lstm_cell,
                "LSTMCell",
                (_drawn(5, 4), _drawn(5, 3), _drawn(5, 3), _drawn(4, 12), _drawn(3, 12), _drawn(12)),
                ("x_input", "h", "c", "Wx", "Wh", "b"),
            ),
        ),
    ),
    "attending": (
        "Attention.",
        (
            Entry(forwards.attention, "Attention", _HEADS, ("Q", "K", "V")),
            Entry(forwards.masked_attention, "MaskedAttention", (*_HEADS, np.zeros((5, 6))), ("Q", "K", "V")),
        ),
    ),
    "losses": (
        "Losses.",
        (
            Entry(forwards.mse, "MSE", (_drawn(5, 4), _drawn(5, 4)), ("prediction",)),
            Entry(
                forwards.sigmoid_cross_entropy, "SigmoidCrossEntropy", (_drawn(5, 4), _drawn(5, 4) ** 2), ("logits",)
            ),
            Entry(forwards.softmax_cross_entropy, "SoftmaxCrossEntropy", (_drawn(5, 3), _LABELS), ("logits",)),
            Entry(
                forwards.softmax_cross_entropy_onehot,
                "SoftmaxCrossEntropyOneHot",
                (_drawn(5, 3), _drawn(5, 3) ** 2),
                ("logits",),
            ),
            Entry(forwards.hinge, "Hinge", (_drawn(5, 3), _LABELS, 1.0), ("scores",)),
            Entry(forwards.hinge_binary, "HingeBinary", (_drawn(5), np.sign(_drawn(5)), 1.0), ("scores",)),
        ),
    ),
}


def _short(argument: str) -> str:
    """``input`` for ``x_input``, as in ``dense_grad_input``."""
    return argument.removeprefix("x_")


def _renamed(text: str, name: str, parameters: Sequence[str] | None = None) -> str:
    """A written function under another name, with its parameters in another order."""
    found = re.search(r"^def \w+\((.*?)\):", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ChainruleError(f"what was written for {name} defines no function:\n{text}")
    written = found[1] if parameters is None else ", ".join(parameters)
    return f"{text[: found.start()]}def {name}({written}):{text[found.end() :]}"


def _parameters(text: str) -> list[str]:
    found = re.search(r"^def \w+\((.*?)\):", text, re.MULTILINE | re.DOTALL)
    return [p.strip() for p in found[1].split(",") if p.strip()] if found else []


def _pieces(entry: Entry) -> list[str]:
    """Forward, one gradient function per argument, all gradients at once, and the class."""
    f, example, own = entry.function, entry.example, entry.function.__name__
    head, body = _renamed(str(write(f, *example, what="forward")), f"{own}_forward").split(":\n", 1)
    pieces = [f'{head}:\n    """{inspect.getdoc(f)}"""\n{body}']
    for wrt in [*((name,) for name in entry.wrt), *((entry.wrt,) if len(entry.wrt) > 1 else ())]:
        text = str(write(f, *example, wrt=wrt, style="pullback"))
        first, *rest = _parameters(text)
        # What arrives from above stands behind the input, as course assignments have it.
        ordered = [first, *[p for p in rest if p == "grad_output"], *[p for p in rest if p != "grad_output"]]
        name = f"{own}_backward" if len(wrt) > 1 else f"{own}_grad_{_short(wrt[0])}"
        pieces.append(_renamed(text, name, ordered))
    layer = str(write(f, *example, wrt=entry.wrt, style="layer"))
    pieces.append(re.sub(r"^class \w+:", f"class {entry.name}:", layer, count=1, flags=re.MULTILINE))
    return pieces


def _rank(name: str) -> tuple[int, str]:
    """Constants, classes, functions: the order that linters ask for."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def module_text(title: str, entries: Sequence[Entry]) -> str:
    """A module with everything that is written for these layers."""
    imports: dict[str, None] = {}
    blocks: list[str] = []
    names: list[str] = []
    for entry in entries:
        for piece in _pieces(entry):
            lines = piece.strip().splitlines()
            while lines and (lines[0].startswith(("import ", "from ")) or not lines[0]):
                line = lines.pop(0)
                if line:
                    imports[line] = None
            if lines[0].startswith("#"):
                raise ChainruleError(f"what was written for {entry.name} does not hold in general: {lines[0]}")
            blocks.append("\n".join(lines))
            names += re.findall(r"^(?:def|class) (\w+)", blocks[-1], re.MULTILINE)
    exported = "\n".join(["__all__ = [", *(f'    "{name}",' for name in sorted(names, key=_rank)), "]"])
    top = [_HEADER.format(title=title), *([*imports, ""] if imports else []), exported]
    return "\n".join(top) + "\n\n\n" + "\n\n\n".join(blocks) + "\n"


def modules() -> dict[str, str]:
    """The text of every module, by its name."""
    return {name: module_text(title, entries) for name, (title, entries) in MODULES.items()}


def main() -> None:
    """Write the modules to where they are imported from."""
    for name, text in modules().items():
        path = FOLDER / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
