"""Registers the JavaScript that lies beside a component: `rx.asset(…, shared=True)` without its search for the caller.

Reflex finds its caller with `inspect.stack()`, which looks every frame's source up among all modules: for a score of
files that was half of the time in which the web process starts. Here Reflex's own function runs with frames alone.
"""

from __future__ import annotations

import sys
from types import FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from reflex.assets import asset


class _Caller(NamedTuple):
    frame: FrameType
    filename: str


class _Frames:
    """What `asset` asks of `inspect`."""

    @staticmethod
    def stack() -> list[_Caller]:
        found: list[_Caller] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            found.append(_Caller(frame, frame.f_code.co_filename))
            frame = frame.f_back
        return found

    @staticmethod
    def getmodule(frame: FrameType) -> ModuleType:
        return sys.modules[frame.f_globals["__name__"]]


_asset: Any = FunctionType(asset.__code__, asset.__globals__ | {"inspect": _Frames}, argdefs=asset.__defaults__)


def beside(path: str) -> str:
    """Return the address of a file that lies beside the calling module; the build takes it along."""
    return _asset(path, shared=True, _stack_level=2)
