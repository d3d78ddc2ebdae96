// Signals that end a process end it with 128 and their number; the others do nothing.
// status: 143
// prints:
//   proc_raise(None): ok
//   proc_raise(Child): ok
//   proc_raise(Unknown): Invalid argument
#include <wasi/api.h>
#include "show.h"

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) int32_t proc_raise(int32_t signal);

int main(void) {
  enum { None = 0, Child = 16, Unknown = 200, Term = 15 };
  SHOW_ERRNO(proc_raise(None));
  SHOW_ERRNO(proc_raise(Child));
  SHOW_ERRNO(proc_raise(Unknown));
  fflush(stdout);
  proc_raise(Term);
  printf("NOT reached\n");
}
