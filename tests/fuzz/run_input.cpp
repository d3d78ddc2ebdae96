#include "tests/fuzz/run_input.hpp"

#include <algorithm>

#include "engine/linker.hpp"

namespace krait::fuzz {

using namespace krait::engine;

namespace {

constexpr uint32_t MaxPolls = 2000;  // loop heads and function entries, for all exports together
constexpr StoreOptions Bounds{
    .max_memory_pages = 32, .max_table_elements = 10'000, .value_stack_bytes = 1 << 18, .max_call_depth = 500};

/// Stands in for an imported function of any type: returns zeros.
std::shared_ptr<const HostFunction> zeros(const FuncType& type) {
  auto host = std::make_shared<HostFunction>();
  host->type = type;
  host->invoke = [](const HostFunction& self, Caller&, Slot* slots) {
    std::fill_n(slots, self.type.result_slots, 0);
    return true;
  };
  return host;
}

/// What an import asks for, as small as its type allows; nothing where the bounds forbid it.
std::optional<Extern> made_up(Store& store, const Module& module, const Import& import) {
  switch (import.kind) {
    case ExternKind::Func: return store.add_host_func(zeros(module.type_of_func(import.index)));
    case ExternKind::Global: return store.add_global(module.globals[import.index].type, {});
    case ExternKind::Tag: return store.add_tag(module.types[module.tags[import.index].type_index]);
    case ExternKind::Memory: {
      auto memory = Memory::create(module.memories[import.index], Bounds.max_memory_pages);
      if (!memory) return std::nullopt;
      return store.add_memory(std::move(*memory));
    }
    case ExternKind::Table: {
      const TableType& type = module.tables[import.index].type;
      if (type.limits.min > Bounds.max_table_elements) return std::nullopt;
      return store.add_table(
          std::make_unique<TableInstance>(store.host_instance(), type, Bounds.max_table_elements));
    }
  }
  return std::nullopt;
}

/// A guest that polls too often is stopped: the bit is set again at each poll, so all of them are seen.
void bound_polls(Store& store) {
  store.on_interrupt = [&store, left = MaxPolls]() mutable -> Outcome<> {
    store.interrupt(InterruptCall);
    if (left == 0) return Trap::make(TrapKind::Interrupted);
    --left;
    return {};
  };
}

std::string run_exports(Store& store, Instance& instance) {
  size_t ran = 0, trapped = 0;
  for (const Export& item : instance.module().exports) {
    if (item.kind != ExternKind::Func) continue;
    FuncInstance& func = instance.func(item.index);
    std::vector<Slot> slots(std::max(func.type->param_slots, func.type->result_slots));
    for (const ValType type : func.type->params)
      if (type == ValType::I32 && !slots.empty()) slots[0] = 3;  // not only the path of zeros
    store.interrupt(InterruptCall);
    ++ran;
    if (const auto done = store.call(func, slots); !done) ++trapped;
  }
  return "ran " + std::to_string(ran) + " exports, " + std::to_string(trapped) + " trapped";
}

}  // namespace

std::string run_input(std::span<const std::byte> bytes) {
  const auto module = Module::compile(bytes);
  if (!module) return "rejected: " + module.error().to_string();
  Store store(Bounds);
  bound_polls(store);
  store.interrupt(InterruptCall);  // for the start function
  Linker linker;
  for (const Import& import : (*module)->imports)
    if (const auto item = made_up(store, **module, import)) linker.define(import.module, import.name, *item);
  const auto instance = linker.instantiate(store, *module);
  if (!instance) return "not instantiated: " + instance.error().to_string();
  return run_exports(store, **instance);
}

}  // namespace krait::fuzz
