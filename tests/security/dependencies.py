"""`python -m tests.security.dependencies`: the pinned packages against the OSV database of known holes (pip-audit's source).

One request, with names and versions only. Where the database can't be reached it says so and ends with 0: a check that
needs the network must not fail without it. Ends with 1 when a pinned version has a known hole that is not listed in
`accepted.toml` with the reason why it does not reach us.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OSV = "https://api.osv.dev/v1/querybatch"
WAIT_S = 5
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)")


def pins() -> dict[str, str]:
    """Return every pinned package and its version."""
    found = (_PIN.match(line) for line in (ROOT / "constraints.txt").read_text().splitlines())
    return {match[1].lower(): match[2] for match in found if match}


def ask(packages: dict[str, str]) -> dict[str, list[str]]:
    """Return the ids of known holes of those packages that have any. Raises OSError, ValueError without an answer."""
    asked = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": at} for name, at in packages.items()]
    body = json.dumps({"queries": asked}).encode()
    request = urllib.request.Request(OSV, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return holes(packages, json.load(answer))


def holes(packages: dict[str, str], answer: dict[str, Any]) -> dict[str, list[str]]:
    """Match OSV's results, which come in the order of the questions, with their packages."""
    results = answer["results"]
    if len(results) != len(packages):
        raise ValueError("another number of results than of questions")
    return {
        name: [found["id"] for found in result["vulns"]]
        for name, result in zip(packages, results, strict=True)
        if result.get("vulns")
    }


def accepted() -> dict[str, str]:
    """Return holes that do not reach us, by id, with the reason."""
    return tomllib.loads(Path(__file__).with_name("accepted.toml").read_text())["accepted"]


def main() -> int:
    """Ask and print."""
    packages = pins()
    try:
        found = ask(packages)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(
            f"   dependencies NOT AUDITED: {OSV} can't be reached here ({error}). {len(packages)} pins were not compared."
        )
        return 0
    known = accepted()
    open_ones = {name: [each for each in ids if each not in known] for name, ids in found.items()}
    open_ones = {name: ids for name, ids in open_ones.items() if ids}
    for name, ids in open_ones.items():
        print(f"   {name} {packages[name]}: {', '.join(f'https://osv.dev/{each}' for each in ids)}", file=sys.stderr)
    print(f"   {len(packages)} pinned packages compared with OSV, {len(open_ones)} have known holes.")
    return 1 if open_ones else 0


if __name__ == "__main__":
    sys.exit(main())
