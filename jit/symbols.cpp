// gdb's JIT interface and perf's map.
//
// The interface is two symbols that gdb knows by name: a list of object files in our memory, and a function in which it stops to
// read the list again. Our object files hold a section of code where it lies, symbols, and .eh_frame: how far each function has moved
// rsp, and which registers it has saved, instruction by instruction of its prologue. An epilogue is not described.
#include "jit/symbols.hpp"

#include <elf.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <mutex>

#include "base/byte_stream.hpp"

extern "C" {

struct jit_code_entry {
  jit_code_entry* next_entry;
  jit_code_entry* prev_entry;
  const char* symfile_addr;
  uint64_t symfile_size;
};
struct jit_descriptor {
  uint32_t version;
  uint32_t action_flag;
  jit_code_entry* relevant_entry;
  jit_code_entry* first_entry;
};
// Names and layout are gdb's ("JIT Compilation Interface"). Code that loads another JIT shares the list.
[[gnu::weak, gnu::used]] jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
[[gnu::weak, gnu::used, gnu::noinline]] void __jit_debug_register_code() { asm volatile("" ::: "memory"); }

}  // extern "C"

namespace krait::jit {
namespace {

std::mutex list_mutex;  // of gdb's list, which is one a process
enum Action : uint32_t { Register = 1, Unregister = 2 };

void tell_gdb(Action action, jit_code_entry& entry) {
  __jit_debug_descriptor.action_flag = action;
  __jit_debug_descriptor.relevant_entry = &entry;
  __jit_debug_register_code();
}

/// Bytes in the making, with what ELF and DWARF need besides.
class Bytes : private ByteWriter {
 public:
  void u8(unsigned value) { put(static_cast<uint8_t>(value)); }
  template <typename T>
  void raw(const T& value) { put(value); }
  void uleb(uint64_t value) {
    for (; value >= 0x80; value >>= 7) u8(static_cast<unsigned>(value & 0x7f) | 0x80);
    u8(static_cast<unsigned>(value));
  }
  void align(size_t to, unsigned with) {
    while (out.size() % to) u8(with);
  }
  template <typename T>
  void patch(size_t at, const T& value) { std::memcpy(out.data() + at, &value, sizeof value); }
  [[nodiscard]] size_t size() const { return out.size(); }
  std::vector<std::byte> take() { return std::move(out); }
  void append(const std::vector<std::byte>& more) { ByteWriter::raw(more.data(), more.size()); }
};

constexpr unsigned CfaAdvance = 0x40, CfaOffset = 0x80, CfaDefCfa = 0x0c, CfaDefCfaOffset = 0x0e;
constexpr unsigned DwarfRsp = 7, DwarfRip = 16;
/// DWARF's numbers of the registers by x86's encoding.
constexpr unsigned DwarfOf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};

/// What the prologue does to the frame: a push a turn, then the subtraction. Entry thunks note rsp in between.
void frame_rules(const CodeSymbol& symbol, Bytes& out) {
  const auto* code = reinterpret_cast<const uint8_t*>(symbol.begin);
  size_t at = 0, told = 0;
  // The canonical frame address is what rsp is in the caller afterwards: above the arguments.
  uint64_t cfa = 8 + symbol.arguments;
  if (symbol.arguments) {
    out.u8(CfaDefCfaOffset), out.uleb(cfa);
    out.u8(CfaOffset | DwarfRip), out.uleb(cfa / 8);
  }
  const auto advance = [&] {
    if (at > told) out.u8(CfaAdvance | static_cast<unsigned>(at - told));
    told = at;
    out.u8(CfaDefCfaOffset);
    out.uleb(cfa);
  };
  while (at + 2 < symbol.size) {
    const bool high = code[at] == 0x41;
    const uint8_t op = code[at + high];
    if ((op & 0xf8) != 0x50) break;
    at += 1u + high;
    cfa += 8;
    advance();
    out.u8(CfaOffset | DwarfOf[(op & 7u) + 8u * high]);
    out.uleb(cfa / 8);
  }
  // sub rsp, imm8 or imm32
  const bool entry_thunk = symbol.name == EntryThunk;
  for (const size_t last = at + (entry_thunk ? 24 : 0); at <= last && at + 7 < symbol.size; ++at) {
    if (code[at] != 0x48 || code[at + 2] != 0xec || (code[at + 1] != 0x83 && code[at + 1] != 0x81)) continue;
    uint32_t size = code[at + 3];
    if (code[at + 1] == 0x81) std::memcpy(&size, code + at + 3, sizeof size);
    at += code[at + 1] == 0x81 ? 7 : 4;
    cfa += size - symbol.handed;
    advance();
    return;
  }
}

std::vector<std::byte> eh_frame(std::span<const CodeSymbol> symbols) {
  Bytes out;
  const auto entry = [&](uint32_t id, auto&& body) {
    const size_t at = out.size();
    out.raw(uint32_t{0});
    out.raw(id);
    body();
    out.align(8, 0);  // DW_CFA_nop
    out.patch(at, static_cast<uint32_t>(out.size() - at - 4));
  };
  entry(0, [&] {
    out.u8(1);        // version
    out.u8(0);        // no augmentation: addresses are absolute
    out.uleb(1);      // code alignment
    out.u8(0x78);     // data alignment: -8
    out.u8(DwarfRip);
    out.u8(CfaDefCfa), out.uleb(DwarfRsp), out.uleb(8);
    out.u8(CfaOffset | DwarfRip), out.uleb(1);
  });
  for (const CodeSymbol& s : symbols)
    entry(static_cast<uint32_t>(out.size() + 4), [&] {
      out.raw(s.begin);
      out.raw(uint64_t{s.size});
      frame_rules(s, out);
    });
  out.raw(uint32_t{0});
  return out.take();
}

/// The sections of an object file, one behind the other.
class Sections {
 public:
  explicit Sections(Bytes& out) : out_(out) {
    headers_.emplace_back();
    names_.u8(0);
  }
  Elf64_Shdr& add(const char* name, uint32_t type, uint64_t flags, const std::vector<std::byte>& contents) {
    out_.align(8, 0);
    Elf64_Shdr h{};
    h.sh_name = static_cast<uint32_t>(names_.size());
    for (const char* c = name; *c; ++c) names_.u8(static_cast<unsigned char>(*c));
    names_.u8(0);
    h.sh_type = type;
    h.sh_flags = flags;
    h.sh_offset = out_.size();
    h.sh_size = contents.size();
    h.sh_addralign = 8;
    out_.append(contents);
    return headers_.emplace_back(h);
  }
  /// The names, then the table; its offset and length go into the file's header.
  void finish(Elf64_Ehdr& file) {
    Elf64_Shdr& h = add(".shstrtab", SHT_STRTAB, 0, {});
    h.sh_size = names_.size();
    out_.append(names_.take());
    out_.align(8, 0);
    file.e_shoff = out_.size();
    file.e_shnum = static_cast<uint16_t>(headers_.size());
    file.e_shstrndx = static_cast<uint16_t>(headers_.size() - 1);
    for (const Elf64_Shdr& header : headers_) out_.raw(header);
  }

