"""State: bytes by key, shared by all functions of a user, in two tiers.

The local tier is one copy of each value in the server's process: what a call writes, the other calls of that process read at once. The
global tier is durable and shared by all processes: `push` sends a value there and returns when it survives a crash, `pull` brings what was
pushed last. Reading a key for the first time pulls it by itself.

    write_state("model", weights)
    push_state("model")
    with state_lock("counter", write=True):
        ...

Keys are str of 1 to 300 bytes in UTF-8. Values are bytes; functions take whatever is bytes-like. Sizes, lengths and offsets are
in bytes. Both of Faasm's dialects name the same functions (get_state = read_state, set_state = write_state).

All of them raise KeyError for a key that has no value (where they need one), ValueError for a range past the end (nothing is then read or
written), MemoryError where a user's values that are not pushed fill its share of memory, OSError (ENOSPC) where the user's share of
the store is used up, and RuntimeError outside of krait and of local mode. In local mode (core.py) the state is in this process alone.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .core import is_local_chaining, is_local_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import _host as _abi
    from .core import BytesLike

_host: _abi.State | None
try:
    import _krait_state as _host  # type: ignore[import, no-redef]
except ImportError:
    _host = None

__all__ = [
    "append_state", "clear_appended_state", "delete_state", "get_state", "get_state_offset", "get_state_size", "list_state_keys",
    "lock_state_read", "lock_state_write", "pull_state", "push_state", "push_state_partial", "push_state_partial_mask",
    "read_appended_state", "read_state", "read_state_offset", "read_state_size", "resize_state", "set_state", "set_state_offset",
    "state_lock", "unlock_state_read", "unlock_state_write", "write_state", "write_state_from_file", "write_state_offset",
]

_MOST = 2**31 - 1


def _tier() -> _abi.State:
    if is_local_output() or is_local_chaining():
        from . import _local_state

        return _local_state
    if _host is None:
        raise RuntimeError("this is no krait function: set_local_input_output(True) or PYTHON_LOCAL_OUTPUT=1 turns local mode on")
    return _host


def _name(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


# --- reading


def read_state_size(key: str) -> int:
    """The size of the value in bytes; 0 where there is none."""
    try:
        return _tier().size(_name(key))
    except KeyError:
        return 0


def read_state(key: str, state_len: int | None = None) -> bytes:
    """The whole value; with `state_len` the first that many bytes, fewer where it is shorter."""
    tier, name = _tier(), _name(key)
    if state_len is not None:
        return tier.read(name, 0, state_len, False)
    while True:  # another call may change the size in between
        size = tier.size(name)
        value = tier.read(name, 0, size, False)
        if tier.size(name) == len(value):
            return value


def read_state_offset(key: str, total_len: int, offset: int, offset_len: int) -> bytes:
    """Exactly `offset_len` bytes from `offset` on. ValueError where the value ends before, or `total_len` does."""
    if offset + offset_len > total_len:
        raise ValueError(f"the range [{offset}, {offset + offset_len}) goes past the end of the {total_len} bytes of {key!r}")
    return _tier().read(_name(key), offset, offset_len, True)


# --- writing


def write_state(key: str, value: BytesLike) -> None:
    """Makes `value` the value, of its size; not pushed."""
    _tier().write(_name(key), value)


def write_state_offset(key: str, total_len: int, offset: int, value: BytesLike) -> None:
    """Writes `value` from `offset` on; not pushed.

    A value shorter than `total_len`, or none, is first extended to it by zeros; none is cut. ValueError where the range is not inside
    `total_len`.
    """
    _tier().write_range(_name(key), total_len, offset, value)


def resize_state(key: str, size: int) -> None:
    """Cuts the value to `size` bytes, or extends it by zeros; not pushed."""
    _tier().resize(_name(key), size)


def write_state_from_file(key: str, path: str) -> int:
    """Makes the file's contents the value; not pushed. Returns its size."""
    with open(path, "rb") as file:
        value = file.read()
    write_state(key, value)
    return len(value)


