"""The styles in which a backward pass is written, and the options that choose them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chainrule.backward import Backward
from chainrule.emit.material import Material
from chainrule.emit.numpy_source import function_source, layer_source, pasted, pullback_source
from chainrule.errors import ChainruleError
from chainrule.ir import Var
from chainrule.language import message
from chainrule.written import Source

__all__ = ["Style", "What", "check_options", "styled"]

Style = Literal["function", "lines", "pullback", "layer"]
What = Literal["backward", "forward", "jvp", "hvp"]
_STYLES = {"function": function_source, "pullback": pullback_source, "layer": layer_source}
_PREFIXES = ("d", "D", "grad_")


def check_options(style: str, prefix: str, what: str) -> None:
    """Raise where one of the options is none that there is."""
    wrong = None
    if what not in ("backward", "forward", "jvp", "hvp"):
        wrong = message('what={what}: write can write "backward", "forward", "jvp" and "hvp".', what=repr(what))
    elif prefix not in _PREFIXES:
        wrong = message('prefix={prefix}: gradients can be named with "d", "D" or "grad_".', prefix=repr(prefix))
    elif style != "lines" and style not in _STYLES:
        wrong = message('style={style}: the styles are "function", "lines", "pullback" and "layer".', style=repr(style))
    elif what in ("jvp", "hvp") and style != "function":
        style, what = repr(style), repr(what)
        wrong = message(
            "what={what} is written as a function. Instead: leave out style={style}.", what=what, style=style
        )
    if wrong is not None:
        raise ChainruleError(wrong)


def styled(material: Material, backward: Backward, chosen: Sequence[Var], style: str, prefix: str) -> Source:
    """A backward pass in one of the styles."""
    if style == "lines":
        return Source(pasted(material, backward, chosen, prefix).text(), "")
    return Source(*_STYLES[style](material, backward, chosen, prefix))
