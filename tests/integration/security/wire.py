"""A browser tab without a browser: socket.io frames over a websocket, as any program can send them (reflex.md §7).

Knows the frames, no page. `Tab.call` sends an event and returns everything that came until the tab's queue was empty
again, because events of one tab are handled in order.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import simple_websocket

STATE = "reflex___state____state"
PATIENCE_S = 30.0  # a bound on a broken server, never waited for otherwise


def full_name(name: str) -> str:
    """Return the wire name of "inbox.inbox_state.refresh"."""
    module, state, handler = name.split(".")
    return f"{STATE}.mailcrm___state___{module}____{state}.{handler}"


class Refused(Exception):
    """The server closed the socket instead of opening it."""


class Tab:
    """One socket; `frames` keeps every text that the server sent."""

    def __init__(self, url: str, *, cookie: str = "", token: str = "", origin: str | None = "", path: str = "/inbox",
        boot: bool = False,
    ):  # fmt: skip
        """`boot` sends the first event along with the connection, as our pages do at every one (state.js: bootAuth)."""
        self.token = token or f"tab-{secrets.token_hex(8)}"
        self.path = path
        self.frames: list[str] = []
        headers = {"Cookie": cookie} if cookie else {}
        if origin is not None:
            headers["Origin"] = origin or url
        address = f"{url.replace('http', 'ws', 1)}/_event/?EIO=4&transport=websocket&token={self.token}"
        try:
            self.socket = simple_websocket.Client(address, headers=headers, max_message_size=20_000_000)  # pyright: ignore[reportArgumentType]
            # Not after the open packet: when that comes with the handshake, the library hands it over only with the
            # next one, and that would be the ping, 25 s later.
            first = {"event": self._event(f"{STATE}.hydrate_and_load", {}, "", {})} if boot else {}
            self.socket.send("40/_event," + json.dumps(first))
            self._until(lambda text: text.startswith("40/_event"))
        except (simple_websocket.ConnectionError, simple_websocket.ConnectionClosed) as error:
            raise Refused from error
        self._marks = 0

    def send(self, name: str, payload: dict[str, Any] | None = None, *, path: str = "", **query: str) -> None:
        """Send one event; `name` as in `full_name`, or whole."""
        whole = name if name.startswith((STATE, "!")) else full_name(name)
        self.raw("42/_event," + json.dumps(["event", self._event(whole, payload or {}, path, query)]))

    def _event(self, whole: str, payload: dict[str, Any], path: str, query: dict[str, str]) -> dict[str, Any]:
        return {
            "name": whole.removeprefix("!"),
            "payload": payload,
            "token": self.token,
            "router_data": {"pathname": path or self.path, "asPath": path or self.path, "query": query},
        }

    def raw(self, text: str) -> None:
        """Send a frame as it is."""
        self.socket.send(text)

    def call(self, name: str, payload: dict[str, Any] | None = None, *, path: str = "", **query: str) -> list[str]:
        """Send one event and return the frames until the tab's queue is empty."""
        start = len(self.frames)
        self.send(name, payload, path=path, **query)
        self.settle()
        return self.frames[start:]

    def settle(self) -> None:
        """Wait until every event before this call was handled: a public event of ours comes after them."""
        for language in ("ja", "en"):
            self.send("welcome.welcome_state.set_language", {"language": language})
            self._until(lambda text, want=language: f'"language_rx_state_":"{want}"' in text.replace(" ", ""))

    def text(self) -> str:
        """Everything the server sent on this socket."""
        return "\n".join(self.frames)

    def hear(self, wanted: str, start: int = 0, *, whole: bool = False) -> None:
        """Wait until a text came by itself, in the frames from `start` on; `whole`: as a frame of its own."""

        def fits(text: str) -> bool:
            return text == wanted if whole else wanted in text

        if not any(map(fits, self.frames[start:])):
            self._until(fits)

    def is_hung_up(self) -> bool:
        """Wait for the server to end the connection, its last word; False when something follows it."""
        self.hear("1", whole=True)  # Engine.IO's "close"
        try:
            return self._take(0.5) is None
        except simple_websocket.ConnectionClosed:
            return True

    def listen(self, seconds: float) -> list[str]:
        """Return what comes by itself within a while."""
        start, ends = len(self.frames), time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._take(left)
        return self.frames[start:]

    def close(self) -> None:
        try:
            self.socket.close()
        except simple_websocket.ConnectionClosed:
            pass

    def _until(self, found: Any) -> None:
        ends = time.monotonic() + PATIENCE_S
        while (left := ends - time.monotonic()) > 0:
            text = self._take(left)
            if text is not None and found(text):
                return
        raise AssertionError(f"the server did not answer; the last frames: {self.frames[-3:]}")

    def _take(self, seconds: float) -> str | None:
        got = self.socket.receive(timeout=seconds)
        if got is None:
            return None
        text = got if isinstance(got, str) else bytes(got).decode("utf-8", "replace")
        if text == "2":
            self.socket.send("3")
            return None
        self.frames.append(text)
        return text
