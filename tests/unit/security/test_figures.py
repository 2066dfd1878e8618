"""The list of figures names threats and tests that exist, and docs/security.md says what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.security.figures import belongs, figures

ROOT = Path(__file__).parents[3]


def test_every_threat_has_a_figure() -> None:
    assert sorted({each.threat for each in figures()}) == list(range(1, 32))


def test_every_test_that_is_named_exists() -> None:
    """A renamed test would leave a figure unmeasured, and nobody would see it."""
    for figure in figures():
        for test in figure.tests:
            path, _, function = test.partition("::")
            assert (ROOT / path).exists(), test
            if function:
                tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
                assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_a_function_is_not_taken_for_one_whose_name_begins_alike() -> None:
    assert belongs("tests/a.py::test_x[1]", "tests/a.py::test_x")
    assert belongs("tests/a.py::test_x[1]", "tests/a.py")
    assert belongs("tests/a/b.py::test_x", "tests/a")
    assert not belongs("tests/a.py::test_xy", "tests/a.py::test_x")
    assert not belongs("tests/ab.py::test_x", "tests/a")


def test_what_the_documentation_names_exists() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w./]+)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    every = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}(" not in every] == []
