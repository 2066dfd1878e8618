"""Threats 2 and 6: the fetch of a remote image, against a server that plays every trick, on the wire.

The server listens on this machine, where the guard never goes: tests bring a way out whose `open` leads there. The
guard itself is asked with the real one, and the sockets of the process are watched (`sys.addaudithook`).
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.remote_images.fetch import AGENT, Fetched, NotFetched, Way
from tests.connections import watching

PNG = (
    b"\x89PNG\r\n\x1a\n"
    + (b"\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0) + b"\0\0\0\0")
    + b"\0\0\0\0IEND\xaeB`\x82"
)


def png(width: int, height: int) -> bytes:
    return PNG[:16] + struct.pack(">II", width, height) + PNG[24:]


def answer(body: bytes, *head: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *head]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Server:
    """Answers each path with bytes, or with what a function does to the connection; keeps what it was sent."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked: list[bytes] = []
        self.pages: dict[str, bytes | Callable[[socket.socket], None]] = {}
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            got = b""
            while b"\r\n\r\n" not in got:
                got += sock.recv(4096) or b"\r\n\r\n"
            self.asked.append(got)
            page = self.pages.get(got.split(b" ")[1].decode(), answer(b"", status="404 Not Found"))
            if callable(page):
                page(sock)
            else:
                sock.sendall(page)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.listener.close()


@pytest.fixture
def way(server: Server) -> Way:
    def there(_host: str, _port: int, timeout: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)

    return Way(open=there, total_s=2.0, most_bytes=100_000)


def test_an_image_comes_and_nothing_of_the_reader_goes(server: Server, way: Way) -> None:
    """Threat 2: no cookie, no referrer, one user agent for everybody, nothing else."""
    server.pages["/a.png?x=1"] = answer(PNG, "Content-Type: text/html", "Set-Cookie: id=1")
    assert way.fetch("http://pictures.test/a.png?x=1") == Fetched("image/png", PNG)
    names = [line.partition(b":")[0].decode() for line in server.asked[0].split(b"\r\n")[1:] if line]
    assert names == ["Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"]
    assert AGENT.encode() in server.asked[0]
    assert b"Host: pictures.test\r\n" in server.asked[0]


def test_redirects_are_followed_without_cookies_and_end(server: Server, way: Way) -> None:
    server.pages["/1"] = answer(b"", "Location: /2", "Set-Cookie: id=1", status="302 Found")
    server.pages["/2"] = answer(b"", "Location: http://other.test/3", status="308 Permanent Redirect")
    server.pages["/3"] = answer(PNG)
    server.pages["/loop"] = answer(b"", "Location: /loop", status="301 Moved")
    assert way.fetch("http://pictures.test/1").content == PNG
    assert b"Host: other.test" in server.asked[2]
    assert not any(b"cookie" in each.lower() for each in server.asked)
    with pytest.raises(NotFetched):
        way.fetch("http://pictures.test/loop")
    assert len(server.asked) == 3 + 5


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
REFUSED = {
    "svg": answer(SVG, "Content-Type: image/svg+xml"),
    "svg that says png": answer(SVG, "Content-Type: image/png"),
    "html": answer(b"<html><script>alert(1)</script></html>", "Content-Type: image/png"),
    "nothing": answer(b""),
    "not found": answer(PNG, status="404 Not Found"),
    "error": answer(PNG, status="500 Error"),
    "too many pixels": answer(png(10_000, 10_000)),
    "too wide": answer(png(60_000, 1)),
    "no width": answer(png(0, 10)),
    "larger than it may be": answer(PNG + b"x" * 200_000),
    "larger than it says": b"HTTP/1.1 200 OK\r\n\r\n" + PNG + b"x" * 200_000,
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + PNG,
    "packed": answer(gzip.compress(PNG), "Content-Encoding: gzip"),
    "a bomb": answer(zlib.compress(b"\0" * 50_000_000), "Content-Encoding: deflate"),
    "no http": b"SSH-2.0-OpenSSH\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
    "redirect to a file": answer(b"", "Location: file:///etc/passwd", status="302 Found"),
    "redirect with a name": answer(b"", "Location: http://a:b@other.test/", status="302 Found"),
    "redirect to a port": answer(b"", "Location: http://other.test:22/", status="302 Found"),
    "redirect to nothing": answer(b"", status="302 Found"),
    "redirect to data": answer(b"", "Location: data:image/png;base64,AAAA", status="302 Found"),
}


@pytest.mark.parametrize("trick", REFUSED)
def test_what_is_no_image_is_refused(server: Server, way: Way, trick: str) -> None:
    """Threat 6: judged by its bytes; one error for everything, so that nobody learns what is there."""
    server.pages["/a"] = REFUSED[trick]
    with pytest.raises(NotFetched) as refused:
        way.fetch("http://pictures.test/a")
    assert (refused.value.code, refused.value.params) == ("images.not_fetched", NotFetched().params)


def _drips(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + PNG[:20])
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)


def _drips_its_header(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"X")
            time.sleep(0.05)


@pytest.mark.parametrize("slow", [_drips, _drips_its_header])
def test_a_server_that_drips_is_cut_off(server: Server, way: Way, slow: Callable[[socket.socket], None]) -> None:
    server.pages["/a"] = slow
    with pytest.raises(NotFetched):  # without a limit of the whole this would not end
        Way(open=way.open, total_s=0.5).fetch("http://pictures.test/a")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.test/a", "file:///etc/passwd", "http://u:p@x.test/", "http://x.test:22/", "http://x.test:6379/",
        "https://x.test:25/", "//x.test/a", "gopher://x.test", "http://", "", "http://x.test:99999/", "http://%0d%0a/",
        "http://[::1/", "http://x.test\\@y.test/",
    ],
)  # fmt: skip
def test_addresses_that_are_not_asked(url: str) -> None:
    with watching() as seen, pytest.raises(NotFetched):
        Way().fetch(url)
    assert seen.connections == []


@pytest.mark.parametrize(
    "ip",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1",  # noqa: S104
     "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"],
)  # fmt: skip
def test_private_addresses_are_never_asked(ip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever MAILCRM_ALLOW_PRIVATE_HOSTS says: that is about mail servers."""
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", (ip, 80))])
    with watching() as seen, pytest.raises(NotFetched):
        Way().fetch("http://inside.test/a.png")
    assert seen.connections == []


def test_each_hop_is_vetted_and_the_vetted_address_connected_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat 6: a redirect into the network, and a name that answers differently the second time."""
    answers = {
        "outside.test": ["93.184.216.34"],
        "inside.test": ["10.0.0.1"],
        "rebound.test": ["93.184.216.34", "10.0.0.1"],
    }
    asked: list[str] = []

    def resolve(host: str, *_a: object, **_k: object) -> list[object]:
        asked.append(host)
        several = answers[host]
        return [(2, 1, 6, "", (several.pop(0) if len(several) > 1 else several[0], 80))]

    connected: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address[0])
        sock = socket.socket()
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", server.port))
        return sock

    server.pages["/a"] = answer(b"", "Location: http://inside.test/", status="302 Found")
    server.pages["/b"] = answer(PNG)
    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(hosts.socket, "create_connection", connect)
    with pytest.raises(NotFetched):
        Way().fetch("http://outside.test/a")
    assert (asked, connected) == (["outside.test", "inside.test"], ["93.184.216.34"])
    assert Way().fetch("http://rebound.test/b").content == PNG
    assert asked[2:] == ["rebound.test"], "resolved once: there is no second answer to be rebound by"
    assert connected[1:] == ["93.184.216.34"]
