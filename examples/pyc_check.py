"""Bytecode: the library's is loaded from the image, and our own survives a .pyc's form and runs as it was compiled."""
import bisect
import dis
import importlib.util
import io
import marshal

SOURCE = """
def clamp(x, low, high):
    if x < low:
        return low
    return min(x, high)
"""

EXPECTED = """\
  RESUME
  LOAD_FAST_LOAD_FAST
  COMPARE_OP
  POP_JUMP_IF_FALSE
  LOAD_FAST
  RETURN_VALUE
  LOAD_GLOBAL
  LOAD_FAST_LOAD_FAST
  CALL
  RETURN_VALUE
"""

HEADER_BYTES = 16


def faasm_main():
    library = bisect.__loader__.get_data(bisect.__cached__)
    assert library[:4] == importlib.util.MAGIC_NUMBER, library[:4]
    assert "insort_left" in marshal.loads(library[HEADER_BYTES:]).co_names

    pyc = io.BytesIO()
    pyc.write(importlib.util.MAGIC_NUMBER + bytes(HEADER_BYTES - 4))
    marshal.dump(compile(SOURCE, "clamp.py", "exec"), pyc)
    pyc.seek(HEADER_BYTES)
    scope = {}
    exec(marshal.load(pyc), scope)
    clamp = scope["clamp"]
    assert [clamp(x, 0, 9) for x in (-5, 5, 50)] == [0, 5, 9]
    found = "".join(f"  {instruction.opname}\n" for instruction in dis.get_instructions(clamp))
    assert found == EXPECTED, found
