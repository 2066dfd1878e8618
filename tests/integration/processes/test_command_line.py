"""The command line as scripts use it: exit codes, one sentence on standard error, JSON (contract.md).

Every command is a process of its own; most are forks of one that has imported everything (`warm.py`), some start from
nothing, as a shell starts them.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.processes.warm import Warm
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

PASSWORD = "correct horse battery"
_names = itertools.count(1)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as started:
        yield started


@pytest.fixture
def run(warm: Warm, tmp_path: Path) -> Run:
    """Runs `python -m mailcrm …` in a data folder of its own."""

    def command(
        *arguments: str, stdin: str = "", code: int = 0, cold: bool = False
    ) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"MAILCRM_DATA_DIR": str(tmp_path / "data")}
        env.pop("MAILCRM_DATABASE_URL", None)
        done = run_raw(*arguments, stdin=stdin, env=env) if cold else warm.run(arguments, env=env, stdin=stdin)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if code == 1:
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done

    return command


def run_raw(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that starts from nothing."""
    return subprocess.run(
        [sys.executable, "-m", "mailcrm", *arguments],
        cwd=ROOT, env=env, input=stdin, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_users_and_tokens(run: Run) -> None:
    run("user", "create", "--email", "a@x.test", "--name", "Ada", "--admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (
        "already has an account"
        in run(
            "user", "create", "--email", "A@x.test", "--name", "B", "--password-stdin", stdin=f"{PASSWORD}\n", code=1
        ).stderr
    )
    assert (
        "too short"
        in run("user", "create", "--email", "c@x.test", "--name", "C", "--password-stdin", stdin="abc\n", code=1).stderr
    )
    assert run("user", "create", "--email", "c@x.test", "--name", "C", code=1).stderr.startswith("No password")
    listed = json.loads(run("user", "list", "--json").stdout)
    assert [(each["email"], each["role"]) for each in listed] == [("a@x.test", "admin")]
    assert run("token", "create", "--user", "a@x.test").stdout.startswith("mcrm_")
    assert "nobody@x.test" in run("token", "create", "--user", "nobody@x.test", code=1, cold=True).stderr
    assert "last administrator" in run("user", "disable", "a@x.test", code=1).stderr


def test_wrong_use_is_code_2(run: Run) -> None:
    run("user", "create", code=2, cold=True)
    run("nonsense", code=2)
    run("serve", "--port", "0", code=2)
    assert "serve" in run("--help").stdout


def test_doctor_names_every_setting_and_what_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("doctor").stdout
    for name in ("MAILCRM_DATA_DIR", "MAILCRM_PORT", "MAILCRM_PUBLIC_URL", "MAILCRM_LOG", "Database", "Queue"):
        assert name in told
    assert "(environment)" in told
    assert "(default)" in told
    monkeypatch.setenv("MAILCRM_SECRET_KEY", "k" * 40)
    assert "k" * 40 not in run("doctor").stdout
    monkeypatch.setenv("MAILCRM_LOG", "loud")
    env = run_raw("doctor")
    assert env.returncode == 1
    assert "MAILCRM_LOG='loud'" in env.stdout


def test_a_mailbox_from_adding_to_removing(
    run: Run, tmp_path: Path, migrated_sqlite: Path, dovecot: DovecotServer, smtp_sink: SmtpSink
) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(migrated_sqlite, tmp_path / "data" / "mailcrm.sqlite3")
    user = f"cli{next(_names)}"
    dovecot.add_user(user, PASSWORD)
    smtp_sink.add_user(user, PASSWORD)
    dovecot.deliver(user, b"\r\n", "Deep")
    for n in range(5):
        dovecot.deliver(user, b"Subject: n\r\nMessage-ID: <cli%d@t>\r\nFrom: b@t.test\r\n\r\nx\r\n" % n)
    imap, smtp = dovecot.spec(user), smtp_sink.spec(user)
    run("user", "create", "--email", "a@x.test", "--name", "Ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    add = [
        "mailbox", "add", "--user", "a@x.test", "--address", "ada@home.test", "--username", user, "--password-stdin",
        "--imap-host", imap.host, "--imap-port", str(imap.port), "--imap-security", "none",
        "--smtp-host", smtp.host, "--smtp-port", str(smtp.port), "--smtp-security", "none",
    ]  # fmt: skip
    assert "did not accept" in run(*add, stdin="wrong\n", code=1).stderr
    assert json.loads(run("mailbox", "list", "--json").stdout) == []
    assert "--since takes" in run(*add, "--since", "yesterday", stdin=PASSWORD, code=2).stderr
    run(*add, stdin=PASSWORD)
    assert [line["mailbox"] for line in json.loads(run("status", "--json").stdout)] == ["ada@home.test"]
    assert "connected already" in run(*add, stdin=PASSWORD, code=1).stderr
    synced = run("sync", "--mailbox", "ada@home.test")
    assert "\r" not in synced.stderr  # no progress bar in a pipe
    ledger = json.loads(run("status", "--json").stdout)
    inbox = next(line for line in ledger if line["folder"] == "INBOX")
    assert (inbox["mailbox"], inbox["server"], inbox["stored"], inbox["pending"]) == ("ada@home.test", 5, 5, 0)
    assert inbox["last_success_at"]
    assert next(line for line in ledger if line["folder"] == "Deep")["quarantined"] == 1
    told = run("status").stdout
    assert "an empty email" in told
    assert "ada@home.test: ok, not watched." in told
    item = json.loads(run("quarantine", "list", "--json").stdout)[0]["id"]
    raw = tmp_path / "raw.eml"
    run("quarantine", "raw", str(item), str(raw))
    assert raw.read_bytes() == b"\r\n"
    run("quarantine", "raw", str(item), str(raw), code=1)  # overwrites nothing
    run("quarantine", "raw", "999", str(tmp_path / "other.eml"), code=1)
    assert "1 will be" in run("quarantine", "retry").stdout
    sound = run("verify", "--mailbox", "ada@home.test")
    assert "sound: 6 compared, nothing differs" in sound.stdout
    with sqlite3.connect(tmp_path / "data" / "mailcrm.sqlite3") as connection:
        connection.execute("DELETE FROM message_locations WHERE uid = 2")
    mended = json.loads(run("verify", "--json").stdout)[0]
    assert (mended["state"], mended["findings"][0]["kind"], mended["findings"][0]["mended"]) == ("mended", "missing", 1)
    assert next(line for line in json.loads(run("status", "--json").stdout) if line["folder"] == "INBOX")["stored"] == 5
    run("mailbox", "change", "ada@home.test", "--since", "30d", "--contacts-only", "--folder", "INBOX")
    assert "no folder called" in run("mailbox", "change", "ada@home.test", "--folder", "Nope", code=1).stderr
    chosen = {
        row["folder"]: row["synced"] for row in json.loads(run("mailbox", "folders", "ada@home.test", "--json").stdout)
    }
    assert (chosen["INBOX"], chosen["Deep"]) == (True, False)
    run("mailbox", "change", "ada@home.test", "--since", "all", "--everybody", "--all-folders")
    run("sync")
    assert (
        "did not accept"
        in run("mailbox", "reconnect", "ada@home.test", "--password-stdin", stdin="no\n", code=1).stderr
    )
    run("mailbox", "reconnect", "ada@home.test", "--password-stdin", stdin=PASSWORD)
    assert "an empty email" in json.loads(run("quarantine", "list", "--json").stdout)[0]["reason"]
    with sqlite3.connect(tmp_path / "data" / "mailcrm.sqlite3") as connection:  # as a pass that got nowhere leaves it
        connection.execute(
            """UPDATE mailboxes SET error_code = 'server.refused', error_params = '{"host":"h","port":1}'"""
        )
    assert "refuses connections" in json.loads(run("status", "--json").stdout)[0]["error"]
    assert "No connected mailbox" in run("mailbox", "remove", "x@home.test", code=1).stderr
    run("mailbox", "remove", "ada@home.test")
    assert json.loads(run("status", "--json").stdout) == []