# --- between the tiers


def push_state(key: str) -> None:
    """Sends the value to the global tier, if anything of it was changed; it is durable on return, and others' pushes are overwritten."""
    _tier().push(_name(key), False)


def push_state_partial(key: str) -> None:
    """Sends the ranges that were changed, and the size if it was; what others pushed beside them stays. Durable on return."""
    _tier().push(_name(key), True)


def push_state_partial_mask(key: str, mask_key: str) -> None:
    """As push_state_partial, for the bytes whose place in the value of `mask_key`, of the same size, is not 0."""
    _tier().push_mask(_name(key), _name(mask_key))


def pull_state(key: str, state_len: int | None = None) -> None:
    """Takes the value that was pushed last; changes that were not pushed are lost. `state_len` is not used: sizes may change.

    KeyError where none was pushed, or the key was deleted.
    """
    _tier().pull(_name(key))


def delete_state(key: str) -> None:
    """Deletes value and log, in both tiers; durable on return. Without effect where there is neither."""
    _tier().delete(_name(key))


def list_state_keys(prefix: str = "") -> list[str]:
    """The keys that have a value and start with `prefix`, sorted; also those that are not pushed yet."""
    return [name.decode("utf-8", "surrogateescape") for name in _tier().list(_name(prefix))]


# --- the log of a key


def append_state(key: str, value: BytesLike) -> None:
    """Adds an element to the key's log, which lies beside its value in the global tier: atomic, and durable on return."""
    _tier().append(_name(key), value)


def read_appended_state(key: str, n_elems: int | None = None) -> list[bytes]:
    """The first `n_elems` elements of the log, or all, oldest first; fewer where there are fewer."""
    tier, name, wanted = _tier(), _name(key), _MOST if n_elems is None else n_elems
    if wanted < 0:
        raise ValueError(f"a negative number of elements: {wanted}")
    elements: list[bytes] = []
    while len(elements) < wanted and (more := tier.read_log(name, len(elements), wanted - len(elements))):
        elements += more
    return elements


def clear_appended_state(key: str) -> None:
    """Empties the log; durable on return. The value stays."""
    _tier().clear_log(_name(key))


# --- locks


def _lock(key: str, write: bool, timeout: float | None) -> None:
    _tier().lock(_name(key), write, -1 if timeout is None else max(0, int(timeout * 1e9)))


def lock_state_read(key: str, timeout: float | None = None) -> None:
    """Takes the key's lock together with other readers; see state_lock."""
    _lock(key, False, timeout)


def lock_state_write(key: str, timeout: float | None = None) -> None:
    """Takes the key's lock alone; see state_lock."""
    _lock(key, True, timeout)


def unlock_state_read(key: str) -> None:
    """Gives it back. RuntimeError where this call has no such lock."""
    _tier().unlock(_name(key), False)


def unlock_state_write(key: str) -> None:
    """Gives it back. RuntimeError where this call has no such lock."""
    _tier().unlock(_name(key), True)


@contextmanager
def state_lock(key: str, write: bool = False, timeout: float | None = None) -> Iterator[None]:
    """A with block in which this call has the key's lock: alone with `write`, else together with other readers.

    Locks are between the calls of one server process. They are advisory, need no value, and are fair: who asks first gets it first. A lock
    is given back at the end of its call at the latest, however that ends. `timeout` is in seconds. Raises TimeoutError, and OSError
    (EDEADLK) where the wait could not end: this call has the lock already (a read lock may be taken again), or the one who has it
    waits for a lock of this call.
    """
    _lock(key, write, timeout)
    try:
        yield
    finally:
        _tier().unlock(_name(key), write)


# --- the older names

get_state_size: Callable[[str], int] = read_state_size
get_state = read_state
get_state_offset = read_state_offset
set_state = write_state
set_state_offset = write_state_offset
