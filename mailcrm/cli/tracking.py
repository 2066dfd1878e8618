"""`tracking judge`: stored opens and clicks, judged again by the rules of this version (B03)."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.errors import NotFound

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Opens and clicks of tracked mail."""


@app.command()
def judge(
    message: Annotated[int | None, typer.Argument(help="One message's id; all of them otherwise.")] = None,
    every: Annotated[
        bool, typer.Option("--all-versions", help="Also what the rules of this version judged already.")
    ] = False,
) -> None:
    """Judge opens and clicks again. The worker does so by itself after an update; nothing is added or removed."""
    from mailcrm.services.tracking import retention
    from mailcrm.services.tracking.classify import RULES_VERSION

    common.open_database()
    # An event of these rules counts as one of older ones then.
    version = RULES_VERSION + 1 if every else RULES_VERSION
    found = retention.tracked_to_judge(version, message)
    if found is None:
        raise NotFound
    changed = 0
    for done, tracked_id in enumerate(found, 1):
        changed += retention.classify_one_again(tracked_id, version)
        if sys.stderr.isatty() and (done % 50 == 0 or done == len(found)):
            print(f"\r{done:,} of {len(found):,} emails", end="\n" if done == len(found) else "", file=sys.stderr)
    print(
        f"{len(found):,} emails were judged by rules {RULES_VERSION}; {changed:,} opens and clicks changed their class."
    )
