/// The Python module `_krait`: the host's calls as Python sees them. pyfaasm is its only user.
#pragma once
#include <Python.h>
#include <stdbool.h>

PyObject* krait_module_init(void);

/// The call's whole input as a new bytes object, or NULL with an exception set.
PyObject* krait_input_bytes(void);

/// Sets the call's output from a bytes-like object. 0, or -1 with an exception set.
int krait_set_output(PyObject* data);

/// Whether the call has set an output since the last krait_forget_output.
bool krait_output_was_set(void);
void krait_forget_output(void);
