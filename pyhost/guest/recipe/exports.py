"""What the reactor exports for shared libraries: Python's C API, the C library and the compiler's run-time library.

Python's part is what the headers declare with default visibility. Of the C library everything, but what the guest itself defines, threads
and the entry points of a program; and but iconv and crypt, whose tables are the larger part of it all.
"""
import re
import subprocess
from pathlib import Path
from typing import Iterable

from . import toolchain

LEFT_OUT = re.compile(r"^(__wasi_|__imported_|_*pthread_|dl(open|sym|close|error)$|_start$|main$|__main|_Exit$|sem_|cnd_|mtx_|thrd_|tss_|call_once|"
                      r"__wasm_call|__wasilibc_(init|deinit)|__gcc_personality|_Unwind|iconv|__?crypt|encrypt$|setkey$|__(do_)?des)|\.")
DEFINED = "TWDBVR"


def _members(archive: Path) -> dict[str, set[str]]:
    """Global symbols that each member of an archive, or an object by itself, defines."""
    text = subprocess.run(["llvm-nm-19", "--defined-only", "--extern-only", archive], capture_output=True, text=True, check=True).stdout
    members: dict[str, set[str]] = {}
    member = ""
    for line in text.splitlines():
        fields = line.split()
        if line.endswith(":"):
            member = line
        elif len(fields) == 3 and fields[1] in DEFINED:
            members.setdefault(member, set()).add(fields[2])
    return members


def _all(members: dict[str, set[str]]) -> set[str]:
    return set().union(*members.values())


def _visible(archive: Path) -> set[str]:
    text = subprocess.run(["llvm-readobj-19", "--symbols", archive], capture_output=True, text=True, check=True).stdout
    blocks = re.findall(r"^  Symbol \{\n(.*?)^  \}", text, re.DOTALL | re.MULTILINE)
    hidden = ("UNDEFINED", "BINDING_LOCAL", "VISIBILITY_HIDDEN")
    return {re.search(r"Name: (\S+)", block)[1] for block in blocks if not any(word in block for word in hidden) and "Name: " in block}


def flags(python: Path, objects: Iterable[Path]) -> list[str]:
    """For the linker. `python` is libpython."""
    own = _all(_members(python)).union(*(_all(_members(path)) for path in objects))
    library = toolchain.STEP.path / "sysroot/lib/wasm32-wasi"
    wanted = set()
    for archive in (library / "libc.a", library / "libm.a", toolchain.STEP.path / "resource/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a"):
        for symbols in _members(archive).values():
            if not symbols & own:
                wanted |= {symbol for symbol in symbols if not LEFT_OUT.search(symbol)}
    api = {name for name in _visible(python) if re.match(r"_?Py|PY", name)}
    exported = sorted(api | wanted | {"__stack_pointer", "dlopen", "dlsym", "dlclose", "dlerror"})
    return ["-Wl,--export-table", "-Wl,--growable-table", *(f"-Wl,--export-if-defined={name}" for name in exported),
            "-Wl,--export=__stack_pointer"]
