"""A row of the list renders for itself: what it reads of states would render hundreds of rows with each of their changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mailcrm.components.thread_list import thread_row
from mailcrm.components.when_changed import WHEN_CHANGED

NODE = Path(sys.executable).with_name("node")
COMPARED = """
const memo = (shown, same) => same;
const same = WRAPPER(null);
const row = () => ({id: 7, subject: "Offer", labels: [{id: 1, name: "Hot"}]});
const was = {row: row(), active: false, unread: true};
console.log(JSON.stringify([
  same(was, {...was, row: row()}),
  same(was, {...was, active: true}),
  same(was, {...was, row: {...row(), subject: "Order"}}),
  same(was, {...was, row: {...row(), labels: []}}),
  same(was, {row: was.row, active: false}),
]));
"""


def test_a_row_reads_no_state_but_the_words() -> None:
    """M03: opening a conversation, or resting on a mark, changes a state of the page, not a row."""
    hooks = thread_row._definition.component._get_all_hooks()
    read = [hook for hook in hooks if "useStateContext(" in hook]
    assert len(read) == 1, read
    assert "i18n_state" in read[0]


@pytest.mark.skipif(not NODE.exists(), reason="node is part of the interface's build")
def test_a_row_with_the_same_content_stays_as_it_is() -> None:
    """Each answer makes new objects of all rows; only one whose content changed renders."""
    done = subprocess.run(
        [NODE, "-e", COMPARED.replace("WRAPPER", str(WHEN_CHANGED))], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [True, False, False, False, False]
