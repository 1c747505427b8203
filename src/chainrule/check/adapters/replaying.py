"""A traced program as a function again, which runs and is traced as the user's own lines were.

Each step is called from a line of a function that is compiled with the places of the user's source, so that whoever
traces it finds their names, lines and spelling.  Nothing of the user's is executed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.ir import Const, Program, Step, Var
from chainrule.names import Namespace
from chainrule.run import resolved
from chainrule.sizes import is_size, plain_number
from chainrule.statics import mentioned_in
from chainrule.tape import current_tape, record
from chainrule.traced import Traced

__all__ = ["Replayed", "pruned"]

_STEP, _PARTS = "step", "parts"


def pruned(program: Program, outputs: Sequence[Var | Const]) -> Program:
    """A program without the steps that these outputs do not need."""
    needed = {x.number for x in outputs}
    steps: list[Step] = []
    for step in reversed(program.steps):
        if any(out.number in needed for out in step.outputs):
            steps.append(step)
            numbers = [x.value for x in step.inputs if isinstance(x, Const) and x.number < 0]
            needed |= {x.number for x in step.inputs} | {*mentioned_in([*step.params.values(), *numbers])}
    return replace(program, steps=tuple(reversed(steps)), outputs=tuple(outputs))


class Replayed:
    """A program with one result, to be called with its inputs.

    Args:
        program: the program.
        parameters: what its inputs are called.
        name: what it is called itself.
        filename: the file of the user's source.
    """

    def __init__(self, program: Program, parameters: Sequence[str], name: str, filename: str) -> None:
        self.program = program
        self.__name__ = self.__qualname__ = name
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(p, kind) for p in parameters])
        constants: dict[str, Any] = {}
        space = Namespace(parameters)
        for c in program.constants:
            constants[space.claim(c.name or "constant")] = c.value
        self._code = _compiled(program, parameters, name, filename)
        self._globals = constants

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result for these inputs, which may be stand-ins."""
        bound = self.__signature__.bind(*args, **kwargs)
        program = self.program
        values: dict[int, Any] = {c.number: c.value for c in program.constants}
        values.update((x.number, v) for x, v in zip(program.inputs, bound.args, strict=True))

        def value_of(x: Var | Const) -> Any:
            if isinstance(x, Var) or x.number >= 0:
                return values[x.number]
            return resolved(x.value, values) if is_size(x.value) else plain_number(x.value)

        def step(number: int) -> Any:
            done = program.steps[number]
            operands = tuple(map(value_of, done.inputs))
            params = {k: resolved(v, values) for k, v in done.params.items()}
            traced = any(type(x) is Traced for x in operands) or (not operands and current_tape() is not None)
            if traced:
                result = record(done.operation, operands, params, evaluator(done.operation))
            else:
                result = evaluator(done.operation)(*operands, **params)
            results = result if len(done.outputs) > 1 else (result,)
            values.update((out.number, r) for out, r in zip(done.outputs, results, strict=True))
            return result

        space = {**self._globals, _STEP: step, _PARTS: {}}
        exec(self._code, space)
        with np.errstate(all="ignore"):
            space[self.__name__](*bound.args)
        return value_of(program.outputs[0])


def _compiled(program: Program, parameters: Sequence[str], name: str, filename: str) -> Any:
    """The function that takes the steps, each at its place in the user's source."""
    taken = {_STEP, _PARTS, name}
    body: list[ast.stmt] = []
    line = 1
    for number, step in enumerate(program.steps):
        call = ast.Call(ast.Name(_STEP, ast.Load()), [ast.Constant(number)], [])
        names = [out.name if out.name and out.name.isidentifier() and out.name not in taken else None
                 for out in step.outputs]  # fmt: skip
        targets = [
            ast.Name(n, ast.Store())
            if n is not None
            else ast.Subscript(ast.Name(_PARTS, ast.Load()), ast.Constant(out.number), ast.Store())
            for n, out in zip(names, step.outputs, strict=True)
        ]
        target: ast.expr = targets[0] if len(targets) == 1 else ast.Tuple(list(targets), ast.Store())
        statement = ast.Assign([target], call) if any(names) else ast.Expr(call)
        place = step.position
        line = line if place is None else place.line
        _place(statement, (line, 0, line, 1) if place is None else
               (place.line, place.column - 1, place.end_line, place.end_column - 1))  # fmt: skip
        body.append(statement)
    arguments = ast.arguments([], [ast.arg(p) for p in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name, arguments, body or [ast.Pass()], [])
    module = ast.Module([function], [])
    ast.fix_missing_locations(module)
    return compile(module, filename, "exec", dont_inherit=True)


def _place(statement: ast.stmt, place: tuple[int, int, int, int]) -> None:
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt | ast.expr):
            node.lineno, node.col_offset, node.end_lineno, node.end_col_offset = place
