// krait serve
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "io/runtime.hpp"
#include "pyhost/calls/service.hpp"
#include "pyhost/gateway/gateway.hpp"
#include "pyhost/http/server.hpp"
#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer =
    R"(Serves the functions of the store over HTTP until SIGTERM or SIGINT; then no more is accepted, and what is
under way may end (--drain). A second signal ends it at once. There is no access control: an address that
others can reach is for machines behind a proxy that has some.

  GET  /ping                  PUT    /p/USER/FUNC    Python source     GET /functions[/USER]
  POST /call/USER/FUNC        PUT    /f/USER/FUNC    a wasm module     GET /stats
                              GET, DELETE of both

Examples:
  krait serve --port 8080
  curl -X PUT --data-binary @examples/hello.py http://127.0.0.1:8080/p/demo/hello
  curl --data-binary world http://127.0.0.1:8080/call/demo/hello)";

struct Options {
  pyhost::http::Options http;
  pyhost::ServiceOptions service;
  unsigned shards = 0;
  unsigned drain_seconds = 30;
  bool access_log = false;
  NetOption net;
  EngineOption engine;
};

/// SIGTERM and SIGINT, blocked in all threads that are started from now on.
sigset_t blocked_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

/// A connection is a descriptor: as many as the system lets this process have.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void say(const std::string& line) { std::fputs(("krait: " + line + "\n").c_str(), stderr); }

int serve(Options& options) {
  const auto compiler = options.engine.compiler();
  if (!compiler) return fail(compiler.error().to_string(), UsageError);
  auto network = options.net.policy();
  if (!network) return fail(network.error().message, UsageError);
  options.service.network = std::move(*network);
  auto functions = open_functions();
  if (!functions) return fail(functions.error().to_string());
  const auto python = load_python(*compiler);
  if (!python) return fail(python.error().to_string());
  auto state = open_state(OpenState::Now);
  if (!state) return fail(state.error().to_string());
  options.service.state = std::move(*state);
  raise_file_limit();
  const sigset_t signals = blocked_signals();
  io::Options io_options;
  io_options.shards = options.shards;
  auto runtime = io::Runtime::start(io_options);
  if (!runtime) return fail(runtime.error().to_string());
  auto service = pyhost::Service::start(**runtime, std::move(*functions), *python, options.service);
  if (!service) return fail(service.error().to_string());
  std::function<void(const std::string&)> log;
  if (options.access_log) log = [](const std::string& line) { std::fputs((line + "\n").c_str(), stderr); };
  pyhost::Gateway gateway(**service, std::move(log));
  auto server = pyhost::http::Server::start(**runtime, options.http, [&](const pyhost::http::Request& request) { return gateway(request); });
  if (!server) return fail(server.error().to_string());
  const bool v6 = options.http.address.find(':') != std::string::npos;
  say("serving http://" + (v6 ? "[" + options.http.address + "]" : options.http.address) + ":" + std::to_string((*server)->port()) +
      " on " + std::to_string((*runtime)->shards()) + " shards; functions in " + store::default_home()->string());

  int signal = 0;
  sigwait(&signals, &signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // the next one ends the process
  const std::chrono::seconds drain(options.drain_seconds);
  const bool drained = (*server)->stop(drain);
  (*service)->shutdown(std::chrono::seconds(0));
  const uint64_t requests = (*server)->counters().requests;
  server->reset();
  service->reset();
  const auto ended = (*runtime)->shutdown(std::chrono::seconds(0), std::chrono::seconds(10));
  say(std::string("stopped by ") + (signal == SIGTERM ? "SIGTERM" : "SIGINT") + " after " + std::to_string(requests) + " requests" +
      (drained ? "" : "; some were cut off"));
  if (!ended) return fail(ended.error().to_string());
  return Success;
}

void add_limits(CLI::App& verb, Options& options) {
  pyhost::http::Limits& http = options.http.limits;
  verb.add_option("--max-body", http.body_bytes, "Largest body of a request, bytes (413)")->capture_default_str();
  verb.add_option("--max-connections", http.connections, "Open at once (503)")->capture_default_str();
  verb.add_option("--max-requests", http.requests, "Being answered at once (503)")->capture_default_str();
  verb.add_option("--max-running", options.service.max_running, "Calls that run at once on a shard; more wait")->capture_default_str();
  verb.add_option("--max-queued", options.service.max_queued, "Calls that wait for their turn (503)")->capture_default_str();
#define LIMIT(type, name, value, unit, what)                                                                     \
  {                                                                                                              \
    std::string option = "--" #name;                                                                             \
    std::replace(option.begin(), option.end(), '_', '-');                                                        \
    verb.add_option(option, options.service.limits.name, what)->capture_default_str()->group("Limits of a call"); \
  }
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
}

}  // namespace

void add_serve(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("serve", "Serve the stored functions over HTTP");
  const auto options = std::make_shared<Options>();
  options->http.port = 8080;
  verb->add_option("--address", options->http.address, "Numeric address to listen on")->capture_default_str();
  verb->add_option("--port", options->http.port, "Port; 0 takes a free one, which the first line says")->capture_default_str();
  verb->add_option("--shards", options->shards, "Threads that run calls; 0: as many as cores")->capture_default_str();
  verb->add_option("--drain", options->drain_seconds, "Seconds that requests under way get at the end")->capture_default_str();
  verb->add_flag("--access-log", options->access_log, "A line for each request on stderr: time, method, target, status, bytes, duration");
  add_limits(*verb, *options);
  options->net.add_to(*verb);
  options->engine.add_to(*verb);
  verb->footer(Footer);
  verb->callback([options, &status] { status = serve(*options); });
}

}  // namespace krait::tools
