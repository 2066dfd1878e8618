"""Sets of values that a statement is given when it runs, so that it is made once and is the same text every time.

`column IN (?, ?, …)` is another statement for each number of values: SQLAlchemy writes it anew, PostgreSQL plans it
anew, and a page asks a dozen of them. One parameter with all values is an array there and a JSON list on SQLite.
Statements with it are kept by whoever makes them (`functools.cache`), by dialect. Does not run anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Text, any_, bindparam, func, literal, select
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Session


class Several(TypeDecorator[Any]):
    """The values of one parameter: numbers, or texts."""

    impl = Text
    cache_ok = True

    def __init__(self, of_text: bool = False) -> None:
        super().__init__()
        self.of_text = of_text

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        of: TypeEngine[Any] = Text() if self.of_text else BigInteger()
        return dialect.type_descriptor(ARRAY(of))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


def among(column: Any, name: str, dialect: str, *, of_text: bool = False) -> ColumnElement[bool]:
    """Hold for rows whose column has one of the values that are given by this name, any number of them."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(Text() if of_text else BigInteger())))
    values = func.json_each(bindparam(name, type_=Several(of_text))).table_valued("value")
    return column.in_(select(values.c.value))


def one_of(column: Any, values: Sequence[Any], dialect: str, *, of_text: bool = False) -> ColumnElement[bool]:
    """The same with the values of now: for many of them, in a statement that is not kept."""
    if dialect == "postgresql":
        return column == any_(literal(list(values), ARRAY(Text() if of_text else BigInteger())))
    return column.in_(select(func.json_each(literal(values, Several(of_text))).table_valued("value").c.value))


class Kept:
    """Statements that differ by more than their values: the last ones that were made, by what they differ by."""

    def __init__(self, most: int = 128) -> None:
        self.most = most
        self.made: dict[Any, Any] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made for this key, or make it."""
        found = self.made.get(key)
        if found is None:
            if len(self.made) >= self.most:
                self.made.clear()
            found = self.made[key] = make()
        return found


def dialect_of(session: Session) -> str:
    """Return the name of the session's dialect."""
    return session.get_bind().dialect.name
