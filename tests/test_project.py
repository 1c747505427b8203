"""The structure of the code: one order of floors, errors with messages, short modules, documented functions.

Each check is a function from source text to complaints, so that the checks themselves are tested on small
pieces of code that must be refused.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import chainrule

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "chainrule"
LONGEST = 450


def module_name(path: Path) -> str:
    """``rules/linalg`` for the file, ``rules`` for a package's ``__init__``, and ``__init__`` for the root's."""
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    return name.removesuffix("/__init__")


# An empty file only marks a package.
SOURCES = {
    module_name(path): source
    for path in sorted(PACKAGE.rglob("*.py"))
    if (source := path.read_text(encoding="utf-8")).strip()
}


parsed = cache(ast.parse)  # every check reads every module


def read_floors(text: str) -> list[str]:
    """The modules in the block labelled ``floors``, top first; words after the path are for the reader."""
    block = re.search(r"^```floors\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block is not None, "ARCHITECTURE.md has no block labelled floors"
    lines = (line.partition("#")[0].split() for line in block[1].splitlines())
    return [words[0].removesuffix(".py") for words in lines if words]


@pytest.fixture(scope="module")
def floors() -> list[str]:
    """The order of ARCHITECTURE.md, below which the package's own ``__init__`` re-exports from all."""
    written = read_floors((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    return [module for module in written if module != "__init__"] + ["__init__"]


def imported(tree: ast.AST, module: str, modules: set[str]) -> Iterator[tuple[int, str]]:
    """The chainrule modules that ``tree``, the source of ``module``, imports, with the lines."""
    is_package = any(other.startswith(module + "/") for other in modules) or module == "__init__"
    here = ["chainrule", *([] if module == "__init__" else module.split("/"))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            dotted = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + is_package] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            dotted = [(start, alias.name) for alias in node.names]
        elif (  # importlib.import_module("chainrule.…") is an import too
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            dotted = [(str(node.args[0].value), None)]
        else:
            continue
        for start, attribute in dotted:
            if start.partition(".")[0] != "chainrule":
                continue
            path = start.replace(".", "/").removeprefix("chainrule").removeprefix("/")
            inner = f"{path}/{attribute}".removeprefix("/") if attribute else path
            yield node.lineno, inner if inner in modules else path or "__init__"


def upward_imports(source: str, module: str, floors: list[str]) -> list[str]:
    """Imports of a module that stands at the same place or later in the order."""
    position = floors.index(module)
    return [
        f"{module}:{line} imports {other}, which does not stand above it"
        for line, other in imported(parsed(source), module, {*floors, *SOURCES})
        if other not in floors[:position]
    ]


def hidden_imports(source: str, module: str) -> list[str]:
    """Imports inside a function."""
    return [
        f"{module}:{inner.lineno} imports inside {node.name}"
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]


def silent_raises(source: str, module: str) -> list[str]:
    """Raises of an exception that carries no message."""
    complaints = []
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.Raise) or node.exc is None:
            continue
        raised = node.exc
        called = isinstance(raised, ast.Call)
        name = ast.unparse(raised.func if isinstance(raised, ast.Call) else raised).rpartition(".")[2]
        empty = called and not (raised.args or raised.keywords)
        if (name[:1].isupper() and not called) or empty:
            complaints.append(f"{module}:{node.lineno} raises {name} without a message")
    return complaints


def undocumented(source: str, module: str) -> list[str]:
    """Public functions and classes of the module without a docstring, and the module itself.

    Public is what ``__all__`` names, or every name without an underscore where there is none.
    """
    tree = parsed(source)
    named = next(
        (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        None,
    )
    complaints = [] if ast.get_docstring(tree) else [f"{module} has no docstring"]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        public = node.name in named if named is not None else not node.name.startswith("_")
        overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
        if public and not overload and not ast.get_docstring(node):
            complaints.append(f"{module}:{node.lineno} {node.name} has no docstring")
    return complaints


def too_long(source: str, module: str) -> list[str]:
    """A complaint where the module has too many lines."""
    lines = len(source.splitlines())
    return [f"{module} has {lines} lines, more than {LONGEST}: split it by topic"] if lines > LONGEST else []


# The project


def test_the_floors_are_the_modules(floors):
    assert sorted(set(SOURCES) - set(floors)) == [], "modules that stand on no floor"
    assert sorted(set(floors) - set(SOURCES)) == [], "floors without a module"
    assert len(floors) == len(set(floors)), "a module stands on two floors"


def test_imports_only_from_above(floors):
    assert [c for module in SOURCES for c in upward_imports(SOURCES[module], module, floors)] == []


@pytest.mark.parametrize("check", [hidden_imports, silent_raises, undocumented, too_long])
def test_modules(check):
    assert [complaint for module in SOURCES for complaint in check(SOURCES[module], module)] == []


def test_every_public_name_is_there_and_documented():
    public = {name: value for name, value in vars(chainrule).items() if not name.startswith("_") and callable(value)}
    assert {"grad", "value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp", "ChainruleError"} <= set(public)
    assert not [name for name, value in public.items() if not value.__doc__]


def test_the_package_is_marked_as_typed():
    assert (PACKAGE / "py.typed").exists()


def test_the_version_stands_in_the_changelog():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# The checks themselves


FLOORS = ["errors", "rules/helpers", "rules", "api", "__init__"]


def test_floors_are_read_with_remarks():
    text = "words\n\n```floors\nerrors    the root exception\n# a remark\nrules/helpers.py\n\napi\n```\n"
    assert read_floors(text) == ["errors", "rules/helpers", "api"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "import chainrule"),
        ("errors", "import chainrule.api"),
        ("errors", "from chainrule import api"),
        ("errors", "from chainrule.api import grad"),
        ("errors", "from . import api"),
        ("errors", "from .api import grad"),
        ("errors", "from chainrule.errors import ChainruleError"),
        ("rules/helpers", "from . import anything"),
        ("rules/helpers", "from .. import api"),
        ("rules/helpers", "def f():\n    from ..api import grad"),
        ("rules", "from ..api import grad"),
        ("errors", "import importlib\nimportlib.import_module('chainrule.api')"),
        ("errors", "import typing\nif typing.TYPE_CHECKING:\n    from chainrule.api import grad"),
    ],
)
def test_an_import_against_the_order_is_found(module, source):
    assert len(upward_imports(source, module, FLOORS)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "import numpy as np\nfrom numpy import linalg"),
        ("api", "from chainrule.errors import ChainruleError\nfrom chainrule import errors, rules"),
        ("api", "from .errors import ChainruleError\nfrom . import errors\nfrom .rules.helpers import mt"),
        ("rules", "from . import helpers\nfrom .helpers import mt\nfrom ..errors import ChainruleError"),
        ("__init__", "from .api import grad\nfrom chainrule.rules import helpers"),
    ],
)
def test_an_import_along_the_order_passes(module, source):
    assert not upward_imports(source, module, FLOORS)


