"""Runs commands of `python -m mailcrm`, each in a process of its own, without importing everything each time.

One process imports the command line and does nothing else; each command is a fork of it, which takes its arguments,
environment, standard input and outputs, and ends as any Python program ends. What only a start from nothing shows
(`__main__`, the imports) is for `subprocess`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.conftest import ROOT

LONGEST_S = 120

_NURSERY = """
import json, os, signal, sys
from mailcrm.cli import main
# What the commands import as they run.
import alembic.command, alembic.runtime.migration, alembic.script
import mailcrm.services.mail.folder_choice, mailcrm.services.mail.mailboxes, mailcrm.services.mail.sync.verify

orders = os.fdopen(os.dup(0))
while line := orders.readline():
    order = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(order["longest"])
        os.environ.clear()
        os.environ.update(order["env"])
        for number, name in enumerate(order["files"]):
            os.dup2(os.open(name, os.O_WRONLY if number else os.O_RDONLY), number)
        sys.stdin = os.fdopen(0)
        sys.argv = ["mailcrm", *order["arguments"]]
        main()
        break
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Warm:
    """The process that has imported everything; a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate(timeout=LONGEST_S)

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("in", "out", "err")]
            for file, text in zip(files, (stdin, "", ""), strict=True):
                file.write_text(text)
            order = {
                "arguments": list(arguments), "env": dict(env), "longest": LONGEST_S,
                "files": [os.fspath(file) for file in files],
            }  # fmt: skip
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, files[1].read_text(), files[2].read_text())
