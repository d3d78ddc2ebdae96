"""clang for wasm32-wasip1: a sysroot from wasi-libc's package and wrapper commands in one folder.

bin/cc, bin/c++ and bin/cpp carry target, sysroot and features. clang runs any wasm-opt that it finds after an optimizing link,
Debian's is too old for clang's output and --no-wasm-opt of clang 19 skips the link: -B finds ours first, which does nothing.
"""
import subprocess
from pathlib import Path

from .runner import Context, Failure, Source, Step

FEATURES = "-mbulk-memory -msign-ext -mnontrapping-fptoint -mmutable-globals"

WASI_LIBC = Source(
    "wasi-libc", "wasi-libc_0.0~git20241209.574b88d-2_all.deb",
    "b7716260051d289248b7667f81fa2792c125d888ff51da3fa09c6272cc0bd11d", "KRAIT_WASI_LIBC_DEB",
    ("download", "wasi-libc=0.0~git20241209.574b88d-2"))


def compiler_resources() -> Path:
    """clang's own resource folder: headers and, from libclang-rt-19-dev-wasm32, the builtins."""
    found = subprocess.run(["clang-19", "-print-resource-dir"], capture_output=True, text=True, check=True).stdout
    return Path(found.strip())


def builtins(resources: Path) -> Path:
    return resources / "lib" / "wasi" / "libclang_rt.builtins-wasm32.a"


def _build(context: Context, folder: Path) -> None:
    final = STEP.path
    unpacked = folder / "package"
    unpacked.mkdir()
    context.run("unpacking wasi-libc", ["dpkg-deb", "-x", context.download(WASI_LIBC), unpacked], folder)
    sysroot = folder / "sysroot"
    sysroot.mkdir()
    for name in ("include", "lib"):
        (unpacked / "usr" / name).rename(sysroot / name)
        alias = sysroot / name / "wasm32-wasip1"
        if not alias.exists():
            alias.symlink_to("wasm32-wasi")
    resources = compiler_resources()
    library = folder / "resource" / "lib" / "wasm32-unknown-wasip1"
    library.mkdir(parents=True)
    (folder / "resource" / "include").symlink_to(resources / "include")
    (library / "libclang_rt.builtins.a").symlink_to(builtins(resources))
    if not (library / "libclang_rt.builtins.a").exists():
        raise Failure(f"{builtins(resources)} is missing: sudo apt-get install libclang-rt-19-dev-wasm32")
    commands = folder / "bin"
    commands.mkdir()
    common = f"--target=wasm32-wasip1 --sysroot={final}/sysroot -resource-dir {final}/resource -B{final}/bin {FEATURES}"
    for name, text in (("cc", f'exec $KRAIT_CCACHE clang-19 {common} "$@"'),
                       ("c++", f'exec $KRAIT_CCACHE clang++-19 {common} "$@"'),
                       ("cpp", f'exec clang-19 -E {common} "$@"'),
                       ("wasm-opt", "exit 0")):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)


STEP = Step("toolchain", "wasm toolchain", _build, inputs=(Path(__file__).resolve(),), sources=(WASI_LIBC,), disk=30)
