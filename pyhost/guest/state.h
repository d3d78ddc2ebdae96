/// The Python module `_krait_state`: the host's state calls. pyfaasm.state is its only user.
#pragma once
#include <Python.h>

PyObject* krait_state_module_init(void);

/// Takes or gives back a lock of the call's, at once. 0 or a WASI errno. sqlite_locks.c uses it.
int krait_call_lock(const char* name, size_t length, int take);
