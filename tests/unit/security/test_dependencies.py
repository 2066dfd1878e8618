"""Dependencies are pinned, and compared with known holes where the database can be reached (issue 10, part 9)."""

from __future__ import annotations

import re
import urllib.error
from pathlib import Path

import pytest

from tests.security import dependencies

ROOT = Path(__file__).resolve().parents[3]


def test_every_requirement_is_pinned() -> None:
    """A start never takes a version that nobody looked at."""
    pins = {name.replace("_", "-"): at for name, at in dependencies.pins().items()}
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            wanted = line.split("#")[0].strip()
            if wanted:
                match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", wanted)
                assert match, f"{wanted} has no exact version"
                assert pins.get(match[1].lower().replace("_", "-")) == match[2], wanted


def test_known_holes_fail_and_silence_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dependencies, "pins", lambda: {"good": "1", "bad": "2"})
    monkeypatch.setattr(
        dependencies,
        "ask",
        lambda packages: dependencies.holes(packages, {"results": [{}, {"vulns": [{"id": "GHSA-1"}]}]}),
    )
    assert dependencies.main() == 1
    assert "bad 2: https://osv.dev/GHSA-1" in capsys.readouterr().err
    monkeypatch.setattr(dependencies, "accepted", lambda: {"GHSA-1": "never called"})
    assert dependencies.main() == 0

    def unreachable(_packages: dict[str, str]) -> dict[str, list[str]]:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(dependencies, "ask", unreachable)
    assert dependencies.main() == 0
    assert "NOT AUDITED" in capsys.readouterr().out
