// What io_core_bench compares with: threads, and Boost.Asio's io_context. Nanoseconds for each.
#pragma once

namespace krait::bench {

/// Two threads that wake each other by a semaphore and wait: a wake, a wait and a switch each time.
double thread_wake();
/// A thread started and joined, one at a time.
double thread_spawn_join();
/// Two of Asio's awaitable coroutines on one io_context, which run in turn: one switch each time.
double asio_switch();
/// 10,000 of Asio's timers whose time comes at once.
double asio_timers_fire();
/// Functions posted to an io_context that another thread runs.
double asio_post_stream();

}  // namespace krait::bench
