"""Imports over REST (B14): a file in, how it is read, a dry run, the import, its errors, taking it back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.models import Import, Person
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import people
from mailcrm.services.crm.transfer import imports, reading, run
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_user
from tests.integration.crm.transfer.test_imports import count

PEOPLE = "Name,Email,Phone\nMika Aaltonen,mika@saimaa.test,+358 40 1\nNobody,not an address,\n"


def client(actor: Actor) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {users.create_token(actor)}"})


@pytest.fixture
def aino(db: str) -> Actor:
    return a_user("Aino", admin=True)


def uploaded(rest: TestClient, text: str = PEOPLE, kind: str = "persons", **said: str) -> dict[str, Any]:
    answer = rest.post(
        "/imports", params={"kind": kind, **said}, content=text.encode(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_from_the_file_to_its_undo(aino: Actor) -> None:
    """Nothing is written by the dry run; lines with errors are told and given back; undo empties what was made."""
    rest = client(aino)
    made = uploaded(rest, filename="people.csv")
    assert (made["state"], made["filename"], made["rows"]) == ("draft", "people.csv", 2)
    path = f"/imports/{made['id']}"
    columns = rest.get(f"{path}/columns").json()["items"]
    assert [each["key"] for each in columns] == ["name", "address", "phone"]
    look = rest.post(f"{path}/dry-run").json()
    assert (look["made"], look["changed"], look["wrong"]) == (1, 0, 1)
    assert look["problems"][0]["line"] == 3
    assert count(Person) == 0
    assert rest.patch(path, json={"mapping": {"Phone": ""}}).json()["state"] == "draft"
    assert rest.post(f"{path}/start").status_code == 202
    assert rest.post(f"{path}/start").status_code == 409, "it began already"
    run.run_import(made["id"])
    done = rest.get(path).json()
    assert (done["state"], done["made"], done["wrong"], done["done"]) == ("done", 1, 1, 2)
    assert "not an address" in rest.get(f"{path}/errors").json()["items"][0]["sentence"]
    bad = rest.get(f"{path}/bad-lines")
    assert bad.headers["content-type"].startswith("text/csv")
    assert "not an address" in next(csv.reader(io.StringIO(bad.text.splitlines()[1])))
    (card,) = people.list_people(aino).rows
    assert people.get_person(aino, card.id).phones == (), "left out"
    for _twice in range(2):
        assert rest.post(f"{path}/undo").json()["state"] == "undone"
    assert people.list_people(aino).rows == ()
    assert [each["id"] for each in rest.get("/imports").json()["items"]] == [made["id"]]


def test_a_form_is_taken_too(aino: Actor) -> None:
    """The file's own name counts where none is given."""
    rest = client(aino)
    answer = rest.post("/imports?kind=persons", files={"file": ("../../leute.csv", PEOPLE.encode(), "text/csv")})
    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == "leute.csv"
    made = answer.json()["id"]
    assert rest.delete(f"/imports/{made}").status_code == 204
    assert rest.get(f"/imports/{made}").status_code == 404


