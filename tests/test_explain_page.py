"""The renderings of a derivation: text, Markdown, and the page, which is opened in a real browser."""

from __future__ import annotations

import re
import shutil
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.explain.columns import wide, wrapped
from chainrule.explain.derivation import Derivation, Edge, Node
from chainrule.explain.explanation import Explanation
from chainrule.explain.figures import array_lines, summary
from chainrule.explain.html.heat import grid_of, picture_of, strength
from chainrule.explain.html.layout import laid_out
from chainrule.explain.html.ties import ties_of
from chainrule.explain.notation import text
from tests.explain_examples import four_layers, long_chain

NETWORK = Explanation(four_layers(), language="en")


# ---- text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("depth", ["brief", "default", "full"])
def test_lines_keep_to_the_width(depth, width):
    lines = Explanation(four_layers(), depth, "en").text(width).splitlines()
    if width >= 60:
        assert max(map(wide, lines)) <= width
    # Code is never broken, nor are products of two derivatives.
    assert [line for line in lines if wide(line) > width and "∂" not in line and " = " not in line] == []


def test_the_text_says_everything():
    shown = NETWORK.text()
    derivation = NETWORK.derivation
    for part in derivation.parts:
        assert part.source in shown
        assert f"line {part.line}" in shown
        for route in part.routes:
            assert f"{route.gradient}, the gradient of err with respect to {route.name}" in shown
            for line in route.lines:
                assert line.code in shown
                assert line.shapes in shown
                for code, _ in line.reasons:
                    assert f"Why {code}" in shown
        for local in part.locals:
            assert text(local.equation) in shown


def test_brief_is_one_line_per_gradient():
    lines = NETWORK.brief().text().splitlines()
    codes = [line.code for part in NETWORK.derivation.parts for route in part.routes for line in route.lines]
    assert [sum(line.startswith(f"  {code}") for line in lines) for code in codes] == [1] * len(codes)
    assert "  dZ3 = dA3 * (Z3 > 0)   ∂err/∂Z3[n,j] = dA3[n,j]·[Z3[n,j] > 0]" in lines
    assert len(lines) < 45


def test_lines_carry_styles_and_the_plain_text_none():
    styles = {style for line in NETWORK.lines() for _, style in line}
    assert {"bold", "dim", "cyan", "green"} <= styles
    assert "\x1b" not in NETWORK.text()


def test_code_never_begins_with_a_capital_of_ours():
    assert "np.maximum(0, z) is z" in NETWORK.text()


@pytest.mark.parametrize(
    ("words", "width", "expected"),
    [
        ("a b c", 3, ["a b", "c"]),
        ("", 9, [""]),
        ("longer than this", 4, ["longer", "than", "this"]),
        ("連鎖律により、勾配は", 8, ["連鎖律に", "より、", "勾配は"]),
        ("連鎖律で、より短い式", 14, ["連鎖律で、", "より短い式"]),
        ("「連鎖律。」より", 12, ["「連鎖律。」", "より"]),
        ("行列 W3 の転置", 8, ["行列", "W3 の", "転置"]),
        ("寄与を 3 回に分けて足し合わせます。", 16, ["寄与を 3 回に", "分けて", "足し合わせます。"]),
        ("それが戻ってきて", 12, ["それが", "戻ってきて"]),
        ("行和列，相加。", 6, ["行和", "列，相", "加。"]),
        ("求和（沿轴 0）：全部", 14, ["求和（沿轴", "0）：全部"]),
        ("恰好都为（0，x）", 9, ["恰好都为", "（0，x）"]),
        ("N·K termes\u00a0: chacun", 11, ["N·K", "termes\u00a0:", "chacun"]),
        ("次の `x + 1` は", 10, ["次の", "`x + 1` は"]),
    ],
)
def test_words_are_broken_in_every_language(words, width, expected):
    assert wrapped(words, width) == expected


def test_small_arrays_are_whole_and_large_ones_summed_up():
    assert array_lines(np.array([[1.0, -20.5], [0.25, -0.0]]), 40) == ["[[    1 -20.5]", " [ 0.25     0]]"]
    assert array_lines(np.float64(0.123456), 40) == ["0.1235"]
    assert array_lines(np.array(["a"]), 40) == ["['a']"]
    assert len(array_lines(np.zeros((50, 50)), 80)) < 12
    assert len(array_lines(np.zeros((50, 5)), 80, whole=True)) == 50
    assert str(summary(np.array([3.0, -4.0]))) == "from -4 to 3, mean -0.5, norm 5"
    assert "1 of 2 elements are NaN or infinite" in str(summary(np.array([1.0, np.nan])))
    assert summary(np.zeros(0)) is None


