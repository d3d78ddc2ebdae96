"""The reactor: libpython and the C files beside this folder as one wasm module with exports instead of a main."""
import shlex
from pathlib import Path

from . import cpython, exports, image, native, toolchain
from .libraries import environment
from .runner import Context, GUEST, Step

UNITS = ("reactor.c", "boot.c", "hostmodule.c", "alarm.c", "sleep.c", "state.c", "dlfcn.c", "socket.c", "resolve.c")
HEADERS = ("krait_socket.h", "include/netdb.h", "krait_host.h", "boot.h", "hostmodule.h", "alarm.h", "krait_state.h", "state.h",
           "krait_dynlink.h", "tolerant.h")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-sign-conversion", "-Wno-c23-extensions")
# As CPython's own link: the C stack lies below the data, so that its overflow traps.
LAYOUT = ("-z", "stack-size=8388608", "-Wl,--stack-first", "-Wl,--initial-memory=20971520")

# CPython's own modules that configure found no system calls for, compiled again with ours (socket.c, resolve.c): at the link they come
# before their namesakes in libpython. python.wasm, a plain WASI command, keeps the others.
MODULES = {
    "socketmodule.c": ("SOCKET", "SOCKETPAIR", "BIND", "CONNECT", "LISTEN", "GETSOCKNAME", "GETPEERNAME", "SETSOCKOPT", "SENDTO", "RECVFROM",
                       "NETDB_H", "ADDRINFO", "GETADDRINFO", "GETNAMEINFO", "GAI_STRERROR", "GETHOSTBYNAME", "GETHOSTBYADDR", "GETSERVBYNAME",
                       "GETSERVBYPORT", "GETHOSTNAME", "INET_NTOA"),
    "posixmodule.c": ("PIPE", "PIPE2"),
}


def _modules(context: Context, folder: Path, compiler: Path) -> list[Path]:
    objects = []
    for source, calls in MODULES.items():
        objects.append(folder / f"{source}.o")
        include = native.SOURCE.path / "Include"
        context.run(f"compile {source}",
                    [compiler, "-O3", "-DNDEBUG", "-w", "-fno-strict-aliasing", "-fwrapv", "-fvisibility=hidden", "-std=c11",
                     *(f"-DHAVE_{call}=1" for call in calls), "-DENABLE_IPV6=1", "-DPy_BUILD_CORE_BUILTIN", "-I", GUEST / "include", "-include", "netdb.h",
                     "-I", include / "internal", "-I", include / "internal/mimalloc", "-I", include, "-I", cpython.STEP.path,
                     "-c", native.SOURCE.path / "Modules" / source, "-o", objects[-1]], folder, environment())
    return objects


def _build(context: Context, folder: Path) -> None:
    compiler = toolchain.STEP.path / "bin/cc"
    context.run("frozen modules", [native.STEP.path / "python", "-E", image.SCRIPT, "freeze", native.SOURCE.path / "Lib", folder],
                folder)
    includes = (f"--embed-dir={folder}", "-isystem", native.SOURCE.path / "Include", "-isystem", cpython.STEP.path,
                "-isystem", GUEST / "include")
    objects = _modules(context, folder, compiler)
    for unit in UNITS:
        objects.append(folder / f"{unit}.o")
        context.run(f"compile {unit}", [compiler, "-O3", "-DNDEBUG", *WARNINGS, *includes, "-c", GUEST / unit, "-o", objects[-1]],
                    folder, environment())
    linked = shlex.split((cpython.STEP.path / "link-libraries").read_text())
    # For shared libraries; malloc and free for the host too.
    response = folder / "exports.rsp"
    response.write_text("\n".join(exports.flags(cpython.STEP.path / f"libpython{native.SHORT}.a", objects)))
    context.run("link", [compiler, "-mexec-model=reactor", *LAYOUT, f"@{response}", *objects, f"libpython{native.SHORT}.a", *linked,
                         "-o", folder / "python-reactor.wasm"], cpython.STEP.path, environment())
    context.run("strip", ["llvm-strip-19", "--strip-debug", "python-reactor.wasm"], folder)
    for path in (*objects, response, *folder.glob("*.bin")):
        path.unlink()


STEP = Step("reactor", "reactor", _build,
            inputs=(Path(__file__).resolve(), Path(exports.__file__).resolve(), image.SCRIPT, *(GUEST / name for name in (*UNITS, *HEADERS))), after=(cpython.STEP,), disk=60)
