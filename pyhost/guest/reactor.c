// CPython as a reactor: the exports of krait_host.h. How CPython starts is boot.c's.
//
// Invariants:
// 1. No Python frame of ours is ever on the stack, so a traceback shows the function's own frames
// only.
// 2. Every export leaves the exception state clear and Python's stdio flushed.
// 3. All state that a snapshot must hold is in linear memory: CPython's, and the statics below.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <string.h>
#include <wasi/api.h>
#include <wasi/libc-environ.h>

#include "alarm.h"
#include "boot.h"
#include "hostmodule.h"
#include "krait_host.h"

#define DEFAULT_ENTRY "faasm_main"

static PyObject* loaded;  // the module of krait_load
static bool by_exception;
static bool restored;  // and no call since

static bool environment_differs(void);

int32_t krait_abi(void) { return KRAIT_ABI; }
int32_t krait_exception(void) { return by_exception; }

static PyObject* text(const char* ptr, int32_t len) {
  return PyUnicode_DecodeUTF8(ptr, len, "surrogateescape");
}

// --- ends of calls -------------------------------------------------------------------------------

static void flush_stdio(void) {
  for (const char** name = (const char*[]){"stdout", "stderr", NULL}; *name; name++) {
    PyObject* file = PySys_GetObject(*name);
    if (!file || file == Py_None) continue;
    PyObject* done = PyObject_CallMethod(file, "flush", NULL);
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
  }
  fflush(stdout);
  fflush(stderr);
}

/// The status of sys.exit(code): a process keeps the low eight bits; what is no int is a message.
static int32_t status_of_exit(PyObject* exception) {
  PyObject* code = PyObject_GetAttrString(exception, "code");
  int32_t status = 1;
  if (!code) {
    PyErr_Clear();
  } else if (code == Py_None) {
    status = 0;
  } else if (PyLong_Check(code)) {
    int overflow;
    long value = PyLong_AsLongAndOverflow(code, &overflow);
    status = overflow ? 255 : (int32_t)(value & 0xff);
  } else {
    PySys_FormatStderr("%S\n", code);
  }
  PyErr_Clear();
  Py_XDECREF(code);
  return status;
}

/// Gives sys.stderr another object; the old one, or NULL with no exception set.
static PyObject* swap_stderr(PyObject* file) {
  PyObject* old = Py_XNewRef(PySys_GetObject("stderr"));
  if (old && PySys_SetObject("stderr", file) < 0) Py_CLEAR(old);
  PyErr_Clear();
  return old;
}

static void write_text(PyObject* file, PyObject* string) {
  PyObject* done = file == Py_None ? NULL : PyObject_CallMethod(file, "write", "O", string);
  PyErr_Clear();
  Py_XDECREF(done);
}

/// "ValueError", "mymodule.Error"; a new reference or NULL, an exception may be set.
static PyObject* name_of_type(PyObject* type) {
  PyObject* name = PyType_GetQualName((PyTypeObject*)type);
  PyObject* module = PyObject_GetAttrString(type, "__module__");
  bool plain = !module || !PyUnicode_Check(module) || PyUnicode_EqualToUTF8(module, "builtins") ||
               PyUnicode_EqualToUTF8(module, "__main__");
  if (name && !plain) Py_SETREF(name, PyUnicode_FromFormat("%U.%U", module, name));
  Py_XDECREF(module);
  return name;
}

/// Tells the host of the exception and of what was printed for it.
static void report(PyObject* exception, PyObject* printed) {
  PyObject* parts[] = {name_of_type((PyObject*)Py_TYPE(exception)), NULL, Py_XNewRef(printed)};
  PyErr_Clear();
  parts[1] = PyObject_Str(exception);
  PyErr_Clear();
  PyObject* bytes[3];
  for (int i = 0; i < 3; i++) {
    bytes[i] = parts[i] ? PyUnicode_AsEncodedString(parts[i], "utf-8", "replace") : NULL;
    PyErr_Clear();
    Py_XDECREF(parts[i]);
    if (!bytes[i]) bytes[i] = PyBytes_FromString("");
  }
  if (bytes[0] && bytes[1] && bytes[2])
    krait_raised(PyBytes_AS_STRING(bytes[0]), (int32_t)PyBytes_GET_SIZE(bytes[0]),
                 PyBytes_AS_STRING(bytes[1]), (int32_t)PyBytes_GET_SIZE(bytes[1]),
                 PyBytes_AS_STRING(bytes[2]), (int32_t)PyBytes_GET_SIZE(bytes[2]));
  for (int i = 0; i < 3; i++) Py_XDECREF(bytes[i]);
}

