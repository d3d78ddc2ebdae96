/* A counter for each word of the input, in the state: whole values, ranges, a lock, a log. The output is the count of the last word and
 * how many words were counted in all.
 *
 *   krait invoke demo state --input "tea for two and two for tea"
 */
#include "faasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t count(const char* word) {
  int32_t n = 0;
  __faasm_lock_state_write(word);
  if (__faasm_read_state(word, &n, 0) == sizeof n) __faasm_read_state(word, &n, sizeof n);
  n++;
  __faasm_write_state(word, &n, sizeof n);
  __faasm_push_state(word);
  __faasm_unlock_state_write(word);
  __faasm_append_state("words", word, 1);
  return n;
}

int main(void) {
  int32_t size = __faasm_read_input(NULL, 0), last = 0, words = 0;
  char* text = calloc(1, (size_t)size + 1);
  if (!text || size == 0) return 2;
  __faasm_read_input(text, size);
  for (char* word = strtok(text, " "); word; word = strtok(NULL, " "), words++) last = count(word);

  /* The same through this call's own copy, of which one byte goes back. */
  char* initials = __faasm_read_state_ptr("initials", 26);
  initials[text[0] - 'a'] = 1;
  __faasm_flag_state_offset_dirty("initials", 26, text[0] - 'a', 1);
  __faasm_push_state_partial("initials");

  int32_t before = 0;
  __faasm_write_state_offset("total", 8, 4, &words, 4);
  __faasm_push_state_partial("total");
  __faasm_pull_state("total", 8);
  __faasm_read_state_offset("total", 8, 4, &before, 4);
  char log[64] = {0};
  __faasm_read_appended_state("words", log, sizeof log - 1, words);
  __faasm_clear_appended_state("words");

  char said[160];
  int length = snprintf(said, sizeof said, "%d %d %s", (int)last, (int)before, log);
  __faasm_write_output(said, length);
  return __faasm_conf_flag("ALWAYS_ON") == 1 ? 0 : 1;
}
