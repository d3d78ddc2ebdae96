"""pyfaasm as a package: every name of both dialects, types, docstrings, an installation by pip, and functions under a plain python3."""
import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "pyhost" / "guest" / "pyfaasm"
sys.path.insert(0, str(PROJECT))

import pyfaasm  # noqa: E402

OLD = """get_input set_output get_output get_state_size get_state get_state_offset set_state set_state_offset push_state push_state_partial
    pull_state chain_this_with_input await_call check_python_bindings set_local_chaining set_local_input_output set_emulator_message
    set_emulator_status get_emulator_async_response""".split()
NEW = """get_input_len read_input write_output get_output read_state_size read_state read_state_offset write_state write_state_offset
    push_state push_state_partial pull_state chain await_call is_local_chaining is_local_output set_local_chaining
    set_local_input_output get_env_bool set_env_bool set_emulator_message set_emulator_status get_emulator_async_response""".split()
MORE = """await_call_output CallError await_any await_all chain_name await_call_async await_call_output_async await_any_async
    await_all_async state_lock lock_state_read lock_state_write unlock_state_read unlock_state_write append_state read_appended_state
    clear_appended_state delete_state list_state_keys on_restore""".split()
CONFIG = """NP_ELEMENT_SIZE SUBMATRICES_KEY_A SUBMATRICES_KEY_B INTERMEDIATE_RESULT_PREFIX RESULT_MATRIX_KEY MATRIX_CONF_STATE_KEY
    MatrixConf""".split()
MATRIX = """write_matrix_params_to_state load_matrix_conf_from_state random_matrix subdivide_matrix_into_state read_input_submatrix
    reconstruct_matrix_from_submatrices distributed_divide_and_conquer divide_and_conquer get_addition_result
    chain_multiplications""".split()
MATRIX_DATA = """subdivide_matrix_into_files reconstruct_matrix_from_files do_subdivide_matrix do_reconstruct_matrix""".split()


def public(module):
    """The functions and classes that a module of the package has made itself."""
    return [value for name, value in vars(module).items() if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__]


def can_install(python):
    return shutil.which(python) and subprocess.run([python, "-c", "import setuptools, wheel, pip"], capture_output=True).returncode == 0


class Names(unittest.TestCase):
    def test_all_names_of_both_dialects(self):
        for name in OLD + NEW + MORE:
            with self.subTest(name):
                self.assertIn(name, pyfaasm.__all__)
                self.assertIs(getattr(pyfaasm, name), getattr(pyfaasm.core, name))  # as Faasm's functions import it

    def test_the_modules(self):
        for name in CONFIG:
            self.assertTrue(hasattr(pyfaasm.config, name), name)
        self.assertEqual((pyfaasm.config.NP_ELEMENT_SIZE, pyfaasm.config.SUBMATRICES_KEY_A, pyfaasm.config.SUBMATRICES_KEY_B,
                          pyfaasm.config.RESULT_MATRIX_KEY, pyfaasm.config.MATRIX_CONF_STATE_KEY),
                         (4, "mat_a", "mat_b", "result_matrix", "matrix_state"))
        self.assertTrue(pyfaasm.objects.Dictionary)

    def test_numpy_is_named_where_it_is_missing(self):
        for name in "matrix", "matrix_data":
            sys.modules.pop(f"pyfaasm.{name}", None)
            with mock.patch.dict(sys.modules, {"numpy": None}), self.assertRaisesRegex(ImportError, f"pyfaasm.{name} needs numpy"):
                importlib.import_module(f"pyfaasm.{name}")

    def test_the_names_that_need_numpy(self):
        if not importlib.util.find_spec("numpy"):
            self.skipTest("numpy is not installed")
        for module, names in ((pyfaasm.matrix, MATRIX), (pyfaasm.matrix_data, MATRIX_DATA)):
            for name in names:
                self.assertTrue(callable(getattr(module, name)), name)

    def test_all_that_is_public_says_what_it_does(self):
        names = "core chain state aio config objects".split() + ["matrix", "matrix_data"] * bool(importlib.util.find_spec("numpy"))
        for name in names:
            module = importlib.import_module(f"pyfaasm.{name}")
            self.assertTrue(module.__doc__)
            for value in public(module):
                with self.subTest(f"{name}.{value.__qualname__}"):
                    self.assertTrue(value.__doc__, "no docstring")
                    methods = [m for n, m in vars(value).items() if not n.startswith("_") and inspect.isfunction(m)] if inspect.isclass(value) else []
                    for method in methods:
                        self.assertTrue(method.__doc__, method)

    def test_what_takes_or_gives_sizes_states_units_and_errors(self):
        for name, words in (("read_input", "bytes.*ValueError"), ("write_output", "TypeError.*OSError"), ("await_call", "seconds.*LookupError"),
                            ("chain", "ValueError.*RuntimeError"), ("chain_name", "LookupError.*PermissionError"),
                            ("read_state_offset", "bytes.*ValueError"), ("state_lock", "seconds.*TimeoutError"),
                            ("get_input_len", "bytes"), ("pull_state", "KeyError")):
            self.assertRegex(re.sub(r"\s+", " ", getattr(pyfaasm, name).__doc__), words)

    def test_all_that_is_public_is_annotated(self):
        for name in pyfaasm.__all__:
            value = getattr(pyfaasm, name)
            for part in ([value] if inspect.isfunction(value) else [value.__init__] if inspect.isclass(value) else []):
                with self.subTest(name):
                    signature = inspect.signature(part)
                    self.assertIsNot(signature.return_annotation, inspect.Signature.empty)
                    self.assertFalse([p for p in signature.parameters.values() if p.annotation is p.empty and p.name != "self"])


