"""The table: what may come to a Smart Bcc address, and how each ends (issue 8, security.md 19).

A case makes a message whose subject is its own name, says how it comes and to which address, and what is to be found
afterwards in the log of arrivals, in the deal's timeline and in the user's notices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from unittest import mock

import dkim

from mailcrm.services.mail import threads
from tests.integration.smart_bcc.world import GOOD_IP, World, a_mail, keys, sign
from tests.unit.services.smart_bcc import forwards

AINO, MIKA = "Aino <aino@crm.test>", "Mika Aaltonen <mika@saimaa.example>"
OURS = "mx.ours.test"
FORMS = {form.name: form for form in forwards.FORMS}


@dataclass(frozen=True)
class Case:
    """One row of the table; `shown`: the deal's timeline has it."""

    name: str
    make: Callable[[str], bytes]
    state: str
    reason: str = ""
    to: str = "deal"
    shown: bool = False
    notice: bool = False
    how: dict[str, Any] = field(default_factory=dict[str, Any])
    direction: str = "out"
    more: Callable[[World, Any], None] | None = None


def mail(name: str, *, sender: str = AINO, to: str = MIKA, **headers: str) -> bytes:
    """A mail of Aino's to a customer, named after its case."""
    return a_mail(sender, to, subject=name, message_id=f"{name}@crm.test", **headers)


def signed(name: str, domain: str = "crm.test", **given: Any) -> bytes:
    """The same with a signature."""
    return sign(mail(name, **given), domain)


def tampered(name: str) -> bytes:
    """Signed, then changed."""
    return signed(name).replace(b"Hello", b"Hullo")


def replayed(name: str) -> bytes:
    """Genuine and weeks old: somebody who got it sends it to an address of ours (the envelope is not signed)."""
    with mock.patch("dkim.time.time", return_value=time.time() - 30 * 86400):
        return signed(name)


def undated(name: str) -> bytes:
    """Signed without a time and without its Date, which anybody can change then."""
    raw = sign(mail(name), "crm.test", headers=("from", "to", "subject"), timeless=True)
    return raw.replace(b"Date: ", b"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nX-Was: ", 1)


def appended(name: str) -> bytes:
    """Signed with a length, then lengthened: the signature still verifies."""
    return sign(mail(name), "crm.test", length=True) + b"\r\nand a forged line\r\n"


def two_authors(name: str) -> bytes:
    """A forged From above the signed one."""
    return b"From: Root <root@crm.test>\r\n" + signed(name)


def raw_from(name: str, value: bytes, domain: str = "evil.test") -> bytes:
    """A From field as bytes, signed by the forger."""
    plain = mail(name).replace(b"From: Aino <aino@crm.test>", b"From: " + value)
    return sign(plain, domain)


def sealed(name: str, sealer: str, result: bytes = b"pass") -> bytes:
    """Changed on its way by a forwarder that says in its seal whether it was genuine (RFC 8617)."""
    came = (
        b"Authentication-Results: " + sealer.encode() + b"; dkim=RESULT header.d=crm.test; spf=RESULT smtp.mailfrom=crm.test;"
        b" dmarc=RESULT header.from=crm.test\r\n"
    ).replace(b"RESULT", result) + mail(name)  # fmt: skip
    lines = dkim.arc_sign(
        came, b"s1", sealer.encode(), keys()[0], sealer.encode(), include_headers=[b"from", b"to", b"subject"]
    )
    return b"".join(lines) + came


def beside_the_seal(name: str) -> bytes:
    """A forwarder sealed that it is not genuine; the forger adds a field that the seal does not cover."""
    forged = b"ARC-Authentication-Results: i==9; forwarder.test; dkim=pass header.d=crm.test\r\n"
    return forged + sealed(name, "forwarder.test", b"fail")


def attached(name: str) -> bytes:
    """A forward with the original attached whole."""
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = MIKA, "aino@crm.test", name
    inner["Message-ID"], inner["Date"] = f"<{name}@saimaa.example>", "Mon, 02 Mar 2026 12:00:00 +0200"
    inner.set_content("inner text")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = AINO, "k@bcc.test", f"Fwd: {name}"
    outer["Message-ID"], outer["Date"] = f"<fwd-{name}@crm.test>", "Tue, 03 Mar 2026 12:00:00 +0200"
    outer.set_content("see attached")
    outer.add_attachment(inner)
    raw = outer.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return sign(raw.replace(b"k@bcc.test", b"{address}"), "crm.test")


