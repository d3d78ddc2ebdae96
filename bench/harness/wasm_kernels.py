"""Wasm speed: the kernels of bench/kernels, compiled by clang to wasm and by gcc -O2 for this machine.

Each kernel prints a checksum and the seconds of its own loop, so that neither start nor codegen counts. Interpreters get a
tenth of the size, against gcc at that size.
"""
import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .peers import ROOT, Runtime
from .report import geometric_mean, median

KERNELS = ROOT / "bench" / "kernels"
# Some 0.2 s by gcc -O2 on a machine of 2024.
SIZES = {"bytecode": 30, "gemm": 700, "indirect": 12000, "integer_mix": 12000, "jacobi": 6000, "memory_moves": 2500,
         "nbody": 600, "recursion": 30, "sha256": 120, "simd_blend": 1400}
VECTORS = {"simd_blend"}  # compiled with SIMD, which not every runtime has; not in the means
FLAGS = ["-O2", "-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint"]


def size_of(kernel, runtime_is_slow, size):
    n = SIZES[kernel]
    if kernel == "recursion":  # grows exponentially
        return n - (6 if runtime_is_slow else 0) - {"full": 0, "quick": 3, "smoke": 10}[size]
    return max(1, n // (10 if runtime_is_slow else 1) // {"full": 1, "quick": 4, "smoke": 100}[size])


def wasm_compiler():
    """The guest's toolchain wrapper, or the environment's word."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "krait"
    found = sorted(glob.glob(str(cache / "toolchain-*" / "bin" / "cc")), key=os.path.getmtime)
    found = [f for f in found if ".tmp" not in f]
    return os.environ.get("KRAIT_BENCH_WASM_CC") or (found[-1] if found else None)


def build(folder, compiler):
    for kernel in SIZES:
        source = str(KERNELS / f"{kernel}.c")
        flags = [*FLAGS, *(["-msimd128"] if kernel in VECTORS else [])]
        subprocess.run([compiler, *flags, "-o", f"{folder}/{kernel}.wasm", source], check=True)
        subprocess.run(["gcc", "-O2", "-o", f"{folder}/{kernel}", source, "-lm"], check=True)


def once(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    words = done.stdout.split()
    if done.returncode != 0 or len(words) != 2:
        raise RuntimeError(done.stderr.strip()[-200:] or f"exit {done.returncode}")
    return words[0], float(words[1])


def measure(runtimes, folder, rounds, size):
    native = Runtime("gcc -O2", "", lambda module, dirs, args: [str(module).removesuffix(".wasm"), *args])
    slow_native = Runtime("gcc -O2, small", "", native.command, interpreter=True)
    seconds, failures = {}, {}
    for _ in range(rounds):
        for kernel in SIZES:
            checks = {}
            for runtime in [native, slow_native, *runtimes]:
                if runtime.name in failures:
                    continue
                n = size_of(kernel, runtime.interpreter, size)
                try:
                    check, took = once(runtime.command(f"{folder}/{kernel}.wasm", [], [str(n)]))
                except (RuntimeError, subprocess.TimeoutExpired) as why:
                    if kernel in VECTORS:
                        continue
                    failures[runtime.name] = f"{kernel}: {why}"
                    continue
                if checks.setdefault(n, check) != check:
                    failures[runtime.name] = f"{kernel}: checksum {check} is not {checks[n]}"
                seconds.setdefault(runtime.name, {}).setdefault(kernel, []).append(took)
    return seconds, failures


def section(report, run):
    report.begin("wasm", "Wasm kernels")
    compiler = wasm_compiler()
    if not compiler or not shutil.which("gcc"):
        return report.left_out("all, since there is no compiler for wasm (pyhost/guest/build) or no gcc")
    rounds = run.rounds(5)
    runtimes = [r for r in run.runtimes if not r.native]
    with tempfile.TemporaryDirectory() as folder:
        build(folder, compiler)
        seconds, failures = measure(runtimes, folder, rounds, run.size)
    rows, ratios = [], {}
    for runtime in runtimes:
        if runtime.name in failures:
            continue
        base = seconds["gcc -O2, small" if runtime.interpreter else "gcc -O2"]
        each = {k: median(t) / median(base[k]) for k, t in seconds[runtime.name].items()}
        ratios[runtime.name] = each
        mean = geometric_mean([ratio for kernel, ratio in each.items() if kernel not in VECTORS])
        rows.append([runtime.name, f"{mean:.2f}", *[f"{each[k]:.2f}" if k in each else "-" for k in SIZES]])
    rows.sort(key=lambda row: float(row[1]))
    report.table(["time / gcc -O2", "mean", *SIZES], rows, note=f"{rounds} rounds")
    report.bars("C kernels: time / gcc -O2, geometric mean", "ratio (log)", {"": {row[0]: float(row[1]) for row in rows}}, log=True)
    report.bars("C kernels, each: time / gcc -O2", "ratio",
                {n: each for n, each in ratios.items() if not any(r.name == n and r.interpreter for r in runtimes)})
    for name, why in failures.items():
        report.broke(name, why)
    report.figures(ratios=ratios, seconds=seconds)
