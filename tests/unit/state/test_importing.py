"""What the import page offers: making fields of the workspace is for administrators."""

from __future__ import annotations

from mailcrm.services.access import Actor
from mailcrm.services.crm.transfer.views import FieldView
from mailcrm.state.importing import NEW_FIELDS, _choices
from mailcrm.state.present import eyes_of

NAME = (FieldView("name", "Name"),)


def keys(kind: str, *, admin: bool) -> list[str]:
    return [each.key for each in _choices(NAME, kind, eyes_of(Actor(1)), admin=admin)]


def test_members_are_not_offered_what_is_refused() -> None:
    assert keys("person", admin=False) == ["", "name"]
    assert keys("person", admin=True) == ["", "name", *NEW_FIELDS]


def test_leads_have_no_fields_of_ones_own() -> None:
    assert keys("lead", admin=True) == ["", "name"]
