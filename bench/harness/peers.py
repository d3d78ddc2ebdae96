"""The runtimes that a figure is compared with: each found on PATH or named by the environment, or left out by name."""
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclass
class Runtime:
    """A way to run the WASI program `module`, or a native Python where `native` is set.

    command(module, dirs, args) gives the argv; dirs is a list of (host, guest) folders.
    """
    name: str
    version: str
    command: callable
    native: bool = False
    interpreter: bool = False  # some twenty times slower: smaller runs
    repeats: int = 2           # of a program in one process, the best counts: more where tiers warm up behind running code


def output_of(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip().split("\n")[0] if done.returncode == 0 else ""


def find(program, variable):
    """The program's path: the environment's word first, then PATH."""
    return os.environ.get(variable) or shutil.which(program)


def natives():
    seen = set()
    for program, variable in (("python3.13", "KRAIT_BENCH_PYTHON"), ("python3", "KRAIT_BENCH_PYTHON3")):
        # The system's own is built with profiles, which one that a user built for himself may not be.
        system = f"/usr/bin/{program}"
        path = os.environ.get(variable) or (system if os.access(system, os.X_OK) else shutil.which(program))
        version = output_of([path, "--version"]) if path else ""
        if version and version not in seen:
            seen.add(version)
            yield Runtime("native " + version, version, lambda module, dirs, args, p=path: [p, *args], native=True)


def krait(build):
    tool = Path(build) / "tools" / "krait"
    if not tool.exists():
        return
    version = output_of([str(tool), "--version"])
    for engine in ("jit", "interp"):
        def command(module, dirs, args, e=engine):
            argv = [str(tool), "run", "--engine", e]
            for host, guest in dirs:
                argv += ["--dir", f"{host}::{guest}"]
            return argv + [str(module), *args]
        probe = subprocess.run([str(tool), "run", "--engine", engine, str(HERE / "empty.wasm")],
                               capture_output=True, text=True, check=False)
        if engine in probe.stderr and probe.returncode == 2:
            continue  # this build has no such engine
        yield Runtime(f"krait {engine}", version, command, interpreter=engine == "interp")


def script_runtime(name, path, flags, version, repeats=2):
    """A JavaScript engine: wasi.mjs runs the module."""
    def command(module, dirs, args):
        mounts = [f"--dir={host}::{guest}" for host, guest in dirs]
        return [path, *flags, str(HERE / "wasi.mjs"), *mounts, str(module), *args]
    return Runtime(name, version, command, repeats=repeats)


def nodes():
    """Paths of node: $KRAIT_BENCH_NODE may name several, with colons between. The first is the one for what is no runtime's row."""
    return [path for path in (find("node", "KRAIT_BENCH_NODE") or "").split(os.pathsep) if path]


def javascript():
    for node in nodes():
        version = output_of([node, "--version"])
        quiet = ["--no-warnings"]
        # Default tiers vary by 2x from run to run: the full tier alone is what is quoted.
        full = ["--no-liftoff", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering"]
        yield script_runtime(f"V8 full tier (node {version})", node, quiet + full, version)
    bun = find("bun", "KRAIT_BENCH_BUN")
    if bun:
        version = output_of([bun, "--version"])
        yield script_runtime(f"JavaScriptCore (bun {version})", bun, [], version, repeats=8)


def standalone():
    """WASI command-line runtimes: (program, variable, argv maker, interpreter?)."""
    def wasmtime(path, module, dirs, args):
        return [path, "run", *[f"--dir={h}::{g}" for h, g in dirs], str(module), *args]

    def wasmedge(path, module, dirs, args):
        return [path, *[x for h, g in dirs for x in ("--dir", f"{g}:{h}")], str(module), *args]

    def iwasm(path, module, dirs, args):
        return [path, "--stack-size=1048576", *[f"--map-dir={g}::{h}" for h, g in dirs], str(module), *args]

    def wasm3(path, module, dirs, args):
        del dirs
        return [path, "--stack-size", "16777216", str(module), *args]

    for program, variable, make, slow in (
            ("wasmtime", "KRAIT_BENCH_WASMTIME", wasmtime, False), ("wasmedge", "KRAIT_BENCH_WASMEDGE", wasmedge, False),
            ("iwasm", "KRAIT_BENCH_IWASM", iwasm, True), ("wasm3", "KRAIT_BENCH_WASM3", wasm3, True)):
        path = find(program, variable)
        if path:
            version = output_of([path, "--version"])
            yield Runtime(f"{program} {version}".strip(), version,
                          lambda module, dirs, args, p=path, m=make: m(p, module, dirs, args), interpreter=slow)


WANTED = ["python3.13", "python3", "krait", "node", "bun", "wasmtime", "wasmedge", "iwasm", "wasm3"]


def all_runtimes(build):
    """The runtimes found, and the names of those that are left out."""
    found = [*natives(), *krait(build), *javascript(), *standalone()]
    text = " ".join(r.name + " " + r.version for r in found).lower().replace("python 3.13", "python3.13")
    missing = [w for w in WANTED if w not in text and not (w == "python3" and "python 3" in text)]
    return found, missing
