"""Says where and with what a benchmark ran."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.servers.dovecot import PROGRAM as DOVECOT

_PROGRAMS = {"Dovecot": DOVECOT, "mbsync": "mbsync", "offlineimap": "offlineimap"}


def describe() -> list[str]:
    """Return the machine, its load and the versions that matter, a line each."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    release = next((line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if "PRETTY" in line), "")
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    own = ", ".join(f"{name} {version(name)}" for name in ("imapclient", "fast-mail-parser", "isal", "sqlalchemy"))
    return [
        f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GB, {release}, {platform.system()} {platform.release()}",
        f"load before the run {load}",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {own}",
        ", ".join(f"{name} {_says(path, '--version')}" for name, path in _PROGRAMS.items()),
    ]


def _says(program: str | None, option: str) -> str:
    path = program and shutil.which(program)
    if not path:
        return "not installed"
    done = subprocess.run([path, option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "?"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
