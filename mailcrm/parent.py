"""Ends this process when its parent is gone, however the parent went.

Works on every Unix, through the parent's process id, so that it holds for a child's children too (Granian's workers).
"""

from __future__ import annotations

import os
import signal
import threading
import time

PARENT = "MAILCRM_PARENT"  # set by serve: the supervisor's process id
LOOK_S = 0.5
GRACE_S = 5.0


def end_with_parent(parent: int | None = None) -> None:
    """Watch the parent in the background: SIGTERM to ourselves once it is gone, then a hard exit.

    Without `parent` the process id that `serve` left in the environment counts; without that, nothing is watched
    (a worker that was started by hand).
    """
    expected = parent or int(os.environ.get(PARENT) or 0)
    if expected:
        threading.Thread(target=_watch, args=(expected,), name="parent-watch", daemon=True).start()


def _watch(expected: int) -> None:
    while os.getppid() == expected:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)  # the rows are the truth; nothing is lost
