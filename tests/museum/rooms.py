"""The exhibits of all rooms."""

from __future__ import annotations

from tests.museum import (
    activations,
    assignments,
    attention,
    convolution,
    courses,
    dense,
    homework,
    learners,
    loops,
    losses,
    models,
    normalisation,
    notebooks,
    numerics,
    pairs,
    recurrence,
    right,
    softmax,
    variants,
)

__all__ = ["EXHIBITS", "RIGHT", "WRONG"]

ROOMS = [
    dense.room,
    activations.room,
    softmax.room,
    losses.room,
    normalisation.room,
    convolution.room,
    recurrence.room,
    loops.room,
    attention.room,
    numerics.room,
    pairs.room,
    courses.room,
    right.room,
    assignments.room,
    models.room,
    variants.room,
    homework.room,
    notebooks.room,
    learners.room,
]
EXHIBITS = {exhibit.name: exhibit for room in ROOMS for exhibit in room.exhibits}
WRONG = {name: exhibit for name, exhibit in EXHIBITS.items() if exhibit.kinds}
RIGHT = {name: exhibit for name, exhibit in EXHIBITS.items() if not exhibit.kinds}
