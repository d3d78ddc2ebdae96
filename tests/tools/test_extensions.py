"""C extensions and ctypes: built here with `krait paths cc`, imported by scripts and by functions, kept in snapshots, gone with a call."""
import base64
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import KRAIT, ROOT, SKIPPED, KraitTest, need_runtime

SUFFIX = ".cpython-313-wasm32-wasi.so"
HERE = ROOT / "tests" / "tools"

# A function that brings its extension with it.
CARRIER = """
import base64, os, sys
with open("/tmp/spam{suffix}", "wb") as file:
    file.write(base64.b64decode("{text}"))
sys.path.insert(0, "/tmp")
import spam
os.unlink("/tmp/spam{suffix}")
spam.add(1, 1)

def faasm_main():
    spam.add(1, 2)
    return str(spam.count())
"""

CTYPES = """
import ctypes
libc = ctypes.CDLL(None)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
downwards = COMPARE(lambda a, b: b[0] - a[0])

def faasm_main():
    numbers = (ctypes.c_int * 4)(3, 1, 4, 2)
    libc.qsort(numbers, 4, 4, downwards)
    later = COMPARE(lambda a, b: a[0] - b[0])
    more = (ctypes.c_int * 4)(3, 1, 4, 2)
    libc.qsort(more, 4, 4, later)
    library = ctypes.CDLL("/lib/python3.13/lib-dynload/_ctypes_test{suffix}")
    return repr((list(numbers), list(more), library._handle))
"""


class Extensions(KraitTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cc = subprocess.run([KRAIT, "paths", "cc"], capture_output=True, text=True, check=True).stdout.strip()

    def build(self, source, *flags):
        """An extension from a file here; its folder is the test's own."""
        source = HERE / source
        product = self.folder / (source.stem + SUFFIX)
        command = [self.cc if source.suffix == ".c" else self.cc.replace("wasm-cc", "wasm-c++"), "-shared", "-O2", *flags, source, "-o", product]
        built = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(built.returncode, 0, built.stderr)
        return product

    def script(self, text):
        return self.ok("run", self.file("script.py", text)).stdout.decode()

    def test_functions_of_every_kind_and_arity(self):
        self.build("spam.c")
        said = self.script("import spam\nprint(spam.add(40, 2), spam.name(1), spam.count(), spam.one(), spam.three(), spam.root(27.0),"
                           " spam.Spam(21).twice, spam.Spam(5).get(), spam.__file__.startswith('/'))")
        self.assertEqual(said, "42 beta/4 1 1 True 3.0 42 5 True\n")

    def test_exceptions_of_python_and_traps(self):
        self.build("spam.c")
        self.assertEqual(self.script("import spam\ntry: spam.name(9)\nexcept IndexError as e: print(e)\n"), "no such name\n")
        result = self.krait("run", self.file("script.py", "import spam\nspam.crash()"))
        self.assertEqual(result.returncode, 134)
        self.assertIn("crash (spam", result.stderr)

    def test_cpp_exceptions(self):
        self.build("eggs.cpp", "-fwasm-exceptions", "-fno-rtti")
        self.assertEqual(self.script("import eggs\nprint(eggs.caught(5), eggs.caught(3))"), "(7, 6, 1) (7, 10, 1)\n")

    def test_what_cannot_be_loaded_is_an_import_error(self):
        self.file("junk" + SUFFIX, b"junk")
        self.file("plain" + SUFFIX, b"\0asm\1\0\0\0")
        missing = self.file("missing.c", "int nowhere(void);\nint PyInit_missing(void) { return nowhere(); }\n")
        subprocess.run([self.cc, "-shared", missing, "-o", self.folder / ("missing" + SUFFIX)], check=True)
        said = self.script("for name in 'junk', 'plain', 'missing':\n  try: __import__(name)\n  except ImportError as e: print(str(e).split(': ', 1)[1])\n")
        lines = said.splitlines()
        self.assertIn("magic header", lines[0])
        self.assertIn("no section dylink.0", lines[1])
        self.assertEqual(lines[2], "undefined symbol: nowhere")

    def test_a_library_needs_another(self):
        self.file("base.c", "int base_value = 5;\nint base(int x) { return x + base_value; }\n")
        self.file("user.c", "extern int base_value;\nint base(int);\nint use(int x) { return base(x) * base_value; }\n")
        for name, more in (("base", []), ("user", ["-L.", "-l:libbase.so"])):
            subprocess.run([self.cc, "-shared", f"{name}.c", *more, "-o", f"lib{name}.so"], cwd=self.folder, check=True)
        said = self.script("import ctypes, os\nfolder = os.path.dirname(__file__)\n"
                           "library = ctypes.CDLL(folder + '/libuser.so')\nprint(library.use(2), library.base(1))\n")
        self.assertEqual(said, "35 6\n")

    def test_an_uploaded_function_brings_its_own(self):
        text = base64.b64encode(self.build("spam.c").read_bytes()).decode()
        self.ok("upload", "demo", "carrier", self.file("carrier.py", CARRIER.format(text=text, suffix=SUFFIX)))
        for _ in range(3):  # the call's own addition is gone with it
            self.assertEqual(self.ok("invoke", "demo", "carrier").stdout, b"2")

    def test_snapshots_hold_ctypes_and_closures(self):
        self.ok("upload", "demo", "c", self.file("c.py", CTYPES.replace("{suffix}", SUFFIX)))
        answers = {self.ok("invoke", "demo", "c").stdout for _ in range(3)}
        self.assertEqual(len(answers), 1)
        self.assertIn(b"([4, 3, 2, 1], [1, 2, 3, 4], ", answers.pop())


if __name__ == "__main__":
    need_runtime()
    compiler = subprocess.run([KRAIT, "paths", "cc"], capture_output=True, text=True).stdout.strip()
    if not os.access(compiler, os.X_OK):
        print("skipped: the Python runtime has no compiler for extensions (pyhost/guest/build)")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
