"""What all integration tests share."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from mailcrm.services.auth import passwords


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> None:
    """Hash in microseconds: hundreds of tests sign somebody in. The real cost is tested in tests/unit."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # pyright: ignore[reportPrivateUsage]
    passwords._NOBODY = passwords.hash_password("nobody has this password")  # pyright: ignore[reportPrivateUsage, reportConstantRedefinition]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes: a worker that begins with it last works alone in the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
