"""Merge fields: what is filled in, what is refused, and that nothing anybody writes runs, escapes or hangs (M06)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.errors import UserError
from mailcrm.services.mail.outbox.html import clean_html
from mailcrm.services.writing import merge_fields
from mailcrm.services.writing.merge_fields import LABELS, Use

VALUES = {"person.first_name": "Maja", "deal.title": "Büsum <b>", "person.custom.12": "both sites"}


def test_a_field_is_filled_in_with_value_else_fallback() -> None:
    """M06: the value wins over the fallback; in HTML it is escaped and stands apart from the text around it."""
    text = (
        "Hi {{person.first_name | default(\"there\")}}, {{ person.last_name|default('you') }} at {{ person.custom.12 }}"
    )
    assert merge_fields.fill_text(text, VALUES).content == "Hi Maja, you at both sites"
    html = (
        '<p>{{ deal.title }} <span class="mc-merge" data-field="person.last_name" data-fallback="a&quot;b">x</span></p>'
    )
    filled = merge_fields.fill_html(html, VALUES)
    assert filled.content == "<p><bdi>Büsum &lt;b&gt;</bdi> <bdi>a&quot;b</bdi></p>"
    assert filled.missing == filled.refused == ()


def test_a_missing_value_is_told_and_never_silently_empty() -> None:
    """M06: reported each once; marked with its label in a preview; a fallback of spaces is none."""
    html = '<p>{{ deal.stage }} {{ deal.stage }}</p><p>{{ lead.title | default("  ") }}</p>'
    filled = merge_fields.fill_html(html, VALUES, labels=LABELS)
    assert filled.missing == (Use("deal.stage"), Use("lead.title", ""))
    assert filled.content.count('<span class="mc-missing">Deal stage</span>') == 2
    assert merge_fields.fill_text("{{ deal.stage }}", VALUES, labels=LABELS).content == "{Deal stage}"


@pytest.mark.parametrize(
    "source",
    [
        "''.__class__", "person.__class__", "person.__init__.__globals__", "person['name']", "person.name()",
        "range(10**9)", "9**9**9", "'x' * 10**9", "lipsum", "self", "cycler.__init__", "person.name | upper",
        "person.name | default(person)", 'person.name | default("a" | upper)', 'person.name | default("a", true)',
        "person.name if person else 1", "person.name, 1", "[person.name]", "{'a': 1}", "person", "person.custom",
        "person.custom.0", "person.custom.99999999999999999999", "person.nothing", "lead.custom.1", "sender.custom.1",
        "", " ", "1", "(" * 399, "a" * 500, "person.name | attr('__class__')", "-" * 390 + "1",
    ],
)  # fmt: skip
def test_whatever_is_no_field_is_refused(source: str) -> None:
    """Bad input: `__class__`, calls, loops and endless sums are refused with a sentence, and stay text in a draft."""
    with pytest.raises(UserError) as caught:
        merge_fields.parse(source)
    assert caught.value.code == "merge.refused"
    text = f"a {{{{{source}}}}} b"
    assert "Maja" not in merge_fields.fill_text(text, VALUES).content
    assert merge_fields.fill_text(text, VALUES).refused
    if source in ("{'a': 1}", "a" * 500):  # no end within reach: braces that are being typed, which sending asks about
        merge_fields.check(text, "")
        return
    with pytest.raises(UserError):
        merge_fields.check(text, "")


@pytest.mark.parametrize("statement", ["{% for x in y %}", "{%- include 'x' %}", "{# a #}", "{% raw %}"])
def test_statements_are_refused_in_templates_and_are_text_in_drafts(statement: str) -> None:
    with pytest.raises(UserError) as caught:
        merge_fields.check("", f"<p>{statement}</p>")
    assert caught.value.code == "merge.statement"
    assert merge_fields.fill_text(statement, VALUES).content == statement


def test_quotes_code_and_the_line_above_a_quote_are_somebody_elses_words() -> None:
    """A sender may call himself {{ deal.title }}: an answer must not tell him."""
    html = (
        '<p class="mailcrm-attribution">{{ deal.title }} wrote:</p><blockquote class="mailcrm-quote"><div>{{ deal.title }}'
        '</div><blockquote class="mailcrm-quote">{{ x }}</blockquote>{{ deal.title }}</blockquote>'
        "<pre>{{ deal.title }}</pre><p><code>{{ x }}</code></p>"
    )
    filled = merge_fields.fill_html(html, VALUES)
    assert (filled.content, filled.refused) == (html, ())
    typed = merge_fields.fill_html(
        "<p>{{ deal.title }}</p>" + merge_fields.pill(Use("deal.title")), VALUES, typed=False
    )
    assert typed.content == "<p>{{ deal.title }}</p><bdi>Büsum &lt;b&gt;</bdi>"
    assert typed.refused == ("{{ deal.title }}",)


def test_a_value_that_runs_the_other_way_is_isolated_in_a_subject() -> None:
    """M05: only where it is needed; a line break in a value can't become a header."""
    values = {"deal.title": "عقد 7", "person.name": "A\r\nBcc: x@y.test"}
    assert merge_fields.fill_text("About {{ deal.title }}", values).content == "About \u2068عقد 7\u2069"
    assert merge_fields.fill_text("عن {{ deal.title }}", values).content == "عن عقد 7"
    assert merge_fields.fill_text("{{ person.name }}", values).content == "A Bcc: x@y.test"