def forwarded(form: str) -> Callable[[str], bytes]:
    """A forward as that program writes it, of a message named after the case."""

    def make(name: str) -> bytes:
        raw = forwards.forward(FORMS[form], to="{address}", original=f"{name}@saimaa.example")
        return raw.replace(forwards.SUBJECT.encode(), name.encode())

    return make


def nested(name: str) -> bytes:
    """Sixty multiparts in one another."""
    body = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(60))
    return (
        b"From: Aino <aino@crm.test>\r\nSubject: " + name.encode() + b"\r\nMIME-Version: 1.0\r\n" + body + b"\r\nx\r\n"
    )


def headed(*lines: str, sign_it: bool = True) -> Callable[[str], bytes]:
    """A genuine mail with more header lines above."""

    def make(name: str) -> bytes:
        raw = signed(name) if sign_it else mail(name)
        return "".join(f"{line}\r\n" for line in lines).encode() + raw

    return make


def _is_mikas(world: World, row: Any) -> None:
    message = next(each for each in world.messages() if each.id == row.message_id)
    assert message.from_address == "mika@saimaa.example"
    assert message.sent_at is not None
    assert (message.sent_at.month, message.sent_at.day) == (3, 2)
    assert "k@" not in str(world.people_on(message.id or 0))
    (view,) = threads.open_thread(world.aino, message.thread_id).messages
    assert view.remarks == (("Aino", row.words),)
    assert row.words in ("FYI", "see attached")


def _names_no_place(world: World, row: Any) -> None:
    people = world.people_on(row.message_id)
    assert all("bcc.test" not in each for several in people.values() for each in several), people


_PASSED = "dkim=pass header.d=crm.test; spf=pass smtp.mailfrom=aino@crm.test; dmarc=pass header.from=crm.test"
_RELAY = {"ip": "", "ours": True}
_SPF = {"ip": GOOD_IP}

