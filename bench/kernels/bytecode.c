// A bytecode interpreter: a loop around a switch, the shape of CPython's eval loop. n: thousands of rounds of its program.
#include "kernel.h"
enum { PUSH, ADD, MUL, SUB, DUP, SWAP, POP, LOAD, STORE, LESS, JUMP_IF, XOR, SHIFT, NOP, HALT };
static const uint8_t program[] = {
    PUSH, 7, STORE, 0, PUSH, 1, STORE, 1,                            // a = 7, i = 1
    LOAD, 0, LOAD, 1, MUL, PUSH, 13, ADD, DUP, SHIFT, XOR, STORE, 0,  // a = mix(a * i + 13)
    LOAD, 1, PUSH, 1, ADD, DUP, STORE, 1, PUSH, 50, LESS, JUMP_IF, 8, // while (++i < 50)
    NOP, LOAD, 0, PUSH, 3, SWAP, SUB, STORE, 2, PUSH, 0, POP, HALT};

static uint64_t execute(uint64_t seed) {
  uint64_t stack[16], local[4] = {0, 0, 0, 0};
  uint32_t sp = 0, pc = 0;
  for (;;) switch (program[pc++]) {
      case PUSH: stack[sp++] = program[pc++]; break;
      case ADD: --sp, stack[sp - 1] += stack[sp]; break;
      case MUL: --sp, stack[sp - 1] *= stack[sp]; break;
      case SUB: --sp, stack[sp - 1] -= stack[sp]; break;
      case DUP: stack[sp] = stack[sp - 1], ++sp; break;
      case SWAP: { const uint64_t t = stack[sp - 1]; stack[sp - 1] = stack[sp - 2]; stack[sp - 2] = t; break; }
      case POP: --sp; break;
      case LOAD: stack[sp++] = local[program[pc++]] + seed; break;
      case STORE: local[program[pc++]] = stack[--sp] - seed; break;
      case LESS: --sp, stack[sp - 1] = (uint32_t)(stack[sp - 1] - seed) < (uint32_t)stack[sp]; break;
      case JUMP_IF: pc = stack[--sp] ? program[pc] : pc + 1; break;
      case XOR: --sp, stack[sp - 1] ^= stack[sp]; break;
      case SHIFT: stack[sp - 1] >>= 7; break;
      case NOP: break;
      default: return local[2];
    }
}

static uint64_t run(uint32_t n) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n * 1000; ++i) sum = sum * 31 + execute(0 * i) + i;
  return sum;
}
