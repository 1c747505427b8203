"""A candidate in a file runs in a process of its own: whatever it does ends in an answer, and reaches nothing else."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.adapters.replaying import Replayed, pruned
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.candidate import CandidateError, Seen
from chainrule.check.checking import judge
from chainrule.check.isolation.programs import packed, unpacked
from chainrule.check.isolation.remote import IsolationError, Limits, RemoteCandidate
from chainrule.check.isolation.scripts import RemoteTracer
from chainrule.check.isolation.wire import Ended, WireError, decode, encode, read
from chainrule.language import message
from chainrule.script import ScriptError
from tests.zoo import FUNCTIONS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are confined on POSIX systems")

GENERATOR = np.random.default_rng(5)
ARGS = {"x": GENERATOR.normal(size=(4, 3)), "W": GENERATOR.normal(size=(3, 2))}
G = GENERATOR.normal(size=(4, 2))
QUICK = Limits(seconds=1.0, memory=1 << 30)
RIGHT = "return g @ W.T, x.T @ g"


def product(x, W):
    return x @ W


@pytest.fixture
def remote(tmp_path):
    """Opens a candidate with these lines as its body."""
    opened = []

    def open_(body: str, head: str = "", limits: Limits = QUICK, pattern: str = "backward", **more):
        path = tmp_path / f"homework{len(opened)}.py"
        function = "def backward(g, x, W):\n" + indent(dedent(body).strip(), "    ") + "\n"
        path.write_text("import os, sys, time\nimport numpy as np\n" + dedent(head) + "\n" + function)
        opened.append(RemoteCandidate(str(path), pattern, product, ARGS, limits=limits, **more))
        return opened[-1]

    yield open_
    for candidate in opened:
        candidate.close()


def test_a_right_one(remote):
    candidate = remote("dx = g @ W.T\nreturn dx, x.T @ g")
    assert (candidate.wrt, candidate.style, candidate.takes_cotangent) == (("x", "W"), "function", True)
    answer = candidate.answer(ARGS, G, look=True)
    assert np.array_equal(answer.gradients["W"], ARGS["x"].T @ G)
    assert [(s.name, s.text) for s in answer.seen if s.text] == [("dx", "dx = g @ W.T")]
    assert judge(candidate, product, ARGS).ok
    if sys.platform == "linux":
        assert candidate.notes == ()  # everything could be enforced


@pytest.mark.parametrize(
    ("body", "head", "text"),
    [
        ("while True: pass", "", "longer than 1 second"),
        ("os._exit(0)", "", "ended itself, with the status 0"),
        ("while True: os.write(1, b'x' * 100000)", "", "printed more than"),
        ("for k in range(3, 20):\n    try: os.write(k, b'{}' * 100)\n    except OSError: pass\n" + RIGHT, "",
         "wrote into the checker's own channel"),
        ("import ctypes; ctypes.string_at(0)", "", "ended by the system"),
        ("os.closerange(3, 50); time.sleep(60)", "", "closed the checker's own channel"),
    ],
    ids=["loops", "exits", "prints", "forges", "crashes", "closes"],
)  # fmt: skip
def test_what_ends_the_process_ends_in_a_report(remote, body, head, text):
    candidate = remote(body, head)
    answer = candidate.answer(ARGS, G)
    assert isinstance(answer.error, IsolationError)
    assert text in str(answer.error)
    begun = time.monotonic()
    report = judge(candidate, product, ARGS)  # without waiting for it again
    assert (report.ok, report.judged) == (False, True)
    assert time.monotonic() - begun < 20


# Each attempt must fail; what succeeds is the index of the element that is 1.
FORBIDDEN = """
    import ctypes, signal, socket, subprocess
    c = ctypes.CDLL(None, use_errno=True)

    def refused_by_c(call):
        if call() == -1:
            raise PermissionError
    attempts = [
        lambda: open(TARGET, "w").write("x"),
        lambda: os.remove(KEPT),
        lambda: os.rename(KEPT, KEPT + "2"),
        lambda: os.mkdir(TARGET + "-folder"),
        lambda: os.chmod(KEPT, 0),
        lambda: refused_by_c(lambda: c.open(TARGET.encode(), os.O_CREAT | os.O_WRONLY, 0o600)),
        lambda: refused_by_c(lambda: c.unlink(KEPT.encode())),
        lambda: os.fork() or os._exit(0),
        lambda: refused_by_c(lambda: c.fork() or os._exit(0)),
        lambda: subprocess.run(["true"]),
        lambda: os.system("true"),
        lambda: socket.socket(),
        lambda: os.kill(os.getppid(), signal.SIGTERM),
        lambda: refused_by_c(lambda: c.kill(os.getppid(), 0)),
        lambda: np.ones(10**9),
        lambda: open(f"/proc/{os.getppid()}/mem", "wb"),
    ]
    done = np.zeros_like(x)
    for k, attempt in enumerate(attempts):
        try:
            attempt()
        except (OSError, MemoryError):
            continue
        done.flat[k % done.size] = k + 1
    return done, W
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems enforce less, and the report says so")
@pytest.mark.parametrize("landlock", [True, False])
def test_what_is_out_of_reach(remote, tmp_path, landlock):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    head = f"TARGET, KEPT = {str(tmp_path / 'target')!r}, {str(kept)!r}"
    candidate = remote(FORBIDDEN, head, Limits(5.0, 1 << 30, landlock=landlock))
    answer = candidate.answer(ARGS, G)
    assert answer.error is None, answer.error
    assert not np.any(answer.gradients["x"]), answer.gradients["x"]
    assert kept.read_text() == "kept"
    assert kept.stat().st_mode & 0o400
    assert {p.name for p in tmp_path.iterdir()} == {"kept", "homework0.py"}


