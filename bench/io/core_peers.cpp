#include "bench/io/core_peers.hpp"

#include <utility>  // Asio's awaitable.hpp wants it and does not say so

// Boost 1.74 knows clang's coroutines of the technical specification only, and they have been standard since.
#define BOOST_ASIO_HAS_CO_AWAIT 1
#define BOOST_ASIO_HAS_STD_COROUTINE 1
#include <boost/asio.hpp>
#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace krait::bench {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

double ns_each(int count, auto&& body) {
  const auto start = Clock::now();
  body();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / count;
}

asio::awaitable<void> take_turns(asio::io_context& context, int count) {
  for (int i = 0; i < count; ++i) co_await asio::post(context, asio::use_awaitable);
}

}  // namespace

double thread_wake() {
  constexpr int Count = 40'000;
  std::binary_semaphore mine(0), theirs(0);
  return ns_each(Count, [&] {
    std::jthread other([&] {
      for (int i = 0; i < Count / 2; ++i) theirs.acquire(), mine.release();
    });
    for (int i = 0; i < Count / 2; ++i) theirs.release(), mine.acquire();
  });
}

double thread_spawn_join() {
  constexpr int Count = 2'000;
  return ns_each(Count, [] {
    for (int i = 0; i < Count; ++i) std::thread([] {}).join();
  });
}

double asio_switch() {
  constexpr int Count = 500'000;
  asio::io_context context(1);
  for (int i = 0; i < 2; ++i) asio::co_spawn(context, take_turns(context, Count / 2), asio::detached);
  return ns_each(Count, [&] { context.run(); });
}

double asio_timers_fire() {
  constexpr int Count = 10'000;
  asio::io_context context(1);
  const auto moment = Clock::now() + std::chrono::milliseconds(100);
  std::vector<std::unique_ptr<asio::steady_timer>> timers;
  for (int i = 0; i < Count; ++i) {
    timers.push_back(std::make_unique<asio::steady_timer>(context, moment));
    timers.back()->async_wait([](const boost::system::error_code&) {});
  }
  context.run();
  return std::chrono::duration<double, std::nano>(Clock::now() - moment).count() / Count;
}

double asio_post_stream() {
  constexpr int Count = 200'000;
  asio::io_context context(1);
  auto work = asio::make_work_guard(context);
  int arrived = 0;
  std::binary_semaphore finished(0);
  std::jthread runs([&] { context.run(); });
  const double ns = ns_each(Count, [&] {
    for (int i = 0; i < Count; ++i)
      asio::post(context, [&] {
        if (++arrived == Count) finished.release();
      });
    finished.acquire();
  });
  work.reset();
  return ns;
}

}  // namespace krait::bench
