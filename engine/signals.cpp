// Signal handlers for faults in machine code.
//
// Invariants.
//  1. The handler takes no lock and allocates nothing. It reads slots of the registry, each guarded by a sequence number
//     (odd while it is written), and the CodeRange only of a slot whose range holds the faulting pc: the thread runs in
//     that code, so the range cannot be unregistered meanwhile.
//  2. Chunks of slots are only ever added, so a reader needs no protection to walk them.
//  3. Nothing of the trap is done in the handler: it changes the interrupted context to go on at the landing.
//  4. Others may put their handlers over ours: each registration puts ours on top again. So ours may stand several times
//     in the chain that a fault of others goes down; each time it hands on to an older handler. Links are never freed.
#include "engine/signals.hpp"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <mutex>

namespace krait::engine {
namespace {

struct SlotEntry {
  std::atomic<uint32_t> sequence{0};
  std::atomic<uintptr_t> begin{0}, end{0};
  std::atomic<const CodeRange*> range{nullptr};
};
struct Chunk {
  std::array<SlotEntry, 256> slots;
  std::atomic<Chunk*> next{nullptr};
};

// The one process-wide state: signal handlers are process-wide too.
Chunk first_chunk;
std::mutex writers;
constexpr std::array<int, 4> Signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

/// A handler that stood where ours was put.
struct Link {
  struct sigaction action;
  const Link* older;
};
std::array<std::atomic<const Link*>, Signals.size()> newest;

/// What this thread hands a fault on to. Known by the context's address: a handler that left by longjmp leaves this behind.
struct HandingOn {
  const void* context = nullptr;
  const void* frame = nullptr;
  const Link* to = nullptr;
};
thread_local HandingOn handing_on;

const CodeRange* find_range(uintptr_t pc) {
  for (Chunk* chunk = &first_chunk; chunk; chunk = chunk->next.load(std::memory_order_acquire))
    for (SlotEntry& slot : chunk->slots) {
      const uint32_t sequence = slot.sequence.load(std::memory_order_acquire);
      const uintptr_t begin = slot.begin.load(std::memory_order_acquire), end = slot.end.load(std::memory_order_acquire);
      const CodeRange* range = slot.range.load(std::memory_order_acquire);
      if (pc < begin || pc >= end || sequence & 1) continue;
      if (slot.sequence.load(std::memory_order_acquire) == sequence) return range;
    }
  return nullptr;
}

void write_slot(SlotEntry& slot, const CodeRange* range) {
  slot.sequence.fetch_add(1, std::memory_order_acq_rel);
  slot.range.store(range, std::memory_order_release);
  const auto begin = range ? reinterpret_cast<uintptr_t>(range->begin) : 0;
  slot.begin.store(begin, std::memory_order_release);
  slot.end.store(range ? begin + range->size : 0, std::memory_order_release);
  slot.sequence.fetch_add(1, std::memory_order_acq_rel);
}

void chain(int signal, siginfo_t* info, void* context) {
  size_t i = 0;
  while (Signals[i] != signal) ++i;
  const void* const frame = __builtin_frame_address(0);
  const bool again = handing_on.context == context && frame < handing_on.frame;  // by a handler that found ours
  const Link* const to = again ? handing_on.to->older : newest[i].load(std::memory_order_acquire);
  const HandingOn outer = handing_on;
  handing_on = {context, frame, to};
  if (!to || (!(to->action.sa_flags & SA_SIGINFO) && (to->action.sa_handler == SIG_DFL || to->action.sa_handler == SIG_IGN)))
    ::signal(signal, SIG_DFL);  // the instruction faults again, now for good
  else if (to->action.sa_flags & SA_SIGINFO)
    to->action.sa_sigaction(signal, info, context);
  else
    to->action.sa_handler(signal);
  handing_on = outer;
}

void handle(int signal, siginfo_t* info, void* raw) {
#if defined(__x86_64__)
  auto& registers = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
  const auto pc = static_cast<uintptr_t>(registers[REG_RIP]);
  uint32_t what = 0;
  const CodeRange* range = find_range(pc);
  if (range && range->lookup(*range, static_cast<uint32_t>(pc - reinterpret_cast<uintptr_t>(range->begin)), what)) {
    registers[REG_RDI] = registers[REG_R15];
    registers[REG_RSI] = registers[REG_RIP];
    registers[REG_RDX] = registers[REG_RSP];
    registers[REG_RCX] = what;
    registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<uintptr_t>(range->landing));
    return;
  }
#endif
  chain(signal, info, raw);
}

bool same(const struct sigaction& a, const struct sigaction& b) {
  return a.sa_flags == b.sa_flags && a.sa_sigaction == b.sa_sigaction;
}

/// Puts our handlers on top. Needs `writers`.
void install() {
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < Signals.size(); ++i) {
    struct sigaction there = {};
    sigaction(Signals[i], nullptr, &there);
    if ((there.sa_flags & SA_SIGINFO) && there.sa_sigaction == handle) continue;
    const Link* top = newest[i].load(std::memory_order_relaxed);
    if (!top || !same(top->action, there)) newest[i].store(new Link{there, top}, std::memory_order_release);
    sigaction(Signals[i], &action, nullptr);
  }
}

/// A thread's alternate signal stack; where the thread has one already, that one stays.
struct AlternateStack {
  static constexpr size_t Bytes = 64 << 10;
  void* memory = nullptr;
  AlternateStack() {
    stack_t old = {};
    if (sigaltstack(nullptr, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return;
    memory = mmap(nullptr, Bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      memory = nullptr;
      return;
    }
    const stack_t stack{memory, 0, Bytes};
    sigaltstack(&stack, nullptr);
  }
  ~AlternateStack() {
    if (!memory) return;
    const stack_t off{nullptr, SS_DISABLE, 0};
    sigaltstack(&off, nullptr);
    munmap(memory, Bytes);
  }
};

}  // namespace

void register_code(const CodeRange& range) {
  std::lock_guard lock(writers);
  install();
  for (Chunk* chunk = &first_chunk;; chunk = chunk->next.load(std::memory_order_relaxed)) {
    for (SlotEntry& slot : chunk->slots)
      if (!slot.range.load(std::memory_order_relaxed)) return write_slot(slot, &range);
    if (!chunk->next.load(std::memory_order_relaxed)) chunk->next.store(new Chunk, std::memory_order_release);
  }
}

void unregister_code(const CodeRange& range) {
  std::lock_guard lock(writers);
  for (Chunk* chunk = &first_chunk; chunk; chunk = chunk->next.load(std::memory_order_relaxed))
    for (SlotEntry& slot : chunk->slots)
      if (slot.range.load(std::memory_order_relaxed) == &range) return write_slot(slot, nullptr);
}

void prepare_thread_for_faults() { thread_local AlternateStack stack; }

}  // namespace krait::engine
