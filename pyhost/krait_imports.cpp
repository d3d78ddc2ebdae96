// The module "krait": the host's side of guest/krait_host.h. Every address and length is checked: a guest that lies traps.
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

/// Copies what fits; the whole length, as the guest's next try wants to know it.
Outcome<int32_t> give(Caller& caller, const char* name, std::span<const std::byte> from, uint32_t ptr, uint32_t length) {
  const size_t n = std::min<size_t>(length, from.size());
  const auto to = caller.bytes(ptr, n);
  if (!to) return outside_memory(name);
  if (n != 0) std::memcpy(to->data(), from.data(), n);
  return static_cast<int32_t>(std::min<size_t>(from.size(), INT32_MAX));
}
Outcome<int32_t> give(Caller& caller, const char* name, std::string_view from, uint32_t ptr, uint32_t length) {
  return give(caller, name, std::as_bytes(std::span(from)), ptr, length);
}

uint32_t input_size(Caller& caller) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  return static_cast<uint32_t>(sandbox.input.size());
}

Outcome<int32_t> input_read(Caller& caller, uint32_t ptr, uint32_t length, uint32_t offset) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  const auto input = sandbox.input;
  const uint64_t n = offset < input.size() ? std::min<uint64_t>(length, input.size() - offset) : 0;
  const auto to = caller.bytes(ptr, n);
  if (!to) return outside_memory("input_read");
  if (n != 0) std::memcpy(to->data(), input.data() + offset, n);
  return static_cast<int32_t>(n);
}

Outcome<int32_t> output_write(Caller& caller, uint32_t ptr, uint32_t length) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  if (length > sandbox.output_limit) return static_cast<int32_t>(Errno::FBig);
  const auto from = caller.bytes(ptr, length);
  if (!from) return outside_memory("output_write");
  sandbox.output.assign(from->begin(), from->end());
  return 0;
}

Outcome<int32_t> call_info(Caller& caller, uint32_t kind, uint32_t ptr, uint32_t length) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  const std::string* const names[] = {&sandbox.user, &sandbox.function, &sandbox.entry};
  if (kind >= std::size(names)) return 0;
  if (kind == 2) ++sandbox.uses;  // the user and the function are the same for all calls
  return give(caller, "call_info", *names[kind], ptr, length);
}

Outcome<> raised(Caller& caller, uint32_t type, uint32_t type_len, uint32_t message, uint32_t message_len, uint32_t trace,
                 uint32_t trace_len) {
  const auto a = caller.bytes(type, type_len), b = caller.bytes(message, message_len), c = caller.bytes(trace, trace_len);
  if (!a || !b || !c) return outside_memory("raised");
  constexpr static size_t Most = size_t{1} << 20;
  const auto cut = [](std::span<const std::byte> text) { return std::string(as_text(text.first(std::min(text.size(), Most)))); };
  CallSandbox::of(caller).failure = PythonFailure{cut(*a), cut(*b), cut(*c)};
  return {};
}

Outcome<int32_t> chain(Caller& caller, uint32_t target, uint32_t target_len, uint32_t entry, uint32_t entry_len, uint32_t input,
                       uint32_t input_len) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  const auto a = caller.bytes(target, target_len), b = caller.bytes(entry, entry_len), c = caller.bytes(input, input_len);
  if (!a || !b || !c) return outside_memory("chain");
  auto id = sandbox.chaining ? sandbox.chaining->chain(as_text(*a), as_text(*b), *c)
                             : Result<int32_t, Chaining::Refused>(
                                   Chaining::Refused{Errno::NotSup, "this is no call of a service: nothing can be chained"});
  if (id) return *id;
  sandbox.message = std::move(id.error().why);
  return -static_cast<int32_t>(id.error().code);
}

Outcome<int32_t> message(Caller& caller, uint32_t ptr, uint32_t length) {
  return give(caller, "message", CallSandbox::of(caller).message, ptr, length);
}

Outcome<int32_t> wait(Caller& caller, uint32_t ids, uint32_t count, int64_t timeout_ns) {
  constexpr uint32_t Most = 1 << 20;
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  const auto from = caller.bytes(ids, uint64_t{count} * sizeof(int32_t));
  if (!from || count > Most) return outside_memory("wait");
  std::vector<int32_t> wanted(count);  // a copy: the guest's memory may move while it waits
  if (count != 0) std::memcpy(wanted.data(), from->data(), from->size());
  if (!sandbox.chaining) return -3;
  const auto ended = sandbox.chaining->wait(wanted, timeout_ns < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(timeout_ns)));
  switch (ended.what) {
    case Chaining::Waited::Done: return static_cast<int32_t>(ended.index);
    case Chaining::Waited::TimedOut: return -1;
    case Chaining::Waited::Interrupted: return -2;
    case Chaining::Waited::Unknown: return -3 - static_cast<int32_t>(ended.index);
  }
  return -1;
}

Outcome<int32_t> result(Caller& caller, int32_t id, uint32_t field, uint32_t ptr, uint32_t length) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  const auto report = sandbox.chaining ? sandbox.chaining->report(id) : nullptr;
  if (!report) return -1;
  const PythonFailure none{};
  const PythonFailure& failure = report->failure ? *report->failure : none;
  const int32_t status[] = {report->status, static_cast<int32_t>(report->end)};
  switch (field) {
    case 0: return give(caller, "result", std::as_bytes(std::span(status)), ptr, length);
    case 1: return give(caller, "result", report->output, ptr, length);
    case 2: return give(caller, "result", failure.type, ptr, length);
    case 3: return give(caller, "result", failure.message.empty() ? report->error : failure.message, ptr, length);
    case 4: return give(caller, "result", failure.traceback, ptr, length);
    case 5: return give(caller, "result", report->out, ptr, length);
    case 6: return give(caller, "result", report->err, ptr, length);
    case 7: {
      const CallTimes& times = report->times;
      const uint64_t numbers[] = {times.queued, times.start, times.run, times.reset, times.cpu, report->peak_memory};
      return give(caller, "result", std::as_bytes(std::span(numbers)), ptr, length);
    }
    default: return -1;
  }
}

int32_t cancel(Caller& caller, int32_t id) {
  CallSandbox& sandbox = CallSandbox::of(caller);
  ++sandbox.uses;
  return sandbox.chaining && sandbox.chaining->cancel(id) ? 0 : -1;
}

}  // namespace

void define_krait(engine::Linker& linker) {
  linker.func("krait", "input_size", &input_size);
  linker.func("krait", "input_read", &input_read);
  linker.func("krait", "output_write", &output_write);
  linker.func("krait", "call_info", &call_info);
  linker.func("krait", "raised", &raised);
  linker.func("krait", "chain", &chain);
  linker.func("krait", "message", &message);
  linker.func("krait", "wait", &wait);
  linker.func("krait", "result", &result);
  linker.func("krait", "cancel", &cancel);
  define_dynlink(linker);
}

}  // namespace krait::pyhost
