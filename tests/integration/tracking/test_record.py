"""What is recorded of opens and clicks, over HTTP as a mail program would ask (T01-T08, T10, B03, B05)."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col, select
from starlette.applications import Starlette

from mailcrm.config import config
from mailcrm.endpoints.tracking import PIXEL, ROUTES
from mailcrm.models import LiveEvent, TrackedLink, TrackedMessage, TrackingEvent, utcnow
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from mailcrm.services.tracking import again, counts, events, record, report, tokens
from mailcrm.services.tracking.fetch import Fetch, Packed, Waiting, unpacked
from tests.builders import a_mailbox, a_message, a_user

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
NETWORKS = ("203.0.113.1", "198.51.100.1", "192.0.2.1")


class Sent:
    """A message tracked an hour ago, with three links."""

    def __init__(self, *, notify: bool = True, recipients: int = 1) -> None:
        self.actor: Actor = a_user("Aino")
        address = f"aino{self.actor.user_id}@crm.test"
        box = a_mailbox(self.actor, address)
        message = a_message(box, sender=address, to="Mika <mika@x.test>", visibility="shared")
        self.message_id, self.thread_id = message.id or 0, message.thread_id
        with transaction() as session:
            row = TrackedMessage(
                user_id=self.actor.user_id, message_id=message.id, nonce=tokens.new_nonce(), opens_on=True,
                clicks_on=True, notify=notify, recipients=recipients, sent_at=utcnow() - timedelta(hours=1),
            )  # fmt: skip
            session.add(row)
            session.flush()
            self.nonce, self.id = row.nonce, row.id or 0
            for position in (1, 2, 3):
                session.add(
                    TrackedLink(tracked_id=self.id, position=position, url=f"https://x.test/{position}?a=ü", text="l")
                )

    def request(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(Starlette(routes=ROUTES))
            async with httpx.AsyncClient(transport=transport, base_url="http://track.test") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())

    def open(self, agent: str = CHROME, method: str = "GET", **headers: str):  # type: ignore[no-untyped-def]
        token = tokens.make("open", self.nonce)
        found = self.request(method, f"/t/o/{token}.gif", headers={"user-agent": agent, **headers})
        record.flush()
        return found

    def click(self, position: int = 1, agent: str = CHROME, method: str = "GET", flush: bool = True, **headers: str):  # type: ignore[no-untyped-def]
        token = tokens.make("click", self.nonce, position)
        found = self.request(method, f"/t/c/{token}", headers={"user-agent": agent, **headers})
        if flush:
            record.flush()
        return found

    def row(self) -> TrackedMessage:
        with reading() as session:
            row = session.get_one(TrackedMessage, self.id)
            session.expunge(row)
            return row

    def kinds(self) -> list[str]:
        with reading() as session:
            return list(session.exec(select(TrackingEvent.kind).order_by(col(TrackingEvent.id))))


@pytest.fixture
def sent(db: str) -> Iterator[Sent]:
    yield Sent()
    record.flush()


def test_an_open_fills_the_mark_and_rings_the_bell(sent: Sent) -> None:
    """T05, T08."""
    answer = sent.open()
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PIXEL, "image/gif")
    assert len(PIXEL) == 43
    assert "no-store" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    row = sent.row()
    assert (row.opens, row.clicks) == (1, 0)
    assert row.first_opened_at == row.last_opened_at is not None
    (note,) = notifications.list_notifications(sent.actor)
    assert (note.kind, note.title, note.detail, note.count, note.thread_id) == (
        "open", "Mika", "Calibration certificates", 1, sent.thread_id,
    )  # fmt: skip
    with reading() as session:
        assert {"tracking", "notifications"} <= set(session.exec(select(LiveEvent.topic)))
    (message,) = threads.open_thread(sent.actor, sent.thread_id).messages
    assert message.tracking is not None
    assert message.tracking.opens == 1


def test_repeats_join_one_line_until_it_is_read(sent: Sent) -> None:
    for _ in range(3):
        sent.open()
    assert [(n.count, n.read) for n in notifications.list_notifications(sent.actor)] == [(3, False)]
    assert notifications.unread_count(sent.actor) == 1
    notifications.mark_read(sent.actor)
    sent.open()
    assert [(n.count, n.read) for n in notifications.list_notifications(sent.actor)] == [(1, False), (3, True)]
    assert notifications.unread_count(sent.actor) == 1
    assert sent.row().opens == 4
    assert notifications.list_notifications(sent.actor, kind="click") == ()


def test_no_notification_unless_the_mailbox_wants_it(db: str) -> None:
    """M17, T03: the third switch."""
    sent = Sent(notify=False)
    sent.open()
    assert notifications.list_notifications(sent.actor) == ()
    assert sent.row().opens == 1


def test_click_leads_to_the_kept_destination(sent: Sent) -> None:
    """T01; B05: a click implies an open; the redirect is never cached and gives no referrer."""
    answer = sent.click(2)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://x.test/2?a=%C3%BC")
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    row = sent.row()
    assert (row.clicks, row.opens) == (1, 1)
    assert row.first_opened_at == row.last_clicked_at
    detail = report.marks(sent.actor, sent.message_id)
    assert detail.clicks[0].url == "https://x.test/2?a=ü"
    assert detail.clicks[0].agent == "Chrome"
    assert "inferred" in detail.limits
    (note,) = notifications.list_notifications(sent.actor, kind="click")
    assert note.params["url"] == "https://x.test/2?a=ü"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("what", ["pixel", "click"])
def test_junk_is_refused_alike_and_writes_nothing(sent: Sent, method: str, what: str) -> None:
    """security.md threats 7 and 8: tampered, foreign-key, wrong-purpose, unknown tokens: 0 redirects, one answer."""
    good = tokens.make("open" if what == "pixel" else "click", sent.nonce, 0 if what == "pixel" else 1)
    junk = [
        "x", "%00", "a" * 10_000, good + "A" * 10_000, good[:-1], good + "A", good.swapcase(), "https:%2F%2Fevil.test", "..%2F..%2F", "ü" * 55,
        tokens.make("click" if what == "pixel" else "open", sent.nonce, 1),
        tokens.make("open" if what == "pixel" else "click", sent.nonce, 1, secret="k" * 40),
        tokens.make("open" if what == "pixel" else "click", tokens.new_nonce(), 1),
        *(good[:n] + ("A" if good[n] != "A" else "B") + good[n + 1 :] for n in range(len(good))),
    ]  # fmt: skip
    if what == "click":
        junk.append(tokens.make("click", sent.nonce, 9))
    path, ending = ("/t/o/", ".gif") if what == "pixel" else ("/t/c/", "")
    answers = {
        (a.status_code, a.content, tuple(sorted(a.headers.items())))
        for a in (sent.request(method, f"{path}{token}{ending}") for token in junk)
    }
    assert len(answers) == 1
    ((status, content, headers),) = answers
    if what == "pixel":
        valid = sent.request(method, f"{path}{good}{ending}")
        assert (status, content, headers) == (200, valid.content, tuple(sorted(valid.headers.items())))
    else:
        assert status == 404
        assert "location" not in dict(headers)
    record.flush()
    assert [kind for kind in sent.kinds() if kind != "scanner"] == []  # the valid fetch above has the test's own agent


def test_head_is_kept_and_counts_nothing(sent: Sent) -> None:
    """B03: no event is dropped."""
    answer = sent.open(method="HEAD")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "43")
    assert sent.click(method="HEAD").status_code == 302
    assert sent.kinds() == ["scanner", "scanner"]
    assert (sent.row().opens, sent.row().clicks) == (0, 0)


@pytest.mark.parametrize("name", ["sec-purpose", "purpose"])
def test_a_browsers_prefetch_counts_nothing(sent: Sent, name: str) -> None:
    sent.click(**{name: "prefetch;prerender"})  # pyright: ignore[reportArgumentType]
    assert sent.kinds() == ["scanner"]
    assert (sent.row().opens, sent.row().clicks) == (0, 0)


@pytest.mark.parametrize("name", ["dnt", "sec-gpc"])
def test_who_asks_not_to_be_followed_is_not(sent: Sent, name: str) -> None:
    """T09: the open is kept without program or network, and does not count; a link still leads where it should."""
    sent.open(**{name: "1"})  # pyright: ignore[reportArgumentType]
    with reading() as session:
        (event,) = session.exec(select(TrackingEvent)).all()
    assert (event.kind, event.reasons["codes"], event.user_agent, event.network) == ("proxy", ["asked_not_to"], "", "")
    assert sent.row().opens == 0
    assert sent.click(**{name: "1"}).status_code == 302  # pyright: ignore[reportArgumentType]


def test_gmail_counts_and_apple_does_not(sent: Sent) -> None:
    """DESIGN, "Settled after drawing"; threat 9: no Gmail open lost, no Apple prefetch shown as a person."""
    sent.open(GMAIL)
    sent.open(APPLE)
    assert sent.kinds() == ["unknown", "proxy"]
    assert sent.row().opens == 1
    detail = report.marks(sent.actor, sent.message_id)
    assert (detail.opens_counted, detail.opens_all) == (1, 2)
    assert "prefetch_not_counted" in detail.limits
    assert {e.reasons for e in detail.opens} == {("gmail_proxy",), ("apple_prefetch",)}


def test_own_views_never_count(sent: Sent) -> None:
    """B03: a session of any user of the workspace, or a page of ours."""
    colleague = a_user("Noor")
    with transaction() as session:
        secret = sessions.start(session, colleague.user_id)
    cookie = f"{sessions.cookie_name()}={secret}"
    sent.open(cookie=cookie)
    sent.click(cookie=cookie)
    sent.open(referer=f"{config().public_url}/inbox")
    assert sent.kinds() == ["own", "own", "own"]
    assert (sent.row().opens, sent.row().clicks) == (0, 0)
    assert notifications.list_notifications(sent.actor) == ()
    sent.open(cookie=f"{sessions.cookie_name()}=forged")
    sent.open(referer="https://mail.example/inbox")
    assert sent.kinds()[3:] == ["person", "person"]


@pytest.mark.parametrize("referer", ["http://a]/", "http://[", "http://[::1", "//]", "\xff]"])
def test_no_referer_makes_an_error_of_a_pixel(sent: Sent, referer: str) -> None:
    """What no browser sends is none of ours, and is answered like anything else."""
    assert sent.open(referer=referer.encode("latin-1")).content == PIXEL  # type: ignore[arg-type]
    assert sent.click(referer=referer.encode("latin-1")).status_code == 302  # type: ignore[arg-type]
    assert sent.kinds() == ["person", "person"]


def test_a_fetch_that_waits_is_small(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of long headers fills no memory: 20,000 of them may wait."""
    taken: list[Packed] = []
    monkeypatch.setattr(record.INTAKE, "put", taken.append)
    long = "a" * 60_000
    sent.open(agent=f"Mozilla/5.0 {long}", method="X" * 60_000, cookie=f"{sessions.cookie_name()}=b; c={long}")
    sent.click(agent=long, cookie=f"{sessions.cookie_name()}={'s' * 7000}")
    assert [len(each.fetch.user_agent) for each in map(unpacked, taken)] == [500, 500]
    assert [(len(each.fetch.method) <= 10, each.fetch.session) for each in map(unpacked, taken)] == [(True, "")] * 2


