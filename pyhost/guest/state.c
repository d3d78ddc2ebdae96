// `_krait_state` wraps the imports of krait_state.h one to one: keys are bytes, an errno becomes an
// exception, an interrupted call looks at Python's signals and goes on.
#define PY_SSIZE_T_CLEAN
#include "state.h"

#include <stdbool.h>

#include "krait_state.h"

/// Raises what a WASI errno means for a key. Returns NULL.
static PyObject* fail(int64_t code, const char* key, Py_ssize_t key_len) {
  PyObject* name = PyUnicode_DecodeUTF8(key, key_len, "backslashreplace");
  if (!name) return NULL;
  switch (code) {
    case __WASI_ERRNO_NOENT:
      PyErr_SetObject(PyExc_KeyError, name);
      break;
    case __WASI_ERRNO_RANGE:
      PyErr_Format(PyExc_ValueError, "the range goes past the end of the state %R", name);
      break;
    case __WASI_ERRNO_INVAL:
      PyErr_Format(PyExc_ValueError, "no state key, or a mask of another size: %R", name);
      break;
    case __WASI_ERRNO_NOMEM:
      PyErr_Format(PyExc_MemoryError, "no room for the state %R in memory: push or delete some", name);
      break;
    case __WASI_ERRNO_PERM:
      PyErr_Format(PyExc_RuntimeError, "the state %R is not locked by this call", name);
      break;
    default:
      errno = (int)code;
      PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
  }
  Py_DECREF(name);
  return NULL;
}

/// True where the call is to be made again. The host's interrupt becomes Python's signal at the end of
/// a loop's round, so there has to be one before the look at the signals.
static bool interrupted(int64_t code) {
  if (code != __WASI_ERRNO_INTR) return false;
  for (volatile int round = 0; round < 2; round++) continue;
  return PyErr_CheckSignals() == 0;
}

/// Runs `call`, whose value is an errno, until it is not interrupted.
#define RETRYING(code, call)      \
  do code = (call);               \
  while (interrupted(code));      \
  if (PyErr_Occurred()) return NULL

static PyObject* none_or_fail(int64_t code, const char* key, Py_ssize_t key_len) {
  if (code) return fail(code, key, key_len);
  Py_RETURN_NONE;
}

static PyObject* size(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  int64_t result;
  if (!PyArg_ParseTuple(args, "y#:size", &key, &key_len)) return NULL;
  do result = krait_state_size(key, (int32_t)key_len);
  while (interrupted(-result));
  if (PyErr_Occurred()) return NULL;
  return result < 0 ? fail(-result, key, key_len) : PyLong_FromLongLong(result);
}

static PyObject* read_bytes(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len, len;
  long long offset;
  int whole;
  if (!PyArg_ParseTuple(args, "y#Lnp:read", &key, &key_len, &offset, &len, &whole)) return NULL;
  if (len < 0 || offset < 0)
    return PyErr_Format(PyExc_ValueError, "negative %s", len < 0 ? "length" : "offset");
  PyObject* bytes = PyBytes_FromStringAndSize(NULL, len);
  if (!bytes) return NULL;
  int64_t result;
  do
    result = krait_state_read(key, (int32_t)key_len, offset, PyBytes_AS_STRING(bytes), (int32_t)len,
                              whole);
  while (interrupted(-result));
  if (result < 0 || PyErr_Occurred()) {
    Py_DECREF(bytes);
    return PyErr_Occurred() ? NULL : fail(-result, key, key_len);
  }
  if (result < len) _PyBytes_Resize(&bytes, (Py_ssize_t)result);
  return bytes;
}

static PyObject* write_bytes(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  Py_buffer value;
  if (!PyArg_ParseTuple(args, "y#y*:write", &key, &key_len, &value)) return NULL;
  int32_t code;
  do code = krait_state_write(key, (int32_t)key_len, value.buf, (int32_t)value.len);
  while (interrupted(code));
  PyBuffer_Release(&value);
  return PyErr_Occurred() ? NULL : none_or_fail(code, key, key_len);
}

static PyObject* write_range(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  long long total, offset;
  Py_buffer value;
  if (!PyArg_ParseTuple(args, "y#LLy*:write_range", &key, &key_len, &total, &offset, &value))
    return NULL;
  int32_t code;
  do
    code = krait_state_write_range(key, (int32_t)key_len, total, offset, value.buf,
                                   (int32_t)value.len);
  while (interrupted(code));
  PyBuffer_Release(&value);
  return PyErr_Occurred() ? NULL : none_or_fail(code, key, key_len);
}

static PyObject* resize(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  long long to;
  int32_t code;
  if (!PyArg_ParseTuple(args, "y#L:resize", &key, &key_len, &to)) return NULL;
  RETRYING(code, krait_state_resize(key, (int32_t)key_len, to));
  return none_or_fail(code, key, key_len);
}

static PyObject* push(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  int partial;
  int32_t code;
  if (!PyArg_ParseTuple(args, "y#p:push", &key, &key_len, &partial)) return NULL;
  RETRYING(code, krait_state_push(key, (int32_t)key_len, partial));
  return none_or_fail(code, key, key_len);
}

static PyObject* push_mask(PyObject* module, PyObject* args) {
  const char *key, *mask;
  Py_ssize_t key_len, mask_len;
  int32_t code;
  if (!PyArg_ParseTuple(args, "y#y#:push_mask", &key, &key_len, &mask, &mask_len)) return NULL;
  RETRYING(code, krait_state_push_mask(key, (int32_t)key_len, mask, (int32_t)mask_len));
  return none_or_fail(code, key, key_len);
}

