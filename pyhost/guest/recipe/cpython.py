"""CPython for wasm: the plain WASI command, and the static library that the reactor is linked from.

The product is the build tree without its objects: libpython, the modules' own archives, pyconfig.h, and link-libraries,
what a program that embeds libpython has to add.
"""
from pathlib import Path

from . import libraries, native, toolchain
from .runner import Context, GUEST, Step

# In front of the sources that call functions of extensions; not by CFLAGS, which sysconfig would hand on to others.
TOLERANT = GUEST / "tolerant.h"
CALLERS = ("Objects/call.o", "Objects/descrobject.o", "Objects/methodobject.o", "Python/ceval.o")
PROBE = """include Makefile
krait-link-libraries:
\t@echo $(MODLIBS) $(LIBS) $(SYSLIBS) > link-libraries
"""


def environment() -> dict[str, str]:
    """configure's inputs. pkg-config must see nothing of the machine's own libraries."""
    commands = toolchain.STEP.path / "bin"
    env = {**libraries.environment(), "CC": f"{commands}/cc", "CXX": f"{commands}/c++", "CPP": f"{commands}/cpp",
           "AR": "llvm-ar-19", "RANLIB": "llvm-ranlib-19", "READELF": "true", "HOSTRUNNER": "false",
           "CONFIG_SITE": str(native.SOURCE.path / "Tools/wasm/config.site-wasm32-wasi"), "PKG_CONFIG": "false",
           "CFLAGS": "-O3", "OPT": "-DNDEBUG -O3"}
    for step, variable, link in zip(libraries.STEPS, ("ZLIB", "BZIP2", "LIBLZMA", "LIBSQLITE3"),
                                    ("-lz", "-lbz2", "-llzma", "-lsqlite3 -lm")):
        env[f"{variable}_CFLAGS"] = f"-I{step.path}/include"
        env[f"{variable}_LIBS"] = f"-L{step.path}/lib {link}"
    env["CPPFLAGS"] = " ".join(f"-I{step.path}/include" for step in libraries.STEPS)
    env["LDFLAGS"] = " ".join(f"-L{step.path}/lib" for step in libraries.STEPS)
    return env


def _build(context: Context, folder: Path) -> None:
    env = environment()
    context.run("configure: checks",
                [native.configure_from(folder), "--host=wasm32-wasip1", "--build=x86_64-pc-linux-gnu",
                 f"--with-build-python={native.STEP.path}/python", "--prefix=/", "--with-ensurepip=no", "--with-pymalloc",
                 "--disable-test-modules"], folder, env, count="^checking", total=native.CHECKS)
    context.make("compile callers", [*CALLERS, f"EXTRA_CFLAGS=-include {TOLERANT}"], folder, env)
    context.make("compile", ["python.wasm", f"libpython{native.SHORT}.a", "pybuilddir.txt"], folder, env)
    (folder / "probe.mk").write_text(PROBE)
    context.run("link libraries", ["make", "-s", "-f", "probe.mk", "krait-link-libraries"], folder, env)
    context.run("strip", ["llvm-strip-19", "--strip-debug", "python.wasm"], folder, env)
    for path in folder.rglob("*.o"):
        path.unlink()


STEP = Step("cpython", "CPython for wasm", _build, inputs=(Path(__file__).resolve(), TOLERANT),
            after=(native.SOURCE, native.STEP, toolchain.STEP, *libraries.STEPS), disk=400)
