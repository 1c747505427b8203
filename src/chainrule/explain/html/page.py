"""The page as a whole: the picture, the code and the steps, tied together."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path

import numpy as np

from chainrule.explain.derivation import Derivation, Part
from chainrule.explain.figures import shown_number
from chainrule.explain.html.arrays import Arrays
from chainrule.explain.html.picture import picture
from chainrule.explain.html.steps import step_body, step_head
from chainrule.explain.html.ties import Ties, ties_of
from chainrule.explain.outline import Depth, Outline, code_of, introduction, listing, title
from chainrule.language import current_language, message

__all__ = ["page"]

_FOLDER = Path(__file__).parent
# Beyond so many steps, the details are packed and unfold when a step is opened.
_LONG = 60


def page(derivation: Derivation, depth: Depth = "default", before: str = "") -> str:
    """The HTML of a derivation, in the language of the moment; ``before`` is HTML that stands before the steps."""
    ties, arrays = ties_of(derivation), Arrays()
    long = len(derivation.parts) > _LONG
    outline = Outline(derivation, written_out=not long)
    bodies = [step_body(outline, part, arrays) for part in derivation.parts]
    articles = [_step(derivation, ties, k, "" if long else body, long) for k, body in enumerate(bodies)]
    steps = "".join(f'<div class="some">\n{"".join(some)}</div>\n' for some in _in_tens(articles))
    drawing, later = picture(derivation, ties)
    data = {
        "arrays": "@", "step": str(message("Step {number} of {count}", number="{number}", count=len(bodies))),
        "dark": str(message("Dark")), "light": str(message("Light")),
        "packed": _packed({"bodies": bodies if long else [], "pieces": later}) if long or later else "",
    }  # fmt: skip
    script = json.dumps(data, ensure_ascii=False).replace('"@"', arrays.json()).replace("</", "<\\/")
    language = current_language()
    heading = escape(str(title(derivation)))
    return f"""<!DOCTYPE html>
<html lang="{language}" data-depth="{depth}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
<style>{_file("page.css")}</style>
</head>
<body{' class="long"' if long else ""}>
<a class="skip" href="#steps">{_word("go")}</a>
{_top(derivation, heading, depth)}
<div class="layout">
<div class="side">
{_picture(drawing)}
{_code(derivation)}
</div>
<main id="steps" tabindex="-1">
{_introduction(derivation)}
{before}
<h2>{_word("steps_title")}</h2>
{steps}
{_notes(derivation)}
</main>
</div>
<script type="application/json" id="data">{script}</script>
<script>{_file("page.js")}</script>
</body>
</html>
"""


@cache
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _text(said: object) -> str:
    return escape(str(said))


def _word(name: str) -> str:
    """A word of the page itself.  They stand here, for what collects messages does not read within f-strings."""
    words = {
        "go": message("Go to the steps"),
        "steps_title": message("The steps"),
        "steps": message("Steps"),
        "previous": message("Previous step"),
        "next": message("Next step"),
        "depth": message("How much is shown"),
        "picture": message("The picture"),
        "legend": message("left: value, right: gradient"),
        "code": message("The code"),
        "forward": message("Forward"),
        "backward": message("Backward"),
        "indices": message("Indices"),
    }
    return _text(words[name])


def _top(derivation: Derivation, heading: str, depth: Depth) -> str:
    value = np.asarray(derivation.value)
    of = "" if value.ndim else escape(f"{derivation.result} = {shown_number(value.item())}")
    words = {
        "brief": message("Brief"), "default": message("Normal"), "full": message("Full"),
    }  # fmt: skip
    choices = "".join(
        f'<label><input type="radio" name="depth" value="{k}"{" checked" if k == depth else ""}>'
        f"<span>{_text(word)}</span></label>"
        for k, word in words.items()
    )
    return f"""<header class="top">
<div class="heading"><h1>{heading}</h1>
<p><span class="file">{escape(derivation.title)}</span> <span class="result">{of}</span></p></div>
<div class="controls">
<div class="walk" role="group" aria-label="{_word("steps")}">
<button type="button" id="previous" aria-label="{_word("previous")}" aria-keyshortcuts="p">‹</button>
<span id="where" aria-live="polite"></span>
<button type="button" id="next" aria-label="{_word("next")}" aria-keyshortcuts="n">›</button>
</div>
<fieldset class="depth"><legend class="hidden">{_word("depth")}</legend>{choices}</fieldset>
<button type="button" id="theme"></button>
</div>
</header>"""


def _picture(drawing: str) -> str:
    if not drawing:
        return ""
    return f"""<section class="picture" aria-labelledby="picture-title">
