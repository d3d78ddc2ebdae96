"""Finds what state_test_write has pushed, whole and in ranges."""
from pyfaasm import read_state, read_state_offset

KEY = "pyStateTest"
WHOLE = b"0199956789"
RANGES = {(0, 3): b"019", (4, 4): b"9567"}


def faasm_main():
    found = read_state(KEY, len(WHOLE))
    if found != WHOLE:
        print(f"the value is {found!r}, not {WHOLE!r}")
        return 1
    for (offset, length), expected in RANGES.items():
        found = read_state_offset(KEY, len(WHOLE), offset, length)
        if found != expected:
            print(f"[{offset}, {offset + length}) is {found!r}, not {expected!r}")
            return 1
