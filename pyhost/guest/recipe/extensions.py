"""Python's C extensions as shared libraries, and what one needs to build others: headers and compilers.

lib-dynload/  _ctypes over our own libffi (ffi/), and _ctypes_test, which CPython's tests of it call
include/      Python's headers
bin/          wasm-cc and wasm-c++: clang for shared libraries
"""
import shutil
from pathlib import Path

from . import cpython, libraries, native, toolchain
from .runner import Context, GUEST, Step

SUFFIX = f".cpython-{native.SHORT.replace('.', '')}-wasm32-wasi.so"
FFI = ("ffi/ffi.c", "ffi/closures.c")
FFI_HEADERS = ("ffi/ffi.h", "ffi/ffi_wasm.h", "krait_dynlink.h")
WRAPPER = GUEST / "wasm-cc.in"
CTYPES = ("_ctypes.c", "callbacks.c", "callproc.c", "cfield.c", "stgdict.c")
HAVE = ("-DHAVE_FFI_PREP_CIF_VAR=1", "-DHAVE_FFI_PREP_CLOSURE_LOC=1", "-DHAVE_FFI_CLOSURE_ALLOC=1",
        "-DCTYPES_MAX_ARGCOUNT=1000")  # a function of wasm takes no more

# A call that the host refuses is an exception in Python.
CALL = "ffi_call(&cif, (void *)pProc, resmem, avalues);"
AFTER_CALL = "    if ((flags & FUNCFLAG_PYTHONAPI) && PyErr_Occurred())\n        return -1;\n"
REFUSED = """    const char *why = ffi_failure();
    if (why) {
        PyErr_SetString(st->PyExc_ArgError, why);
        return -1;
    }
"""


def _refusals(source: str) -> str:
    if source.count(CALL) != 1 or source.count(AFTER_CALL) != 1:
        raise RuntimeError("callproc.c calls functions in another way than it did: see pyhost/guest/recipe/extensions.py")
    return source.replace(AFTER_CALL, REFUSED + AFTER_CALL)


def _build(context: Context, folder: Path) -> None:
    include = folder / "include"
    shutil.copytree(native.SOURCE.path / "Include", include, ignore=shutil.ignore_patterns("*.in"))
    shutil.copy(cpython.STEP.path / "pyconfig.h", include)
    commands = folder / "bin"
    commands.mkdir()
    for name, compiler in (("wasm-cc", "cc"), ("wasm-c++", "c++")):
        text = WRAPPER.read_text().replace("@COMPILER@", str(toolchain.STEP.path / "bin" / compiler))
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    sources = native.SOURCE.path / "Modules/_ctypes"
    work = folder / "work"
    shutil.copytree(sources, work)
    (work / "callproc.c").write_text(_refusals((work / "callproc.c").read_text()))
    (folder / "lib-dynload").mkdir()
    for module, units in (("_ctypes", [*(work / unit for unit in CTYPES), *(GUEST / unit for unit in FFI)]),
                          ("_ctypes_test", [work / "_ctypes_test.c"])):
        context.run(f"compile {module}", [commands / "wasm-cc", "-shared", "-O2", "-DNDEBUG", "-fvisibility=hidden", *HAVE, "-I", GUEST / "ffi",
                                          "-I", include / "internal", *units, "-o", folder / "lib-dynload" / f"{module}{SUFFIX}"],
                    folder, libraries.environment())
        context.run("strip", ["llvm-strip-19", "--strip-debug", folder / "lib-dynload" / f"{module}{SUFFIX}"], folder)
    shutil.rmtree(work)


STEP = Step("extensions", "C extensions", _build,
            inputs=(Path(__file__).resolve(), WRAPPER, *(GUEST / name for name in (*FFI, *FFI_HEADERS))), after=(cpython.STEP,), disk=30)
