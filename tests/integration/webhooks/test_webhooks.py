"""Webhooks against a real HTTP server: what is told to whom, signed, tried again, and given up (B14)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlmodel import col, select, update

from mailcrm import config
from mailcrm.errors import NotFound, PermanentError, TransientError, UserError
from mailcrm.models import Message, Webhook, WebhookDelivery, utcnow
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from mailcrm.services.tracking import happened
from mailcrm.services.webhooks import deliver, post, webhooks
from tests.builders import a_deal, a_mailbox, a_message, a_user

ALL = ("message.opened", "message.clicked", "message.replied")


class Receiver:
    """A program that keeps what it is told and answers what it is asked to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.location = ""
        self.body = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                try:
                    self.wfile.write(receiver.body)
                except OSError:
                    pass

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def payloads(self) -> list[dict[str, object]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver(db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on loopback, which the setting allows."""
    monkeypatch.setenv("MAILCRM_ALLOW_PRIVATE_HOSTS", "1")
    config.reset()
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def a_sent(actor: Actor, *, shared: bool = False) -> Message:
    return a_message(
        a_mailbox(actor, f"me{actor.user_id}@crm.test"), sender=f"me{actor.user_id}@crm.test", to="mika@saimaa.test",
        tracked=True, visibility="shared" if shared else "private",
    )  # fmt: skip


def happens(message: Message, kind: happened.Kind = "opened", **values: object) -> None:
    what = happened.Happening(kind, 1, message.id, message.user_id, "person", utcnow(), **values)  # type: ignore[arg-type]
    with transaction() as session:
        happened.tell(session, [what])


def later() -> None:
    """The back-off passes."""
    with transaction() as session:
        session.exec(  # type: ignore[call-overload]
            update(WebhookDelivery)
            .where(col(WebhookDelivery.state) == "queued")
            .values(next_try_at=utcnow() - timedelta(seconds=1))
        )


def log_of(actor: Actor, webhook_id: int) -> list[webhooks.DeliveryView]:
    return list(webhooks.page_of_deliveries(actor, webhook_id).rows)


def test_an_event_arrives_signed_once(receiver: Receiver) -> None:
    aino = a_user("Aino")
    message = a_sent(aino)
    made = webhooks.create_webhook(aino, receiver.url, ALL)
    happens(message, "clicked", url="https://secret.test/path", count=2)
    assert receiver.got == []  # nothing leaves inside the transaction
    assert deliver.deliver_due() == 1
    assert deliver.deliver_due() == 0
    ((headers, body),) = receiver.got
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (payload,) = receiver.payloads()
    assert (payload["type"], payload["id"]) == ("message.clicked", headers["webhook-id"])
    data = payload["data"]
    assert isinstance(data, dict)
    assert (data["message_id"], data["kind"], data["count"]) == (message.id, "person", 2)
    for secret in (b"secret.test", b"saimaa", b"Calibration"):  # ids and times, no text of mail
        assert secret not in body
    (entry,) = log_of(aino, made.card.id)
    assert (entry.state, entry.status, entry.tries, entry.message_id) == ("delivered", 204, 1, message.id)


def test_only_what_was_asked_for_and_only_of_mail_one_may_see(receiver: Receiver) -> None:
    """M24, M25: a colleague's webhook is told of shared linked mail, never of private mail, administrators included."""
    aino, bo, admin = a_user("Aino"), a_user("Bo"), a_user("Root", admin=True)
    private = a_sent(aino)
    hooks = {who.user_id: webhooks.create_webhook(who, receiver.url, ALL[:1]).card.id for who in (aino, bo, admin)}
    happens(private)
    happens(private, "clicked")
    assert [len(log_of(who, hooks[who.user_id])) for who in (aino, bo, admin)] == [1, 0, 0]
    threads.set_message_visibility(aino, private.id or 0, "shared")
    link.link_thread(aino, private.thread_id, deal_id=a_deal(bo).card.id)
    happens(private)
    assert len(log_of(bo, hooks[bo.user_id])) == 1
    threads.set_message_visibility(aino, private.id or 0, "private")
    deliver.deliver_due()
    assert len(receiver.got) == 2  # Aino’s; what waited for the others is not sent any more
    assert {each.error_code for each in log_of(bo, hooks[bo.user_id])} == {"webhook.not_visible"}


def test_a_failure_is_tried_again_ever_later_and_then_given_up(receiver: Receiver) -> None:
    aino = a_user("Aino")
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    happens(a_sent(aino))
    receiver.status = 500
    waits: list[timedelta] = []
    for _ in range(len(deliver.WAITS) + 3):
        deliver.deliver_due()
        (entry,) = log_of(aino, hook)
        if entry.next_try_at is not None:
            waits.append(entry.next_try_at - utcnow())
        later()
    assert len(receiver.got) == 7
    assert [round(wait / each, 1) for wait, each in zip(waits, deliver.WAITS, strict=True)] == [1.0] * 6
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert (entry.state, entry.status, entry.error_code) == ("failed", 500, "webhook.status")
    receiver.status = 200
    webhooks.retry_delivery(aino, hook, entry.id)
    deliver.deliver_due()
    assert log_of(aino, hook)[0].state == "delivered"


def test_a_dead_one_is_switched_off_and_its_user_told(receiver: Receiver) -> None:
    aino = a_user("Aino")
    message = a_sent(aino)
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    receiver.status = 503
    for _ in range(deliver.OFF_AFTER + 2):
        happens(message)
    for _ in range(400):
        later()
        if not deliver.deliver_due():
            break
    view = webhooks.get_webhook(aino, hook)
    assert (view.active, view.failures) == (False, deliver.OFF_AFTER)
    assert {each.error_code for each in log_of(aino, hook)} == {"webhook.status", "webhook.off"}
    (note,) = notifications.list_notifications(aino)
    assert (note.kind, note.title) == ("info", receiver.url)
    happens(message)
    assert len(log_of(aino, hook)) == deliver.OFF_AFTER + 2
    assert webhooks.change_webhook(aino, hook, active=True).failures == 0


def test_gone_is_gone(receiver: Receiver) -> None:
    """410: the receiver says that it will never want it."""
    aino = a_user("Aino")
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    receiver.status = 410
    happens(a_sent(aino))
    deliver.deliver_due()
    assert webhooks.get_webhook(aino, hook).active is False


def test_one_failing_webhook_does_not_hold_up_another(receiver: Receiver) -> None:
    aino = a_user("Aino")
    message = a_sent(aino)
    dead = webhooks.create_webhook(aino, "http://127.0.0.1:9/", ALL).card.id
    good = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    for _ in range(3):
        happens(message)
    deliver.deliver_due()
    assert [each.state for each in log_of(aino, good)] == ["delivered"] * 3
    assert sorted(each.tries for each in log_of(aino, dead)) == [0, 0, 1]


def test_one_slow_user_does_not_hold_up_another(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that answer, but slowly: their user's time is up, and the others' deliveries come by turns."""
    aino, bo = a_user("Aino"), a_user("Bo")
    slow = [webhooks.create_webhook(aino, f"{receiver.url}?slow", ALL).card.id for _ in range(4)]
    quick = webhooks.create_webhook(bo, receiver.url, ALL).card.id
    ours, theirs = a_sent(aino), a_sent(bo)
    for _ in range(3):
        happens(ours)
    happens(theirs)
    clock = [0.0]
    real = deliver.attempt

    def attempt(delivery_id: int) -> bool:
        with reading() as session:
            clock[0] += 14.0 if session.get_one(WebhookDelivery, delivery_id).webhook_id in slow else 0.1
        return real(delivery_id)

    monkeypatch.setattr(deliver, "attempt", attempt)
    monkeypatch.setattr(deliver.time, "monotonic", lambda: clock[0])
    deliver.deliver_due(limit=3)
    assert [each.state for each in log_of(bo, quick)] == ["delivered"]
    assert deliver.deliver_due() == 2


def test_two_workers_send_once(receiver: Receiver) -> None:
    aino = a_user("Aino")
    message = a_sent(aino)
    webhooks.create_webhook(aino, receiver.url, ALL)
    for _ in range(5):
        happens(message)
    workers = [threading.Thread(target=deliver.deliver_due) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got) == 5


def test_redirects_are_not_followed_and_answers_are_not_read_to_the_end(receiver: Receiver) -> None:
    aino = a_user("Aino")
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    receiver.status, receiver.location = 307, "http://127.0.0.1:9/elsewhere"
    assert webhooks.test_webhook(aino, hook).error_code == "webhook.redirect"
    assert len(receiver.got) == 1
    receiver.status, receiver.location, receiver.body = 200, "", b"x" * 5_000_000
    assert webhooks.test_webhook(aino, hook).state == "delivered"
    assert webhooks.get_webhook(aino, hook).failures == 0


def test_a_secret_is_shown_once_and_sealed(receiver: Receiver) -> None:
    """B15: the row holds no secret in the clear; a new one takes the old one's place."""
    aino = a_user("Aino")
    made = webhooks.create_webhook(aino, receiver.url, ALL)
    assert not hasattr(webhooks.get_webhook(aino, made.card.id), "secret")
    with reading() as session:
        box = session.exec(select(Webhook.secret)).one()
    assert base64.b64decode(made.secret.removeprefix("whsec_")) not in box
    assert made.secret.encode() not in box
    assert webhooks.new_secret(aino, made.card.id).secret != made.secret


def test_nobody_elses_for_anybody(receiver: Receiver) -> None:
    aino, admin = a_user("Aino"), a_user("Root", admin=True)
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    happens(a_sent(aino))
    entry = log_of(aino, hook)[0].id
    other = webhooks.create_webhook(admin, receiver.url, ALL).card.id
    for verb in (
        lambda: webhooks.get_webhook(admin, hook),
        lambda: webhooks.change_webhook(admin, hook, active=False),
        lambda: webhooks.new_secret(admin, hook),
        lambda: webhooks.delete_webhook(admin, hook),
        lambda: webhooks.test_webhook(admin, hook),
        lambda: webhooks.page_of_deliveries(admin, hook),
        lambda: webhooks.retry_delivery(admin, hook, entry),
        lambda: webhooks.retry_delivery(admin, other, entry),
    ):
        with pytest.raises(NotFound):
            verb()
    assert [each.id for each in webhooks.list_webhooks(admin)] == [other]
    webhooks.delete_webhook(aino, hook)
    assert webhooks.list_webhooks(aino) == ()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://x.test/", "webhook.url"),
        ("javascript:alert(1)", "webhook.url"),
        ("https://", "webhook.url"),
        ("https://user:pass@x.test/", "webhook.url"),
        ("https://x.test:99999/", "webhook.url"),
        ("https://x.test/\r\nHost: y", "webhook.url"),
        ("https://x.test/" + "a" * 2000, "webhook.url"),
        ("http://x.test/", "webhook.https"),
        ("https://127.0.0.1/", "webhook.private"),
        ("https://[::1]/", "webhook.private"),
        ("https://169.254.169.254/latest/meta-data", "webhook.private"),
        ("https://10.0.0.1/", "webhook.private"),
        ("https://[::ffff:192.168.1.1]/", "webhook.private"),
    ],
)
def test_addresses_that_nobody_may_give(sqlite_db: object, url: str, code: str) -> None:
    """Threat 6: not this machine, not its network, no other scheme."""
    with pytest.raises(UserError) as caught:
        webhooks.create_webhook(a_user("Aino"), url, ALL)
    assert caught.value.code == code


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "ip6-localhost"])
def test_names_that_lead_inside_are_refused_at_the_socket(host: str) -> None:
    """Threat 6: whatever the name says, it is the address that counts; port and timing tell nothing."""
    with pytest.raises((PermanentError, TransientError)) as caught:
        post.post(post.Target(True, host, 9, "/"), b"{}", {}, allow_private=False)
    assert caught.value.code in ("webhook.private", "server.private", "server.unknown_host")


