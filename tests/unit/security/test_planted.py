"""The search for planted secrets that ends each run of the tests: it sees every spelling, and archives (security.md 11)."""

from __future__ import annotations

import base64
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests import planted
from tests.conftest import pytest_sessionfinish
from tests.planted import PLANTED, ROOT

SECRET = PLANTED[0] + "Search-Passw0rd"


def test_each_secret_is_one_that_tests_enter() -> None:
    """The control: a password that no test enters would be found nowhere for ever."""
    texts = [path for kind in ("*.py", "*.mjs") for path in (ROOT / "tests").rglob(kind) if "planted" not in path.name]
    entered = "\n".join(path.read_text("utf-8") for path in texts)
    assert [secret for secret in PLANTED if secret not in entered] == []


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the search at the end does not look into."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_every_spelling_is_found_and_nothing_else(folder: Path) -> None:
    """Plain, base64 at any offset, hex, backwards; among other bytes, in folders, in archives."""
    written = {
        "plain.sqlite3-wal": b"\0\xffimap" + SECRET.encode() + b"\0\0",
        "hex.log": SECRET.encode().hex().encode(),
        "backwards": SECRET.encode()[::-1],
        **{f"base64-{n}": base64.b64encode(b"\0user\0"[: 6 - n] + SECRET.encode()) for n in range(3)},
    }
    for name, content in written.items():
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data" / name).write_bytes(content)
    with tarfile.open(folder / "saved.backup", "w:gz") as archive:
        member = tarfile.TarInfo("database.jsonl")
        member.size = len(SECRET)
        archive.addfile(member, io.BytesIO(SECRET.encode()))
    (folder / "innocent").write_bytes(b"plante- correct horse batter\n" * 1000)
    (folder / "broken.backup").write_bytes(b"\x1f\x8b broken")
    found = {Path(name.removesuffix(" unpacked")).name for name in planted.found_in([folder, folder / "absent"])}
    assert found == {*written, "saved.backup", "database.jsonl"}


def test_a_run_that_left_one_behind_fails_and_says_where(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hook of tests/conftest.py; of several workers, the one process that they belong to looks."""
    session = mock.Mock(testscollected=1, exitstatus=0)
    session.config._tmp_path_factory.getbasetemp.return_value = folder
    (folder / "clean.log").write_text("a password of 12 characters")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytest_sessionfinish(session)
    assert (session.exitstatus, capsys.readouterr().err) == (0, "")
    (folder / "serve.log").write_text(f"LOGIN ann {SECRET}")
    pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
    assert capsys.readouterr().err.splitlines()[-1] == str(folder / "serve.log")
    session.exitstatus = 0
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    pytest_sessionfinish(session)
    assert session.exitstatus == 0
