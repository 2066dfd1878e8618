"""The main job on real input, from an empty data folder (issue 2, "It is done when").

Set up, connect a Dovecot mailbox holding the corpora, read HTML mail, link a thread to a deal, send a tracked reply,
fetch its pixel as a recipient's mail program would, see the icon fill and the bell ring. Two users take part, so that
leaks show: neither sees the other's mail anywhere.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import ROOT
from tests.e2e.conftest import App, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

ANN, BOB = "ann@tidewater.example", "bob@tidewater.example"
PASSWORD = "correct horse battery"
BOX_PASSWORD = "mailbox secret 1"
ANNS_CANARY, BOBS_CANARY = "Zanzibar-Anchovy-5512", "Bratislava-Badger-8831"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.0"


@dataclass
class World:
    """The servers outside mailcrm, with two filled mailboxes."""

    dovecot: DovecotServer
    smtp: SmtpSink
    messages: int


def letter(sender: str, to: str, subject: str, html: str, when: datetime) -> bytes:
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = when
    message["Message-ID"] = f"<{abs(hash((sender, subject)))}@nordlicht.example>"
    message.set_content(re.sub(r"<[^>]+>", "", html))
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


def corpus_files() -> list[Path]:
    """The shared corpora, or the project's own corpus where they are absent."""
    shared = ROOT.parent / "shared" / "corpora"
    folders = [shared / "mime", shared / "i18n"] if shared.is_dir() else [ROOT / "tests" / "corpus"]
    return sorted(path for folder in folders for path in folder.rglob("*.eml"))


@pytest.fixture(scope="module")
def world(dovecot: DovecotServer) -> Iterator[World]:
    sink = SmtpSink()
    sink.start()
    now = datetime.now(UTC)
    for user in (ANN, BOB):
        dovecot.add_user(user, BOX_PASSWORD)
        dovecot.maildir(user, "Sent")
        sink.add_user(user, BOX_PASSWORD)
    files = corpus_files()
    for position, path in enumerate(files):
        dovecot.deliver(ANN, path.read_bytes(), when=now - timedelta(days=30, minutes=position))
    lena = (
        "<p>Hi Ann,</p><p>Good news: the board signed off on <b>option B</b> this morning.</p>"
        '<script>document.title="owned"</script><img src="https://tracker.example/pixel.png" onerror="alert(1)">'
        f"<p>{ANNS_CANARY}</p>"
    )
    subject = "Proposal, 24 probes for the Büsum site"
    dovecot.deliver(ANN, letter("Lena Vogt <lena.vogt@nordlicht.example>", ANN, subject, lena, now), when=now)
    secret = letter("Eve Blau <eve@other.example>", BOB, f"{BOBS_CANARY} subject", f"<p>{BOBS_CANARY}</p>", now)
    dovecot.deliver(BOB, secret, when=now)
    yield World(dovecot, sink, len(files) + 1)
    sink.stop()


def connect_mailbox(page: Page, world: World, address: str) -> None:
    """Connect by hand on the settings page; the live test must pass before anything is saved."""
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + "/settings/email-sync")
    page.get_by_test_id("mailbox-address").fill(address)
    page.get_by_test_id("mailbox-start").click()
    imap, smtp = world.dovecot.spec(address), world.smtp.spec(address)
    page.get_by_test_id("mailbox-imap-host").fill(imap.host)
    page.get_by_test_id("mailbox-imap-port").fill(str(imap.port))
    choose(page, "mailbox-imap-security", "none")
    page.get_by_test_id("mailbox-smtp-host").fill(smtp.host)
    page.get_by_test_id("mailbox-smtp-port").fill(str(smtp.port))
    choose(page, "mailbox-smtp-security", "none")
    page.get_by_test_id("mailbox-username").fill(address)
    page.get_by_test_id("mailbox-password").fill(BOX_PASSWORD)
    page.get_by_test_id("mailbox-connect").click()
    expect(page.get_by_test_id("mailbox-fresh")).to_be_visible(timeout=60_000)
    page.get_by_test_id("mailbox-fresh-continue").click()
    page.get_by_test_id("mailbox-fresh-done").click()


def choose(page: Page, testid: str, value: str) -> None:
    """Pick an option of a native select, whatever its label."""
    page.get_by_test_id(testid).select_option(value)


def sign_out(page: Page) -> None:
    page.get_by_test_id("logout").click()


def everything_seen(page: Page) -> str:
    return page.content() + " ".join(frame.content() for frame in page.frames)