<h2 id="picture-title">{_word("picture")}</h2>
<p class="legend"><span class="key">{_word("legend")}</span>
<span class="scale"><span>−</span><i aria-hidden="true"></i><span>+</span></span></p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="picture-title">{drawing}</div>
</section>"""


def _code(derivation: Derivation) -> str:
    """The statements in their order, and the backward lines in theirs."""
    order = _as_written(list(enumerate(derivation.parts)))
    forward = [
        f'<li data-step="{k}"><a href="#step-{k + 1}"><span class="line">{part.line or ""}</span>'
        f"<code>{'    ' * depth}{escape((part.source or part.result).splitlines()[0])}</code></a></li>"
        for k, part, depth in order
    ]
    backward = [
        f'<li data-step="{k}"><a href="#step-{k + 1}"><span class="line">{k + 1}</span>'
        f"<code>{escape(chr(10).join(line.code for _, line in lines))}</code></a></li>"
        for k, lines in listing(derivation)
    ]
    if derivation.opening:
        opening = escape("\n".join(derivation.opening))
        backward.insert(0, f'<li class="opening"><span class="line"></span><code>{opening}</code></li>')
    return f"""<section class="source" aria-labelledby="code-title">
<h2 id="code-title">{_word("code")}</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="code-title">
<h3>{_word("forward")} <span aria-hidden="true">↓</span></h3>{_list(forward)}
<h3>{_word("backward")} <span aria-hidden="true">↓</span></h3>{_list(backward)}
</div>
</section>"""


def _list(rows: list[str]) -> str:
    return "".join(f"<ol>{''.join(some)}</ol>" for some in _in_tens(rows, 5)) or "<ol></ol>"


def _in_tens(texts: list[str], tens: int = 2) -> list[list[str]]:
    """Texts in groups: a browser lays out a group of a long page when it comes into sight."""
    return [texts[k : k + 10 * tens] for k in range(0, len(texts), 10 * tens)]


def _as_written(parts: Sequence[tuple[int, Part]], depth: int = 0) -> list[tuple[int, Part, int]]:
    """Statements in the order of the source, with the number of loops around: the head stands above its body."""
    groups: list[list[tuple[int, Part]]] = []
    for place, part in parts:
        head = groups[-1][0][1] if groups else None
        if head is not None and part.repeats > head.repeats and head.source.lstrip().startswith(("for ", "while ")):
            groups[-1].append((place, part))
        else:
            groups.append([(place, part)])
    return [row for head, *body in reversed(groups) for row in ((*head, depth), *_as_written(body, depth + 1))]


def _introduction(derivation: Derivation) -> str:
    letters = "".join(
        f"<div><dt><i>{escape(letter)}</i></dt><dd>{_text(runs)}</dd></div>"
        for letter, runs in derivation.indices.items()
    )
    indices = f'<dl class="indices" aria-label="{_word("indices")}">{letters}</dl>' if letters else ""
    said = "".join(f"<p>{_text(x)}</p>" for x in (introduction(derivation), *derivation.definitions))
    return f'<div class="introduction">{said}{indices}</div>'


def _step(derivation: Derivation, ties: Ties, k: int, body: str, long: bool) -> str:
    part = derivation.parts[k]
    read = " ".join(map(str, ties.read_by_step[k]))
    tied = f'data-step="{k}" data-node="{ties.node_of_step[k]}" data-read="{read}"'
    inside = step_head(part, k + 1)
    if long:
        code = escape("\n".join(code_of(part)))
        said = _text(message("Show how"))
        inside += (
            f'<pre class="lines"><code>{code}</code></pre><details class="body"><summary>{said}</summary></details>'
        )
    else:
        inside += f'<div class="body">{body}</div>'
    return (
        f'<article class="step" id="step-{k + 1}" {tied} tabindex="-1" aria-labelledby="step-{k + 1}-title">'
        f"{inside}</article>\n"
    )


def _notes(derivation: Derivation) -> str:
    if not derivation.notes:
        return ""
    return '<footer class="notes">' + "".join(f"<p>{_text(note)}</p>" for note in derivation.notes) + "</footer>"


def _packed(parts: dict[str, list[str]]) -> str:
    packed = gzip.compress(json.dumps(parts, ensure_ascii=False).encode(), 9, mtime=0)
    return base64.b64encode(packed).decode("ascii")
