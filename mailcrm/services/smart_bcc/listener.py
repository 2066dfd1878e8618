"""The process that listens for Smart Bcc mail where MAILCRM_BCC_LISTEN says: `mailcrm serve` keeps it running.

    listening ──▶ a connection (session.py) ──▶ the message on the disk ──▶ the worker
        └─ SIGTERM: no new connection; those that are open have a few seconds

Does not decide what becomes of a message (intake.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl

import structlog

from mailcrm.config import BccSettings, config
from mailcrm.errors import ConfigError
from mailcrm.services import db
from mailcrm.services.smart_bcc.accept import MOST_BYTES
from mailcrm.services.smart_bcc.session import IDLE_S, Gate, LmtpConnection, SmtpConnection

STOP_S = 5.0

log = structlog.get_logger()


def run() -> None:
    """Listen until SIGTERM or SIGINT. Raises ConfigError when the address can't be listened on."""
    db.check_not_newer()
    asyncio.run(_run(config().bcc))
    os._exit(0)  # a thread that writes has committed or never will


def check(settings: BccSettings) -> None:
    """Raise ConfigError unless the address can be listened on and the certificate be read."""
    tls_context(settings)
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        shown = f"{settings.host}:{settings.port}"
        why = (error.strerror or str(error)).lower()
        raise ConfigError("config.invalid", name="MAILCRM_BCC_LISTEN", value=shown, why=why) from error


def tls_context(settings: BccSettings) -> ssl.SSLContext | None:
    """Return the context for STARTTLS, None without a certificate."""
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate, settings.key or None)
    except (OSError, ssl.SSLError) as error:
        why = "it must hold a certificate in PEM form and its key"
        raise ConfigError("config.invalid", name="MAILCRM_BCC_CERT", value=settings.certificate, why=why) from error
    return context


async def listen(settings: BccSettings) -> asyncio.Server:
    """Start listening; the caller closes what it gets."""
    loop = asyncio.get_running_loop()
    gate = Gate(settings.domain, settings.protocol)
    make = LmtpConnection if settings.protocol == "lmtp" else SmtpConnection
    context = tls_context(settings)

    def connection() -> asyncio.Protocol:
        return make(
            gate, loop=loop, hostname=settings.domain, ident="ESMTP", data_size_limit=MOST_BYTES, timeout=IDLE_S,
            enable_SMTPUTF8=True, decode_data=False, tls_context=context,
        )  # fmt: skip

    return await loop.create_server(connection, settings.host, settings.port, reuse_address=True)


async def _run(settings: BccSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await listen(settings)
    log.info("smart bcc listens", host=settings.host, port=settings.port, protocol=settings.protocol)
    await stop.wait()
    server.close()
    waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if waiting:
        await asyncio.wait(waiting, timeout=STOP_S)