def test_tampering_stays_where_it_is(remote):
    head = """
        import chainrule.check.judging as judging
        np.allclose = np.array_equal = lambda *a, **k: True
        np.max = np.abs = lambda *a, **k: 0.0
        judging.compare = judging.compare_all = lambda *a, **k: None
    """
    candidate = remote("return 0 * x, 0 * W", head)
    assert not judge(candidate, product, ARGS).ok
    assert any("could compute the gradients for it" in str(note) for note in candidate.notes)


@pytest.mark.parametrize("name", ["float", "isinstance", "len"])
def test_what_replaces_a_part_of_python_fails(remote, name):
    candidate = remote(f"import builtins; builtins.{name} = lambda *a: 0\n{RIGHT}")
    error = candidate.answer(ARGS, G).error
    assert isinstance(error, CandidateError)
    assert f"Python: {name}." in str(error)


def test_inputs_are_copies(remote):
    before = {n: x.copy() for n, x in ARGS.items()}
    answer = remote("x[:] = 0; W *= 2; g += 1\nreturn x, W").answer(ARGS, G)
    assert set(answer.changed) == {"x", "W", "grad_output"}
    assert all(np.array_equal(ARGS[n], before[n]) for n in ARGS)


FAILURES = """
    class Own(Exception): pass
    which = int(x[0, 0])
    if which == 0: sys.exit(1)
    if which == 1: return backward(g, x, W)
    if which == 2: return np.ones((30000, 30000)), W
    if which == 3: return g @ W, W
    if which == 4: raise Own("mine")
    return g @ W.T, x.T @ g
"""


def test_failures_are_part_of_the_answer(remote):
    candidate = remote(FAILURES)
    expected = [(SystemExit, "1"), (RecursionError, "recursion"), (MemoryError, "allocate"), (ValueError, "matmul"),
                (Exception, "mine")]  # fmt: skip
    for which, (kind, text) in enumerate(expected):
        answer = candidate.answer({**ARGS, "x": np.full((4, 3), which + 0.5)}, G)
        assert isinstance(answer.error, kind)
        assert text in str(answer.error)
        assert answer.error_line is not None
    assert candidate.answer({**ARGS, "x": np.full((4, 3), 9.0)}, G).error is None  # and it goes on


