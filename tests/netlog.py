"""Chromium's own log of its network: every name it looks up and every address it begins a connection to.

Request interception does not see `<link rel=preconnect>` and some frames (security.md F8): a host that is only looked up
has told a sender enough. Pages are served from a real port of this machine; every other name leads to a closed one.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserType, Page

_URL = re.compile(r"^(?:https?|wss?)://")
#: What a browser without a profile does by itself, whatever page is open (seen with about:blank).
_OWN = re.compile(r"(?:^|\.)(?:google|googleapis|gstatic|googleusercontent|gvt1|chromium|chrome)\.(?:com|org)$|^wpad$")


class Pages:
    """A web server of this machine with the pages of a test: path -> (document, headers)."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, Mapping[str, str]]] = {}
        self.asked: list[str] = []
        pages, asked = self.pages, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802  http.server names it
                asked.append(self.path)
                document, headers = pages.get(self.path, ("", {}))
                self.send_response(200 if self.path in pages else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(document.encode("utf-8", "replace"))

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def show(self, path: str, document: str, headers: Mapping[str, str] | None = None) -> None:
        self.pages[path] = (document, {"Content-Type": "text/html; charset=utf-8", **(headers or {})})


class Logged:
    """A browser that logs; `hosts` are the foreign ones it turned to, known when the block has ended."""

    def __init__(self, page: Page, pages: Pages) -> None:
        self.page, self.pages = page, pages
        self.hosts: set[str] = set()


@contextlib.contextmanager
def logged(chromium: BrowserType, path: str, log: Path) -> Iterator[Logged]:
    """Open a page whose network is logged; the answers of `Logged.hosts` are there after the block."""
    pages = Pages()
    rules = "MAP * 127.0.0.1:9 , EXCLUDE 127.0.0.1"  # a closed port; what is mapped to nothing is not even begun
    flags = [
        "--no-sandbox", "--disable-gpu", "--disable-background-networking", f"--log-net-log={log}",
        "--net-log-capture-mode=IncludeSensitive", f"--host-resolver-rules={rules}",
    ]  # fmt: skip
    try:
        # A profile of its own on the disk: private windows, which Playwright's contexts are, never preconnect.
        context = chromium.launch_persistent_context(log.with_suffix(".profile"), executable_path=path, args=flags)
        made = Logged(context.new_page(), pages)
        try:
            yield made
        finally:
            context.close()
        made.hosts = _foreign(log)
    finally:
        pages.server.shutdown()
        pages.server.server_close()


def _foreign(log: Path) -> set[str]:
    text = log.read_text("utf-8", "replace").rstrip().rstrip(",")
    try:
        events = json.loads(text)["events"]
    except json.JSONDecodeError:  # a browser that was ended while it wrote
        events = json.loads(text + "]}")["events"]
    found: set[str] = set()
    for event in events:
        for name, value in (event.get("params") or {}).items():
            if not isinstance(value, str):
                continue
            if name == "host" or (name in ("url", "original_url") and _URL.match(value)):
                host = urlsplit(value if "://" in value else f"x://{value}").hostname
                if host:
                    found.add(host)
            elif name == "group_id":
                found |= {urlsplit(each).hostname or "" for each in re.findall(r"https?://[^\s<>]+", value)}
    return {host for host in found if host not in ("", "127.0.0.1", "localhost") and not _OWN.search(host)}
