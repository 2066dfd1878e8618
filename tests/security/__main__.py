"""`python -m tests.security [threat …]`: runs what measures the threats' figures and prints the table.

The tests are those of `make test`; nothing runs only here. Exits 1 when a figure that has tests is not met or could not
be measured (its tests were skipped, or are gone); a figure without tests is printed as MISSING and says so honestly.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter, defaultdict

import pytest

from tests.security.figures import Figure, belongs, figures


class Results:
    """A pytest plugin that keeps how each test ended, and what it measured (`record_property("measured", …)`)."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self.measured: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of setup, call and teardown."""
        node = report.nodeid.partition("@")[0]  # xdist's loadgroup puts the group behind
        if report.failed:
            self.ended[node] = "failed"
        elif report.skipped:
            self.ended.setdefault(node, "skipped")
        elif report.when == "call":
            self.ended.setdefault(node, "passed")
        for name, value in report.user_properties:
            if name == "measured":
                self.measured[node] = str(value)


def main(only: set[int]) -> int:
    """Run and print."""
    os.environ.setdefault("MAILCRM_DISK_STRIDE", "1")  # all fifty points of threat 27; `make test` takes every third
    os.environ.setdefault("MAILCRM_FIDELITY_STRIDE", "1")
    chosen = [each for each in figures() if not only or each.threat in only]
    tests = list(dict.fromkeys(test for each in chosen for test in each.tests))
    results = Results()
    options = [
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *os.environ.get("MAILCRM_SECURITY_PYTEST", "-n 2").split(),
    ]
    if "-n" in options:
        options += ["--dist", "loadgroup"]
    code = pytest.main([*options, *tests], plugins=[results]) if tests else 0
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        print(f"pytest ended with {code!r}: the table below is not whole.", file=sys.stderr)
    states = _print(chosen, results)
    failed = states["NOT MET"] + states["NOT MEASURED"]
    print(", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    return 1 if failed or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else 0


def _print(chosen: list[Figure], results: Results) -> Counter[str]:
    states: Counter[str] = Counter()
    print(f"\n{'threat':34} {'figure':62} {'measured':30} met")
    for each in chosen:
        measured, state = _judge(each, results)
        states[state] += 1
        columns = [
            textwrap.wrap(f"{each.threat:2} {each.name}", 34),
            textwrap.wrap(each.says + (f" (not yet: {each.lacks})" if each.lacks else ""), 62),
            textwrap.wrap(measured, 30),
            ["yes" if state == "met" else state],
        ]
        for line in range(max(map(len, columns))):
            cells = [column[line] if line < len(column) else "" for column in columns]
            print(f"{cells[0]:34} {cells[1]:62} {cells[2]:30} {cells[3]}".rstrip())
    return states


def _judge(figure: Figure, results: Results) -> tuple[str, str]:
    if not figure.tests:
        return "", "MISSING"
    ended: defaultdict[str, list[str]] = defaultdict(list)
    absent = 0
    for test in figure.tests:
        nodes = [node for node in results.ended if belongs(node, test)]
        absent += not nodes
        for node in nodes:
            ended[results.ended[node]].append(node)
    said = [value for node, value in results.measured.items() if any(belongs(node, test) for test in figure.tests)]
    passed, failed, skipped = (len(ended[state]) for state in ("passed", "failed", "skipped"))
    measured = "; ".join([*said, f"{passed} of {passed + failed} cases"]) + (f", {skipped} skipped" if skipped else "")
    if failed:
        return measured, "NOT MET"
    return measured, "NOT MEASURED" if absent or not passed else "met"


if __name__ == "__main__":
    sys.exit(main({int(each) for each in sys.argv[1:] if each.isdecimal()}))
