"""The pages in docs/ say what is so: examples print what stands below them, lists are those of the tables."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
X = np.array([0.5, 1.5, 2.5])


def output_of(source: str) -> str:
    """What a program prints, run in an interpreter of its own: other tests add rules to the tables."""
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_list_of_functions_is_that_of_the_tables():
    written = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    made_with = re.search(r"made with NumPy (\S+) and SciPy (\S+)\.\n", written)
    assert made_with is not None
    if made_with.groups() != (version("numpy"), version("scipy")):
        pytest.skip(f"the page was made with NumPy {made_with[1]} and SciPy {made_with[2]}")
    page = output_of("from docs import functions; print(functions.page(), end='')")
    assert page == written, "run `python -m docs.functions`"


@pytest.mark.parametrize(
    ("name", "examples"), [("guide.md", 20), ("write.md", 9), ("layers.md", 5), ("check.md", 3), ("why.md", 7)]
)
def test_the_examples_print_what_stands_below_them(name, examples):
    pytest.importorskip("scipy")
    path = ROOT / "docs" / name
    written = path.read_text(encoding="utf-8")
    assert written.count("```python") > examples
    read = f"pathlib.Path({str(path)!r}).read_text(encoding='utf-8')"
    page = output_of(f"import pathlib; from docs import guide; print(guide.refreshed({read}), end='')")
    assert page == written, "run `python -m docs.guide` and read what has changed"


def anchor(heading: str) -> str:
    """The name that a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(text: str, folder: Path) -> list[str]:
    """Links to files or headings that do not exist; those into the web are not looked at."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = folder / path if path else None
        if file is not None and not file.exists():
            broken.append(target)
            continue
        if heading:
            content = text if file is None else file.read_text(encoding="utf-8")
            if heading not in map(anchor, re.findall(r"^#+ (.*)$", content, re.MULTILINE)):
                broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert broken_links(page.read_text(encoding="utf-8"), page.parent) == []


def test_a_broken_link_is_found():
    text = "# A title: one\n[a](#a-title-one) [b](#another) [c](nowhere.md) [d](https://a.org) [e](README.md#none)"
    assert broken_links(text, ROOT) == ["#another", "nowhere.md", "README.md#none"]


REFUSED = {
    "np.asmatrix": lambda x: np.asmatrix(x).sum(),
    "np.bmat": lambda x: np.bmat([[x]]).sum(),
    "np.format_float_positional": lambda x: float(np.format_float_positional(x[0])),
    "np.fromiter": lambda x: np.fromiter(x, float).sum(),
    "np.frompyfunc": lambda x: np.frompyfunc(lambda t: t * t, 1, 1)(x).sum(),
    "np.nextafter": lambda x: np.nextafter(x, 1.0).sum(),
    "np.packbits": lambda x: np.packbits(x > 1).sum() * x[0],
    "np.require": lambda x: np.require(x).sum(),
    "x.tolist()": lambda x: sum(x.tolist()),
    "x.resize()": lambda x: x.resize(4),
    "x.setflags()": lambda x: x.setflags(write=True),
    "scipy.special.zetac": lambda x: __import__("scipy.special").special.zetac(x).sum(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_listed_as_refused_is_refused(name):
    pytest.importorskip("scipy.special")
    written = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    assert f"| `{name}` | refused |" in written or f"`{name.rpartition('.')[2]}`" in written
    with pytest.raises(cr.ChainruleError):
        cr.grad(REFUSED[name])(X)


def test_what_works_as_ever_does():
    def f(x):
        assert np.iterable(x)
        assert not np.isscalar(x)
        assert np.isfortran(x) is False
        assert np.issubdtype(x.dtype, np.floating)
        i, j = np.diag_indices(3)
        table = np.fromfunction(lambda a, b: a + b, (3, 3))
        return np.sum(x * np.fft.fftfreq(3) + table[i, j] * x)

    np.testing.assert_allclose(cr.grad(f)(X), np.fft.fftfreq(3) + np.array([0, 2, 4]))


def test_the_vocabulary_is_described_as_it_is():
    from chainrule.check.vocabulary import KINDS

    page = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    for kind in KINDS.values():
        assert f"| `{kind.name}` | {kind.meaning} |" in page, kind.name
