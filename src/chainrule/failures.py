"""What NumPy's own errors say when an operation of the user's fails: their line, their names, the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.ops import Operation
from chainrule.positions import locate, user_frame

__all__ = ["explained"]


def name_in_frame(x: Any, frame: Any) -> str | None:
    """The name by which ``frame`` knows ``x``, if it does."""
    return next((name for name, held in list(frame.f_locals.items()) if held is x), None)


def explained(error: Exception, operation: Operation, operands: Any, values: Any) -> Exception:
    """A NumPy error with the user's line, and the operands' names and shapes."""
    frame = user_frame(3)
    position = locate(frame.f_code, frame.f_lasti)
    arrays = [(x, v) for x, v in zip(operands, values, strict=False) if isinstance(v, np.ndarray)]
    shapes = ", ".join(f"{name_in_frame(x, frame) or 'an operand'} has shape {v.shape}" for x, v in arrays)
    if isinstance(error, ValueError) and len(arrays) > 0 and not isinstance(error, np.linalg.LinAlgError):
        fitting = "The shapes do not fit" if len(arrays) > 1 else "NumPy refused the call"
        return ShapeError(f"{fitting}: {operation.spelling}: {shapes}.\n{position.pointer()}\n  NumPy says: {error}")
    error.add_note(f"{operation.spelling}: {shapes}.\n{position.pointer()}")
    return error