def test_what_is_sent_cannot_harm(remote):
    head = """
        class Odd:
            def __array__(self, *a, **k): os._exit(5)
            def __eq__(self, other): os._exit(6)
    """
    answer = remote("print('x' * 10**7)\nreturn Odd(), W", head).answer(ARGS, G)
    assert answer.error is None
    assert not isinstance(answer.gradients.get("x"), np.ndarray)


@pytest.mark.parametrize(
    ("head", "error", "text"),
    [
        ("import nothing_of_this_name", ScriptError, "ModuleNotFoundError"),
        ("def f(:", ScriptError, "SyntaxError"),
        ("while True: pass", IsolationError, "longer than"),
        ("os._exit(4)", IsolationError, "status 4"),
        ("import builtins; builtins.float = len; del builtins.zip", CandidateError, "replaces .* Python: float, zip"),
    ],
)
def test_files_that_cannot_be_loaded(remote, head, error, text):
    with pytest.raises(error, match=text):
        remote(RIGHT, head)


@pytest.mark.parametrize(
    ("pattern", "style"),
    [
        ("", "function"),
        ("product_grad_*", "family"),
        ("Layer", "class"),
        ("fwd,bwd", "function"),
    ],
)
def test_patterns(remote, pattern, style):
    head = """
        def product_grad_x(g, x, W): return g @ W.T
        def product_grad_W(g, x, W): return x.T @ g
        class Layer:
            def __init__(self, W): self.W = W
            def forward(self, x):
                self.x = x
                return x @ self.W
            def backward(self, g):
                self.dW = self.x.T @ g
                return g @ self.W.T
        def fwd(x, W): return x @ W, (x, W)
        def bwd(g, cache): return g @ cache[1].T, cache[0].T @ g
    """
    candidate = remote(RIGHT, head if pattern else "", pattern=pattern)
    assert candidate.style == style
    assert np.allclose(candidate.answer(ARGS, G).gradients["W"], ARGS["x"].T @ G)


def test_unknown_names_are_refused(remote):
    with pytest.raises(CandidateError, match="defines no nothing; it defines backward"):
        remote(RIGHT, pattern="nothing")


# ---- scripts
SCRIPT = """
import os, sys, time
import numpy as np
x = np.arange(6.0).reshape(2, 3)
W = np.ones((3, 2))
Z = x @ W
err = (Z ** 2).sum()
"""


@pytest.fixture
def script(tmp_path):
    """Traces a script that ends with these lines, in a process of its own."""

    def trace(lines: str, limits: Limits = QUICK):
        path = tmp_path / "script.py"
        path.write_text(SCRIPT + dedent(lines))
        return RemoteTracer(limits)(str(path), "err")

    return trace


def test_a_script_comes_back_as_a_program(script):
    trace = script("dZ = 2 * Z\ngrad_W = x.T @ dZ")
    candidate = ScriptCandidate(trace)
    assert candidate.wrt == ("W",)
    answer = candidate.answer({"x": np.ones((2, 3)), "W": np.ones((3, 2))}, 1.0, look=True)
    assert np.array_equal(answer.gradients["W"], np.full((3, 2), 12.0))
    own = [(s.name, s.line, s.text) for s in answer.seen if s.text]
    assert own == [("dZ", 8, "dZ = 2 * Z"), ("grad_W", 9, "grad_W = x.T @ dZ")]
    assert judge(candidate, candidate.forward, candidate.args).ok
    traced = str(cr.trace(candidate.forward, **candidate.args))
    assert "Z = x @ W" in traced
    assert "line 6" in traced