class Package(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="krait-pyfaasm-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_python(self, text, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run([sys.executable, "-c", text], cwd=self.folder, env={**clean, **environment}, capture_output=True, text=True)

    def test_types(self):
        if not shutil.which("mypy"):
            self.skipTest("mypy is not installed")
        done = subprocess.run(["mypy", "--strict", "--cache-dir", self.folder, PROJECT / "pyfaasm"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        (self.folder / "user.py").write_text("import pyfaasm\n\ndef part(data: bytes) -> bytes:\n    return data\n\n"
                                             "call: int = pyfaasm.chain(part, b'')\nwrong: str = pyfaasm.await_call_output(call)\npyfaasm.chain(5)\n")
        done = subprocess.run(["mypy", "--strict", "--cache-dir", self.folder, "user.py"], cwd=self.folder, capture_output=True, text=True,
                              env={**os.environ, "MYPYPATH": str(PROJECT)})
        self.assertEqual(re.findall(r"user.py:(\d+): error", done.stdout), ["7", "8"], done.stdout)

    def test_the_stub_of_the_hosts_modules_is_what_they_have(self):
        """_krait and _krait_state by their method tables in C, whose texts begin with their parameters; and local mode's stand-in."""
        from pyfaasm import _local_state

        stub = {node.name: {f.name: len(f.args.posonlyargs) + len(f.args.args) - 1 for f in node.body}
                for node in ast.parse((PROJECT / "pyfaasm" / "_host.pyi").read_text()).body if isinstance(node, ast.ClassDef)}
        for name, file in ("Calls", "hostmodule.c"), ("State", "state.c"):
            methods = re.findall(r'\{"(\w+)", \w+, METH_(\w+),\s*"(\w+)\((.*?)\)', (PROJECT.parent / file).read_text())
            self.assertEqual([method for method, _, text, _ in methods], [text for _, _, text, _ in methods])
            made = {method: len(parameters.split(", ")) if parameters else 0 for method, _, _, parameters in methods}
            self.assertEqual(stub[name], made)
            for method, kind, _, _ in methods:
                self.assertEqual(kind, {0: "NOARGS", 1: "O"}.get(made[method], "VARARGS") if name == "Calls" else "VARARGS", method)
        self.assertEqual(stub["State"], {name: len(inspect.signature(value).parameters) for name, value in vars(_local_state).items()
                                         if inspect.isfunction(value) and not name.startswith("_")})

    def test_an_installation_by_pip(self):
        python = next((p for p in (sys.executable, "/usr/bin/python3") if can_install(p)), None)
        if not python:
            self.skipTest("no python3 here has pip, setuptools and wheel")
        source = shutil.copytree(PROJECT, self.folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
                               "--disable-pip-version-check", "--target", self.folder / "site", source],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        installed = self.folder / "site" / "pyfaasm"
        self.assertEqual({p.name for p in installed.glob("*.py*")}, {p.name for p in (PROJECT / "pyfaasm").glob("*.py*")})
        self.assertTrue((installed / "py.typed").exists())
        done = self.run_python("import pyfaasm, importlib.metadata as m; print(pyfaasm.__file__, m.version('pyfaasm'))", PYTHONPATH=str(self.folder / "site"))
        self.assertEqual(done.stdout, f"{installed}/__init__.py 1.0.0\n", done.stderr)

    def test_functions_run_under_a_plain_python3(self):
        (self.folder / "other.py").write_text("import pyfaasm\ndef faasm_main():\n    pyfaasm.set_output(pyfaasm.get_input().upper())\n")
        (self.folder / "f.py").write_text("""
import asyncio
from pyfaasm import *
def part(data):
    write_state('seen', data)
    return data * 2
def status(data):
    return 7
def bad(data):
    raise KeyError('lost')
def faasm_main():
    calls = [chain(part, b'%d' % i) for i in range(3)]
    assert await_all(calls) == [0, 0, 0]
    assert [await_call_output(c) for c in calls] == [b'00', b'11', b'22']
    assert await_call(chain(status)) == 7 and read_state('seen') == b'2'
    assert await_call_output(chain_name('user/other', b'abc')) == b'ABC'
    try:
        await_call(chain(bad), check=True)
    except CallError as error:
        assert error.error_type == 'KeyError' and 'in bad' in error.traceback
    assert asyncio.run(call(part, b'x')) == b'xx'
    result = get_result(calls[0])
    assert result.end == 'returned' and result.times['run'] >= 0
    print('fine')
""")
        done = self.run_python("import f; f.faasm_main()", PYTHON_LOCAL_CHAINING="1", PYTHON_LOCAL_OUTPUT="1", PYTHONPATH=str(PROJECT))
        self.assertEqual((done.returncode, done.stdout), (0, "fine\n"), done.stderr)
        done = self.run_python("import f; f.faasm_main()", PYTHONPATH=str(PROJECT))
        self.assertIn("RuntimeError: this is no krait function", done.stderr)


if __name__ == "__main__":
    unittest.main()
