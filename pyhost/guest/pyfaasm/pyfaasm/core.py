"""Input, output and local mode.

Local mode keeps input and output in this process: it is how a function's tests run under plain CPython. It is on while its
environment variable is not empty, so it reaches child processes too.
"""
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Union

    from . import _host as _abi

    BytesLike = Union[bytes, bytearray, memoryview]

_krait: _abi.Calls | None
try:
    import _krait  # type: ignore[import, no-redef]
except ImportError:
    _krait = None

LOCAL_OUTPUT = "PYTHON_LOCAL_OUTPUT"
LOCAL_CHAINING = "PYTHON_LOCAL_CHAINING"

_local_input = b""
_local_output: bytes | None = None
_restore_hooks: list[Callable[[], object]] = []
_emulated: dict[str, object] = {}


def _host() -> _abi.Calls:
    if _krait is None:
        raise RuntimeError(f"this is no krait function: call set_local_input_output(True) or set {LOCAL_OUTPUT}=1 for local mode")
    return _krait


# --- local mode


def get_env_bool(name: str) -> bool:
    """Whether the environment variable is set to anything but the empty string."""
    return bool(os.environ.get(name))


def set_env_bool(name: str, value: bool) -> None:
    """Sets the environment variable to "1", or removes it."""
    if value:
        os.environ[name] = "1"
    else:
        os.environ.pop(name, None)


def is_local_output() -> bool:
    """Whether input and output stay in this process."""
    return get_env_bool(LOCAL_OUTPUT)


def is_local_chaining() -> bool:
    """Whether chained calls run in this process."""
    return get_env_bool(LOCAL_CHAINING)


def set_local_input_output(value: bool) -> None:
    """Turns local mode for input and output on or off."""
    set_env_bool(LOCAL_OUTPUT, value)


def set_local_chaining(value: bool) -> None:
    """Turns local mode for chained calls on or off."""
    set_env_bool(LOCAL_CHAINING, value)


def set_local_input(data: bytes) -> None:
    """The input that a function reads in local mode; it is empty before."""
    global _local_input
    _local_input = bytes(data)


# --- input


def get_input_len() -> int:
    """The length of the input in bytes; 0 where the call has none. RuntimeError outside of krait and of local mode."""
    return len(_local_input) if is_local_output() else _host().input_size()


def read_input(input_len: int) -> bytes:
    """The first `input_len` bytes of the input, fewer where it is shorter; NULs are bytes like any other.

    ValueError for a negative length, RuntimeError outside of krait and of local mode.
    """
    if not is_local_output():
        return _host().input_read(input_len)
    if input_len < 0:
        raise ValueError(f"negative length: {input_len}")
    return _local_input[:input_len]


def get_input() -> bytes:
    """The whole input; b"" where the call has none. RuntimeError outside of krait and of local mode."""
    return read_input(get_input_len())


# --- output


def write_output(output: BytesLike | str) -> None:
    """Sets the call's output: what its caller gets, byte for byte. The last one wins; a str is encoded as UTF-8.

    TypeError for what is neither bytes-like nor str, OSError (EFBIG) for more than a call may return, RuntimeError outside
    of krait and of local mode.
    """
    global _local_output
    data = output.encode() if isinstance(output, str) else output
    if is_local_output():
        _local_output = bytes(memoryview(data))
    else:
        _host().output_write(data)


set_output = write_output


def get_output() -> bytes | None:
    """The output that was set in local mode; None if there is none. RuntimeError outside of local mode."""
    if not is_local_output():
        raise RuntimeError("the output can only be read back in local mode")
    return _local_output


# --- the call


def call_info() -> dict[str, str]:
    """The names of the running call: "user", "function" and "entry". RuntimeError outside of krait."""
    host = _host()
    return {name: host.call_info(kind) for kind, name in enumerate(("user", "function", "entry"))}


def check_python_bindings() -> None:
    """Prints a line if a function's calls reach krait; RuntimeError if they do not."""
    host = _host()
    size = host.input_size()
    if len(host.input_read(size)) != size:
        raise RuntimeError(f"the input's {size} bytes cannot be read")
    print("Hello from krait's Python bindings")


# --- snapshots


def on_restore(function: Callable[[], object]) -> Callable[[], object]:
    """Has `function` called, without arguments, at the start of each call that begins from a snapshot. Usable as a decorator.

    A module's code runs once, when the function is uploaded; what it made is in the snapshot that all calls start from. `random`,
    `secrets`, `uuid`, `os.urandom`, `os.environ` and the clocks are fresh in each call by themselves; this is for the rest: a
    random.Random of the module's own, a time that it took, a connection. An exception of it fails the call. In the order in which
    they were given; not called where a call has run the module's code itself.
    """
    _restore_hooks.append(function)
    return function


def _restored() -> None:
    for hook in list(_restore_hooks):
        hook()


# --- Faasm's emulator: the message that a test gives to a function that runs outside of a service


def set_emulator_message(message: str) -> int:
    """Sets the call that this process stands for, as JSON: "user", "function", "py_user", "py_func", "input_data". Returns its id, 1.

    Its input becomes the local one, and local mode is turned on. ValueError for what is no JSON object.
    """
    import json  # only tests need it

    fields = json.loads(message)
    if not isinstance(fields, dict):
        raise ValueError("an emulator message is a JSON object")
    _emulated.clear()
    _emulated.update(fields, status=None)
    set_local_input_output(True)
    set_local_input(str(fields.get("input_data", "")).encode())
    return 1


def set_emulator_status(success: bool) -> None:
    """Says how the emulated call ended; get_emulator_async_response gives it back."""
    _emulated["status"] = bool(success)


def get_emulator_async_response() -> str:
    """The emulated call's response as JSON: {"id": 1, "success": true, "output_data": "..."}. RuntimeError before its status is set."""
    if _emulated.get("status") is None:
        raise RuntimeError("the emulated call has not ended: set_emulator_status() says that it has")
    import json

    output = (_local_output or b"").decode(errors="replace")
    return json.dumps({"id": 1, "success": _emulated["status"], "output_data": output})


def _init_host_interface() -> None:
    """Faasm's loads the host's functions by it; here they are there."""
    _host()


def __getattr__(name: str) -> object:
    """Faasm's packages have every call in `core`; the others' homes are beside it."""
    import pyfaasm

    if name in pyfaasm.__all__:
        return getattr(pyfaasm, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
