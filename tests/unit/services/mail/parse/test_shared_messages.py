"""The shared corpora: exact text in 38 charsets, and both parsers equal on 881 real messages (decision 2, threat 21)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from mailcrm.services.mail.parse.body import choose_body
from mailcrm.services.mail.parse.headers import header_fields, trim_start
from mailcrm.services.mail.parse.html import UncleanableHtml, clean_html
from mailcrm.services.mail.parse.message import attachment_bytes, parse_for_list, parse_message
from mailcrm.services.mail.parse.tree import Part, fast_tree, stdlib_tree
from mailcrm.services.mail.parse.values import UnparsableMessage
from tests.corpus.bombs import BOMBS

#: Where the two still differ, and who is right. fast-mail-parser is used in all of them.
KNOWN = {
    # fast: finds parts whose boundary holds a space; the stdlib sees one text
    "src_tests_fetch-binary-mime-base64.mbox.eml",
    "src_tests_fetch-binary-mime-qp.mbox.eml",
    "src_tests_fetch-bodystructure.mbox.eml",
    "src_tests_urlauth-binary.mbox.eml",
    # fast: ends a part at a boundary that the stdlib takes for text
    "tests_messages_mime_emails_raw_email4.eml",
    "spec_fixtures_emails_mime_emails_raw_email4.eml",
    # fast: reads a name from a header that was folded without white space
    "testdata_low-quality_bad-header-wrap.raw.eml",
    # stdlib: keeps a part that has no header and no empty line
    "testdata_parts_multi-malformed.raw.eml",
    # neither: a digest's inner parts, and boundaries made to confuse
    "msg_02.txt.eml",
    "msg_38.txt.eml",
    # fast: decodes encoded words in a disposition; both are nonsense
    "spec_fixtures_emails_error_emails_multiple_invalid_content_dispositions.eml",
    # fast: stops at the end of base64; the stdlib path decodes the words after it as well
    "testdata_mail_epilogue-sample.raw.eml",
    # one empty line more or less between two parts
    "tests_fixtures_html_attachment.eml",
}
#: Beyond our caps on purpose: 1,000 parts in one, 50 levels in the other.
CAPPED = {"tests_fixtures_messages_enclosed-endless.eml", "tests_files_nested.eml"}


def test_i18n_is_exact(corpora: Path) -> None:
    """Threat 21: at least 99 % exact; all 334 were, when this was written."""
    rows = [json.loads(line) for line in (corpora / "i18n" / "golden.jsonl").read_text().splitlines()]
    wrong = []
    for row in rows:
        message = parse_message((corpora / "i18n" / row["file"]).read_bytes())
        same = message.subject == row["subject"] and message.from_[0].name == row["from_name"]
        if row["text"] is None:  # HTML only: its words are what has been written, in order
            same = same and message.html is not None and "\ufffd" not in message.text and bool(message.text.strip())
        if not same or (row["text"] is not None and message.text != row["text"]):
            wrong.append(row["file"])
    assert len(rows) > 300
    assert len(wrong) <= len(rows) // 100, wrong


def test_every_message_of_the_shared_sets_can_be_listed(corpora: Path) -> None:
    """Quarantine holds only what cannot be fetched: whatever passes a cap still has its header fields."""
    seen = capped = 0
    for path in [*_messages(corpora), *(p for p in corpora.rglob("*.eml") if "mime" not in p.parts)]:
        raw = path.read_bytes()
        listed = parse_for_list(raw)
        seen += 1
        try:
            assert parse_message(raw).subject == listed.subject
        except UnparsableMessage:
            capped += 1
            assert listed.from_, path.name
    assert seen > 1200
    assert capped == len(CAPPED)


def test_time_over_real_messages_and_bombs(corpora: Path, tmp_path: Path) -> None:
    """Parse p99 below 250 ms of processor time, no bomb above 5 s; printed with `-s`.

    The bound in the assertion is four times the bar: it counts processor time, and other work slows that too.
    """
    made = [path.read_bytes() for path in _messages(corpora)]
    maker = corpora.parent / "tools" / "make_bombs.py"
    if maker.is_file():
        subprocess.run([sys.executable, maker, tmp_path], check=True, capture_output=True)
        bombs = sorted(tmp_path.glob("*.eml"))
        assert len(bombs) == 35
        made += [path.read_bytes() for path in bombs]
    else:
        made += [make() for make in BOMBS.values()]
    took: list[float] = []
    for raw in made:
        start = time.process_time()
        parse_for_list(raw)
        took.append(time.process_time() - start)
    took.sort()
    p99, most = took[len(took) * 99 // 100], took[-1]
    print(
        f"\nparse: {len(took)} messages, median {took[len(took) // 2] * 1000:.2f} ms, p99 {p99 * 1000:.0f} ms, most {most * 1000:.0f} ms"
    )
    assert p99 < 1.0
    assert most < 10


def test_every_real_message_parses(corpora: Path) -> None:
    """Threats 20, 21: no exception but the caps, every attachment readable, quick."""
    capped, slow, count = set(), [], 0
    for path in _messages(corpora):
        raw = path.read_bytes()
        start = time.process_time()
        try:
            message = parse_message(raw)
        except UnparsableMessage:
            capped.add(path.name)
            continue
        finally:
            count += 1
            if time.process_time() - start > 1:
                slow.append(path.name)
        for attachment in message.attachments[:20]:
            assert len(attachment_bytes(raw, attachment.n)) == attachment.size
    assert count > 800
    assert capped == CAPPED
    assert not slow


def test_both_parsers_agree(corpora: Path) -> None:
    """Decision 2."""
    different, compared = set(), 0
    for path in _messages(corpora):
        raw = trim_start(path.read_bytes())
        _, clean = header_fields(raw)
        fast = fast_tree(raw) if clean and path.name not in CAPPED else None
        if fast is None or not any(part.content.strip() for part in fast.walk()):
            continue  # the stdlib alone reads it
        compared += 1
        if _facts(fast) != _facts(stdlib_tree(raw)):
            different.add(path.name)
    assert compared > 700
    assert different <= KNOWN


def test_real_html_is_cleaned(corpora: Path) -> None:
    """Threat 1: every real HTML body of moderate size passes, and passes again unchanged (99.5 %)."""
    done = unchanged = refused = 0
    for path in _messages(corpora):
        if path.name in CAPPED:
            continue
        html = parse_message(path.read_bytes()).html
        if not html or len(html) > 60_000:
            continue
        try:
            once = _cleaned(html)
        except UncleanableHtml:
            refused += 1
            continue
        done += 1
        unchanged += _cleaned(once) == once
        assert "<script" not in once
        assert "<style" not in once
    assert done > 150
    assert refused == 0
    assert unchanged / done >= 0.995


def _cleaned(html: str) -> str:
    """The cleaned fragment without the marks that stand around a quote until it is folded."""
    found = clean_html(html, remote_images=False, cid_url=lambda _cid: None, mark="m4rk").html
    return found.replace("m4rk-open", "").replace("m4rk-close", "")


def _messages(corpora: Path) -> list[Path]:
    found = sorted((corpora / "mime").rglob("*"))
    return [path for path in found if path.is_file() and path.suffix != ".jsonl" and path.name != "SOURCE.txt"]


def _facts(root: Part) -> list[object]:
    """What must be equal: body and parts; octets of embedded messages may be written anew."""
    body = choose_body(root)
    parts = [
        (part.content_type, part.content_id, part.disposition, part.content.replace(b"\r\n", b"\n").strip())
        for part in root.walk()
        if part.content.strip() and not part.is_multipart and not part.content_type.startswith("message/")
    ]
    return [body.text.split(), (body.html or "").split(), parts]