@pytest.mark.parametrize(
    ("params", "body", "kind", "status", "code"),
    [
        ({"kind": "persons"}, b"", "text/csv", 422, "import.empty"),
        ({"kind": "persons"}, b"Name\n", "text/csv", 422, "import.only_header"),
        ({"kind": "persons"}, b"PK\x03\x04rest", "text/csv", 422, "import.workbook"),
        ({"kind": "users"}, b"Name\nA\n", "text/csv", 422, "input.invalid"),
        ({"kind": "persons", "encoding": "rot13"}, b"Name\nA\n", "text/csv", 422, "input.invalid"),
        ({"kind": "persons", "delimiter": "x"}, b"Name\nA\n", "text/csv", 422, "input.invalid"),
        ({"kind": "persons", "owner": "1"}, b"Name\nA\n", "text/csv", 422, "input.invalid"),
        ({"kind": "persons"}, b"no form at all", "multipart/form-data; boundary=x", 422, "import.empty"),
        ({"kind": "persons"}, b"no form at all", "multipart/form-data", 422, "import.empty"),
        ({"kind": "persons"}, b"x" * (reading.MOST_BYTES + 1), "text/csv", 413, "import.too_large"),
    ],
)
def test_what_is_no_import_is_said(aino: Actor, params: Any, body: bytes, kind: str, status: int, code: str) -> None:
    """One code and one sentence, and nothing is kept."""
    answer = client(aino).post("/imports", params=params, content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert imports.list_imports(aino) == ()


def test_an_import_is_its_users_alone(aino: Actor) -> None:
    """Administrators and colleagues find nothing of it, by any route."""
    noor = a_user("Noor")
    made = uploaded(client(noor))["id"]
    rest = client(aino)
    for method, tail in (
        ("GET", ""), ("GET", "/columns"), ("PATCH", ""), ("POST", "/dry-run"), ("POST", "/start"), ("GET", "/errors"),
        ("GET", "/bad-lines"), ("POST", "/undo"), ("DELETE", ""),
    ):  # fmt: skip
        answer = rest.request(method, f"/imports/{made}{tail}", json={} if method == "PATCH" else None)
        assert answer.status_code == 404, (method, tail)
    assert rest.get("/imports").json()["items"] == []
    assert client(noor).get(f"/imports/{made}").json()["state"] == "draft"


def test_members_make_no_fields_and_stages(aino: Actor) -> None:
    """They are administrators' to make, also by an import."""
    rest = client(a_user("Noor"))
    made = uploaded(rest, "Title,Stage\nOne,Nowhere\n", "deals")["id"]
    for body in ({"make_stages": True}, {"mapping": {"Stage": "new:text"}}):
        assert rest.patch(f"/imports/{made}", json=body).status_code == 403
    assert rest.patch(f"/imports/{made}", json={"settings": {}}).status_code == 422


def test_files_that_wait_are_few(aino: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's drafts are limited, a colleague's are not theirs; discarding or starting one makes room."""
    monkeypatch.setattr(imports, "MOST_DRAFTS", 2)
    rest = client(aino)
    first = uploaded(rest)["id"]
    uploaded(rest)
    refused = rest.post("/imports?kind=persons", content=PEOPLE.encode(), headers={"Content-Type": "text/csv"})
    assert (refused.status_code, refused.json()["code"]) == (409, "import.most_drafts")
    uploaded(client(a_user("Noor")))
    rest.delete(f"/imports/{first}")
    second = uploaded(rest)["id"]
    with transaction() as session:
        session.get_one(Import, second).state = "done"
    uploaded(rest)


def test_a_colleagues_address_is_refused_by_line(aino: Actor) -> None:
    """M27: nobody's contact has one; said for people, for whom a deal names, and for what is added to somebody."""
    a_mailbox(aino, "aino@tidewater.test")
    people.create_person(aino, name="Mika", addresses=["mika@saimaa.test"])
    rest = client(aino)
    text = (
        'Name,Email\nAino,AINO@tidewater.test\nMika,"mika@saimaa.test, aino@tidewater.test"\nLena,lena@nordlicht.test\n'
    )
    look = rest.post(f"/imports/{uploaded(rest, text)['id']}/dry-run").json()
    assert (look["made"], look["changed"], [each["line"] for each in look["problems"]]) == (1, 0, [2, 3])
    assert "belongs to somebody of this workspace" in look["problems"][0]["sentence"]
    deals = "Title,Contact person,Person - Email\nOne,Aino,aino@tidewater.test\n"
    look = rest.post(f"/imports/{uploaded(rest, deals, 'deals')['id']}/dry-run").json()
    assert (look["made"], look["wrong"]) == (0, 1)
    assert "belongs to somebody" in look["problems"][0]["sentence"]


@pytest.mark.parametrize("name", ["@home", "E-mail (@)", "'@handle", "Twitter @"])
def test_a_column_may_be_called_with_an_at(aino: Actor, name: str) -> None:
    """A header is none only where a cell is an address."""
    rest = client(aino)
    made = uploaded(rest, f"Name,{name}\nMika,x\n")
    assert (made["header"], made["rows"]) == (True, 1)
    assert not uploaded(rest, "Mika,mika@saimaa.test\nLena,lena@nordlicht.test\n")["header"]
    own = uploaded(rest, "mailcrm ID,Name,me@home.test\n,Mika,x\n")
    assert own["header"], "one of our own has a header, whatever a field is called"
