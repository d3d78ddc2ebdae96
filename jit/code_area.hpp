// Machine code of one module that appears piece by piece, while other threads run what is there already.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "jit/image.hpp"

namespace krait::jit {

/// A reservation of address space: calls | stubs | pieces. A call to a function that has no code yet goes through its stub,
/// which jumps where `calls` says: to the entry stub at first. publish() and call_through() are for one thread at a time; the
/// rest is for any thread, and find() and lookups for signal handlers too.
class CodeArea {
 public:
  /// A function to publish, whole or from one of its loops on.
  struct Item {
    uint32_t func;                  ///< function index
    const CompiledFunction* code;
    bool is_thunk = false;          ///< no frame of the guest
    bool from_loop = false;         ///< calls do not lead here
    const std::byte* at = nullptr;  ///< where it came to lie
  };

  /// Null where there is no memory for it.
  static std::unique_ptr<CodeArea> create(const engine::Module& module, const Audience& audience = {});
  ~CodeArea();
  CodeArea(const CodeArea&) = delete;
  CodeArea& operator=(const CodeArea&) = delete;

  /// Puts code into new pages, links it, and makes the pages executable. False when the area is full: nothing is published.
  bool publish(std::span<Item> items);
  /// An entry thunk among others.
  struct Thunk {
    size_t begin;
    uint32_t arguments;   ///< of its type, on the stack
  };
  /// Entry thunks, one behind the other. Null when the area is full.
  const std::byte* publish(std::span<const uint8_t> bytes, std::span<const Thunk> thunks);
  /// Calls of `func` through its stub go to `code` from now on.
  void call_through(uint32_t func, const void* code);

  bool find(const std::byte* pc, bool call, CodePlace& place) const;
  [[nodiscard]] size_t published_bytes() const { return used_; }

 private:
  struct Piece {
    uint32_t begin = 0;                      ///< in the area
    std::vector<FunctionRecord> functions;   ///< ascending, offsets in the area
    std::vector<uint32_t> indices;           ///< of each the function index
    std::vector<Site> sites;
    std::vector<Landing> landings;
  };
  CodeArea(const engine::Module& module, const Audience& audience) : module_(module), audience_(audience) {}
  bool reserve();
  [[nodiscard]] const Piece* piece_at(uint32_t offset) const;
  std::byte* open_pages(size_t bytes);
  bool close_pages(size_t bytes, std::unique_ptr<Piece> piece);
  void link(const Item& item, uint32_t at);
  static bool lookup(const engine::CodeRange& range, uint32_t offset, uint32_t& info);

  const engine::Module& module_;
  const Audience audience_;
  std::byte* base_ = nullptr;
  size_t reserved_ = 0;
  size_t used_ = 0;                              // whole pages
  engine::FuncEntry* calls_ = nullptr;           // by function index; read-write
  uint32_t stubs_ = 0;                           // offset of the stubs
  std::vector<uint32_t> placed_;                 // by function index: offset, 0 where it has none
  std::unique_ptr<std::atomic<const Piece*>[]> piece_of_page_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  engine::CodeRange range_;
  std::vector<std::unique_ptr<KnownToGdb>> known_;
};

}  // namespace krait::jit