# ---- Markdown


def test_markdown_has_formulas_code_and_reasons():
    shown = NETWORK.markdown()
    assert shown.count("```") % 2 == 0
    assert "```math\nY_{n,j} = \\sum_{k} \\mathit{A3}_{n,k} \\cdot \\mathit{W4}_{k,j} + \\mathit{B4}_{j}\n```" in shown
    assert "```python\ndA3 = dY @ W4.T\n```" in shown
    assert "**Why `.T`**: " in shown
    assert "### `dW4`, the gradient of err with respect to W4" in shown
    levels = [len(h) for h in re.findall(r"^(#+) ", shown, re.MULTILINE)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(NETWORK.brief().markdown()) < len(shown) / 2


# ---- saving


def test_it_is_saved_by_the_ending_of_the_name(tmp_path):
    for name, start in (("a.html", "<!DOCTYPE html>"), ("a.md", "# How"), ("a.txt", "How the")):
        NETWORK.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    with pytest.raises(ChainruleError, match=r"end the name in \.html, \.md or \.txt"):
        NETWORK.save(tmp_path / "a.pdf")


def test_depth_and_language_are_checked():
    with pytest.raises(ChainruleError, match="'brief', 'default', 'full'"):
        Explanation(four_layers(), "long")
    with pytest.raises(ChainruleError, match="no messages in the language"):
        NETWORK.in_language("tlh")


def test_a_notebook_shows_the_page_in_a_frame_of_its_own():
    shown = NETWORK._repr_html_()
    assert shown.startswith("<iframe ")
    assert "&lt;!DOCTYPE html&gt;" in shown
    assert "<script" not in shown
    untrusted = re.sub(r"<(iframe|style).*?</\1>", "", shown, flags=re.DOTALL)
    assert unescape(untrusted) == f'<pre class="chainrule-text">{NETWORK}</pre>'
    assert repr(NETWORK) == str(NETWORK)


# ---- arrays as pictures


def test_a_grid_has_the_means_of_blocks():
    grid = grid_of(np.arange(24.0).reshape(4, 6), 2, 3)
    assert grid.block == (2, 2)
    assert np.array_equal(grid.numbers, [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]])
    ragged = grid_of(np.ones((5, 7)), 2, 2)
    assert np.array_equal(ragged.numbers, np.ones((2, 2)))
    assert grid_of(np.zeros((2, 3, 4)), 9, 9).numbers.shape == (6, 4)
    assert grid_of(np.float64(2.0), 9, 9).numbers.shape == (1, 1)
    assert grid_of(np.zeros((0, 3)), 9, 9) is None
    assert grid_of(np.array(["a"]), 9, 9) is None


def test_strength_is_relative_and_knows_what_is_not_finite():
    parts = strength(np.array([-4.0, 0.0, 2.0, np.inf, np.nan]))
    assert parts[:3].tolist() == [-1.0, 0.0, 0.5]
    assert np.isnan(parts[3:]).all()
    assert strength(np.zeros(2)).tolist() == [0.0, 0.0]
    assert picture_of(grid_of(np.zeros((2, 2)), 9, 9)).startswith("data:image/png;base64,")


# ---- where nodes stand


def graph(*pairs: tuple[str, str]) -> tuple[list[Node], list[Edge]]:
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    return [Node(n, "value", ()) for n in names], [Edge(names.index(a), names.index(b)) for a, b in pairs]


GRAPHS = {
    "chain": [("x", "a"), ("a", "b"), ("b", "c")],
    "dense": [("x", "z"), ("w", "z"), ("b", "z"), ("z", "a"), ("a", "y"), ("v", "y")],
    "skip": [("x", "a"), ("a", "b"), ("b", "c"), ("c", "s"), ("x", "s")],
    "wide": [("x", f"h{k}") for k in range(9)] + [(f"h{k}", "y") for k in range(9)],
    "shared": [(f"x{k}", f"x{k + 1}") for k in range(12)] + [("w", f"x{k}") for k in range(1, 13)],
}


