"""The C libraries of CPython's modules, as static wasm libraries: zlib, bzip2, xz, sqlite."""
import shutil
from pathlib import Path
from typing import Iterable

from . import toolchain
from .native import ccache
from .runner import GUEST, Context, Source, Step

ZLIB = Source(
    "zlib", "zlib_1.3.dfsg+really1.3.1.orig.tar.gz",
    "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb", "KRAIT_ZLIB_TARBALL",
    ("source", "--download-only", "--tar-only", "zlib"))
BZIP2 = Source(
    "bzip2", "bzip2_1.0.8.orig.tar.gz",
    "ab5a03176ee106d3f0fa90e381da478ddae405918153cca248e682cd0c4a2269", "KRAIT_BZIP2_TARBALL",
    ("source", "--download-only", "--tar-only", "bzip2"))
XZ = Source(
    "xz", "xz-utils_5.8.1.orig.tar.xz",
    "0b54f79df85912504de0b14aec7971e3f964491af1812d83447005807513cd9e", "KRAIT_XZ_TARBALL",
    ("source", "--download-only", "--tar-only", "xz-utils"))
SQLITE = Source(
    "sqlite", "sqlite3_3.46.1.orig.tar.xz",
    "d0cdd2ece271b29e7ce18095745d892517ee26d0f270065b3a25c2e9eb11639c", "KRAIT_SQLITE_TARBALL",
    ("source", "--download-only", "--tar-only", "sqlite3"))

SQLITE_LOCKS = GUEST / "sqlite_locks.c"
SQLITE_OPTIONS = (
    "-D_WASI_EMULATED_GETPID", "-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_MMAN", "-DHAVE_USLEEP=1",
    "-DSQLITE_EXTRA_INIT=krait_sqlite_init", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_OMIT_WAL",
    "-DSQLITE_MAX_MMAP_SIZE=0",
    "-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE", "-DSQLITE_ENABLE_MATH_FUNCTIONS", "-DSQLITE_ENABLE_COLUMN_METADATA")


def environment() -> dict[str, str]:
    return {"KRAIT_CCACHE": ccache()}


def _unpack(context: Context, source: Source, folder: Path) -> Path:
    tree = folder / "tree"
    tree.mkdir()
    context.run("unpacking", ["tar", "--strip-components=1", "-xf", context.download(source)], tree)
    return tree


def _archive(context: Context, folder: Path, tree: Path, library: str, units: Iterable[str], headers: Iterable[str],
             flags: Iterable[str] = ()) -> None:
    """Compiles the units and leaves lib/LIBRARY and include/ only."""
    units = list(units)
    for number, unit in enumerate(units, 1):
        context.run(f"compile: files {number}/{len(units)}",
                    [toolchain.STEP.path / "bin/cc", "-O2", *flags, "-c", f"{unit}.c", "-o", f"{unit}.o"], tree, environment())
    (folder / "lib").mkdir()
    (folder / "include").mkdir()
    context.run("archive", ["llvm-ar-19", "rcs", folder / "lib" / library, *(f"{unit}.o" for unit in units)], tree)
    for header in headers:
        (tree / header).rename(folder / "include" / header)
    context.run("tidy", ["rm", "-rf", tree], folder)


def _zlib(context: Context, folder: Path) -> None:
    units = "adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr zutil".split()
    _archive(context, folder, _unpack(context, ZLIB, folder), "libz.a", units, ("zlib.h", "zconf.h"))


def _bzip2(context: Context, folder: Path) -> None:
    units = "blocksort huffman crctable randtable compress decompress bzlib".split()
    _archive(context, folder, _unpack(context, BZIP2, folder), "libbz2.a", units, ("bzlib.h",), ("-D_FILE_OFFSET_BITS=64",))


def _xz(context: Context, folder: Path) -> None:
    tree = _unpack(context, XZ, folder)
    env = {**environment(), "CC": str(toolchain.STEP.path / "bin/cc"), "AR": "llvm-ar-19", "RANLIB": "llvm-ranlib-19",
           "CFLAGS": "-O2 -D_WASI_EMULATED_SIGNAL"}
    disabled = "shared xz xzdec lzmadec lzmainfo lzma-links scripts doc nls sandbox".split()
    context.run("configure: checks", ["./configure", "--host=wasm32-wasi", f"--prefix={folder}", "--enable-threads=no",
                                      *(f"--disable-{name}" for name in disabled)], tree, env, count="^checking", total=219)
    context.make("compile", ["install", "V=1"], tree, env)
    context.run("tidy", ["rm", "-rf", tree], folder)


def _sqlite(context: Context, folder: Path) -> None:
    tree = _unpack(context, SQLITE, folder)
    context.run("configure: checks", ["./configure", "--disable-tcl", "--disable-readline"], tree, count="^checking",
                total=119)
    context.run("amalgamation", ["make", "sqlite3.c"], tree)
    shutil.copy(SQLITE_LOCKS, tree)
    _archive(context, folder, tree, "libsqlite3.a", ("sqlite3", SQLITE_LOCKS.stem), ("sqlite3.h",), SQLITE_OPTIONS)


def _step(name: str, build, source: Source, *inputs: Path) -> Step:
    return Step(name, f"{name} for wasm", build, inputs=(Path(__file__).resolve(), *inputs), after=(toolchain.STEP,), sources=(source,),
                disk=150)


STEPS = (_step("zlib", _zlib, ZLIB), _step("bzip2", _bzip2, BZIP2), _step("xz", _xz, XZ), _step("sqlite", _sqlite, SQLITE, SQLITE_LOCKS))
