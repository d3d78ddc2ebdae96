"""Each call of pyfaasm.state, in a krait function and in local mode alike. The output is b"fine"."""
import os
import tempfile

from pyfaasm import *  # noqa: F403


def faasm_main():
    write_state('a', b'0123456789')
    assert get_state_size('a') == read_state_size('a') == 10
    assert get_state('a', 10) == read_state('a', 4) + b'456789' == read_state('a')
    assert get_state_offset('a', 10, 3, 4) == read_state_offset('a', 10, 3, 4) == b'3456'
    set_state_offset('a', 10, 2, bytearray(b'xy'))
    write_state_offset('a', 12, 11, memoryview(b'!'))
    assert read_state('a') == b'01xy456789\0!'
    push_state('a')
    set_state('a', b'')
    assert read_state('a') == b'' and read_state_size('a') == 0
    pull_state('a', 12)
    assert read_state('a') == b'01xy456789\0!'
    write_state_offset('a', 12, 0, b'AA')
    push_state_partial('a')
    resize_state('a', 5)
    assert read_state('a') == b'AAxy4'
    resize_state('a', 7)
    push_state('a')
    assert read_state('a') == b'AAxy4\0\0'
    write_state('mask', b'\0\1\0\0\0\0\1')
    write_state('a', b'BBBBBBB')
    push_state_partial_mask('a', 'mask')
    pull_state('a')
    assert read_state('a') == b'ABxy4\0B', read_state('a')
    path = tempfile.mktemp()
    with open(path, 'wb') as file:
        file.write(b'from a file')
    assert write_state_from_file('f', path) == 11 and read_state('f') == b'from a file'
    os.unlink(path)
    for key in 'größe', 'k' * 300, ' ':
        set_state(key, key.encode())
        assert get_state(key) == key.encode()
    assert list_state_keys('k') == ['k' * 300] and 'größe' in list_state_keys()
    delete_state('k' * 300)
    assert list_state_keys('k') == []
    append_state('log', b'one')
    append_state('log', b'')
    append_state('log', b'three' * 5_000_000)
    assert [len(e) for e in read_appended_state('log')] == [3, 0, 25_000_000]
    assert read_appended_state('log', 2) == [b'one', b''] and read_appended_state('log', 0) == []
    clear_appended_state('log')
    assert read_appended_state('log') == []
    return 'fine'
