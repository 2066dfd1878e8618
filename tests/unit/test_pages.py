"""Every page compiles: no Node needed, and a Var that is used wrongly is found here (reflex.md section 5)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = """
from mailcrm.mailcrm import PAGES, app
app._compile(dry_run=True, use_rich=False)
assert not [path for path in app._unevaluated_pages if "gallery" in path]
from mailcrm.gallery import gallery
shown = str(gallery().render())
assert shown.count("gallery-part") > 8, "a part of the gallery is missing"
print(len(PAGES), "pages")
"""


def test_all_pages_compile(tmp_path: Path) -> None:
    """In a process of its own: Reflex registers states once for each process. The gallery is in no build but its own."""
    import os

    env = os.environ | {"MAILCRM_DATA_DIR": str(tmp_path), "REFLEX_TELEMETRY_ENABLED": "false"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert int(done.stdout.split()[-2]) > 10
