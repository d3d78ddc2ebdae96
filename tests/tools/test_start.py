"""Starts of a new process: the caches that make them quick are checked, shared and survive what may happen to them."""
import os
import random
import signal
import subprocess
import time
import unittest

from support import KRAIT, KraitTest, need_runtime

STANDARD_FILES = """import sys
for file in (sys.stdin, sys.stdout, sys.stderr):
    print(file.name, file.mode, file.encoding, file.line_buffering, file.seekable(), file.isatty())
print(repr(sys.stdin.read()), sys.argv[1:])
"""


class Start(KraitTest):
    def setUp(self):
        super().setUp()
        runtime = os.path.dirname(dict(line.split(" ", 1) for line in self.ok("paths").stdout.decode().splitlines())["reactor"])
        self.cache = self.folder / "cache"
        self.environment |= {"XDG_CACHE_HOME": str(self.cache), "KRAIT_RUNTIME": runtime}
        self.images = self.cache / "krait" / "images"
        for name in ("a", "b"):
            self.file(f"{name}.py", f"from pyfaasm import set_output\ndef faasm_main():\n    set_output(b'this is {name}')\n")
            self.ok("upload", "u", name, f"{name}.py", "--engine", "interp")

    def invoke(self, name="a", **how):
        """Its output is right; what it said on stderr."""
        result = self.ok("invoke", "u", name, "--engine", "interp", **how)
        self.assertEqual(result.stdout, f"this is {name}".encode())
        return result.stderr

    def plain_files(self):
        return sorted((self.images / "plain").iterdir(), key=lambda path: path.name)

    def seal(self):
        """A file that was written just now is looked at again by the next process, and then no more."""
        time.sleep(0.15)
        for name in ("a", "b"):
            self.assertEqual(self.invoke(name), "")

    def test_damaged_files_are_told_and_made_again(self):
        def flip(path, at):
            with open(path, "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 16]))

        def damages(path):
            size = path.stat().st_size
            yield lambda: os.truncate(path, size - 1)
            yield lambda: os.truncate(path, size // 2)
            yield lambda: os.truncate(path, 0)
            yield lambda: flip(path, size - 50)  # the trailer: another version
            for at in (0, 9, size // 3, size // 2, size - 100):
                yield lambda at=at: flip(path, at)

        self.seal()
        for path in self.plain_files():
            whole = path.read_bytes()
            for damage in damages(path):
                damage()
                said = self.invoke("a") + self.invoke("b")
                # The function's snapshot spares its process Python's own one: that is not looked at then.
                if said:
                    self.assertEqual(said.count("\n"), 1, said)
                    self.assertIn(f"damaged file {path}", said)
                    self.assertIn("again", said)
                else:
                    path.write_bytes(whole)
                self.assertEqual(self.invoke("a") + self.invoke("b"), "")
                time.sleep(0.12)
                self.assertEqual(self.invoke("a") + self.invoke("b"), "")

    def test_some_damage_is_found(self):
        self.seal()
        for path in self.plain_files():
            os.truncate(path, 1000)
        said = self.invoke("a")
        self.assertEqual(said.count("damaged file"), 2, said)  # the module's facts, the function's snapshot

    def test_damaged_blobs_too(self):
        self.seal()
        for path in self.plain_files():
            os.truncate(path, 1000)
        blobs = [path for path in self.images.glob("??/*")]
        for path in blobs:
            os.truncate(path, 100)
        said = self.invoke("a") + self.invoke("b")
        self.assertIn("making it again", said)
        for line in said.splitlines():
            self.assertIn("krait: the image cache: ", line)
        self.assertEqual(self.invoke("a") + self.invoke("b"), "")

    def test_swapped_files_are_nobodys(self):
        self.seal()
        files = self.plain_files()
        held = [path.read_bytes() for path in files]
        for shift in range(1, len(files)):
            for i, path in enumerate(files):
                aside = path.with_name("aside")
                aside.write_bytes(held[(i + shift) % len(files)])
                aside.rename(path)
            said = self.invoke("a") + self.invoke("b")
            self.assertIn("it is another one's", said)
            self.assertEqual(self.invoke("a") + self.invoke("b"), "")

    def test_a_remembered_hash_is_of_that_file_only(self):
        self.seal()
        for seal in (self.images / "seals").iterdir():
            data = seal.read_bytes()
            seal.write_bytes(data[:-40] + bytes(40))
        self.assertEqual(self.invoke("a"), "")
        runtime = self.folder / "runtime"
        runtime.mkdir()
        for name in os.listdir(self.environment["KRAIT_RUNTIME"]):
            os.symlink(os.path.join(self.environment["KRAIT_RUNTIME"], name), runtime / name)
        reactor = runtime / "python-reactor.wasm"
        data = reactor.read_bytes()
        reactor.unlink()
        reactor.write_bytes(data)
        env = {"KRAIT_RUNTIME": str(runtime)}
        self.assertEqual(self.invoke("a", env=env), "")
        time.sleep(0.15)
        self.assertEqual(self.invoke("a", env=env), "")
        times = reactor.stat()
        reactor.write_bytes(data + b"\x00\x03\x02ab")  # a custom section more: another module
        os.utime(reactor, ns=(times.st_atime_ns, times.st_mtime_ns))
        before = len(self.plain_files())
        self.assertEqual(self.invoke("a", env=env), "")
        self.assertGreater(len(self.plain_files()), before)
        reactor.write_bytes(data[:-5])
        self.assertNotEqual(self.krait("invoke", "u", "a", "--engine", "interp", env=env).returncode, 0)

    def test_processes_that_fill_one_cache_at_once_and_are_killed(self):
        environment = {**self.environment, "XDG_CACHE_HOME": str(self.folder / "shared")}
        argv = [KRAIT, "invoke", "u", "a", "--engine", "interp"]
        pick = random.Random(6)
        for _ in range(12):
            running = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
            time.sleep(pick.random() * 0.7)
            for process in running:
                process.send_signal(signal.SIGKILL)
            for process in running:
                output, said = process.communicate(timeout=60)
                self.assertIn(output, (b"", b"this is a"))
                self.assertNotIn(b"damaged", said)
        for process in [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]:
            output, said = process.communicate(timeout=120)
            self.assertEqual((process.returncode, output, said), (0, b"this is a", b""))

    def test_a_script_has_the_standard_files_of_its_process(self):
        self.file("files.py", STANDARD_FILES)
        self.file("in.txt", "from a file")
        for _ in range(2):  # Python's own snapshot is made, and then found
            piped = self.ok("run", "files.py", "x", stdin=b"piped\n").stdout.decode().splitlines()
            self.assertEqual(piped, ["<stdin> r utf-8 False False False", "<stdout> w utf-8 True False False",
                                     "<stderr> w utf-8 True False False", "'piped\\n' ['x']"])
        with open(self.folder / "in.txt") as file:
            done = subprocess.run([KRAIT, "run", str(self.folder / "files.py")], stdin=file, capture_output=True, env=self.environment, check=True)
        self.assertIn("<stdin> r utf-8 False True False", done.stdout.decode())
        self.assertIn("'from a file'", done.stdout.decode())

    def test_closed_standard_files_are_nobody_elses(self):
        self.file("read.py", "import sys, os\nprint(repr(os.read(0, 10)))\n")
        command = f"exec '{KRAIT}' run '{self.folder}/read.py' <&-"
        done = subprocess.run(["sh", "-c", command], capture_output=True, env=self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, b"b''\n"), done.stderr)


if __name__ == "__main__":
    need_runtime()
    unittest.main()
