// Private to io/: the switch from one stack to another, announced to the sanitizers.
//
// On x86-64 the switch is inline code: the compiler saves what it needs of the registers, and no
// call and no `ret` stands between the two sides; 2 ns instead of the 8 to 14 of Boost.Context's
// fcontext (bench/io). The x87 and SSE control words are not switched: nobody changes them for
// longer than a call. Elsewhere, or with KRAIT_IO_FCONTEXT, it is fcontext.
#pragma once

#include "io/stack_pool.hpp"

#if !defined(__x86_64__) && !defined(KRAIT_IO_FCONTEXT)
#define KRAIT_IO_FCONTEXT 1
#endif
#ifdef KRAIT_IO_FCONTEXT
#include <boost/context/detail/fcontext.hpp>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define KRAIT_IO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KRAIT_IO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define KRAIT_IO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KRAIT_IO_TSAN 1
#endif
#endif

#ifdef KRAIT_IO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef KRAIT_IO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace krait::io {

/// Where a stack stands that is not running. The running one has a stale `frame`.
struct Context {
  void* frame = nullptr;
#ifdef KRAIT_IO_ASAN
  Stack stack;
  void* fake_stack = nullptr;
#endif
#ifdef KRAIT_IO_TSAN
  void* fiber = nullptr;
#endif
};

/// What a context does when it runs: after a switch and, by hand, first thing in a new context.
[[gnu::always_inline]] inline void arrive([[maybe_unused]] Context& self) {
#ifdef KRAIT_IO_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#endif
}

#ifdef KRAIT_IO_FCONTEXT

inline void jump(Context& from, Context& to) {
  const auto transfer = boost::context::detail::jump_fcontext(to.frame, &from.frame);
  *static_cast<void**>(transfer.data) = transfer.fctx;
}

template <void (*Entry)()>
void fcontext_entry(boost::context::detail::transfer_t transfer) {
  *static_cast<void**>(transfer.data) = transfer.fctx;
  Entry();
}

template <void (*Entry)()>
void* first_frame(Stack stack, std::byte* top) {
  return boost::context::detail::make_fcontext(top, static_cast<size_t>(top - stack.limit),
                                               fcontext_entry<Entry>);
}

#else

// A frame at rest is, from its stack pointer up: where to go on, rbx, rbp, and the red zone of the
// function that left.
[[gnu::always_inline]] inline void jump(Context& from, Context& to) {
  void** save = &from.frame;
  void** load = &to.frame;
  asm volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "leaq -128(%%rsp), %%rsp\n\t"
      "pushq %%rbp\n\t"
      "pushq %%rbx\n\t"
      "pushq %%rax\n\t"
      "movq %%rsp, (%[save])\n\t"
      "movq (%[load]), %%rsp\n\t"
      "popq %%rax\n\t"
      "popq %%rbx\n\t"
      "popq %%rbp\n\t"
      "jmpq *%%rax\n"
      "1:\tleaq 128(%%rsp), %%rsp"
      : [save] "+D"(save), [load] "+S"(load)
      :
      : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory",
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

template <void (*Entry)()>
void* first_frame(Stack, std::byte* top) {
  // As if called from address 0, where a backtrace ends.
  void** frame = reinterpret_cast<void**>(top) - 4;
  frame[0] = reinterpret_cast<void*>(Entry);
  frame[1] = frame[2] = frame[3] = nullptr;
  return frame;
}

#endif

/// Leaves `from`, which runs, for `to`; returns when someone switches back. `last`: no one ever
/// will.
[[gnu::always_inline]] inline void switch_context(Context& from, Context& to,
                                                  [[maybe_unused]] bool last = false) {
#ifdef KRAIT_IO_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.stack.limit,
                                 to.stack.size());
#endif
#ifdef KRAIT_IO_TSAN
  __tsan_switch_to_fiber(to.fiber, 0);
#endif
  jump(from, to);
  arrive(from);
}

/// Makes `context` start Entry, which never returns, on `stack` at the first switch to it. `top`,
/// 16-byte aligned, is where in the stack it starts.
template <void (*Entry)()>
void prepare_context(Context& context, Stack stack, std::byte* top) {
  context.frame = first_frame<Entry>(stack, top);
#ifdef KRAIT_IO_ASAN
  context.stack = stack;
  context.fake_stack = nullptr;
#endif
#ifdef KRAIT_IO_TSAN
  context.fiber = __tsan_create_fiber(0);
#endif
}

/// Ends a context that has been left for the last time.
inline void release_context([[maybe_unused]] Context& context, [[maybe_unused]] Stack stack) {
#ifdef KRAIT_IO_ASAN
  // The frames that were left standing at the last switch keep their red zones: the top of the
  // stack.
  constexpr size_t Top = size_t{16} << 10;
  const size_t bytes = stack.size() < Top ? stack.size() : Top;
  ASAN_UNPOISON_MEMORY_REGION(stack.base - bytes, bytes);
#endif
#ifdef KRAIT_IO_TSAN
  __tsan_destroy_fiber(context.fiber);
#endif
}

}  // namespace krait::io
