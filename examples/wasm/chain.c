/* Sums the squares of 1 to N, its input, each in a call of its own; then has another function, "echo", say the sum. */
#include "faasm.h"

#include <stdio.h>
#include <stdlib.h>

/* A chained call: its status is its result. */
static int square(int n) { return n * n; }

int main(void) {
  char text[32] = {0};
  __faasm_read_input(text, sizeof text - 1);
  int n = atoi(text), sum = 0;
  int32_t calls[100];
  if (n < 0 || n > 100) return 2;
  for (int i = 0; i < n; i++) {
    int length = snprintf(text, sizeof text, "%d", i + 1);
    calls[i] = __faasm_chain_ptr(square, text, length);
  }
  for (int i = 0; i < n; i++) sum += __faasm_await_call(calls[i]);

  int length = snprintf(text, sizeof text, "the sum is %d", sum);
  int32_t echo = __faasm_chain_name("echo", text, length);
  char said[64];
  if (__faasm_await_call_output(echo, said, sizeof said) != 0) return 1;
  __faasm_write_output(said, __faasm_call_output_size(echo));
  return 0;
}
