"""Keys and values at their edges, in a krait function and in local mode alike. The output is b"fine"."""
from pyfaasm import *  # noqa: F403

ODD = [" ", "\t\n", "a/b", "../a", "/", ".", "..", "a\0b", "\0", "%00", "größe", "鍵", "\U0001f511", "'\"\\", "a" * 300, "é" * 150, "\udcff",
       "faasm://x", "_", "-", "CON", "a:b", "*", "key\r"]


def faasm_main():
    for key in ODD:
        write_state(key, key.encode("utf-8", "surrogateescape"))
        push_state(key)
        append_state(key, b"log")
    for key in ODD:
        assert read_state(key) == key.encode("utf-8", "surrogateescape") and read_appended_state(key) == [b"log"], key
    assert sorted(list_state_keys()) == sorted(ODD)
    assert sorted(list_state_keys("a")) == sorted(key for key in ODD if key.startswith("a"))
    for key in ODD:
        delete_state(key)
        assert read_state_size(key) == 0 and read_appended_state(key) == []
    assert list_state_keys() == []

    write_state("empty", b"")
    push_state("empty")
    pull_state("empty", 0)
    assert (read_state("empty"), read_state("empty", 0), read_state("empty", 5), read_state_size("empty")) == (b"", b"", b"", 0)
    assert read_state_offset("empty", 0, 0, 0) == b"" and list_state_keys() == ["empty"]
    append_state("empty", b"")
    assert read_appended_state("empty") == [b""]
    for size in 10, 0, 100_000, 3, 70_000, 1:
        write_state("sizes", b"x" * size)
        push_state("sizes")
        pull_state("sizes")
        assert read_state("sizes") == b"x" * size
    write_state("sizes", b"0123456789")
    push_state("sizes")
    write_state_offset("sizes", 10, 0, b"a")
    write_state_offset("sizes", 10, 9, b"z")
    push_state_partial("sizes")
    resize_state("sizes", 4)
    write_state_offset("sizes", 6, 5, b"!")
    push_state_partial("sizes")
    pull_state("sizes")
    assert read_state("sizes") == b"a123\0!"

    names = [f"many/{i:05}" for i in range(10_000)]
    for name in names:
        write_state(name, b"x")
    assert list_state_keys("many/") == names
    assert list_state_keys("many/0001") == names[10:20] and list_state_keys("many/x") == []
    for name in names[::100]:
        push_state(name)
    assert list_state_keys("many/") == names
    return "fine"
