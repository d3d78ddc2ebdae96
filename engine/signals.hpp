// Faults in machine code become traps: the process's signal handlers, and the registry of code ranges.
#pragma once

#include <cstddef>
#include <cstdint>

namespace krait::engine {

/// A range of machine code whose faults are expected. Stays alive and unchanged while registered.
struct CodeRange {
  const std::byte* begin = nullptr;
  size_t size = 0;
  const void* owner = nullptr;
  /// Runs in a signal handler: whether the instruction at `offset` may fault, and what to tell the landing.
  bool (*lookup)(const CodeRange& range, uint32_t offset, uint32_t& info) = nullptr;
  /// Where the thread goes on, outside of the handler, with rdi = r15, rsi = pc, rdx = rsp, rcx = info of the fault.
  const void* landing = nullptr;
};

/// Any thread. Each registration makes sure that the handlers of SIGSEGV, SIGBUS, SIGFPE and SIGILL are the engine's;
/// faults outside of all ranges go on to the handlers that it found there. Who installs others later and does not hand
/// on to what they find takes the guest's faults as well, until the next registration; from then on theirs are those
/// that are not the guest's, even when they have put back what they found.
void register_code(const CodeRange& range);
void unregister_code(const CodeRange& range);

/// Gives the calling thread an alternate signal stack, once; cheap after that.
void prepare_thread_for_faults();

}  // namespace krait::engine