@pytest.mark.parametrize("pairs", GRAPHS.values(), ids=GRAPHS)
def test_nodes_stand_apart_and_below_what_they_come_from(pairs):
    nodes, edges = graph(*pairs)
    layout = laid_out(nodes, edges)
    assert sorted(p.node for p in layout.places if not p.again) == list(range(len(nodes)))
    for source, target, bends in layout.lines:
        rows = [layout.places[source].row, *(row for _, row in bends), layout.places[target].row]
        assert all(b == a + 1 for a, b in pairwise(rows))
    assert sorted((layout.places[s].node, layout.places[t].node) for s, t, _ in layout.lines) == sorted(
        (e.source, e.target) for e in edges
    )
    by_row: dict[int, list[float]] = {}
    for place in layout.places:
        by_row.setdefault(place.row, []).append(place.x)
    for xs in by_row.values():
        assert all(b - a > 0.999 for a, b in pairwise(sorted(xs)))


def test_the_main_path_is_straight():
    derivation = four_layers()
    layout = laid_out(derivation.nodes, derivation.edges)
    main = [p.x for p in layout.places if derivation.nodes[p.node].name[0] in "ZAYe" and not p.again]
    assert max(main) - min(main) < 0.05


def test_what_is_used_far_away_is_mentioned_there_again():
    nodes, edges = graph(*GRAPHS["shared"])
    layout = laid_out(nodes, edges)
    assert max(len(bends) for *_, bends in layout.lines) <= 3
    assert any(place.again for place in layout.places)


def test_nodes_lead_to_their_steps():
    derivation = four_layers()
    ties = ties_of(derivation)
    names = [node.name for node in derivation.nodes]
    for name, step in {"err": 0, "Y": 1, "W4": 1, "T": 0, "A3": 2, "X": 7, "B1": 7}.items():
        assert ties.step_of_node[names.index(name)] == step, name
    assert [names[k] for k in ties.read_by_step[1]] == ["A3", "W4", "B4"]


# ---- the page as text


class Reader(HTMLParser):
    """What a page holds, as lists; complains of tags that are not closed."""

    VOID = frozenset("meta img input br link hr".split())
    DRAWN = frozenset("path rect image".split())

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[int] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    empty = Derivation("f", "y", np.float64(1.0), ())
    shown = NETWORK._repr_html_() + Explanation(empty, language="en")._repr_html_().replace('loading="lazy"', "")
    return {
        "network": NETWORK.html(),
        "long": Explanation(long_chain(120), language="en").html(),
        "nothing": Explanation(empty, language="en").html(),
        "notebook": f"<body style='background: #111'>{shown}</body>",
    }


@pytest.mark.parametrize("name", ["network", "long", "nothing"])
def test_the_page_is_well_formed_and_can_be_read_aloud(pages, name):
    reader = Reader()
    reader.feed(pages[name])
    assert reader.wrong == []
    assert reader.open == []
    assert reader.headings[0] == 1
    assert reader.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(reader.headings))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("main") == 1
    for tag, attributes in reader.tags:
        if tag == "img":
            assert "alt" in attributes
        for reference in ("aria-labelledby",):
            if reference in attributes:
                assert attributes[reference] in ids
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids
        if tag == "section":
            assert "aria-labelledby" in attributes or attributes["class"] == "route"


@pytest.mark.parametrize("name", ["network", "long", "nothing"])
def test_the_page_asks_for_nothing_from_elsewhere(pages, name):
    reader = Reader()
    reader.feed(pages[name])
    for tag, attributes in reader.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for attribute in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(attribute) or ""
            assert re.match(r"(#|data:image/png;base64,|$)", value), f"<{tag} {attribute}={value[:60]}>"
    addresses = set(re.findall(r"\w+://[^\s\"'<>)]*", pages[name]))
    assert addresses <= {"http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg"}
    assert "@import" not in pages[name]
    assert "url(" not in pages[name].replace("url(#tip)", "")


def test_a_thousand_steps_stay_below_two_megabytes():
    html = Explanation(long_chain(1000), language="en").html()
    assert len(html.encode()) < 2_000_000
    assert html.count("<math") == 0


def test_names_and_statements_are_text_and_not_markup():
    derivation = four_layers()
    part = derivation.parts[0]
    hostile = "</script><script>alert(1)</script>"
    changed = [type(part)(hostile, 1, hostile, (), None, (), part.routes, part.value, part.gradient)]
    html = Explanation(Derivation(hostile, hostile, np.float64(0), tuple(changed)), language="en").html()
    assert "alert(1)</script>" not in html


