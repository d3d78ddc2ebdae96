// Linking and instantiation, in the order of the spec (section 4.5.4, "Instantiation").
#include "engine/linker.hpp"

#include <cstring>
#include <mutex>

#include "engine/bulk.hpp"
#include "engine/frozen.hpp"

namespace krait::engine {
namespace {

InstantiateError link_error(std::string message) { return {InstantiateError::Stage::Link, Error{std::move(message)}, {}}; }
InstantiateError run_error(Trap trap) { return {InstantiateError::Stage::Run, {}, std::move(trap)}; }

std::string describe(const Import& import) { return '"' + import.module + "\" \"" + import.name + '"'; }

bool limits_match(uint64_t size, const Limits& have, const Limits& want) {
  if (size < want.min || have.shared != want.shared) return false;
  return !want.max || (have.max && *have.max <= *want.max);
}

/// What the module wants of an import, and whether `item` is that; "" if it is.
std::string mismatch(const Module& module, const Import& import, const Extern& item) {
  auto differ = [](const std::string& want, const std::string& have) {
    return "expected " + want + ", found " + have;
  };
  if (kind_of(item) != import.kind) return differ(name_of(import.kind), name_of(kind_of(item)));
  switch (import.kind) {
    case ExternKind::Func: {
      const FuncType& want = module.type_of_func(import.index);
      const FuncType& have = *std::get<FuncInstance*>(item)->type;
      return want == have ? "" : differ("func " + want.to_string(), have.to_string());
    }
    case ExternKind::Table: {
      const TableType& want = module.tables[import.index].type;
      const TableInstance& have = *std::get<TableInstance*>(item);
      if (want.element != have.type().element) return differ(name_of(want.element), name_of(have.type().element));
      return limits_match(have.size(), have.type().limits, want.limits) ? "" : "the table's limits do not fit";
    }
    case ExternKind::Memory: {
      const Memory& have = *std::get<Memory*>(item);
      return limits_match(have.pages(), have.type().limits, module.memories[import.index].limits)
                 ? ""
                 : "the memory's limits do not fit";
    }
    case ExternKind::Global: {
      const GlobalType& want = module.globals[import.index].type;
      const GlobalType& have = std::get<GlobalInstance*>(item)->type;
      auto text = [](const GlobalType& t) { return std::string(t.is_mutable ? "mutable " : "") + name_of(t.type); };
      return want == have ? "" : differ("global " + text(want), text(have));
    }
    case ExternKind::Tag: {
      const FuncType& want = module.types[module.tags[import.index].type_index];
      const FuncType& have = *std::get<TagInstance*>(item)->type;
      return want == have ? "" : differ("tag " + want.to_string(), have.to_string());
    }
  }
  return "";
}

}  // namespace

std::string InstantiateError::to_string() const {
  return stage == Stage::Link ? link.to_string() : trap.to_string();
}

void Linker::func(std::shared_ptr<const HostFunction> host) {
  Name at(host->module, host->name);
  host_funcs_[std::move(at)] = std::move(host);
}

void Linker::define(const std::string& module, const std::string& name, Extern item) {
  const Name at(module, name);
  items_[at] = item;
  host_funcs_.erase(at);
}

void Linker::define_instance(const std::string& module, Instance& instance) {
  for (const Export& e : instance.module().exports) define(module, e.name, *instance.find_export(e.name));
}

std::optional<Extern> Linker::find(Store& store, std::string_view module, std::string_view name) const {
  const NameView at(module, name);
  if (auto host = host_funcs_.find(at); host != host_funcs_.end()) return store.add_host_func(host->second);
  if (auto found = items_.find(at); found != items_.end()) return found->second;
  return std::nullopt;
}

/// The steps of one instantiation.
class Instantiation {
 public:
  Instantiation(Store& store, std::shared_ptr<const Module> module, std::shared_ptr<const Snapshot> snapshot)
      : store_(store),
        module_(*module),
        snapshot_(std::move(snapshot)),
        owned_(new Instance(store, std::move(module))),
        instance_(*owned_) {}

  Result<void> import(const Import& import, const Binding& binding);
  Result<void, InstantiateError> allocate();
  Result<void, InstantiateError> run();
  std::unique_ptr<Instance> take() { return std::move(owned_); }
  Instance& instance() { return instance_; }

