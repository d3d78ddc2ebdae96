// Faasm's host calls for wasm functions: input, output, chained calls. Names are C strings. What Faasm overran or cut short is bounded
// and binary-safe here; an address outside of memory is a trap, a chain that is refused too, as these calls have no way to tell.
#include <algorithm>
#include <cstring>

#include "engine/linker.hpp"
#include "pyhost/call_sandbox.hpp"
#include "pyhost/calls/service.hpp"

namespace krait::pyhost {

using engine::Caller;
using engine::Outcome;
using engine::Trap;

namespace {

Trap failed(const char* name, const std::string& why) {
  return Trap::make(engine::TrapKind::Host, std::string("env.") + name + ": " + why);
}
Trap out_of_bounds(const char* name) { return failed(name, "the buffer is not inside the memory"); }

/// A C string of at most 4 KiB.
std::optional<std::string> c_string(Caller& caller, uint32_t ptr) {
  constexpr uint64_t Most = 4096;
  engine::Memory* memory = caller.memory();
  if (!memory || ptr >= memory->size()) return std::nullopt;
  const auto* begin = reinterpret_cast<const char*>(memory->base() + ptr);
  const size_t room = std::min<uint64_t>(Most, memory->size() - ptr);
  const size_t length = strnlen(begin, room);
  if (length == room) return std::nullopt;
  return std::string(begin, length);
}

Outcome<int32_t> read_input(Caller& caller, uint32_t ptr, uint32_t length) {
  const auto input = CallSandbox::of(caller).input;
  if (length == 0) return static_cast<int32_t>(input.size());
  const size_t n = std::min<size_t>(length, input.size());
  const auto to = caller.bytes(ptr, n);
  if (!to) return out_of_bounds("__faasm_read_input");
  if (n != 0) std::memcpy(to->data(), input.data(), n);
  return static_cast<int32_t>(n);
}

Outcome<> write_output(Caller& caller, uint32_t ptr, uint32_t length) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  const auto from = caller.bytes(ptr, length);
  if (!from) return out_of_bounds("__faasm_write_output");
  if (length > sandbox.output_limit) return failed("__faasm_write_output", "the output is larger than the call may return");
  sandbox.output.assign(from->begin(), from->end());
  sandbox.output_set = true;
  return {};
}

Outcome<int32_t> chain(Caller& caller, const char* name, std::string_view target, std::string_view entry, uint32_t input, uint32_t length) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  const auto from = caller.bytes(input, length);
  if (!from) return out_of_bounds(name);
  if (!sandbox.chaining) return failed(name, "this is no call of a service: nothing can be chained");
  const auto id = sandbox.chaining->chain(target, entry, *from);
  if (!id) return failed(name, id.error().why);
  return *id;
}

Outcome<int32_t> chain_name(Caller& caller, uint32_t target, uint32_t input, uint32_t length) {
  const auto name = c_string(caller, target);
  if (!name || name->empty()) return out_of_bounds("__faasm_chain_name");
  return chain(caller, "__faasm_chain_name", *name, "", input, length);
}

Outcome<int32_t> chain_py(Caller& caller, uint32_t entry, uint32_t input, uint32_t length) {
  const auto name = c_string(caller, entry);
  if (!name || name->empty()) return out_of_bounds("__faasm_chain_py");
  return chain(caller, "__faasm_chain_py", "", *name, input, length);
}

Outcome<int32_t> chain_ptr(Caller& caller, uint32_t func, uint32_t input, uint32_t length) {
  return chain(caller, "__faasm_chain_ptr", "", "#" + std::to_string(func), input, length);
}

/// The report of a call when it has ended.
Result<std::shared_ptr<const CallReport>, Trap> await(Caller& caller, const char* name, int32_t id) {
  Chaining* chaining = CallSandbox::of(caller).chaining;
  if (!chaining) return failed(name, "this is no call of a service");
  const auto ended = chaining->wait({&id, 1}, std::nullopt);
  if (ended.what == Chaining::Waited::Interrupted) return Trap::make(engine::TrapKind::Interrupted, "the wait for a chained call was ended");
  auto report = ended.what == Chaining::Waited::Done ? chaining->report(id) : nullptr;
  if (!report) return failed(name, std::to_string(id) + " is no call that was chained here, or its result is gone");
  return report;
}

Outcome<int32_t> await_call(Caller& caller, int32_t id) {
  auto report = await(caller, "__faasm_await_call", id);
  if (!report) return std::move(report.error());
  return (*report)->status;
}

Outcome<int32_t> await_call_output(Caller& caller, int32_t id, uint32_t ptr, uint32_t length) {
  auto report = await(caller, "__faasm_await_call_output", id);
  if (!report) return std::move(report.error());
  const std::vector<std::byte>& output = (*report)->output;
  const size_t n = std::min<size_t>(length, output.size());
  const auto to = caller.bytes(ptr, n);
  if (!to) return out_of_bounds("__faasm_await_call_output");
  if (n != 0) std::memcpy(to->data(), output.data(), n);
  return (*report)->status;
}

Outcome<int32_t> call_output_size(Caller& caller, int32_t id) {
  auto report = await(caller, "__faasm_call_output_size", id);
  if (!report) return std::move(report.error());
  return static_cast<int32_t>((*report)->output.size());
}

/// A name and its NUL; cut where the buffer is too small.
template <std::string CallSandbox::*Name>
Outcome<> get_name(Caller& caller, uint32_t ptr, uint32_t length) {
  const std::string& name = CallSandbox::of(caller).*Name;
  if (length == 0) return {};
  const size_t n = std::min<size_t>(length - 1, name.size());
  const auto to = caller.bytes(ptr, n + 1);
  if (!to) return out_of_bounds("__faasm_get_py_*");
  std::memcpy(to->data(), name.data(), n);
  (*to)[n] = std::byte{0};
  return {};
}

/// Faasm's two flags that are always so; there is no other one here.
Outcome<int32_t> conf_flag(Caller& caller, uint32_t key) {
  const auto name = c_string(caller, key);
  if (!name) return out_of_bounds("__faasm_conf_flag");
  return *name == "ALWAYS_ON" ? 1 : 0;
}

}  // namespace

void define_faasm(engine::Linker& linker) {
  linker.func("env", "__faasm_read_input", &read_input);
  linker.func("env", "__faasm_write_output", &write_output);
  linker.func("env", "__faasm_chain_name", &chain_name);
  linker.func("env", "__faasm_chain_ptr", &chain_ptr);
  linker.func("env", "__faasm_chain_py", &chain_py);
  linker.func("env", "__faasm_await_call", &await_call);
  linker.func("env", "__faasm_await_call_output", &await_call_output);
  linker.func("env", "__faasm_call_output_size", &call_output_size);
  linker.func("env", "__faasm_get_py_user", &get_name<&CallSandbox::user>);
  linker.func("env", "__faasm_get_py_func", &get_name<&CallSandbox::function>);
  linker.func("env", "__faasm_get_py_entry", &get_name<&CallSandbox::entry>);
  linker.func("env", "__faasm_conf_flag", &conf_flag);
}

}  // namespace krait::pyhost
