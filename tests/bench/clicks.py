"""Times what a person waits for, inside the page: from the browser's event to the frame after its result is painted.

The clock starts with the `timeStamp` of the event itself, so nothing of the program that drives the browser is in a
figure. It stops at the second animation frame after the result is in the document: the first one paints it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

#: Waits for an event of this kind, then looks before each frame whether the result is there.
ARM = """([kind, text, most]) => {
  const done = new Function("return (" + text + ")");
  window.benchTook = new Promise((resolve) => {
    window.addEventListener(kind, (event) => {
      const begun = event.timeStamp;
      const look = () => {
        if (done()) requestAnimationFrame(() => resolve(performance.now() - begun));
        else if (performance.now() - begun > most) resolve(null);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}"""
#: The same from the beginning of a page's load, for a script that runs before the page's own.
FROM_LOAD = """(() => {
  const look = () => {
    if (TEXT) requestAnimationFrame(() => { window.benchLoaded = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
MOST_MS = 15_000


@dataclass(frozen=True)
class Times:
    """What repetitions of one step took, in milliseconds."""

    each: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The middle one."""
        return statistics.median(self.each)

    @property
    def p95(self) -> float:
        """The slowest of 95 % of them."""
        return sorted(self.each)[min(len(self.each) - 1, int(len(self.each) * 0.95))]

    def __str__(self) -> str:
        return f"{self.p95:.0f} ms (p50 {self.p50:.0f}, {len(self.each)} times)"


class TooSlow(RuntimeError):
    """A result that did not come within MOST_MS."""


def timed(page: Page, kind: str, act: Callable[[], Any], until: str) -> float:
    """Do something that causes an event of this kind; return the milliseconds until the expression holds and is painted."""
    page.evaluate(ARM, [kind, until, MOST_MS])
    act()
    took = page.evaluate("window.benchTook")
    if took is None:
        raise TooSlow(f"not within {MOST_MS} ms: {until}")
    return float(took)


def load(page: Page, address: str, until: str) -> float:
    """Load an address; return the milliseconds until the expression holds and is painted."""
    page.add_init_script(FROM_LOAD.replace("TEXT", until))
    page.goto(address)
    page.wait_for_function("window.benchLoaded", timeout=4 * MOST_MS)
    return float(page.evaluate("window.benchLoaded"))


def repeated(steps: Iterable[Callable[[], float]], *, warm: int = 1) -> Times:
    """Do steps one after the other; the first ones warm what they need and are not counted."""
    taken = [step() for step in steps]
    return Times(tuple(taken[warm:]))


def quoted(value: str) -> str:
    """Write a text for an expression."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
