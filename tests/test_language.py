"""Messages in four languages: nothing is missing, no gap is lost, and what is compiled is what is written."""

from __future__ import annotations

import ast
import gettext
import re
from functools import cache

import pytest

pytest.importorskip("babel")

from babel.messages.catalog import Catalog

from chainrule.errors import ChainruleError
from chainrule.language import Message, current_language, in_language, language_named, listed, message, plural
from docs import catalogues


@pytest.mark.parametrize("language", catalogues.TRANSLATED)
def test_what_is_compiled_is_what_is_written(language):
    with catalogues.po_path(language).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in catalogues.translated(language):
        if entry.id:
            one = entry.id if isinstance(entry.id, str) else entry.id[0]
            strings = (entry.string,) if isinstance(entry.string, str) else entry.string
            found = compiled.gettext(one) if isinstance(entry.id, str) else compiled.ngettext(*entry.id, 1)
            assert found == strings[0], "run `python -m docs.catalogues`"


@pytest.mark.parametrize(
    ("english", "translation", "complaint"),
    [
        ("{name} is right", "{name} est juste", None),
        ("{name} is right", "est juste", "other gaps"),
        ("{name} is right", "{nom} est juste", "other gaps"),
        ("{name} is right", "", "not translated"),
        ("{{a}} is a set", "{{a}} est un ensemble", None),
        (("{count} d{name}", "{count} d{name}s"), ("un d{name}", "{count} d{name}"), None),
        (("{count} d{name}", "{count} d{name}s"), ("un gradient", "{count} d{name}"), "other gaps"),
        (("{count} gradient", "{count} gradients"), ("un gradient", ""), "not translated"),
    ],
)  # fmt: skip
def test_the_check_of_catalogues_finds_what_is_wrong(english, translation, complaint):
    catalogue = Catalog("fr")
    catalogue.add(english, translation)
    found = list(catalogues.missing(catalogue))
    assert len(found) == (complaint is not None)
    assert not found or found[0].startswith(complaint)


# A French sign of two parts without its blank, or with one at which a line may break; code has signs of its own.
_FRENCH_SIGN = re.compile(r"(?<![\s\u00a0])(?:[;?!]|:)(?=\s|$)|(?<!\u00a0)(?<=\s)[;:?!](?=\s|$)")


def french_signs(text: str) -> list[str]:
    """The signs of two parts that do not stand after a blank that holds them to the word before."""
    return _FRENCH_SIGN.findall(re.sub(r"`[^`]*`|\{\w+\}", "x", text))


def test_signs_of_two_parts_stand_after_a_blank_that_holds_in_french():
    assert french_signs("`a : b`\u00a0: oui\u00a0; non\u00a0?") == []
    assert french_signs("non: oui ; non !") == [":", ";", "!"]
    strings = {
        string: signs
        for entry in catalogues.translated("fr")
        if entry.id
        for string in ((entry.string,) if isinstance(entry.string, str) else entry.string)
        if (signs := french_signs(string))
    }
    assert strings == {}


# What makes messages, and which of its arguments are templates; and what errors are made of them.
_MAKERS = {"message": slice(0, 1), "plural": slice(0, 2), "refused": slice(1, 4)}
_REFUSALS = frozenset(
    "ChainruleError CandidateError DependenceError IsolationError LinkLostError NanError NotDifferentiableError "
    "RequestError ScriptError ShapeError TreeError UnknownAttributeError".split()
)


