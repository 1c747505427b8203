"""What is said where an operation of the user's fails or is not followed: their line, their names, the shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.language import Message, listed, message, stated
from chainrule.ops import Operation
from chainrule.positions import locate, user_frame

__all__ = ["explained", "met", "refusal"]


def refusal(met: str, why: str, instead: str, place: str, values: Mapping[str, Any]) -> Message:
    """What cannot be followed, where, why, and what to write instead: three templates and what stands in their gaps."""
    gaps = {name: value if isinstance(value, Message) else str(value) for name, value in values.items()}
    return message(
        "{met}.\n{place}\n  Why: {why}.\n  Instead: {instead}.",
        met=Message(met, gaps),
        place=place,
        why=Message(why, gaps),
        instead=Message(instead, gaps),
    )


def met(error: BaseException) -> Message | str:
    """What an error says was met, without the place and the reason."""
    said = stated(error)
    while isinstance(said, Message):
        within = said.values.get("met", said.values.get("error"))
        if not isinstance(within, Message):
            break
        said = within
    return said if isinstance(said, Message) and "\n" not in said.template else str(error).splitlines()[0].rstrip(".")


def name_in_frame(x: Any, frame: Any) -> str | None:
    """The name by which ``frame`` knows ``x``, if it does."""
    return next((name for name, held in list(frame.f_locals.items()) if held is x), None)


def explained(error: Exception, operation: Operation, operands: Any, values: Any) -> Exception:
    """A NumPy error with the user's line, and the operands' names and shapes."""
    frame = user_frame(3)
    position = locate(frame.f_code, frame.f_lasti)
    arrays = [(x, v) for x, v in zip(operands, values, strict=False) if isinstance(v, np.ndarray)]
    shapes = listed(_shaped(name_in_frame(x, frame), v.shape) for x, v in arrays)
    place = position.pointer()
    if isinstance(error, ValueError) and len(arrays) > 0 and not isinstance(error, np.linalg.LinAlgError):
        several = message("The shapes do not fit")
        fitting = several if len(arrays) > 1 else message("NumPy refused the call")
        return ShapeError(
            message(
                "{fitting}: {function}: {shapes}.\n{place}\n  NumPy says: {error}",
                fitting=fitting,
                function=operation.spelling,
                shapes=shapes,
                place=place,
                error=str(error),
            )
        )
    error.add_note(f"{operation.spelling}: {shapes}.\n{place}")
    return error


def _shaped(name: str | None, shape: tuple[int, ...]) -> Message:
    if name is None:
        return message("an operand has shape {shape}", shape=str(shape))
    return message("{name} has shape {shape}", name=name, shape=str(shape))
