"""What a function calls: its input and output, chained calls, state; in both of Faasm's dialects.

    from pyfaasm import get_input, set_output, chain_this_with_input, await_call     # the older names
    from pyfaasm import read_input, write_output, chain, await_call                  # the newer ones

Under plain CPython the package works in local mode: set_local_input_output(True) and set_local_chaining(True), or
PYTHON_LOCAL_OUTPUT=1 and PYTHON_LOCAL_CHAINING=1 in the environment.
"""
from __future__ import annotations

from .chain import (
    CallError,
    CallResult,
    await_all,
    await_any,
    await_call,
    await_call_output,
    cancel_call,
    chain,
    chain_name,
    chain_this_with_input,
    get_result,
)
from .core import (
    call_info,
    check_python_bindings,
    get_emulator_async_response,
    get_env_bool,
    get_input,
    get_input_len,
    get_output,
    is_local_chaining,
    is_local_output,
    on_restore,
    read_input,
    set_emulator_message,
    set_emulator_status,
    set_env_bool,
    set_local_chaining,
    set_local_input,
    set_local_input_output,
    set_output,
    write_output,
)
from .state import (
    append_state,
    clear_appended_state,
    delete_state,
    get_state,
    get_state_offset,
    get_state_size,
    list_state_keys,
    lock_state_read,
    lock_state_write,
    pull_state,
    push_state,
    push_state_partial,
    push_state_partial_mask,
    read_appended_state,
    read_state,
    read_state_offset,
    read_state_size,
    resize_state,
    set_state,
    set_state_offset,
    state_lock,
    unlock_state_read,
    unlock_state_write,
    write_state,
    write_state_from_file,
    write_state_offset,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import aio, config, matrix, matrix_data, objects
    from .aio import await_all_async, await_any_async, await_call_async, await_call_output_async, call

_ASYNC = ("await_all_async", "await_any_async", "await_call_async", "await_call_output_async", "call")
_MODULES = ("aio", "config", "matrix", "matrix_data", "objects")

__all__ = [
    "CallError",
    "CallResult",
    "append_state",
    "await_all",
    "await_all_async",
    "await_any",
    "await_any_async",
    "await_call",
    "await_call_async",
    "await_call_output",
    "await_call_output_async",
    "call",
    "call_info",
    "cancel_call",
    "chain",
    "chain_name",
    "chain_this_with_input",
    "check_python_bindings",
    "clear_appended_state",
    "delete_state",
    "get_emulator_async_response",
    "get_env_bool",
    "get_input",
    "get_input_len",
    "get_output",
    "get_result",
    "get_state",
    "get_state_offset",
    "get_state_size",
    "is_local_chaining",
    "is_local_output",
    "list_state_keys",
    "lock_state_read",
    "lock_state_write",
    "on_restore",
    "pull_state",
    "push_state",
    "push_state_partial",
    "push_state_partial_mask",
    "read_appended_state",
    "read_input",
    "read_state",
    "read_state_offset",
    "read_state_size",
    "resize_state",
    "set_emulator_message",
    "set_emulator_status",
    "set_env_bool",
    "set_local_chaining",
    "set_local_input",
    "set_local_input_output",
    "set_output",
    "set_state",
    "set_state_offset",
    "state_lock",
    "unlock_state_read",
    "unlock_state_write",
    "write_output",
    "write_state",
    "write_state_from_file",
    "write_state_offset",
]


def __getattr__(name: str) -> Any:
    """What few functions need, and what comes with it: asyncio, dataclasses, numpy."""
    if name in _ASYNC:
        from . import aio

        return getattr(aio, name)
    if name in _MODULES:
        import importlib

        return importlib.import_module(f"pyfaasm.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
