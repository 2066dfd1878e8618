"""The search index: the same results on SQLite and PostgreSQL, and nothing left of what was removed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import literal
from sqlalchemy import text as sql
from sqlmodel import col, delete, select

from mailcrm.models import Mailbox, Message, SearchPending
from mailcrm.services.crm import deals, people
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import tasks
from mailcrm.services.mail import blobs, store, threads
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.search import index, parties
from mailcrm.services.mail.search.text import MAX_WORDS, Words, words_of
from mailcrm.services.rows import pick, rows
from tests.builders import a_mailbox, a_message, a_user

MAILS = {
    "plain": ("Quarterly report", "Please find the numbers for May attached.", "numbers-may.xlsx"),
    "accents": ("Café Zürich", "Die Straße ist naß. 100% sure_thing", ""),
    "japanese": ("見積書の送付", "お世話になっております。東京都の打ち合わせの件、ご確認ください。", "見積書.pdf"),
    "wide": ("ＡＢＣ商事", "ﾃｽﾄです。", ""),
    "korean": ("안녕하세요", "견적서를 보냅니다", ""),
    "number": ("1000 surething", "the invoice 2024-05", ""),
}

QUESTIONS = [
    ("report", ["plain"]),
    ("REPORT quart", ["plain"]),
    ("numbers-may.xlsx", ["plain"]),
    ("xlsx", ["plain"]),
    ("port", []),  # words, and beginnings of words
    ("cafe", ["accents"]),
    ("CAFÉ zurich", ["accents"]),
    ("strasse nass", ["accents"]),
    ("100%", ["accents"]),
    ("100", ["accents", "number"]),
    ("sure_thing", ["accents"]),
    ("見積", ["japanese"]),
    ("積書", ["japanese"]),
    ("見積書の送付", ["japanese"]),
    ("送付の見積書", []),
    ("京", ["japanese"]),
    ("都", ["japanese"]),
    ("打ち合わせ 東京", ["japanese"]),
    ("東京 大阪", []),
    ("abc商事", ["wide"]),
    ("テスト", ["wide"]),
    ("견적", ["korean"]),
    ("안녕", ["korean"]),
    ("2024-05", ["number"]),
    ("mika", sorted(MAILS)),
    ("mika@saimaa.test invoice", ["number"]),
    ("\" OR * NOT ( ) ' : & | ! <-> \\ \x00", []),
    ("…", []),
]


def asked(question: str) -> list[str]:
    with reading() as session:
        found = rows(session, pick(Message.rfc_message_id).where(index.found_by(session, question)))
    return sorted(row[0].partition("@")[0] for row in found)


def test_the_same_is_found_on_both_databases(db: str) -> None:
    """decisions.md 5, sync.md B6: two-character Japanese words too; words are AND-ed; nothing is syntax."""
    box = a_mailbox(a_user())
    for name, (subject, body, file) in MAILS.items():
        a_message(box, subject=subject, text=body, attachment=file, rfc_message_id=f"{name}@search.test")
    assert {question: asked(question) for question, _ in QUESTIONS} == dict(QUESTIONS)


def test_what_is_stored_is_found_at_once(db: str) -> None:
    """B06: subject, people, body and file names, from the transaction that stores the message."""
    raw = (
        b"From: =?utf-8?b?5bGx55Sw?= <yamada@kaisha.example.jp>\r\nTo: ann@home.test\r\nSubject: hello\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthe body of it\r\n"
        b"--b\r\nContent-Type: application/pdf; name=contract.pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n"
    )
    mailbox_id = a_mailbox(a_user())
    with transaction() as session:
        mailbox = session.get_one(Mailbox, mailbox_id)
        item = store.Incoming(blobs.put(raw), len(raw), parse_message(raw), None, "in", read=False)
        (message_id,) = store.store(session, store.owner_of(session, mailbox), [item]).values()
    for question in ("hello", "山田", "yamada@kaisha", "body", "contract.pdf"):
        with reading() as session:
            assert rows(session, pick(Message.id).where(index.found_by(session, question))) == [(message_id,)], question


def test_a_removed_mailbox_leaves_no_words(db: str) -> None:
    """Erasure: neither a hit nor, after the job, a trace of its words in the database."""
    user = a_user()
    gone, kept = a_mailbox(user), a_mailbox(user)
    for n in range(30):
        a_message(gone, subject=f"zanzibarcanary{n} numbers")
    a_message(kept, subject="still here numbers", rfc_message_id="kept@search.test")
    with transaction() as session:
        session.exec(delete(Mailbox).where(col(Mailbox.id) == gone))
    assert asked("zanzibarcanary1") == []
    assert asked("numbers") == ["kept"]
    while index.forget_deleted(10):
        pass
    if db == "sqlite":
        with reading() as session:
            blocks = session.connection().exec_driver_sql("SELECT block FROM message_search_data").all()
        assert not any(b"zanzibarcanary" in bytes(row[0]) for row in blocks)
        assert any(b"numbers" in bytes(row[0]) for row in blocks)
    else:
        with reading() as session:
            assert session.connection().execute(sql("SELECT count(*) FROM message_search")).scalar_one() == 1


def test_messages_from_before_the_index_are_indexed_by_a_job(db: str) -> None:
    box = a_mailbox(a_user())
    made = a_message(box, subject="from long ago", rfc_message_id="old@search.test")
    lost = a_message(box, subject="lost bytes", rfc_message_id="lost@search.test")
    with transaction() as session:
        session.connection().execute(sql("DELETE FROM message_search"))
        session.add_all([SearchPending(message_id=made.id or 0), SearchPending(message_id=lost.id or 0)])
    blobs.path_of(lost.blob_sha).unlink()
    assert asked("long") == []
    tasks.run("tidy", {})
    assert asked("long") == ["old"]
    with reading() as session:
        assert session.exec(select(SearchPending)).all() == []


def test_a_flood_of_words_is_cut_not_refused(db: str) -> None:
    """PostgreSQL refuses a text of more than 1 MB of words; both databases hold the same first ones."""
    flood = " ".join(f"w{n:059d}" for n in range(40_000))
    raw = f"From: a@b.test\r\nSubject: flood\r\n\r\n{flood}\r\n".encode()
    found = words_of(parse_message(raw))
    assert found.body.count(" ") < MAX_WORDS
    message = a_message(a_mailbox(a_user()), rfc_message_id="flood@search.test")
    with transaction() as session:
        index.add(session, [(message.id or 0, Words("", "", found.body, ""))])
    assert asked(f"w{1:059d}") == ["flood"]


@pytest.mark.parametrize("letter", ["\U00010330", "ж", "w"])
def test_a_flood_of_long_words_is_cut_not_refused(db: str, letter: str) -> None:
    """Words of four-byte letters passed PostgreSQL's 1 MB: one such email ended every sync of its mailbox."""
    first = ord(letter)
    flood = " ".join("".join(chr(first + (n >> bit & 1)) for bit in range(60)) for n in range(7000))
    head = "From: a@b.test\r\nSubject: long\r\nMessage-ID: <long@search.test>\r\n"
    raw = f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{flood}\r\n".encode()
    message = a_message(a_mailbox(a_user()), rfc_message_id="long@search.test")
    with transaction() as session:
        index.add(session, [(message.id or 0, words_of(parse_message(raw)))])
    assert asked(letter * 60) == ["long"]