def test_a_server_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte a while keeps every single read within its time, and the whole without end."""
    monkeypatch.setattr(post, "TOTAL_S", 1.0)
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        try:
            while not done.wait(0.1):
                connection.sendall(b"H")
        except OSError:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    with pytest.raises(TransientError):
        post.post(post.Target(False, "127.0.0.1", listener.getsockname()[1], "/"), b"{}", {}, allow_private=True)
    done.set()
    thread.join(5)
    listener.close()


def test_too_many(receiver: Receiver) -> None:
    aino = a_user("Aino")
    for _ in range(webhooks.MOST):
        webhooks.create_webhook(aino, receiver.url, ALL)
    with pytest.raises(UserError):
        webhooks.create_webhook(aino, receiver.url, ALL)


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("kinds", [(), ("message.read",), ("webhook.test",)])
def test_events_that_there_are_not(kinds: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        webhooks.create_webhook(a_user("Aino"), "https://x.test/", kinds)


def test_the_log_is_forgotten_after_a_month(receiver: Receiver) -> None:
    aino = a_user("Aino")
    hook = webhooks.create_webhook(aino, receiver.url, ALL).card.id
    webhooks.test_webhook(aino, hook)
    happens(a_sent(aino))
    with transaction() as session:
        session.exec(update(WebhookDelivery).values(created_at=utcnow() - timedelta(days=31)))  # type: ignore[call-overload]
    deliver.forget_old()
    assert [each.state for each in log_of(aino, hook)] == ["queued"]
