"""The interface is built again exactly when something that it is built from changed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from mailcrm import build
from mailcrm.errors import ConfigError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout whose build is a file that counts."""
    for name in ("mailcrm/pages", "mailcrm/state", "assets", "reflex.lock", ".web"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "rxconfig.py").write_text("config")
    (tmp_path / "mailcrm/pages/inbox.py").write_text("page")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "WEB", tmp_path / ".web")
    monkeypatch.setattr(build, "STAMP", tmp_path / ".web/stamp")
    monkeypatch.setattr(build, "LOG", tmp_path / ".web/log")
    monkeypatch.setattr(build, "ENTRY", tmp_path / ".web/index.html")

    def pretend(_say: object) -> None:
        build.ENTRY.write_text("built")
        (tmp_path / "reflex.lock/package.json").write_text("written by the build itself")

    monkeypatch.setattr(build, "_run", pretend)
    return tmp_path


def quiet(_words: str) -> None:
    pass


def test_a_fresh_checkout_is_built_once(tree: Path) -> None:
    assert build.ensure(quiet) is True
    assert build.ensure(quiet) is False


@pytest.mark.parametrize(
    "changed", ["mailcrm/pages/inbox.py", "rxconfig.py", "assets/new.css", "reflex.lock/package.json"]
)
def test_a_changed_source_builds_again(tree: Path, changed: str) -> None:
    build.ensure(quiet)
    (tree / changed).write_text("other")
    assert build.ensure(quiet) is True


def test_other_files_do_not(tree: Path) -> None:
    build.ensure(quiet)
    (tree / "assets/external/editor").mkdir(parents=True)  # Reflex links components' files here while it builds
    (tree / "assets/external/editor/editor.jsx").write_text("linked")
    (tree / "README.md").write_text("words")
    (tree / "mailcrm/pages/__pycache__").mkdir()
    (tree / "mailcrm/pages/__pycache__/inbox.pyc").write_text("bytes")
    assert build.ensure(quiet) is False


def test_a_lost_build_is_made_again(tree: Path) -> None:
    build.ensure(quiet)
    build.ENTRY.unlink()
    assert build.ensure(quiet) is True


def test_a_change_while_building_is_not_taken_for_built(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.ensure(quiet)
    (tree / "rxconfig.py").write_text("first")

    def slow(_say: object) -> None:
        (tree / "rxconfig.py").write_text("second, saved while the first was built")

    monkeypatch.setattr(build, "_run", slow)
    build.ensure(quiet)
    assert not build.is_current()


def test_a_failed_build_leaves_no_stamp(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_say: object) -> None:
        raise ConfigError("build.failed", log="x")

    monkeypatch.setattr(build, "_run", fails)
    with pytest.raises(ConfigError):
        build.ensure(quiet)
    assert not build.is_current()


def test_node_is_the_wheels_and_the_registry_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a registry in the environment Reflex would measure two public ones and take the faster."""
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    monkeypatch.setenv("npm_config_registry", "https://registry.example/npm/")
    env = build.build_environment()
    node = shutil.which("node", path=env["PATH"])
    assert node is not None
    assert Path(node).is_relative_to(sys.prefix)
    assert env["REFLEX_USE_NPM"] == "1"
    assert env["NPM_CONFIG_REGISTRY"] == "https://registry.example/npm/"


def test_a_lock_file_that_is_only_ordered_anew_stays_as_it_was(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build must not leave the checkout changed."""
    lock = tree / "reflex.lock/package.json"
    lock.write_text('{"a": 1, "b": 2}')

    def reorders(_say: object) -> None:
        build.ENTRY.write_text("built")
        lock.write_text('{"b": 2, "a": 1}')

    monkeypatch.setattr(build, "_run", reorders)
    build.ensure(quiet)
    assert lock.read_text() == '{"a": 1, "b": 2}'
    (tree / "rxconfig.py").write_text("other")
    monkeypatch.setattr(build, "_run", lambda _say: lock.write_text('{"a": 2}'))
    build.ensure(quiet)
    assert lock.read_text() == '{"a": 2}'


def test_the_gallery_is_a_build_of_its_own(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who built it for designers and serves others afterwards builds again: no page of it stays."""
    monkeypatch.delenv("MAILCRM_GALLERY", raising=False)
    build.ensure(quiet)
    monkeypatch.setenv("MAILCRM_GALLERY", "1")
    (tree / build.GALLERY).write_text("page")
    assert build.ensure(quiet) is True
    monkeypatch.delenv("MAILCRM_GALLERY")
    assert build.ensure(quiet) is True
