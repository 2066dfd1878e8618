"""The listener in a thread of the tests' own, where the settings of the test say."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from typing import Self

from mailcrm.config import config
from mailcrm.services.smart_bcc import listener
from tests.servers.dovecot import free_port


class Listener:
    """Listens on loopback while it is entered."""

    def __init__(self, protocol: str = "smtp", certificate: tuple[str, str] = ("", "")) -> None:
        self.port = free_port()
        self.settings = dataclasses.replace(
            config().bcc, protocol=protocol, host="127.0.0.1", port=self.port, certificate=certificate[0],
            key=certificate[1],
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(listener.listen(self.settings), self._loop).result(10)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