/// Prints and clears the exception that is set, by sys.excepthook; to sys.stderr and to the host.
static void print_and_report(void) {
  PyObject* exception = PyErr_GetRaisedException();
  PyObject* io = PyImport_ImportModule("io");
  PyObject* buffer = io ? PyObject_CallMethod(io, "StringIO", NULL) : NULL;
  PyErr_Clear();
  PyObject* file = buffer ? swap_stderr(buffer) : NULL;
  PyErr_SetRaisedException(Py_NewRef(exception));
  PyErr_PrintEx(0);
  PyObject* printed = NULL;
  if (file) {
    PySys_SetObject("stderr", file);
    printed = PyObject_CallMethod(buffer, "getvalue", NULL);
    if (printed) write_text(file, printed);
  }
  PyErr_Clear();
  report(exception, printed);
  Py_XDECREF(printed);
  Py_XDECREF(file);
  Py_XDECREF(buffer);
  Py_XDECREF(io);
  Py_DECREF(exception);
}

/// Prints the exception that is set, as the interpreter does at the end of a program, and clears
/// it.
static int32_t status_of_exception(void) {
  if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
    PyObject* exception = PyErr_GetRaisedException();
    int32_t status = status_of_exit(exception);
    Py_DECREF(exception);
    return status;
  }
  by_exception = true;
  print_and_report();
  return 1;
}

static int32_t finish(int32_t status) {
  flush_stdio();
  return status;
}

static int32_t fail(void) { return finish(status_of_exception()); }

int32_t krait_init(void) {
  PyStatus status = krait_boot();
  if (PyStatus_Exception(status)) {
    fprintf(stderr, "krait: CPython does not start: %s%s%s\n", status.func ? status.func : "",
            status.func ? ": " : "", status.err_msg ? status.err_msg : "unknown error");
    fflush(stderr);
    return 1;
  }
  (void)environment_differs();
  return krait_buffer_by_line() < 0 || krait_alarm_init() < 0 ? fail() : 0;
}

int32_t krait_warm(void) {
  for (const char** name = (const char*[]){"traceback", "io", NULL}; *name; name++) {
    PyObject* module = PyImport_ImportModule(*name);
    if (!module) return fail();
    Py_DECREF(module);
  }
  return 0;
}

// --- check and load ------------------------------------------------------------------------------

/// The lines of the source for tracebacks, kept where linecache never looks for the file itself.
/// The list, borrowed, or NULL.
static PyObject* prime_linecache(PyObject* source, PyObject* filename) {
  PyObject* string =
      PyUnicode_DecodeUTF8(PyBytes_AS_STRING(source), PyBytes_GET_SIZE(source), "replace");
  PyObject* linecache = PyImport_ImportModule("linecache");
  PyObject* io = PyImport_ImportModule("io");
  PyObject* file = string && io ? PyObject_CallMethod(io, "StringIO", "OO", string, Py_None) : NULL;
  PyObject* lines = file ? PyObject_CallMethod(file, "readlines", NULL) : NULL;
  PyObject* cache = linecache && lines ? PyObject_GetAttrString(linecache, "cache") : NULL;
  PyObject* entry =
      cache ? Py_BuildValue("nOOO", PyBytes_GET_SIZE(source), Py_None, lines, filename) : NULL;
  bool kept = entry && PyObject_SetItem(cache, filename, entry) == 0;
  Py_XDECREF(entry);
  Py_XDECREF(cache);
  Py_XDECREF(file);
  Py_XDECREF(io);
  Py_XDECREF(linecache);
  Py_XDECREF(string);
  Py_XDECREF(lines);  // the cache holds it
  return kept ? lines : NULL;
}

