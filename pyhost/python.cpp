// CPython's host: the runtime's parts, the sandbox's file tree, and the reactor's exports (guest/krait_host.h has their ABI).
//
// The tree: / in memory and private; /lib/python313.zip the shared, read-only library; /tmp in memory; the caller's folders where it
// wants them. /lib and /tmp stay the sandbox's own even under a folder mounted on /.
#include "pyhost/python.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "engine/facts.hpp"
#include "pyhost/python_parts.hpp"
#include "pyhost/state/imports.hpp"

namespace krait::pyhost {

namespace fs = std::filesystem;
using engine::FuncInstance;
using engine::Outcome;
using engine::Trap;

namespace {

constexpr const char* ImagePath = "lib/python313.zip";
constexpr const char* ExtensionsPath = "lib/python3.13/lib-dynload";
constexpr uint64_t MostTableElements = 1 << 20;  // 16 MiB of the host's memory: 100 times what Python has
constexpr int32_t ReactorAbi = 2;
// CPython ends a recursion in C after 5,000 of its own levels, of up to some ten frames each; reserved, touched as used.
constexpr uint32_t InterpreterDepth = 60'000;
constexpr uint64_t InterpreterStack = uint64_t{32} << 20;

uint64_t monotonic_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

std::string join_trap(const char* what, const Trap& trap) {
  if (trap.kind == engine::TrapKind::Exit)
    return std::string(what) + ": Python left with status " + std::to_string(trap.exit_code);
  return std::string(what) + ": " + trap.to_string();
}

}  // namespace

PythonRuntime::PythonRuntime(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PythonRuntime::~PythonRuntime() = default;
engine::Compiler* PythonRuntime::compiler() const { return parts_->compiler; }

const std::string& PythonRuntime::identity() const { return parts_->identity; }
const std::shared_ptr<ImageCache>& PythonRuntime::cache() const { return parts_->cache; }

namespace {

/// Where it lies, its size and its time: the library is made once and never written again.
std::string identity_of_file(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return path;
  return path + " " + std::to_string(s.st_ino) + " " + std::to_string(s.st_size) + " " +
         std::to_string(int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec);
}

/// The module; with its facts from the cache, or else they are kept there. `identity` gets the hash of its bytes.
Result<std::shared_ptr<const engine::Module>> load_reactor(const PythonConfig& config, std::string& identity) {
  const store::Fd file(::open(config.reactor.c_str(), O_RDONLY | O_CLOEXEC));
  auto mapped = file ? Mapping::of(file.get(), engine::Module::Padding) : Error{std::strerror(errno)};
  if (!mapped) return Error{"cannot read " + config.reactor + ": " + mapped.error().message};
  engine::SharedBytes bytes{(*mapped)->bytes(), *mapped}, facts;
  store::Digest key;
  std::optional<std::array<uint8_t, 32>> sha256;
  if (config.cache) {
    const store::Digest digest = config.cache->digest_of(config.reactor, file.get(), bytes.bytes);
    sha256 = digest.bytes;
    identity = digest.hex() + " ";
    key = ImageCache::key({"facts", std::to_string(engine::FactsVersion), identity});
    if (const auto kept = config.cache->open(key)) {
      const auto mapping = Mapping::of(kept->file.get());
      if (mapping) facts = {(*mapping)->bytes().first(kept->size), *mapping};
    }
  }
  const std::byte* known = facts.bytes.data();
  auto module = engine::compile_known(std::move(bytes), std::move(facts), sha256);
  if (!module) return Error{config.reactor + ": " + module.error().to_string()};
  const auto made = engine::facts_of(**module);
  if (config.cache && made.data() != known) {
    if (known) config.cache->drop(key, "it does not fit the module");
    config.cache->keep(key, {made.begin(), made.end()});
  }
  return module;
}

Result<void> map_extensions(const std::string& stdlib, PythonRuntime::Parts& parts) {
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(stdlib).parent_path() / "lib-dynload", none)) {
    if (entry.path().extension() != ".so") continue;
    auto file = Mapping::of(entry.path().string());
    if (!file) return std::move(file.error());
    parts.extensions.emplace_back(std::string(ExtensionsPath) + "/" + entry.path().filename().string(), std::move(*file));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const PythonRuntime>> PythonRuntime::load(const PythonConfig& config) {
  auto parts = std::make_unique<Parts>();
  parts->cache = config.cache;
  auto module = load_reactor(config, parts->identity);
  if (!module) return std::move(module.error());
  auto stdlib = Mapping::of(config.stdlib);
  if (!stdlib) return std::move(stdlib.error());
  parts->identity += identity_of_file(config.stdlib);
  if (auto mapped = map_extensions(config.stdlib, *parts); !mapped) return std::move(mapped.error());
  parts->module = std::move(*module);
  parts->stdlib = std::move(*stdlib);
  parts->compiler = config.compiler;
  parts->side_modules = std::make_unique<SideModules>(config.compiler);
  if (config.compiler) parts->code = config.compiler->image_for(parts->module);
  define_wasi(parts->linker);
  define_krait(parts->linker);
  define_sockets(parts->linker);
  define_state(parts->linker);
  return std::shared_ptr<const PythonRuntime>(new PythonRuntime(std::move(parts)));
}

namespace {

/// Where a folder is mounted, from the root on; "" for the root.
std::string guest_path(const HostMount& mount) {
  return fs::path(mount.guest.empty() ? mount.host : mount.guest).relative_path().lexically_normal().string();
}

/// The sandbox's own files as they are at its start.
Result<void> fill_tree(const PythonRuntime::Parts& parts, const std::vector<HostMount>& mounts, MemoryTree& memory) {
  bool built = memory.add_shared_file(ImagePath, parts.stdlib->bytes(), parts.stdlib).ok() && memory.make_path("tmp").ok();
  for (const auto& [path, file] : parts.extensions) built = memory.add_shared_file(path, file->bytes(), file).ok() && built;
  for (const HostMount& mount : mounts)
    if (const std::string guest = guest_path(mount); !guest.empty()) built = memory.make_path(guest).ok() && built;
  if (!built) return Error{"the sandbox's file tree cannot be made: two of its folders are in each other's way"};
  return {};
}

/// What the sandbox sees: its own files, and what is mounted among them.
Result<std::shared_ptr<Directory>> mount_all(const std::vector<HostMount>& mounts, const MemoryTree& memory, Sandbox& sandbox) {
  std::vector<MountPoint> points;
  bool covers_root = false;
  for (const HostMount& mount : mounts) {
    auto directory = open_host_directory(mount.host, mount.read_only);
    if (!directory) return std::move(directory.error());
    points.push_back({guest_path(mount), std::move(*directory)});
    covers_root = covers_root || mount.guest == "/";
  }
  for (const char* own : {"lib", "tmp"}) {
    if (!covers_root) break;
    auto directory = memory.root()->open(own, OpenHow{.directory = true});
    if (directory) points.push_back({own, std::static_pointer_cast<Directory>(*directory)});
  }
  points.push_back({SharedFilesMount, shared_files(sandbox)});
  return union_directory(memory.root(), std::move(points));
}

}  // namespace

/// A sandbox. The reactor's exports are looked up once.
struct PythonInstance::State {
  std::shared_ptr<const PythonRuntime> runtime;
  Stdio stdio;
  CallSandbox sandbox;
  std::optional<Wasi> wasi;
  std::optional<engine::Store> store;
  engine::Instance* instance = nullptr;
  std::optional<Loader> loader;
  engine::Store::Mark at_start;  // what the store had when the sandbox was made
  engine::Memory* memory = nullptr;
  FuncInstance *malloc = nullptr, *free = nullptr, *check = nullptr, *load = nullptr, *call = nullptr, *run = nullptr,
               *exception = nullptr, *reseed = nullptr, *alarm = nullptr;
  PythonOptions options;
  std::shared_ptr<const PythonSnapshot> origin;
  std::optional<MemoryTree> memory_tree;
  uint64_t start_ns = 0, changes_at_start = 0, bytes_at_start = 0, own_bytes = 0;
  size_t open_at_start = 0;
  bool usable = true;

  Result<void> start();
  Result<void> make_files();
  Result<void> boot();
  Result<void> renew();
  Result<void> find_exports();
  Result<void> restore_libraries();
  /// What the host's functions know of a call.
  void take(const CallRequest& request) {
    sandbox.user = request.user;
    sandbox.function = request.function;
    sandbox.entry = request.entry;
    sandbox.input = request.input;
  }
  /// The state of a call; its locks are given back at the end, however the call ended.
  void begin_state(const std::string& user) {
    if (options.state) sandbox.state = std::make_shared<StateSession>(options.state, user);
  }
  void end_state() {
    if (sandbox.state) sandbox.state->release();
    if (options.state) sandbox.state.reset();
  }

  /// Calls an export of the reactor; a trap leaves the sandbox spent.
  template <typename... A>
  Outcome<int32_t> enter(FuncInstance* func, A... args) {
    Outcome<int32_t> result = engine::call<int32_t>(*store, *func, args...);
    if (!result) usable = false;
    return result;
  }
  [[nodiscard]] bool by_exception() {
    const auto flag = usable ? enter(exception) : Outcome<int32_t>(0);
    return flag.ok() && *flag != 0;
  }
};

namespace {

/// A string in the guest's memory for the time of a call.
class GuestText {
 public:
  GuestText(engine::Store& store, engine::Memory& memory, FuncInstance& malloc, FuncInstance& free, std::string_view text)
      : store_(store), free_(free), size_(static_cast<int32_t>(text.size())) {
    if (text.size() > INT32_MAX) return;
    auto address = engine::call<int32_t>(store, malloc, static_cast<int32_t>(std::max<size_t>(text.size(), 1)));
    if (!address || *address == 0 || !memory.contains(static_cast<uint32_t>(*address), text.size())) return;
    address_ = *address;
    std::memcpy(memory.base() + static_cast<uint32_t>(address_), text.data(), text.size());
  }
  ~GuestText() {
    if (address_ != 0 && live_) (void)engine::call<void>(store_, free_, address_);
  }
  GuestText(const GuestText&) = delete;
  GuestText& operator=(const GuestText&) = delete;
  [[nodiscard]] bool ok() const { return address_ != 0; }
  [[nodiscard]] int32_t address() const { return address_; }
  [[nodiscard]] int32_t size() const { return size_; }
  /// The guest has ended: nothing more is called in it.
  void abandon() { live_ = false; }

 private:
  engine::Store& store_;
  FuncInstance& free_;
  int32_t address_ = 0, size_;
  bool live_ = true;
};

const Error NoRoom{"the text does not fit into the sandbox's memory"};
const Error Spent{"the sandbox is spent: its Python has exited or trapped"};

}  // namespace

Result<void> PythonInstance::State::find_exports() {
  memory = instance->export_memory("memory");
  struct Need {
    const char* name;
    FuncInstance** to;
  };
  const Need needs[] = {{"malloc", &malloc},         {"free", &free},       {"krait_check", &check},
                        {"krait_load", &load},       {"krait_call", &call}, {"krait_run", &run},
                        {"krait_exception", &exception}, {"krait_reseed", &reseed},
                        {"krait_alarm", &alarm}};
  for (const Need& need : needs) {
    *need.to = instance->export_func(need.name);
    if (!*need.to || !memory) return Error{std::string("the Python runtime lacks the export ") + need.name + ": build it again"};
  }
  FuncInstance* abi = instance->export_func("krait_abi");
  auto version = abi ? engine::call<int32_t>(*store, *abi) : Outcome<int32_t>(0);
  if (!version || *version != ReactorAbi) return Error{"the Python runtime is of another version of krait: build it again"};
  return {};
}

/// A file tree, descriptors and an environment as a sandbox has them at its start. Files of its own that nobody has changed are that.
Result<void> PythonInstance::State::make_files() {
  if (!memory_tree || memory_tree->changes() != changes_at_start) {
    memory_tree.emplace(options.limits.tmp_bytes + (uint64_t{1} << 16));  // the room for what stands there at the start
    if (auto filled = fill_tree(runtime->parts(), options.mounts, *memory_tree); !filled) return filled;
    changes_at_start = memory_tree->changes();
  }
  auto files = mount_all(options.mounts, *memory_tree, sandbox);
  if (!files) return std::move(files.error());
  stdio = options.stdio;
  wasi.emplace(WasiOptions{{"python"}, options.env, options.stdio, {{"/", std::move(*files)}}, options.limits.open_files,
                           options.waiter, options.network, options.limits.sockets});
  sandbox.wasi = &*wasi;
  bytes_at_start = memory_tree->bytes_used();
  open_at_start = wasi->descriptors().open_count();
  sandbox.output_limit = options.limits.output_bytes;
  return {};
}

Result<void> PythonInstance::State::start() {
  const PythonRuntime::Parts& parts = runtime->parts();
  const uint64_t begin = monotonic_now();
  if (auto made = make_files(); !made) return made;
  engine::StoreOptions store_options;
  store_options.max_memory_pages = std::min(options.limits.memory_bytes / engine::PageSize, engine::MaxPages);
  store_options.max_table_elements = MostTableElements;
  store_options.compiler = parts.compiler;
  store_options.max_call_depth = InterpreterDepth;
  store_options.value_stack_bytes = InterpreterStack;
  store_options.native_stack_limit = options.native_stack_limit;
  store.emplace(store_options);
  store->host_data = static_cast<Sandbox*>(&sandbox);
  const GuestTurn turn(wasi->waiter(), *store);
  auto made = parts.linker.instantiate(*store, parts.module, origin ? origin->state_ : nullptr);
  if (!made) return Error{"the Python runtime cannot be instantiated: " + made.error().to_string()};
  instance = *made;
  loader.emplace(*store, *instance, parts.linker, *parts.side_modules);
  sandbox.loader = &*loader;
  if (auto restored = restore_libraries(); !restored) return restored;
  at_start = store->mark();
  if (auto done = origin ? find_exports() : boot(); !done) return done;
  if (auto done = origin ? renew() : Result<void>(); !done) return done;
  start_ns = monotonic_now() - begin;
  return {};
}

Result<void> PythonInstance::State::restore_libraries() {
  if (!origin || !origin->linked_) return {};
  auto functions = loader->restore(*origin->linked_);
  if (!functions) return std::move(functions.error());
  return origin->state_->bind(*instance, *functions);
}

Result<void> PythonInstance::State::boot() {
  if (FuncInstance* initialize = instance->export_func("_initialize"))
    if (auto done = engine::call<void>(*store, *initialize); !done) return Error{join_trap("Python does not start", done.error())};
  if (auto found = find_exports(); !found) return found;
  FuncInstance* init = instance->export_func("krait_init");
  if (!init) return Error{"the Python runtime lacks the export krait_init: build it again"};
  auto status = enter(init);
  if (!status) return Error{join_trap("Python does not start", status.error())};
  if (*status != 0) return Error{"Python does not start: it says why above"};
  return {};
}

/// What a restored state must not share with its twins: environment, preopens, random state.
Result<void> PythonInstance::State::renew() {
  auto status = enter(reseed);
  if (!status) return Error{join_trap("Python does not take up from its snapshot", status.error())};
  if (*status != 0) return Error{"Python does not take up from its snapshot: it says why above"};
  return {};
}

PythonInstance::PythonInstance(std::unique_ptr<State> state) : state_(std::move(state)) {}
PythonInstance::~PythonInstance() = default;
bool PythonInstance::usable() const { return state_->usable; }
uint64_t PythonInstance::memory_bytes() const { return state_->memory->size(); }
uint64_t PythonInstance::own_bytes() const { return state_->own_bytes; }
CallSandbox& PythonInstance::sandbox() { return state_->sandbox; }
engine::Outcome<> PythonInstance::alarm(Alarm kind, uint64_t limit_ms) {
  return engine::call<void>(*state_->store, *state_->alarm, static_cast<int32_t>(kind),
                            static_cast<int32_t>(std::min<uint64_t>(limit_ms, INT32_MAX)));
}
Result<void> PythonInstance::warm() {
  State& s = *state_;
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  FuncInstance* warm = s.instance->export_func("krait_warm");
  if (!warm) return Error{"the Python runtime lacks the export krait_warm: build it again"};
  const auto status = s.enter(warm);
  if (!status) return Error{join_trap("Python cannot be prepared", status.error())};
  if (*status != 0) return Error{"Python cannot be prepared: it says why above"};
  return {};
}
bool PythonInstance::snapshot_is_whole() const {
  const State& s = *state_;
  return s.sandbox.uses == 0 && s.bytes_at_start == s.memory_tree->bytes_used() && s.wasi->descriptors().open_count() == s.open_at_start &&
         !s.wasi->network().used();
}
engine::Store& PythonInstance::store() { return *state_->store; }
void PythonInstance::set_stdio(const Stdio& stdio) {
  state_->stdio = stdio;
  state_->wasi->set_stdio(stdio);
}

Result<std::unique_ptr<PythonInstance>> PythonInstance::create(std::shared_ptr<const PythonRuntime> runtime, PythonOptions options,
                                                               std::shared_ptr<const PythonSnapshot> snapshot) {
  auto state = std::make_unique<State>();
  state->runtime = std::move(runtime);
  state->options = std::move(options);
  state->origin = std::move(snapshot);
  if (auto started = state->start(); !started) return std::move(started.error());
  return std::unique_ptr<PythonInstance>(new PythonInstance(std::move(state)));
}

Result<std::optional<Diagnostic>> PythonInstance::check(std::string_view source, const std::string& filename) {
  State& s = *state_;
  if (!s.usable) return Spent;
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  GuestText text(*s.store, *s.memory, *s.malloc, *s.free, source);
  GuestText name(*s.store, *s.memory, *s.malloc, *s.free, filename);
  if (!text.ok() || !name.ok()) return NoRoom;
  constexpr uint64_t DiagnosticCap = 1 << 16;
  auto said = std::make_shared<BufferSink>(DiagnosticCap);
  s.wasi->set_stdio({nullptr, said, said});
  auto status = s.enter(s.check, text.address(), text.size(), name.address(), name.size());
  s.wasi->set_stdio(s.stdio);
  if (!status) {
    text.abandon(), name.abandon();
    return Error{join_trap("checking the source failed", status.error())};
  }
  if (*status == 0) return std::optional<Diagnostic>();
  return std::optional<Diagnostic>(Diagnostic{said->take()});
}

Result<Ended> PythonInstance::run_file(const std::string& path, const std::vector<std::string>& args, const std::string& entry) {
  State& s = *state_;
  if (!s.usable) return Spent;
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  std::string argv = path + '\0';
  for (const std::string& arg : args) argv += arg.substr(0, arg.find('\0')) + '\0';
  GuestText arguments(*s.store, *s.memory, *s.malloc, *s.free, argv);
  GuestText function(*s.store, *s.memory, *s.malloc, *s.free, entry);
  if (!arguments.ok() || !function.ok()) return NoRoom;
  arguments.abandon(), function.abandon();  // Python is finalised by the run
  s.sandbox.entry = entry;
  s.begin_state("local");
  auto status = s.enter(s.run, arguments.address(), arguments.size(), function.address(), function.size());
  s.usable = false;
  s.end_state();
  // What an entry set as its output would be lost otherwise.
  for (size_t done = 0; s.stdio.out && done < s.sandbox.output.size();) {
    const iovec rest{s.sandbox.output.data() + done, s.sandbox.output.size() - done};
    const auto written = s.stdio.out->write({&rest, 1});
    if (!written || *written == 0) return Error{"cannot write the output"};
    done += *written;
  }
  if (!status) return ended_by(std::move(status.error()));
  return Ended{*status, std::nullopt};
}

Result<CallResult> PythonInstance::load(const CallRequest& request) {
  State& s = *state_;
  if (!s.usable) return Spent;
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  s.take(request);
  s.sandbox.output.clear();
  GuestText name(*s.store, *s.memory, *s.malloc, *s.free, request.function);
  GuestText source(*s.store, *s.memory, *s.malloc, *s.free, request.source);
  GuestText filename(*s.store, *s.memory, *s.malloc, *s.free, request.function + ".py");
  if (!name.ok() || !source.ok() || !filename.ok()) return NoRoom;
  const uint64_t begin = monotonic_now();
  s.begin_state(request.user);
  auto status = s.enter(s.load, name.address(), name.size(), source.address(), source.size(), filename.address(), filename.size());
  if (!status) name.abandon(), source.abandon(), filename.abandon();
  return finish(std::move(status), begin);
}

Result<CallResult> PythonInstance::invoke(const CallRequest& request) {
  State& s = *state_;
  if (!s.usable) return Spent;
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  s.take(request);
  GuestText entry(*s.store, *s.memory, *s.malloc, *s.free, request.entry);
  if (!entry.ok()) return NoRoom;
  const uint64_t begin = monotonic_now();
  s.begin_state(request.user);
  auto status = s.enter(s.call, entry.address(), entry.size());
  if (!status) entry.abandon();
  return finish(std::move(status), begin);
}

CallResult PythonInstance::finish(Outcome<int32_t> status, uint64_t begin_ns) {
  State& s = *state_;
  CallResult result;
  result.timings.run_ns = monotonic_now() - begin_ns;
  result.timings.start_ns = std::exchange(s.start_ns, 0);
  result.output = std::exchange(s.sandbox.output, {});
  s.sandbox.input = {};
  s.end_state();
  if (status) {
    result.status = *status;
    result.exception = s.by_exception();
    if (result.exception) result.failure = std::exchange(s.sandbox.failure, std::nullopt);
  } else {
    Ended ended = ended_by(std::move(status.error()));
    result.status = ended.status;
    result.trap = std::move(ended.trap);
  }
  return result;
}

Result<CallResult> PythonInstance::call(const CallRequest& request) {
  auto loaded = load(request);
  if (!loaded || loaded->status != 0 || !usable()) return loaded;
  auto called = invoke(request);
  if (!called) return called;
  called->timings.start_ns = loaded->timings.start_ns;
  called->timings.run_ns += loaded->timings.run_ns;
  // An output that the module's own code set stands where the call set none.
  if (called->output.empty()) called->output = std::move(loaded->output);
  return called;
}

Result<std::shared_ptr<const PythonSnapshot>> PythonInstance::snapshot() {
  State& s = *state_;
  if (!s.usable) return Spent;
  std::vector<FuncInstance*> outside;
  auto linked = s.loader->take(outside);
  if (!linked) return std::move(linked.error());
  auto taken = engine::Snapshot::take(*s.instance, outside);
  if (!taken) return std::move(taken.error());
  return std::shared_ptr<const PythonSnapshot>(
      new PythonSnapshot(std::move(*taken), (*linked)->sides.empty() ? nullptr : std::move(*linked)));
}

Result<void> PythonInstance::reset() {
  State& s = *state_;
  s.usable = false;
  if (!s.origin) return Error{"the sandbox has no snapshot to go back to"};
  const auto restored = s.origin->state_->restore(*s.instance);
  if (!restored) return restored.error();
  s.own_bytes = *restored;
  if (auto reset = s.loader->reset(s.origin->linked_.get()); !reset) return reset;
  s.store->release(s.at_start);
  s.sandbox.output.clear();
  s.sandbox.input = {};
  s.sandbox.state.reset();
  s.sandbox.failure.reset();
  s.sandbox.message.clear();
  if (auto made = s.make_files(); !made) return made;
  s.store->clear_interrupts();
  const GuestTurn turn(s.wasi->waiter(), *s.store);
  if (auto renewed = s.renew(); !renewed) return renewed;
  s.usable = true;
  return {};
}

namespace {

/// True where mounting `folder` under its own name would hide what the sandbox has there.
bool hides_own(const fs::path& folder) {
  const std::string path = folder.string();
  return path == "/" || path == "/tmp" || path == "/lib";
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

/// The guest's path of a file, after a mount is added where none shows it.
Result<std::string> show(const std::string& host_path, std::vector<HostMount>& mounts) {
  std::error_code error;
  const fs::path path = fs::canonical(host_path, error);
  if (error) return Error{"cannot read " + host_path + ": " + error.message()};
  for (const HostMount& mount : mounts) {
    const fs::path folder = fs::canonical(mount.host, error);
    if (!error && is_inside(path, folder))
      return (fs::path(mount.guest.empty() ? folder.string() : mount.guest) / path.lexically_relative(folder)).lexically_normal().string();
  }
  const fs::path folder = fs::is_directory(path, error) ? path : path.parent_path();
  const fs::path guest = hides_own(folder) ? fs::path("/script") : folder;
  mounts.push_back({folder.string(), guest.string(), true});
  return (path == folder ? guest : guest / path.filename()).string();
}

}  // namespace

Result<Ended> run_script(std::shared_ptr<const PythonRuntime> runtime, const std::string& host_path,
                         const std::vector<std::string>& args, const std::string& entry, PythonOptions options) {
  std::string guest_path = host_path;
  if (host_path != "-") {
    auto shown = show(host_path, options.mounts);
    if (!shown) return std::move(shown.error());
    guest_path = std::move(*shown);
  }
  // Without a cache to have it from, or to keep it in, a snapshot costs more than it saves.
  std::shared_ptr<const PythonSnapshot> snapshot;
  if (runtime->cache()) {
    auto base = base_snapshot(runtime);
    if (!base) return std::move(base.error());
    snapshot = std::move(*base);
  }
  auto instance = PythonInstance::create(std::move(runtime), std::move(options), std::move(snapshot));
  if (!instance) return std::move(instance.error());
  return (*instance)->run_file(guest_path, args, entry);
}

std::vector<std::pair<std::string, std::string>> default_python_env() {
  return {{"HOME", "/"}, {"LANG", "C.UTF-8"}, {"PYTHONWASM", "1"}, {"TMPDIR", "/tmp"}, {"TZ", "UTC"}};
}

}  // namespace krait::pyhost
