"""Every word of the interface comes from the catalogues, and the catalogues hold nothing else (issue 2, item 12)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailcrm.services import i18n

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mailcrm"
INTERFACE = sorted(path for part in ("pages", "components", "state") for path in (PACKAGE / part).rglob("*.py"))

#: Properties whose text a person sees or hears.
VISIBLE = {"placeholder", "title", "alt", "aria_label", "label", "content", "description"}
#: Properties and variables whose strings only a machine reads.
MACHINE = {
    "class_name", "cls", "style", "custom_attrs", "href", "src", "id", "html_for", "name", "data_testid", "testid", "type",
    "action", "method", "role", "look", "size", "side", "align", "key", "sandbox", "tag", "library", "form_name", "picture",
    "lang", "max_width", "tab", "here", "mark", "auto_complete", "input_mode", "inputmode", "loading", "value",
}  # fmt: skip
#: Calls whose strings are names, numbers, patterns or catalogue keys.
QUIET = {
    "tr", "trn", "gettext", "ngettext", "N_", "t", "icon", "icon_button", "Var", "kbd", "compile", "call_script", "getattr", "asset",
    "replace", "strip", "startswith", "endswith", "split", "get", "join", "removeprefix", "removesuffix", "partition",
    "rpartition", "encode", "decode", "rstrip", "lstrip", "sub", "bool", "UserError", "sentence_of", "getLogger",
    "exception", "error", "warning", "RuntimeError", "isinstance", "count", "index", "contains",
}  # fmt: skip
#: What looks like words and is none: brands of protocols, file names, what is printed on keys.
NAMES = {"STARTTLS", "SSL/TLS", "Cc Bcc", "English", "Pipedrive", "Ctrl", "Shift", "Esc", "Enter"}
WORDS = re.compile(r"[A-Z][a-z]+|[a-z]{2,} [a-z]{2,}")


def visible_literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of string literals that a person would read on a screen."""
    yield from _walk(tree, "code")


