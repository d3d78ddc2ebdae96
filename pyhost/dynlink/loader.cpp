// Linking by the conventions for dynamic libraries of wasm (section "dylink.0", modules "env", "GOT.mem" and "GOT.func").
//
// 1. A symbol that a library both imports and exports is its own: two libraries with a copy of the same code do not mix.
// 2. Side modules come from users. Each import is checked against its type by the engine, memory and table are the main
//    module's, and what the guest can make the host keep is bounded by MostCost until the sandbox is reset.
// 3. The order of linking is the same in every sandbox that starts from one snapshot, so all symbols resolve to the same.
#include "pyhost/dynlink/loader.hpp"

#include <algorithm>

namespace krait::pyhost {

using engine::Binding;
using engine::Extern;
using engine::ExternKind;
using engine::FuncInstance;
using engine::GlobalInstance;
using engine::GlobalType;
using engine::Import;
using engine::Instance;
using engine::ValType;

namespace {

constexpr uint64_t MostCost = uint64_t{256} << 20;
/// Of an instance, of each of its functions, imports and globals, and of each look for a symbol.
constexpr uint64_t InstanceCost = 4096, ItemCost = 96, LookCost = 32;
constexpr GlobalType Address{ValType::I32, false}, Cell{ValType::I32, true};
constexpr std::string_view GotData = "GOT.mem", GotFunctions = "GOT.func", Environment = "env";

Error undefined(const std::string& symbol) { return Error{"undefined symbol: " + symbol}; }

/// Stands for a weak function that nobody defines.
std::shared_ptr<const engine::HostFunction> absent_function(const engine::Module& module, const Import& import) {
  auto host = std::make_shared<engine::HostFunction>();
  host->module = import.module;
  host->name = import.name;
  host->type = module.type_of_func(import.index);
  host->invoke = [](const engine::HostFunction& self, engine::Caller& caller, engine::Slot*) {
    return caller.store().raise(engine::Trap::make(engine::TrapKind::Host, "call of an undefined function: " + self.name));
  };
  return host;
}

bool is_got(const Import& import) { return import.module == GotData || import.module == GotFunctions; }

}  // namespace

Loader::Loader(engine::Store& store, Instance& main, const engine::Linker& hosts, SideModules& modules)
    : store_(store), main_(main), hosts_(hosts), modules_(modules), table_(main.export_table("__indirect_function_table")) {
  if (table_ && table_->type().element != ValType::FuncRef) table_ = nullptr;
  engine::FuncType payload;
  payload.params = {ValType::I32};
  payload.param_slots = 1;
  for (const char* name : {"__cpp_exception", "__c_longjmp"}) tags_.emplace_back(name, store.add_tag(payload));
}

Result<uint32_t> Loader::load(std::span<const std::byte> bytes, std::string_view name) {
  if (!table_ || !main_.export_global("__stack_pointer")) return Error{"this Python runtime cannot load shared libraries: build it again"};
  if (cost_ + bytes.size() > MostCost) return Error{"too many shared libraries are loaded"};
  auto module = modules_.get(bytes);
  if (!module) return std::move(module.error());
  cost_ += bytes.size();
  Side side;
  side.module = std::move(*module);
  side.name = name;
  sides_.push_back(std::move(side));
  return static_cast<uint32_t>(sides_.size() - 1);
}

/// What linking it takes, looks for symbols included: they are the guest's doing, but take the host's time.
uint64_t Loader::cost_of(const Side& side) const {
  const engine::Module& module = *side.module->module;
  const auto global = static_cast<uint64_t>(std::count_if(sides_.begin(), sides_.end(), [](const Side& s) { return s.global; }));
  return InstanceCost + ItemCost * (module.func_types.size() + module.imports.size() + module.globals.size()) +
         LookCost * (module.imports.size() + 1) * (side.needed.size() + global);
}

void Loader::set_needed(Side& side, std::span<const uint32_t> needed) {
  std::vector<bool> seen(sides_.size());
  const auto add = [&](uint32_t number) {
    if (!seen[number]) side.needed.push_back(number);
    seen[number] = true;
  };
  side.needed.clear();
  for (const uint32_t number : needed) add(number);
  for (const uint32_t number : needed)
    for (const uint32_t other : sides_[number].needed) add(other);
}

/// The table's next free elements, aligned.
Result<void> Loader::make_room(Side& side) {
  const uint64_t alignment = side.module->table_alignment, size = table_->size();
  const uint64_t base = (size + alignment - 1) / alignment * alignment;
  if (table_->grow(base - size + side.module->table_elements, 0) < 0) return Error{"the function table is full"};
  side.table_base = static_cast<uint32_t>(base);
  return {};
}

Result<void> Loader::link(uint32_t number, uint32_t memory_base, std::span<const uint32_t> needed, bool global) {
  if (number >= sides_.size() || sides_[number].instance) return Error{"no such library is waiting to be linked"};
  for (const uint32_t other : needed)
    if (other >= sides_.size() || !sides_[other].instance) return Error{"a library that it needs is not linked"};
  Side& side = sides_[number];
  set_needed(side, needed);
  if ((cost_ += cost_of(side)) > MostCost) return Error{"too many shared libraries are loaded"};
  side.memory_base = memory_base;
  if (auto room = make_room(side); !room) return room;
  auto made = instantiate(side, nullptr);
  if (!made) return std::move(made.error());
  side.instance = *made;
  if (!places_.empty()) learn_places(side.table_base, uint64_t{side.table_base} + side.module->table_elements);
  if (auto filled = fill_got(side); !filled) {
    side.instance = nullptr;
    return filled;
  }
  side.global = global;
  return {};
}

Result<Instance*> Loader::instantiate(Side& side, std::shared_ptr<const engine::Snapshot> state) {
  side.got.clear();
  const engine::Resolver resolve = [&](const Import& import) { return bind(side, import); };
  auto made = engine::instantiate(store_, side.module->module, resolve, std::move(state));
  if (!made) return Error{made.error().to_string()};
  return *made;
}

Result<Binding> Loader::bind(Side& side, const Import& import) {
  if (import.kind == ExternKind::Global && is_got(import)) {
    side.got.push_back(store_.add_global(Cell, {}));
    return Binding(Extern(side.got.back()));
  }
  if (import.module == Environment) return bind_env(side, import);
  if (const auto item = hosts_.find(store_, import.module, import.name)) return Binding(*item);
  return Error{"it imports \"" + import.module + "\" \"" + import.name + "\", which there is not"};
}

Result<Binding> Loader::bind_env(Side& side, const Import& import) {
  switch (import.kind) {
    case ExternKind::Memory: return Binding(Extern(main_.context().memories[0]));
    case ExternKind::Table: return Binding(Extern(table_));
    case ExternKind::Tag:
      for (const auto& [name, tag] : tags_)
        if (name == import.name) return Binding(Extern(tag));
      return undefined(import.name);
    case ExternKind::Global:
      if (import.name == "__memory_base") return Binding(Extern(store_.add_global(Address, {side.memory_base})));
      if (import.name == "__table_base") return Binding(Extern(store_.add_global(Address, {side.table_base})));
      break;
    case ExternKind::Func: {
      const engine::Export* own = side.module->module->find_export(import.name, ExternKind::Func);
      if (own && own->index >= side.module->module->imported_funcs) return Binding(engine::OwnFunction{own->index});
      break;
    }
  }
  if (const auto found = lookup(side, import.name)) return Binding(found->item);
  if (import.kind == ExternKind::Func && side.module->weak.contains(import.name))
    return Binding(Extern(store_.add_host_func(absent_function(*side.module->module, import))));
  return undefined(import.name);
}

/// The cells are there since instantiate(); what they hold may be of the instance itself.
Result<void> Loader::fill_got(Side& side) {
  size_t cell = 0;
  for (const Import& import : side.module->module->imports) {
    if (import.kind != ExternKind::Global || !is_got(import)) continue;
    GlobalInstance* global = side.got[cell++];
    auto found = exported(side, import.name);
    if (!found) found = lookup(side, import.name);
    if (!found && side.module->weak.contains(import.name)) continue;
    const ExternKind want = import.module == GotData ? ExternKind::Global : ExternKind::Func;
    if (!found || engine::kind_of(found->item) != want) return undefined(import.name);
    const auto at = address(*found);
    if (!at) return std::move(at.error());
    global->cell.low = *at;
  }
  return {};
}

std::optional<Loader::Found> Loader::exported(const Side& side, std::string_view name) const {
  const engine::Export* found = side.instance ? side.module->module->find_export(name) : nullptr;
  if (!found) return std::nullopt;
  return Found{side.instance->item(*found), side.memory_base};
}

std::optional<Loader::Found> Loader::exported_by_main(std::string_view name) const {
  const engine::Export* found = main_.module().find_export(name);
  if (!found) return std::nullopt;
  return Found{main_.item(*found), 0};
}

std::optional<Loader::Found> Loader::lookup_needed(const Side& side, std::string_view name) const {
  for (const uint32_t number : side.needed)
    if (auto found = exported(sides_[number], name)) return found;
  return std::nullopt;
}

std::optional<Loader::Found> Loader::lookup(const Side& side, std::string_view name) const {
  if (auto found = exported_by_main(name)) return found;
  if (auto found = lookup_needed(side, name)) return found;
  for (const Side& other : sides_)
    if (other.global)
      if (auto found = exported(other, name)) return found;
  return std::nullopt;
}

Result<uint32_t> Loader::address(const Found& found) {
  if (FuncInstance* const* func = std::get_if<FuncInstance*>(&found.item)) return place_of(*func);
  GlobalInstance* const* global = std::get_if<GlobalInstance*>(&found.item);
  if (!global || !((*global)->type == Address)) return Error{"the symbol is neither a function nor data"};
  return static_cast<uint32_t>((*global)->cell.low) + found.base;
}

void Loader::learn_places(uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; ++i)
    if (const FuncInstance* there = table_->func(i)) places_.emplace(there, static_cast<uint32_t>(i));
}

Result<uint32_t> Loader::place_of(FuncInstance* func) {
  if (places_.empty()) learn_places(0, table_->size());
  const auto known = places_.find(func);
  if (known != places_.end() && known->second < table_->size() && table_->func(known->second) == func) return known->second;
  const int64_t at = table_->grow(1, reinterpret_cast<engine::Ref>(func));
  if (at < 0) return Error{"the function table is full"};
  places_[func] = static_cast<uint32_t>(at);
  return static_cast<uint32_t>(at);
}

Result<uint32_t> Loader::symbol(uint32_t number, const std::string& name) {
  std::optional<Found> found;
  if (number == Main) {
    static const Side Nothing{};
    found = lookup(Nothing, name);
  } else if (number < sides_.size() && sides_[number].instance) {
    found = exported(sides_[number], name);
    if (!found) found = lookup_needed(sides_[number], name);
  } else {
    return Error{"no such library is loaded"};
  }
  return found ? address(*found) : undefined(name);
}

}  // namespace krait::pyhost
