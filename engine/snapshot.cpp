// Snapshots of instances.
//
// Layout of the bytes: "KRSN", version, then for each defined memory its pages and runs of non-zero host pages
// (offset, length, bytes; length 0 ends), the number and the types of functions outside, for each defined table its size
// and function indices, for each
// defined global 16 bytes, and a byte for each segment (1 = dropped). Integers are little-endian u32 but for offsets
// and lengths, which are u64.
#include "engine/snapshot.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/byte_stream.hpp"
#include "engine/compiler.hpp"
#include "engine/store.hpp"

namespace krait::engine {
namespace {

constexpr uint32_t Magic = 0x4e53524b;  // "KRSN"
constexpr uint32_t Version = 2;
constexpr size_t HostPage = 4096;

/// The form that is mapped: PlainMagic, version, the length of the rest; where each memory lies; the rest; from a host
/// page on, the memories.
constexpr uint32_t PlainMagic = 0x5053524b;  // "KRSP"
constexpr size_t PlainHeaderBytes = 16;
constexpr size_t KeepersRoom = size_t{64} << 10;  // behind an encoded snapshot: whoever keeps it adds to it, and 20 MB are not to be copied for that
struct PlainMemory {
  uint64_t offset, size;
};
uint64_t page_up(uint64_t bytes) { return (bytes + HostPage - 1) / HostPage * HostPage; }

bool is_zero_page(const std::byte* page) {
  static constexpr std::byte Zeros[HostPage] = {};
  return std::memcmp(page, Zeros, HostPage) == 0;
}

using Writer = ByteWriter;
using Reader = ByteReader;

Error points_outside(const char* what) {
  return Error{std::string("the instance cannot be snapshotted: ") + what + " refers to something outside it"};
}

/// The index of a function of `instance`, NoIndex for null, nothing for any other reference.
std::optional<uint32_t> index_of(Instance& instance, Ref ref) {
  if (ref == 0) return NoIndex;
  const auto* func = reinterpret_cast<const FuncInstance*>(ref);
  if (func->context == &instance.context()) return func->index;
  for (uint32_t i = 0; i < instance.module().imported_funcs; ++i)
    if (&instance.func(i) == func) return i;
  return std::nullopt;
}

void put_memory(Writer& out, const MemoryImage& image) {
  out.put(static_cast<uint32_t>(image.size() / PageSize));
  const std::span<const std::byte> bytes = image.bytes();
  for (size_t at = 0; at < bytes.size();) {
    size_t end = at;
    while (end < bytes.size() && !is_zero_page(bytes.data() + end)) end += HostPage;
    if (end > at) {
      out.put(uint64_t{at}), out.put(uint64_t{end - at});
      out.raw(bytes.data() + at, end - at);
    }
    at = end > at ? end : at + HostPage;
  }
  out.put(uint64_t{0}), out.put(uint64_t{0});
}

Result<std::shared_ptr<const MemoryImage>> get_memory(Reader& in, const MemoryType& type) {
  const uint64_t size = in.get<uint32_t>() * PageSize;
  if (size > type.limits.max.value_or(MaxPages) * PageSize || size < type.limits.min * PageSize)
    return Error{"snapshot: the memory's size does not fit its type", in.offset()};
  std::vector<std::byte> bytes(size);
  for (;;) {
    const auto at = in.get<uint64_t>(), length = in.get<uint64_t>();
    if (in.failed) return Error{"snapshot: unexpected end", in.offset()};
    if (length == 0) return MemoryImage::create(bytes);
    if (at > size || length > size - at) return Error{"snapshot: a run lies outside its memory", in.offset()};
    const std::span<const std::byte> from = in.take(length);
    if (in.failed) return Error{"snapshot: unexpected end", in.offset()};
    std::memcpy(bytes.data() + at, from.data(), length);
  }
}

}  // namespace

Result<std::shared_ptr<const Snapshot>> Snapshot::take(Instance& instance, std::span<FuncInstance* const> outside_functions) {
  const Module& module = instance.module();
  auto snapshot = std::make_shared<Snapshot>();
  std::unordered_map<Ref, uint32_t> places;
  for (const FuncInstance* func : outside_functions) {
    places.emplace(reinterpret_cast<Ref>(func), static_cast<uint32_t>(module.func_types.size() + snapshot->outside_types_.size()));
    snapshot->outside_types_.push_back(canonical_in(module, *func->type));
  }
  snapshot->memories_.resize(module.memories.size());
  for (uint32_t i = module.imported_memories; i < module.memories.size(); ++i) {
    auto image = MemoryImage::create(instance.memory(i).bytes());
    if (!image) return std::move(image.error());
    snapshot->memories_[i] = std::move(*image);
  }
  snapshot->tables_.resize(module.tables.size());
  for (uint32_t i = module.imported_tables; i < module.tables.size(); ++i) {
    TableInstance& table = instance.table(i);
    for (uint64_t at = 0; at < table.size(); ++at) {
      const Ref ref = table.get(at);
      if (ref && table.type().element != ValType::FuncRef) return points_outside("a table");
      std::optional<uint32_t> index = index_of(instance, ref);
      if (const auto place = index ? places.end() : places.find(ref); place != places.end()) index = place->second;
      if (!index) return points_outside("a table");
      snapshot->tables_[i].push_back(*index);
    }
  }
  for (size_t i = 0; i < module.globals.size() - module.imported_globals; ++i) {
    const GlobalInstance& global = instance.own_global(i);
    GlobalCell cell = global.cell;
    if (is_reference(global.type.type)) {
      if (cell.low && global.type.type != ValType::FuncRef) return points_outside("a global");
      const std::optional<uint32_t> index = index_of(instance, cell.low);
      if (!index) return points_outside("a global");
      cell.low = *index;
    }
    snapshot->globals_.push_back(cell);
  }
  snapshot->dropped_elements_ = instance.dropped_elements_;
  snapshot->dropped_data_ = instance.dropped_data_;
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::vector<std::byte> Snapshot::encode_rest() const {
  Writer out;
  out.put(static_cast<uint32_t>(outside_types_.size()));
  out.raw(outside_types_.data(), outside_types_.size() * sizeof(uint32_t));
  for (const auto& table : tables_) {
    out.put(static_cast<uint32_t>(table.size()));
    out.raw(table.data(), table.size() * sizeof(FuncIndex));
  }
  for (const GlobalCell& cell : globals_) out.put(cell.low), out.put(cell.high);
  for (const auto* dropped : {&dropped_elements_, &dropped_data_})
    for (const bool b : *dropped) out.put(static_cast<uint8_t>(b));
  return std::move(out.out);
}

std::vector<std::byte> Snapshot::encode() const {
  Writer out;
  out.put(Magic), out.put(Version);
  for (const auto& memory : memories_)
    if (memory) put_memory(out, *memory);
  const std::vector<std::byte> rest = encode_rest();
  out.raw(rest.data(), rest.size());
  return std::move(out.out);
}

std::vector<std::byte> Snapshot::encode_plain() const {
  const std::vector<std::byte> rest = encode_rest();
  const auto own = static_cast<size_t>(std::count_if(memories_.begin(), memories_.end(), [](const auto& m) { return m != nullptr; }));
  Writer out;
  out.put(PlainMagic), out.put(Version);
  out.put(static_cast<uint64_t>(rest.size()));
  uint64_t at = page_up(PlainHeaderBytes + own * sizeof(PlainMemory) + rest.size());
  for (const auto& memory : memories_) {
    if (!memory) continue;
    out.put(PlainMemory{at, memory->size()});
    at += memory->size();
  }
  out.out.reserve(at + KeepersRoom);
  out.raw(rest.data(), rest.size());
  for (const auto& memory : memories_) {
    out.out.resize(page_up(out.out.size()));
    if (memory) out.raw(memory->bytes().data(), memory->size());
  }
  return std::move(out.out);
}

Result<std::shared_ptr<const Snapshot>> Snapshot::map(const Module& module, int fd) {
  const auto own = module.memories.size() - module.imported_memories;
  struct stat info{};
  std::vector<std::byte> head(PlainHeaderBytes + own * sizeof(PlainMemory));
  if (fstat(fd, &info) != 0 || pread(fd, head.data(), head.size(), 0) != static_cast<ssize_t>(head.size()))
    return Error{"snapshot: the file cannot be read"};
  Reader in(head);
  if (in.get<uint32_t>() != PlainMagic || in.get<uint32_t>() != Version)
    return Error{"not a snapshot of this version of krait; make it again", 0};
  const auto rest_bytes = in.get<uint64_t>(), file_bytes = static_cast<uint64_t>(info.st_size);
  if (rest_bytes > file_bytes) return Error{"snapshot: its length is wrong", in.offset()};
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->memories_.resize(module.memories.size());
  for (uint32_t i = module.imported_memories; i < module.memories.size(); ++i) {
    const auto memory = in.get<PlainMemory>();
    const Limits& limits = module.memories[i].limits;
    if (memory.size % PageSize != 0 || memory.size > limits.max.value_or(MaxPages) * PageSize || memory.size < limits.min * PageSize)
      return Error{"snapshot: the memory's size does not fit its type", in.offset()};
    if (memory.offset % HostPage != 0 || memory.offset > file_bytes || memory.size > file_bytes - memory.offset)
      return Error{"snapshot: a memory lies outside the file", in.offset()};
    auto image = MemoryImage::map(fd, memory.offset, memory.size);
    if (!image) return std::move(image.error());
    snapshot->memories_[i] = std::move(*image);
  }
  std::vector<std::byte> rest(rest_bytes);
  if (pread(fd, rest.data(), rest.size(), static_cast<off_t>(head.size())) != static_cast<ssize_t>(rest.size()))
    return Error{"snapshot: the file cannot be read"};
  if (auto read = decode_rest(module, rest, *snapshot); !read) return std::move(read.error());
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Result<std::shared_ptr<const Snapshot>> Snapshot::decode(const Module& module, std::span<const std::byte> bytes) {
  Reader in(bytes);
  if (in.get<uint32_t>() != Magic) return Error{"not a snapshot", 0};
  if (in.get<uint32_t>() != Version) return Error{"a snapshot of another version of krait; make it again", 4};
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->memories_.resize(module.memories.size());
  for (uint32_t i = module.imported_memories; i < module.memories.size(); ++i) {
    auto memory = get_memory(in, module.memories[i]);
    if (!memory) return std::move(memory.error());
    snapshot->memories_[i] = std::move(*memory);
  }
  if (auto rest = decode_rest(module, bytes.subspan(in.offset()), *snapshot); !rest) {
    if (rest.error().offset != Error::NoOffset) rest.error().offset += in.offset();
    return std::move(rest.error());
  }
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Result<void> Snapshot::decode_rest(const Module& module, std::span<const std::byte> bytes, Snapshot& snapshot) {
  Reader in(bytes);
  const uint32_t outside_count = in.get<uint32_t>();
  const std::span<const std::byte> types = in.take(uint64_t{outside_count} * sizeof(uint32_t));
  snapshot.outside_types_.resize(in.failed ? 0 : outside_count);
  if (!types.empty()) std::memcpy(snapshot.outside_types_.data(), types.data(), types.size());
  for (const uint32_t type : snapshot.outside_types_)
    if (type >= module.types.size() && type != ForeignType)
      return Error{"snapshot: a type that the module does not have", in.offset()};
  const auto funcs = static_cast<uint32_t>(module.func_types.size());
  const uint64_t known = uint64_t{funcs} + snapshot.outside_types_.size();
  for (size_t i = 0; i < module.tables.size(); ++i) {
    const uint32_t size = in.get<uint32_t>();
    const std::span<const std::byte> from = in.take(uint64_t{size} * sizeof(FuncIndex));
    const Limits& limits = module.tables[i].type.limits;
    const bool imported = i < module.imported_tables;
    if (in.failed || (imported ? size != 0 : size < limits.min || size > limits.max.value_or(size)))
      return Error{"snapshot: a table's size does not fit its type", in.offset()};
    std::vector<FuncIndex>& table = snapshot.tables_.emplace_back(size);
    if (size) std::memcpy(table.data(), from.data(), from.size());
    for (const FuncIndex func : table)
      if (func != NoIndex && (func >= known || module.tables[i].type.element != ValType::FuncRef))
        return Error{"snapshot: a table element that the module cannot have", in.offset()};
  }
  for (size_t i = module.imported_globals; i < module.globals.size(); ++i) {
    GlobalCell cell;
    cell.low = in.get<uint64_t>(), cell.high = in.get<uint64_t>();
    const ValType type = module.globals[i].type.type;
    if (is_reference(type) && cell.low != NoIndex && (cell.low >= funcs || type != ValType::FuncRef))
      return Error{"snapshot: a global that the module cannot have", in.offset()};
    snapshot.globals_.push_back(cell);
  }
  for (size_t i = 0; i < module.elements.size(); ++i) snapshot.dropped_elements_.push_back(in.get<uint8_t>() != 0);
  for (size_t i = 0; i < module.data.size(); ++i) snapshot.dropped_data_.push_back(in.get<uint8_t>() != 0);
  if (in.failed || !in.at_end()) return Error{"snapshot: its length is wrong", in.offset()};
  return {};
}

void Snapshot::apply_globals(Instance& instance) const {
  for (size_t i = 0; i < globals_.size(); ++i) {
    GlobalInstance& global = instance.own_global(i);
    global.cell = globals_[i];
    if (!is_reference(global.type.type)) continue;
    const auto index = static_cast<uint32_t>(globals_[i].low);
    global.cell.low = index == NoIndex ? 0 : reinterpret_cast<Ref>(&instance.func(index));
  }
}

std::shared_ptr<const TableImage> Snapshot::table_image(Instance& home, uint32_t index) const {
  const Module& module = home.module();
  if (module.tables[index].type.element != ValType::FuncRef) return nullptr;
  auto image = std::make_shared<TableImage>();
  Compiler* compiler = home.store().options().compiler;
  const void* foreign = compiler ? compiler->foreign_entry() : &InterpreterOnly;
  const auto funcs = static_cast<FuncIndex>(module.func_types.size());
  for (const FuncIndex func : tables_[index]) {
    if (func == NoIndex) image->push_back({&InterpreterOnly, NullType, 0});
    else if (func < funcs) image->push_back({home.code_of(func), module.canonical_type[module.func_types[func]], func});
    else image->push_back({foreign, outside_types_[func - funcs], (func - funcs) | ForeignFlag});
  }
  return image;
}

void Snapshot::apply_tables(Instance& instance) const {
  const auto images = table_images_.of(instance, [this](Instance& home, uint32_t i) { return table_image(home, i); });
  for (uint32_t i = instance.module().imported_tables; i < tables_.size(); ++i) {
    TableInstance& table = instance.table(i);
    if (table.image_ && table.image_ == (*images)[i]) continue;  // not written since
    table.image_ = (*images)[i];
    table.own_.clear();
    table.forget_foreign(outside_types_.size());
    table.refs_.assign(table.image_ ? 0 : tables_[i].size(), 0);
    table.entries_ = table.image_ ? table.image_->data() : nullptr;
    table.size_ = tables_[i].size();
    table.publish();
  }
}

Result<void> Snapshot::bind(Instance& instance, std::span<FuncInstance* const> outside) const {
  const Error other{"the snapshot is of another set of modules; make it again"};
  if (outside.size() != outside_types_.size()) return other;
  for (size_t i = 0; i < outside.size(); ++i)
    if (canonical_in(instance.module(), *outside[i]->type) != outside_types_[i]) return other;
  for (uint32_t i = instance.module().imported_tables; i < tables_.size(); ++i)
    if (TableInstance& table = instance.table(i); table.type().element == ValType::FuncRef) table.name_foreign(outside);
  return {};
}

void Snapshot::apply_dropped(Instance& instance) const {
  instance.dropped_elements_ = dropped_elements_;
  instance.dropped_data_ = dropped_data_;
}

Result<uint64_t> Snapshot::restore(Instance& instance) const {
  uint64_t own = 0;
  for (size_t i = 0; i < memories_.size(); ++i) {
    if (!memories_[i]) continue;
    const auto pages = instance.memory(static_cast<uint32_t>(i)).reset();
    if (!pages) return pages.error();
    own += *pages * HostPage;
  }
  if (!instance.memories_.empty()) instance.context_.memory0_size = instance.memories_[0]->size();
  apply_globals(instance);
  apply_tables(instance);
  apply_dropped(instance);
  return own;
}

uint64_t Snapshot::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& memory : memories_)
    if (memory) bytes += memory->size();
  return bytes;
}

}  // namespace krait::engine