def test_a_sweep_of_the_links_is_a_scanner_also_for_the_first_ones(sent: Sent) -> None:
    """peers.md 3.6: bursts across links; those counted before are taken back (B03)."""
    sent.click(1)
    assert sent.row().clicks == 1
    sent.click(2)
    sent.click(3)
    assert sent.kinds() == ["scanner"] * 3
    assert (sent.row().clicks, sent.row().opens, sent.row().first_opened_at) == (0, 0, None)


def test_links_outlive_events_and_message(sent: Sent) -> None:
    """T10."""
    sent.click(1)
    with transaction() as session:
        session.get_one(TrackedMessage, sent.id).message_id = None
        for event in session.exec(select(TrackingEvent)):
            session.delete(event)
    assert sent.click(1).status_code == 302
    assert sent.row().clicks == 1


def test_hostile_agents_are_kept_printable_and_short(sent: Sent) -> None:
    sent.open("Mozilla/5.0 \x7f<script>alert(1)</script>" + "a" * 5000)
    with reading() as session:
        (event,) = session.exec(select(TrackingEvent)).all()
    assert len(event.user_agent) <= record.MAX_AGENT
    assert event.user_agent.isprintable()


def test_no_address_is_stored(sent: Sent) -> None:
    """B15: a salted hash of the network, whose salt changes every day."""
    sent.open()
    at = utcnow()
    same = events.network_hash("203.0.113.9", at) == events.network_hash("203.0.113.77", at) != ""
    other = events.network_hash("203.0.113.9", at + timedelta(days=1)) != events.network_hash("203.0.113.9", at)
    assert same
    assert other
    assert events.network_hash("nonsense", at) == ""


