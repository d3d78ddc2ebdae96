/// How CPython starts in the reactor.
#pragma once
#include <Python.h>

/// Initialises CPython. Needs no file for it; the stdlib's image is the only entry of sys.path that
/// holds modules.
PyStatus krait_boot(void);

/// Makes sys.stdout write whole lines at once. 0, or -1 with an exception set.
int krait_buffer_by_line(void);
