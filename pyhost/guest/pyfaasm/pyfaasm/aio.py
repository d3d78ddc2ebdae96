"""The forms for asyncio: while one coroutine of a function waits for a call, its others run.

    async def main():
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(call(part, str(i).encode())) for i in range(10)]
        return b"".join(part.result() for part in parts)

A loop that waits for calls asks krait instead of its own selector, so the whole sandbox is parked meanwhile.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from . import core
from .chain import _output, _status, _wait, cancel_call, chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .core import BytesLike

_POLL_SECONDS = 0.001  # how often calls are looked at where a loop waits for descriptors too


class _Selector:
    """Stands before a loop's selector: wakes the futures of calls that have ended."""

    def __init__(self, selector: Any) -> None:
        self._inner = selector
        self.waits: dict[int, list[asyncio.Future[None]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _wake(self, timeout: float | None) -> bool:
        ids = list(self.waits)
        index = _wait(ids, timeout)
        if index is None:
            return False
        for future in self.waits.pop(ids[index]):
            if not future.done():
                future.set_result(None)
        return True

    def select(self, timeout: float | None = None) -> Any:
        if not self.waits:
            return self._inner.select(timeout)
        if not self._inner.get_map():
            woken = self._wake(timeout)
        else:
            woken = self._wake(0)
            if not woken and timeout != 0:
                events = self._inner.select(_POLL_SECONDS if timeout is None else min(timeout, _POLL_SECONDS))
                if events:
                    return events
        while woken and self.waits:
            woken = self._wake(0)
        return self._inner.select(0)


async def _ended(call_id: int) -> None:
    if core.is_local_chaining() or _wait([call_id], 0) is not None:
        return
    loop = asyncio.get_running_loop()
    selector = getattr(loop, "_selector", None)
    if selector is None:  # a loop of another make
        while _wait([call_id], 0) is None:
            await asyncio.sleep(_POLL_SECONDS)
        return
    if not isinstance(selector, _Selector):
        selector = loop._selector = _Selector(selector)  # type: ignore[attr-defined]
    future = loop.create_future()
    selector.waits.setdefault(call_id, []).append(future)
    try:
        await future
    finally:
        left = [other for other in selector.waits.get(call_id, ()) if other is not future]
        if left:
            selector.waits[call_id] = left
        else:
            selector.waits.pop(call_id, None)


async def await_call_async(call_id: int, *, check: bool = False) -> int:
    """await_call() for a coroutine. For a timeout, asyncio.timeout(); the call goes on when the wait is cancelled."""
    await _ended(call_id)
    return _status(call_id, check)


async def await_call_output_async(call_id: int, *, check: bool = True) -> bytes:
    """await_call_output() for a coroutine."""
    await _ended(call_id)
    return _output(call_id, check)


async def await_any_async(call_ids: Iterable[int]) -> int:
    """await_any() for a coroutine."""
    ids = list(call_ids)
    if not ids:
        raise ValueError("there is no call to wait for")
    tasks = {asyncio.ensure_future(_ended(call_id)): call_id for call_id in ids}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    first = min(done, key=lambda task: ids.index(tasks[task]))
    first.result()
    return tasks[first]


async def await_all_async(call_ids: Iterable[int], *, check: bool = False) -> list[int]:
    """await_all() for a coroutine."""
    return list(await asyncio.gather(*(await_call_async(call_id, check=check) for call_id in call_ids)))


async def call(func: Callable[[bytes], object] | str, input_data: BytesLike = b"") -> bytes:
    """chain() and await_call_output(): the callee's output. A cancel of the waiting coroutine cancels the call."""
    call_id = chain(func, input_data)
    try:
        return await await_call_output_async(call_id)
    except asyncio.CancelledError:
        cancel_call(call_id)
        raise
