"""Faasm's examples, uploaded and called, each with Faasm's own condition; and the wasm one, built by clang where that is at hand."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import ROOT, KraitTest, need_runtime

EXAMPLES = ROOT / "examples"


class Examples(KraitTest):
    def call(self, name, *words, **how):
        self.ok("upload", "demo", name, EXAMPLES / f"{name}.py")
        return self.ok("invoke", "demo", name, *words, **how)

    def test_hello(self):
        self.assertRegex(self.call("hello").stdout, rb"^Hello! Running Python version 3\.")

    def test_noop(self):
        self.assertEqual(self.call("noop").stdout, b"")

    def test_echo(self):
        for data in (b"text", b"a\0b\xff", b""):
            self.assertEqual(self.call("echo", "-", stdin=data).stdout, data)

    def test_chain(self):
        self.call("chain")

    def test_dict_state(self):
        self.call("dict_state")

    def test_state(self):
        self.call("state_test_write")
        self.call("state_test_read")

    def test_those_that_check_themselves(self):
        for name in ("env_check", "lang_test", "hash_check", "pickle_check", "pyc_check", "ctypes_check"):
            with self.subTest(name):
                self.call(name)

    def test_deltablue(self):
        self.assertEqual(self.call("bench_deltablue").stdout, b"2504050")

    def test_dir(self):
        self.assertIn(b"lib", self.call("dir_test", "--input", "/").stdout)

    def test_dir_of_many_entries_is_as_native(self):
        names = [f"file {i} \u00fc" for i in range(250)]
        for name in names:
            self.file(f"many/{name}", "")
        driver = self.file("driver.py", f"import sys\nsys.path.insert(0, sys.argv[1])\nimport dir_test, pyfaasm\n"
                                        "pyfaasm.set_local_input_output(True)\npyfaasm.set_local_input(sys.argv[2].encode())\n"
                                        "dir_test.faasm_main()\nprint(pyfaasm.get_output().decode())\n")
        native = subprocess.run([sys.executable, driver, EXAMPLES, self.folder / "many"], capture_output=True, check=True,
                                env={**os.environ, "PYTHONPATH": str(ROOT / "pyhost" / "guest" / "pyfaasm")}).stdout.splitlines()[1:]
        ours = self.ok("run", "--dir", f"{EXAMPLES}::/examples:ro", "--dir", f"{self.folder / 'many'}::/many:ro", driver, "/examples", "/many")
        self.assertEqual(ours.stdout.splitlines()[1:], native)
        self.assertEqual(len(native), 250)
        source = self.file("fill.py", "def faasm_main():\n  for i in range(250):\n    open(f'faasm://many/{i:03}', 'w').close()\n")
        self.ok("upload", "demo", "fill", source)
        self.ok("invoke", "demo", "fill")
        self.assertEqual(self.call("dir_test", "--input", "faasm://many").stdout.decode().split(), [f"{i:03}" for i in range(250)])

    def build(self, name):
        clang = shutil.which("clang-19") or shutil.which("clang")
        module = self.folder / f"{name}.wasm"
        # As Debian installs wasi-libc.
        built = clang and subprocess.run([clang, "--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-o", module,
                                          EXAMPLES / "wasm" / f"{name}.c"], capture_output=True)
        if not built or b"stdio.h" in built.stderr or b"crt1" in built.stderr:
            self.skipTest("clang does not build for wasm32-wasi here")
        self.assertEqual(built.returncode, 0, built.stderr)
        self.ok("upload", "demo", name, module)

    def test_wasm_state(self):
        self.build("state")
        self.assertEqual(self.ok("invoke", "demo", "state", "--input", "tea for two and two for tea").stdout, b"2 7 tftatft")
        self.assertEqual(self.ok("invoke", "demo", "state", "--input", "more tea").stdout, b"3 2 mt")
        source = self.file("look.py", "from pyfaasm import *\ndef faasm_main():\n  assert read_state('initials')[12:20] == bytes([1] + [0] * 6 + [1])\n"
                                      "  return repr([list_state_keys(), read_state('two'), read_appended_state('words')])\n")
        self.ok("upload", "demo", "look", source)
        self.assertEqual(self.ok("invoke", "demo", "look").stdout,
                         b"[['and', 'for', 'initials', 'more', 'tea', 'total', 'two'], b'\\x02\\x00\\x00\\x00', []]")

    def test_the_header_has_all_host_calls(self):
        """Each name that the host gives to wasm functions is in faasm.h, and no other."""
        import re

        header = set(re.findall(r"FAASM\([a-z0-9_]+\*?, (__faasm_\w+)\)", (EXAMPLES / "wasm" / "faasm.h").read_text()))
        sources = [(ROOT / "pyhost" / name).read_text() for name in ("faasm_imports.cpp", "state/faasm.cpp")]
        given = set(re.findall(r'linker.func\("env", "(__faasm_\w+)"', sources[0])) | {
            f"__faasm_{name}" for name in re.findall(r"^  FAASM\((\w+)\);", sources[1], re.M)}
        self.assertEqual(header, given)
        self.assertEqual(len(header), 32)

    def test_wasm(self):
        self.build("chain")
        self.ok("upload", "demo", "echo", EXAMPLES / "echo.py")
        self.assertEqual(self.ok("invoke", "demo", "chain", "--input", "10").stdout, b"the sum is 385")
        source = self.file("above.py", "from pyfaasm import *\ndef faasm_main():\n  wrong = chain_name('chain', b'-1')\n"
                                       "  assert await_call(wrong) == 2 and get_result(wrong).end == 'returned'\n"
                                       "  return b'above: ' + await_call_output(chain_name('demo/chain', b'3'))\n")
        self.ok("upload", "demo", "above", source)
        self.assertEqual(self.ok("invoke", "demo", "above").stdout, b"above: the sum is 14")


class Invoke(KraitTest):
    def test_json(self):
        import json

        source = self.file("f.py", "def faasm_main():\n  print('said')\n  return b'\\xff'\ndef bad(data):\n  raise ValueError('no')\n")
        self.ok("upload", "demo", "f", source)
        report = json.loads(self.ok("invoke", "demo", "f", "--json").stdout)
        self.assertEqual((report["status"], report["end"], report["stdout"], report["output_base64"]), (0, "returned", "said\n", "/w=="))
        self.assertEqual(set(report["times_ns"]), {"queued", "start", "run", "reset", "cpu"})
        self.assertGreater(report["times_ns"]["run"], 0)
        self.assertGreater(report["peak_memory"], 1 << 20)
        self.assertEqual((report["stderr"], report["stdout_dropped"], report["stderr_dropped"]), ("", 0, 0))
        failed = self.krait("invoke", "demo", "f", "--json", "--entry", "bad")
        self.assertEqual(failed.returncode, 1)
        report = json.loads(failed.stdout)
        self.assertEqual((report["exception"]["type"], report["exception"]["message"]), ("ValueError", "no"))
        self.assertIn("in bad", report["exception"]["traceback"])

    def test_limits(self):
        source = self.file("f.py", "def faasm_main():\n  while True: pass\n")
        self.ok("upload", "demo", "f", source, "--limit", "wall_ms=200")
        result = self.krait("invoke", "demo", "f")
        self.assertEqual(result.returncode, 1)
        self.assertIn("TimeoutError: the call's wall time of 200 ms is over", result.stderr)
        result = self.krait("invoke", "demo", "f", "--limit", "wall_ms=100")
        self.assertIn("wall time of 100 ms", result.stderr)
        for wrong in ("wall=5", "wall_ms", "wall_ms=-1", "memory_bytes=0", "fresh_hashes=2"):
            with self.subTest(wrong):
                self.fails(2, "limit", "invoke", "demo", "f", "--limit", wrong)

    def test_hashes_are_of_a_function_or_of_a_call(self):
        source = self.file("f.py", "def faasm_main():\n  return str(hash('x'))\n")
        for name, *limit in ("f",), ("g",), ("fresh", "--limit", "fresh_hashes=1"):
            self.ok("upload", "demo", name, source, *limit)
        hashes = [[self.ok("invoke", "demo", name, *limit).stdout for _ in range(2)] for name, *limit in
                  (("f",), ("g",), ("fresh",), ("f", "--limit", "fresh_hashes=1"))]
        self.assertEqual([len(set(pair)) for pair in hashes], [1, 1, 2, 2])
        self.assertEqual(len({value for pair in hashes for value in pair}), 6)


if __name__ == "__main__":
    need_runtime()
    unittest.main(verbosity=2)
