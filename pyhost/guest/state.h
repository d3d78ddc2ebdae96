/// The Python module `_krait_state`: the host's state calls. pyfaasm.state is its only user.
#pragma once
#include <Python.h>

PyObject* krait_state_module_init(void);
