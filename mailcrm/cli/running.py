"""`serve`, `worker`, `migrate`, `demo` and `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailcrm import logs, parent
from mailcrm.services import db


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)
    app.command()(demo)
    app.command()(doctor)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; MAILCRM_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; MAILCRM_PORT otherwise.")] = None,
    tracking_only: Annotated[
        bool, typer.Option("--tracking-only", help="Only pixels, links and the opt-out page: no interface, no REST.")
    ] = False,
) -> None:
    """Serve the web page, and the worker unless MAILCRM_WORKER=external."""
    from mailcrm import serve as supervisor

    logs.setup("serve")
    (supervisor.run_tracking_only if tracking_only else supervisor.run)(host, port)


def worker() -> None:
    """Run the worker and a watcher for new mail; as many as needed may run, of the watchers one works."""
    from mailcrm import serve as supervisor
    from mailcrm.services.jobs import worker as jobs

    logs.setup("worker")
    parent.end_with_parent()
    db.check_not_newer()
    supervisor.keep_watcher()
    jobs.run()


def migrate() -> None:
    """Bring the database to this version."""
    before = db.current_revision()
    db.migrate()
    after = db.current_revision()
    print(
        f"The database is at {after}." if before == after else f"The database went from {before or 'empty'} to {after}."
    )


def demo() -> None:
    """Serve a demo workspace: two users, their mail, deals and people, in a data folder of its own."""
    from mailcrm import serve as supervisor
    from mailcrm.services import demo as workspace

    logs.setup("serve")
    workspace.use_own_folder()
    supervisor.run(before_start=_make_demo)


def doctor() -> None:
    """Print every setting, where it comes from, and what is wrong."""
    from mailcrm.cli import checks

    raise typer.Exit(checks.run())


def _make_demo() -> None:
    from mailcrm.services import demo as workspace

    password = workspace.ensure()
    print(f"Demo workspace: sign in as {workspace.ADMIN_EMAIL} with the password {password}")
