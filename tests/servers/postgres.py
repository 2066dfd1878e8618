"""A temporary PostgreSQL cluster on a socket in a temporary folder; no TCP port, no installed cluster touched."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

USER = "postgres"  # initdb refuses to run as root


def binaries() -> Path | None:
    """Return the folder of `initdb`; the newest of Debian's, or the one on the PATH."""
    debian = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """One server for a test session: `create` a database, get its URL, `drop` it."""

    def __init__(self) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("PostgreSQL's initdb is not installed")
        self.bin = folder
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-pg-"))
        self.as_root = os.geteuid() == 0

    def __enter__(self) -> Self:
        data, sockets = self.home / "data", self.home / "s"
        sockets.mkdir()
        if self.as_root:
            entry = pwd.getpwnam(USER)
            for path in (self.home, sockets):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        # Durability is not under test here, speed is.
        options = f"-k {sockets} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=100"
        log = self.home / "data" / "log"
        self._run("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(log), "start")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._run("pg_ctl", "-D", str(self.home / "data"), "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.home, ignore_errors=True)

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database and return its SQLAlchemy URL."""
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"postgresql+psycopg://{USER}@/{name}?host={self.home / 's'}"

    def drop(self, name: str) -> None:
        """Drop a database with whatever is still connected to it."""
        self._sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _sql(self, statement: str) -> None:
        self._run("psql", "-h", str(self.home / "s"), "-U", USER, "-d", "postgres", "-qc", statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        if self.as_root:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr or done.stdout}")
