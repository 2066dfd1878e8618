"""A worker that renews a token when it is told to, in a child of its own that a test can kill at any moment.

python -m tests.integration.oauth.renewer        stdin: mailbox ids; stdout: the child's process id for each
"""

from __future__ import annotations

import os
import signal
import sys

from mailcrm.services.mail.oauth import libraries, tokens


def main() -> None:
    """Import everything once, then fork for each line: a child begins its renewal within a millisecond."""
    libraries.of("google")
    libraries.of("microsoft")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                tokens.access_token(int(line))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