def test_the_main_job(app: App, world: World, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    foreign: list[str] = []
    page.on("request", lambda request: None if is_ours(request.url, app) else foreign.append(request.url))

    # Set up: the first visitor makes the administrator.
    page.goto(app.url)
    expect(page).to_have_url(re.compile("/setup"))
    page.get_by_test_id("setup-name").fill("Ann Hall")
    page.get_by_test_id("setup-email").fill(ANN)
    page.get_by_test_id("setup-password").fill(PASSWORD)
    snap(page, "01-setup")
    page.get_by_test_id("setup-submit").click()
    page.wait_for_url(re.compile(r"/(inbox|settings)"))

    connect_mailbox(page, world, ANN)
    expect(page.get_by_test_id("sync-ledger")).to_be_visible(timeout=60_000)
    snap(page, "02-connected")

    # The newest message is there while older mail still comes in.
    page.goto(f"{app.url}/inbox")
    row = page.get_by_test_id("thread-row").filter(has_text="Büsum")
    expect(row).to_be_visible(timeout=60_000)
    row.click()
    frame = page.frame_locator('[data-testid="message-frame"]').last
    expect(frame.locator("body")).to_contain_text("option B")
    expect(frame.locator("script")).to_have_count(0)
    assert page.title() != "owned"
    snap(page, "03-inbox")

    # Make the person and the deal, link the thread.
    page.goto(f"{app.url}/deals")
    page.get_by_test_id("deal-create").click()
    page.get_by_test_id("deal-title").fill("Büsum expansion")
    page.get_by_test_id("deal-value").fill("48200")
    page.get_by_test_id("deal-save").click()
    page.wait_for_url(re.compile(r"/deal/\d+"))
    page.goto(f"{app.url}/inbox")
    page.get_by_test_id("thread-row").filter(has_text="Büsum").click()
    page.get_by_test_id("link-deal").click()
    page.get_by_test_id("link-deal-option").filter(has_text="Büsum expansion").click()
    expect(page.get_by_test_id("linked-deal")).to_contain_text("Büsum expansion")
    snap(page, "04-linked")

    # A tracked reply.
    page.get_by_test_id("reply").click()
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("Both confirmed. See the plan at ")
    page.keyboard.type("https://tidewater.example/plan?a=1&b=2 ")
    toggle_on(page, "compose-track-opens")
    toggle_on(page, "compose-track-clicks")
    snap(page, "05-composer")
    page.get_by_test_id("compose-send").click()
    wait_until(page, lambda: world.smtp.messages)
    sent = email.message_from_bytes(world.smtp.messages[0].raw, policy=email.policy.default)
    assert sent["In-Reply-To"]
    assert sent["References"]
    assert "Bcc" not in sent
    body = sent.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert "Both confirmed." in html, html
    pixel = re.search(r'src="([^"]*/t/o/[^"]+\.gif)"', html)
    assert pixel, html[-600:]
    expect(page.get_by_test_id("tracking-open-icon").first).to_have_attribute("data-state", "none")
    copies = [path.read_bytes() for path in world.dovecot.maildir(ANN, "Sent").glob("*/*")]
    wait_until(page, lambda: list(world.dovecot.maildir(ANN, "Sent").glob("*/*")))
    copies = [path.read_bytes() for path in world.dovecot.maildir(ANN, "Sent").glob("*/*")]
    assert len(copies) == 1
    assert b"/t/o/" not in copies[0]

    # Every own view above counted as nothing; the recipient's mail program opens it.
    fetch(pixel.group(1))
    expect(page.get_by_test_id("tracking-open-icon").first).to_have_attribute("data-state", "seen")
    expect(page.get_by_test_id("notification-bell")).to_be_visible()
    page.get_by_test_id("tracking-open-icon").first.hover()
    page.wait_for_timeout(600)
    snap(page, "06-opened")
    page.mouse.move(5, 5)
    page.keyboard.press("Escape")
    page.get_by_test_id("notification-bell").click()
    expect(page.get_by_test_id("notification-item").first).to_contain_text("opened")
    snap(page, "07-notification")

    # The deal's page shows the conversation, with a reply box in place (M03).
    page.keyboard.press("Escape")
    page.goto(f"{app.url}/deals")
    page.get_by_test_id("deal-card").filter(has_text="Büsum expansion").click()
    expect(page.get_by_test_id("deal-timeline")).to_contain_text("Proposal, 24 probes")
    snap(page, "08-deal")

    assert not problems, problems
    assert not foreign, foreign

    # A colleague joins by invitation and sees none of it; nor does the administrator see his mail.
    link = app.command("user", "create", "--email", BOB, "--name", "Bob Stern", "--password-stdin", stdin=PASSWORD)
    assert BOB in link
    bobs = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    other = bobs.new_page()
    other.goto(f"{app.url}/login")
    other.get_by_test_id("login-email").fill(BOB)
    other.get_by_test_id("login-password").fill(PASSWORD)
    snap(other, "09-login")
    other.get_by_test_id("login-submit").click()
    other.wait_for_url(re.compile("/inbox"))
    connect_mailbox(other, world, BOB)
    other.goto(f"{app.url}/inbox")
    expect(other.get_by_test_id("thread-row").filter(has_text=BOBS_CANARY)).to_be_visible(timeout=60_000)
    anns_thread = re.search(r"\d+", page.get_by_test_id("deal-timeline").inner_html())
    for path in ("/inbox", "/sent", "/archive", "/drafts", "/outbox", "/deals", "/people", "/thread/1", "/deal/1"):
        other.goto(app.url + path)
        other.wait_for_timeout(700)
        assert ANNS_CANARY not in everything_seen(other), path
        assert "Proposal, 24 probes" not in everything_seen(other), path
        page.goto(app.url + path)
        page.wait_for_timeout(700)
        assert BOBS_CANARY not in everything_seen(page), path
    assert anns_thread
    for message_id in range(1, 6):
        answer = other.request.get(f"{app.url}/m/{message_id}/body")
        assert answer.status == 404
    snap(other, "10-colleague")
    context.close()
    bobs.close()


def is_ours(url: str, app: App) -> bool:
    return url.startswith((app.url, app.url.replace("http", "ws"), "data:", "blob:", "about:"))


def toggle_on(page: Page, testid: str) -> None:
    toggle = page.get_by_test_id(testid)
    if toggle.get_attribute("aria-pressed") != "true":
        toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")


def wait_until(page: Page, condition: object, seconds: float = 60) -> None:
    for _ in range(int(seconds * 5)):
        if condition():  # type: ignore[operator]
            return
        page.wait_for_timeout(200)
    raise AssertionError("it did not happen in time")


def fetch(url: str) -> None:
    """Fetch as a recipient's mail program does: no cookie, no referrer, its own user agent."""
    request = urllib.request.Request(url, headers={"User-Agent": THUNDERBIRD})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "image/gif"