/// The compiler's later passes look for the erroneous line in the file, which exists only here:
/// gives it to the SyntaxError.
static void complete_syntax_error(PyObject* lines) {
  if (!PyErr_ExceptionMatches(PyExc_SyntaxError)) return;
  PyObject* exception = PyErr_GetRaisedException();
  PyObject* line_text = PyObject_GetAttrString(exception, "text");
  PyObject* number = PyObject_GetAttrString(exception, "lineno");
  Py_ssize_t line = number && PyLong_Check(number) ? PyLong_AsSsize_t(number) : 0;
  if (line_text == Py_None && line >= 1 && line <= PyList_GET_SIZE(lines)) {
    PyObject_SetAttrString(exception, "text", PyList_GET_ITEM(lines, line - 1));
  }
  Py_XDECREF(line_text);
  Py_XDECREF(number);
  PyErr_Clear();
  PyErr_SetRaisedException(exception);
}

/// builtins.compile() knows what a file may hold that Py_CompileString does not check: NULs, a byte
/// order mark, a coding cookie.
static PyObject* compile(PyObject* source, PyObject* filename) {
  PyObject* lines = prime_linecache(source, filename);
  if (!lines) return NULL;
  PyObject* builtins = PyEval_GetBuiltins();
  PyObject* function = builtins ? PyDict_GetItemString(builtins, "compile") : NULL;
  if (!function) return PyErr_Format(PyExc_RuntimeError, "builtins.compile is gone");
  PyObject* code = PyObject_CallFunction(function, "OOsiO", source, filename, "exec", 0, Py_True);
  if (!code) complete_syntax_error(lines);
  return code;
}

int32_t krait_check(const char* source, int32_t source_len, const char* filename,
                    int32_t filename_len) {
  by_exception = false;
  PyObject* bytes = PyBytes_FromStringAndSize(source, source_len);
  PyObject* name = text(filename, filename_len);
  PyObject* code = bytes && name ? compile(bytes, name) : NULL;
  int32_t status = code ? 0 : status_of_exception();
  Py_XDECREF(code);
  Py_XDECREF(name);
  Py_XDECREF(bytes);
  return finish(status);
}

/// The name under which a function's module stands in sys.modules: its own, unless it would hide
/// another module from the function's imports. No dot is left: pickle would import the part before
/// it.
static PyObject* module_name(PyObject* name) {
  PyObject* flat = PyObject_CallMethod(name, "replace", "ss", ".", "_");
  PyObject* stdlib = PySys_GetObject("stdlib_module_names");
  if (!flat || !stdlib) return flat;
  int taken = PySequence_Contains(stdlib, flat);
  PyObject* present = taken == 0 ? PyDict_GetItemWithError(PyImport_GetModuleDict(), flat) : NULL;
  if (taken > 0 || (present && present != loaded)) {
    Py_SETREF(flat, PyUnicode_FromFormat("function_%U", flat));
  }
  return flat;
}

/// A fresh module in sys.modules, its __name__ and __file__ set; borrowed, or NULL.
static PyObject* fresh_module(PyObject* name, PyObject* filename) {
  PyObject* key = module_name(name);
  PyObject* module = key ? PyModule_NewObject(key) : NULL;
  bool ready = module && PyObject_SetAttrString(module, "__file__", filename) == 0 &&
               PyObject_SetAttrString(module, "__builtins__", PyEval_GetBuiltins()) == 0 &&
               PyDict_SetItem(PyImport_GetModuleDict(), key, module) == 0;
  Py_XDECREF(key);
  Py_XSETREF(loaded, module);
  return ready ? module : NULL;
}

