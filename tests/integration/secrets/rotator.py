"""A worker that rotates keys in a child of its own for each line it reads, so that a test can kill it half-way."""

from __future__ import annotations

import os
import signal
import sys

from mailcrm.services import keys


def main() -> None:
    """Fork for each line; print the child's process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                keys.add_key()
                keys.rotate()
            finally:
                os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    main()
