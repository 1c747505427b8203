"""Collects the messages of the verbs into the catalogues of translations, and compiles them.

``python -m docs.catalogues`` adds to ``src/chainrule/locale/*/LC_MESSAGES/chainrule.po`` what is new, takes out what is
no longer said, keeps what is translated, and compiles each to the ``.mo`` that is read at run time.  It ends with what
still has to be translated.  ``tests/test_language.py`` fails where something is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo

from chainrule.language import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "chainrule"
TRANSLATED = tuple(language for language in LANGUAGES if language != "en")
# The date of every catalogue, so that writing one again changes nothing.
_DATE = datetime(2026, 1, 1, tzinfo=UTC)
# What makes messages, and of which of its arguments; the last makes one of each of its three templates.
_KEYWORDS = {"message": (1,), "plural": (1, 2)}
_REFUSING = {"refused": (2, 3, 4)}
_GAP = re.compile(r"\{(\w*)[^{}]*\}")


def gaps(template: str) -> set[str]:
    """The names of the gaps in a template; doubled braces are none."""
    return set(_GAP.findall(template.replace("{{", "").replace("}}", "")))


def po_path(language: str) -> Path:
    """Where the translations into a language are."""
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "chainrule.po"


@cache
def said() -> Catalog:
    """Every message in the package, with the file that says it."""
    found = Catalog(project="chainrule", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        places = [(path.relative_to(ROOT).as_posix(), 0)]
        if path.name == "language.py" or "chainrule.language import" in source:
            for _, messages, comments, _ in extract_from_file("python", path, _KEYWORDS, ("Translators:",)):
                found.add(messages, locations=places, auto_comments=comments)
        if "refused(" in source:
            for _, messages, comments, _ in extract_from_file("python", path, _REFUSING, ("Translators:",)):
                for text in messages:
                    found.add(text, locations=places, auto_comments=comments)
    return found


def translated(language: str) -> Catalog:
    """The catalogue of a language as it stands; empty where there is none yet."""
    path = po_path(language)
    if not path.exists():
        return _empty(language)
    with path.open("rb") as file:
        return pofile.read_po(file, locale=language, charset="utf-8")


def _empty(language: str) -> Catalog:
    header = f"# {language}: messages of chainrule."
    dates = {"creation_date": _DATE, "revision_date": _DATE}
    people = {"last_translator": "chainrule", "language_team": language}
    return Catalog(
        language, header_comment=header, project="chainrule", charset="utf-8", fuzzy=False, **people, **dates
    )


def refreshed(language: str) -> Catalog:
    """The catalogue of a language with exactly the messages that are said; no guesses for those that are new."""
    known = translated(language)
    fresh = _empty(language)
    for message in sorted((m for m in said() if m.id), key=_sorting):
        before = known.get(message.id)
        fresh.add(
            message.id,
            before.string if before is not None else None,
            locations=sorted({(name, 0) for name, _ in message.locations}),
            auto_comments=message.auto_comments,
        )
    return fresh


def _sorting(message: object) -> tuple[str, str]:
    locations = sorted(name for name, _ in message.locations)  # type: ignore[attr-defined]
    text = message.id  # type: ignore[attr-defined]
    return locations[0], text if isinstance(text, str) else text[0]


def missing(catalogue: Catalog) -> Iterator[str]:
    """What has no translation, or one whose gaps are not those of the English text."""
    for message in catalogue:
        if not message.id:
            continue
        ids = (message.id,) if isinstance(message.id, str) else message.id
        strings = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        allowed = set().union(*map(gaps, ids))
        if not strings or not all(strings):
            yield f"not translated: {ids[0]!r}"
            continue
        for k, string in enumerate(strings):
            # The form for one thing holds what the English one holds; any form may leave out the number itself.
            own = ids[0] if len(strings) > 1 and k == 0 else ids[-1]
            wanted = gaps(own) - ({"count"} if len(ids) > 1 else set())
            if not wanted <= gaps(string) <= allowed:
                yield f"other gaps than {own!r}: {string!r}"


def write(language: str, catalogue: Catalog) -> None:
    """Write a catalogue and its compiled form."""
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pofile.write_po(file, catalogue, width=110, include_lineno=False)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)


if __name__ == "__main__":
    for language in TRANSLATED:
        catalogue = refreshed(language)
        write(language, catalogue)
        wrong = list(missing(catalogue))
        print(f"{po_path(language).relative_to(ROOT)}: {len(catalogue)} messages, {len(wrong)} to be translated")
        for line in wrong[:20]:
            print(f"    {line}")
