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

/// Any thread. The first registration installs handlers for SIGSEGV, SIGBUS, SIGFPE and SIGILL; faults outside of all
/// ranges go on to the handlers that were there before.
void register_code(const CodeRange& range);
void unregister_code(const CodeRange& range);

/// Gives the calling thread an alternate signal stack, once; cheap after that.
void prepare_thread_for_faults();

}  // namespace krait::engine
