// CPython's start: configuration, frozen modules, the image's directory.
//
// zipimport would read a thousand directory entries in Python code before the first import, and
// that import is CPython's own, of its codecs: a third of the time to start. So the modules of the
// start are frozen into the reactor, and the image brings its directory in zipimport's own form, as
// its first entry. An image without one works as any zip file does.
#define PY_SSIZE_T_CLEAN
#include "boot.h"

#include <marshal.h>
#include <string.h>

#include "hostmodule.h"
#include "state.h"

#define IMAGE "/lib/python313.zip"
#define EXTENSIONS "/lib/python3.13/lib-dynload"
#define DIRECTORY_NAME "zip-directory"

// --- frozen modules: bytecode that the recipe makes of the library's sources ---------------------

static const unsigned char encodings[] = {
#embed "encodings.bin"
};
static const unsigned char encodings_aliases[] = {
#embed "encodings.aliases.bin"
};
static const unsigned char encodings_utf_8[] = {
#embed "encodings.utf_8.bin"
};
static const unsigned char linecache[] = {
#embed "linecache.bin"
};

static const struct _frozen frozen[] = {
    {"encodings", encodings, sizeof encodings, 1},
    {"encodings.aliases", encodings_aliases, sizeof encodings_aliases, 0},
    {"encodings.utf_8", encodings_utf_8, sizeof encodings_utf_8, 0},
    {"linecache", linecache, sizeof linecache, 0},
    {0},
};

// --- the image's directory -----------------------------------------------------------------------

static uint32_t little_endian(const unsigned char* bytes, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; i++) value |= (uint32_t)bytes[i] << (8 * i);
  return value;
}

/// The contents of the image's first entry if it is the directory, else NULL; no exception is set.
static PyObject* read_directory(FILE* file) {
  enum { HeaderBytes = 30, SizeAt = 18, NameLengthAt = 26 };
  unsigned char header[HeaderBytes];
  char name[sizeof DIRECTORY_NAME - 1];
  if (fread(header, 1, sizeof header, file) != sizeof header) return NULL;
  if (little_endian(header + NameLengthAt, 4) != sizeof name) return NULL;  // and no extra field
  if (fread(name, 1, sizeof name, file) != sizeof name ||
      memcmp(name, DIRECTORY_NAME, sizeof name) != 0)
    return NULL;
  Py_ssize_t size = (Py_ssize_t)little_endian(header + SizeAt, 4);
  char* data = PyMem_Malloc((size_t)size);
  PyObject* directory = NULL;
  if (data && fread(data, 1, (size_t)size, file) == (size_t)size)
    directory = PyMarshal_ReadObjectFromString(data, size);
  PyMem_Free(data);
  PyErr_Clear();
  return directory;
}

/// Hands the directory to zipimport, where it looks before it reads one. Without it starts are
/// slower, and nothing else.
static void preset_directory(void) {
  FILE* file = fopen(IMAGE, "rb");
  if (!file) return;
  PyObject* directory = read_directory(file);
  fclose(file);
  PyObject* zipimport = directory ? PyImport_ImportModule("zipimport") : NULL;
  PyObject* cache = zipimport ? PyObject_GetAttrString(zipimport, "_zip_directory_cache") : NULL;
  if (cache) PyMapping_SetItemString(cache, IMAGE, directory);
  PyErr_Clear();
  Py_XDECREF(cache);
  Py_XDECREF(zipimport);
  Py_XDECREF(directory);
}

/// exit() and quit(), site-packages, sitecustomize.
static int import_site(void) {
  PyObject* site = PyImport_ImportModule("site");
  PyObject* done = site ? PyObject_CallMethod(site, "main", NULL) : NULL;
  Py_XDECREF(site);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

// --- configuration -------------------------------------------------------------------------------

static PyStatus configure(PyConfig* config) {
  config->buffered_stdio = 1;
  config->install_signal_handlers = 0;
  config->pathconfig_warnings = 0;
  config->write_bytecode = 0;
  config->site_import =
      0;  // import_site comes after preset_directory: site looks for modules in the image
  // A secret for each boot, so one for each snapshot: hashes stand in its dictionaries.
  config->use_hash_seed = 0;
  const struct {
    wchar_t** option;
    const wchar_t* value;
  } strings[] = {
      {&config->home, L"/"},
      {&config->program_name, L"python3.13"},
      {&config->executable, L""},  // there is none, and platform, for one, would read it
      {&config->stdlib_dir, L"" IMAGE},
  };
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    PyStatus status = PyConfig_SetString(config, strings[i].option, strings[i].value);
    if (PyStatus_Exception(status)) return status;
  }
  config->module_search_paths_set = 1;
  PyStatus status = PyWideStringList_Append(&config->module_search_paths, L"" IMAGE);
  if (PyStatus_Exception(status)) return status;
  return PyWideStringList_Append(&config->module_search_paths, L"" EXTENSIONS);
}

PyStatus krait_boot(void) {
  PyPreConfig pre;
  PyPreConfig_InitIsolatedConfig(&pre);
  pre.utf8_mode = 1;
  PyStatus status = Py_PreInitialize(&pre);
  if (PyStatus_Exception(status)) return status;
  if (PyImport_AppendInittab("_krait", krait_module_init) < 0 ||
      PyImport_AppendInittab("_krait_state", krait_state_module_init) < 0)
    return PyStatus_NoMemory();
  PyImport_FrozenModules = frozen;
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  status = configure(&config);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) return status;
  preset_directory();
  if (import_site() < 0) {
    PyErr_Print();
    return PyStatus_Error("site cannot be imported");
  }
  return status;
}

int krait_buffer_by_line(void) {
  PyObject* file = PySys_GetObject("stdout");
  if (!file || file == Py_None) return 0;
  PyObject* method = PyObject_GetAttrString(file, "reconfigure");
  PyObject* args = PyTuple_New(0);
  PyObject* options = Py_BuildValue("{s:O}", "line_buffering", Py_True);
  PyObject* done = method && args && options ? PyObject_Call(method, args, options) : NULL;
  Py_XDECREF(method);
  Py_XDECREF(args);
  Py_XDECREF(options);
  Py_XDECREF(done);
  return done ? 0 : -1;
}
