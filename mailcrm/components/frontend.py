"""What the build adds to Reflex's frontend: the font, and a socket that always goes to the page's own origin.

Used by rxconfig.py. Does not touch pages.
"""

from __future__ import annotations

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
    """Connect the page to the host and port it came from."""

    def pre_compile(self, **context: Any) -> None:
        """Have Reflex's state.js rewritten before the build."""
        context["add_modify_task"](STATE_JS, _rewrite)


def _rewrite(source: str) -> str:
    if OWN_ORIGIN in source:
        return source
    if source.count(BAKED) != 1:
        raise RuntimeError("reflex changed getBackendURL: read components/frontend.py again")
    return source.replace(BAKED, OWN_ORIGIN)
