"""Local mode's state: what _krait_state has, in this process's memory. Pushes and pulls keep a second copy, as the global tier is."""
from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .core import BytesLike

_local: dict[bytes, bytearray] = {}
_global: dict[bytes, bytes] = {}
_logs: dict[bytes, list[bytes]] = {}
_locks: dict[bytes, list[bool]] = {}  # whether each is a writer's
_MAX_KEY = 300


def _check(key: bytes) -> bytes:
    if not 1 <= len(key) <= _MAX_KEY:
        raise ValueError(f"no state key: {key!r}")
    return key


def _value(key: bytes) -> bytearray:
    if _check(key) not in _local:
        if key not in _global:
            raise KeyError(key.decode(errors="backslashreplace"))
        _local[key] = bytearray(_global[key])
    return _local[key]


def _past_end(key: bytes) -> ValueError:
    return ValueError(f"the range goes past the end of the state {key.decode(errors='backslashreplace')!r}")


def size(key: bytes) -> int:
    return len(_value(key))


def read(key: bytes, offset: int, length: int, whole: bool) -> bytes:
    if length < 0 or offset < 0:
        raise ValueError("negative " + ("length" if length < 0 else "offset"))
    value = _value(key)
    if whole and offset + length > len(value):
        raise _past_end(key)
    return bytes(value[offset : offset + length])


def write(key: bytes, value: BytesLike) -> None:
    _local[_check(key)] = bytearray(memoryview(value))


def write_range(key: bytes, total: int, offset: int, value: BytesLike) -> None:
    data = bytes(memoryview(value))
    if offset < 0 or offset + len(data) > total:
        raise _past_end(key)
    try:
        old = _value(key)
    except KeyError:
        old = _local[key] = bytearray(total)
    old.extend(bytes(max(0, total - len(old))))
    old[offset : offset + len(data)] = data


def resize(key: bytes, to: int) -> None:
    if to < 0:
        raise _past_end(key)
    try:
        old = _value(key)
    except KeyError:
        old = _local[key] = bytearray()
    del old[to:]
    old.extend(bytes(to - len(old)))


def push(key: bytes, partial: bool) -> None:
    _global[key] = bytes(_value(key))


def push_mask(key: bytes, mask: bytes) -> None:
    value, chosen = _value(key), _value(mask)
    if len(value) != len(chosen):
        raise ValueError("a mask of another size")
    old = bytearray(_global.get(key, b"")).ljust(len(value), b"\0")[: len(value)]
    _global[key] = bytes(new if keep else was for new, keep, was in zip(value, chosen, old))


def pull(key: bytes) -> None:
    if key not in _global:
        raise KeyError(key.decode(errors="backslashreplace"))
    _local[key] = bytearray(_global[key])


def delete(key: bytes) -> None:
    _local.pop(_check(key), None)
    _global.pop(key, None)
    _logs.pop(key, None)


def list(prefix: bytes) -> Sequence[bytes]:  # noqa: A001: the host's names
    return sorted(key for key in _local.keys() | _global.keys() if key.startswith(prefix))


def append(key: bytes, element: BytesLike) -> None:
    _logs.setdefault(_check(key), []).append(bytes(memoryview(element)))


def read_log(key: bytes, first: int, count: int) -> Sequence[bytes]:
    return _logs.get(_check(key), [])[first : first + count]


def clear_log(key: bytes) -> None:
    _logs.pop(_check(key), None)


def lock(key: bytes, write: bool, timeout_ns: int) -> None:
    """There is one call, so whatever it would wait for is its own."""
    held = _locks.setdefault(_check(key), [])
    if held and (write or held[0]):
        raise OSError(errno.EDEADLK, "this call has the lock already", key.decode(errors="backslashreplace"))
    held.append(write)


def unlock(key: bytes, write: bool) -> None:
    if write not in _locks.get(key, []):
        raise RuntimeError(f"the state {key.decode(errors='backslashreplace')!r} is not locked by this call")
    _locks[key].remove(write)
