"""A mailbox through OAuth in a browser, from the first sign-in over a lost grant to the mail that waited (issue 7, M10).

A real provider in the part of Google, a Dovecot and a Postfix that ask it about every token; the app knows only other
endpoint URLs. The provider's own pages are clicked through.
"""

from __future__ import annotations

import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import ROOT
from tests.e2e.conftest import App, make_administrator, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.fixtures import needs
from tests.servers.oidc import CLIENT_SECRET, OidcProvider
from tests.servers.postfix import PostfixServer
from tests.servers.smtp_sink import SmtpSink

ANN = "ann@loop.example"
PASSWORD = "correct horse battery"
MINUTE_MS = 60_000


class Story:
    """The app with everything around it, and one person in front of it."""

    def __init__(self, app: App, page: Page, oidc: OidcProvider, dovecot: DovecotServer, sink: SmtpSink) -> None:
        self.app, self.page, self.oidc, self.dovecot, self.sink = app, page, oidc, dovecot, sink
        self.frames: list[str] = []  # what the server said to the tab
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: self.frames.append(str(data))))

    def deliver(self, subject: str) -> None:
        head = f"From: Maja Kos <maja@vodovod.example>\r\nTo: {ANN}\r\nMessage-ID: <{subject.replace(' ', '-')}@t>\r\n"
        self.dovecot.deliver(ANN, f"{head}Subject: {subject}\r\n\r\nText.\r\n".encode(), when=datetime.now(UTC))

    def at_provider(self) -> None:
        """Sign in on the provider's page and agree."""
        self.page.wait_for_url(re.compile(re.escape(self.oidc.url)))
        while self.page.url.startswith(self.oidc.url):
            name = self.page.locator('input[name="login"]')
            if name.count():
                name.fill(ANN)
                self.page.locator('input[name="password"]').fill("anything")
            before = self.page.url
            self.page.locator('button[type="submit"]').first.click()
            self.page.wait_for_url(lambda url, before=before: url != before)

    def column(self, name: str) -> list[str]:
        with sqlite3.connect(self.app.folder / "data" / "mailcrm.sqlite3") as database:
            return [row[0] for row in database.execute(f"SELECT {name} FROM mailboxes")]  # noqa: S608


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Story]:
    """Ann signed in to a mailcrm without mailboxes."""
    needs("dovecot")
    needs("postfix")
    app = App(Path(tmp_path_factory.mktemp("oauth")))
    oidc = OidcProvider(redirect_to=app.url)
    oidc.start()
    dovecot = DovecotServer(introspect=f"{oidc.url}/token/introspection", issuer=oidc.issuer)
    dovecot.start()
    dovecot.add_user(ANN, "never used")
    sink = SmtpSink(auth=False)
    sink.start()
    postfix = PostfixServer(sink.port, dovecot=dovecot)
    postfix.start()
    imap, smtp = f"imaps://localhost:{dovecot.tls_port}", f"smtp://localhost:{postfix.port}"
    app.environment |= oidc.settings(imap, smtp)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", ignore_https_errors=True)
    problems: list[str] = []
    try:
        with app:
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            story = Story(app, page, oidc, dovecot, sink)
            make_administrator(page, app, ANN, PASSWORD)
            try:
                yield story
            finally:
                print(app.log.read_text()[-5000:])
    finally:
        context.close()
        for server in (postfix, sink, dovecot, oidc):
            server.stop()
    assert not problems, problems


def test_a_mailbox_is_connected_on_the_providers_page_and_its_mail_appears(story: Story) -> None:
    page = story.page
    story.deliver("Before the sign in")
    page.goto(f"{story.app.url}/settings/email-sync")
    page.get_by_test_id("mailbox-address").fill(ANN)
    expect(page.get_by_test_id("mailbox-recognised")).not_to_be_empty()
    page.locator('[data-testid="provider-tile"][data-provider="gmail"]').click()
    expect(page.get_by_test_id("mailbox-sign-in")).to_have_text("Sign in with Google")
    expect(page.get_by_test_id("mailbox-password")).to_be_hidden()  # folded: one question "How far back", not two
    page.get_by_text("Or with an app password").click()
    expect(page.get_by_test_id("mailbox-password")).to_be_visible()
    page.get_by_text("Or with an app password").click()
    snap(page, "oauth-1-wizard")
    page.get_by_test_id("mailbox-sign-in").click()
    story.at_provider()
    page.wait_for_url(re.compile(r"/settings/email-sync/?\?.*connected="))
    expect(page.get_by_test_id("mailbox-fresh")).to_be_visible()
    snap(page, "oauth-2-connected")
    assert (story.column("auth"), story.column("address")) == (["google"], [ANN])
    page.goto(f"{story.app.url}/inbox")
    expect(page.get_by_test_id("thread-row").filter(has_text="Before the sign in")).to_be_visible(timeout=MINUTE_MS)


