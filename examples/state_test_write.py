"""Writes a value, whole and in part, and pushes both: state_test_read, called after it, finds the result."""
from pyfaasm import pull_state, push_state, push_state_partial, read_state, read_state_offset, write_state, write_state_offset

KEY = "pyStateTest"
WHOLE = b"0123456789"
PART, OFFSET = b"999", 2


def faasm_main():
    write_state(KEY, WHOLE)
    push_state(KEY)
    pull_state(KEY, len(WHOLE))
    if read_state(KEY, len(WHOLE)) != WHOLE:
        return 1
    write_state_offset(KEY, len(WHOLE), OFFSET, PART)
    push_state_partial(KEY)
    pull_state(KEY, len(WHOLE))
    if read_state_offset(KEY, len(WHOLE), OFFSET, len(PART)) != PART:
        return 2
