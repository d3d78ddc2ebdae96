// Images. Code is copied into pages that are read-write then and read-execute ever after; no page is both at once.
#include "jit/image.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "engine/store.hpp"
#include "jit/build.hpp"
#include "jit/builtins.hpp"
#include "jit/convention.hpp"
#include "jit/x64_stubs.hpp"

namespace krait::jit {

using engine::Activation;
using engine::NoIndex;
using engine::TraceFrame;
using engine::Trap;

namespace {

constexpr size_t HugePage = size_t{2} << 20;

void append(Blob& blob, const std::vector<uint8_t>& bytes, uint32_t& begin) {
  blob.code.resize((blob.code.size() + CodeAlignment - 1) & ~(CodeAlignment - 1), 0xcc);
  begin = static_cast<uint32_t>(blob.code.size());
  blob.code.insert(blob.code.end(), bytes.begin(), bytes.end());
}

bool lookup(const engine::CodeRange& range, uint32_t offset, uint32_t& info) {
  const Site* site = site_at(static_cast<const Image*>(range.owner)->blob().sites, offset, false);
  if (site) info = site->kind();
  return site != nullptr;
}

}  // namespace

Blob link(const engine::Module& module, std::vector<CompiledFunction>& functions) {
  Blob blob;
  blob.functions.resize(functions.size());
  size_t bytes = 0, sites = 0;
  for (const CompiledFunction& f : functions) bytes += f.bytes.size() + CodeAlignment, sites += f.sites.size();
  blob.code.reserve(bytes);
  blob.sites.reserve(sites);
  for (size_t i = 0; i < functions.size(); ++i) {
    CompiledFunction& f = functions[i];
    FunctionRecord& record = blob.functions[i];
    record.compiled = f.declined.empty() && i >= module.imported_funcs && !f.bytes.empty();
    record.frame_bytes = f.frame_bytes;
    record.arguments = static_cast<uint16_t>(f.argument_bytes);
    append(blob, f.bytes, record.begin);
    record.end = record.begin + static_cast<uint32_t>(f.bytes.size());
    for (Landing l : f.landings) blob.landings.push_back({l.site + record.begin, l.tag, l.target + record.begin});
    for (Site s : f.sites) blob.sites.push_back({s.offset + record.begin, s.wasm_and_kind});
    std::vector<uint8_t>().swap(f.bytes);
  }
  for (size_t i = 0; i < functions.size(); ++i)
    for (const CallSite& c : functions[i].calls) {
      const uint32_t at = blob.functions[i].begin + c.offset;
      const uint32_t delta = blob.functions[c.func].begin - (at + 4);
      std::memcpy(blob.code.data() + at, &delta, 4);
    }
  blob.enter_of_type.assign(module.types.size(), NoIndex);
  for (size_t t = 0; t < module.types.size(); ++t) {
    const uint32_t canonical = module.canonical_type[t];
    if (canonical != t) blob.enter_of_type[t] = blob.enter_of_type[canonical];
    else if (supports(module.types[t])) append(blob, emit_enter(module.types[t]), blob.enter_of_type[t]);
  }
  return blob;
}

std::shared_ptr<Image> Image::map(std::shared_ptr<const engine::Module> module, Blob blob) {
  std::shared_ptr<Image> image(new Image(std::move(module)));
  image->owned_ = std::move(blob);
  image->blob_ = image->owned_.view();
  image->publish(image->map_code());
  return image;
}

std::shared_ptr<Image> Image::map(std::shared_ptr<const engine::Module> module, MappedBlob file) {
  std::shared_ptr<Image> image(new Image(std::move(module)));
  image->file_ = std::move(file);
  image->blob_ = image->file_.view;
  image->base_ = image->file_.code.data();
  image->mapped_ = image->file_.code.size();
  image->publish(image->base_ != nullptr);
  return image;
}

void Image::publish(bool mapped) {
  if (mapped) {
    range_ = {base_, mapped_, this, lookup, trap_landing()};
    engine::register_code(range_);
  }
  for (uint32_t i = 0; i < module_->functions.size(); ++i) {
    const FunctionRecord& r = blob_.functions[module_->imported_funcs + i];
    code_.push_back(mapped && r.compiled ? base_ + r.begin : entry_stub());
  }
}

bool Image::map_code() {
  if (blob_.code.empty()) return false;
  // Large images start at a huge page's border and ask for such pages: CPython's code is 7 MB, all of it warm.
  const size_t align = blob_.code.size() >= HugePage ? HugePage : 4096;
  const size_t bytes = (blob_.code.size() + align - 1) & ~(align - 1);
  void* area = mmap(nullptr, bytes + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) return false;
  auto* start = static_cast<std::byte*>(area);
  base_ = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(start) + align - 1) & ~(align - 1));
  mapped_ = bytes;
  if (base_ > start) munmap(start, static_cast<size_t>(base_ - start));
  if (std::byte* end = start + bytes + align; end > base_ + bytes) munmap(base_ + bytes, static_cast<size_t>(end - (base_ + bytes)));
  if (align == HugePage) madvise(base_, bytes, MADV_HUGEPAGE);
  bool done = mprotect(base_, bytes, PROT_READ | PROT_WRITE) == 0;
  if (done) {
    std::memcpy(base_, blob_.code.data(), blob_.code.size());
    done = mprotect(base_, bytes, PROT_READ | PROT_EXEC) == 0;
  }
  if (!done) {
    munmap(base_, bytes);
    base_ = nullptr;
    return false;
  }
  return true;
}

