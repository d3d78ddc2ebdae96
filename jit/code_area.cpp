// Code that appears piece by piece.
//
// Invariants.
//  1. A page of code is written once, while it is read-write and nobody knows of it, and is read-execute ever after. Only
//     the page of `calls` stays writable, and it is never executable.
//  2. A piece starts at a page's border, so a page belongs to one piece, and what lies at an address is found by the page
//     without a lock. A piece is complete before it stands in piece_of_page_, and lives as long as the area.
//  3. All lies within 1 GiB: every call and jump reaches with 32 bits.
#include "jit/code_area.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "jit/builtins.hpp"

namespace krait::jit {
namespace {

constexpr size_t Page = 4096, StubBytes = 16;
constexpr size_t MaxArea = size_t{1} << 30;

constexpr size_t round_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

}  // namespace

std::unique_ptr<CodeArea> CodeArea::create(const engine::Module& module, const Audience& audience) {
  std::unique_ptr<CodeArea> area(new CodeArea(module, audience));
  return area->reserve() ? std::move(area) : nullptr;
}

bool CodeArea::reserve() {
  const size_t functions = module_.func_types.size();
  size_t wasm = 0;
  for (const engine::Function& f : module_.functions) wasm += f.code_end - f.code_begin;
  const size_t calls = round_up(functions * sizeof(engine::FuncEntry), Page), stubs = round_up(functions * StubBytes, Page);
  // Code is about twice its wasm; each function may come alone, in pages of its own, and once more for each of some loops.
  reserved_ = calls + stubs + round_up(8 * wasm, Page) + 2 * functions * Page + 64 * Page;
  if (reserved_ > MaxArea) reserved_ = std::max(MaxArea, calls + stubs);
  void* at = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return false;
  base_ = static_cast<std::byte*>(at);
  placed_.resize(functions);
  piece_of_page_ = std::make_unique<std::atomic<const Piece*>[]>(reserved_ / Page);
  if (calls && mprotect(base_, calls, PROT_READ | PROT_WRITE) != 0) return false;
  calls_ = reinterpret_cast<engine::FuncEntry*>(base_);
  for (uint32_t i = 0; i < functions; ++i) calls_[i] = {entry_stub(), engine::NullType, i};
  used_ = calls;
  stubs_ = static_cast<uint32_t>(used_);
  std::byte* out = open_pages(stubs);
  if (!out) return false;
  for (size_t i = 0; i < functions; ++i) {
    // lea r11, [rip + calls + 16 * i]; jmp [r11]: as a call through a table arrives at the entry stub
    const auto delta = static_cast<int32_t>(static_cast<int64_t>(i * sizeof(engine::FuncEntry)) -
                                            static_cast<int64_t>(stubs_ + i * StubBytes + 7));
    const uint8_t jump[] = {0x4c, 0x8d, 0x1d, 0, 0, 0, 0, 0x41, 0xff, 0x23, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc};
    std::memcpy(out + i * StubBytes, jump, sizeof jump);
    std::memcpy(out + i * StubBytes + 3, &delta, sizeof delta);
  }
  if (!close_pages(stubs, std::make_unique<Piece>())) return false;
  range_ = {base_, reserved_, this, lookup, trap_landing()};
  engine::register_code(range_);
  return true;
}

CodeArea::~CodeArea() {
  if (range_.begin) engine::unregister_code(range_);
  if (base_) munmap(base_, reserved_);
}

/// The next pages, for writing; null when there are none.
std::byte* CodeArea::open_pages(size_t bytes) {
  bytes = round_up(bytes, Page);
  if (bytes > reserved_ - used_) return nullptr;
  if (bytes && mprotect(base_ + used_, bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
  return base_ + used_;
}

bool CodeArea::close_pages(size_t bytes, std::unique_ptr<Piece> piece) {
  bytes = round_up(bytes, Page);
  if (bytes && mprotect(base_ + used_, bytes, PROT_READ | PROT_EXEC) != 0) return false;
  for (size_t page = used_ / Page; page < (used_ + bytes) / Page; ++page)
    piece_of_page_[page].store(piece.get(), std::memory_order_release);
  pieces_.push_back(std::move(piece));
  used_ += bytes;
  return true;
}

/// Points the calls of code that lies at `at` to where their functions are, or to their stubs.
void CodeArea::link(const Item& item, uint32_t at) {
  for (const CallSite& c : item.code->calls) {
    const uint32_t to = placed_[c.func] ? placed_[c.func] : stubs_ + static_cast<uint32_t>(c.func * StubBytes);
    const uint32_t delta = to - (at + c.offset + 4);
    std::memcpy(base_ + at + c.offset, &delta, sizeof delta);
  }
}

bool CodeArea::publish(std::span<Item> items) {
  size_t bytes = 0;
  for (const Item& item : items) bytes = round_up(bytes, CodeAlignment) + item.code->bytes.size();
  std::byte* const out = open_pages(bytes);
  if (!out) return false;
  std::memset(out, 0xcc, round_up(bytes, Page));
  auto piece = std::make_unique<Piece>();
  piece->begin = static_cast<uint32_t>(used_);
  size_t at = used_;
  std::vector<uint32_t> offsets;
  for (Item& item : items) {
    const auto begin = static_cast<uint32_t>(at = round_up(at, CodeAlignment));
    std::memcpy(base_ + at, item.code->bytes.data(), item.code->bytes.size());
    at += item.code->bytes.size();
    piece->functions.push_back({begin, static_cast<uint32_t>(at), item.code->frame_bytes, !item.is_thunk,
                                static_cast<uint16_t>(item.code->argument_bytes)});
    piece->indices.push_back(item.func);
    for (const Landing& l : item.code->landings) piece->landings.push_back({l.site + begin, l.tag, l.target + begin});
    for (const Site& s : item.code->sites) piece->sites.push_back({s.offset + begin, s.wasm_and_kind});
    item.at = base_ + begin;
    offsets.push_back(begin);
    if (!item.from_loop) placed_[item.func] = begin;
  }
  for (size_t i = 0; i < items.size(); ++i) link(items[i], offsets[i]);
  if (close_pages(bytes, std::move(piece))) {
    std::vector<CodeSymbol> symbols;
    for (const Item& item : items) symbols.push_back({item.at, item.code->bytes.size(), module_.func_name(item.func), item.code->argument_bytes});
    known_.push_back(audience_.tell(symbols));
    return true;
  }
  for (const Item& item : items)
    if (!item.from_loop) placed_[item.func] = 0;
  return false;
}

const std::byte* CodeArea::publish(std::span<const uint8_t> bytes, std::span<const Thunk> thunks) {
  std::byte* const out = open_pages(bytes.size());
  if (!out) return nullptr;
  std::memcpy(out, bytes.data(), bytes.size());
  if (!close_pages(bytes.size(), std::make_unique<Piece>())) return nullptr;
  std::vector<CodeSymbol> symbols;
  for (size_t i = 0; i < thunks.size(); ++i) {
    const size_t end = i + 1 < thunks.size() ? thunks[i + 1].begin : bytes.size();
    symbols.push_back({out + thunks[i].begin, end - thunks[i].begin, EntryThunk, 0, thunks[i].arguments});
  }
  known_.push_back(audience_.tell(symbols));
  return out;
}

void CodeArea::call_through(uint32_t func, const void* code) {
  __atomic_store_n(&calls_[func].code, code, __ATOMIC_RELEASE);
}

const CodeArea::Piece* CodeArea::piece_at(uint32_t offset) const {
  return piece_of_page_[offset / Page].load(std::memory_order_acquire);
}

bool CodeArea::find(const std::byte* pc, bool call, CodePlace& place) const {
  if (pc < base_ || pc >= base_ + reserved_) return false;
  const auto offset = static_cast<uint32_t>(pc - base_);
  const uint32_t within = call ? offset - 1 : offset;  // a return address may stand one past its function's end
  const Piece* piece = piece_at(within);
  const FunctionRecord* r = piece ? function_at(piece->functions, within) : nullptr;
  if (!r) return false;
  const Site* site = site_at(piece->sites, offset, call);
  place = {piece->indices[static_cast<size_t>(r - piece->functions.data())], r->compiled != 0, r->frame_bytes, r->arguments,
           site ? site->wasm_pc() : 0, landings_at(piece->landings, offset), base_};
  return true;
}

bool CodeArea::lookup(const engine::CodeRange& range, uint32_t offset, uint32_t& info) {
  const Piece* piece = static_cast<const CodeArea*>(range.owner)->piece_at(offset);
  const Site* site = piece ? site_at(piece->sites, offset, false) : nullptr;
  if (site) info = site->kind();
  return site != nullptr;
}

}  // namespace krait::jit
