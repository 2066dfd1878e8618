"""The children of `serve`: `python -m mailcrm.processes web|tracking|recorder|worker|watcher|smart-bcc|demo-server`.

Without the command line's imports. Each ends with its parent (parent.py). Does not start processes (serve.py).
"""

from __future__ import annotations

import sys

from mailcrm import parent


def main() -> None:
    """Run one child process. A setting that went bad since the start is one sentence here, too."""
    name = sys.argv[1]
    if name in ("worker", "watcher", "smart-bcc", "tracking", "recorder"):
        from mailcrm import lean

        lean.keep_lean(*(["alembic"] if name == "watcher" else []))
    from mailcrm import logs
    from mailcrm.errors import MailcrmError

    try:
        logs.setup(name)
        parent.end_with_parent()
        if name == "web":
            from mailcrm import web

            web.run()
        elif name == "tracking":
            from mailcrm import web

            web.run_tracking_only()
        elif name == "recorder":
            from mailcrm.services.tracking import recorder

            recorder.run()
        elif name == "worker":
            from mailcrm.services.jobs import worker

            worker.run()
        elif name == "watcher":
            from mailcrm.services.mail.watch import watcher

            watcher.run()
        elif name == "smart-bcc":
            from mailcrm.services.smart_bcc import listener

            listener.run()
        else:
            from mailcrm.services.demo import server

            server.run()
    except MailcrmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
