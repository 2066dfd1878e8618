"""`/activities`, `/notes`, `/labels`, `/custom-fields`, merging persons, `/trash`: what is kept with rows of the CRM.

`enriched` puts `labels` and `custom_fields` on the answers of `/persons`, `/organizations` and `/deals`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from mailcrm.endpoints.api.common import Cursor, Input, Limit, RowId, Who, given, page, plain
from mailcrm.errors import NotFound
from mailcrm.services.access import Actor
from mailcrm.services.crm import activities, custom_fields, duplicates, labels, merge, notes, trash

router = APIRouter()

Word = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(max_length=20_000)]
Id = Annotated[int, Field(ge=1, lt=2**63)]
Ref = Annotated[int | None, Query(ge=1, lt=2**63)]
Kind = Literal["person", "organization", "deal", "lead"]
LabelKind = Literal["person", "organization", "deal", "lead", "thread"]
FieldKind = Literal["person", "organization", "deal"]
Color = Literal["gray", "indigo", "jade", "amber", "red", "plum", "cyan"]
#: By field id: a text, a number, {"minor", "currency"}, a day, an option's id; null empties.
Values = dict[
    Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")],
    StrictBool | StrictInt | StrictFloat | StrictStr | dict[str, StrictInt | StrictStr] | None,
]
LabelIds = Annotated[list[Id], Field(max_length=labels.MOST)]


class NewActivity(Input):
    """A call, meeting or task; at least one of the four ids. `due_at` needs no `due_on`."""

    kind: Literal["call", "meeting", "task"]
    subject: Word
    text: Text = ""
    due_on: date | None = None
    due_at: datetime | None = None
    minutes: int | None = None
    owner_id: Id | None = None
    done: bool = False
    person_id: Id | None = None
    organization_id: Id | None = None
    deal_id: Id | None = None
    lead_id: Id | None = None


class ActivityChange(Input):
    """What is left out stays, null empties; `done` ticks off."""

    kind: Literal["call", "meeting", "task"] | None = None
    subject: Word | None = None
    text: Text | None = None
    due_on: date | None = None
    due_at: datetime | None = None
    minutes: int | None = None
    owner_id: Id | None = None
    done: bool | None = None


class NewNote(Input):
    """A plain text; at least one of the four ids."""

    text: Text
    pinned: bool = False
    person_id: Id | None = None
    organization_id: Id | None = None
    deal_id: Id | None = None
    lead_id: Id | None = None


class NoteChange(Input):
    """What is left out stays."""

    text: Text | None = None
    pinned: bool | None = None


class NewLabel(Input):
    """A label for rows of one kind."""

    kind: LabelKind
    name: Word
    color: Color = "gray"


class LabelChange(Input):
    """What is left out stays."""

    name: Word | None = None
    color: Color | None = None


class NewField(Input):
    """A field; `options` are the names of a choice's."""

    kind: FieldKind
    type: Literal["text", "number", "money", "date", "choice"]
    name: Word
    options: Annotated[list[Word], Field(max_length=custom_fields.OPTIONS_MOST)] = []


class Option(Input):
    """An option; without `id` it is a new one."""

    id: Id | None = None
    name: Word


class FieldChange(Input):
    """Another name, other options (one left out is gone). A type never changes."""

    name: Word | None = None
    options: Annotated[list[Option], Field(max_length=custom_fields.OPTIONS_MOST)] | None = None


class Merging(Input):
    """Who is merged into the person of the path."""

    person_id: Id