@pytest.mark.parametrize("question", ["見積", "certificates", "mika aaltonen"])
def test_the_thread_list_uses_the_index(db: str, question: str) -> None:
    """Own mail only: a colleague's thread with the same words is not found."""
    aino, boris = a_user(), a_user("Boris")
    for user in (aino, boris):
        a_message(a_mailbox(user), subject=f"見積 of {user.user_id}")
    found = threads.list_threads(aino, query=question)
    assert [row.subject for row in found.rows] == [f"見積 of {aino.user_id}"]


def test_operators_find_the_same_on_both_databases(db: str) -> None:
    """B11: who, where, when, what is left out; names with case and accents folded; all of it of one message."""
    me = a_user(email="aino@home.test")
    box, other = a_mailbox(me, "aino@home.test"), a_mailbox(a_user("Ben"))
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    mails: dict[str, dict[str, Any]] = {
        "offer": {"sender": "Zoë Ångström <zoe@acme.test>", "subject": "Offer roof", "text": "new roof", "at": day},
        "roof": {"sender": "Bob <bob@acme.test>", "subject": "Roof", "text": "a roof that is new", "at": day},
        "japan": {"sender": "山田 太郎 <yamada@kaisha.test>", "subject": "見積書", "text": "お願い", "at": day},
        "sent": {"sender": "aino@home.test", "to": "ZOE@acme.test", "subject": "Re: nothing", "folder": "sent"},
        "files": {"sender": "Zoë <zoe@acme.test>", "attachment": "Plan-Zürich.pdf", "subject": "plan", "text": "new"},
    }
    for name, columns in mails.items():
        a_message(box, rfc_message_id=f"{name}@search.test", **columns)
    a_message(other, sender="Zoë <zoe@acme.test>", subject="Offer roof of Ben", rfc_message_id="ben@search.test")
    expected = {
        "from:zoe": ["files", "offer"],
        "from:ÅNGSTRÖM": ["offer"],
        "from:angstrom roof": ["offer"],
        "from:acme.test -from:bob": ["files", "offer"],
        "from:山田": ["japan"],
        "to:zoe@acme": ["sent"],
        "from:me": ["sent"],
        '"new roof"': ["offer"],
        "new roof": ["offer", "roof"],
        "roof -offer": ["roof"],
        '-"new roof" roof': ["roof"],
        "subject:roof": ["offer", "roof"],
        "subject:new": [],
        "filename:zurich": ["files"],
        "has:attachment": ["files"],
        "before:2026-03-02 after:2026-03-01": ["japan", "offer", "roof"],
        "before:2026-03-01": [],
        "in:sent": ["sent"],
        "見積 from:yamada": ["japan"],
        'label:"To do"': [],
        "deal:roof": [],
        "…": [],
        "from:": ["files", "japan", "offer", "roof", "sent"],
    }
    by_thread = {}
    with reading() as session:
        for thread_id, name in rows(session, pick(Message.thread_id, Message.rfc_message_id)):
            by_thread[thread_id] = name.partition("@")[0]

    def found(question: str) -> list[str]:
        page = threads.list_threads(me, folder="all", query=question)
        return sorted(by_thread[row.id] for row in page.rows)

    assert {question: found(question) for question in expected} == expected


