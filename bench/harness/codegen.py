"""Codegen: machine code for all of python.wasm, in krait on one and two threads and in V8's full tier; and a start with cached code."""
import json
import subprocess
import tempfile
from pathlib import Path

from . import peers
from .report import median, spread

# Compiles argv[2] and prints what it took; V8 says nothing of the size of its code.
V8 = """const bytes = require('fs').readFileSync(process.argv[1]);
const begin = process.hrtime.bigint(), cpu = process.cpuUsage();
new WebAssembly.Module(bytes);
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({seconds: Number(process.hrtime.bigint() - begin) / 1e9, cpu_seconds: (used.user + used.system) / 1e6,
                            peak_bytes: process.resourceUsage().maxRSS * 1024}));"""


def commands(run, module):
    tool = run.build / "bench" / "jit" / "jit-codegen"
    for threads in (1, 2):
        yield f"krait, {threads} thread{'s'[:threads - 1]}", [str(tool), "--json", "--threads", str(threads), module]
    for node in peers.nodes():
        flags = ["--no-liftoff", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering", "--no-wasm-lazy-compilation"]
        yield f"V8 full tier, its own threads (node {peers.output_of([node, '--version'])})", [node, *flags, "-e", V8, module]


def once(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:] or f"exit {done.returncode}")
    return json.loads(done.stdout)


def module_of(run, folder):
    """python.wasm, or the least module there is."""
    if run.size == "smoke":
        small = Path(folder) / "empty.wasm"
        small.write_bytes((peers.HERE / "empty.wasm").read_bytes())
        return str(small)
    return run.paths.get("python.wasm")


def section(report, run):
    report.begin("codegen", "Codegen of python.wasm")
    with tempfile.TemporaryDirectory() as folder:
        module = module_of(run, folder)
        if not module:
            return report.left_out("all, since python.wasm is not built (pyhost/guest/build)")
        found = {}
        for _ in range(run.rounds(5)):
            for name, argv in commands(run, module):
                try:
                    found.setdefault(name, []).append(once(argv))
                except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as why:
                    report.failed(name, why)
    rows = []
    for name, runs in found.items():
        seconds = [r["seconds"] for r in runs]
        code = runs[0].get("code_bytes")
        rows.append([name, f"{median(seconds):.2f}", f"{median([r['cpu_seconds'] for r in runs]):.2f}",
                     f"{code / 2**20:.1f}" if code else "", f"{runs[0]['peak_bytes'] / 2**20:.0f}", f"{spread(seconds) * 100:.0f} %"])
    report.table(["codegen", "seconds", "CPU seconds", "MiB of code", "MiB resident", "spread"], rows,
                 note=f"{run.rounds(5)} rounds; krait's time is codegen alone, V8's decodes and validates too")
    report.bars("Codegen of python.wasm", "seconds", {"": {n: median([r["seconds"] for r in runs]) for n, runs in found.items()}})
    report.figures(runs=found)
