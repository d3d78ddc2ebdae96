#!/usr/bin/env python3
"""The test of the judge: tests/spec/runner_test.py RUNNER. A suite made here, of which the verdicts are known."""
import json
import pathlib
import subprocess
import sys
import tempfile


def section(number, *contents):
    return bytes([number, len(contents), *contents])


HEAD = b"\0asm\1\0\0\0"
# (func (export "f") (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))
# (func (export "g") (loop (br 0)))
MODULE = (HEAD + section(1, 2, 0x60, 1, 0x7F, 1, 0x7F, 0x60, 0, 0) + section(3, 2, 0, 1)
          + section(7, 2, 1, ord("f"), 0, 0, 1, ord("g"), 0, 1)
          + section(10, 2, 7, 0, 0x41, 7, 0x20, 0, 0x6D, 0x0B, 7, 0, 0x03, 0x40, 0x0C, 0, 0x0B, 0x0B))
BROKEN = HEAD + section(1, 1, 0x61)
MEMORY64 = HEAD + section(5, 1, 4, 1)  # limits' flag 4: rejected by name
FILES = {"module.wasm": MODULE, "broken.wasm": BROKEN, "memory64.wasm": MEMORY64}


def invoke(value, field="f"):
    arguments = [{"type": "i32", "value": value}] if field == "f" else []
    return {"type": "invoke", "field": field, "args": arguments}


def returns(value, result):
    return {"type": "assert_return", "action": invoke(value), "expected": [{"type": "i32", "value": result}]}


def traps(value, text):
    return {"type": "assert_trap", "action": invoke(value), "text": text, "expected": []}


def rejected(file, kind="assert_invalid", module_type="binary"):
    return {"type": kind, "filename": file, "text": "", "module_type": module_type}


SCRIPT = [
    ("counted as nothing", {"type": "module", "filename": "module.wasm"}),
    ("passed", returns("7", "1")),
    ("failed", returns("7", "2")),
    ("failed", returns("0", "2")),
    ("passed", traps("0", "integer divide by zero")),
    ("failed", traps("0", "unreachable")),
    ("failed", traps("1", "integer divide by zero")),
    ("passed", rejected("broken.wasm")),
    ("failed", rejected("module.wasm")),
    ("skipped", rejected("module.wat", "assert_malformed", "text")),
    ("skipped", rejected("memory64.wasm")),
    ("failed", {"type": "assert_nonsense"}),
    ("counted as nothing", {"type": "module", "filename": "memory64.wasm"}),
    ("skipped", returns("7", "1")),
    ("failed", {"type": "module", "filename": "broken.wasm"}),
]
HANGS = [({"type": "module", "filename": "module.wasm"}), {"type": "action", "action": invoke("", "g"), "expected": []}]


def write_script(path, commands):
    numbered = [{**command, "line": line} for line, command in enumerate(commands, 1)]
    path.write_text(json.dumps({"source_filename": path.name, "commands": numbered}))


def main():
    want = {kind: sum(verdict == kind for verdict, _ in SCRIPT) for kind in ("passed", "failed", "skipped")}
    want["failed"] += 1  # the script that hangs
    with tempfile.TemporaryDirectory() as name:
        suite = pathlib.Path(name) / "suite"
        suite.mkdir()
        for file, contents in FILES.items():
            (suite / file).write_bytes(contents)
        write_script(suite / "made.json", [command for _, command in SCRIPT])
        write_script(suite / "hangs.json", HANGS)
        done = subprocess.run([sys.argv[1], "--timeout", "2", name], capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    last = f"{want['passed']} passed, {want['failed']} failed, {want['skipped']} skipped"
    faults = [] if lines and lines[-1] == last else [f"expected the last line: {last}"]
    faults += [] if done.returncode == 1 else [f"expected exit status 1, got {done.returncode}"]
    for line, (verdict, _) in enumerate(SCRIPT, 1):
        named = any(text.startswith(f"suite/made.json:{line}:") for text in lines)
        if named != (verdict == "failed"):
            faults.append(f"line {line} is to be {verdict}")
    if not any(text.startswith("suite/hangs.json:2:") and "no end within" in text for text in lines):
        faults.append("the script that hangs is to be ended and named with its line")
    print(done.stdout + done.stderr if faults else "the judge judges well")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