def test_declining_there_says_so_here(story: Story) -> None:
    """Bad input: consent declined. Nothing changes, and the page says what to do."""
    page = story.page
    page.goto(f"{story.app.url}/oauth/google/callback?error=access_denied&state=unknown")
    page.wait_for_url(re.compile(r"/settings/email-sync/?\?error=oauth\.expired"))
    # It stays, unlike a toast; and nobody else's words are shown by an address.
    expect(page.get_by_test_id("came-back")).to_contain_text("This sign-in was used before, or took too long")
    page.goto(f"{story.app.url}/settings/email-sync?error=oauth.refused&provider=Bank&answer=Call+555-0100")
    expect(page.get_by_test_id("mailbox-row")).to_be_visible()
    expect(page.get_by_text("555-0100")).to_have_count(0)
    assert story.column("status") == ["active"]


def test_a_grant_taken_back_is_said_within_a_minute_and_mended_in_one_click(story: Story) -> None:
    """M10: revoke at the provider, banner, reconnect; the mail that came meanwhile, the queued message sent."""
    page = story.page
    page.goto(f"{story.app.url}/inbox")
    expect(page.get_by_test_id("thread-row").first).to_be_visible()
    story.oidc.revoke(ANN)
    story.dovecot.kick(ANN)  # as providers end the connections of a grant that is gone
    expect(page.get_by_test_id("reconnect-banner")).to_be_visible(timeout=MINUTE_MS)
    snap(page, "oauth-3-banner")
    assert story.column("status") == ["needs_reconnect"]

    story.deliver("Came meanwhile")
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").click()
    page.keyboard.type("bob@far.example")
    page.keyboard.press("Enter")
    page.get_by_test_id("compose-subject").fill("Written meanwhile")
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("It waits until the mailbox is let in again.")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    page.wait_for_timeout(12_000)  # longer than the undo window: it would be sent by now
    assert not story.sink.messages

    page.context.clear_cookies(name=re.compile(r"^_(session|interaction)"))  # its session still names the lost grant
    page.get_by_test_id("reconnect-go").click()
    story.at_provider()
    page.wait_for_url(re.compile(r"/settings/email-sync/?\?.*connected="))
    expect(page.get_by_test_id("reconnect-banner")).to_have_count(0, timeout=MINUTE_MS)
    assert story.column("status") == ["active"]
    page.goto(f"{story.app.url}/inbox")
    expect(page.get_by_test_id("thread-row").filter(has_text="Came meanwhile")).to_be_visible(timeout=MINUTE_MS)
    page.goto(f"{story.app.url}/sent")
    expect(page.get_by_test_id("thread-row").filter(has_text="Written meanwhile")).to_be_visible(timeout=MINUTE_MS)
    for _ in range(100):
        if story.sink.messages:
            break
        page.wait_for_timeout(200)
    assert [b"Written meanwhile" in each.raw for each in story.sink.messages] == [True]
    snap(page, "oauth-4-sent")


def test_no_token_and_no_client_secret_is_anywhere_in_clear(story: Story) -> None:
    """security.md 11: what the provider ever gave, and the app's secret: database, WAL, queue, logs, `.web`, REST, pages."""
    page, app = story.page, story.app
    planted = [each for each in story.oidc.control()["given"] if each] + [CLIENT_SECRET]
    assert len(planted) >= 7, "two sign-ins gave three tokens each"
    token = app.command("token", "create", "--user", ANN).strip()
    answers = {}
    for path in ("/mailboxes", "/me", "/notifications", "/threads", "/mailboxes/1", "/mailboxes/1/ledger", "/nowhere"):
        asked = urllib.request.Request(f"{app.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(asked) as answer:
                answers[path] = answer.read()
        except urllib.error.HTTPError as error:
            answers[path] = error.read()
    page.goto(f"{app.url}/settings/email-sync")
    expect(page.get_by_test_id("mailbox-status").first).to_be_visible()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    answers |= {"page": page.content().encode(), "browser": stored.encode(), "frames": "\n".join(story.frames).encode()}
    answers["doctor"] = app.command("doctor").encode()
    for folder in (app.folder, ROOT / ".web" / "build", ROOT / ".web" / "backend", ROOT / ".states"):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".key":
                answers[str(path)] = path.read_bytes()
    assert any(name.endswith("queue.sqlite3") for name in answers), "the control: the queue was looked into"
    assert any(ANN.encode() in content for content in answers.values()), "the control: what is no secret is found"
    assert story.frames, "the control: frames of the socket were kept"
    for secret in planted:
        found = [name for name, content in answers.items() if secret.encode() in content]
        assert not found, f"{secret[:6]}… in {found}"
