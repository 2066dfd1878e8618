"""Plain text as format=flowed (RFC 3676): lines of 72 columns that a reader's program joins again to its own width.

Pure. A line that ends with a space goes on in the next; quoted lines keep their depth; what begins with ">", a space or
"From " is stuffed with a space. The signature's mark "-- " is a line of its own and stays as it is. Text without spaces
(Japanese) is not broken: a break there would put a space into a word, and the encoding folds it anyway.
"""

from __future__ import annotations

import re
import unicodedata

WIDTH = 72  # columns, so that a few levels of quoting stay within 80
_QUOTED = re.compile(r"((?:> ?)*>) ?")


def flowed(text: str) -> str:
    """Return the text with soft breaks; `unflowed` of it is the text again, but for blanks at line ends."""
    return "\n".join(piece for line in text.split("\n") for piece in _line(line))


def unflowed(text: str) -> str:
    """Return flowed text as it was written (RFC 3676 4.2 to 4.5)."""
    made: list[tuple[int, str]] = []
    open_ = False
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if open_ and made[-1][0] == depth and content != "-- ":
            made[-1] = (depth, made[-1][1] + content)
        else:
            made.append((depth, content))
        open_ = content.endswith(" ") and content != "-- "
    return "\n".join((">" * depth + " " if depth else "") + content.rstrip(" ") for depth, content in made)


def _line(line: str) -> list[str]:
    if line == "-- ":
        return [line]
    quoted = _QUOTED.match(line)
    depth = quoted[1].count(">") if quoted else 0
    content = (line[quoted.end() :] if quoted else line).rstrip(" ")
    marks = ">" * depth
    pieces = _wrapped(content, WIDTH - depth)
    return [marks + _stuffed(piece, depth) for piece in pieces]


def _stuffed(piece: str, depth: int) -> str:
    return f" {piece}" if (depth and piece) or piece.startswith((" ", ">", "From ")) else piece


def _wrapped(content: str, width: int) -> list[str]:
    """Break after spaces; every piece but the last keeps the space that says "goes on"."""
    pieces: list[str] = []
    current, columns = "", 0
    for word in re.findall(r" *[^ ]+ ?", content) or [content]:
        wide = _columns(word)
        if current.endswith(" ") and columns + wide > width:
            pieces.append(current)
            current, columns = "", 0
        current, columns = current + word, columns + wide
    return [*pieces, current]


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
