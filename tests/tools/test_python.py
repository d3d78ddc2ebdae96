"""The krait command with the Python runtime: functions and scripts."""
import json
import os
import unittest

from support import ROOT, KraitTest, need_runtime

REPORT = """import json, os, sys
import beside
json.dump({
    "name": __name__, "argv": sys.argv, "path0": sys.path[0], "file": __file__, "beside": beside.VALUE,
    "stdin": sys.stdin.read(), "env": os.environ.get("COLOUR"), "host_env": "KRAIT_HOME" in os.environ,
    "data": open("/in/data.txt").read(), "there": os.listdir("/in"),
}, sys.stdout)
print("to stderr", file=sys.stderr)
open("/in/new.txt", "w").write("from the sandbox")
sys.exit(7)
"""


class Scripts(KraitTest):
    def test_a_script_runs_as_python3_runs_it(self):
        script = self.file("scripts/report.py", REPORT)
        self.file("scripts/beside.py", "VALUE = 42")
        self.file("data/data.txt", "some data")
        result = self.krait("run", "--dir", f"{self.folder / 'data'}::/in", "--env", "COLOUR=blue=green", script, "--dir", "two words",
                            stdin="größe\n".encode())
        self.assertEqual(result.returncode, 7, result.stderr)
        seen = json.loads(result.stdout)
        self.assertEqual(seen["name"], "__main__")
        self.assertEqual(seen["argv"][1:], ["--dir", "two words"])
        self.assertEqual(seen["argv"][0], str(script))
        self.assertEqual(seen["path0"], str(script.parent))
        self.assertEqual(seen["beside"], 42)
        self.assertEqual(seen["stdin"], "größe\n")
        self.assertEqual(seen["env"], "blue=green")
        self.assertFalse(seen["host_env"])
        self.assertEqual(seen["data"], "some data")
        self.assertEqual(seen["there"], ["data.txt"])
        self.assertEqual(result.stderr, "to stderr\n")
        self.assertEqual((self.folder / "data" / "new.txt").read_text(), "from the sandbox")

    def test_an_exception_is_status_1_with_its_traceback(self):
        script = self.file("bad.py", "def f(n):\n    return 1 / n\n\nprint('before')\nf(0)\n")
        result = self.krait("run", script)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"before\n")
        self.assertIn("Traceback (most recent call last)", result.stderr)
        self.assertIn("bad.py\", line 2, in f", result.stderr)
        self.assertIn("ZeroDivisionError: division by zero", result.stderr)

    def test_an_entry(self):
        script = self.file("entry.py", "import sys\n\ndef go():\n    print('went', __name__ == '__main__', sys.argv[1:])\n    return 5\n")
        result = self.krait("run", "--entry", "go", script, "x")
        self.assertEqual(result.stdout, b"went False ['x']\n", result.stderr)
        self.assertEqual(result.returncode, 5)
        self.assertRegex(self.ok("run", "--entry", "faasm_main", ROOT / "examples" / "hello.py").stdout, b"^Hello! Running Python")
        missing = self.krait("run", "--entry", "stay", script)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("stay", missing.stderr)

    def test_python_wasm_is_a_plain_command(self):
        paths = dict(line.split(" ", 1) for line in self.ok("paths").stdout.decode().splitlines())
        result = self.ok("run", "--dir", f"{paths['stdlib']}::/lib", "--env", "PYTHONHOME=/", "--env", "PYTHONPATH=/lib/python3.13",
                         paths["python.wasm"], "-c", "import sys; print(sys.argv, sys.platform)", "a")
        self.assertEqual(result.stdout, b"['-c', 'a'] wasi\n", result.stderr)


class Functions(KraitTest):
    def test_hello(self):
        uploaded = self.ok("upload", "demo", "hello", ROOT / "examples" / "hello.py")
        self.assertIn(b"uploaded demo/hello: python", uploaded.stdout)
        result = self.ok("invoke", "demo", "hello")
        self.assertRegex(result.stdout.decode(), r"^Hello! Running Python version 3\.13\.5 ")

    def test_echo_is_binary_safe(self):
        self.ok("upload", "demo", "echo", ROOT / "examples" / "echo.py")
        data = os.urandom(100_000)
        result = self.ok("invoke", "demo", "echo", "-", stdin=data)
        self.assertEqual(result.stdout, data)
        self.assertEqual(result.stderr, "")
        self.assertEqual(self.ok("invoke", "demo", "echo", "--input", "a\\0ß").stdout, "a\\0ß".encode())
        empty = self.ok("invoke", "demo", "echo")
        self.assertEqual(empty.stdout, b"")
        self.assertEqual(empty.stderr, "echo: no input\n")  # prints go to stderr

    def test_a_syntax_error_shows_its_place_and_stores_nothing(self):
        self.file("bad.py", "def f():\n    return (1 +\n")
        result = self.krait("upload", "demo", "bad", "bad.py")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"")
        self.assertIn('File "bad.py", line 2', result.stderr)
        self.assertIn("return (1 +\n", result.stderr)
        self.assertRegex(result.stderr, r"\n +\^")
        self.assertIn("SyntaxError: '(' was never closed", result.stderr)
        self.assertFalse(self.home.exists())

    def test_a_bad_upload_leaves_the_old_function(self):
        good = self.file("f.py", "from pyfaasm import write_output\n\ndef faasm_main():\n    write_output(b'old')\n")
        self.ok("upload", "demo", "f", good)
        self.file("f.py", "def faasm_main(:\n")
        self.assertEqual(self.krait("upload", "demo", "f", good).returncode, 1)
        self.assertEqual(self.ok("invoke", "demo", "f").stdout, b"old")
        self.file("f.py", "from pyfaasm import write_output\n\ndef faasm_main():\n    write_output(b'new')\n")
        self.ok("upload", "demo", "f", good)
        self.assertEqual(self.ok("invoke", "demo", "f").stdout, b"new")

    def test_statuses(self):
        self.file("f.py", """from pyfaasm import get_input, set_output

def faasm_main():
    how = get_input().decode()
    set_output("set")
    if how == "raise":
        raise ValueError("no luck")
    if how == "exit":
        exit(3)
    return int(how)
""")
        self.ok("upload", "demo", "f", "f.py")
        raised = self.krait("invoke", "demo", "f", "--input", "raise")
        self.assertEqual(raised.returncode, 1)
        self.assertIn("Traceback (most recent call last)", raised.stderr)
        self.assertIn('f.py", line 7, in faasm_main', raised.stderr)
        self.assertIn("ValueError: no luck", raised.stderr)
        self.assertEqual(self.krait("invoke", "demo", "f", "--input", "exit").returncode, 3)
        returned = self.krait("invoke", "demo", "f", "--input", "9")
        self.assertEqual((returned.returncode, returned.stdout), (9, b"set"))

    def test_a_function_without_its_entry(self):
        self.file("f.py", "x = 1\n")
        self.ok("upload", "demo", "f", "f.py")
        result = self.krait("invoke", "demo", "f")
        self.assertEqual(result.returncode, 1)
        self.assertIn("faasm_main", result.stderr)


if __name__ == "__main__":
    need_runtime()
    unittest.main()
