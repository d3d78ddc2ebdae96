// The section "dylink.0": subsections of (id, size); unknown ones are passed over.
#include "pyhost/dynlink/side_module.hpp"

#include <limits>

#include "engine/reader.hpp"

namespace krait::pyhost {
namespace {

using engine::ExternKind;

enum Subsection : uint8_t { MemoryInfo = 1, Needed = 2, ImportInfo = 4 };
constexpr uint32_t BindingMask = 3, BindingWeak = 1;
constexpr uint32_t MostModuleBytes = 64u << 20;
constexpr uint32_t MostMemory = 1u << 30, MostElements = 1u << 20, MostAlignmentLog2 = 16;
constexpr uint32_t MostNeeded = 256;

bool read_memory_info(engine::Reader& in, SideModule& side) {
  const uint32_t at = in.offset();
  side.memory_bytes = in.u32();
  const uint32_t memory_log2 = in.u32();
  side.table_elements = in.u32();
  const uint32_t table_log2 = in.u32();
  if (in.failed()) return false;
  if (side.memory_bytes > MostMemory || side.table_elements > MostElements || memory_log2 > MostAlignmentLog2 || table_log2 > MostAlignmentLog2)
    return in.fail(at, "dylink.0: it wants more memory, table elements or alignment than there can be");
  side.memory_alignment = 1u << memory_log2;
  side.table_alignment = 1u << table_log2;
  return true;
}

bool read_subsection(engine::Reader& in, uint8_t id, SideModule& side) {
  if (id == MemoryInfo) return read_memory_info(in, side);
  if (id == Needed) {
    for (uint32_t n = in.count("needed libraries", MostNeeded); n > 0 && !in.failed(); --n) side.needed.emplace_back(in.name("library"));
  } else if (id == ImportInfo) {
    for (uint32_t n = in.count("import flags", std::numeric_limits<uint32_t>::max(), 3); n > 0 && !in.failed(); --n) {
      (void)in.name("module");
      const std::string_view name = in.name("import");
      if ((in.u32() & BindingMask) == BindingWeak) side.weak.emplace(name);
    }
  } else {
    in.seek(in.end_offset());
  }
  return !in.failed();
}

Result<void> read_dylink(SideModule& side) {
  const engine::Module& module = *side.module;
  const engine::CustomSection* section = nullptr;
  for (const engine::CustomSection& custom : module.customs)
    if (custom.name == "dylink.0" && !section) section = &custom;
  if (!section) return Error{"it is no shared library: it has no section dylink.0 (link it with -shared)"};
  engine::Reader in(module.bytes(), section->begin, section->end);
  while (!in.at_end()) {
    const uint8_t id = in.byte();
    const uint32_t size = in.u32();
    if (in.failed() || size > in.remaining()) return Error{"dylink.0: unexpected end", in.offset()};
    const uint32_t end = in.set_end(in.offset() + size);
    if (!read_subsection(in, id, side)) return in.error();
    in.seek(in.end_offset());
    in.set_end(end);
  }
  return {};
}

/// What it may not have: memories and tables of its own would escape the sandbox's limits.
Result<void> check_shape(const engine::Module& module) {
  if (module.memories.size() != module.imported_memories || module.memories.size() > 1)
    return Error{"a shared library must use the main module's memory, and no other"};
  if (module.tables.size() != module.imported_tables || module.tables.size() > 1)
    return Error{"a shared library must use the main module's table, and no other"};
  return {};
}

}  // namespace

Result<std::shared_ptr<const SideModule>> read_side_module(std::span<const std::byte> bytes, const store::Digest& digest,
                                                           engine::Compiler* compiler) {
  if (bytes.size() > MostModuleBytes) return Error{"it is larger than " + std::to_string(MostModuleBytes >> 20) + " MB"};
  auto module = engine::Module::compile(bytes);
  if (!module) return Error{module.error().to_string()};
  auto side = std::make_shared<SideModule>();
  side->module = std::move(*module);
  side->digest = digest;
  if (auto read = read_dylink(*side); !read) return Error{read.error().to_string()};
  if (auto checked = check_shape(*side->module); !checked) return std::move(checked.error());
  if (compiler) side->code = compiler->image_for(side->module);
  return std::shared_ptr<const SideModule>(std::move(side));
}

Result<std::shared_ptr<const SideModule>> SideModules::get(std::span<const std::byte> bytes) {
  const store::Digest digest = store::Digest::of(bytes);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = by_digest_.find(digest); known != by_digest_.end()) {
      recent_.splice(recent_.begin(), recent_, known->second);
      return recent_.front();
    }
  }
  auto made = read_side_module(bytes, digest, compiler_);
  if (!made) return made;
  const std::lock_guard lock(mutex_);
  if (by_digest_.contains(digest)) return made;
  recent_.push_front(*made);
  by_digest_[digest] = recent_.begin();
  bytes_ += bytes.size();
  while (bytes_ > KeptBytes && recent_.size() > 1) {
    bytes_ -= recent_.back()->module->bytes().size();
    by_digest_.erase(recent_.back()->digest);
    recent_.pop_back();
  }
  return made;
}

}  // namespace krait::pyhost
