"""The errors of pyfaasm.state, in a krait function and in local mode alike. The output is b"fine"."""
import errno

from pyfaasm import *  # noqa: F403


def raised(kind, f, *args, **names):
    try:
        f(*args, **names)
    except kind as e:
        return e
    raise AssertionError(f'{f.__name__}{args} raised nothing')


def faasm_main():
    assert read_state_size('none') == 0
    for f in read_state, pull_state, push_state, push_state_partial:
        assert raised(KeyError, f, 'none').args == ('none',)
    raised(KeyError, read_state_offset, 'none', 10, 0, 1)
    write_state('a', b'0123456789')
    for offset, size in (8, 3), (11, 0), (2**40, 1):
        raised(ValueError, read_state_offset, 'a', 2**50, offset, size)
    for offset, size in (0, -1), (-1, 1):
        raised(ValueError, read_state_offset, 'a', 10, offset, size)
    raised(ValueError, read_state_offset, 'a', 5, 4, 2)
    raised(ValueError, write_state_offset, 'a', 10, 9, b'ab')
    raised(ValueError, write_state_offset, 'a', 10, -1, b'ab')
    raised(ValueError, write_state, '', b'')
    raised(ValueError, write_state, 'k' * 301, b'')
    raised(TypeError, write_state, 'a', 'text')
    write_state('mask', b'short')
    raised(ValueError, push_state_partial_mask, 'a', 'mask')
    assert read_state('a') == b'0123456789'
    raised(RuntimeError, unlock_state_write, 'a')
    with state_lock('a', write=True):
        assert raised(OSError, lock_state_read, 'a').errno == errno.EDEADLK
    with state_lock('a'), state_lock('a', timeout=0):
        assert raised(OSError, lock_state_write, 'a').errno == errno.EDEADLK
    with state_lock('a', write=True, timeout=0.01):
        pass
    return 'fine'