@pytest.mark.parametrize(
    ("lines", "error", "text"),
    [
        ("while True: pass", IsolationError, "longer than 1 second"),
        ("os._exit(0)", IsolationError, "ended itself"),
        ("open('out.txt', 'w')", ScriptError, "not allowed"),
        ("print(err)", CandidateError, "computes no gradient of x, W"),
    ],
)
def test_scripts_that_cannot_be_judged(script, lines, error, text):
    with pytest.raises(error, match=text):
        script(lines)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_program_arrives_as_it_was_and_runs_as_the_lines_did(name):
    function, args = FUNCTIONS[name]
    program = replace(cr.trace(function, *args), guards=())
    program = pruned(program, program.outputs[:1])
    data = encode(packed(program))
    size = int.from_bytes(data[:8])
    arrived = unpacked(decode(data[16 : 16 + size], data[16 + size :]), function.__code__.co_filename)
    assert str(arrived) == str(program)
    again = Replayed(arrived, [x.name for x in arrived.inputs], function.__name__, function.__code__.co_filename)
    assert str(replace(cr.trace(again, *args), guards=())) == str(program)
    expected = function(*args)
    assert np.allclose(again(*args), expected[0] if isinstance(expected, tuple) else expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(steps=[(("row", "system", "os.system"), [], [], [(9, [], "<f8", None)], None)]),
        lambda p: p.update(steps=[(("creation", "load", 1), [], [], [(9, [], "<f8", None)], None)]),
        lambda p: p.update(outputs=[("at", 12345)]),
        lambda p: p.update(inputs=[(0, [2], "O", "x")]),
        lambda p: p.pop("steps"),
    ],
)
def test_programs_that_are_made_up_are_refused(change):
    parts = packed(cr.trace(lambda x: np.sum(x * 2), np.ones(3)))
    change(parts)
    with pytest.raises(cr.ChainruleError, match=r"no program|asks for|of a kind"):
        unpacked(parts, __file__)


# ---- the wire
@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, "text", 1 + 2j, [1, (2, "x")], {"a": 1, 2: None}, np.arange(6.0).reshape(2, 3)[:, ::2],
        np.float32(2), np.array(3), np.zeros((0, 3)), np.array([True]), np.array([1j]), {"deep": [{"er": np.ones(2)}]},
    ],
)  # fmt: skip
def test_values_arrive_as_they_were(value):
    head = encode(value)
    text, body = head[16 : 16 + int.from_bytes(head[:8])], head[16 + int.from_bytes(head[:8]) :]
    found = decode(text, body)
    assert type(found) is type(value)
    np.testing.assert_equal(found, value)


def test_messages_and_variables_arrive():
    data = encode([message("{n} is right", n=3), Seen("dZ", 3, np.ones(2), "dZ = 1")])
    size = int.from_bytes(data[:8])
    note, seen = decode(data[16 : 16 + size], data[16 + size :])
    assert str(note) == "3 is right"
    assert (seen.name, seen.line, seen.value.tolist()) == ("dZ", 3, [1, 1])


@pytest.mark.parametrize(
    "text",
    [
        b"{", b'{"array": ["<f8", [3], 0]}', b'{"array": ["O", [1], 0]}', b'{"array": ["<f8", [-1], 0]}',
        b'{"array": ["<f8", [99999999999999999999], 0]}', b'{"unknown": 1}', b'{"seen": [1]}', b"[" * 100000,
        b'{"message": ["{x:>99999999999}", {"dict": [["x", 1]]}, null, 1]}',
        b'{"message": ["{x.__class__}", {"dict": [["x", 1]]}, null, 1]}',
    ],
)  # fmt: skip
def test_what_is_made_up_is_refused(text):
    with pytest.raises(WireError):
        decode(text, b"12345678")


def test_texts_cannot_reach_the_terminal():
    assert decode(b'"\\u001b[31mred"', b"") == "\N{REPLACEMENT CHARACTER}[31mred"


def test_a_closed_pipe():
    ours, theirs = os.pipe()
    os.write(theirs, b"\0" * 8)
    os.close(theirs)
    with pytest.raises(Ended):
        read(ours, 1.0)
    os.close(ours)


def test_the_file_is_not_imported_here(remote, tmp_path):
    remote(RIGHT, "MARK = 1")
    assert not any(getattr(m, "MARK", None) for n, m in sys.modules.items() if n.startswith("homework"))
    assert str(tmp_path) not in sys.path
    assert Path(sys.modules["numpy"].__file__).exists()