def test_the_thread_writes_by_itself_within_moments(sent: Sent) -> None:
    token = tokens.make("open", sent.nonce)
    sent.request("GET", f"/t/o/{token}.gif", headers={"user-agent": CHROME})
    wait_until(lambda: sent.row().opens == 1)


def test_a_busy_database_does_not_hold_up_the_pixel(sent: Sent) -> None:
    """The answers come while another transaction holds the row; what waited is written when it is free."""
    token = tokens.make("open", sent.nonce)
    with transaction() as session:  # holds SQLite's write lock, and PostgreSQL's row
        session.exec(select(TrackedMessage).where(TrackedMessage.id == sent.id).with_for_update()).one()
        answers = [sent.request("GET", f"/t/o/{token}.gif", headers={"user-agent": CHROME}) for _ in range(20)]
        assert sent.row().opens == 0
    assert {answer.content for answer in answers} == {PIXEL}
    wait_until(lambda: sent.row().opens == 20)


def test_several_writers_agree(sent: Sent) -> None:
    """The counters are counted anew under a lock of the row, so nothing is lost between processes."""
    found = tokens.Token("open", sent.nonce, 0)

    def write() -> None:
        for _ in range(5):
            record.write([record.Waiting("open", found, record.Fetch(user_agent=CHROME))])

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sent.row().opens == 20
    assert [n.count for n in notifications.list_notifications(sent.actor)] == [20]


