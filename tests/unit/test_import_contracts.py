"""Each import contract of pyproject.toml is seen to fail when a module breaks it (ARCHITECTURE.md, layers)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.conftest import ROOT

#: For each contract, a module that breaks it and nothing else needs.
OFFENDERS = {
    "pages": ("mailcrm/pages/offender.py", "import mailcrm.services.access"),
    "state": ("mailcrm/state/offender.py", "import mailcrm.models"),
    "endpoints": ("mailcrm/endpoints/offender.py", "import reflex"),
    "services": ("mailcrm/services/offender.py", "import starlette"),
    "mail": ("mailcrm/services/mail/offender.py", "import mailcrm.services.crm.deals"),
    "core": ("mailcrm/services/access.py", "import mailcrm.services.mail.views"),
    "models": ("mailcrm/models/offender.py", "import mailcrm.services.audit"),
    "pure": ("mailcrm/services/mail/parse/offender.py", "import mailcrm.config"),
    "environment": ("mailcrm/services/offender2.py", "import mailcrm.serve"),
}


def test_every_contract_breaks_when_it_is_broken(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "mailcrm", tmp_path / "mailcrm", ignore=shutil.ignore_patterns("__pycache__", "*.po"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in OFFENDERS.values():
        with (tmp_path / path).open("a") as handle:
            handle.write(f"\n{line}\n")
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, env={"COLUMNS": "400"})
    assert done.returncode == 1, done.stdout + done.stderr
    said = re.sub(r"\s+", " ", done.stdout)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {each["id"] for each in contracts} == set(OFFENDERS)
    for each in contracts:
        assert f"{each['name']} BROKEN" in said, each["id"]