 private:
  Bytes& out_;
  Bytes names_;
  std::vector<Elf64_Shdr> headers_;
};

}  // namespace

std::vector<std::byte> object_file(std::span<const CodeSymbol> symbols) {
  const std::byte* const base = symbols.front().begin;
  Bytes table, names;
  table.raw(Elf64_Sym{});
  names.u8(0);
  for (const CodeSymbol& s : symbols) {
    Elf64_Sym symbol{};
    symbol.st_name = static_cast<uint32_t>(names.size());
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    symbol.st_value = static_cast<uint64_t>(s.begin - base);
    symbol.st_size = s.size;
    table.raw(symbol);
    for (const char c : s.name) names.u8(static_cast<unsigned char>(c));
    names.u8(0);
  }
  Elf64_Ehdr file{};
  std::memcpy(file.e_ident, ELFMAG, SELFMAG);
  file.e_ident[EI_CLASS] = ELFCLASS64;
  file.e_ident[EI_DATA] = ELFDATA2LSB;
  file.e_ident[EI_VERSION] = EV_CURRENT;
  file.e_type = ET_REL;
  file.e_machine = EM_X86_64;
  file.e_version = EV_CURRENT;
  file.e_ehsize = sizeof file;
  file.e_shentsize = sizeof(Elf64_Shdr);
  Bytes out;
  out.raw(file);
  Sections sections(out);
  Elf64_Shdr& text = sections.add(".text", SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, {});
  text.sh_addr = reinterpret_cast<uint64_t>(base);
  text.sh_size = static_cast<uint64_t>(symbols.back().begin + symbols.back().size - base);
  sections.add(".eh_frame", SHT_PROGBITS, SHF_ALLOC, eh_frame(symbols));
  Elf64_Shdr& symtab = sections.add(".symtab", SHT_SYMTAB, 0, table.take());
  symtab.sh_link = 4;  // .strtab, the next section
  symtab.sh_info = 1;  // local symbols: the null one
  symtab.sh_entsize = sizeof(Elf64_Sym);
  sections.add(".strtab", SHT_STRTAB, 0, names.take());
  sections.finish(file);
  out.patch(0, file);
  return out.take();
}

struct KnownToGdb::Entry : jit_code_entry {};

KnownToGdb::KnownToGdb(std::span<const CodeSymbol> symbols) : elf_(object_file(symbols)), entry_(new Entry{}) {
  entry_->symfile_addr = reinterpret_cast<const char*>(elf_.data());
  entry_->symfile_size = elf_.size();
  const std::lock_guard lock(list_mutex);
  entry_->next_entry = __jit_debug_descriptor.first_entry;
  if (entry_->next_entry) entry_->next_entry->prev_entry = entry_.get();
  __jit_debug_descriptor.first_entry = entry_.get();
  tell_gdb(Register, *entry_);
}

KnownToGdb::~KnownToGdb() {
  const std::lock_guard lock(list_mutex);
  if (entry_->next_entry) entry_->next_entry->prev_entry = entry_->prev_entry;
  (entry_->prev_entry ? entry_->prev_entry->next_entry : __jit_debug_descriptor.first_entry) = entry_->next_entry;
  tell_gdb(Unregister, *entry_);
}

void write_perf_map(std::span<const CodeSymbol> symbols) {
  std::string lines;
  char numbers[40];
  for (const CodeSymbol& s : symbols) {
    std::snprintf(numbers, sizeof numbers, "%lx %zx ", reinterpret_cast<unsigned long>(s.begin), s.size);
    lines.append(numbers).append(s.name).push_back('\n');
  }
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (!file) return;
  std::fwrite(lines.data(), 1, lines.size(), file);  // whole, where several threads append: one write of "a"
  std::fclose(file);
}

}  // namespace krait::jit
