"""Calls that a call makes: of its own file's functions, and of its user's other functions.

    def faasm_main():
        calls = [chain(part, str(i).encode()) for i in range(10)]
        return b"".join(await_call_output(call) for call in calls)

    def part(data):
        return data * 2

A call that waits holds no core: any number of them may wait for one another. Where PYTHON_LOCAL_CHAINING is set a chained call is a
plain call in this process, under any CPython, so that a function's tests need no service.
"""
from __future__ import annotations

import sys

from . import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .core import BytesLike

_TIMES = ("queued", "start", "run", "reset", "cpu")
_ENDS = ("returned", "raised", "trapped", "timed out", "cancelled", "failed")


class CallResult:
    """How a chained call ended."""

    # By hand: dataclasses would take longer to import than all of this package.
    __slots__ = ("call_id", "status", "end", "output", "stdout", "stderr", "error_type", "error_message", "traceback", "times", "peak_memory")

    call_id: int
    status: int  #: 0 is success
    end: str  #: "returned", "raised", "trapped", "timed out", "cancelled" or "failed"
    output: bytes
    stdout: str
    stderr: str
    error_type: str  #: the exception's, as "ValueError"; "" where there was none
    error_message: str
    traceback: str  #: as Python prints it
    times: dict[str, float]  #: seconds: "queued", "start", "run", "reset", "cpu"
    peak_memory: int  #: bytes of linear memory

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"CallResult({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return CallResult, tuple(getattr(self, name) for name in self.__slots__)