def test_a_loop_stands_above_its_body_in_the_code():
    def f(xs, w, h):
        for x in xs:
            h = np.tanh(x * w + h)
        return (h**2).sum()

    page = cr.explain(f, np.arange(10.0).reshape(5, 2) / 10, np.array([0.5, -0.5]), np.zeros(2), wrt="w").html()
    forward = page[page.index("Forward") : page.index("Backward")]
    lines = [int(n) for n in re.findall(r'class="line">(\d+)<', forward)]
    assert lines == sorted(lines)


def test_a_loop_in_a_loop_stands_above_its_body():
    def f(x, w):
        for _ in range(3):
            x = x + 1.0
            for _ in range(4):
                x = np.tanh(x * w)
        return x.sum()

    html = cr.explain(f, np.ones(2), np.ones(2)).html()
    forward = re.findall(r"<code>(.*?)</code>", html[html.index("<ol>") : html.index("</ol>")])
    assert forward == [
        "for _ in range(3):",
        "    x = x + 1.0",
        "    for _ in range(4):",
        "        x = np.tanh(x * w)",
        "return x.sum()",
    ]


# ---- the page in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no browser: chromium is not installed")
    switches = (
        "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync"
    )
    with playwright.sync_playwright() as run:
        # Each launch has a new profile of its own.
        opened = run.chromium.launch(executable_path=found, args=switches.split())
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, pages, tmp_path):
    """Opens a page of a name; what it says on the console or asks for ends the test."""
    complaints: list[str] = []
    shown = []

    def show(name: str, width: int = 1280, height: int = 900, dark: bool = False):
        path = Path(tmp_path / f"{name}.html")
        path.write_text(pages[name], encoding="utf-8")
        view = {"width": width, "height": height}
        page = browser.new_page(viewport=view, color_scheme="dark" if dark else "light", reduced_motion="reduce")
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or complaints.append(r.url))
        page.goto(path.as_uri())
        shown.append(page)
        return page

    yield show
    for page in shown:
        page.close()
    assert complaints == []


def lit(page) -> list[str]:
    return page.eval_on_selector_all(".node.on title", "titles => titles.map(t => t.textContent.split(',')[0])")


def test_a_step_its_node_and_its_line_are_shown_together(opened):
    page = opened("network")
    assert lit(page) == ["err"]
    page.hover(".source li[data-step='2'] a")
    assert lit(page) == ["A3"]
    page.click(".node a[aria-label^='Z2']")
    assert lit(page) == ["Z2"]
    assert page.evaluate("document.activeElement.id") == "step-6"
    assert page.eval_on_selector_all(".node.read title", "ts => ts.map(t => t.textContent.split(',')[0]).sort()") == [
        "A1", "B2", "W2",
    ]  # fmt: skip
    rows = page.eval_on_selector_all(".source li.on", "rows => rows.map(r => r.innerText.replace(/\\s+/g, ' '))")
    assert rows[0].strip() == "43 Z2 = A1.dot(W2) + B2"
    assert "dW2 = A1.T @ dZ2" in rows[1]
    assert page.eval_on_selector_all(".edges path.on", "paths => paths.length") == 3
    box, panel = (
        page.eval_on_selector(s, "e => e.getBoundingClientRect().toJSON()") for s in (".node.on", ".picture .scroll")
    )
    assert panel["top"] <= box["top"]
    assert box["bottom"] <= panel["bottom"] + 1


def test_everything_is_done_with_the_keyboard(opened):
    page = opened("network")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.id") == "step-3"
    assert page.inner_text("#where") == "Step 3 of 8"
    page.keyboard.press("p")
    assert lit(page) == ["Y"]
    page.focus(".node a[aria-label^='W4']")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "step-2"
    page.focus("input[name=depth]:checked")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.documentElement.dataset.depth") == "brief"
    assert not page.is_visible("#step-2 .row.why")
    assert page.is_visible("#step-2 .row.code")
    # The order of the focus is that of the page: no element jumps the queue.
    assert page.eval_on_selector_all("[tabindex]", "es => es.filter(e => e.tabIndex > 0).length") == 0


