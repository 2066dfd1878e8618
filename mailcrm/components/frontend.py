"""What the build adds to Reflex's frontend: the font, a socket that always goes to the page's own origin, says when it
is connected, and is connected again soon after a drop.

Used by rxconfig.py. Does not touch pages.
"""

from __future__ import annotations

import re
from typing import Any

from reflex_base.plugins.base import Plugin

INTER = "@fontsource-variable/inter@5.3.0"
STATE_JS = "utils/state.js"
# Reflex bakes the backend's URL, port included, into the bundle. One build must serve every port and host, so the
# address is taken from the page instead. Seen in reflex 0.10.1; the build stops if the line is no longer there.
BAKED = "  const endpoint = new URL(url_str);\n"
OWN_ORIGIN = (
    BAKED
    + """  if (typeof window !== "undefined") {
    const socket = endpoint.protocol.startsWith("ws");
    const secure = window.location.protocol === "https:";
    endpoint.protocol = socket ? (secure ? "wss:" : "ws:") : window.location.protocol;
    endpoint.host = window.location.host;
    if (!window.location.port) endpoint.port = "";
    return endpoint;
  }
"""
)
# What was sent into a socket that was dying is lost without a word: whoever waits for an answer asks again as soon as
# there is a connection (editor_save.js, composer_recipients.jsx).
CONNECTED = "    window.__reflex_otel?.onSocketConnect?.();\n"
SAY_CONNECTED = CONNECTED + '    window.dispatchEvent(new Event("mailcrm:connected"));\n'
# A try to connect while the network is away hangs for socket.io's 20 s, and nothing else is tried until it has failed:
# with the next one half a minute may pass although the network is back. One that is alive answers within a second.
NO_RETRY = "    reconnection: false,\n"
SHORT_TRY = NO_RETRY + "    timeout: 5000,\n"
# Reflex tries again by itself, at most every 2 s. Who comes back online, or types, does not wait for that. What is typed
# and not answered (editor_save.js) says that a connection is dead long before a missing ping does.
LOOK = "  function checkVisibility() {\n"
NUDGE = """  const nudge = () => { if (socket.current && !socket.current.connected) socket.current.reconnect(); };
  window.addEventListener("online", nudge);
  document.addEventListener("input", nudge, { capture: true, passive: true });
  window.addEventListener("mailcrm:doubt", () => { if (socket.current?.connected) socket.current.io.engine?.close(); else nudge(); });
"""
NUDGED = NUDGE + LOOK
LOST = "    window.__reflex_otel?.onSocketDisconnect?.(reason);\n"
SAY_LOST = LOST + '    window.dispatchEvent(new Event("mailcrm:lost"));\n'


class InterFont(Plugin):
    """Serve Inter from npm through the app itself; never a CDN (DESIGN.md, tokens)."""

    def get_stylesheet_paths(self, **context: Any) -> tuple[str, ...]:
        """The font's faces, bundled with their woff2 files."""
        del context
        return ("@fontsource-variable/inter/index.css",)

    def get_frontend_dependencies(self, **context: Any) -> tuple[str, ...]:
        """The npm package that holds the font."""
        del context
        return (INTER,)


class OwnOrigin(Plugin):
    """Connect the page to the host and port it came from; a window event says each time that it is connected."""

    def pre_compile(self, **context: Any) -> None:
        """Have Reflex's state.js rewritten before the build."""
        context["add_modify_task"](STATE_JS, _rewrite)


#: Lines of an older build's: .web keeps the file from one build to the next.
_OLDER = re.compile(r".*(?:\bnudge\b| timeout: 5000,).*\n")
CHANGES = ((BAKED, OWN_ORIGIN), (CONNECTED, SAY_CONNECTED), (LOST, SAY_LOST), (NO_RETRY, SHORT_TRY), (LOOK, NUDGED))


def _rewrite(source: str) -> str:
    source = _OLDER.sub("", source)
    for found, wanted in CHANGES:
        if wanted in source:
            continue
        if source.count(found) != 1:
            raise RuntimeError("reflex changed its state.js: read components/frontend.py again")
        source = source.replace(found, wanted)
    return source
