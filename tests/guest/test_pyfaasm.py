"""pyfaasm under plain CPython: local mode, and a clear error without it."""
import asyncio
import importlib.util
import io
import json
import os
import pickle
import sys
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "pyhost" / "guest" / "pyfaasm"), str(ROOT / "examples")]

import pyfaasm  # noqa: E402


class LocalMode(unittest.TestCase):
    def setUp(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON_LOCAL_")}
        patch = mock.patch.dict(os.environ, clean, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        pyfaasm.set_local_input(b"")

    def test_without_it_the_calls_say_what_to_do(self):
        for call in (pyfaasm.get_input, pyfaasm.get_input_len, lambda: pyfaasm.set_output(b""), pyfaasm.call_info,
                     pyfaasm.check_python_bindings):
            with self.assertRaisesRegex(RuntimeError, "set_local_input_output"):
                call()
        with self.assertRaisesRegex(RuntimeError, "local mode"):
            pyfaasm.get_output()

    def test_input_is_binary_safe(self):
        pyfaasm.set_local_input_output(True)
        self.assertEqual(pyfaasm.get_input(), b"")
        pyfaasm.set_local_input(b"a\0b\xff")
        self.assertEqual((pyfaasm.get_input_len(), pyfaasm.read_input(3), pyfaasm.read_input(9)), (4, b"a\0b", b"a\0b\xff"))
        with self.assertRaises(ValueError):
            pyfaasm.read_input(-1)

    def test_the_last_output_wins(self):
        pyfaasm.set_local_input_output(True)
        for data, expected in ((b"\0\xff", b"\0\xff"), ("naïve", "naïve".encode()), (memoryview(b"view"), b"view"), (b"", b"")):
            pyfaasm.write_output(data)
            self.assertEqual(pyfaasm.get_output(), expected)
        for wrong in (1, None, ["x"]):
            with self.assertRaises(TypeError):
                pyfaasm.set_output(wrong)

    def test_switches_are_environment_variables(self):
        for switch, state, name in ((pyfaasm.set_local_input_output, pyfaasm.is_local_output, "PYTHON_LOCAL_OUTPUT"),
                                    (pyfaasm.set_local_chaining, pyfaasm.is_local_chaining, "PYTHON_LOCAL_CHAINING")):
            self.assertFalse(state())
            switch(True)
            self.assertTrue(state() and os.environ[name])
            switch(False)
            self.assertFalse(state() or name in os.environ)
        os.environ["PYTHON_LOCAL_OUTPUT"] = ""
        self.assertFalse(pyfaasm.is_local_output())

    def test_every_public_name_is_there_and_documented(self):
        for name in pyfaasm.__all__:
            self.assertTrue(getattr(pyfaasm, name).__doc__, name)

    def test_examples_run_locally(self):
        import echo
        import hello
        pyfaasm.set_local_input_output(True)
        hello.faasm_main()
        self.assertIn(b"Hello! Running Python version 3.", pyfaasm.get_output())
        pyfaasm.set_local_input(b"\0echo")
        echo.faasm_main()
        self.assertEqual(pyfaasm.get_output(), b"\0echo")


def part(data):
    print("part runs")
    pyfaasm.set_output(pyfaasm.get_input()[::-1])
    return 5


def broken(data):
    raise KeyError("lost")


class LocalChaining(unittest.TestCase):
    """A chained call is a plain call, its result is kept; the rest is as in a service."""

    def setUp(self):
        patch = mock.patch.dict(os.environ, {"PYTHON_LOCAL_OUTPUT": "1", "PYTHON_LOCAL_CHAINING": "1"})
        patch.start()
        self.addCleanup(patch.stop)
        stderr = mock.patch("sys.stderr", io.StringIO())
        stderr.start()
        self.addCleanup(stderr.stop)

    def test_chain_and_await(self):
        pyfaasm.set_local_input(b"mine")
        pyfaasm.set_output(b"mine")
        first, second = pyfaasm.chain(part, b"abc"), pyfaasm.chain_this_with_input(part, b"")
        self.assertEqual(pyfaasm.await_all([first, second]), [5, 5])
        self.assertEqual(pyfaasm.await_call_output(first, check=False), b"cba")
        self.assertIn(pyfaasm.await_any([first, second]), (first, second))
        self.assertEqual((pyfaasm.get_input(), pyfaasm.get_output()), (b"mine", b"mine"))
        for unknown in (0, 10**6):
            with self.assertRaises(LookupError):
                pyfaasm.await_call(unknown)

    def test_a_failed_call(self):
        call = pyfaasm.chain(broken, b"")
        self.assertEqual(pyfaasm.await_call(call), 1)
        with self.assertRaises(pyfaasm.CallError) as caught:
            pyfaasm.await_call(call, check=True)
        self.assertEqual((caught.exception.error_type, caught.exception.status), ("KeyError", 1))
        self.assertIn("in broken", str(caught.exception))
        self.assertEqual(pickle.loads(pickle.dumps(caught.exception)).traceback, caught.exception.traceback)

    def test_async_forms(self):
        async def main():
            call = pyfaasm.chain(part, b"12")
            self.assertEqual(await pyfaasm.await_call_async(call), 5)
            self.assertEqual(await pyfaasm.await_all_async([call, call]), [5, 5])
            self.assertEqual(await pyfaasm.await_any_async([call]), call)
            return await pyfaasm.await_call_output_async(call, check=False)

        self.assertEqual(asyncio.run(main()), b"21")

    def test_the_examples(self):
        import chain
        import dict_state

        self.assertFalse(chain.faasm_main())
        self.assertFalse(dict_state.faasm_main())

    def test_emulator(self):
        self.assertEqual(pyfaasm.set_emulator_message('{"user": "python", "input_data": "in"}'), 1)
        self.assertEqual(pyfaasm.get_input(), b"in")
        pyfaasm.set_output(b"out")
        with self.assertRaises(RuntimeError):
            pyfaasm.get_emulator_async_response()
        pyfaasm.set_emulator_status(True)
        self.assertEqual(json.loads(pyfaasm.get_emulator_async_response()), {"id": 1, "success": True, "output_data": "out"})

    def test_all_is_in_core_too_and_what_needs_numpy_says_so(self):
        from pyfaasm import config, core, objects

        self.assertIs(core.chain_this_with_input, pyfaasm.chain)
        self.assertIsNotNone(objects.Dictionary())
        conf = config.MatrixConf(1024, 2)
        self.assertEqual((conf.bytes_per_matrix, conf.get_submatrices_per_row(2), conf.get_submatrix_size(2), conf.get_bytes_per_submatrix(2)),
                         (1024 * 1024 * 4, 4, 256, 256 * 256 * 4))
        with mock.patch.dict(sys.modules, {"numpy": None}), self.assertRaisesRegex(ImportError, "needs numpy"):
            importlib.import_module("pyfaasm.matrix")


class LocalState(unittest.TestCase):
    """What the functions find in the sandbox too (tests/tools/test_state.py)."""

    def run_function(self, name):
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "functions" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.faasm_main()

    def test_both_dialects_and_the_errors(self):
        for switch in "PYTHON_LOCAL_OUTPUT", "PYTHON_LOCAL_CHAINING":
            with mock.patch.dict(os.environ, {switch: "1"}):
                self.assertEqual(self.run_function("state_dialects"), "fine")
                self.assertEqual(self.run_function("state_errors"), "fine")
                for key in pyfaasm.list_state_keys():
                    pyfaasm.delete_state(key)
                self.assertEqual(self.run_function("state_keys"), "fine")
                for key in pyfaasm.list_state_keys():
                    pyfaasm.delete_state(key)

    def test_without_it_the_calls_say_what_to_do(self):
        for call in lambda: pyfaasm.read_state("a"), lambda: pyfaasm.write_state("a", b""), pyfaasm.list_state_keys:
            with self.assertRaisesRegex(RuntimeError, "set_local_input_output"):
                call()

    def test_faasms_examples(self):
        with mock.patch.dict(os.environ, {"PYTHON_LOCAL_OUTPUT": "1"}):
            import state_test_read
            import state_test_write

            self.assertFalse(state_test_write.faasm_main())
            self.assertFalse(state_test_read.faasm_main())


if __name__ == "__main__":
    unittest.main()
