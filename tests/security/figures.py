"""Reads figures.toml: which threats there are, which figures prove them met, which tests measure each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("figures.toml")


@dataclass(frozen=True)
class Figure:
    """A figure of a threat; `tests` are files or file::function, `lacks` what of it nothing measures yet."""

    threat: int
    name: str
    says: str
    tests: tuple[str, ...]
    lacks: str


def figures() -> list[Figure]:
    """Return all, in the order of the threats."""
    read = tomllib.loads(LIST.read_text(encoding="utf-8"))
    names = {int(number): name for number, name in read["threats"].items()}
    found = [
        Figure(row["threat"], names[row["threat"]], row["says"], tuple(row["tests"]), row.get("lacks", ""))
        for row in read["figure"]
    ]
    return sorted(found, key=lambda each: each.threat)


def belongs(node: str, test: str) -> bool:
    """Whether a collected test is one that a figure names."""
    plain = node.partition("[")[0]
    return plain == test or plain.startswith((f"{test}::", f"{test}/"))
