"""Labels on conversations and saved views (issue 9, part 1): who sees what, what combines, what an undo brings back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.services.crm import labels as words
from mailcrm.services.crm.linking import link
from mailcrm.services.mail import bulk, files, labels, list_filters, saved_views, threads
from mailcrm.services.mail.thread import manual
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

HERE = "inbox"


def _found(who: object, text: str, folder: str = HERE) -> set[int]:
    wanted = list_filters.filter_of(list_filters.read(text), folder=folder)
    return {row.id for row in threads.list_page(who, wanted).rows}  # pyright: ignore[reportArgumentType]


def test_filters_combine_and_count_what_they_find(db: str) -> None:
    """T07 and issue 9: each filter is a condition of one query; together they leave what all of them leave."""
    ann = a_user()
    box, other = a_mailbox(ann), a_mailbox(ann, "second@tidewater.test")
    plain = a_message(box, subject="plain").thread_id
    files = a_message(box, subject="files", attachment="x.pdf").thread_id
    linked = a_message(other, subject="linked").thread_id
    deal = a_deal(ann)
    link.link_thread(ann, linked, deal_id=deal.card.id)
    tender = words.create_label(ann, "thread", "Tender", "jade")
    labels.put(ann, [plain, files], tender.id, True)
    assert _found(ann, "") == {plain, files, linked}
    assert _found(ann, "files") == {files}
    assert _found(ann, "deal") == {linked}
    assert _found(ann, "unlinked") == {plain, files}
    assert _found(ann, f"label-{tender.id}") == {plain, files}
    assert _found(ann, f"label-{tender.id},files") == {files}
    assert _found(ann, f"box-{other}") == {linked}
    assert _found(ann, f"box-{other},unlinked") == set()
    assert _found(ann, "private") == {plain, files, linked}
    assert _found(ann, "shared") == set()
    threads.mark_read(ann, plain, True)
    assert _found(ann, f"unread,label-{tender.id}") == {files}
    asked = [list_filters.filter_of(list_filters.read(each), folder=HERE) for each in ("", "unlinked", "failed")]
    assert threads.count_each(ann, asked, 100) == (3, 2, 0)
    assert threads.count_each(ann, asked, 1) == (1, 1, 0)
    assert set(threads.list_ids(ann, asked[1], 10)) == {plain, files}
    with pytest.raises(NotFound):
        _found(a_user("Bob"), f"box-{box}")


def test_a_label_is_seen_and_put_by_who_sees_the_conversation(db: str) -> None:
    """M25: a conversation that may not be seen is not found, and no figure tells of it."""
    ann, bob = a_user(), a_user("Bob")
    mine = a_message(a_mailbox(ann), subject="mine").thread_id
    label = words.create_label(ann, "thread", "Tender")
    done = labels.put(ann, [mine], label.id, True)
    assert [each.name for each in threads.list_threads(ann).rows[0].labels] == ["Tender"]
    assert [each.name for each in threads.open_thread(ann, mine).labels] == ["Tender"]
    for call in (
        lambda: labels.put(bob, [mine], label.id, True),
        lambda: labels.set_labels(bob, mine, []),
        lambda: labels.labels_of(bob, mine),
        lambda: labels.put(ann, [mine], words.create_label(ann, "person", "VIP").id, True),
        lambda: labels.put(ann, [mine, 2**62], label.id, True),
    ):
        with pytest.raises(NotFound):
            call()
    assert [(each.name, each.worn) for each in labels.list_labels(bob, [mine])] == [("Tender", 0)]
    assert [each.used for each in words.list_labels(bob, "thread")] == [0]
    assert [each.used for each in words.list_labels(ann, "thread")] == [1]
    labels.undo(bob, done)  # out of sight: nothing happens
    assert labels.labels_of(ann, mine)
    labels.undo(ann, done)
    assert labels.labels_of(ann, mine) == ()


def test_a_deleted_label_leaves_and_comes_back_with_its_uses(db: str) -> None:
    """Everything destructive can be undone; a label that is gone finds nothing."""
    ann = a_user()
    mine = a_message(a_mailbox(ann)).thread_id
    label = words.create_label(ann, "thread", "Tender")
    labels.set_labels(ann, mine, [label.id])
    words.delete_label(ann, label.id)
    assert labels.labels_of(ann, mine) == ()
    assert _found(ann, f"label-{label.id}") == set()
    words.restore_label(ann, label.id)
    assert _found(ann, f"label-{label.id}") == {mine}


def test_labels_go_with_conversations_that_are_merged_and_split(sqlite_db: str) -> None:
    """A merge would take them along with the row that is deleted."""
    ann = a_user()
    box = a_mailbox(ann)
    first, second = a_message(box, subject="one").thread_id, a_message(box, subject="two").thread_id
    one, two = words.create_label(ann, "thread", "One"), words.create_label(ann, "thread", "Two")
    labels.put(ann, [first], one.id, True)
    labels.put(ann, [second, first], two.id, True)
    merged = manual.merge_threads(ann, first, second)
    assert [each.name for each in labels.labels_of(ann, second)] == ["One", "Two"]
    apart = manual.separate(ann, merged)
    assert [each.name for each in labels.labels_of(ann, apart)] == ["One", "Two"]


def test_many_are_made_private_and_shared_again_as_they_were(sqlite_db: str) -> None:
    """M26: the undo shares what was shared, never what was private before."""
    ann = a_user()
    box = a_mailbox(ann)
    first, second = a_message(box, subject="one").thread_id, a_message(box, subject="two").thread_id
    bulk.share(ann, [first])
    done = bulk.make_private(ann, [first, second])
    assert _found(ann, "shared") == set()
    bulk.undo(ann, done)
    assert _found(ann, "shared") == {first}
    with pytest.raises(NotFound):
        bulk.share(a_user("Bob"), [second])
    assert _found(ann, "shared") == {first}


def test_views_are_ones_own_until_they_are_shared(db: str) -> None:
    """A shared view opens in the reader's own mail; only its owner changes it; each has an order of their own."""
    ann, bob = a_user(), a_user("Bob")
    box = a_mailbox(ann)
    mine = saved_views.save(ann, " Hot\x00  ones ", filters="opened,nonsense,unread", query="probe")
    assert (mine.name, mine.filters, mine.query) == ("Hot ones", ("opened", "unread"), "probe")
    assert saved_views.list_views(bob) == ()
    shared = saved_views.save(ann, "Team", folder="sent", shared=True)
    assert [(each.name, each.own) for each in saved_views.list_views(bob)] == [("Team", False)]
    theirs = saved_views.save(bob, "Bob's")
    saved_views.reorder(bob, [theirs.id, shared.id, mine.id])
    assert [each.id for each in saved_views.list_views(bob)] == [theirs.id, shared.id]
    assert [each.id for each in saved_views.list_views(ann)] == [mine.id, shared.id]
    for call in (
        lambda: saved_views.change(bob, shared.id, name="x"),
        lambda: saved_views.delete(bob, shared.id),
        lambda: saved_views.restore(bob, mine.id),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(UserError):
        saved_views.save(ann, "Box", filters=f"box-{box}", shared=True)
    saved_views.delete(ann, shared.id)
    assert [each.id for each in saved_views.list_views(bob)] == [theirs.id]
    saved_views.restore(ann, shared.id)
    assert [each.id for each in saved_views.list_views(bob)] == [theirs.id, shared.id]


def test_a_person_and_days_narrow_a_list(db: str) -> None:
    """DESIGN §3 (c): days are the reader's, both are part of it; of each kind one holds; nobody's person is not found."""
    ann = a_user()
    box = a_mailbox(ann)
    old, newer, newest = (
        a_message(box, subject=f"s{day}", at=datetime(2026, 2, day, 12, tzinfo=UTC)).thread_id for day in (3, 4, 5)
    )
    who = a_person(ann, "Mika Aaltonen", "mika@other.test")
    link.link_thread(ann, newer, person_id=who.card.id)
    assert _found(ann, "since-2026-02-04") == {newer, newest}
    assert _found(ann, "until-2026-02-04") == {old, newer}
    assert _found(ann, "since-2026-02-04,until-2026-02-04") == {newer}
    assert _found(ann, f"person-{who.card.id}") == {newer}
    assert _found(ann, f"person-{who.card.id},since-2026-02-05") == set()
    assert _found(ann, "since-2026-02-05", folder="archive") == set(), "a day is no search: it stays in its folder"
    with pytest.raises(NotFound):
        _found(ann, f"person-{10**9}")


def test_words_of_days_and_persons_are_read_with_care() -> None:
    """What an address holds is anybody's: no such day, no such word."""
    assert list_filters.read("since-2026-02-30,until-2026-13-01,since-99999-01-01,since-,person-0,person-x") == ()
    assert list_filters.read("since-2026-01-01,since-2026-02-01,person-1,person-2") == ("since-2026-02-01", "person-2")
    assert list_filters.turned(("since-2026-02-01",), "since-2026-02-01") == ()
    assert list_filters.without(("since-2026-02-01", "unread"), "since") == ("unread",)
    assert list_filters.without(("label-1", "label-2"), "label") == ("label-1", "label-2")
    assert list_filters.filter_of(("until-2099-12-31",), folder="inbox").query == " before:2100-01-01"


def test_files_are_found_by_their_names(db: str) -> None:
    """The palette: every word of the question begins a word of the name; one's own mail only, nothing that is gone."""
    ann, bob = a_user(), a_user("Bob")
    box = a_mailbox(ann)
    terms = a_message(box, attachment="Signed terms.pdf").thread_id
    a_message(box, attachment="見積書.xlsx")
    gone = a_message(box, attachment="Terms old.pdf").thread_id
    threads.delete(ann, gone)
    assert [(each.thread_id, each.name) for each in files.find(ann, "term sig")] == [(terms, "Signed terms.pdf")]
    assert [each.name for each in files.find(ann, "見積")] == ["見積書.xlsx"]
    for text in ("", "  ", "erms", "is:unread", '" OR', "terms missing"):
        assert files.find(ann, text) == (), text
    assert files.find(bob, "terms") == ()
