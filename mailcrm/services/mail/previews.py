"""Which attachments can be looked at inside the page, and how: only what can't act (no markup, no scripts, no macros).

Pure: it goes by the declared type and the name. Whoever serves the bytes looks at them again (`endpoints/messages.py`).
"""

from __future__ import annotations

from typing import Literal

Preview = Literal["image", "text", "pdf", ""]

#: Raster images that browsers decode in a sandbox; SVG is a document with scripts.
IMAGES = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))
_MARKUP = (".html", ".htm", ".xhtml", ".svg", ".xml", ".mht", ".mhtml", ".rtf")
_TEXT_TYPES = frozenset(
    (
        "text/plain", "text/csv", "text/markdown", "text/tab-separated-values", "application/json", "text/x-log",
        "text/x-diff", "text/x-patch", "text/yaml", "text/vcard", "text/calendar",
    )
)  # fmt: skip
_TEXT_NAMES = (".txt", ".csv", ".tsv", ".log", ".md", ".json", ".yaml", ".yml", ".ini", ".diff", ".patch")


def preview_of(content_type: str, filename: str) -> Preview:
    """Return how a file may be shown, '' for downloading only."""
    kind, name = content_type.strip().lower(), filename.strip().lower()
    if name.endswith(_MARKUP):
        return ""
    if kind in IMAGES:
        return "image"
    if kind == "application/pdf" or (kind == "application/octet-stream" and name.endswith(".pdf")):
        return "pdf"  # drawn to pictures (pdf_pages.py): a browser's own viewer runs what the file says
    if kind in _TEXT_TYPES or (kind == "application/octet-stream" and name.endswith(_TEXT_NAMES)):
        return "text"
    return ""
