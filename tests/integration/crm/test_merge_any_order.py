"""Merges and undos in any order end where a plain reference says: whose addresses, deals and conversations."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Link, PersonAddress
from mailcrm.services.crm import deals, merge, people
from mailcrm.services.db import reading, transaction
from tests.builders import a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")
PERSONS = 3
POOL = ["a@saimaa.test", "b@saimaa.test", "c@saimaa.test"]
Sets = dict[int, set[tuple[str, object]]]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owned=st.lists(st.sets(st.sampled_from(POOL)), min_size=PERSONS, max_size=PERSONS),
    linked=st.lists(st.tuples(st.sets(st.integers(0, 1)), st.booleans()), min_size=PERSONS, max_size=PERSONS),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=8),
)
def test_any_order(
    owned: list[set[str]], linked: list[tuple[set[int], bool]], steps: list[tuple[bool, int, int]]
) -> None:
    """M30 besides: a conversation taken off one of two stays off where a rule linked the other."""
    aino = a_user()
    box = a_mailbox(aino)
    threads = [a_message(box, sender=f"x{at}@other.test", subject=f"S{at}").thread_id for at in range(2)]
    ids: list[int] = []
    for addresses, (sources, off) in zip(owned, linked, strict=True):
        made = people.create_person(aino, name="P", addresses=sorted(addresses)).card.id
        ids.append(made)
        deals.create_deal(aino, title="D", person_id=made)
        with transaction() as session:
            for source in sources:
                session.add(Link(thread_id=threads[source], person_id=made, origin="rule"))
                session.flush()
            if off:
                for row in session.exec(select(Link).where(Link.person_id == made)):
                    row.unlinked_at = row.created_at
                    session.add(row)
    model, gone, stack = _state(ids), dict[int, int](), list[tuple[int, int, int, Sets]]()
    for is_merge, first, second in steps:
        if is_merge:
            kept, merged = ids[first % PERSONS], ids[second % PERSONS]
            if kept == merged or kept in gone or merged in gone:
                with pytest.raises(UserError):
                    merge.merge(aino, kept, merged)
                continue
            before = {each: set(model[each]) for each in (kept, merged)}
            _merge(model, kept, merged)
            stack.append((merge.merge(aino, kept, merged), kept, merged, before))
            gone[merged] = kept
        elif stack:
            merge_id, kept, merged, before = chosen = stack[first % len(stack)]
            later = any(one[1] == kept and one[0] > merge_id for one in stack)
            if kept in gone or later:
                with pytest.raises(UserError):
                    merge.undo(aino, merge_id)
                continue
            merge.undo(aino, merge_id)
            stack.remove(chosen)
            model |= before
            del gone[merged]
        assert _state(ids) == model


def _merge(model: Sets, kept: int, merged: int) -> None:
    """Everything that the kept one lacks goes over; off wins over a rule's link, in the kept one's row."""
    for kind, value in sorted(model[merged], key=repr):
        if kind in ("on", "off"):
            if ("on", value) in model[kept]:
                if kind == "off":
                    model[kept] = (model[kept] - {("on", value)}) | {("off", value)}
                continue
            if ("off", value) in model[kept]:
                continue
        elif kind == "address" and (kind, value) in model[kept]:
            continue
        model[merged] = model[merged] - {(kind, value)}
        model[kept] = model[kept] | {(kind, value)}


def _state(ids: list[int]) -> Sets:
    found: Sets = {each: set() for each in ids}
    with reading() as session:
        for row in session.exec(select(PersonAddress).where(col(PersonAddress.person_id).in_(ids))):
            found[row.person_id].add(("address", row.address))
        for deal in session.exec(select(Deal).where(col(Deal.person_id).in_(ids))):
            found[deal.person_id or 0].add(("deal", deal.id))
        for link in session.exec(select(Link).where(col(Link.person_id).in_(ids))):
            found[link.person_id or 0].add(("on" if link.unlinked_at is None else "off", link.thread_id))
    return found