def test_limits_are_said(db: str) -> None:
    """T06."""
    several = Sent(recipients=2)
    assert {"several_recipients", "images_blocked", "forwarded"} <= set(
        report.marks(several.actor, several.message_id).limits
    )
    plain = a_message(a_mailbox(several.actor))
    assert report.marks(several.actor, plain.id or 0).limits == ("not_tracked",)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("seed", range(6))
def test_counts_that_were_added_up_are_those_counted_anew(sent: Sent, seed: int) -> None:
    """B03, B05: sweeps, checks before a click, opens that clicks explain, an answer; in batches that split them anywhere."""
    chance = random.Random(seed)
    at, made = utcnow() - timedelta(minutes=30), list[Waiting]()
    for _ in range(60):
        at += timedelta(seconds=chance.choice((0.2, 0.7, 3, 40)))
        action = chance.choice(("open", "click"))
        fetch = Fetch(
            chance.choice((CHROME, GMAIL, APPLE)), chance.choice(("GET",) * 9 + ("HEAD",)), chance.choice(NETWORKS)
        )
        made.append(Waiting(action, tokens.Token(action, sent.nonce, chance.randint(1, 3)), fetch, at))
    while made:
        part = [made.pop(0) for _ in range(min(len(made), chance.randint(1, 9)))]
        events.write(part)
        with transaction() as session:
            row = session.get_one(TrackedMessage, sent.id)
            kept = figures_of(row)
            counts.count(session, row)
            assert kept == figures_of(row)
            if row.replied_at is None and chance.random() < 0.05:
                row.replied_at = part[-1].at
                again.judge_answered(session, row)


def figures_of(row: TrackedMessage) -> tuple[object, ...]:
    return (row.opens, row.clicks, row.first_opened_at, row.last_opened_at, row.last_clicked_at)
