// Running modules from files. Each mounted folder is its own preopened directory, as WASI programs expect.
#include "pyhost/command.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "pyhost/state/imports.hpp"

namespace krait::pyhost {

using engine::Instance;
using engine::Slot;
using engine::Store;
using engine::Trap;
using engine::TrapKind;
using engine::ValType;

Result<HostMount> parse_mount(const std::string& words) {
  HostMount mount;
  std::string text = words;
  if (text.ends_with(":ro")) {
    mount.read_only = true;
    text.resize(text.size() - 3);
  }
  const size_t split = text.find("::");
  mount.host = text.substr(0, split);
  if (mount.host.empty()) return Error{"a folder to show the guest is missing in '" + words + "': write HOST or HOST::GUEST"};
  if (split != std::string::npos) {
    mount.guest = text.substr(split + 2);
    if (mount.guest.empty()) mount.guest = "/";
    if (mount.guest.front() != '/') mount.guest.insert(0, "/");
    return mount;
  }
  const std::filesystem::path path = std::filesystem::path(mount.host).lexically_normal();
  std::error_code error;
  const bool inside = path.is_relative() && !path.string().starts_with("..");
  mount.guest = inside ? "/" + (path == "." ? "" : path.string())
                       : std::filesystem::absolute(path, error).lexically_normal().string();
  while (mount.guest.size() > 1 && mount.guest.ends_with('/')) mount.guest.pop_back();
  return mount;
}

Result<std::shared_ptr<const engine::Module>> load_module(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Error{path + " is a folder, not a wasm module"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"cannot read " + path + ": " + std::strerror(errno)};
  std::vector<std::byte> bytes;
  file.seekg(0, std::ios::end);
  bytes.resize(static_cast<size_t>(std::max<std::streamoff>(file.tellg(), 0)));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) return Error{"cannot read " + path + ": " + std::strerror(errno)};
  auto module = engine::Module::compile(std::move(bytes));
  if (!module) return Error{path + ": " + module.error().to_string()};
  return module;
}

namespace {

/// A store with one instance in it, ready to be called.
class Run {
 public:
  explicit Run(const CommandOptions& options) : store_(options.store), options_(options) {}

  /// Empty where it went well; ended_ is set where the start function or `_initialize` ended the guest.
  Result<void> start(const std::shared_ptr<const engine::Module>& module) {
    WasiOptions wasi{options_.args, options_.env, options_.stdio, {}, 1024, options_.waiter};
    for (const HostMount& mount : options_.mounts) {
      auto directory = open_host_directory(mount.host, mount.read_only);
      if (!directory) return std::move(directory.error());
      wasi.preopens.emplace_back(mount.guest.empty() ? mount.host : mount.guest, std::move(*directory));
    }
    wasi_.emplace(std::move(wasi));
    sandbox_.wasi = &*wasi_;
    if (options_.state) sandbox_.state = std::make_shared<StateSession>(options_.state, options_.user);
    store_.host_data = &sandbox_;
    turn_.emplace(wasi_->waiter(), store_);
    engine::Linker linker;
    define_wasi(linker);
    define_faasm_state(linker);
    auto instance = linker.instantiate(store_, module);
    if (!instance) {
      if (instance.error().stage == engine::InstantiateError::Stage::Link) return std::move(instance.error().link);
      end(std::move(instance.error().trap));
      return {};
    }
    instance_ = *instance;
    if (engine::FuncInstance* initialize = instance_->export_func("_initialize")) (void)call(*initialize, {});
    return {};
  }

  /// Calls a function unless the guest has ended; true when it returned.
  bool call(engine::FuncInstance& func, std::span<Slot> slots) {
    if (has_ended_) return false;
    auto done = store_.call(func, slots);
    if (!done) end(std::move(done.error()));
    return done.ok();
  }

  [[nodiscard]] Instance* instance() const { return instance_; }
  [[nodiscard]] Ended& ended() { return ended_; }

 private:
  void end(Trap trap) {
    has_ended_ = true;
    ended_ = ended_by(std::move(trap));
  }

