"""The process that cleans HTML for `render.py`, one message at a time, with limits.

Reads and writes frames on stdin and stdout: four octets of length (big-endian), then
JSON. A request is `{"html", "remote_images", "cids", "mark"}`; an answer `{"html", "blocked",
"trackers", "remote"}` or `{"failed": reason}`. ITIMER_PROF ends the process after CPU_S of processor time on
one message: bleach is quadratic on hostile input (security.md F5), and code inside it
cannot be interrupted otherwise. Holds no secrets: its environment is emptied at start.
Ends by itself when its stdin closes, so it never outlives its parent.
"""

from __future__ import annotations

import json
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO
from urllib.parse import unquote

from mailcrm.services.mail.parse.html import UncleanableHtml, clean_html

CPU_S = 2.0  # decisions.md 1; the worst real mail of 400 took 1.8 s
MEMORY_BYTES = 1024**3
LIFETIME_CPU_S = 600  # a backstop: then the process is replaced


def main() -> None:
    """Answer requests until stdin closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFETIME_CPU_S, LIFETIME_CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    while (request := read_frame(reader)) is not None:
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        answer = _answer(request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_frame(writer, answer)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    cids: dict[str, str] = request["cids"]
    try:
        clean = clean_html(
            request["html"],
            remote_images=request["remote_images"],
            cid_url=lambda cid: cids.get(cid) or cids.get(unquote(cid)),
            mark=request.get("mark", "remote"),
        )
    except UncleanableHtml as error:
        return {"failed": error.reason}
    except MemoryError:
        return {"failed": "The message needs too much memory."}
    return {
        "html": clean.html,
        "blocked": clean.blocked_images,
        "trackers": clean.trackers,
        "remote": list(clean.remote),
    }


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one frame; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (size,) = struct.unpack(">I", head)
    body = stream.read(size)
    return json.loads(body) if len(body) == size else None


def write_frame(stream: BinaryIO, value: dict[str, Any]) -> None:
    """Write one frame and flush it."""
    body = json.dumps(value).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
