"""The demo's mail servers: pymap for IMAP and aiosmtpd for SMTP, on loopback, in a process of their own.

What SMTP takes is appended to the recipients' INBOX over IMAP when they are demo mailboxes, and is dropped otherwise:
nothing leaves this machine. Not for anything but the demo.
"""

from __future__ import annotations

# pyright: reportPrivateUsage=false, reportMissingTypeStubs=false
# One method of pymap's Message is replaced (see _load_content), which needs its private names.
import asyncio
import hmac
import signal
from argparse import Namespace
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from imapclient import IMAPClient
from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.maildir import Config, FilterSet, Identity
from pymap.backend.maildir import Session as MaildirSession
from pymap.backend.maildir.mailbox import LoadedMessage, MailboxSet, Message
from pymap.concurrent import Subsystem
from pymap.exceptions import InvalidAuth
from pymap.imap import IMAPServer
from pymap.interfaces.login import LoginInterface
from pymap.mime import MessageContent
from pymap.parsing.specials import FetchRequirement
from pymap.token import AllTokens
from pymap.user import UserMetadata
from pysasl.identity import ClearIdentity
from sqlalchemy import update
from sqlmodel import col, select

from mailcrm.models import Mailbox, utcnow
from mailcrm.services.db import transaction
from mailcrm.services.demo import store, tracking
from mailcrm.services.jobs import queue

MOST_BYTES = 50 * 1024 * 1024
THREADS = 4
HISTORY_TRIES = 600  # seconds that the first sync may take

log = structlog.get_logger()


def run() -> None:
    """Serve until SIGTERM. Takes other ports, in the mailboxes' rows too, when the remembered ones are in use."""
    facts = store.load()
    asyncio.run(_serve(facts))


async def _serve(facts: store.ServerFacts) -> None:
    Message.load_content = _load_content  # type: ignore[method-assign]
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    imap, smtp = _imap(facts), _smtp(facts)
    ports: list[int] = []
    servers: list[asyncio.Server] = []
    for handler, port in ((imap, facts.imap_port), (smtp, facts.smtp_port)):
        try:
            server = await handler(port)
        except OSError:
            server = await handler(0)
        servers.append(server)
        ports.append(server.sockets[0].getsockname()[1])
    if ports != [facts.imap_port, facts.smtp_port]:
        facts.imap_port, facts.smtp_port = ports
        store.save(facts)
    await asyncio.to_thread(_tell_mailboxes, facts)
    log.info("demo mail servers started", imap_port=facts.imap_port, smtp_port=facts.smtp_port)
    history = asyncio.create_task(_history())
    await done.wait()
    history.cancel()
    for server in servers:
        server.close()


async def _history() -> None:
    """Lay the tracking history once the mail has been synced; give up quietly when it never is."""
    for _try in range(HISTORY_TRIES):
        await asyncio.sleep(1)
        if await asyncio.to_thread(tracking.lay):
            return


def _tell_mailboxes(facts: store.ServerFacts) -> None:
    """Give the mailboxes the ports and have them synced now: a first try may have come before we listened."""
    mine = (col(Mailbox.address).in_(facts.addresses), col(Mailbox.imap_host) == store.HOST)
    ports = {"imap_port": facts.imap_port, "smtp_port": facts.smtp_port}
    with transaction() as session:
        session.exec(update(Mailbox).where(*mine).values(**ports, sync_requested_at=utcnow(), next_try_at=None))
        ids = session.exec(select(Mailbox.id).where(*mine)).all()
    for mailbox_id in (each for each in ids if each is not None):
        queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def _imap(facts: store.ServerFacts) -> Any:
    config = Config(
        Namespace(debug=False, passlib_cfg=None, proxy_protocol=None),
        base_dir=str(store.folder()),
        layout="++",  # Maildir++: folders lie beside each other, as in Dovecot
        colon=None,
        host=store.HOST,
        port=facts.imap_port,
        tls_enabled=False,  # loopback only
        secure_auth=False,
        reject_dnsbl=False,
        subsystem=Subsystem.for_executor(ThreadPoolExecutor(THREADS)),
    )
    config.apply_context()
    answer = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(IMAPServer(_Login(config, facts), config))

    async def listen(port: int) -> asyncio.Server:
        return await asyncio.start_server(answer, host=store.HOST, port=port)

    return listen


class _Identity(Identity):
    """A user of server.json; pymap's own user files are not needed."""

    @asynccontextmanager
    async def new_session(self) -> AsyncGenerator[MaildirSession]:
        found, layout = self._load_maildir(self.name)
        yield MaildirSession(self.name, self.config, MailboxSet(found, layout), FilterSet(layout.path))

    async def get(self) -> UserMetadata:
        return UserMetadata(self.config, self.name)


class _Login(LoginInterface):
    """Checks the password of server.json."""

    def __init__(self, config: Config, facts: store.ServerFacts) -> None:
        self.config = config
        self.facts = facts
        self._tokens = AllTokens(config)

    @property
    def tokens(self) -> AllTokens:
        return self._tokens

    async def authenticate(self, credentials: Any) -> _Identity:
        name = credentials.authcid
        known = name in self.facts.addresses
        if not credentials.verify(ClearIdentity(name, self.facts.password)) or not known:
            raise InvalidAuth
        return _Identity(self.config, self.tokens, name, None, set())

    async def authorize(self, authenticated: Any, authzid: str) -> _Identity:
        if authenticated.name != authzid:
            raise InvalidAuth
        return authenticated


async def _load_content(self: Message, requirement: FetchRequirement) -> LoadedMessage:
    """Give a message out byte for byte, with CRLF.

    pymap 0.36 writes it anew through `email.message`, with bare LF, which RFC 3501 section 2.2 forbids.
    """
    if self._key is None or self._maildir is None or requirement.has_none(FetchRequirement.CONTENT):
        return LoadedMessage(self, requirement, None)
    try:
        with self._maildir.get_file(self._key) as handle:
            raw = handle.read()
    except (KeyError, FileNotFoundError):
        return LoadedMessage(self, requirement, None)
    crlf = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return LoadedMessage(self, requirement, MessageContent.parse(crlf))


def _smtp(facts: store.ServerFacts) -> Any:
    def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        fits = (
            isinstance(given, LoginPassword)
            and given.login.decode(errors="replace") in facts.addresses
            and hmac.compare_digest(given.password, facts.password.encode())
        )
        return AuthResult(success=fits, handled=False)

    def make() -> SMTP:
        return SMTP(
            _Handler(facts),
            hostname="demo.tidewater.example",
            data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True,
            authenticator=check,
            auth_required=True,
            auth_require_tls=False,  # loopback only
        )

    async def listen(port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(make, host=store.HOST, port=port)

    return listen


class _Handler:
    """Delivers to the demo's mailboxes."""

    def __init__(self, facts: store.ServerFacts) -> None:
        self.facts = facts

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        for address in {recipient.lower() for recipient in envelope.rcpt_tos}:
            if address in self.facts.addresses:
                await asyncio.to_thread(self._append, address, raw)
        return "250 2.0.0 Taken by the demo; it stays on this machine"

    def _append(self, address: str, raw: bytes) -> None:
        with IMAPClient(store.HOST, self.facts.imap_port, ssl=False, timeout=10) as client:
            client.login(address, self.facts.password)
            client.append("INBOX", raw)  # pyright: ignore[reportUnknownMemberType]
