// An extension as people write them: data relocations, bss, a type, functions with fewer and more parameters than Python passes.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <string.h>

static int counter;
static const char* names[] = {"alpha", "beta", "gamma"};

typedef struct {
  PyObject_HEAD
  long value;
} Spam;

static PyObject* spam_twice(Spam* self) { return PyLong_FromLong(self->value * 2); }  // a getter has a closure, too
static int spam_init(Spam* self, PyObject* args, PyObject* kwds) { return PyArg_ParseTuple(args, "l", &self->value) ? 0 : -1; }
static PyObject* spam_value(PyObject* self) { return PyLong_FromLong(((Spam*)self)->value); }

static PyMethodDef spam_methods[] = {{"get", (PyCFunction)spam_value, METH_NOARGS, ""}, {0}};
static PyGetSetDef spam_getset[] = {{"twice", (getter)spam_twice, NULL, NULL, NULL}, {0}};
static PyType_Slot spam_slots[] = {{Py_tp_getset, spam_getset}, {Py_tp_methods, spam_methods}, {Py_tp_init, spam_init},
                                   {Py_tp_new, PyType_GenericNew}, {0, 0}};
static PyType_Spec spam_spec = {"spam.Spam", sizeof(Spam), 0, Py_TPFLAGS_DEFAULT, spam_slots};

static PyObject* add(PyObject* module, PyObject* args) {
  long a, b;
  if (!PyArg_ParseTuple(args, "ll", &a, &b)) return NULL;
  counter++;
  return PyLong_FromLong(a + b);
}
static PyObject* name(PyObject* module, PyObject* index) {
  const long i = PyLong_AsLong(index);
  if (i < 0 || i > 2) {
    PyErr_SetString(PyExc_IndexError, "no such name");
    return NULL;
  }
  return PyUnicode_FromFormat("%s/%zu", names[i], strlen(names[i]));
}
static PyObject* count(void) { return PyLong_FromLong(counter); }  // no parameters at all
static PyObject* one(PyObject* module) { return PyLong_FromLong(1); }
static PyObject* three(PyObject* module, PyObject* args, PyObject* kwds) { return PyBool_FromLong(kwds == NULL); }
static PyObject* root(PyObject* module, PyObject* value) { return PyFloat_FromDouble(cbrt(PyFloat_AsDouble(value))); }
static PyObject* crash(PyObject* module, PyObject* none) { return ((PyObject * (*)(double)) name)(1.5); }

static PyMethodDef methods[] = {{"add", add, METH_VARARGS, ""},
                                {"name", name, METH_O, ""},
                                {"count", (PyCFunction)count, METH_NOARGS, ""},
                                {"one", (PyCFunction)one, METH_NOARGS, ""},
                                {"three", (PyCFunction)three, METH_VARARGS, ""},
                                {"root", root, METH_O, ""},
                                {"crash", crash, METH_NOARGS, ""},
                                {0}};
static int fill(PyObject* module) {
  PyObject* type = PyType_FromSpec(&spam_spec);
  return type ? PyModule_AddObject(module, "Spam", type) : -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "spam", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_spam(void) { return PyModuleDef_Init(&definition); }
