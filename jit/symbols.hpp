// Machine code for other people's tools: perf's map file, and gdb's JIT interface.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace krait::jit {

/// A function in machine code. It begins with its pushes and one `sub rsp`, if it has a frame.
struct CodeSymbol {
  const std::byte* begin;
  size_t size;
  std::string name;
  uint32_t arguments = 0;   ///< bytes above the return address that it takes off
  uint32_t handed = 0;      ///< bytes of its frame that its callee takes off: an entry thunk's arguments
};

/// The name of what enters machine code.
constexpr const char* EntryThunk = "[enter]";

/// Code that a debugger knows of, for as long as this lives.
class KnownToGdb {
 public:
  /// `symbols` ascending, not empty. Any thread.
  explicit KnownToGdb(std::span<const CodeSymbol> symbols);
  ~KnownToGdb();
  KnownToGdb(const KnownToGdb&) = delete;
  KnownToGdb& operator=(const KnownToGdb&) = delete;

 private:
  struct Entry;
  std::vector<std::byte> elf_;
  std::unique_ptr<Entry> entry_;
};

/// An object file in memory: a symbol for each function, and how to unwind it.
std::vector<std::byte> object_file(std::span<const CodeSymbol> symbols);

/// Appends to /tmp/perf-PID.map. Any thread.
void write_perf_map(std::span<const CodeSymbol> symbols);

/// Who is to be told of code.
struct Audience {
  bool perf_map = false;
  bool gdb = false;
  /// Null where gdb is not told.
  [[nodiscard]] std::unique_ptr<KnownToGdb> tell(std::span<const CodeSymbol> symbols) const {
    if (perf_map) write_perf_map(symbols);
    return gdb && !symbols.empty() ? std::make_unique<KnownToGdb>(symbols) : nullptr;
  }
};

}  // namespace krait::jit
