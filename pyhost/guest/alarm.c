// The host's deadlines as Python signals: krait_alarm trips SIGXCPU, whose handler raises
// TimeoutError. It is a C function, so no frame of ours shows in the traceback.
//
// Invariant: krait_alarm runs at any point of other guest code, as a signal handler does. It may
// touch no lock and no object, only what PyErr_SetInterruptEx does; and not the 128 bytes below the
// stack pointer, which leaf functions of the interrupted code may use (the entry in assembly steps over them).
#define PY_SSIZE_T_CLEAN
#include "alarm.h"

#include <Python.h>
#include <signal.h>

#include "krait_host.h"

static int32_t alarm_kind, alarm_ms;

void krait_alarm_body(int32_t kind, int32_t ms) {
  alarm_kind = kind;
  alarm_ms = ms;
  PyErr_SetInterruptEx(SIGXCPU);
}

__asm__(
    "\t.globaltype __stack_pointer, i32\n"
    "\t.functype krait_alarm_body (i32, i32) -> ()\n"
    "\t.section .text.krait_alarm,\"\",@\n"
    "\t.globl krait_alarm\n"
    "\t.type krait_alarm,@function\n"
    "\t.export_name krait_alarm, krait_alarm\n"
    "krait_alarm:\n"
    "\t.functype krait_alarm (i32, i32) -> ()\n"
    "\tglobal.get __stack_pointer\n\ti32.const 128\n\ti32.sub\n\tglobal.set __stack_pointer\n"
    "\tlocal.get 0\n\tlocal.get 1\n\tcall krait_alarm_body\n"
    "\tglobal.get __stack_pointer\n\ti32.const 128\n\ti32.add\n\tglobal.set __stack_pointer\n"
    "\tend_function\n");

static PyObject* raise_timeout(PyObject* module, PyObject* args) {
  const char* what = alarm_kind == 0 ? "wall" : "CPU";
  if (alarm_ms % 1000 == 0)
    return PyErr_Format(PyExc_TimeoutError, "the call's %s time of %d s is over", what, alarm_ms / 1000);
  return PyErr_Format(PyExc_TimeoutError, "the call's %s time of %d ms is over", what, alarm_ms);
}

static PyMethodDef handler = {"timeout", raise_timeout, METH_VARARGS, NULL};

int krait_alarm_init(void) {
  PyObject* module = PyImport_ImportModule("_signal");
  PyObject* function = module ? PyCFunction_New(&handler, NULL) : NULL;
  PyObject* old = function ? PyObject_CallMethod(module, "signal", "iO", SIGXCPU, function) : NULL;
  Py_XDECREF(old);
  Py_XDECREF(function);
  Py_XDECREF(module);
  return old ? 0 : -1;
}
