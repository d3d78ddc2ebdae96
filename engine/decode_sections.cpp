// The sections that declare: types, imports, functions, tables, memories, tags, globals, exports,
// start.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "engine/decode.hpp"

namespace krait::engine {

// -- Types --

bool Decoder::type_section() {
  const uint32_t count = reader_.count("types", limits::Types, 3);
  module_.types.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = reader_.offset();
    switch (const uint8_t form = reader_.byte()) {
      case 0x60:
        break;
      case 0x5f:
      case 0x5e:
      case 0x50:
      case 0x4f:
      case 0x4e:
        return fail(at, "gc is not supported: found type form " + hex(form));
      default:
        return fail(at, "malformed type: expected a function type 0x60, found " + hex(form));
    }
    if (!func_type(module_.types.emplace_back())) return false;
  }
  canonicalize_types();
  return !reader_.failed();
}

bool Decoder::func_type(FuncType& type) {
  const uint32_t params = reader_.count("params", limits::Params);
  for (uint32_t i = 0; i < params; ++i) type.params.push_back(reader_.val_type());
  const uint32_t results = reader_.count("results", limits::Results);
  for (uint32_t i = 0; i < results; ++i) type.results.push_back(reader_.val_type());
  type.param_slots = slots_of(type.params);
  type.result_slots = slots_of(type.results);
  return !reader_.failed();
}

void Decoder::canonicalize_types() {
  // By sorting, not hashing: no module can make it slow.
  const std::vector<FuncType>& types = module_.types;
  std::vector<uint32_t> order(types.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::tie(types[a].params, types[a].results, a) <
           std::tie(types[b].params, types[b].results, b);
  });
  module_.canonical_type.resize(types.size());
  uint32_t first = 0;
  for (uint32_t i : order) {
    if (!(types[i] == types[first])) first = i;
    module_.canonical_type[i] = first;
  }
}

bool Decoder::type_index(uint32_t& out) {
  const uint32_t at = reader_.offset();
  out = reader_.u32();
  if (reader_.failed() || out < module_.types.size()) return !reader_.failed();
  return fail(at, "unknown type " + std::to_string(out) + ": there are " +
                      std::to_string(module_.types.size()));
}

bool Decoder::limits(Limits& out, uint64_t greatest, bool is_memory) {
  const uint32_t at = reader_.offset();
  const uint8_t flags = reader_.byte();
  if (reader_.failed()) return false;
  if (flags >= 4 && flags < 8)
    return fail(at, "memory64 is not supported: found limits flags " + hex(flags));
  if (flags >= (is_memory ? 4 : 2)) return fail(at, "malformed limits flags " + hex(flags));
  out.shared = flags & 2;
  if (out.shared && !(flags & 1)) return fail(at, "shared memory must have maximum");
  out.min = reader_.u32();
  if (flags & 1) out.max = reader_.u32();
  if (reader_.failed()) return false;
  if (out.min > greatest || out.max.value_or(0) > greatest) {
    return fail(at, "memory size must be at most 65536 pages (4GiB): found " +
                        std::to_string(std::max(out.min, out.max.value_or(0))));
  }
  if (out.max && *out.max < out.min) {
    return fail(at, "size minimum must not be greater than maximum: found " +
                        std::to_string(out.min) + " and " + std::to_string(*out.max));
  }
  return true;
}

bool Decoder::table_type(TableType& out) {
  out.element = reader_.ref_type();
  return limits(out.limits, 0xffffffff, false);
}

bool Decoder::memory_type(MemoryType& out) { return limits(out.limits, MaxPages, true); }

bool Decoder::global_type(GlobalType& out) {
  out.type = reader_.val_type();
  const uint32_t at = reader_.offset();
  const uint8_t mutability = reader_.byte();
  if (mutability > 1)
    return fail(at, "malformed mutability: expected 0 or 1, found " + hex(mutability));
  out.is_mutable = mutability == 1;
  return !reader_.failed();
}

bool Decoder::tag_type(TagType& out) {
  const uint32_t at = reader_.offset();
  if (const uint8_t attribute = reader_.byte(); attribute != 0) {
    return fail(at, "malformed tag attribute: expected 0, found " + hex(attribute));
  }
  if (!type_index(out.type_index)) return false;
  const FuncType& type = module_.types[out.type_index];
  return type.results.empty() || fail(at, "non-empty tag result type: " + type.to_string());
}

// -- Declarations --

bool Decoder::import_section() {
  const uint32_t count = reader_.count("imports", limits::Imports, 4);
  module_.imports.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    Import& import = module_.imports.emplace_back();
    import.module = reader_.name("import module name");
    import.name = reader_.name("import name");
    const uint32_t at = reader_.offset();
    const uint8_t kind = reader_.byte();
    if (reader_.failed()) return false;
    if (kind > 4) return fail(at, "malformed import kind " + hex(kind));
    import.kind = static_cast<ExternKind>(kind);
    import.index = static_cast<uint32_t>(index_space(import.kind));
    bool ok = true;
    switch (import.kind) {
      case ExternKind::Func:
        ok = type_index(module_.func_types.emplace_back());
        break;
      case ExternKind::Table:
        ok = table_type(module_.tables.emplace_back().type);
        break;
      case ExternKind::Memory:
        ok = memory_type(module_.memories.emplace_back());
        break;
      case ExternKind::Global:
        ok = global_type(module_.globals.emplace_back().type);
        break;
      case ExternKind::Tag:
        ok = tag_type(module_.tags.emplace_back());
        break;
    }
    if (!ok) return false;
  }
  auto size = [](const auto& items) { return static_cast<uint32_t>(items.size()); };
  module_.imported_funcs = size(module_.func_types);
  module_.imported_tables = size(module_.tables);
  module_.imported_memories = size(module_.memories);
  module_.imported_globals = size(module_.globals);
  module_.imported_tags = size(module_.tags);
  context_.declared_funcs.resize(module_.func_types.size());
  return check_single(reader_.offset());
}

