"""A proxy that hides what the server offers, and cuts the connection before or after a command reached the server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from tests.servers.proxy import RecordingProxy


class TamperProxy(RecordingProxy):
    """`hide`: words of the CAPABILITY answer that the client shall not see. `cut_at`: (command, "before" | "after")."""

    sent: bytearray

    def __init__(self, target: tuple[str, int], hide: tuple[str, ...] = ()) -> None:
        self.hide = hide
        self.cut_at: tuple[bytes, str] | None = None
        self.on_cut: Callable[[], None] | None = None
        self.refuse: bytes | None = None
        self._deaf = False
        self.cuts = 0
        super().__init__(target)

    def _pump(self, source: socket.socket, sink: socket.socket, record: bool) -> None:
        try:
            while data := source.recv(65536):
                if record:
                    self.sent += data
                    if self.refuse and self.refuse in data:
                        tag = data.split(b" ", 1)[0]
                        source.sendall(tag + b" NO [CANNOT] Not today\r\n")
                        continue
                    if self.cut_at and self.cut_at[0] in data:
                        when = self.cut_at[1]
                        self.cut_at = None
                        self.cuts += 1
                        if when == "after":
                            self._deaf = True
                            sink.sendall(data)
                            time.sleep(0.4)  # the server does it; nobody hears of it
                        if self.on_cut is not None:
                            self.on_cut()
                        return
                else:
                    if self._deaf:
                        continue
                    for word in self.hide:
                        for before in (b" ", b"["):
                            data = data.replace(before + word.encode(), before + b"X" + word.encode()[1:])
                sink.sendall(data)
        except OSError:
            pass
        finally:
            self._deaf = False
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
