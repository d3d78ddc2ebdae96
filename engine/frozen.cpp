// Builds the images that instances of a module share.
#include "engine/frozen.hpp"

#include <cstring>
#include <optional>

#include "engine/compiler.hpp"
#include "engine/leb.hpp"
#include "engine/store.hpp"

namespace krait::engine {
namespace {

/// The value of an offset that is a lone i32.const.
std::optional<uint32_t> constant_offset(const Module& module, const ConstExpr& expr) {
  const auto* at = reinterpret_cast<const uint8_t*>(module.bytes().data() + expr.begin);
  if (*at++ != 0x41) return std::nullopt;
  const uint32_t value = leb_s32(at);
  if (*at != 0x0b) return std::nullopt;  // extended constant expression
  return value;
}

std::shared_ptr<const TableImage> freeze_table(Instance& home, uint32_t index) {
  const Module& module = home.module();
  const Table& table = module.tables[index];
  if (table.type.element != ValType::FuncRef || table.init.begin != table.init.end) return nullptr;
  auto image = std::make_shared<TableImage>(table.type.limits.min, FuncEntry{&InterpreterOnly, NullType, 0});
  for (const ElementSegment& segment : module.elements) {
    if (segment.mode != SegmentMode::Active || segment.table != index) continue;
    const std::optional<uint32_t> offset = constant_offset(module, segment.offset);
    if (!offset || !segment.expressions.empty()) return nullptr;
    if (*offset + uint64_t{segment.functions.size()} > image->size()) return nullptr;
    for (size_t i = 0; i < segment.functions.size(); ++i) {
      const uint32_t func = segment.functions[i];
      (*image)[*offset + i] = {home.code_of(func), module.canonical_type[module.func_types[func]], func};
    }
  }
  return image;
}

std::shared_ptr<const MemoryImage> freeze_memory(const Module& module, uint32_t index) {
  const uint64_t size = module.memories[index].limits.min * PageSize;
  if (module.memories[index].limits.shared) return nullptr;
  std::vector<std::byte> bytes;
  for (const DataSegment& segment : module.data) {
    if (segment.mode != SegmentMode::Active || segment.memory != index) continue;
    const std::optional<uint32_t> offset = constant_offset(module, segment.offset);
    const uint64_t length = segment.end - segment.begin;
    if (!offset || *offset + length > size) return nullptr;
    if (bytes.size() < *offset + length) bytes.resize(*offset + length);
    if (length) std::memcpy(bytes.data() + *offset, module.bytes().data() + segment.begin, length);
  }
  if (bytes.empty()) return nullptr;
  auto image = MemoryImage::create(bytes);
  return image ? *image : nullptr;  // without one the segments run, which says what is wrong
}

}  // namespace

std::shared_ptr<Frozen> make_frozen() { return std::make_shared<Frozen>(); }

std::shared_ptr<const TableImageSets::Images> TableImageSets::find(Instance& home) {
  std::erase_if(sets_, [](const ForCode& set) { return set.stale(); });
  for (const ForCode& set : sets_)
    if (set.code == home.code_image()) return set.images;
  return nullptr;
}

void TableImageSets::keep(Instance& home, std::shared_ptr<const Images> images) {
  sets_.push_back({home.code_image(), home.code_image_ptr(), std::move(images)});
}

std::shared_ptr<const TableImageSets::Images> Frozen::tables_for(Instance& home) { return tables_.of(home, freeze_table); }

std::vector<std::shared_ptr<const MemoryImage>> Frozen::memories_for(const Module& module) {
  std::lock_guard lock(mutex_);
  if (++memory_requests_ == 2) {
    memories_.resize(module.memories.size());
    for (uint32_t i = module.imported_memories; i < memories_.size(); ++i) memories_[i] = freeze_memory(module, i);
  }
  return memories_;
}

}  // namespace krait::engine
