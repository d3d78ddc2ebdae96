// C++ without its library: constructors of static objects, and exceptions thrown and caught, which the engine unwinds.
#include <Python.h>

extern "C" {
// What a library for exceptions would have.
struct Thrown {
  int value;
};
void* __cxa_begin_catch(void* thrown) { return thrown; }
void __cxa_end_catch() {}
}

namespace {
int constructed;
struct Counter {
  Counter() { ++constructed; }
} counter;
int cleaned;
struct Cleanup {
  ~Cleanup() { ++cleaned; }
};

Thrown thrown;
[[gnu::noinline]] void raise() { __builtin_wasm_throw(0, &thrown); }
[[gnu::noinline]] int deep(int n) {
  Cleanup cleanup;
  if (n == 0) raise();
  return deep(n - 1) + 1;
}

PyObject* caught(PyObject*, PyObject* depth) {
  thrown.value = 7;
  try {
    deep(static_cast<int>(PyLong_AsLong(depth)));
  } catch (...) {
    return Py_BuildValue("iii", thrown.value, cleaned, constructed);
  }
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"caught", caught, METH_O, ""}, {}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "eggs", nullptr, 0, methods};
}  // namespace

PyMODINIT_FUNC PyInit_eggs() { return PyModule_Create(&definition); }
