"""The backward pass of ``network.py`` in this folder, and the proof that it is right.

The lines are written by chainrule, pasted below the script's own and executed; then each gradient is compared
with a complex step and with central differences of the forward lines. A page that explains every step is written
beside it, for a browser. Run with ``make demo`` or
``python -m examples.demo``.
"""

import os
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from chainrule.explain.explaining import explain_script
from chainrule.script_source import write_script

SCRIPT = Path(__file__).with_name("network.py")
PAGE = SCRIPT.parent.parent / "build" / "network.html"
NAMES = ["W1", "W2", "W3", "W4", "B1", "B2", "B3", "B4"]
# A complex step is exact to rounding; a central difference of step h is wrong by about h**2 and eps / h.
TINY, STEP = 1e-150, 1e-5
EXACT, NEAR = 1e-12, 1e-8


def backward_lines():
    """The backward lines of the script, as ``chainrule write`` prints them."""
    source, _ = write_script(str(SCRIPT), "err", NAMES)
    return str(source)


def write_page():
    """Write the page that explains every step."""
    explanation, _ = explain_script(str(SCRIPT), "err", NAMES)
    PAGE.parent.mkdir(exist_ok=True)
    explanation.save(PAGE)


def executed(*sources):
    """The variables of a script after its lines have run."""
    variables = {}
    exec(compile("\n".join(sources), str(SCRIPT), "exec"), variables)
    return variables


def forward(text):
    """The forward lines of the script as a function of its arrays, which returns ``err``."""
    lines = compile(text[text.index("Z1 = ") :], str(SCRIPT), "exec")

    def err(variables):
        held = dict(variables)
        exec(lines, held)
        return held["err"]

    return err


def numeric(err, variables, name):
    """The gradient of ``err`` by complex steps and by central differences, one element at a time."""
    x = variables[name]
    exact, near = np.zeros_like(x), np.zeros_like(x)
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1.0
        exact[index] = err({**variables, name: x + 1j * TINY * unit}).imag / TINY
        above, below = (err({**variables, name: x + step * unit}) for step in (STEP, -STEP))
        near[index] = (above - below) / (2 * STEP)
    return exact, near


def main():
    """Print the lines, a table of comparisons and a closing line; return 1 where a gradient is wrong."""
    console = Console(highlight=False)
    lines = backward_lines()
    console.print(f"[bold]$ chainrule write examples/network.py --of err --wrt {','.join(NAMES)}[/]")
    if console.is_terminal:
        console.print(Syntax(lines, "python", theme="ansi_dark", background_color="default"))
    else:
        console.print(lines, markup=False, soft_wrap=True)
    text = SCRIPT.read_text(encoding="utf-8")
    variables = executed(text, lines)
    err = forward(text)
    console.print("[bold]Pasted below the script and executed. The largest differences from[/]")
    table = Table("gradient", "shape", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("norm", "complex step", "central differences"):
        table.add_column(heading, justify="right")
    right, worst = [], 0.0
    for name in NAMES:
        gradient = variables["d" + name]
        exact, near = (float(np.abs(gradient - g).max()) for g in numeric(err, variables, name))
        right.append(gradient.shape == variables[name].shape and exact < EXACT and near < NEAR)
        worst = max(worst, exact)
        style = None if right[-1] else "red"
        norm = f"{np.linalg.norm(gradient):.6f}"
        table.add_row("d" + name, "x".join(map(str, gradient.shape)), norm, f"{exact:.1e}", f"{near:.1e}", style=style)
    console.print(table)
    write_page()
    console.print(f"\nEvery step is explained in {os.path.relpath(PAGE)}: open it in a browser.", soft_wrap=True)
    console.print(f"{sum(right)} of {len(right)} gradients are right: at most {worst:.1e} from the complex step.")
    return int(not all(right))


if __name__ == "__main__":
    sys.exit(main())