static int load(PyObject* name, PyObject* source, PyObject* filename) {
  PyObject* code = compile(source, filename);
  PyObject* module = code ? fresh_module(name, filename) : NULL;
  PyObject* globals = module ? PyModule_GetDict(module) : NULL;
  PyObject* done = globals ? PyEval_EvalCode(code, globals, globals) : NULL;
  Py_XDECREF(code);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

int32_t krait_load(const char* name, int32_t name_len, const char* source, int32_t source_len,
                   const char* filename, int32_t filename_len) {
  by_exception = false;
  PyObject* name_text = text(name, name_len);
  PyObject* bytes = PyBytes_FromStringAndSize(source, source_len);
  PyObject* file_text = text(filename, filename_len);
  bool done = name_text && bytes && file_text && load(name_text, bytes, file_text) == 0;
  int32_t status = done ? 0 : status_of_exception();
  Py_XDECREF(file_text);
  Py_XDECREF(bytes);
  Py_XDECREF(name_text);
  return finish(status);
}

// --- call ----------------------------------------------------------------------------------------

/// The Python function behind an entry: under bound methods and what functools.wraps left. A new
/// reference, or NULL, no error set.
static PyObject* innermost_function(PyObject* entry, int* bound) {
  PyObject* function = Py_NewRef(entry);
  *bound = 0;
  for (int depth = 0; depth < 100; depth++) {
    if (PyMethod_Check(function)) {
      *bound += 1;
      Py_SETREF(function, Py_NewRef(PyMethod_GET_FUNCTION(function)));
      continue;
    }
    PyObject* wrapped;
    if (PyObject_GetOptionalAttrString(function, "__wrapped__", &wrapped) <= 0) break;
    Py_SETREF(function, wrapped);
  }
  PyErr_Clear();
  if (!PyFunction_Check(function)) Py_CLEAR(function);
  return function;
}

/// Whether the entry gets the input: faasm_main if it demands an argument, any other if it takes
/// one.
static bool takes_input(PyObject* entry, bool is_default) {
  int bound;
  PyObject* function = innermost_function(entry, &bound);
  if (!function) return !is_default;
  const PyCodeObject* code = (PyCodeObject*)PyFunction_GET_CODE(function);
  PyObject* defaults = PyFunction_GET_DEFAULTS(function);
  Py_ssize_t optional = defaults ? PyTuple_GET_SIZE(defaults) : 0;
  Py_ssize_t count = code->co_argcount - bound;
  bool takes = is_default ? count - optional > 0 : count > 0 || (code->co_flags & CO_VARARGS);
  Py_DECREF(function);
  return takes;
}

static PyObject* call_entry(PyObject* name) {
  if (!loaded) return PyErr_Format(PyExc_RuntimeError, "no function is loaded");
  PyObject* entry = PyObject_GetAttr(loaded, name);
  if (!entry) return NULL;
  PyObject* result = NULL;
  if (takes_input(entry, PyUnicode_EqualToUTF8(name, DEFAULT_ENTRY))) {
    PyObject* input = krait_input_bytes();
    if (input) result = PyObject_CallOneArg(entry, input);
    Py_XDECREF(input);
  } else {
    result = PyObject_CallNoArgs(entry);
  }
  Py_DECREF(entry);
  return result;
}

/// The status that an entry's result stands for, in `*status`; -1 with an exception set for a
/// result of no meaning.
static int take_result(PyObject* name, PyObject* result, int32_t* status) {
  *status = 0;
  if (result == Py_None) return 0;
  if (PyLong_Check(result)) {
    *status = PyLong_AsInt(result);
    return *status == -1 && PyErr_Occurred() ? -1 : 0;
  }
  bool is_text = PyUnicode_Check(result);
  if (!is_text && !PyObject_CheckBuffer(result)) {
    PyErr_Format(PyExc_TypeError,
                 "%U() returned %s: return None, an int (the status), bytes or str (the output)",
                 name, Py_TYPE(result)->tp_name);
    return -1;
  }
  if (krait_output_was_set()) return 0;
  PyObject* data = is_text ? PyUnicode_AsUTF8String(result) : Py_NewRef(result);
  int done = data ? krait_set_output(data) : -1;
  Py_XDECREF(data);
  return done;
}

/// What the module gave to pyfaasm.on_restore, before the first call after a restore.
static int run_restore_hooks(void) {
  if (!restored) return 0;
  restored = false;
  PyObject* core = PyDict_GetItemString(PyImport_GetModuleDict(), "pyfaasm.core");
  if (!core) return 0;
  PyObject* done = PyObject_CallMethod(core, "_restored", NULL);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

int32_t krait_call(const char* entry, int32_t entry_len) {
  by_exception = false;
  krait_forget_output();
  int32_t status = 0;
  PyObject* name = entry_len ? text(entry, entry_len) : PyUnicode_FromString(DEFAULT_ENTRY);
  PyObject* result = name && run_restore_hooks() == 0 ? call_entry(name) : NULL;
  if (!result || take_result(name, result, &status) < 0) status = status_of_exception();
  Py_XDECREF(result);
  Py_XDECREF(name);
  return finish(status);
}

// --- run -----------------------------------------------------------------------------------------

/// sys.argv from the NUL-ended strings; a new list, or NULL.
static PyObject* split_arguments(const char* argv, int32_t len) {
  PyObject* list = PyList_New(0);
  for (int32_t at = 0; list && at < len;) {
    size_t size = strnlen(argv + at, (size_t)(len - at));
    PyObject* word = text(argv + at, (int32_t)size);
    if (!word || PyList_Append(list, word) < 0) Py_CLEAR(list);
    Py_XDECREF(word);
    at += (int32_t)size + 1;
  }
  return list;
}

static int prepend_to_path(PyObject* folder) {
  PyObject* path = PySys_GetObject("path");
  return path && folder ? PyList_Insert(path, 0, folder) : -1;
}

/// os.path.FUNCTION(name), a new reference.
static PyObject* os_path(const char* function, PyObject* name) {
  PyObject* module = PyImport_ImportModule("posixpath");
  PyObject* result = module ? PyObject_CallMethod(module, function, "O", name) : NULL;
  Py_XDECREF(module);
  return result;
}

static int prepend_folder_of(PyObject* filename) {
  PyObject* real = os_path("realpath", filename);
  PyObject* folder = real ? os_path("dirname", real) : NULL;
  int done = folder ? prepend_to_path(folder) : -1;
  Py_XDECREF(folder);
  Py_XDECREF(real);
  return done;
}

static int32_t run_module(const char* name, bool set_argv0) {
  PyObject* runpy = PyImport_ImportModule("runpy");
  PyObject* done = runpy ? PyObject_CallMethod(runpy, "_run_module_as_main", "sO", name,
                                               set_argv0 ? Py_True : Py_False)
                         : NULL;
  Py_XDECREF(runpy);
  Py_XDECREF(done);
  return done ? 0 : status_of_exception();
}

static FILE* open_program(const char* filename) {
  FILE* file = fopen(filename, "rb");
  if (!file) {
    PySys_FormatStderr("python3: can't open file '%s': [Errno %d] %s\n", filename, errno,
                       strerror(errno));
  }
  return file;
}

/// The file's bytes, or NULL with an exception set.
static PyObject* read_file(PyObject* path) {
  PyObject* io = PyImport_ImportModule("io");
  PyObject* reader = io ? PyObject_CallMethod(io, "open", "Os", path, "rb") : NULL;
  PyObject* bytes = reader ? PyObject_CallMethod(reader, "read", NULL) : NULL;
  PyObject* closed = bytes ? PyObject_CallMethod(reader, "close", NULL) : NULL;
  Py_XDECREF(closed);
  Py_XDECREF(reader);
  Py_XDECREF(io);
  return bytes;
}

static int32_t run_entry(const char* filename, const char* entry, int32_t entry_len) {
  FILE* file = open_program(filename);
  if (!file) return 2;
  fclose(file);
  PyObject* path = PyUnicode_DecodeFSDefault(filename);
  PyObject* source = path ? read_file(path) : NULL;
  PyObject* base = path ? os_path("basename", path) : NULL;
  PyObject* split = base ? os_path("splitext", base) : NULL;
  bool done = source && split && prepend_folder_of(path) == 0 &&
              load(PyTuple_GET_ITEM(split, 0), source, path) == 0;
  Py_XDECREF(split);
  Py_XDECREF(base);
  Py_XDECREF(path);
  Py_XDECREF(source);
  return done ? krait_call(entry, entry_len) : status_of_exception();
}

/// A folder or a zip file runs by its __main__ module, as under python3.
static int32_t run_path(const char* filename) {
  PyObject* path = PyUnicode_DecodeFSDefault(filename);
  PyObject* importer = path ? PyImport_GetImporter(path) : NULL;
  if (!importer) return status_of_exception();
  bool is_package = importer != Py_None;
  Py_DECREF(importer);
  int ready = is_package ? prepend_to_path(path) : prepend_folder_of(path);
  Py_SETREF(path, os_path("abspath", path));
  const char* absolute = path ? PyUnicode_AsUTF8(path) : NULL;
  if (ready < 0 || !absolute) return status_of_exception();
  if (is_package) return run_module("__main__", false);
  FILE* file = open_program(absolute);
  if (!file) return 2;
  return PyRun_SimpleFileEx(file, absolute, 1) ? 1 : 0;
}

/// `-c COMMAND` and `-m MODULE`; PyRun_Simple* end the process on SystemExit, after finalising: as
/// python3 does.
static int32_t run_option(PyObject* argv, bool is_module) {
  PyObject* what = PyList_GetItemRef(argv, 1);  // it leaves argv
  PyObject* dot = PyUnicode_FromString(is_module ? "." : "");
  PyObject* here = is_module ? os_path("abspath", dot) : Py_XNewRef(dot);
  bool ready = what && here && PyList_SetSlice(argv, 1, 2, NULL) == 0 && prepend_to_path(here) == 0;
  const char* string = ready ? PyUnicode_AsUTF8(what) : NULL;
  int32_t status;
  if (!string) {
    status = status_of_exception();
  } else if (is_module) {
    status = run_module(string, true);
  } else {
    status = PyRun_SimpleString(string) ? 1 : 0;
  }
  Py_XDECREF(here);
  Py_XDECREF(dot);
  Py_XDECREF(what);
  return status;
}

static int32_t run_stdin(void) {
  PyObject* here = PyUnicode_FromString("");
  int ready = here ? prepend_to_path(here) : -1;
  Py_XDECREF(here);
  if (ready < 0) return status_of_exception();
  return PyRun_SimpleFile(stdin, "<stdin>") ? 1 : 0;
}

static int32_t run(PyObject* argv, const char* entry, int32_t entry_len) {
  PyObject* first = PyList_GET_SIZE(argv) ? PyList_GET_ITEM(argv, 0) : NULL;  // it stays in argv
  const char* name = first ? PyUnicode_AsUTF8(first) : "-";
  if (!name || PySys_SetObject("argv", argv) < 0) return status_of_exception();
  bool is_module = strcmp(name, "-m") == 0;
  if (is_module || strcmp(name, "-c") == 0) return run_option(argv, is_module);
  if (strcmp(name, "-") == 0) return run_stdin();
  return entry_len ? run_entry(name, entry, entry_len) : run_path(name);
}

/// A standard file as Python's start makes it, and once more what it is here: whether it can be read at a position, or is a
/// terminal, is asked when it is made, which in a snapshot was elsewhere.
static int renew_standard_file(PyObject* io, const char* name, int fd) {
  PyObject* old = PySys_GetObject(name);
  if (!old || old == Py_None) return 0;
  PyObject* errors = PyObject_GetAttrString(old, "errors");
  PyObject* buffer = errors ? PyObject_CallMethod(io, "open", "isiOOOi", fd, fd == 0 ? "rb" : "wb", -1, Py_None, Py_None, Py_None, 0) : NULL;
  if (errors && !buffer) {  // closed: None, as python3 has it
    PyErr_Clear();
    Py_DECREF(errors);
    return PySys_SetObject(name, Py_None);
  }
  PyObject* shown = PyUnicode_FromFormat("<%s>", name);
  PyObject* raw = buffer ? PyObject_GetAttrString(buffer, "raw") : NULL;
  int done = raw && shown ? PyObject_SetAttrString(raw, "name", shown) : -1;
  // write_through, line_buffering: as in python3, where stderr and terminals are written by the line
  PyObject* made = done == 0 ? PyObject_CallMethod(io, "TextIOWrapper", "OsOsi", buffer, "utf-8", errors, fd == 0 ? NULL : "\n", fd != 0) : NULL;
  PyObject* mode = PyUnicode_FromString(fd == 0 ? "r" : "w");
  if (!made || !mode || PyObject_SetAttrString(made, "mode", mode) < 0) done = -1;
  char original[16];
  snprintf(original, sizeof original, "__%s__", name);
  if (done == 0 && (PySys_SetObject(name, made) < 0 || PySys_SetObject(original, made) < 0)) done = -1;
  Py_XDECREF(mode);
  Py_XDECREF(made);
  Py_XDECREF(raw);
  Py_XDECREF(shown);
  Py_XDECREF(buffer);
  Py_XDECREF(errors);
  return done;
}

static int renew_standard_files(void) {
  PyObject* io = PyImport_ImportModule("io");
  int done = io ? 0 : -1;
  const char* const names[] = {"stdin", "stdout", "stderr"};
  for (int fd = 0; done == 0 && fd < 3; fd++) done = renew_standard_file(io, names[fd], fd);
  Py_XDECREF(io);
  return done;
}

int32_t krait_run(const char* argv, int32_t argv_len, const char* entry, int32_t entry_len) {
  by_exception = false;
  if (restored && renew_standard_files() < 0) return fail();
  PyObject* list = split_arguments(argv, argv_len);
  int32_t status = list ? run(list, entry, entry_len) : status_of_exception();
  return Py_FinalizeEx() < 0 ? 120 : status;
}

// --- restore -------------------------------------------------------------------------------------

/// An environment as the host hands it out, where it is of the usual size; else `entries` is -1.
struct environment {
  __wasi_size_t entries, size;
  char bytes[1024];
};

static struct environment taken;  // what os.environ was last made from

static void read_environment(struct environment* now) {
  uint8_t* entries[64];
  if (__wasi_environ_sizes_get(&now->entries, &now->size) != 0 || now->entries > 64 || now->size > sizeof now->bytes ||
      __wasi_environ_get(entries, (uint8_t*)now->bytes) != 0)
    now->entries = (__wasi_size_t)-1;
}

/// Whether the host's environment is another one than at the last time; true where that cannot be said. What the function's module has
/// put into os.environ stays where it is not.
static bool environment_differs(void) {
  struct environment now;
  read_environment(&now);
  bool same = now.entries != (__wasi_size_t)-1 && now.entries == taken.entries && now.size == taken.size &&
              memcmp(now.bytes, taken.bytes, now.size) == 0;
  if (!same) taken = now;
  return !same;
}

/// os.environ from the process's environment. os keeps the bytes in a dict of its own behind the
/// mapping.
static int renew_environment(void) {
  __wasilibc_deinitialize_environ();
  __wasilibc_initialize_environ();
  PyObject* os = PyImport_ImportModule("os");
  PyObject* mapping = os ? PyObject_GetAttrString(os, "environ") : NULL;
  PyObject* data = mapping ? PyObject_GetAttrString(mapping, "_data") : NULL;
  int done = data && PyDict_Check(data) ? 0 : -1;
  if (done == 0) PyDict_Clear(data);
  for (char** entry = __wasilibc_get_environ(); done == 0 && *entry; entry++) {
    const char* equals = strchr(*entry, '=');
    if (!equals) continue;
    PyObject* name = PyBytes_FromStringAndSize(*entry, equals - *entry);
    PyObject* value = PyBytes_FromString(equals + 1);
    done = name && value ? PyDict_SetItem(data, name, value) : -1;
    Py_XDECREF(name);
    Py_XDECREF(value);
  }
  Py_XDECREF(data);
  Py_XDECREF(mapping);
  Py_XDECREF(os);
  return done;
}

int32_t krait_reseed(void) {
  by_exception = false;
  // Most starts have the environment of the snapshot: then the sixty pages that its renewal reads and writes stay untouched.
  if (environment_differs() && renew_environment() < 0) return fail();
  restored = true;
  PyObject* random = PyDict_GetItemString(PyImport_GetModuleDict(), "random");
  PyObject* done = random ? PyObject_CallMethod(random, "seed", NULL) : Py_None;
  if (!done) return fail();
  if (random) Py_DECREF(done);
  PyObject* uuid = PyDict_GetItemString(PyImport_GetModuleDict(), "uuid");
  return !uuid || PyObject_SetAttrString(uuid, "_node", Py_None) == 0 ? 0 : fail();
}