def test_an_import_inside_a_function_is_found():
    assert hidden_imports("def f():\n    if True:\n        import numpy", "m")
    assert hidden_imports("class C:\n    async def f(self):\n        from numpy import add", "m")
    assert not hidden_imports("import numpy\ntry:\n    import scipy\nexcept ImportError:\n    scipy = None", "m")


@pytest.mark.parametrize("statement", ["raise ValueError", "raise ValueError()", "raise errors.ShapeError from None"])
def test_a_raise_without_a_message_is_found(statement):
    assert silent_raises(f"def f():\n    {statement}", "m")


@pytest.mark.parametrize("statement", ["raise", "raise ValueError('why')", "raise error", "raise error from cause"])
def test_a_raise_with_a_message_passes(statement):
    assert not silent_raises(f"def f():\n    {statement}", "m")


def test_a_missing_docstring_is_found():
    assert undocumented("def f(): ...", "m") == ["m has no docstring", "m:1 f has no docstring"]
    assert undocumented('"""M."""\n__all__ = ["C"]\nclass C: ...\ndef f(): ...', "m") == ["m:3 C has no docstring"]
    assert not undocumented('"""M."""\ndef _f(): ...\ndef g():\n    """G."""', "m")


def test_a_long_module_is_found():
    assert too_long("x = 1\n" * (LONGEST + 1), "m")
    assert not too_long("x = 1\n" * LONGEST, "m")