def _walk(node: ast.AST, place: str) -> Iterator[tuple[int, str]]:
    """`place` is code (statements), shown (a call's argument) or quiet (a machine's word, with all that is inside)."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        inside = "quiet" if place == "quiet" or name in QUIET else "shown"
        yield from _walk(node.func, "code")
        for argument in node.args:
            yield from _walk(argument, inside)
        for keyword in node.keywords:
            quiet = place == "quiet" or keyword.arg in MACHINE or (name in QUIET and keyword.arg not in VISIBLE)
            yield from _walk(keyword.value, "quiet" if quiet else "shown")
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if place == "shown" and node.value not in NAMES and WORDS.search(node.value):
            yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        text = " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        if place == "shown" and WORDS.search(text):
            yield node.lineno, text
    else:
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, "code" if isinstance(child, (ast.stmt, ast.arg)) else place)


@pytest.mark.parametrize("path", INTERFACE, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_visible_string_outside_the_catalogue(path: Path) -> None:
    """Item 12: a sentence in a page, component or state goes through tr() or gettext()."""
    found = list(visible_literals(ast.parse(path.read_text())))
    assert found == [], f"{path.name}: put these through tr() or gettext()"


@pytest.mark.parametrize(
    "source",
    [
        'rx.el.p("Nothing here yet")',
        'rx.el.input(placeholder="Search deals")',
        'rx.el.button(rx.cond(X.on, "Pause", "Go on"))',
        'rx.el.p(f"{n} open deals here")',
        'icon_button("x", "Close it", title="Close")',
        'rx.toast("Saved your draft")',
    ],
)
def test_the_check_sees_what_it_must(source: str) -> None:
    """The guard itself: each of these is a visible string; an icon button's first argument alone is a name."""
    assert list(visible_literals(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ['rx.el.p(tr("Nothing here yet"))', 'rx.el.div(class_name="row big Thing here")', 'icon("circle-x")']
)
def test_the_check_lets_machine_words_pass(source: str) -> None:
    """The guard itself: class names, icon names and catalogue keys are no findings."""
    assert not list(visible_literals(ast.parse(source)))


def _catalogue_of(language: str) -> dict[str, str]:
    return i18n._read(language)  # the raw file, without the English fallback


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_the_catalogues_hold_exactly_what_is_used(language: str) -> None:
    """Nothing missing, nothing left over; `python -m mailcrm.services.i18n` repairs both."""
    assert set(_catalogue_of(language)) == set(i18n.used_msgids())


def test_english_is_complete() -> None:
    """Every msgid has an English text."""
    assert [key for key, text in _catalogue_of("en").items() if not text] == []


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_translations_keep_their_parameters(language: str) -> None:
    """A translation names exactly the parameters of its msgid, so that filling it never fails."""
    field = re.compile(r"{(\w+)[^}]*}")
    for key, text in _catalogue_of(language).items():
        if text:
            assert set(field.findall(text)) <= set(field.findall(key)), key


#: A parameter with its conversion and format, as str.format reads it.
PARAMETER = re.compile(r"{[^}]*}")
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
#: Abbreviations, names and numbers that Japanese writes without a character of its own.
NO_JAPANESE = {
    "list| and ",
    "CRM",
    "audit|Webhook",
    "Smart Bcc",
    "Webhooks",
    "Bcc",
    "Cc",
    "Cc Bcc",
    ", bcc {names}",
    ", cc {names}",
    "mailcrm",
    "name@company.com",
    "{done} of {total}",
    "{sent} of {size}",
    "{used} of {most} MB",
    "{money} +",
}


def test_japanese_is_complete() -> None:
    """Every msgid has a Japanese text with the same parameters: no page is half English, no fact gets lost."""
    japanese = _catalogue_of("ja")
    assert [key for key in i18n.used_msgids() if not japanese.get(key, "").strip()] == []
    for key, text in japanese.items():
        assert sorted(PARAMETER.findall(text)) == sorted(PARAMETER.findall(key)), key
        assert JAPANESE.search(text) or key in NO_JAPANESE, key


def test_japanese_keeps_its_typography() -> None:
    """The catalogue's own style note: no exclamation mark, 「」, full-width brackets, half-width digits."""
    for key, text in _catalogue_of("ja").items():
        bare = PARAMETER.sub("", text)
        assert not re.search(r"[!！?“”０-９]", bare), key
        assert not JAPANESE.search(bare) or not re.search(r"[()]|,(?!\d)", bare), key


def test_the_catalogues_upkeep_keeps_the_glossary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bringing a catalogue up to date loses neither its glossary nor a translation."""
    kept = tmp_path / "ja" / "LC_MESSAGES" / "mailcrm.po"
    kept.parent.mkdir(parents=True)
    kept.write_bytes((i18n.LOCALE_DIR / "ja" / "LC_MESSAGES" / "mailcrm.po").read_bytes())
    monkeypatch.setattr(i18n, "LOCALE_DIR", tmp_path)
    assert i18n.update("ja") == 0
    assert "# Glossary" in kept.read_text()
    i18n.catalogue.cache_clear()


@pytest.mark.parametrize(
    "source", ['UserError("input.missing", field="Title")', 'checks.line(title, "Title", required=True)']
)
def test_a_fields_label_is_a_msgid(source: str) -> None:
    """The field that an error names is read by a person, so it is in the catalogues."""
    assert list(i18n.msgids_of(ast.parse(source))) == ["Title"]


@pytest.mark.parametrize("source", ['UserError("input.invalid", field="cursor")', 'wire.line(title, "Title")'])
def test_a_machines_field_is_no_msgid(source: str) -> None:
    """A parameter of the API keeps its name in every language."""
    assert list(i18n.msgids_of(ast.parse(source))) == []


def test_every_tr_call_has_a_literal_msgid() -> None:
    """A computed msgid would be missing from the catalogue and break the page."""
    for path in INTERFACE:
        if path.name == "i18n.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "trn"):
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"


def test_the_interface_says_no_please_and_shouts_never() -> None:
    """DESIGN.md §10: no exclamation marks, no "please", no "successfully"."""
    for text in _catalogue_of("en").values():
        assert "!" not in re.sub(r"{[^}]*}", "", text), text
        assert not re.search(r"\b(please|successfully)\b", text, re.IGNORECASE), text