/// The functions that take a key and nothing else.
#define OF_KEY(name, import)                                             \
  static PyObject* name(PyObject* module, PyObject* args) {              \
    const char* key;                                                     \
    Py_ssize_t key_len;                                                  \
    int32_t code;                                                        \
    if (!PyArg_ParseTuple(args, "y#:" #name, &key, &key_len)) return NULL; \
    RETRYING(code, import(key, (int32_t)key_len));                       \
    return none_or_fail(code, key, key_len);                             \
  }
OF_KEY(pull, krait_state_pull)
OF_KEY(delete, krait_state_delete)
OF_KEY(clear_log, krait_state_clear_log)

static PyObject* lock(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  int write;
  long long timeout_ns;
  int32_t code;
  if (!PyArg_ParseTuple(args, "y#pL:lock", &key, &key_len, &write, &timeout_ns)) return NULL;
  RETRYING(code, krait_state_lock(key, (int32_t)key_len, write, timeout_ns));
  return none_or_fail(code, key, key_len);
}

static PyObject* unlock(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  int write;
  if (!PyArg_ParseTuple(args, "y#p:unlock", &key, &key_len, &write)) return NULL;
  return none_or_fail(krait_state_unlock(key, (int32_t)key_len, write), key, key_len);
}

int krait_call_lock(const char* name, size_t length, int take) {
  return take ? krait_state_lock(name, (int32_t)length, 1, 0) : krait_state_unlock(name, (int32_t)length, 1);
}

static PyObject* append(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  Py_buffer element;
  if (!PyArg_ParseTuple(args, "y#y*:append", &key, &key_len, &element)) return NULL;
  int32_t code = krait_state_append(key, (int32_t)key_len, element.buf, (int32_t)element.len);
  PyBuffer_Release(&element);
  return none_or_fail(code, key, key_len);
}

/// What was staged, as a list of bytes.
static PyObject* take_staged(int64_t size) {
  PyObject* raw = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  PyObject* items = raw ? PyList_New(0) : NULL;
  if (raw) krait_state_staged(PyBytes_AS_STRING(raw), (int32_t)size);
  for (int64_t at = 0; items && at < size;) {
    uint32_t len;
    memcpy(&len, PyBytes_AS_STRING(raw) + at, sizeof len);
    at += (int64_t)sizeof len;
    PyObject* item = PyBytes_FromStringAndSize(PyBytes_AS_STRING(raw) + at, (Py_ssize_t)len);
    at += len;
    if (!item || PyList_Append(items, item) < 0) Py_CLEAR(items);
    Py_XDECREF(item);
  }
  Py_XDECREF(raw);
  return items;
}

static PyObject* read_log(PyObject* module, PyObject* args) {
  const char* key;
  Py_ssize_t key_len;
  long long first, count;
  int64_t staged;
  if (!PyArg_ParseTuple(args, "y#LL:read_log", &key, &key_len, &first, &count)) return NULL;
  do staged = krait_state_read_log(key, (int32_t)key_len, first, count);
  while (interrupted(-staged));
  if (PyErr_Occurred()) return NULL;
  return staged < 0 ? fail(-staged, key, key_len) : take_staged(staged);
}

static PyObject* list(PyObject* module, PyObject* args) {
  const char* prefix;
  Py_ssize_t prefix_len;
  int64_t staged;
  if (!PyArg_ParseTuple(args, "y#:list", &prefix, &prefix_len)) return NULL;
  do staged = krait_state_list(prefix, (int32_t)prefix_len);
  while (interrupted(-staged));
  if (PyErr_Occurred()) return NULL;
  return staged < 0 ? fail(-staged, prefix, prefix_len) : take_staged(staged);
}

static PyMethodDef methods[] = {
    {"size", size, METH_VARARGS, "size(key) -> int: bytes."},
    {"read", read_bytes, METH_VARARGS,
     "read(key, offset, length, whole) -> bytes: all of them where whole, else what there is."},
    {"write", write_bytes, METH_VARARGS, "write(key, value)"},
    {"write_range", write_range, METH_VARARGS, "write_range(key, total, offset, value)"},
    {"resize", resize, METH_VARARGS, "resize(key, size)"},
    {"push", push, METH_VARARGS, "push(key, partial)"},
    {"push_mask", push_mask, METH_VARARGS, "push_mask(key, mask_key)"},
    {"pull", pull, METH_VARARGS, "pull(key)"},
    {"delete", delete, METH_VARARGS, "delete(key)"},
    {"lock", lock, METH_VARARGS, "lock(key, write, timeout_ns): for ever where that is negative."},
    {"unlock", unlock, METH_VARARGS, "unlock(key, write)"},
    {"append", append, METH_VARARGS, "append(key, element)"},
    {"read_log", read_log, METH_VARARGS,
     "read_log(key, first, count) -> list[bytes]: fewer than there are at a time; [] at the end."},
    {"clear_log", clear_log, METH_VARARGS, "clear_log(key)"},
    {"list", list, METH_VARARGS, "list(prefix) -> list[bytes]: keys in order."},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_krait_state", NULL, 0, methods};

PyObject* krait_state_module_init(void) { return PyModuleDef_Init(&module); }
