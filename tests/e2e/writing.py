"""Somebody who writes: the built app, their mailbox and browser, and what became of it in the database and at the server."""

from __future__ import annotations

import base64
import email
import email.policy
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.e2e.conftest import App, add_mailbox, make_administrator
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

LENA = "lena.vogt@nordlicht.example"
PASSWORD = "correct horse battery"
BOX_PASSWORD = "mailbox secret 5"
#: 4 × 4, red.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEUlEQVR4nGP8z8AARwzEcQCukw/x0F8jngAAAABJRU5ErkJggg=="
)


class World:
    """The app with Ann's mailbox, the servers behind it, and her browser."""

    def __init__(self, app: App, page: Page, smtp: SmtpSink) -> None:
        self.app, self.page, self.smtp = app, page, smtp
        self.body = page.get_by_test_id("compose-body")

    def row(self, what: str = "html") -> str:
        """A column of the newest draft."""
        with sqlite3.connect(f"file:{self.app.folder}/data/mailcrm.sqlite3?mode=ro", uri=True) as database:
            found = database.execute(f"SELECT {what} FROM outbox ORDER BY id DESC LIMIT 1").fetchone()
        return str(found[0]) if found else ""

    def stored(self, fits: Callable[[str], object], within_s: float = 60) -> str:
        """The draft's HTML once it fits; the last one in the failure."""
        ends = time.monotonic() + within_s
        while not fits(self.row()):
            assert time.monotonic() < ends, self.row()
            self.page.wait_for_timeout(100)
        return self.row()

    def compose(self) -> None:
        """Open an empty email with the cursor in its text."""
        self.clear()
        self.page.get_by_test_id("compose-open").click()
        expect(self.body).to_be_visible()
        self.body.click()

    def discard(self) -> None:
        self.page.get_by_test_id("compose-discard").click()
        expect(self.body).to_have_count(0)

    def address(self, to: str, subject: str) -> None:
        self.page.get_by_test_id("compose-to").fill(to)
        self.page.get_by_test_id("compose-to").press("Tab")
        self.page.get_by_test_id("compose-subject").fill(subject)

    def paste(self, html: str = "", text: str = "", picture: bytes = b"") -> None:
        """Paste into the text as a browser does: HTML, text, a picture's file."""
        self.body.evaluate(
            """(body, [html, text, picture]) => {
              const data = new DataTransfer();
              if (html) data.setData("text/html", html);
              if (text) data.setData("text/plain", text);
              if (picture) data.items.add(new File([Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))], "shot.png", { type: "image/png" }));
              body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
            }""",
            [html, text, base64.b64encode(picture).decode()],
        )

    def drop(self, selector: str, name: str, kind: str, data: bytes) -> None:
        """Drop a file on the element."""
        self.page.evaluate(
            """([selector, name, kind, data]) => {
              const to = document.querySelector(selector);
              const box = to.getBoundingClientRect();
              const carried = new DataTransfer();
              carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type: kind }));
              const at = { dataTransfer: carried, bubbles: true, cancelable: true, clientX: box.left + 20, clientY: box.top + 12 };
              for (const event of ["dragenter", "dragover", "drop"]) to.dispatchEvent(new DragEvent(event, at));
            }""",
            [selector, name, kind, base64.b64encode(data).decode()],
        )

    def sent(self, subject: str) -> EmailMessage:
        """The message with this subject as the SMTP server got it."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            for each in self.smtp.messages:
                message = email.message_from_bytes(each.raw, policy=email.policy.default)
                if message["subject"] == subject:
                    return message
            self.page.wait_for_timeout(300)
        raise AssertionError(f"{subject} never arrived; {len(self.smtp.messages)} did")

    def clear(self) -> None:
        """Throw away what is open."""
        if self.page.get_by_test_id("compose-discard").count():
            self.discard()


@contextmanager
def a_world(app: App, chromium: Browser, dovecot: DovecotServer, own: str) -> Iterator[World]:
    """Set the app up for one user with a mailbox; no error of the page is passed over."""
    sink = SmtpSink()
    sink.start()
    dovecot.add_user(own, BOX_PASSWORD)
    dovecot.maildir(own, "Sent")
    sink.add_user(own, BOX_PASSWORD)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(page, app, own, PASSWORD)
    add_mailbox(app, own, dovecot.spec(own), sink.spec(own), BOX_PASSWORD)
    page.goto(f"{app.url}/inbox")
    yield World(app, page, sink)
    context.close()
    sink.stop()
    assert not problems, problems


def compose_japanese(cdp: CDPSession, steps: list[str], final: str) -> None:
    """Type through an input method: each step replaces the composition, then it is confirmed."""
    for step in steps:
        cdp.send("Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)})
    cdp.send("Input.insertText", {"text": final})
