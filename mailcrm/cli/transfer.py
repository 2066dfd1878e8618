"""`import persons|organizations|deals|leads FILE.csv` and `export persons|organizations|deals|leads`.

They act for a user: what is made belongs to them, what is exported is what they may see.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.errors import UserError

KINDS = {"persons": "person", "organizations": "organization", "deals": "deal", "leads": "lead"}
SHOWN = 20  # bad lines printed; all are in --bad-lines

importing = typer.Typer(no_args_is_help=True)
exporting = typer.Typer(no_args_is_help=True)

User = Annotated[str, typer.Option(help="For whom: the owner of what is made, unless the file names one.")]


def _import(
    kind: str,
    file: Path,
    user: str,
    *,
    mapping: list[str],
    encoding: str,
    delimiter: str,
    days: str,
    decimals: str,
    make_stages: bool,
    keep: bool,
    dry_run: bool,
    bad_lines: Path | None,
) -> None:
    from mailcrm.services.crm.transfer import imports, reading, run

    common.open_database()
    actor = common.actor_of(user)
    if file.stat().st_size > reading.MOST_BYTES:
        raise UserError("import.too_large", most=reading.MOST_BYTES // 1_000_000)
    view = imports.upload(actor, kind, file.name, file.read_bytes(), encoding=encoding, delimiter=delimiter)
    try:
        chosen = {column: key for column, _, key in (each.rpartition("=") for each in mapping)}
        view = imports.change_import(actor, view.id, mapping=chosen, change=not keep, make_stages=make_stages)
        if days or decimals:
            view = imports.change_import(actor, view.id, order=days or None, decimals=decimals or None)
        print(f"{view.rows} lines, {view.encoding}, {view.delimiter}.")
        for column in imports.columns(actor, view.id):
            print(f"  {column.name or f'column {column.at + 1}'} -> {column.key or '(left out)'}")
        look = imports.preview(actor, view.id)
        if dry_run:
            print(
                f"{look.made} would be made, {look.changed} changed, {look.same} are there; {look.wrong} have errors."
            )
            _problems(imports.problems(actor, view.id), look.wrong)
            _save(bad_lines, look.wrong, imports.bad_lines(actor, view.id))
            return
        imports.start(actor, view.id)
    finally:
        if imports.get_import(actor, view.id).state == "draft":
            imports.discard(actor, view.id)
    run.run_import(view.id, progress=_progress if sys.stderr.isatty() else None)
    done = imports.get_import(actor, view.id)
    while done.state == "running":  # a worker was faster
        time.sleep(0.2)
        done = imports.get_import(actor, view.id)
    if done.error:
        raise UserError(done.error)
    print(f"{done.made} made, {done.changed} changed, {done.same} were there; {done.wrong} had errors.")
    _problems(imports.problems(actor, view.id), done.wrong)
    _save(bad_lines, done.wrong, imports.bad_lines(actor, view.id))


def _problems(found: object, count: int) -> None:
    listed = list(found)[:SHOWN]  # type: ignore[call-overload]
    for each in listed:
        print(f"  line {each.line}: {each.sentence}", file=sys.stderr)
    if count > len(listed):
        print(f"  … and {count - len(listed)} more.", file=sys.stderr)


def _save(path: Path | None, count: int, parts: object) -> None:
    if path is not None and count:
        with path.open("xb") as handle:
            for part in parts:  # type: ignore[attr-defined]
                handle.write(part)
        print(f"The lines with errors are in {path}.")


def _progress(done: int, total: int) -> None:
    print(f"\r{done:,} of {total:,}", end="\n" if done >= total else "", file=sys.stderr, flush=True)


def _importer(name: str, kind: str) -> None:
    @importing.command(name, help=f"Import {name} from a CSV file; again, it changes only what differs.")
    def command(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file.")],
        user: User,
        mapping: Annotated[
            list[str] | None, typer.Option("--map", help="COLUMN=FIELD, again for each; an empty FIELD leaves it out.")
        ] = None,
        encoding: Annotated[str, typer.Option(help="Such as UTF-8 or Shift_JIS; recognised unless given.")] = "",
        delimiter: Annotated[str, typer.Option(help="comma, semicolon, tab or bar; recognised unless given.")] = "",
        days: Annotated[str, typer.Option(help="dmy or mdy, where 1/2/2026 may be two days.")] = "",
        decimals: Annotated[str, typer.Option(help="The decimal sign of amounts: . or ,")] = "",
        make_stages: Annotated[
            bool, typer.Option("--make-stages", help="Make pipelines and stages that are missing.")
        ] = False,
        keep: Annotated[bool, typer.Option("--keep", help="Leave rows that are there as they are.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
        bad_lines: Annotated[
            Path | None, typer.Option(help="Write the lines with errors into this file, which must not exist.")
        ] = None,
    ) -> None:
        """Import rows from a CSV file; again, it changes only what differs."""
        _import(
            kind, file, user, mapping=mapping or [], encoding=encoding, delimiter=delimiter, days=days, decimals=decimals,
            make_stages=make_stages, keep=keep, dry_run=dry_run, bad_lines=bad_lines,
        )  # fmt: skip


def _exporter(name: str, kind: str) -> None:
    @exporting.command(name, help=f"Write {name} as CSV.")
    def command(
        user: Annotated[str, typer.Option(help="For whom: what this user may see.")],
        file: Annotated[Path | None, typer.Argument(help="Must not exist; standard output unless given.")] = None,
        excel: Annotated[bool, typer.Option("--excel", help="Mark the file as UTF-8, as Excel wants it.")] = False,
    ) -> None:
        """Write rows as CSV."""
        from mailcrm.services.crm.transfer.export import export

        common.open_database()
        parts = export(common.actor_of(user), kind, bom=excel)
        if file is None:
            for part in parts:
                sys.stdout.buffer.write(part)
            return
        with file.open("xb") as handle:
            for part in parts:
                handle.write(part)


for _name, _kind in KINDS.items():
    _importer(_name, _kind)
    _exporter(_name, _kind)
