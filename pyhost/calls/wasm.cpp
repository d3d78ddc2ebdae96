// A wasm function's call: a sandbox made for it and gone with it. Entered by `_start`; a chained call by an export's name or, as
// __faasm_chain_ptr asks for it, by "#INDEX" of table 0: a function of no parameter or of one i32, which gets its input as a number.
#include <algorithm>
#include <charconv>

#include "engine/linker.hpp"
#include "pyhost/calls/cell.hpp"
#include "pyhost/calls/core.hpp"
#include "pyhost/calls/lane.hpp"
#include "pyhost/state/imports.hpp"

namespace krait::pyhost::calls {
namespace {

using engine::FuncInstance;
using engine::Outcome;
using engine::Trap;

Trap no_entry(const std::string& why) { return Trap::make(engine::TrapKind::Host, why); }

Result<FuncInstance*, Trap> find_entry(engine::Instance& instance, const std::string& entry) {
  if (!entry.starts_with('#')) {
    FuncInstance* func = instance.export_func(entry == "faasm_main" ? "_start" : entry);
    if (!func) return no_entry("the module exports no function " + (entry == "faasm_main" ? std::string("_start") : entry));
    return func;
  }
  uint32_t index = 0;
  std::from_chars(entry.data() + 1, entry.data() + entry.size(), index);
  if (instance.module().tables.empty() || index >= instance.table(0).size()) return no_entry("no function " + entry + " in the table");
  auto* func = reinterpret_cast<FuncInstance*>(instance.table(0).get(index));
  if (!func) return no_entry("no function " + entry + " in the table");
  return func;
}

/// A number for a function that takes one; its result is the status.
Outcome<int32_t> enter(engine::Store& store, FuncInstance& func, std::span<const std::byte> input) {
  const engine::FuncType& type = *func.type;
  const auto i32 = [](const std::vector<engine::ValType>& types) { return types.size() == 1 && types[0] == engine::ValType::I32; };
  if ((!type.params.empty() && !i32(type.params)) || (!type.results.empty() && !i32(type.results)))
    return no_entry("an entry takes nothing or an i32 and returns nothing or an i32, this one is " + type.to_string());
  engine::Slot slots[1] = {};
  if (!type.params.empty()) {
    int32_t number = 0;
    const auto* text = reinterpret_cast<const char*>(input.data());
    std::from_chars(text, text + input.size(), number);
    slots[0] = static_cast<uint32_t>(number);
  }
  if (auto done = store.call(func, slots); !done) return std::move(done.error());
  return type.results.empty() ? 0 : static_cast<int32_t>(slots[0]);
}

Outcome<int32_t> run(engine::Store& store, const std::shared_ptr<const engine::Module>& module, const Call& call) {
  engine::Linker linker;
  define_wasi(linker);
  define_faasm(linker);
  define_faasm_state(linker);
  auto instance = linker.instantiate(store, module);
  if (!instance) {
    if (instance.error().stage == engine::InstantiateError::Stage::Link) return no_entry(instance.error().link.to_string());
    return std::move(instance.error().trap);
  }
  auto entry = find_entry(**instance, call.spec.entry);
  if (!entry) return std::move(entry.error());
  const bool is_command = call.spec.entry == "faasm_main";
  FuncInstance* prepare = (*instance)->export_func("_initialize");
  if (!is_command && !prepare) prepare = (*instance)->export_func("__wasm_call_ctors");
  if (prepare)
    if (auto done = engine::call<void>(store, *prepare); !done) return std::move(done.error());
  return enter(store, **entry, call.spec.input);
}

}  // namespace

void run_wasm(Lane& lane, const std::shared_ptr<Call>& call, const std::shared_ptr<const engine::Module>& module,
              engine::Compiler* compiler, CallReport& report) {
  Guest guest(lane);
  const auto out = std::make_shared<BufferSink>(call->limits.output_bytes), err = std::make_shared<BufferSink>(call->limits.stdio_bytes);
  CallSandbox sandbox;
  sandbox.input = call->spec.input;
  sandbox.output_limit = call->limits.output_bytes;
  sandbox.user = call->spec.user, sandbox.function = call->spec.function, sandbox.entry = call->spec.entry;
  sandbox.chaining = &guest;
  if (lane.core().options.state) sandbox.state = std::make_shared<StateSession>(lane.core().options.state, sandbox.user);
  Wasi wasi({{call->spec.function}, {}, {bytes_source(call->spec.input), out, call->spec.err ? call->spec.err : err}, {},
             static_cast<uint32_t>(std::min<uint64_t>(call->limits.open_files, UINT32_MAX)), &guest});
  sandbox.wasi = &wasi;
  engine::StoreOptions options;
  options.compiler = compiler;
  options.max_memory_pages = std::min(call->limits.memory_bytes / engine::PageSize, engine::MaxPages);
  engine::Store store(options);
  store.host_data = static_cast<Sandbox*>(&sandbox);

  Watch watch(call, store);
  guest.attach(&watch);
  store.on_interrupt = [&] {
    return watch.act([](PythonInstance::Alarm kind, uint64_t ms) -> Outcome<> {
      return Trap::make(engine::TrapKind::Interrupted, std::string("the call's ") +
                        (kind == PythonInstance::Alarm::WallTime ? "wall" : "CPU") + " time of " + std::to_string(ms) + " ms is over");
    });
  };
  const uint64_t begin = monotonic_ns();
  watch.on_cpu();
  auto status = [&] {
    const GuestTurn turn(guest, store);
    return run(store, module, *call);
  }();
  watch.off_cpu();
  guest.attach(nullptr);
  if (sandbox.state) sandbox.state->release();
  report.times.run = monotonic_ns() - begin;
  report.times.cpu = watch.cpu_ns();
  for (const auto& instance : store.instances())
    if (engine::Memory* memory = instance->export_memory("memory")) report.peak_memory = std::max(report.peak_memory, memory->size());

  report.dropped_err = err->dropped(), report.err = err->take();
  std::string printed = out->take();
  if (sandbox.output_set) {
    report.output = std::move(sandbox.output);
    report.dropped_out = printed.size() - std::min<size_t>(printed.size(), call->limits.stdio_bytes);
    report.out = printed.substr(0, call->limits.stdio_bytes);
  } else {
    const auto bytes = std::as_bytes(std::span(printed));
    report.output.assign(bytes.begin(), bytes.end());
  }
  Ended ended = status ? Ended{*status, std::nullopt} : ended_by(std::move(status.error()));
  report.status = ended.status;
  report.end = !ended.trap ? CallEnd::Returned : call->cancelled ? CallEnd::Cancelled : watch.alarmed() ? CallEnd::TimedOut : CallEnd::Trapped;
  if (ended.trap) report.error = ended.trap->to_string();
}

}  // namespace krait::pyhost::calls