def test_a_search_by_deal_or_person_finds_what_is_linked_to_those_in_reach(db: str) -> None:
    """B11, M25: names of deals and persons are looked up among those that the actor may see."""
    me = a_user()
    box = a_mailbox(me)
    with_deal = a_message(box, subject="about the roof")
    a_message(box, subject="about nothing")
    deal = deals.create_deal(me, title="Ünser Dach")
    link.link_thread(me, with_deal.thread_id, deal_id=deal.card.id)
    person = people.create_person(me, name="Mika Aaltonen", addresses=["mika@saimaa.test"])
    link.link_thread(me, with_deal.thread_id, person_id=person.card.id)

    def found(question: str) -> list[int]:
        return [row.id for row in threads.list_threads(me, folder="all", query=question).rows]

    for question in ("deal:dach", 'deal:"unser dach"', "person:aalto", "person:mika@saimaa.test", "deal:dach roof"):
        assert found(question) == [with_deal.thread_id], question
    assert found("deal:dach nothing") == found("deal:keller") == []
    deals.delete(me, deal.card.id)
    assert found("deal:dach") == []


def test_frequent_words_are_found_as_rare_ones_are(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for in the newest conversations is what the index would have found."""
    me = a_user()
    box = a_mailbox(me)
    for n in range(30):
        a_message(box, subject=f"pump {n}", text="valve" if n % 3 == 0 else "tap", sender=f"a{n % 5} <p{n}@x.test>")
    questions = ("pump", "valve", "pum val", "pump -valve", "from:a3", "p7@x.te", '"pump 1"', "before:2000")
    rare = [[row.id for row in threads.list_threads(me, query=question).rows] for question in questions]
    monkeypatch.setattr(index, "common", lambda _session: 2)
    assert [[row.id for row in threads.list_threads(me, query=question).rows] for question in questions] == rare
    assert any(rare)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("ｶﾞｽ会社", "ガス"),
        ("Émile 部長が", "emile 部長が"),
        ("Ünal 김치", "unal 김"),
        ("ΟΔΟΣ Άννα", "οδος αννα"),
        ("οδός", "ΟΔΟΣ"),
        ("GROẞ Straße", "gross strasse"),
        ("an\u200bna Žák", "anna zak"),
    ],
)
def test_names_are_compared_alike_by_both_databases(db: str, name: str, asked: str) -> None:
    """B11: `from:`, `deal:` and `person:` find a name however its letters are written."""
    with reading() as session:
        assert rows(session, pick(parties.contains(session, literal(name), asked)))[0][0]
        assert not rows(session, pick(parties.contains(session, literal(name), f"{asked}x")))[0][0]
