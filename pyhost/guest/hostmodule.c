// `_krait` wraps the host's imports one to one and checks what crosses: lengths fit in 31 bits, an
// errno becomes an OSError.
#define PY_SSIZE_T_CLEAN
#include "hostmodule.h"

#include <time.h>

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

// --- chained calls -------------------------------------------------------------------------------

static PyObject* message_text(void) {
  int32_t len = krait_message(NULL, 0);
  char* text = PyMem_Malloc((size_t)len + 1);
  if (!text) return PyErr_NoMemory();
  krait_message(text, len);
  PyObject* message = PyUnicode_DecodeUTF8(text, len, "replace");
  PyMem_Free(text);
  return message;
}

/// LookupError, PermissionError, ValueError or RuntimeError, with the host's text.
static PyObject* refused(int32_t error) {
  PyObject* type = error == ENOENT   ? PyExc_LookupError
                   : error == EACCES ? PyExc_PermissionError
                   : error == EINVAL ? PyExc_ValueError
                                     : PyExc_RuntimeError;
  PyObject* message = message_text();
  if (message) PyErr_SetObject(type, message);
  Py_XDECREF(message);
  return NULL;
}

static PyObject* chain(PyObject* module, PyObject* args) {
  const char *target, *entry;
  Py_ssize_t target_len, entry_len;
  Py_buffer input;
  if (!PyArg_ParseTuple(args, "s#s#y*", &target, &target_len, &entry, &entry_len, &input)) return NULL;
  int32_t id = krait_chain(target, (int32_t)target_len, entry, (int32_t)entry_len, input.buf,
                           (int32_t)input.len);
  PyBuffer_Release(&input);
  return id > 0 ? PyLong_FromLong(id) : refused(-id);
}

/// The ids of a sequence, to be freed; NULL with an exception set.
static int32_t* ids_of(PyObject* sequence, Py_ssize_t* count) {
  PyObject* fast = PySequence_Fast(sequence, "a sequence of call ids is wanted");
  if (!fast) return NULL;
  *count = PySequence_Fast_GET_SIZE(fast);
  int32_t* ids = PyMem_New(int32_t, *count ? *count : 1);
  if (!ids) PyErr_NoMemory();
  for (Py_ssize_t i = 0; ids && i < *count; i++) {
    ids[i] = PyLong_AsInt(PySequence_Fast_GET_ITEM(fast, i));
    if (ids[i] == -1 && PyErr_Occurred()) {
      PyMem_Free(ids);
      ids = NULL;
    }
  }
  Py_DECREF(fast);
  return ids;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static PyObject* wait_for(PyObject* module, PyObject* args) {
  PyObject* sequence;
  long long timeout_ns;
  if (!PyArg_ParseTuple(args, "OL", &sequence, &timeout_ns)) return NULL;
  Py_ssize_t count;
  int32_t* ids = ids_of(sequence, &count);
  if (!ids) return NULL;
  int64_t end = timeout_ns < 0 ? 0 : now_ns() + timeout_ns;
  int32_t index;
  do {
    int64_t left = timeout_ns < 0 ? -1 : end - now_ns();
    index = krait_wait(ids, (int32_t)count, timeout_ns < 0 ? -1 : left < 0 ? 0 : left);
  } while (index == -2 && PyErr_CheckSignals() == 0);
  int32_t unknown = index <= -3 && -3 - index < count ? ids[-3 - index] : 0;
  PyMem_Free(ids);
  if (PyErr_Occurred()) return NULL;
  if (index >= 0) return PyLong_FromLong(index);
  if (index == -1) Py_RETURN_NONE;
  return PyErr_Format(PyExc_LookupError, "%d is no call that was chained here, or its result is gone", unknown);
}

static PyObject* result(PyObject* module, PyObject* args) {
  int id, field;
  if (!PyArg_ParseTuple(args, "ii", &id, &field)) return NULL;
  int32_t len = krait_result(id, field, NULL, 0);
  if (len < 0) return PyErr_Format(PyExc_LookupError, "call %d has not ended, or its result is gone", id);
  PyObject* bytes = PyBytes_FromStringAndSize(NULL, len);
  if (bytes) krait_result(id, field, PyBytes_AS_STRING(bytes), len);
  return bytes;
}

static PyObject* cancel(PyObject* module, PyObject* arg) {
  int id = PyLong_AsInt(arg);
  if (id == -1 && PyErr_Occurred()) return NULL;
  if (krait_cancel(id) < 0) return PyErr_Format(PyExc_LookupError, "%d is no call that was chained here, or its result is gone", id);
  Py_RETURN_NONE;
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
    {"chain", chain, METH_VARARGS, "chain(target, entry, input) -> int: starts a call; its id."},
    {"wait", wait_for, METH_VARARGS,
     "wait(ids, timeout_ns) -> int | None: the index of a call that has ended; None: time is over."},
    {"result", result, METH_VARARGS, "result(id, field) -> bytes: a part of an ended call's result."},
    {"cancel", cancel, METH_O, "cancel(id): cancels a chained call."},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_krait", NULL, 0, methods};

PyObject* krait_module_init(void) { return PyModuleDef_Init(&module); }
