// Private to io/: the switch from one stack to another, announced to the sanitizers. Boost.Context's fcontext does the work.
#pragma once

#include <boost/context/detail/fcontext.hpp>

#include "io/stack_pool.hpp"

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
  boost::context::detail::fcontext_t frame = nullptr;
#ifdef KRAIT_IO_ASAN
  Stack stack;
  void* fake_stack = nullptr;
#endif
#ifdef KRAIT_IO_TSAN
  void* fiber = nullptr;
#endif
};

/// Takes note of where the context that jumped here stands. The first thing to do on arrival.
inline void arrive(Context& self, boost::context::detail::transfer_t transfer) {
  static_cast<Context*>(transfer.data)->frame = transfer.fctx;
#ifdef KRAIT_IO_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#endif
}

/// Leaves `from`, which runs, for `to`; returns when someone switches back. `last`: no one ever will.
inline void switch_context(Context& from, Context& to, bool last = false) {
#ifdef KRAIT_IO_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.stack.limit, to.stack.size());
#endif
#ifdef KRAIT_IO_TSAN
  __tsan_switch_to_fiber(to.fiber, 0);
#endif
  arrive(from, boost::context::detail::jump_fcontext(to.frame, &from));
}

/// Makes `context` start `entry` on `stack` at the first switch to it.
inline void prepare_context(Context& context, Stack stack, void (*entry)(boost::context::detail::transfer_t)) {
  context.frame = boost::context::detail::make_fcontext(stack.base, stack.size(), entry);
#ifdef KRAIT_IO_ASAN
  context.stack = stack;
  context.fake_stack = nullptr;
#endif
#ifdef KRAIT_IO_TSAN
  context.fiber = __tsan_create_fiber(0);
#endif
}

/// Ends a context that has been left for the last time.
inline void release_context(Context& context, Stack stack) {
#ifdef KRAIT_IO_ASAN
  // The frames that were left standing at the last switch keep their red zones: the top of the stack.
  constexpr size_t Top = size_t{16} << 10;
  const size_t bytes = stack.size() < Top ? stack.size() : Top;
  ASAN_UNPOISON_MEMORY_REGION(stack.base - bytes, bytes);
#endif
#ifdef KRAIT_IO_TSAN
  __tsan_destroy_fiber(context.fiber);
#endif
}

}  // namespace krait::io
