"""Scripts whose gradients are filled and added to line by line: it goes wrong where the whole is wrong, not before."""

from __future__ import annotations

import pytest

from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.checking import judge

SCRIPT = """\
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(5, 3))
W = rng.normal(size=(3, 4))
y = np.array([0, 2, 1, 3, 2])
Z = X @ W
centred = Z - Z.mean(0)
squares = centred**2
scale = (squares.mean(0) + 0.1)**-0.5
counts = np.exp(centred * scale)
total = counts.sum(1, keepdims=True)
inverse = total**-1
probs = counts * inverse
logs = np.log(probs)
loss = -logs[range(5), y].mean()
dlogs = np.zeros_like(logs)
dlogs[range(5), y] = -1.0 / 5
dprobs = dlogs / probs
dinverse = (counts * dprobs).sum(1, keepdims=True)
dcounts = inverse * dprobs
dtotal = -total**-2 * dinverse
dcounts += np.ones_like(counts) * dtotal
dscores = counts * dcounts
dcentred = scale * dscores
dscale = (centred * dscores).sum(0)
dsquares = np.ones_like(squares) / 5 * (-0.5 * scale**3 * dscale)
dcentred += 2 * centred * dsquares
dZ = dcentred - dcentred.mean(0)
dW = X.T @ dZ
"""

FAULTS = {
    "another gradient": (
        "np.ones_like(counts) * dtotal",
        "np.ones_like(counts) * dinverse",
        {"wrong_operand", "missing_activation_grad"},  # dinverse is dtotal without the derivative of total**-1
        "dcounts += np.ones_like(counts) * dtotal",
    ),
    "written over": (
        "dcentred += 2",
        "dcentred = 2",
        {"overwrites_instead_of_accumulates", "missing_path"},
        "dcentred += 2 * centred * dsquares",
    ),
}


def _report(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    candidate = ScriptCandidate(traced_script(str(path), "loss"))
    return judge(candidate, candidate.forward, candidate.args)


def test_what_is_filled_in_is_right(tmp_path):
    assert _report(tmp_path, SCRIPT).ok


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_wrong_where_the_whole_is_wrong(name, tmp_path):
    right, wrong, kinds, line = FAULTS[name]
    assert right in SCRIPT
    report = _report(tmp_path, SCRIPT.replace(right, wrong))
    assert not report.ok
    first = report.suspects[0]
    assert first.kind in kinds
    assert first.fix == line
