"""One SMTP attempt against a real SMTP server: what was delivered, what surely wasn't, and what nobody knows."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailcrm.errors import DeliveryUnknown, MailcrmError, NeedsReconnect, PermanentError, TransientError, UserError
from mailcrm.services.mail.outbox.smtp import check_login, deliver
from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.certificates import Issuer
from tests.servers.proxy import RecordingProxy
from tests.servers.smtp_sink import SmtpSink

MESSAGE = b"From: ann@home.test\r\nTo: bob@away.test\r\nMessage-ID: <1@home.test>\r\nSubject: hi\r\n\r\nHello\r\n"


@pytest.fixture
def sink(smtp_sink: SmtpSink) -> SmtpSink:
    smtp_sink.add_user("ann", "secret")
    return smtp_sink


def send(sink: SmtpSink, *rcpt: str, message: bytes = MESSAGE, mail_from: str = "ann@home.test", **options: object):  # type: ignore[no-untyped-def]
    return deliver(
        sink.spec("ann"), "secret", mail_from=mail_from, rcpt_to=rcpt or ("bob@away.test",), message=message,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


def test_delivers_the_bytes_and_the_envelope(sink: SmtpSink) -> None:
    result = send(sink, "bob@away.test", "eve@away.test")
    assert result.accepted == ("bob@away.test", "eve@away.test")
    assert result.refused == {}
    (got,) = sink.messages
    assert (got.mail_from, got.rcpt_to, got.raw, got.user) == (
        "ann@home.test", ("bob@away.test", "eve@away.test"), MESSAGE, "ann",
    )  # fmt: skip


@pytest.mark.parametrize("implicit", [True, False])
def test_delivers_over_tls(tmp_path: Path, implicit: bool) -> None:
    issuer = Issuer(tmp_path)
    sink = SmtpSink(tls=issuer.server_context("localhost"), implicit=implicit)
    sink.add_user("ann")
    sink.start()
    security: Security = "ssl" if implicit else "starttls"
    try:
        deliver(
            sink.spec("ann", security), "secret", mail_from="ann@home.test", rcpt_to=["bob@away.test"],
            message=MESSAGE, context=issuer.client_context(),
        )  # fmt: skip
        assert len(sink.messages) == 1
        with pytest.raises(PermanentError) as caught:
            check_login(sink.spec("ann", security), "secret")
        assert caught.value.code == "server.certificate_untrusted"
    finally:
        sink.stop()


def test_no_starttls_means_no_password(sink: SmtpSink) -> None:
    """F14: a server (or a man in the middle) that hides STARTTLS gets nothing in clear."""
    with RecordingProxy(("127.0.0.1", sink.port)) as proxy:
        with pytest.raises(PermanentError) as caught:
            check_login(ServerSpec("localhost", proxy.port, "starttls", "ann"), "secret")
        assert caught.value.code == "server.no_starttls"
        assert b"AUTH" not in proxy.sent


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        (b"\n.\r\nMAIL FROM:<evil@x.test>\r\n", b"\r\n.\r\nMAIL FROM:<evil@x.test>\r\n"),
        (b"a\r.\rb", b"a\r\n.\r\nb\r\n"),
        (b".hidden\n..two\n", b".hidden\r\n..two\r\n"),
        (b"no line end", b"no line end\r\n"),
    ],
)
def test_no_body_can_smuggle_a_second_message(sink: SmtpSink, body: bytes, arrives: bytes) -> None:
    """Threat 16: bare CR, bare LF and dots arrive as one message."""
    send(sink, message=b"Subject: x\r\n\r\n" + body)
    (got,) = sink.messages
    assert got.raw == b"Subject: x\r\n\r\n" + arrives


@pytest.mark.parametrize(
    "evil", ["bob@x.test>\r\nRCPT TO:<eve@x.test", "b\0b@x.test", "a@x.test> SIZE=1", "a b@x.test"]
)
def test_addresses_cannot_hold_commands(sink: SmtpSink, evil: str) -> None:
    for arguments in ({"mail_from": evil}, {"rcpt": (evil,)}):
        with pytest.raises((UserError, PermanentError)):
            send(sink, *arguments.get("rcpt", ()), mail_from=str(arguments.get("mail_from", "ann@home.test")))
    assert sink.messages == []


def test_one_refused_recipient_leaves_the_others(sink: SmtpSink) -> None:
    """A8.4: reported for each recipient; the accepted ones have it."""
    sink.faults.reject_rcpt = {"gone@away.test": "550 5.1.1 no such user", "later@away.test": "450 4.2.1 greylisted"}
    result = send(sink, "bob@away.test", "gone@away.test", "later@away.test")
    assert result.accepted == ("bob@away.test",)
    assert {a: reply[0] for a, reply in result.refused.items()} == {"gone@away.test": 550, "later@away.test": 450}
    assert "no such user" in result.refused["gone@away.test"][1]


def _faults(**faults: object) -> Callable[[SmtpSink], None]:
    def apply(sink: SmtpSink) -> None:
        for name, value in faults.items():
            setattr(sink.faults, name, value)

    return apply


@pytest.mark.parametrize(
    ("break_it", "kind", "code"),
    [
        (_faults(on_mail="450 4.7.1 slow down"), TransientError, "smtp.deferred"),
        (_faults(on_mail="550 5.7.1 not yours"), PermanentError, "smtp.sender_refused"),
        (_faults(reject_rcpt={"bob@away.test": "550 no"}), PermanentError, "smtp.recipients_refused"),
        (_faults(reject_rcpt={"bob@away.test": "451 later"}), TransientError, "smtp.recipients_deferred"),
        (_faults(on_data="552 5.3.4 too big"), PermanentError, "smtp.refused"),
        (_faults(on_data="451 4.3.0 try later"), TransientError, "smtp.deferred"),
        (_faults(drop="before_data"), TransientError, "server.lost"),
        (_faults(drop="before_dot"), TransientError, "server.lost"),
        (_faults(auth="454 4.7.0 temporary"), TransientError, "smtp.deferred"),
        (_faults(auth="534 5.7.9 app password needed"), NeedsReconnect, "smtp.app_password"),
        (_faults(auth="535 5.7.8 bad"), NeedsReconnect, "smtp.wrong_password"),
    ],
)
def test_failures_before_the_dot_are_certain(
    sink: SmtpSink, break_it: Callable[[SmtpSink], None], kind: type[MailcrmError], code: str
) -> None:
    """A8.3: what fails before the final dot was not delivered, and may be tried again."""
    break_it(sink)
    # Larger than the socket's buffers, so that a connection cut before the dot is noticed before it.
    with pytest.raises(kind) as caught:
        send(sink, message=MESSAGE + b"x" * 76 * 400_000 if sink.faults.drop else MESSAGE)
    assert caught.value.code == code
    assert sink.messages == []


@pytest.mark.parametrize("fault", [{"drop": "after_dot"}, {"hang": "after_dot"}])
def test_a_break_after_the_dot_is_unknown(sink: SmtpSink, fault: dict[str, str]) -> None:
    """A8.3: the message did arrive, the answer did not: never reported as failed."""
    _faults(**fault)(sink)
    with pytest.raises(DeliveryUnknown):
        send(sink, data_timeout=1.0)
    assert len(sink.messages) == 1


def test_an_answer_to_the_dot_that_is_neither_yes_nor_no_is_unknown(sink: SmtpSink) -> None:
    """Any 2xx took the message, which must not be sent again; only 4xx and 5xx say that it was not taken."""
    sink.faults.on_data = "252 2.0.0 queued"
    assert send(sink).accepted == ("bob@away.test",)
    for answer in ("354 go on", "100 wait", "600 what"):
        sink.faults.on_data = answer
        with pytest.raises(DeliveryUnknown):
            send(sink)


def test_utf8_is_used_only_where_it_is_needed(sink: SmtpSink) -> None:
    """RFC 6531: a name in the domain becomes IDNA; only a local part beyond ASCII needs SMTPUTF8."""
    send(sink, "bob@bücher.test")
    send(sink, "böb@away.test")
    assert sink.messages[0].rcpt_to == ("bob@xn--bcher-kva.test",)
    assert not any("SMTPUTF8" in option for option in sink.messages[0].options)
    assert sink.messages[1].rcpt_to == ("böb@away.test",)
    assert "SMTPUTF8" in sink.messages[1].options


def test_a_server_that_hangs_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(TransientError) as caught:
            check_login(ServerSpec("localhost", listener.getsockname()[1], "none", "x"), "y", timeout=0.5)
    assert caught.value.code == "server.timeout"


def test_an_answer_without_an_end_is_a_broken_connection() -> None:
    """A hostile server talks on; neither the worker nor its memory follows."""
    sent = 0

    def talk(listener: socket.socket) -> None:
        nonlocal sent
        connection, _ = listener.accept()
        with connection:
            try:
                while sent < 3_000_000:  # ends a test that fails
                    connection.sendall(b"220-hello\r\n" * 1000)
                    sent += 1000
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=talk, args=(listener,))
        server.start()
        with pytest.raises(TransientError) as caught:
            check_login(ServerSpec("localhost", listener.getsockname()[1], "none", "x"), "y", timeout=5)
        server.join(20)
    assert caught.value.code == "server.lost"
    assert sent < 3_000_000


class Dripping:
    """A server that says what it should, but from some answer on byte by byte: never silent, and never done in time."""

    def __init__(self, from_answer: int) -> None:
        self.from_answer = from_answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.spec = ServerSpec("127.0.0.1", self.listener.getsockname()[1], "none", "")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self.listener, self.listener.accept()[0] as peer:
            lines = peer.makefile("rb")
            answers = [b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n"]
            for given, answer in enumerate(answers):
                if given >= self.from_answer:
                    for at in range(len(answer)):
                        peer.sendall(answer[at : at + 1])
                        time.sleep(0.25)
                else:
                    peer.sendall(answer)
                end = b".\r\n" if answer.startswith(b"354") else b""
                while (line := lines.readline()) and end and line != end:
                    pass


@pytest.mark.parametrize("from_answer", range(5))
def test_an_answer_that_drips_is_given_up_in_time(from_answer: int) -> None:
    """Each byte comes before the time-out, the answer as a whole does not: nothing was delivered."""
    server = Dripping(from_answer)
    with pytest.raises(TransientError):
        deliver(
            server.spec, "", mail_from="ann@home.test", rcpt_to=["bob@away.test"], message=MESSAGE,
            allow_private=True, timeout=1.0, data_timeout=1.0,
        )  # fmt: skip


def test_an_answer_to_the_dot_that_drips_is_unknown() -> None:
    server = Dripping(5)
    with pytest.raises(DeliveryUnknown):
        deliver(
            server.spec, "", mail_from="ann@home.test", rcpt_to=["bob@away.test"], message=MESSAGE,
            allow_private=True, timeout=1.0, data_timeout=1.0,
        )  # fmt: skip