bool Decoder::function_section() {
  declared_functions_ = reader_.count("functions", limits::Functions);
  module_.func_types.reserve(module_.func_types.size() + declared_functions_);
  for (uint32_t i = 0; i < declared_functions_; ++i) {
    if (!type_index(module_.func_types.emplace_back())) return false;
  }
  context_.declared_funcs.resize(module_.func_types.size());
  return true;
}

bool Decoder::table_section() {
  const uint32_t at = reader_.offset();
  const uint32_t count = reader_.count("tables", limits::Tables, 3);
  for (uint32_t i = 0; i < count; ++i) {
    Table table;
    // 0x40 0x00 in front of the type: an initial value stands behind it.
    const bool has_init = reader_.peek() == 0x40;
    if (has_init) {
      reader_.byte();
      if (reader_.byte() != 0)
        return fail(reader_.offset() - 1, "malformed table: zero byte expected");
    }
    if (!table_type(table.type)) return false;
    if (has_init && !validate_const_expr(context_, reader_, table.type.element, table.init))
      return false;
    module_.tables.push_back(table);
  }
  return check_single(at);
}

/// At most one table and memory, where the features say so.
bool Decoder::check_single(uint32_t at) {
  if (!context_.features.multi_table && module_.tables.size() > 1)
    return fail(at, "multiple tables");
  if (!context_.features.multi_memory && module_.memories.size() > 1)
    return fail(at, "multiple memories");
  return true;
}

bool Decoder::memory_section() {
  const uint32_t at = reader_.offset();
  const uint32_t count = reader_.count("memories", limits::Memories, 2);
  for (uint32_t i = 0; i < count; ++i) {
    if (!memory_type(module_.memories.emplace_back())) return false;
  }
  return check_single(at);
}

bool Decoder::tag_section() {
  const uint32_t count = reader_.count("tags", limits::Tags, 2);
  for (uint32_t i = 0; i < count; ++i) {
    if (!tag_type(module_.tags.emplace_back())) return false;
  }
  return true;
}

bool Decoder::global_section() {
  const uint32_t count = reader_.count("globals", limits::Globals, 3);
  module_.globals.reserve(module_.globals.size() + count);
  for (uint32_t i = 0; i < count; ++i) {
    Global global;
    if (!global_type(global.type) ||
        !validate_const_expr(context_, reader_, global.type.type, global.init))
      return false;
    module_.globals.push_back(global);  // visible to those behind it
  }
  return true;
}

size_t Decoder::index_space(ExternKind kind) const {
  switch (kind) {
    case ExternKind::Func:
      return module_.func_types.size();
    case ExternKind::Table:
      return module_.tables.size();
    case ExternKind::Memory:
      return module_.memories.size();
    case ExternKind::Global:
      return module_.globals.size();
    case ExternKind::Tag:
      return module_.tags.size();
  }
  return 0;
}

bool Decoder::export_section() {
  const uint32_t count = reader_.count("exports", limits::Exports, 3);
  std::vector<uint32_t> offsets;
  offsets.reserve(count);
  module_.exports.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    offsets.push_back(reader_.offset());
    const std::string_view name = reader_.name("export name");
    const uint32_t at = reader_.offset();
    const uint8_t kind = reader_.byte();
    const uint32_t index = reader_.u32();
    if (reader_.failed()) return false;
    if (kind > 4) return fail(at, "malformed export kind " + hex(kind));
    const auto extern_kind = static_cast<ExternKind>(kind);
    if (index >= index_space(extern_kind)) {
      const char* what = extern_kind == ExternKind::Func ? "function" : name_of(extern_kind);
      return fail(at, "unknown " + std::string(what) + " " + std::to_string(index) +
                          ": there are " + std::to_string(index_space(extern_kind)));
    }
    if (extern_kind == ExternKind::Func) context_.declared_funcs[index] = true;
    module_.exports.push_back({std::string(name), extern_kind, index});
  }
  return sort_exports(offsets);
}

/// A module with facts was valid before: its exports are put into order when somebody looks for one.
bool Decoder::sort_exports(const std::vector<uint32_t>& offsets) {
  if (!facts_.bytes.empty()) return true;
  const std::vector<engine::Export>& exports = module_.exports;
  module_.order_exports();
  const std::vector<uint32_t>& order = module_.exports_by_name_;
  const auto twin = std::adjacent_find(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return exports[a].name == exports[b].name;
  });
  return twin == order.end() ||
         fail(offsets[twin[1]], "duplicate export name \"" + exports[*twin].name + "\"");
}

bool Decoder::start_section() {
  const uint32_t at = reader_.offset();
  const uint32_t index = reader_.u32();
  if (reader_.failed()) return false;
  if (index >= module_.func_types.size())
    return fail(at, "unknown function " + std::to_string(index));
  const FuncType& type = module_.type_of_func(index);
  if (!type.params.empty() || !type.results.empty()) {
    return fail(at, "start function: expected type () -> (), found " + type.to_string());
  }
  module_.start = index;
  return true;
}

}  // namespace krait::engine
