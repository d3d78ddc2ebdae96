"""pyfaasm under plain CPython: local mode, and a clear error without it."""
import importlib.util
import os
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