  Sandbox sandbox_;
  std::optional<Wasi> wasi_;
  Store store_;
  std::optional<GuestTurn> turn_;
  const CommandOptions& options_;
  Instance* instance_ = nullptr;
  bool has_ended_ = false;
  Ended ended_;
};

template <typename T>
std::string float_text(T value) {
  if (std::isnan(value)) return std::signbit(value) ? "-nan" : "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);  // the shortest that reads back as the same
  return {text, end.ptr};
}

std::string hex_text(uint64_t high, uint64_t low) {
  char text[40];
  std::snprintf(text, sizeof text, "0x%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

std::string text_of(ValType type, const Slot* slot) {
  switch (type) {
    case ValType::I32:
      return std::to_string(static_cast<int32_t>(*slot));
    case ValType::I64:
      return std::to_string(static_cast<int64_t>(*slot));
    case ValType::F32:
      return float_text(std::bit_cast<float>(static_cast<uint32_t>(*slot)));
    case ValType::F64:
      return float_text(std::bit_cast<double>(*slot));
    case ValType::V128:
      return hex_text(slot[1], slot[0]);
    default:
      return *slot == 0 ? "null" : std::string(engine::name_of(type));
  }
}

/// An integer of `bits` bits, signed or unsigned, decimal or 0x.
std::optional<uint64_t> parse_integer(const std::string& text, int bits) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0]))) return std::nullopt;
  const bool negative = text[0] == '-';
  const char* digits = text.c_str() + (negative || text[0] == '+' ? 1 : 0);
  if (!std::isdigit(static_cast<unsigned char>(*digits))) return std::nullopt;
  const int base = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10;
  char* end = nullptr;
  errno = 0;
  const uint64_t magnitude = std::strtoull(digits, &end, base);
  if (errno != 0 || *end != '\0') return std::nullopt;
  const uint64_t sign = uint64_t{1} << (bits - 1);
  const uint64_t mask = sign | (sign - 1);
  if (negative ? magnitude > sign : magnitude > mask) return std::nullopt;
  return (negative ? 0 - magnitude : magnitude) & mask;
}

bool parse_v128(const std::string& text, Slot* slot) {
  if (text.size() != 34 || !text.starts_with("0x")) return false;
  const auto half = [&](size_t at, Slot& to) {
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 16, to, 16);
    return error == std::errc() && end == text.data() + at + 16;
  };
  return half(2, slot[1]) && half(18, slot[0]);
}

bool parse_argument(ValType type, const std::string& text, Slot* slot) {
  char* end = nullptr;
  switch (type) {
    case ValType::I32:
    case ValType::I64: {
      const auto value = parse_integer(text, type == ValType::I32 ? 32 : 64);
      if (value) *slot = *value;
      return value.has_value();
    }
    case ValType::F32:
      *slot = std::bit_cast<uint32_t>(std::strtof(text.c_str(), &end));
      return end != text.c_str() && *end == '\0';
    case ValType::F64:
      *slot = std::bit_cast<uint64_t>(std::strtod(text.c_str(), &end));
      return end != text.c_str() && *end == '\0';
    case ValType::V128:
      return parse_v128(text, slot);
    default:
      *slot = 0;
      return text == "null";
  }
}

}  // namespace

Ended ended_by(Trap trap) {
  Ended ended;
  if (trap.kind == TrapKind::Exit) {
    ended.status = trap.exit_code;
  } else {
    ended.status = Ended::TrapStatus;
    ended.trap = std::move(trap);
  }
  return ended;
}

Result<Ended> run_command(std::shared_ptr<const engine::Module> module, const CommandOptions& options) {
  Run run(options);
  if (auto started = run.start(module); !started) return std::move(started.error());
  if (!run.instance()) return std::move(run.ended());
  if (engine::FuncInstance* start = run.instance()->export_func("_start")) {
    if (!start->type->params.empty() || !start->type->results.empty())
      return Error{"_start is " + start->type->to_string() + ", but a command's takes and returns nothing"};
    (void)run.call(*start, {});
  } else if (!run.instance()->export_func("_initialize")) {
    return Error{"the module exports no _start, so it is not a WASI command; --invoke calls one of its exports"};
  }
  return std::move(run.ended());
}

Result<Invoked> invoke_export(std::shared_ptr<const engine::Module> module, const std::string& name,
                              const std::vector<std::string>& arguments, const CommandOptions& options) {
  Run run(options);
  if (auto started = run.start(module); !started) return std::move(started.error());
  Invoked invoked;
  if (!run.instance()) {
    invoked.ended = std::move(run.ended());
    return invoked;
  }
  engine::FuncInstance* func = run.instance()->export_func(name);
  if (!func) return Error{"the module exports no function named '" + name + "'"};
  const engine::FuncType& type = *func->type;
  if (arguments.size() != type.params.size())
    return Error{name + " is " + type.to_string() + ": it takes " + std::to_string(type.params.size()) + " arguments, not " +
                 std::to_string(arguments.size())};
  std::vector<Slot> slots(std::max({type.param_slots, type.result_slots, 1u}));
  uint32_t at = 0;
  for (size_t i = 0; i < arguments.size(); at += engine::slots_of(type.params[i]), i++)
    if (!parse_argument(type.params[i], arguments[i], &slots[at]))
      return Error{"argument " + std::to_string(i + 1) + " of " + name + " is an " + engine::name_of(type.params[i]) + ", not '" +
                   arguments[i] + "'"};
  if (run.call(*func, slots)) {
    at = 0;
    for (ValType result : type.results) {
      invoked.results.push_back(text_of(result, &slots[at]));
      at += engine::slots_of(result);
    }
  }
  invoked.ended = std::move(run.ended());
  return invoked;
}

}  // namespace krait::pyhost
