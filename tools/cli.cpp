#include "tools/cli.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if KRAIT_JIT
#include "jit/jit.hpp"
#include "tools/code_cache.hpp"
#endif

namespace krait::tools {
namespace fs = std::filesystem;

int fail(const std::string& message, int status) {
  std::fprintf(stderr, "krait: %s\n", message.c_str());
  return status;
}

void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

Result<store::Bytes> read_input(const std::string& path) {
  const bool standard = path == "-";
  const store::Fd file(standard ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto failed = [&] {
    return Error{"cannot read " + (standard ? "standard input" : path) + ": " + std::strerror(errno)};
  };
  if (!file) return failed();
  store::Bytes bytes;
  size_t have = 0;
  while (true) {
    if (bytes.size() - have < 65536) bytes.resize(std::max(2 * bytes.size(), size_t{1} << 17));
    const ssize_t n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed();  // EISDIR for a folder
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

Result<void> write_output(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{std::string("cannot write the output: ") + std::strerror(errno)};
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

bool is_wasm(std::span<const std::byte> contents) {
  return contents.size() >= 4 && std::memcmp(contents.data(), "\0asm", 4) == 0;
}

int exit_status(int status) {
  const int low = status & 0xff;
  return low == 0 && status != 0 ? Failed : low;
}

int report(const pyhost::Ended& ended) {
  if (ended.trap) std::fprintf(stderr, "krait: trap: %s\n", ended.trap->to_string().c_str());
  return exit_status(ended.status);
}

Result<fs::path> cache_folder() {
  // The XDG specification: a relative path is to be ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return fs::path(cache) / "krait";
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "krait";
  return Error{"no place for the cache: set XDG_CACHE_HOME to a folder"};
}

Result<fs::path> code_folder() {
  auto cache = cache_folder();
  if (!cache) return cache.error();
  return *cache / "code";
}

Result<RuntimePaths> find_runtime() {
  fs::path folder;
  if (const char* given = std::getenv("KRAIT_RUNTIME"); given && *given) {
    folder = given;
  } else {
    const auto cache = cache_folder();
    if (!cache) return cache.error();
    folder = *cache / "current";
  }
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  const RuntimePaths paths{real / "python.wasm", real / "python-reactor.wasm", real / "stdlib", real / "python313.zip", real / "bin" / "wasm-cc"};
  for (const fs::path& part : {paths.python_wasm, paths.reactor, paths.stdlib, paths.image})
    if (error || !fs::exists(part, error))
      return Error{"no Python runtime in " + folder.string() + ": run tools/quickstart or pyhost/guest/build"};
  return paths;
}

std::vector<std::string> engine_names() {
  std::vector<std::string> names{"interp"};
#if KRAIT_JIT
  if (jit::supported()) names.push_back("jit");
#endif
  return names;
}

void EngineOption::add_to(CLI::App& verb) {
  name_ = "auto";
  verb.add_option("--engine", name_, "How wasm runs")
      ->take_last()
      ->check(CLI::IsMember({"auto", "interp", "jit"}))
      ->capture_default_str();
}

Result<engine::Compiler*> EngineOption::compiler() const {
  if (name_ == "interp") return static_cast<engine::Compiler*>(nullptr);
#if KRAIT_JIT
  if (!made_) {
    jit::Options options;
    const auto is = [](const char* name, std::string_view value) {
      const char* set = std::getenv(name);
      return set && set == value;
    };
    options.perf_map = is("KRAIT_PERF_MAP", "1");
    options.gdb = is("KRAIT_GDB", "1");
    // perf looks no further than the file where code is mapped from one: its map is for code that is not.
    if (const auto folder = code_folder(); folder && !options.perf_map) {
      cache_ = std::make_unique<DiskCodeCache>(*folder);
      options.cache = cache_.get();
    }
    if (name_ == "auto" && !is("PYTHON_CODEGEN", "on")) options.codegen = jit::Codegen::Behind;
    made_ = jit::make_compiler(std::move(options));
  }
  if (made_) return made_.get();
  if (name_ == "auto") return static_cast<engine::Compiler*>(nullptr);
  return Error{"--engine jit: it has no code for this machine"};
#else
  if (name_ == "auto") return static_cast<engine::Compiler*>(nullptr);
  return Error{"--engine jit: this krait is built without it"};
#endif
}

Result<std::shared_ptr<const pyhost::PythonRuntime>> load_python(engine::Compiler* compiler) {
  const auto paths = find_runtime();
  if (!paths) return paths.error();
  constexpr uint64_t Cap = uint64_t{4} << 30;
  std::shared_ptr<pyhost::ImageCache> cache;
  if (const auto folder = cache_folder()) cache = std::make_shared<pyhost::ImageCache>(
        (*folder / "images").string(), Cap, [](const std::string& line) { std::fprintf(stderr, "krait: %s\n", line.c_str()); });
  return pyhost::PythonRuntime::load({paths->reactor.string(), paths->image.string(), compiler, std::move(cache)});
}

Result<OneService> OneService::start(engine::Compiler* compiler, std::shared_ptr<pyhost::LocalState> state) {
  auto functions = open_functions();
  if (!functions) return std::move(functions.error());
  auto python = load_python(compiler);
  if (!python) return std::move(python.error());
  io::Options one;
  one.shards = 1;
  auto runtime = io::Runtime::start(one);
  if (!runtime) return std::move(runtime.error());
  pyhost::ServiceOptions options;
  options.limits.wall_ms = 0;  // who waits at a terminal can interrupt
  options.state = std::move(state);
  auto service = pyhost::Service::start(**runtime, std::move(*functions), std::move(*python), std::move(options));
  if (!service) return std::move(service.error());
  return OneService{std::move(*runtime), std::move(*service)};
}

Result<pyhost::LimitChanges> parse_limits(const std::vector<std::string>& words) {
  std::string json = "{";
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos || word.find('"') < equals)
      return Error{"--limit " + word + ": NAME=NUMBER is wanted, such as wall_ms=500"};
    json += (json.size() > 1 ? ",\"" : "\"") + word.substr(0, equals) + "\":" + value;
  }
  return pyhost::LimitChanges::parse(json + "}");
}

std::string limits_help() {
  std::string text = "Limits (--limit NAME=NUMBER):\n";
#define LIMIT(type, name, value, unit, what) text += "  " #name ": " what "\n";
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  return text;
}

Result<std::shared_ptr<pyhost::LocalState>> open_state(OpenState when) {
  const auto home = store::default_home();
  if (!home) return home.error();
  if (when == OpenState::AtFirstUse)
    return std::make_shared<pyhost::LocalState>(
        store::state_at_first_use(*home / "state", [](const Error& error) { (void)fail(error.to_string()); }));
  auto durable = store::StateStore::open(*home / "state");
  if (!durable) return std::move(durable.error());
  return std::make_shared<pyhost::LocalState>(std::move(*durable));
}

Result<store::FunctionStore> open_functions() {
  const auto home = store::default_home();
  if (!home) return home.error();
  return store::FunctionStore(*home);
}

void NetOption::add_to(CLI::App& verb) {
  const auto listed = [&](const char* name, std::vector<std::string>& values, const char* text) {
    return verb.add_option(name, values, text)->type_size(1)->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  listed("--allow-net", connect_,
         "What Python may connect to: a name, an address or *; IPv6 in brackets; the port may be *. Addresses of this machine and of "
         "private networks by number only (or localhost)")
      ->type_name("HOST:PORT[,...]");
  listed("--allow-listen", listen_, "Ports that Python may listen on; 0: one that is free; *: all")->type_name("PORT[,...]");
}

Result<std::shared_ptr<const pyhost::NetPolicy>> NetOption::policy() const {
  if (connect_.empty() && listen_.empty()) return std::shared_ptr<const pyhost::NetPolicy>();
  auto policy = std::make_shared<pyhost::NetPolicy>();
  for (const std::string& words : connect_)
    if (auto done = policy->allow_connect(words); !done) return Error{"--allow-net: " + done.error().message};
  for (const std::string& words : listen_)
    if (auto done = policy->allow_listen(words); !done) return Error{"--allow-listen: " + done.error().message};
  return std::shared_ptr<const pyhost::NetPolicy>(std::move(policy));
}

}  // namespace krait::tools
