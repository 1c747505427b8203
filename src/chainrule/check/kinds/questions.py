"""The questions that are hints: each leads to a place to think about, and several kinds of mistakes share it."""

from __future__ import annotations

from chainrule.language import message

__all__ = [
    "ACCUMULATE",
    "ACTIVATION",
    "ARGUMENTS",
    "AVERAGE",
    "BRANCHES",
    "BROADCAST",
    "COLLECT",
    "CONSTANTS",
    "DTYPE",
    "INDICES",
    "KERNEL",
    "KINKS",
    "LARGE",
    "LOSS",
    "MASK",
    "MATRIX",
    "MEMORY",
    "ORDER",
    "RANDOM",
    "RESULT",
    "ROUTES",
    "SIGN",
    "SOFTMAX",
    "STATE",
    "STATISTICS",
    "STEPS",
    "TIME",
    "TURNS",
    "UPSTREAM",
    "VALUES",
]

MATRIX = message(
    "Write the shapes under each factor of the matrix product, for a batch whose sizes are all different: "
    "which axis is summed over, and which axes remain?"
)
BROADCAST = message(
    "One of the arrays was stretched to the shape of another in the forward pass: over which axis, and how many "
    "elements of the result does each of its elements reach?"
)
MASK = message(
    "Take one element that the forward pass changes to something else, and one that it lets through: how does the "
    "result move when you move each of them a little?"
)
ACTIVATION = message(
    "Take one element through the activation by hand: what is the slope there, and at which of the two values, the "
    "one before or the one after, does your formula take it?"
)
UPSTREAM = message("If everything that comes after were twice as steep, what would happen to your gradient?")
SOFTMAX = message(
    "When one score goes up a little, which of the probabilities change, and what is the sum of the changes?"
)
AVERAGE = message(
    "If you repeat every row of the batch once more, what happens to the loss, and what to your gradient?"
)
CONSTANTS = message(
    "Take an input of a single element and work out the derivative on paper: which number stands in front?"
)
SIGN = message("If you raise one element a little, does the result go up or down, and what does your gradient say?")
LOSS = message("Which terms does the loss have, and which of them does each array appear in?")
ROUTES = message("In how many places of the forward pass is this array read? Follow each of them to the end.")
STATISTICS = message("Which of the values that you treat as fixed move when one single input moves?")
STEPS = message("Cover the chain with your hand and open it step by step: what does each step multiply the slope by?")
ACCUMULATE = message("What happens when the same element is reached for the second time?")
KERNEL = message("Which inputs does one output element of the window read, and in which order?")
INDICES = message("Take one element of the input: to which positions of the output does it go?")
ORDER = message("Number the elements 0, 1, 2 in the forward pass: in which order must they come back?")
TIME = message("Does an early step influence only its own result, or also later ones?")
TURNS = message("Write down the counter of every turn, the first and the last one included: is each step met once?")
VALUES = message("Write down the local derivative with the names of the forward pass: which saved values stand in it?")
BRANCHES = message("Try one value on each side of the condition: which formula applies there?")
KINKS = message("What happens exactly at the point where the formula changes?")
COLLECT = message(
    "Over which elements does the reduction run in the forward pass, and is each group treated on its own?"
)
RESULT = message("Has each array that you return the shape and the place of the argument that it belongs to?")
DTYPE = message("What kind of numbers can the array hold that you write the gradient into?")
LARGE = message("Try much larger inputs: which intermediate value is no longer finite, though the forward pass is?")
MEMORY = message("Look at the arrays that you were given, before and after the call: are they still what they were?")
STATE = message("Call it twice with the same inputs: do you get the same answer?")
RANDOM = message("Which random numbers did the forward pass use, and which does the backward pass use?")
ARGUMENTS = message("Run your backward pass once on its own with inputs of other sizes: does it reach its end?")
