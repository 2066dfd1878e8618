"""Fixtures that all tests share. What a person's machine lacks is skipped loudly; with CI=true it fails."""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mailcrm import config
from mailcrm.services import db as database
from mailcrm.services.jobs import sweep
from mailcrm.services.tracking import destinations
from tests import planted
from tests.servers import postgres

pytest_plugins = ["tests.servers.fixtures"]

ROOT = Path(__file__).resolve().parents[1]
_MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
#: A clients' event loop holds three files until it is collected; many machines begin with 1,024.
resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))


def pytest_collection_finish() -> None:
    """Spare the collector what is loaded by now: looking through it again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def pytest_configure() -> None:
    """Look at every answer over HTTP that a test gets from the app: no planted secret is in it."""
    really = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **options: object) -> httpx.Response:
        answer = really(self, request, **options)  # type: ignore[arg-type]
        if answer.is_stream_consumed and request.url.scheme == "http" and planted.told(answer.content):
            raise AssertionError(f"a planted secret is in the answer to {request.method} {request.url.path}")
        return answer

    httpx.Client.send = send  # type: ignore[method-assign]


@pytest.hookimpl(trylast=True)  # the workers have ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look for planted secrets in all that was written; once, where every worker's folders are below one's own."""
    if "PYTEST_XDIST_WORKER" in os.environ or not session.testscollected:
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    found = planted.found_in((factory.getbasetemp(), ROOT / ".web" / "build"))
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nPlanted secrets stand in clear in:", *found, sep="\n", file=sys.stderr)


def needs(program: str) -> str:
    """Return the program's path; skip the test where it is missing, fail with CI=true."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found:
        return found
    message = f"{program} is not installed: this test did not run"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of shared test messages; skipped loudly where it is absent."""
    found = Path(os.environ.get("MAILCRM_CORPORA") or ROOT.parent / "shared" / "corpora")
    if not found.is_dir():
        pytest.skip(f"no corpora at {found}: set MAILCRM_CORPORA; this test did not run")
    return found


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy from; workers that run side by side share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "template"
    folder.mkdir(exist_ok=True)
    made = folder / "made.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            path = folder / "mailcrm.sqlite3"
            with _settings(folder, f"sqlite:///{path}"):
                database.migrate()
            path.rename(made)
    return made


@pytest.fixture(scope="session")
def pg_server() -> Iterator[postgres.Cluster]:
    """A temporary PostgreSQL cluster with a migrated template database."""
    if postgres.binaries() is None:
        needs("postgres")
    with postgres.Cluster() as cluster:
        with tempfile.TemporaryDirectory() as folder, _settings(Path(folder), cluster.create("template_mailcrm")):
            database.migrate()
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database, on SQLite and on PostgreSQL; yields the dialect's name."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "mailcrm.sqlite3")
        url, drop = f"sqlite:///{tmp_path / 'mailcrm.sqlite3'}", None
    else:
        cluster = request.getfixturevalue("pg_server")
        name = f"t_{os.getpid()}_{abs(hash(tmp_path)):x}"
        url, drop = cluster.create(name, template="template_mailcrm"), lambda: cluster.drop(name)
    with _settings(tmp_path, url):
        yield request.param
    if drop:
        drop()


@pytest.fixture
def sqlite_db(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Path]:
    """A fresh migrated SQLite database; yields the data folder."""
    shutil.copy(migrated_sqlite, tmp_path / "mailcrm.sqlite3")
    with _settings(tmp_path, f"sqlite:///{tmp_path / 'mailcrm.sqlite3'}"):
        yield tmp_path


class _settings:
    """The environment of one test: data folder and database; everything read before is forgotten."""

    def __init__(self, folder: Path, url: str) -> None:
        self.values = {"MAILCRM_DATA_DIR": str(folder), "MAILCRM_DATABASE_URL": url}

    def __enter__(self) -> None:
        self.saved = {name: os.environ.get(name) for name in self.values}
        os.environ.update(self.values)
        database.dispose()
        config.reset()
        sweep.forget()
        destinations.forget()

    def __exit__(self, *_exc: object) -> None:
        database.dispose()
        config.reset()
        for name, value in self.saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its output as text."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