 private:
  Result<void, InstantiateError> allocate_memories();
  void allocate_tables();
  void allocate_globals();
  void publish();
  Result<void, InstantiateError> run_elements();
  Result<void, InstantiateError> run_data();

  Store& store_;
  const Module& module_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<Instance> owned_;
  Instance& instance_;
  // For each table and memory the image that stands for its active segments, or null.
  std::shared_ptr<const TableImageSets::Images> table_images_;
  std::vector<std::shared_ptr<const MemoryImage>> memory_images_;
};

Result<void> Instantiation::import(const Import& import, const Binding& binding) {
  const auto* own = std::get_if<OwnFunction>(&binding);
  if (own && (own->index < module_.imported_funcs || own->index >= module_.func_types.size()))
    return Error{"the module defines no function for its import " + describe(import)};
  const Extern item = own ? Extern(&instance_.func(own->index)) : std::get<Extern>(binding);
  if (std::string why = mismatch(module_, import, item); !why.empty())
    return Error{"incompatible import type: " + describe(import) + ": " + why};
  switch (kind_of(item)) {
    case ExternKind::Func: instance_.imports_.push_back(std::get<FuncInstance*>(item)); break;
    case ExternKind::Table: instance_.tables_.push_back(std::get<TableInstance*>(item)); break;
    case ExternKind::Memory: instance_.memories_.push_back(std::get<Memory*>(item)); break;
    case ExternKind::Global: instance_.global_instances_.push_back(std::get<GlobalInstance*>(item)); break;
    case ExternKind::Tag: instance_.tags_.push_back(std::get<TagInstance*>(item)); break;
  }
  return {};
}

Result<void, InstantiateError> Instantiation::allocate_memories() {
  memory_images_ = snapshot_ ? snapshot_->memories_ : module_.frozen().memories_for(module_);
  memory_images_.resize(module_.memories.size());
  for (size_t i = module_.imported_memories; i < module_.memories.size(); ++i) {
    auto memory = Memory::create(module_.memories[i], store_.options().max_memory_pages, memory_images_[i]);
    if (!memory) return link_error(memory.error().to_string());
    instance_.memories_.push_back(store_.add_memory(std::move(*memory)));
  }
  return {};
}

void Instantiation::allocate_globals() {
  const size_t imported = module_.imported_globals;
  if (const size_t own = module_.globals.size() - imported; own > InlineGlobals) instance_.more_globals_.resize(own - InlineGlobals);
  for (GlobalInstance* global : instance_.global_instances_) instance_.globals_.push_back(&global->cell);
  for (size_t i = imported; i < module_.globals.size(); ++i) {
    GlobalInstance& global = instance_.own_global(i - imported);
    global.type = module_.globals[i].type;
    global.cell = instance_.evaluate(module_.globals[i].init);  // may read the globals before it
    instance_.global_instances_.push_back(&global);
    instance_.globals_.push_back(&global.cell);
  }
}

void Instantiation::allocate_tables() {
  const uint64_t cap = store_.options().max_table_elements;
  table_images_ = module_.frozen().tables_for(instance_);
  for (size_t i = module_.imported_tables; i < module_.tables.size(); ++i) {
    const Table& table = module_.tables[i];
    const auto& image = (*table_images_)[i];
    TableInstance* made = store_.add_table(
        image ? std::make_unique<TableInstance>(instance_, table.type, cap, image)
              : std::make_unique<TableInstance>(instance_, table.type, cap));
    instance_.tables_.push_back(made);
    if (table.init.begin == table.init.end) continue;
    const Ref value = instance_.evaluate(table.init).low;
    for (uint64_t at = 0; at < made->size(); ++at) made->set(at, value);
  }
}

Result<void, InstantiateError> Instantiation::allocate() {
  for (size_t i = module_.imported_tables; i < module_.tables.size(); ++i)
    if (module_.tables[i].type.limits.min > store_.options().max_table_elements)
      return link_error("the module wants a table of " + std::to_string(module_.tables[i].type.limits.min) +
                        " elements, the limit is " + std::to_string(store_.options().max_table_elements));
  if (auto done = allocate_memories(); !done) return done;
  for (size_t i = module_.imported_tags; i < module_.tags.size(); ++i)
    instance_.tags_.push_back(store_.add_tag(module_.types[module_.tags[i].type_index]));
  allocate_globals();
  allocate_tables();
  publish();
  return {};
}

/// Points the context at what was allocated. The vectors do not change any more.
void Instantiation::publish() {
  Context& context = instance_.context_;
  context.globals = instance_.globals_.data();
  context.imports = instance_.imports_.data();
  context.tables = instance_.tables_.data();
  if (!instance_.memories_.empty()) {
    context.memories = instance_.memories_.data();
    context.memory0_base = instance_.memories_[0]->base();
    context.memory0_size = instance_.memories_[0]->size();
  }
  for (TableInstance* table : instance_.tables_)
    if (&table->home() == &instance_) table->publish();
}

Result<void, InstantiateError> Instantiation::run_elements() {
  for (uint32_t i = 0; i < module_.elements.size(); ++i) {
    const ElementSegment& segment = module_.elements[i];
    if (segment.mode == SegmentMode::Active && !(*table_images_)[segment.table]) {
      TableInstance& table = instance_.table(segment.table);
      const uint64_t offset = static_cast<uint32_t>(instance_.evaluate(segment.offset).low);
      if (!bulk::table_init(table, offset, instance_, i, 0, segment.size()))
        return run_error(Trap::make(TrapKind::TableOutOfBounds));
    }
    if (segment.mode != SegmentMode::Passive) instance_.drop_elements(i);
  }
  return {};
}

Result<void, InstantiateError> Instantiation::run_data() {
  for (uint32_t i = 0; i < module_.data.size(); ++i) {
    const DataSegment& segment = module_.data[i];
    if (segment.mode != SegmentMode::Active) continue;
    if (memory_images_[segment.memory]) {
      instance_.drop_data(i);
      continue;
    }
    Memory& memory = instance_.memory(segment.memory);
    const uint64_t offset = static_cast<uint32_t>(instance_.evaluate(segment.offset).low);
    const std::span<const std::byte> bytes = instance_.data(i);
    if (!bulk::memory_init(memory, offset, bytes, 0, bytes.size()))
      return run_error(Trap::make(TrapKind::MemoryOutOfBounds));
    instance_.drop_data(i);
  }
  return {};
}

Result<void, InstantiateError> Instantiation::run() {
  if (snapshot_) {
    snapshot_->apply_globals(instance_);
    snapshot_->apply_tables(instance_);
    snapshot_->apply_dropped(instance_);
    return {};
  }
  if (auto done = run_elements(); !done) return done;
  if (auto done = run_data(); !done) return done;
  if (module_.start != NoIndex)
    if (auto done = store_.call(instance_.func(module_.start), {}); !done) return run_error(std::move(done.error()));
  return {};
}

Result<Instance*, InstantiateError> instantiate(Store& store, std::shared_ptr<const Module> module, const Resolver& resolve,
                                                std::shared_ptr<const Snapshot> snapshot) {
  Instantiation steps(store, module, std::move(snapshot));
  for (const Import& import : module->imports) {
    const Result<Binding> binding = resolve(import);
    if (!binding) return link_error(binding.error().message);
    if (auto bound = steps.import(import, *binding); !bound) return link_error(bound.error().message);
  }
  if (auto done = steps.allocate(); !done) return std::move(done.error());
  Instance* instance = store.add_instance(steps.take());
  if (auto done = steps.run(); !done) return std::move(done.error());
  return instance;
}

Result<Instance*, InstantiateError> Linker::instantiate(Store& store, std::shared_ptr<const Module> module,
                                                        std::shared_ptr<const Snapshot> snapshot) const {
  const Resolver resolve = [&](const Import& import) -> Result<Binding> {
    if (const auto item = find(store, import.module, import.name)) return Binding(*item);
    return Error{"unknown import: " + describe(import) + " (" + name_of(import.kind) + ")"};
  };
  return engine::instantiate(store, std::move(module), resolve, std::move(snapshot));
}

}  // namespace krait::engine
