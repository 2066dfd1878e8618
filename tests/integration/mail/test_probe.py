"""Issue 2, "Bad input": each wrong setting is one sentence that says what to do, from real servers."""

from __future__ import annotations

import dataclasses
import socket
import time

import pytest

from mailcrm.services.mail.providers.probe import ProbeResult, probe_mailbox
from mailcrm.services.mail.providers.values import ServerSpec
from tests.servers.dovecot import DovecotServer, free_port
from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.imap_misbehaving import MisbehavingImap, Peer
from tests.servers.smtp_sink import SmtpSink

STEP_S = 1.5


@pytest.fixture
def servers(dovecot: DovecotServer, smtp_sink: SmtpSink) -> tuple[DovecotServer, SmtpSink]:
    if "prober" not in dovecot.passwords:
        dovecot.add_user("prober")
    smtp_sink.add_user("prober")
    return dovecot, smtp_sink


def probe(servers: tuple[DovecotServer, SmtpSink], imap: ServerSpec, password: str = "secret") -> ProbeResult:
    dovecot, sink = servers
    return probe_mailbox(
        imap, password, sink.spec("prober"), "secret", step_s=STEP_S, context=dovecot.issuer.client_context()
    )


@pytest.mark.parametrize("security", ["none", "ssl", "starttls"])
def test_a_good_mailbox_passes_every_step(servers: tuple[DovecotServer, SmtpSink], security: str) -> None:
    result = probe(servers, servers[0].spec("prober", security))  # type: ignore[arg-type]
    assert result.ok, result.failure
    assert [step.name for step in result.steps] == [
        "imap_name", "imap_tcp", "imap_tls", "imap_sign_in", "imap_folders",
        "smtp_name", "smtp_tcp", "smtp_tls", "smtp_sign_in",
    ]  # fmt: skip
    assert {"inbox", "sent"} <= {folder.role for folder in result.folders}


@pytest.mark.parametrize(
    ("change", "step", "code"),
    [
        ({"host": "no-such-host.invalid"}, "imap_name", "server.unknown_host"),
        ({"host": "bad\0name"}, "imap_name", "server.unknown_host"),
        ({"port": "closed"}, "imap_tcp", "server.refused"),
        ({"port": "tls"}, "imap_tls", "server.plain_to_tls"),
        ({"port": "tls", "security": "starttls"}, "imap_tls", "server.plain_to_tls"),
        ({"security": "ssl"}, "imap_tls", "server.tls_to_plain"),
        ({"host": "127.0.0.1", "port": "tls", "security": "ssl"}, "imap_tls", "server.certificate_name"),
        ({"username": "nobody"}, "imap_sign_in", "imap.wrong_password"),
        ({"host": "10.1.2.3", "security": "ssl"}, "imap_name", "server.private"),
        ({"host": "169.254.169.254", "security": "ssl"}, "imap_name", "server.private"),
        ({"host": "8.8.8.8"}, "imap_name", "server.clear_text"),
        ({"port": "smtp"}, "imap_sign_in", "server.protocol"),
    ],
)
def test_each_wrong_setting_has_its_sentence(
    servers: tuple[DovecotServer, SmtpSink], change: dict[str, str], step: str, code: str
) -> None:
    dovecot, sink = servers
    ports = {"closed": free_port(), "tls": dovecot.tls_port, "smtp": sink.port}
    values: dict[str, object] = {**change}
    if "port" in change:
        values["port"] = ports[change["port"]]
    result = probe(servers, dataclasses.replace(dovecot.spec("prober"), **values))  # type: ignore[arg-type]
    assert result.failure is not None
    assert not result.ok
    assert (result.failure.name, result.failure.code) == (step, code)
    assert result.failure.sentence.endswith(".")
    assert result.steps[-1].name == "smtp_sign_in"
    assert result.steps[-1].ok


def test_untrusted_certificate(servers: tuple[DovecotServer, SmtpSink]) -> None:
    result = probe_mailbox(servers[0].spec("prober", "ssl"), "secret", None, step_s=STEP_S)
    assert result.failure is not None
    assert result.failure.code == "server.certificate_untrusted"


def _drip(peer: Peer) -> None:
    while True:
        peer.send(b"* ")
        time.sleep(0.1)


@pytest.mark.parametrize("script", [lambda peer: peer.sock.recv(1), _drip], ids=["silent", "drips"])
def test_a_server_that_hangs_is_given_up(servers: tuple[DovecotServer, SmtpSink], script: object) -> None:
    """A silent server, and one that sends a byte at a time for ever."""
    with MisbehavingImap(script) as server:  # type: ignore[arg-type]
        result = probe(servers, ServerSpec("localhost", server.port, "none", "prober"))
    assert result.failure is not None
    assert result.failure.code in ("server.timeout", "server.lost")


def test_smtp_failures_are_told_too(servers: tuple[DovecotServer, SmtpSink]) -> None:
    dovecot, sink = servers
    wrong = probe_mailbox(dovecot.spec("prober"), "secret", sink.spec("prober"), "no", step_s=STEP_S)
    assert [s.code for s in wrong.steps if not s.ok] == ["smtp.wrong_password"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = ServerSpec("localhost", listener.getsockname()[1], "none", "prober")
        hung = probe_mailbox(dovecot.spec("prober"), "secret", silent, "secret", step_s=STEP_S)
    assert [s.code for s in hung.steps if not s.ok] == ["server.timeout"]
    assert wrong.folders
    assert hung.folders


@pytest.mark.parametrize("at", [1, 2], ids=["greeting", "sign-in"])
def test_a_connection_dropped_once_is_tried_once_more(servers: tuple[DovecotServer, SmtpSink], at: int) -> None:
    """A busy server hangs up on one of several connections; after a provider's page nobody wants to begin again."""
    plain = servers[0].spec("prober")
    with FaultProxy((plain.host, plain.port), Fault("close", at, 0.0)) as proxy:
        result = probe(servers, ServerSpec("127.0.0.1", proxy.port, "none", "prober"))
    assert proxy.struck
    assert result.ok, result.failure
