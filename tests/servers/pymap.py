"""pymap with its backend in memory, in a thread of the test's own process: OBJECTID and MOVE, no CONDSTORE."""

from __future__ import annotations

import asyncio
import threading
from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, Identity, Login
from pymap.concurrent import Subsystem
from pymap.exceptions import InvalidAuth
from pymap.imap import IMAPServer
from pymap.user import UserMetadata
from pysasl.identity import ClearIdentity

from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.other_program import OtherProgram


class _Login(Login):
    """Knows the test server's users; their passwords are kept in clear."""

    passwords: dict[str, str]

    async def authenticate(self, credentials: Any) -> Identity:
        name = credentials.authcid
        if not credentials.verify(ClearIdentity(name, self.passwords.get(name, "\0"))):
            raise InvalidAuth
        return Identity(name, self, None, set())


class PymapServer:
    """pymap on a loopback port; `start`, then `add_user` and `deliver` at any time."""

    name = "pymap"
    host = "localhost"
    prefix = ""

    def __init__(self) -> None:
        self.plain_port = 0
        self.passwords: dict[str, str] = {}
        self._login: _Login | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen; returns when the port answers."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)

    async def _listen(self) -> None:
        config = Config(
            Namespace(debug=False, passlib_cfg=None, proxy_protocol=None),
            demo_data=False,
            demo_user="",
            demo_password="",
            host="127.0.0.1",
            port=0,
            tls_enabled=False,
            secure_auth=False,
            reject_dnsbl=False,
            subsystem=Subsystem.for_asyncio(),
        )
        config.apply_context()
        self._login = _Login(config)
        self._login.passwords = self.passwords
        answer = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(IMAPServer(self._login, config))
        self._server = await asyncio.start_server(answer, host="127.0.0.1", port=0)
        self.plain_port = int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Close every connection and end the thread."""

        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def spec(self, name: str, security: Security = "none") -> ServerSpec:
        """Return how to reach this server as the user `name`; there is no TLS here."""
        assert security == "none"
        return ServerSpec(self.host, self.plain_port, security, name)

    def add_user(self, name: str, password: str = "secret") -> None:
        """Add a user with an INBOX and the usual folders."""
        assert self._login is not None
        self.passwords[name] = password
        self._login.users_dict[name] = UserMetadata(self._login.config, name)
        with OtherProgram(self, name) as program:
            for folder in ("Sent", "Drafts", "Trash", "Junk", "Archive"):
                program.create(folder)

    def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = (), when: datetime | None = None
    ) -> None:
        """Put one message into a folder; `when` is its INTERNALDATE."""
        with OtherProgram(self, user) as program:
            program.append(raw, folder, flags, when)