class CallError(RuntimeError):
    """A chained call has failed; its str() ends with the callee's traceback.

    Attributes: `result` (CallResult), `call_id`, `status`, `error_type`, `error_message`, `traceback`.
    """

    def __init__(self, result: CallResult) -> None:
        self.result = result
        self.call_id, self.status = result.call_id, result.status
        self.error_type, self.error_message, self.traceback = result.error_type, result.error_message, result.traceback
        what = f"{result.error_type}: {result.error_message}" if result.error_type else result.error_message
        text = f"call {result.call_id} {result.end} with status {result.status}" + (f": {what}" if what else "")
        super().__init__(text + (f"\n\n{result.traceback}" if result.traceback else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.result,)


# --- local mode: a call is run at once, and its result kept

_local_results: dict[int, CallResult] = {}


_NOTHING = dict.fromkeys(_TIMES, 0.0), 0


def _run_locally(function: Callable[[bytes], object], data: BytesLike) -> int:
    import time
    import traceback

    call_id = len(_local_results) + 1
    _local_results[call_id] = CallResult(call_id, 1, "failed", b"", "", "", "", "", "", *_NOTHING)  # its id is taken
    before = core._local_input, core._local_output
    core._local_input, core._local_output = bytes(data), None
    status, end, failure = 0, "returned", ("", "", "")
    began = time.monotonic(), time.process_time()
    try:
        value = function(bytes(data))
        if isinstance(value, (bytes, bytearray, memoryview, str)):
            if core._local_output is None:
                core._local_output = value.encode() if isinstance(value, str) else bytes(value)
        elif value is not None:
            status = int(value)  # type: ignore[call-overload]
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except Exception as error:
        status, end = 1, "raised"
        failure = type(error).__qualname__, str(error), "".join(traceback.format_exception(error))
        sys.stderr.write(failure[2])
    times = {**_NOTHING[0], "run": time.monotonic() - began[0], "cpu": time.process_time() - began[1]}
    output = core._local_output or b""
    core._local_input, core._local_output = before
    _local_results[call_id] = CallResult(call_id, status, end, output, "", failure[2], *failure, times, 0)
    return call_id


# --- starting calls


def chain(func: Callable[[bytes], object] | str, input_data: BytesLike = b"") -> int:
    """Starts a call of a function of this file, given as itself or by its name; returns its id, an int above 0.

    The callee runs in a sandbox of its own, in which the file is loaded and the function is called with `input_data` (bytes-like) as
    its one argument. It must be found in the file under its name: a lambda, a method or an inner function is a ValueError.
    RuntimeError where the chain has as many calls, or is as deep, as its limits allow.
    """
    name = func if isinstance(func, str) else func.__name__
    if core.is_local_chaining():
        return _run_locally(func if callable(func) else getattr(sys.modules["__main__"], name), input_data)
    if not isinstance(func, str) and (func.__qualname__ != name or name == "<lambda>"):
        raise ValueError(f"{func.__qualname__} cannot be chained: only a function at the top of the file can be found by its callee")
    return core._host().chain("", name, input_data)


chain_this_with_input = chain


def chain_name(user_func: str, input_data: BytesLike = b"", entry: str = "faasm_main") -> int:
    """Starts a call of another function of the same user, Python or wasm: "FUNC" or "USER/FUNC". Returns its id.

    It reads `input_data` by get_input(); an `entry` other than faasm_main gets it as its argument. LookupError where there is no such
    function, PermissionError where it is another user's, RuntimeError as chain(). In local mode it is FUNC.py beside the main program.
    """
    if not core.is_local_chaining():
        return core._host().chain(user_func, entry, input_data)
    import importlib

    function = getattr(importlib.import_module(user_func.rpartition("/")[2]), entry)
    takes_input = function.__code__.co_argcount > 0
    return _run_locally(function if takes_input else lambda data: function(), input_data)


# --- waiting for them


def _wait(call_ids: list[int], timeout: float | None) -> int | None:
    """The index of one that has ended, or None where the time is over."""
    if core.is_local_chaining():
        for call_id in call_ids:
            if call_id not in _local_results:
                raise LookupError(f"{call_id} is no call that was chained here")
        return 0
    return core._host().wait(call_ids, -1 if timeout is None else max(0, int(timeout * 1e9)))


def _late(call_ids: list[int], timeout: float | None) -> TimeoutError:
    what = f"call {call_ids[0]} has" if len(call_ids) == 1 else f"none of {len(call_ids)} calls has"
    return TimeoutError(f"{what} ended within {timeout} s")


def get_result(call_id: int) -> CallResult:
    """All about a call that has ended. LookupError where it has not, or its result is gone."""
    if core.is_local_chaining():
        if call_id not in _local_results:
            raise LookupError(f"{call_id} is no call that was chained here")
        return _local_results[call_id]
    part = core._host().result
    numbers = part(call_id, 0)
    status, end = int.from_bytes(numbers[:4], "little", signed=True), int.from_bytes(numbers[4:], "little")
    texts = [part(call_id, field).decode(errors="replace") for field in (5, 6, 2, 3, 4)]
    cost = part(call_id, 7)
    *times, peak = (int.from_bytes(cost[at : at + 8], "little") for at in range(0, len(cost), 8))
    return CallResult(call_id, status, _ENDS[end], part(call_id, 1), *texts, {name: ns / 1e9 for name, ns in zip(_TIMES, times)}, peak)


def _status(call_id: int, check: bool) -> int:
    if core.is_local_chaining() or check:
        result = get_result(call_id)
        if check and result.status != 0:
            raise CallError(result)
        return result.status
    return int.from_bytes(core._host().result(call_id, 0)[:4], "little", signed=True)


def _output(call_id: int, check: bool) -> bytes:
    _status(call_id, check)
    return get_result(call_id).output if core.is_local_chaining() else core._host().result(call_id, 1)


def await_call(call_id: int, *, timeout: float | None = None, check: bool = False) -> int:
    """Waits for a chained call and returns its status: 0 is success, 1 an exception.

    With `check` a status that is not 0 raises CallError with the callee's traceback. TimeoutError after `timeout` seconds (the call goes
    on); LookupError for an id that is no chained call's, or whose result is gone.
    """
    if _wait([call_id], timeout) is None:
        raise _late([call_id], timeout)
    return _status(call_id, check)


def await_call_output(call_id: int, *, timeout: float | None = None, check: bool = True) -> bytes:
    """Waits for a chained call and returns its output, b"" where it set none.

    A failed call raises CallError with its traceback, unless `check` is False. Errors as await_call().
    """
    if _wait([call_id], timeout) is None:
        raise _late([call_id], timeout)
    return _output(call_id, check)


def await_any(call_ids: Iterable[int], *, timeout: float | None = None) -> int:
    """Waits until one of the calls has ended and returns its id. ValueError where there are none; errors as await_call()."""
    ids = list(call_ids)
    if not ids:
        raise ValueError("there is no call to wait for")
    index = _wait(ids, timeout)
    if index is None:
        raise _late(ids, timeout)
    return ids[index]


def await_all(call_ids: Iterable[int], *, timeout: float | None = None, check: bool = False) -> list[int]:
    """Waits for all of the calls and returns their statuses in order. `timeout`, in seconds, is for all together."""
    import time

    end = None if timeout is None else time.monotonic() + timeout
    statuses = []
    for call_id in call_ids:
        left = None if end is None else end - time.monotonic()
        if _wait([call_id], left) is None:
            raise _late([call_id], timeout)
        statuses.append(_status(call_id, check))
    return statuses


def cancel_call(call_id: int) -> None:
    """Ends a chained call, and those that it chained; one that has ended stays as it is. LookupError as await_call()."""
    if not core.is_local_chaining():
        core._host().cancel(call_id)
    elif call_id not in _local_results:
        raise LookupError(f"{call_id} is no call that was chained here")