def test_expressions_that_were_typed_out_become_pills_and_come_back_the_same() -> None:
    html = '<p>Hi {{ person.name | default("a \\" &lt;b&gt; }} c") }}</p>'
    made = merge_fields.with_pills(html)
    assert made.count('class="mc-merge"') == 1
    assert merge_fields.with_pills(made) == made
    assert merge_fields.uses("", made) == (Use("person.name", 'a " <b> }} c'),)


def test_a_link_can_not_hold_a_field() -> None:
    with pytest.raises(UserError):
        merge_fields.check("", '<p><a href="https://x.test/{{ person.name }}">x</a></p>')


def test_too_many_fields_and_too_long_values_have_an_end() -> None:
    with pytest.raises(UserError) as caught:
        merge_fields.fill_html("{{ person.name }}" * 501, {"person.name": "x"})
    assert caught.value.code == "merge.too_many"
    filled = merge_fields.fill_text("{{ person.name }}", {"person.name": "x" * 100_000})
    assert len(filled.content) == merge_fields.MAX_VALUE


PIECES = st.one_of(
    st.sampled_from(
        [
            "{{", "}}", "{%", "%}", "{#", "#}", "person.name", "deal.title", "person.first_name", " | default(", '"', "'",
            ")", "(", "__class__", "range(9)", "\\", "|", ".", "<p>", "</p>", "<b>", "<script>alert(1)</script>",
            '<span class="mc-merge" data-field="deal.title">', '<span class="mc-merge" data-field="x.y">', "</span>",
            '<blockquote class="mailcrm-quote">', "</blockquote>", "&quot;", "&lt;", "<", ">", "\x00", "\ud800", "\n",
            "{{ deal.title }}", '{{ deal.stage | default("f") }}', "\u202e", "<!--", "-->", '<img src=x onerror="y">',
        ]
    ),
    st.text(max_size=8),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)
HOSTILE = st.dictionaries(st.sampled_from([*LABELS, "person.custom.3", "odd"]), st.text(max_size=40), max_size=6)


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, values=HOSTILE, labelled=st.booleans(), typed=st.booleans())
def test_no_input_breaks_the_engine_and_what_comes_out_is_clean(
    text: str, values: dict[str, str], labelled: bool, typed: bool
) -> None:
    """Never anything but UserError; of clean HTML comes clean HTML with no tag that was not there; subjects are a line."""
    labels = LABELS if labelled else None
    html = clean_html(text)
    try:
        filled = merge_fields.fill_html(html, values, labels=labels, typed=typed).content
        line = merge_fields.fill_text(text, values, labels=labels, typed=typed).content
    except UserError:
        return
    assert clean_html(filled) in (filled, filled.replace(' class="mc-missing"', ""))
    ours = {"bdi", "/bdi", "br", "span", "/span"}
    assert set(re.findall(r"<(/?\w+)", filled)) <= set(re.findall(r"<(/?\w+)", html)) | ours
    assert "\n" not in line
    assert "\r" not in line
    for act in (lambda: merge_fields.check(text, html), lambda: merge_fields.with_pills(html)):
        try:
            act()
        except UserError:
            continue


@settings(max_examples=300, deadline=None)
@given(source=st.one_of(TEXTS, st.text(alphabet="person.name_()[]{}|'\"\\ 0129*+-~,:%#", max_size=60)))
def test_only_a_field_of_the_list_is_ever_parsed(source: str) -> None:
    try:
        found = merge_fields.parse(source)
    except UserError:
        return
    assert merge_fields.is_field(found.field)
    assert merge_fields.parse(merge_fields.expression(found)[2:-2]) == found