@router.get("/activities", tags=["activities"])
def list_activities(
    who: Who,
    person_id: Ref = None,
    organization_id: Ref = None,
    deal_id: Ref = None,
    lead_id: Ref = None,
    owner_id: Ref = None,
    kind: Literal["call", "meeting", "task"] | None = None,
    done: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List activities, newest first."""
    found = activities.list_activities(
        who,
        person_id=person_id,
        organization_id=organization_id,
        deal_id=deal_id,
        lead_id=lead_id,
        owner_id=owner_id,
        kind=kind,
        done=done,
        cursor=cursor,
        limit=limit,
    )
    return page(found.rows, found.next_cursor)


@router.post("/activities", tags=["activities"], status_code=201)
def create_activity(body: NewActivity, who: Who) -> dict[str, Any]:
    """Plan an activity, or note one that is done."""
    return plain(activities.create_activity(who, **body.model_dump()))


@router.get("/activities/{activity_id}", tags=["activities"])
def get_activity(activity_id: RowId, who: Who) -> dict[str, Any]:
    """One activity."""
    return plain(activities.get_activity(who, activity_id))


@router.patch("/activities/{activity_id}", tags=["activities"])
def change_activity(activity_id: RowId, body: ActivityChange, who: Who) -> dict[str, Any]:
    """Change an activity, tick it off."""
    changes = given(body)
    done = changes.pop("done", None)
    found = activities.change_activity(who, activity_id, **changes) if changes else None
    if done is not None:
        found = activities.set_done(who, activity_id, done)
    return plain(found or activities.get_activity(who, activity_id))


@router.delete("/activities/{activity_id}", tags=["activities"], status_code=204)
def delete_activity(activity_id: RowId, who: Who) -> None:
    """Put an activity in the trash."""
    activities.delete(who, activity_id)


@router.get("/notes", tags=["notes"])
def list_notes(
    who: Who,
    person_id: Ref = None,
    organization_id: Ref = None,
    deal_id: Ref = None,
    lead_id: Ref = None,
    pinned: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List notes, newest first."""
    found = notes.list_notes(
        who,
        person_id=person_id,
        organization_id=organization_id,
        deal_id=deal_id,
        lead_id=lead_id,
        pinned=pinned,
        cursor=cursor,
        limit=limit,
    )
    return page(found.rows, found.next_cursor)


@router.post("/notes", tags=["notes"], status_code=201)
def create_note(body: NewNote, who: Who) -> dict[str, Any]:
    """Leave a note."""
    return plain(notes.create_note(who, **body.model_dump()))


@router.get("/notes/{note_id}", tags=["notes"])
def get_note(note_id: RowId, who: Who) -> dict[str, Any]:
    """One note."""
    return plain(notes.get_note(who, note_id))


@router.patch("/notes/{note_id}", tags=["notes"])
def change_note(note_id: RowId, body: NoteChange, who: Who) -> dict[str, Any]:
    """Change a note, pin it."""
    return plain(notes.change_note(who, note_id, **given(body)))


@router.delete("/notes/{note_id}", tags=["notes"], status_code=204)
def delete_note(note_id: RowId, who: Who) -> None:
    """Put a note in the trash."""
    notes.delete(who, note_id)


@router.get("/labels", tags=["labels"])
def list_labels(who: Who, kind: LabelKind | None = None) -> dict[str, Any]:
    """List labels in order; `used` counts rows that you may see."""
    return page(labels.list_labels(who, kind))


@router.post("/labels", tags=["labels"], status_code=201)
def create_label(body: NewLabel, who: Who) -> dict[str, Any]:
    """Add a label."""
    return plain(labels.create_label(who, **body.model_dump()))


@router.get("/labels/{label_id}", tags=["labels"])
def get_label(label_id: RowId, who: Who) -> dict[str, Any]:
    """One label."""
    return plain(_one(labels.list_labels(who), label_id))


@router.patch("/labels/{label_id}", tags=["labels"])
def change_label(label_id: RowId, body: LabelChange, who: Who) -> dict[str, Any]:
    """Give a label another name or colour."""
    labels.change_label(who, label_id, **given(body))
    return plain(_one(labels.list_labels(who), label_id))


@router.delete("/labels/{label_id}", tags=["labels"], status_code=204)
def delete_label(label_id: RowId, who: Who) -> None:
    """Take a label off everything."""
    labels.delete_label(who, label_id)


@router.post("/labels/{label_id}/restore", tags=["labels"])
def restore_label(label_id: RowId, who: Who) -> dict[str, Any]:
    """Undo the deletion, uses included."""
    return plain(labels.restore_label(who, label_id))


@router.get("/custom-fields", tags=["custom fields"])
def list_fields(who: Who, kind: FieldKind | None = None) -> dict[str, Any]:
    """List the fields that the workspace added."""
    return page(custom_fields.list_fields(who, kind))


@router.post("/custom-fields", tags=["custom fields"], status_code=201)
def create_field(body: NewField, who: Who) -> dict[str, Any]:
    """Add a field. Administrators only."""
    return plain(custom_fields.create_field(who, body.kind, body.type, body.name, body.options))


@router.get("/custom-fields/{field_id}", tags=["custom fields"])
def get_field(field_id: RowId, who: Who) -> dict[str, Any]:
    """One field."""
    return plain(_one(custom_fields.list_fields(who), field_id))


@router.patch("/custom-fields/{field_id}", tags=["custom fields"])
def change_field(field_id: RowId, body: FieldChange, who: Who) -> dict[str, Any]:
    """Change a field's name or options. Administrators only."""
    options = None if body.options is None else [(each.id, each.name) for each in body.options]
    return plain(custom_fields.change_field(who, field_id, name=body.name, options=options))


@router.delete("/custom-fields/{field_id}", tags=["custom fields"], status_code=204)
def delete_field(field_id: RowId, who: Who) -> None:
    """Take a field away; its values are kept. Administrators only."""
    custom_fields.delete_field(who, field_id)


@router.post("/custom-fields/{field_id}/restore", tags=["custom fields"])
def restore_field(field_id: RowId, who: Who) -> dict[str, Any]:
    """Undo the deletion. Administrators only."""
    return plain(custom_fields.restore_field(who, field_id))


@router.get("/persons/{person_id}/merge-preview", tags=["persons"])
def preview_merge(person_id: RowId, merged_id: Annotated[int, Query(ge=1, lt=2**63)], who: Who) -> dict[str, Any]:
    """What merging `merged_id` into this person would leave."""
    return plain(merge.preview(who, person_id, merged_id))


@router.post("/persons/{person_id}/merge", tags=["persons"])
def merge_person(person_id: RowId, body: Merging, who: Who) -> dict[str, Any]:
    """Merge another person into this one."""
    return {"merge_id": merge.merge(who, person_id, body.person_id), "person_id": person_id}


@router.get("/persons/{person_id}/merges", tags=["persons"])
def list_merges(person_id: RowId, who: Who) -> dict[str, Any]:
    """Who was merged into this person, and is still."""
    return page(merge.merges_of(who, person_id))


@router.post("/person-merges/{merge_id}/undo", tags=["persons"])
def undo_merge(merge_id: RowId, who: Who) -> dict[str, Any]:
    """Undo a merge."""
    return {"person_id": merge.undo(who, merge_id)}


@router.get("/persons/{person_id}/duplicates", tags=["persons"])
def list_duplicates(person_id: RowId, who: Who) -> dict[str, Any]:
    """Who might be the same person."""
    return page(duplicates.duplicates_of(who, person_id))


@router.get("/trash", tags=["trash"])
def list_trash(
    who: Who,
    kind: Literal["person", "organization", "deal", "lead", "note", "activity", ""] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List what was deleted and you may bring back, of one kind or of all, the last first."""
    found = trash.page_of_trash(who, kind, cursor, limit)
    return page(found.rows, found.next_cursor)


@router.post("/trash/{kind}/{row_id}/restore", tags=["trash"], status_code=204)
def restore(
    kind: Literal["person", "organization", "deal", "lead", "note", "activity"], row_id: RowId, who: Who
) -> None:
    """Bring a row back; a merged person by undoing the merge."""
    trash.restore(who, kind, row_id)


def take(who: Actor, kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Take `labels` and `custom_fields` out of a body and check them, before anything is written."""
    taken = {name: changes.pop(name) for name in ("labels", "custom_fields") if changes.get(name) is not None}
    changes.pop("labels", None)
    changes.pop("custom_fields", None)
    if "labels" in taken:
        labels.check(who, kind, taken["labels"])
    if "custom_fields" in taken:
        taken["custom_fields"] = {int(field_id): value for field_id, value in taken["custom_fields"].items()}
        custom_fields.check(who, kind, taken["custom_fields"])
    return taken


def put(who: Actor, kind: str, row_id: int, taken: dict[str, Any]) -> None:
    """Write what `take` took."""
    if "labels" in taken:
        labels.set_labels(who, kind, row_id, taken["labels"])
    if "custom_fields" in taken:
        custom_fields.set_values(who, kind, row_id, taken["custom_fields"])


def enriched(who: Actor, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Add `labels`, and `custom_fields` by field id with null where it is empty."""
    answer["labels"] = plain(labels.labels_of(who, kind, answer["id"]))
    if kind in custom_fields.KINDS:
        found = custom_fields.values_of(who, kind, answer["id"])
        answer["custom_fields"] = {str(each.field.id): plain(each.value) for each in found}
    return answer


def with_fields(who: Actor, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Add `custom_fields` to the rows of a page, by field id with null where it is empty. Two statements."""
    listed = answer["items"]
    values = custom_fields.values_of_many(who, kind, [each["id"] for each in listed])
    for each in listed:
        each["custom_fields"] = {str(field_id): plain(value) for field_id, value in values[each["id"]].items()}
    return answer


def _one(found: tuple[Any, ...], row_id: int) -> Any:
    for each in found:
        if each.id == row_id:
            return each
    raise NotFound
