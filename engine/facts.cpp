// Layout: a Header, then its parts, each on a border of 8 bytes: functions, side table, regions, catches, slots, locals. The functions'
// lists refer to theirs by distances, so that the block needs no work where it is mapped.
#include "engine/facts.hpp"

#include <cstring>
#include <new>

#include "engine/decode.hpp"

namespace krait::engine {
namespace {

struct Header {
  uint32_t magic = 0x4641524b;  // "KRAF"
  uint32_t version = FactsVersion;
  uint64_t module_bytes = 0;
  uint32_t function_bytes = sizeof(Function);
  uint32_t functions = 0, entries = 0, regions = 0, catches = 0, slots = 0, locals = 0, unused = 0;
};
static_assert(sizeof(Header) % 8 == 0 && sizeof(Function) % 8 == 0 && alignof(Function) <= 8);

constexpr uint64_t padded(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

/// Where each part begins.
struct Layout {
  explicit Layout(const Header& h)
      : side_table(functions + padded(uint64_t{h.functions} * sizeof(Function))),
        regions(side_table + padded(uint64_t{h.entries} * sizeof(BranchEntry))),
        catches(regions + padded(uint64_t{h.regions} * sizeof(TryRegion))),
        slots(catches + padded(uint64_t{h.catches} * sizeof(CatchClause))),
        locals(slots + padded(uint64_t{h.slots} * sizeof(uint32_t))),
        end(locals + padded(uint64_t{h.locals} * sizeof(ValType))) {}
  uint64_t functions = sizeof(Header), side_table, regions, catches, slots, locals, end;
};

template <typename T>
T* put(std::byte* block, uint64_t at, const std::vector<T>& part) {
  if (!part.empty()) std::memcpy(static_cast<void*>(block + at), part.data(), part.size() * sizeof(T));
  return reinterpret_cast<T*>(block + at);
}

/// Whether a function's list is one of `count` elements of the part at `at`. By address: the distance may be anything.
template <typename T>
bool lies_in(const NearList<T>& list, const std::byte* block, uint64_t at, uint32_t count) {
  const uintptr_t first = list.address(), part = reinterpret_cast<uintptr_t>(block + at);
  return first >= part && (first - part) % sizeof(T) == 0 && (first - part) / sizeof(T) <= count &&
         list.size() <= count - (first - part) / sizeof(T);
}

/// A bool of a file may be none.
bool is_bool(const bool& value) {
  uint8_t byte = 0;
  std::memcpy(&byte, &value, sizeof byte);
  return byte <= 1;
}

bool fits(const Function& f, const Header& h, const Layout& layout, const std::byte* block) {
  if (!is_bool(f.uses_v128) || !is_bool(f.has_loop)) return false;
  if (f.side_table > h.entries || f.side_table_size > h.entries - f.side_table || f.local_count != f.locals.size() ||
      (f.uses_v128 && f.local_slot_of.size() != f.locals.size()) || !lies_in(f.locals, block, layout.locals, h.locals) ||
      !lies_in(f.local_slot_of, block, layout.slots, h.slots) || !lies_in(f.regions, block, layout.regions, h.regions) ||
      !lies_in(f.catches, block, layout.catches, h.catches))
    return false;
  for (const TryRegion& region : f.regions)
    if (region.first_catch > f.catches.size() || region.catch_count > f.catches.size() - region.first_catch) return false;
  for (const CatchClause& clause : f.catches)
    if (!is_bool(clause.legacy)) return false;
  return true;
}

}  // namespace

void FactsBuilder::reserve(size_t functions, size_t entries) {
  shapes_.reserve(functions), sizes_.reserve(functions);
  side_table.reserve(entries);
}

void FactsBuilder::add(const FunctionDraft& draft) {
  const auto append = [](auto& to, const auto& list) {
    to.insert(to.end(), list.begin(), list.end());
    return static_cast<uint32_t>(list.size());
  };
  shapes_.push_back(draft);
  sizes_.push_back({append(locals_, draft.locals), append(slots_, draft.local_slot_of), append(regions_, draft.regions),
                    append(catches_, draft.catches)});
}

SharedBytes FactsBuilder::finish(size_t module_bytes) {
  Header header;
  header.module_bytes = module_bytes;
  const auto count = [](const auto& part) { return static_cast<uint32_t>(part.size()); };
  header.functions = count(shapes_), header.entries = count(side_table), header.regions = count(regions_);
  header.catches = count(catches_), header.slots = count(slots_), header.locals = count(locals_);
  const Layout layout(header);
  const auto words = std::make_shared<std::vector<uint64_t>>(layout.end / 8);
  auto* const block = reinterpret_cast<std::byte*>(words->data());
  std::memcpy(block, &header, sizeof header);
  put(block, layout.side_table, side_table);
  const TryRegion* regions = put(block, layout.regions, regions_);
  const CatchClause* catches = put(block, layout.catches, catches_);
  const uint32_t* slots = put(block, layout.slots, slots_);
  const ValType* locals = put(block, layout.locals, locals_);
  for (size_t i = 0; i < shapes_.size(); ++i) {
    auto* f = new (block + layout.functions + i * sizeof(Function)) Function;
    static_cast<FunctionShape&>(*f) = shapes_[i];
    const Lists& sizes = sizes_[i];
    f->locals.set(locals, sizes.locals), locals += sizes.locals;
    f->local_slot_of.set(slots, sizes.slots), slots += sizes.slots;
    f->regions.set(regions, sizes.regions), regions += sizes.regions;
    f->catches.set(catches, sizes.catches), catches += sizes.catches;
  }
  return {{block, layout.end}, words};
}

std::span<const std::byte> facts_of(const Module& module) { return module.facts_.bytes; }

FactsView view_facts(std::span<const std::byte> facts, size_t module_bytes, std::span<const uint32_t> type_of_function) {
  Header header;
  const Header wanted;
  if (facts.size() < sizeof header || reinterpret_cast<uintptr_t>(facts.data()) % 8 != 0) return {};
  std::memcpy(&header, facts.data(), sizeof header);
  if (header.magic != wanted.magic || header.version != wanted.version || header.module_bytes != module_bytes ||
      header.function_bytes != wanted.function_bytes || header.functions != type_of_function.size())
    return {};
  const Layout layout(header);
  if (facts.size() != layout.end) return {};
  const std::span functions(reinterpret_cast<const Function*>(facts.data() + layout.functions), header.functions);
  uint32_t last = 0;
  for (size_t i = 0; i < functions.size(); ++i) {
    const Function& f = functions[i];
    if (f.code_begin < last || f.code_end < f.code_begin || f.code_end > module_bytes || f.type_index != type_of_function[i] ||
        !fits(f, header, layout, facts.data()))
      return {};
    last = f.code_end;
  }
  return {true, functions, {reinterpret_cast<const BranchEntry*>(facts.data() + layout.side_table), header.entries}};
}

Result<std::shared_ptr<const Module>> compile_known(SharedBytes bytes, SharedBytes facts,
                                                    std::optional<std::array<uint8_t, 32>> sha256) {
  if (bytes.bytes.size() > limits::ModuleBytes) return Module::compile(bytes.bytes);
  auto module = std::make_shared<Module>();
  Result<void> decoded = Decoder(*module, std::move(bytes), Features{}, std::move(facts), sha256).decode();
  if (!decoded) return std::move(decoded.error());
  return std::shared_ptr<const Module>(std::move(module));
}

Result<std::shared_ptr<const Module>> compile_known(std::vector<std::byte> bytes, SharedBytes facts) {
  return compile_known(Decoder::own(std::move(bytes)), std::move(facts));
}

}  // namespace krait::engine