void Image::tell(const Audience& audience) {
  if (!base_ || (!audience.perf_map && !audience.gdb)) return;
  std::vector<CodeSymbol> symbols;
  const auto& functions = blob_.functions;
  for (uint32_t i = 0; i < functions.size(); ++i)
    if (functions[i].end > functions[i].begin)
      symbols.push_back({base_ + functions[i].begin, functions[i].end - functions[i].begin, module_->func_name(i), functions[i].arguments});
  std::vector<std::pair<uint32_t, uint32_t>> thunks;  // behind the functions: offset, type
  for (uint32_t t = 0; t < blob_.enter_of_type.size(); ++t)
    if (module_->canonical_type[t] == t && blob_.enter_of_type[t] != NoIndex) thunks.emplace_back(blob_.enter_of_type[t], t);
  std::sort(thunks.begin(), thunks.end());
  for (size_t i = 0; i < thunks.size(); ++i) {
    const auto [begin, type] = thunks[i];
    const size_t end = i + 1 < thunks.size() ? thunks[i + 1].first : blob_.code.size();
    symbols.push_back({base_ + begin, end - begin, EntryThunk, 0, signature_of(module_->types[type]).arguments});
  }
  known_ = audience.tell(symbols);
}

Image::~Image() {
  if (!base_) return;
  engine::unregister_code(range_);
  if (file_.code.empty()) munmap(base_, mapped_);
}

const void* Image::entry(uint32_t defined_func) const {
  const FunctionRecord& r = blob_.functions[module_->imported_funcs + defined_func];
  return base_ && r.compiled ? base_ + r.begin : nullptr;
}

bool Image::enter(engine::Store& store, engine::FuncInstance& func, engine::Slot* slots) const {
  const std::byte* thunk = base_ + blob_.enter_of_type[module_->func_types[func.index]];
  return enter_code(*this, store, thunk, code_[func.index - module_->imported_funcs], func.context, slots);
}

bool Image::find(const std::byte* pc, bool call, CodePlace& place) const {
  if (pc < base_ || pc >= base_ + blob_.code.size()) return false;
  const auto offset = static_cast<uint32_t>(pc - base_);
  // A return address may stand one past its function's end.
  const FunctionRecord* r = function_at(blob_.functions, call ? offset - 1 : offset);
  if (!r) return false;
  const Site* site = site_at(blob_.sites, offset, call);
  place = {static_cast<uint32_t>(r - blob_.functions.data()), r->compiled != 0, r->frame_bytes, r->arguments, site ? site->wasm_pc() : 0,
           landings_at(blob_.landings, offset), base_};
  return true;
}

void Image::trace(const Activation& activation, Trap& trap) const {
  walk_frames(*module_, activation, trap, *this);
}

bool enter_code(const WalkedImage& image, engine::Store& store, const void* thunk, const void* code,
                engine::Context* context, engine::Slot* slots) {
  engine::prepare_thread_for_faults();
  Activation activation;
  activation.previous = store.activation();
  activation.kind = Activation::Kind::Machine;
  activation.stack_top = activation.previous ? activation.previous->stack_top : nullptr;
  activation.unwind[UnwindImage] = static_cast<engine::CodeImage*>(const_cast<WalkedImage*>(&image));
  store.set_activation(&activation);
  using Thunk = bool (*)(Activation*, const void*, engine::Context*, engine::Slot*);
  const bool done = reinterpret_cast<Thunk>(const_cast<void*>(thunk))(&activation, code, context, slots);
  store.set_activation(activation.previous);
  return done;
}

const FunctionRecord* function_at(std::span<const FunctionRecord> functions, uint32_t offset) {
  auto it = std::upper_bound(functions.begin(), functions.end(), offset,
                             [](uint32_t o, const FunctionRecord& r) { return o < r.begin; });
  if (it == functions.begin()) return nullptr;
  --it;
  return offset < it->end ? &*it : nullptr;
}

const Site* site_at(std::span<const Site> sites, uint32_t offset, bool call) {
  auto it = std::lower_bound(sites.begin(), sites.end(), offset, [](const Site& s, uint32_t o) { return s.offset < o; });
  for (; it != sites.end() && it->offset == offset; ++it)
    if ((it->kind() == Site::Call) == call) return &*it;
  return nullptr;
}

std::span<const Landing> landings_at(std::span<const Landing> landings, uint32_t site) {
  const auto [first, end] = std::equal_range(landings.begin(), landings.end(), Landing{site, 0, 0},
                                             [](const Landing& a, const Landing& b) { return a.site < b.site; });
  return {first, end};
}

void walk_frames(const engine::Module& module, const Activation& activation, Trap& trap, const WalkedImage& image) {
  const auto* pc = static_cast<const std::byte*>(activation.pc);
  const auto* frame = static_cast<const std::byte*>(activation.frame);
  bool call = activation.depth == 0;
  for (CodePlace place; image.find(pc, call, place); call = true) {
    if (place.compiled) {
      if (trap.trace.size() < Trap::MaxTraceFrames)
        trap.trace.push_back({module.name(), module.func_name(place.func), place.func, place.wasm_pc});
      else
        ++trap.frames_dropped;
    }
    std::memcpy(&pc, frame + place.frame_bytes, sizeof pc);
    frame += place.frame_bytes + 8 + place.arguments;
  }
}

}  // namespace krait::jit
