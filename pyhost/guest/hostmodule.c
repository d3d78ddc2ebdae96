// `_krait` wraps the host's imports one to one and checks what crosses: lengths fit in 31 bits, an
// errno becomes an OSError.
#define PY_SSIZE_T_CLEAN
#include "hostmodule.h"

#include "krait_host.h"

static bool output_set;

static PyObject* read_input(Py_ssize_t len) {
  PyObject* bytes = PyBytes_FromStringAndSize(NULL, len);
  if (!bytes) return NULL;
  Py_ssize_t done = 0;
  while (done < len) {
    int32_t n =
        krait_input_read(PyBytes_AS_STRING(bytes) + done, (int32_t)(len - done), (int32_t)done);
    if (n <= 0) break;
    done += n;
  }
  if (done < len) _PyBytes_Resize(&bytes, done);
  return bytes;
}

PyObject* krait_input_bytes(void) { return read_input(krait_input_size()); }

int krait_set_output(PyObject* data) {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return -1;
  int32_t error = krait_output_write(view.buf, (int32_t)view.len);
  PyBuffer_Release(&view);
  if (error) {
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
  output_set = true;
  return 0;
}

bool krait_output_was_set(void) { return output_set; }
void krait_forget_output(void) { output_set = false; }

static PyObject* input_size(PyObject* module, PyObject* ignored) {
  return PyLong_FromLong(krait_input_size());
}

static PyObject* input_read(PyObject* module, PyObject* arg) {
  Py_ssize_t len = PyNumber_AsSsize_t(arg, PyExc_OverflowError);
  if (len == -1 && PyErr_Occurred()) return NULL;
  if (len < 0) return PyErr_Format(PyExc_ValueError, "negative length: %zd", len);
  Py_ssize_t size = krait_input_size();
  return read_input(len < size ? len : size);
}

static PyObject* output_write(PyObject* module, PyObject* data) {
  if (krait_set_output(data) < 0) return NULL;
  Py_RETURN_NONE;
}

static PyObject* call_info(PyObject* module, PyObject* arg) {
  int kind = PyLong_AsInt(arg);
  if (kind == -1 && PyErr_Occurred()) return NULL;
  int32_t len = krait_call_info(kind, NULL, 0);
  PyObject* name = PyBytes_FromStringAndSize(NULL, len);
  if (!name) return NULL;
  krait_call_info(kind, PyBytes_AS_STRING(name), len);
  PyObject* text = PyUnicode_FromEncodedObject(name, "utf-8", "replace");
  Py_DECREF(name);
  return text;
}

static PyMethodDef methods[] = {
    {"input_size", input_size, METH_NOARGS,
     "input_size() -> int: the length of the call's input in bytes."},
    {"input_read", input_read, METH_O,
     "input_read(n) -> bytes: the first n bytes of the input, fewer where it is shorter."},
    {"output_write", output_write, METH_O,
     "output_write(data): sets the call's output. OSError if it is too large."},
    {"call_info", call_info, METH_O,
     "call_info(kind) -> str: 0 the user's, 1 the function's, 2 the entry's name."},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_krait", NULL, 0, methods};

PyObject* krait_module_init(void) { return PyModuleDef_Init(&module); }