@cache
def calls(source: str) -> list[tuple[str, ast.Call, bool]]:
    """The calls that make messages or errors, each with what is called and whether it stands within an f-string."""
    found = []
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    while waiting:
        node, within = waiting.pop()
        within = within or isinstance(node, ast.JoinedStr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {*_MAKERS, *_REFUSALS}:
            found.append((node.func.id, node, within))
        waiting += [(child, within) for child in ast.iter_child_nodes(node)]
    return sorted(found, key=lambda call: call[1].lineno)


def sources() -> dict[str, str]:
    """The text of each module that makes messages or errors."""
    texts = {
        path.relative_to(catalogues.PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in catalogues.PACKAGE.rglob("*.py")
    }
    own = re.compile(r"chainrule\.language import|import .*refused|Error\(")
    return {name: text for name, text in texts.items() if own.search(text)}


def templates_that_are_computed(source: str) -> list[int]:
    """The lines on which a message is made whose template is no literal: it would never be collected."""
    return [
        call.lineno
        for name, call, _ in calls(source)
        if name in _MAKERS and not all(_is_text(template) for template in call.args[_MAKERS[name]])
    ]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_templates_are_literals():
    # The names of values have plurals, too.
    found = {
        name: templates_that_are_computed(s)
        for name, s in sources().items()
        if not re.search("names import .*plural", s)
    }
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert templates_that_are_computed('message(text)\nmessage("a" "b")\nplural("a", several, 2)') == [1, 3]
    assert templates_that_are_computed('refused(E, "a", f"{x}", "c")\nrefused(E, "a", "b", "c", x=f(x))') == [1]


def messages_in_fstrings(source: str) -> list[int]:
    """The lines on which a message is made within an f-string: before Python 3.12 it would never be collected."""
    return [call.lineno for name, call, within in calls(source) if within and name in _MAKERS]


def test_no_message_hides_in_an_fstring():
    found = {name: messages_in_fstrings(text) for name, text in sources().items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert messages_in_fstrings("f\"{message('a')}\"") == [1]


# Where errors are English texts, as NumPy's are: for programmers, of layers, of tests of gradients and of rules that
# are given twice; a formula or a term that contradicts itself is a mistake in this package, and no user could mend it.
_IN_ENGLISH = ("layers/", "testing.py", "ops.py", "explain/evaluating.py", "check/terms.py")


def raised_in_english(source: str) -> list[int]:
    """The lines on which an error of this package is made of a text, which would be said in English to everybody."""
    return [
        call.lineno
        for name, call, _ in calls(source)
        if name in _REFUSALS
        and any(isinstance(part, ast.JoinedStr | ast.BinOp) or _is_text(part) for part in call.args[:1])
    ]


def test_what_is_refused_is_said_in_the_language_of_the_user():
    found = {name: raised_in_english(text) for name, text in sources().items() if not name.startswith(_IN_ENGLISH)}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert raised_in_english("TreeError('a')\nTreeError(f'{a}')\nTreeError(message('a'))\nTypeError('a')") == [1, 2]


@pytest.mark.parametrize(
    ("name", "language"), [("fr", "fr"), ("fr_CA.UTF-8", "fr"), ("zh-Hans", "zh"), ("ja_JP", "ja"), ("EN", "en")]
)
def test_languages_have_several_names(name, language):
    assert language_named(name) == language


def test_a_language_without_messages_is_refused_with_those_that_there_are():
    with pytest.raises(ChainruleError, match="en, fr, ja, zh"):
        language_named("tlh")


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "fr_FR"}, "fr"),
        ({"LANGUAGE": "zh:fr", "LANG": "ja_JP"}, "zh"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(variables, language, monkeypatch):
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert current_language() == language


def test_a_message_is_read_in_the_language_of_the_moment():
    text = message("{name} has {number} rows", name="X", number=3)
    with in_language("en"):
        assert str(text) == "X has 3 rows"
        assert str(plural("{count} row", "{count} rows", 2)) == "2 rows"
        assert str(plural("{count} row", "{count} rows", 1)) == "1 row"


def test_messages_within_messages_are_put_into_the_same_language(monkeypatch):
    catalogue = gettext.NullTranslations()
    catalogue.gettext = {"{a} and {b}": "{a} et {b}", "one": "un"}.get
    monkeypatch.setattr("chainrule.language._catalogue", lambda language: catalogue)
    outer = message("{a} and {b}", a=message("one"), b=2)
    assert outer.text("fr") == "un et 2"
    assert isinstance(outer.values["a"], Message)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "在 x 处，x"),
        ("x（第 3 行）", "在 x（第 3 行）处，x（第 3 行）"),
        ("其中 一项", "在其中 一项处，其中 一项"),
    ],
)
def test_no_blank_is_left_between_wide_characters(value, said, monkeypatch):
    catalogue = gettext.NullTranslations()
    catalogue.gettext = {"at {value}, {value}": "在 {value} 处，{value}"}.get
    monkeypatch.setattr("chainrule.language._catalogue", lambda language: catalogue)
    assert message("at {value}, {value}", value=value).text("zh") == said


def test_what_stands_in_a_row_is_joined_as_the_language_does():
    names = message("{names}: as the file defines them", names=listed(["X", "W", "b"]))
    assert names.text("en") == "X, W, b: as the file defines them"
    assert "X、W、b" in names.text("zh")
    assert (listed([]), listed(["X"])) == ("", "X")
    many = [f"x{k}" for k in range(1001)]
    assert str(listed(many)) == ", ".join(many)
    assert listed(many).text("zh") == "、".join(many)


@pytest.mark.parametrize("language", catalogues.TRANSLATED)
def test_every_message_is_translated_with_its_gaps(language):
    assert list(catalogues.missing(catalogues.refreshed(language))) == [], "run `python -m docs.catalogues`"