CASES = (
    # Genuine
    Case("dkim alone", signed, "stored", shown=True),
    Case("spf alone", mail, "stored", shown=True, how=_SPF),
    Case("to the workspace", signed, "stored", to="workspace", shown=True),
    Case("visible in cc", lambda n: signed(n, Cc="{address}"), "stored", shown=True, more=_names_no_place),
    Case("only to us", lambda n: signed(n, to="{address}"), "stored", shown=True),
    Case("capitals", lambda n: signed(n, sender="AINO <Aino@CRM.test>"), "stored", shown=True),
    Case("alternative", lambda n: signed(n, "home.test", sender="aino@home.test"), "stored", shown=True),
    Case("subdomain", lambda n: signed(n, sender="aino@mail.crm.test"), "stored", shown=True),
    Case("own server said so", headed(f"Authentication-Results: {OURS}; {_PASSED}", sign_it=False), "stored", shown=True,
         how=_RELAY),
    Case("trusted seal", lambda n: sealed(n, "forwarder.test"), "stored", shown=True),
    Case("forward to a customer", lambda n: sign(forwarded("gmail-en")(n).replace(b"To: {address}", b"To: mika@saimaa.example")
         .replace(b"Subject: Fwd: ", b"Subject: "), "crm.test"), "stored", shown=True),
    Case("twice", lambda _: signed("dkim alone"), "duplicate", "smart_bcc.duplicate"),
    Case("twice, another address", lambda _: signed("spf alone"), "duplicate", "smart_bcc.duplicate", to="workspace"),
    # Forwards
    *(
        Case(f"forward {form}", forwarded(form), "stored", "smart_bcc.forwarded", shown=True, how=_SPF, direction="in",
             more=_is_mikas)
        for form in ("gmail-en", "gmail-ja", "outlook-en", "outlook-ja", "owa-en", "owa-ja", "apple-en", "apple-ja",
                     "thunderbird-en", "thunderbird-ja", "outlook-de", "outlook-fr", "outlook-es")
    ),
    Case("forward attached", attached, "stored", "smart_bcc.forwarded", shown=True, direction="in", more=_is_mikas),
    Case("forwarded twice", lambda _: attached("forward attached"), "duplicate", "smart_bcc.duplicate"),
    # Forged
    Case("no proof", mail, "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("spf of another", mail, "quarantined", "smart_bcc.not_genuine", notice=True,
         how={"ip": GOOD_IP, "mail_from": "x@evil.test"}),
    Case("dkim of another", lambda n: signed(n, "evil.test"), "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("tampered", tampered, "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("appended", appended, "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("replayed", replayed, "quarantined", "smart_bcc.stale", notice=True),
    Case("replayed by its own server", replayed, "stored", shown=True, how=_SPF),
    Case("undated", undated, "quarantined", "smart_bcc.stale", notice=True),
    Case("second subject", lambda n: signed(n).replace(b"From: ", b"Subject: another\r\nFrom: ", 1), "quarantined",
         "smart_bcc.not_genuine", notice=True),
    Case("two authors", two_authors, "quarantined", "smart_bcc.author"),
    Case("group", lambda n: raw_from(n, b"us: aino@crm.test;"), "quarantined", "smart_bcc.author"),
    Case("two addresses", lambda n: raw_from(n, b"aino@crm.test, x@evil.test"), "quarantined", "smart_bcc.author"),
    Case("nul", lambda n: raw_from(n, b"aino@crm.test\x00 <x@evil.test>"), "quarantined", "smart_bcc.author"),
    Case("name is an address", lambda n: raw_from(n, b'"aino@crm.test" <x@evil.test>'), "quarantined", "smart_bcc.stranger"),
    Case("encoded name", lambda n: raw_from(n, b"=?utf-8?q?aino=40crm.test?= <x@evil.test>"), "quarantined",
         "smart_bcc.stranger"),
    Case("forged results", headed(f"Authentication-Results: {OURS}; {_PASSED}", sign_it=False), "quarantined",
         "smart_bcc.not_genuine", notice=True),
    Case("forged results below", headed("Authentication-Results: mx.evil.test; none",
         f"Authentication-Results: {OURS}; {_PASSED}", sign_it=False), "quarantined", "smart_bcc.not_genuine", notice=True,
         how=_RELAY),
    Case("word beside a seal", beside_the_seal, "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("seal alone", lambda n: sealed(n, "evil.test"), "quarantined", "smart_bcc.not_genuine", notice=True),
    Case("weak domain", lambda n: signed(n, "evil.test", sender="aino@crm.test.evil.test"), "quarantined",
         "smart_bcc.stranger"),
    # Not allowed
    Case("unconfirmed", lambda n: signed(n, "home.test", sender="new@home.test"), "quarantined", "smart_bcc.unconfirmed",
         notice=True),
    Case("stranger", lambda n: signed(n, "evil.test", sender="x@evil.test"), "quarantined", "smart_bcc.stranger"),
    Case("switched off", lambda n: signed(n, sender="gone@crm.test"), "quarantined", "smart_bcc.stranger"),
    Case("another's deal", signed, "quarantined", "smart_bcc.out_of_reach", to="other", notice=True),
    Case("unknown address", lambda n: signed(n, "evil.test", sender="x@evil.test"), "refused", "smart_bcc.unknown_address",
         to="unknown"),
    Case("typed wrong", signed, "quarantined", "smart_bcc.unknown_address", to="unknown", notice=True),
    Case("typed wrong, forged", mail, "quarantined", "smart_bcc.unknown_address", to="unknown"),
    Case("replaced address", signed, "quarantined", "smart_bcc.old_address", to="old", notice=True),
    # Machines
    Case("bounce", signed, "ignored", "smart_bcc.bounce", how={"mail_from": ""}),
    Case("automatic", headed("Auto-Submitted: auto-replied"), "ignored", "smart_bcc.automatic"),
    Case("list", headed("List-Id: <talk.lists.test>"), "ignored", "smart_bcc.list"),
    Case("loop", headed(*["Received: from a by b; Mon, 2 Mar 2026 12:00:00 +0000"] * 60), "ignored", "smart_bcc.loop"),
    Case("our own", headed("X-Mailcrm: letter"), "ignored", "smart_bcc.own_mail"),
    # Broken
    Case("nested", nested, "quarantined", "quarantine.deeper"),
    Case("no header", lambda n: b"\xff\xfe" + n.encode() + b"\r\n\r\n", "quarantined", "smart_bcc.author"),
)  # fmt: skip
