// Requests a second of an echo server over loopback: krait, an epoll loop, Boost.Asio; at 1, 100
// and 1,000 connections. Each server is a process of its own on one core, the load on another; the
// servers take turns, and medians are compared. `io_echo_bench [--json] [--seconds S] [--rounds
// N]`; figures: README.md.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/io/echo.hpp"
#include "bench/report.hpp"
#include "io/socket.hpp"

namespace {

using namespace krait;

struct Sample {
  double requests_a_second;
  double server_microseconds;  // of processor time, a request
};

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

double process_seconds(pid_t process) {
  clockid_t clock;
  timespec time = {};
  if (clock_getcpuclockid(process, &clock) == 0) clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Sample measure(bench::Server serve, int connections, double seconds) {
  auto listener = io::listen_tcp("127.0.0.1", 0, 4096);
  if (!listener) {
    std::fprintf(stderr, "%s\n", listener.error().message.c_str());
    std::exit(1);
  }
  fcntl(*listener, F_SETFL, O_NONBLOCK);
  const auto port = static_cast<uint16_t>(io::local_port(*listener));
  const pid_t server = fork();
  if (server == 0) {
    pin(0);
    serve(*listener);
    _exit(1);
  }
  close(*listener);
  bench::Load load(port, connections);
  const double before = process_seconds(server);
  const int64_t start = io::now_ns();
  const auto answers = static_cast<double>(load.run(seconds));
  const Sample sample = {answers / (static_cast<double>(io::now_ns() - start) / 1e9),
                         (process_seconds(server) - before) * 1e6 / answers};
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return sample;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  const double seconds = report.seconds(1);
  const int rounds = report.rounds(7);
  const struct {
    const char* name;
    bench::Server serve;
  } servers[] = {{"krait", bench::serve_krait},
                 {"epoll", bench::serve_epoll},
                 {"Boost.Asio", bench::serve_asio}};
  pin(1);
  for (const int connections : {1, 100, 1000}) {
    std::vector<double> rates[std::size(servers)], costs[std::size(servers)],
        ratios[std::size(servers)];
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < std::size(servers); ++i) {
        const Sample sample = measure(servers[i].serve, connections, seconds);
        rates[i].push_back(sample.requests_a_second);
        costs[i].push_back(sample.server_microseconds);
        ratios[i].push_back(rates[0].back() / sample.requests_a_second);
      }
    }
    const std::string suffix = ", " + std::to_string(connections) + " connections";
    for (size_t i = 0; i < std::size(servers); ++i) {
      report.add(servers[i].name + suffix, "req/s", rates[i]);
      report.add(servers[i].name + suffix + ": server", "us/req", costs[i]);
    }
    for (size_t i = 1; i < std::size(servers); ++i)
      report.add(std::string("krait / ") + servers[i].name + suffix, "x", ratios[i]);
  }
}
