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

import psycopg

from tests import planted

USER = "postgres"  # initdb refuses to run as root


def binaries() -> Path | None:
    """Return the folder of `initdb`; the newest of Debian's, or the one on the PATH."""
    debian = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """One server for a test session: `create` a database, get its URL, `drop` it. One with a `home` is kept."""

    def __init__(self, home: Path | None = None) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("PostgreSQL's initdb is not installed")
        self.bin = folder
        self.kept = home is not None
        self.home = home or Path(tempfile.mkdtemp(prefix="mailcrm-pg-"))
        self.as_root = os.geteuid() == 0
        self._admin: psycopg.Connection | None = None  # kept: thousands of databases are made and dropped

    def __enter__(self) -> Self:
        data, sockets = self.home / "data", self.home / "s"
        sockets.mkdir(parents=True, exist_ok=True)
        if self.as_root:
            entry = pwd.getpwnam(USER)
            for path in (self.home, sockets):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        if not data.exists():
            made = ("-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
            self._run("initdb", "-D", str(data), *made)
        # Durability is not under test here, speed is.
        options = f"-k {sockets} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=100"
        if self.kept:  # a quarter of a small server's memory, as PostgreSQL's manual advises; its default is 128 MB
            options += " -c shared_buffers=1GB"
        log = self.home / "data" / "log"
        self._run("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(log), "start")
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._admin is not None:
            self._admin.close()
        self._run("pg_ctl", "-D", str(self.home / "data"), "-w", "-m", "fast" if self.kept else "immediate", "stop")
        if not self.kept:
            told = planted.found_in([self.home])  # its log and journal tell of databases that are dropped by now
            shutil.rmtree(self.home, ignore_errors=True)
            assert not told, f"planted secrets stand in clear in {told}"

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database and return its SQLAlchemy URL."""
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(name)

    def url(self, name: str) -> str:
        """Return a database's SQLAlchemy URL."""
        return f"postgresql+psycopg://{USER}@/{name}?host={self.home / 's'}"

    def drop(self, name: str) -> None:
        """Drop a database with whatever is still connected to it."""
        self._sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _sql(self, statement: str) -> None:
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(host=str(self.home / "s"), user=USER, dbname="postgres", autocommit=True)
        self._admin.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), *arguments]
        if self.as_root:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr or done.stdout}")