def test_figures_of_a_map_are_read_out(opened, pages):
    derivation = four_layers()
    part = derivation.parts[0]
    large = np.arange(800.0).reshape(40, 20)
    pages["map"] = Explanation(
        Derivation("f", "y", np.float64(0), (type(part)("y = f(W)", 1, "W", large.shape, None, value=large),)),
        language="en",
    ).html()
    page = opened("map")
    page.focus(".map")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".readout") == "W[1,1] = 21"
    box = page.eval_on_selector(".map", "e => e.getBoundingClientRect().toJSON()")
    page.mouse.move(box["right"] - 2, box["bottom"] - 2)
    assert page.inner_text(".readout") == "W[39,19] = 799"
    page.click(".figures summary")
    assert page.eval_on_selector_all(".figures td", "cells => cells.length") == 801
    assert page.eval_on_selector(".figures tbody tr:nth-child(3) th", "c => c.textContent") == "2"


def brightness(page) -> float:
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(opened, dark):
    page = opened("network", dark=dark)
    assert (brightness(page) < 60) is dark
    assert page.inner_text("#theme") == ("Light" if dark else "Dark")
    page.click("#theme")
    assert (brightness(page) < 60) is not dark


def test_in_a_notebook_it_is_as_light_or_dark_as_the_notebook(opened):
    """Whatever the system prefers; and the picture stands beside the steps where the notebook is narrow."""
    page = opened("notebook", 760)
    first, second = page.frames[1:]
    first.wait_for_selector("article.step.on")
    for frame in (first, second):
        assert brightness(frame) < 60
        boxes = [frame.locator(part).bounding_box() for part in (".side", "main")]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    heights = page.eval_on_selector_all("iframe", "frames => frames.map(f => f.clientHeight)")
    assert heights[1] < heights[0] == 760
    page.evaluate("document.body.style.background = 'white'")
    first.wait_for_function("document.documentElement.dataset.theme === 'light'")


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_nothing_is_cut_off(opened, width):
    page = opened("network", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide_parts = page.evaluate(
        """[...document.querySelectorAll('main p, main h3, main h4, .top *')].filter(e => {
            const box = e.getBoundingClientRect();
            return box.width > 2 && (box.right > innerWidth + 1 || box.left < -1);
        }).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert wide_parts == []


def test_it_can_be_printed(opened):
    page = opened("network")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.query_selector_all(".on") == []
    page.emulate_media(media="print")
    assert not page.is_visible(".controls")
    assert page.is_visible("#step-8 .row.why")
    heights = page.eval_on_selector_all(".scroll", "es => es.map(e => [e.scrollHeight, e.clientHeight])")
    assert all(whole <= seen + 1 for whole, seen in heights)
    assert all(page.eval_on_selector_all("pre", "es => es.map(e => e.scrollWidth <= e.clientWidth)"))
    assert len(page.pdf()) > 10_000
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert lit(page) == ["err"]


def test_the_picture_of_a_long_derivation_goes_on_after_the_page_is_shown(opened, pages):
    reader = Reader()
    reader.feed(pages["long"])
    assert sum(tag == "g" and "data-node" in attributes for tag, attributes in reader.tags) < 100
    page = opened("long")
    page.wait_for_function("document.querySelectorAll('.node:not(.again)').length === 122")
    page.click("#step-120 h3")
    page.evaluate("document.querySelector('#step-118').focus()")
    assert lit(page) == ["x3"]
    # As by keyboard: while a pointer is on its way, what the browser tells of the scrolled page moves the picture.
    page.dispatch_event(".node a[aria-label^='x90']", "click")
    assert page.evaluate("document.activeElement.id") == "step-31"


def test_the_picture_keeps_still_under_the_pointer(opened):
    page = opened("long")
    page.wait_for_function("document.querySelectorAll('.node:not(.again)').length === 122")
    page.hover(".picture .scroll")
    page.evaluate("document.querySelector('#step-100').scrollIntoView()")
    page.wait_for_function("/\\b100\\b|\\b101\\b/.test(document.querySelector('#where').textContent)")
    assert page.evaluate("document.querySelector('.picture .scroll').scrollTop") == 0
    page.mouse.move(5, 5)
    page.evaluate("document.querySelector('#step-60').scrollIntoView()")
    page.wait_for_function("document.querySelector('.picture .scroll').scrollTop > 0")


def test_details_of_a_long_derivation_unfold(opened):
    page = opened("long", 390)
    assert page.locator("math").count() == 0
    page.click("#step-2 summary")
    page.wait_for_selector("#step-2 math")
    assert "dx118 = dx119 * w" in page.inner_text("#step-2 .row.code")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
