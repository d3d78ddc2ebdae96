"""The krait command without a Python runtime: usage, the store's verbs, wasm modules."""
import os
import pathlib
import shutil
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from support import KRAIT, KraitTest, need_programs

CAT = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; Copies stdin to stdout; its status is the number of arguments, its own name included.
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.load (i32.const 8)) (then
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
        (br $more))))
    (drop (call $args (i32.const 16) (i32.const 20)))
    (call $exit (i32.load (i32.const 16)))))"""

NUMBERS = """(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "pair") (result i64 f64) (i64.const -1) (f64.const 0.5))
  (func $inner (unreachable))
  (func (export "outer") (call $inner)))"""


class Disasm(KraitTest):
    def setUp(self):
        super().setUp()
        self.wasm = self.module("numbers", NUMBERS.replace("(func (export \"add\")", "(func $add (export \"add\")"))

    def show(self, *words):
        return self.ok("disasm", self.wasm, *words).stdout.decode()

    def test_a_function_by_name_and_by_index(self):
        text = self.show("add")
        self.assertEqual(text, self.show("0"))
        self.assertIn("-- wasm\n", text)
        self.assertRegex(text, r" i32\.add\n")
        if "jit" in self.ok("version").stdout.decode():
            self.assertIn("-- built\n", text)
            self.assertRegex(text, r"v\d+:i32 = add v\d+, v\d+")
            offset = next(line.split(":")[0].strip() for line in text.splitlines() if line.endswith(" i32.add"))
            self.assertRegex(self.show("add", "--pass", "x86-64"), rf"(?m)^ +{offset}  (lea|add) ")

    def test_one_stage(self):
        self.assertNotIn("-- ", self.show("add", "--pass", "wasm"))
        self.assertIn("i32.add", self.show("add", "--pass", "wasm"))

    def test_errors_say_what_to_do(self):
        self.fails(1, "no function 'oouter'; there is outer", "disasm", self.wasm, "oouter")
        self.fails(1, "no function 'out'; there is outer", "disasm", self.wasm, "out")
        self.fails(1, "the module has 4, from 0 on", "disasm", self.wasm, "4")
        self.fails(1, "a name of its name section", "disasm", self.wasm, "something_else_entirely")
        self.fails(2, "no stage is called 'gold': there is wasm", "disasm", self.wasm, "add", "--pass", "gold")
        self.fails(2, "give MODULE FUNC", "disasm", self.wasm)
        self.fails(1, "cannot read", "disasm", self.folder / "none.wasm", "f")


class Debuggers(KraitTest):
    """What gdb and perf are told of machine code."""

    def setUp(self):
        super().setUp()
        if "jit" not in self.ok("version").stdout.decode():
            self.skipTest("built without the JIT")
        self.environment["XDG_CACHE_HOME"] = str(self.folder / "cache")
        # Ends in a system call, below frames with saved registers, spills and stack arguments.
        self.wasm = self.module("deep", """(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (data (i32.const 8) "\\10\\00\\00\\00\\03\\00\\00\\00hi\\n")
          (func (export "innermost") (param i32 i32) (result i32)
            (i32.add (i32.mul (local.get 0) (local.get 1))
              (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32))))
          (func (export "middle") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (i32.add (call 1 (local.get 0) (local.get 8)) (i32.xor (i32.add (local.get 1) (local.get 2))
              (i32.add (i32.add (local.get 3) (local.get 4)) (i32.mul (local.get 5) (i32.sub (local.get 6) (local.get 7)))))))
          (func (export "outermost") (param i32) (result i32)
            (loop (result i32) (call 2 (local.get 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5)
              (i32.const 6) (i32.const 7) (i32.const 8))
              (br_if 0 (i32.gt_u (i32.const 1) (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))))""")

    def test_a_backtrace_in_gdb_goes_through_machine_code_up_to_the_host(self):
        if not shutil.which("gdb"):
            self.skipTest("gdb not found (Debian: gdb)")
        self.ok("codegen", self.wasm)  # else the cache's files were written first
        environment = {**self.environment, "KRAIT_GDB": "1", "DEBUGINFOD_URLS": ""}
        done = subprocess.run(
            ["gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex", "handle SIGSEGV nostop noprint pass", "-ex", "catch syscall writev",
             "-ex", "catch syscall write", "-ex", "run", "-ex", "bt", "-ex", "kill", "--args", KRAIT, "run", "--engine", "jit",
             "--invoke", "outermost", str(self.wasm), "1"],
            env=environment, capture_output=True, text=True, timeout=120, cwd=self.folder)
        frames = [line for line in done.stdout.splitlines() if line.startswith("#")]
        if not frames and "ptrace" in done.stderr:
            self.skipTest("gdb may not trace here")
        names = [frame.split(" in ", 1)[-1].split(" (")[0] for frame in frames]
        guest = [name for name in names if name in ("innermost", "middle", "outermost", "[enter]")]
        self.assertEqual(guest, ["innermost", "middle", "outermost", "[enter]"], done.stdout + done.stderr)
        self.assertTrue(names[-1].startswith("main"), done.stdout)

    def test_perf_gets_a_map(self):
        for engine in ("jit", "auto"):
            process = subprocess.Popen([KRAIT, "run", "--engine", engine, "--invoke", "outermost", self.wasm, "1"], cwd=self.folder,
                                       env={**self.environment, "KRAIT_PERF_MAP": "1"}, stdout=subprocess.PIPE)
            process.communicate()
            path = pathlib.Path(f"/tmp/perf-{process.pid}.map")
            if engine == "auto" and not path.exists():
                continue  # codegen behind, and over before it began
            self.addCleanup(path.unlink)
            self.assertRegex(path.read_text(), r"(?m)^[0-9a-f]+ [0-9a-f]+ middle$")


class Codegen(KraitTest):
    """In a cache of its own."""

    def setUp(self):
        super().setUp()
        if "jit" not in self.ok("version").stdout.decode():
            self.skipTest("built without the JIT")
        self.environment["XDG_CACHE_HOME"] = str(self.folder / "cache")
        self.code = self.folder / "cache" / "krait" / "code"
        self.wasm = self.module("numbers", NUMBERS)

    def add(self):
        result = self.ok("run", "--engine", "jit", "--invoke", "add", self.wasm, "1", "2")
        self.assertEqual(result.stdout, b"3\n")
        return result.stderr

    def test_a_second_run_is_no_work(self):
        self.assertIn(b"4 functions", self.ok("codegen", self.wasm).stdout)
        (plain,) = (self.code / "plain").iterdir()
        before = plain.stat().st_mtime_ns
        self.assertIn(b"up to date", self.ok("codegen", self.wasm).stdout)
        self.assertEqual(self.add(), "")
        self.assertEqual(plain.stat().st_mtime_ns, before)
        self.fails(2, "give FILE", "codegen")

    def parts(self):
        """The blob, and the plain file beside it; there is one of each."""
        (blob,) = (path for path in self.code.glob("??/*"))
        (plain,) = (self.code / "plain").iterdir()
        return blob, plain

    def test_a_damaged_plain_file_is_reported_and_unpacked_again(self):
        self.ok("codegen", self.wasm)
        blob, plain = self.parts()
        whole, packed = plain.read_bytes(), blob.stat().st_mtime_ns
        for damaged in (whole[:-1], whole[:100], b"", whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]):
            plain.write_bytes(damaged)
            report = self.add()
            self.assertIn("damaged file", report)
            self.assertIn("unpacking it again", report)
            self.assertEqual(report.count("\n"), 1)
            self.assertEqual(plain.read_bytes(), whole)
            self.assertEqual(self.add(), "")
        os.utime(blob, ns=(packed, packed))
        self.assertEqual(self.ok("codegen", self.wasm).stderr, "")  # the blob itself was good all the time

    def test_a_damaged_blob_is_reported_and_made_again(self):
        self.ok("codegen", self.wasm)
        blob, plain = self.parts()
        whole, packed = plain.read_bytes(), blob.read_bytes()
        for damaged in (packed[:-1], packed[:20], packed[:200] + bytes([packed[200] ^ 1]) + packed[201:]):
            blob.write_bytes(damaged)
            plain.unlink()
            report = self.add()
            self.assertIn("damaged blob", report)
            self.assertIn("making the code again", report)
            self.assertEqual(report.count("\n"), 1)
            self.assertEqual((plain.read_bytes(), blob.read_bytes()), (whole, packed))

    def test_code_of_another_module_under_our_name_is_not_run(self):
        self.ok("codegen", self.wasm)
        other = self.module("other", NUMBERS.replace("i32.add", "i32.sub"))
        keep = {path.relative_to(self.code): path.read_bytes() for path in self.code.rglob("*") if path.is_file()}
        self.ok("codegen", other)
        ours = [path for path in keep if str(path) != "lock"]
        theirs = [path.relative_to(self.code) for path in self.code.rglob("*") if path.is_file()
                  and path.relative_to(self.code) not in keep]
        for path in theirs:  # of both kinds: the other module's files get our names
            name = next(p for p in ours if (p.parts[0] == "plain") == (path.parts[0] == "plain"))
            os.replace(self.code / path, self.code / name)
        report = self.add()
        self.assertEqual(report.count("of another module"), 2)  # the plain file, and what the blob held
        self.assertIn("making the code again", report)
        self.assertEqual(self.add(), "")

    def test_two_processes_at_once(self):
        for _ in range(10):
            with ThreadPoolExecutor(3) as pool:
                self.assertEqual(list(pool.map(lambda _: self.add(), range(3))), ["", "", ""])
            self.parts()
            shutil.rmtree(self.code)

    def test_codegen_killed_at_any_moment_leaves_nothing_half_written(self):
        functions = "".join(f"(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {i})))" for i in range(2000))
        wasm = self.module("many", NUMBERS[:-1] + functions + ")")
        for i in range(12):
            process = subprocess.Popen([KRAIT, "codegen", wasm], env=self.environment, stdout=subprocess.DEVNULL)
            time.sleep(0.01 * i)
            process.kill()
            process.wait()
            result = self.ok("run", "--engine", "jit", "--invoke", "add", wasm, "1", "2")
            self.assertEqual((result.stdout, result.stderr), (b"3\n", ""))
            if i % 2:
                shutil.rmtree(self.code, ignore_errors=True)
            elif (self.code / "plain").exists():
                shutil.rmtree(self.code / "plain")  # the next one unpacks

    def test_without_codegen_ahead_code_is_made_behind_and_kept(self):
        wasm = self.module("slow", """(module (func (export "spin") (param i32) (result i32)
          (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7)))""")
        result = self.ok("run", "--invoke", "spin", wasm, "300000000")
        self.assertEqual((result.stdout, result.stderr), (b"7\n", ""))
        self.parts()
        self.assertIn(b"up to date", self.ok("codegen", wasm).stdout)

    def test_a_cache_that_cannot_be_written_is_no_failure(self):
        self.file("cache/krait", "no folder")
        self.assertIn("going on without", self.add())


class Usage(KraitTest):
    def test_help(self):
        text = self.ok("--help").stdout.decode()
        for verb in ("upload", "invoke", "run", "codegen", "disasm", "paths", "list", "remove", "version"):
            self.assertIn(verb, text)
            help_of_verb = self.ok(verb, "--help").stdout.decode()
            self.assertIn(f"krait {verb}", help_of_verb)
            self.assertIn("Example", help_of_verb)

    def test_version(self):
        self.assertRegex(self.ok("version").stdout.decode(), r"^krait \d+\.\d+\.\d+ \(engines: .*interp.*\)\n$")
        self.assertRegex(self.ok("--version").stdout.decode(), r"^krait \d+\.\d+\.\d+\n$")

    def test_wrong_usage_is_one_line_and_status_2(self):
        self.fails(2, "no verb 'fly'", "fly")
        self.fails(2, "--loud", "--loud")
        self.fails(2, "FILE", "upload", "demo", "hello")
        self.fails(2, "FUNC", "invoke", "demo")
        self.fails(2, "'x'", "invoke", "demo", "hello", "x")
        self.fails(2, "--input", "invoke", "demo", "hello", "-", "--input", "x")
        self.fails(2, "FILE", "run")
        self.fails(2, "--loud", "run", "--loud", "x.py")
        self.fails(2, "NAME=VALUE", "run", "--env", "X", "x.py")
        self.fails(2, "warp", "run", "--engine", "warp", "x.py")
        self.assertEqual(self.krait().returncode, 2)

    def test_bad_names(self):
        self.file("f.py", "pass")
        for user, function, wrong in (("..", "f", "user name '..'"), ("u", "../f", "function name '../f'"),
                                      ("u", "", "function name is empty"), ("a b", "f", "user name 'a b'"),
                                      ("u", "x" * 201, "201 bytes"), ("u", "a\nb", "'a?b'")):
            self.fails(2, wrong, "upload", user, function, "f.py")
            self.fails(2, wrong, "invoke", user, function)
            self.fails(2, wrong, "remove", user, function)
        self.assertFalse(self.home.exists())

    def test_files_that_cannot_be_read(self):
        for words in (("upload", "demo", "f"), ("run",)):
            self.fails(1, "none.py: No such file", *words, "none.py")
            self.fails(1, "Is a directory", *words, self.folder)
        self.assertFalse(self.home.exists())

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_file_without_permission(self):
        self.file("secret.py", "pass").chmod(0)
        self.fails(1, "Permission denied", "run", "secret.py")

    def test_an_option_for_the_other_kind_of_file(self):
        self.file("f.py", "pass")
        self.file("m.wasm", b"\0asm\1\0\0\0")
        self.fails(2, "--invoke is for wasm", "run", "--invoke", "f", "f.py")
        self.fails(2, "--entry is for Python", "run", "--entry", "f", "m.wasm")


class Runtime(KraitTest):
    def test_a_missing_runtime_is_one_line_that_says_what_to_run(self):
        self.file("f.py", "pass")
        nowhere = {"KRAIT_RUNTIME": str(self.folder / "nowhere")}
        self.fails(1, "run tools/quickstart or pyhost/guest/build", "run", "f.py", env=nowhere)
        self.fails(1, "run tools/quickstart or pyhost/guest/build", "upload", "demo", "f", "f.py", env=nowhere)
        self.assertFalse(self.home.exists())
        self.fails(1, "run tools/quickstart", "paths", "stdlib", env=nowhere)

    def test_paths(self):
        self.assertEqual(self.ok("paths", "store").stdout.decode(), f"{self.home}\n")
        self.assertEqual(self.ok("paths", "cache", env={"XDG_CACHE_HOME": "/c"}).stdout, b"/c/krait\n")
        self.fails(2, "'else'", "paths", "else")
        runtime = self.folder / "runtime"
        for name in ("python.wasm", "python-reactor.wasm", "python313.zip", "stdlib/python3.13/os.py"):
            self.file(f"runtime/{name}", b"")
        lines = self.ok("paths", env={"KRAIT_RUNTIME": str(runtime)}).stdout.decode().splitlines()
        found = dict(line.split(" ", 1) for line in lines)
        self.assertEqual(found["store"], str(self.home))
        self.assertEqual(found["python.wasm"], str(runtime / "python.wasm"))
        self.assertEqual(found["reactor"], str(runtime / "python-reactor.wasm"))
        self.assertEqual(found["stdlib"], str(runtime / "stdlib"))


class Wasm(KraitTest):
    def test_a_command(self):
        module = self.module("cat", CAT)
        data = os.urandom(100_000)
        result = self.krait("run", module, "--env", "x", stdin=data)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(result.stdout, data)

    def test_upload_invoke_list_remove(self):
        module = self.module("cat", CAT)
        self.assertIn(b"uploaded demo/cat: wasm", self.ok("upload", "demo", "cat", module).stdout)
        for data in (b"", os.urandom(100_000)):
            result = self.krait("invoke", "demo", "cat", "-", stdin=data)
            self.assertEqual((result.returncode, result.stderr), (1, ""))
            self.assertEqual(result.stdout, data)
        self.assertEqual(self.krait("invoke", "demo", "cat", "--input", "--x").stdout, b"--x")
        self.assertEqual(self.krait("invoke", "demo", "cat", "--input-file", module).stdout, module.read_bytes())
        self.assertRegex(self.ok("list").stdout.decode(), rf"^demo/cat +wasm +{module.stat().st_size} +20\S+Z\n$")
        self.assertEqual(self.ok("list", "other").stdout, b"")
        self.ok("remove", "demo", "cat")
        self.fails(1, "no function demo/cat", "remove", "demo", "cat")
        self.fails(1, "no function demo/cat", "invoke", "demo", "cat")
        self.assertEqual(self.ok("list").stdout, b"")

    def test_uploads_at_once_leave_one_whole_function(self):
        modules = [self.module(f"m{i}", f'(module (func (export "_start")) (data "{i}"))') for i in range(6)]
        with ThreadPoolExecutor(6) as pool:
            for result in pool.map(lambda module: self.krait("upload", "demo", "f", module), modules):
                self.assertEqual(result.returncode, 0, result.stderr)
        self.ok("invoke", "demo", "f")
        blobs = [path for path in (self.home / "blobs").rglob("*") if len(path.name) == 62]
        self.assertEqual(len(blobs), 1)

    def test_exports(self):
        module = self.module("numbers", NUMBERS)
        self.assertEqual(self.ok("run", "--invoke", "add", module, "40", "2").stdout, b"42\n")
        self.assertEqual(self.ok("run", "--invoke", "add", module, "-1", "0x10").stdout, b"15\n")
        self.assertEqual(self.ok("run", "--invoke", "pair", module).stdout, b"-1\n0.5\n")
        self.fails(1, "minus", "run", "--invoke", "minus", module)
        self.fails(1, "add", "run", "--invoke", "add", module, "1")
        self.fails(1, "twelve", "run", "--invoke", "add", module, "1", "twelve")

    def test_a_trap_shows_its_backtrace(self):
        result = self.krait("run", "--invoke", "outer", self.module("numbers", NUMBERS))
        self.assertEqual(result.returncode, 134)
        self.assertIn("unreachable", result.stderr)
        self.assertIn("outer", result.stderr)

    def test_a_bad_module_is_not_stored(self):
        self.file("bad.wasm", b"\0asm\1\0\0\0\x01\xff")
        result = self.fails(1, "bad.wasm: at byte 0x", "upload", "demo", "bad", "bad.wasm")
        self.assertFalse(self.home.exists())
        self.fails(1, "bad.wasm: at byte 0x", "run", "bad.wasm")
        self.file("text.wasm", "(module)")
        self.fails(1, "text.wasm", "run", "text.wasm")

    def test_a_damaged_blob_is_reported_and_not_run(self):
        self.ok("upload", "demo", "cat", self.module("cat", CAT))
        blob = next(path for path in (self.home / "blobs").rglob("*") if path.is_file() and len(path.name) == 62)
        contents = bytearray(blob.read_bytes())
        contents[-1] ^= 1
        blob.write_bytes(contents)
        self.fails(1, "damaged", "invoke", "demo", "cat")
        self.ok("upload", "demo", "cat", self.folder / "cat.wasm")
        self.assertEqual(self.krait("invoke", "demo", "cat", "--input", "x").stdout, b"x")

    def test_the_jit_where_it_is_built_in(self):
        words = ("run", "--engine", "jit", "--invoke", "add", self.module("numbers", NUMBERS), "1", "2")
        if "jit" in self.ok("version").stdout.decode():
            self.assertEqual(self.ok(*words).stdout, b"3\n")
        else:
            self.fails(2, "--engine jit", *words)


if __name__ == "__main__":
    need_programs("wat2wasm")
    unittest.main()
