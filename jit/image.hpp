// Machine code of a module: laid out, mapped, registered for faults, entered and walked.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/compiler.hpp"
#include "engine/signals.hpp"
#include "jit/code.hpp"
#include "jit/symbols.hpp"

namespace krait::jit {

/// Where a function may begin.
constexpr size_t CodeAlignment = 16;

/// One record a function, imports first.
struct FunctionRecord {
  uint32_t begin = 0, end = 0;   ///< in the code; empty where there is none
  uint32_t frame_bytes = 0;
  uint16_t compiled = 0;         ///< 0: a thunk
  uint16_t arguments = 0;        ///< bytes on the stack, which it takes off
};

/// A module's code, wherever it lies. Free of addresses.
struct BlobView {
  std::span<const FunctionRecord> functions;
  std::span<const Site> sites;
  std::span<const Landing> landings;
  std::span<const uint32_t> enter_of_type;
  std::span<const uint8_t> code;
};

/// A module's code before it is mapped.
struct Blob {
  std::vector<FunctionRecord> functions;
  std::vector<Site> sites;                ///< ascending
  std::vector<Landing> landings;          ///< ascending by site
  std::vector<uint32_t> enter_of_type;    ///< by type index: offset of the entry thunk, NoIndex where unsupported
  std::vector<uint8_t> code;
  [[nodiscard]] BlobView view() const { return {functions, sites, landings, enter_of_type, code}; }
};

/// A Blob's file in memory, checked (jit/blob_file.hpp). Owns both mappings.
struct MappedBlob {
  BlobView view;
  std::span<std::byte> all;   ///< read-only
  std::span<std::byte> code;  ///< read-execute
  MappedBlob() = default;
  MappedBlob(MappedBlob&& other) noexcept { *this = std::move(other); }
  MappedBlob& operator=(MappedBlob&& other) noexcept;
  ~MappedBlob();
};

/// Lays functions out in index order and links their calls. `functions` counts imports first.
Blob link(const engine::Module& module, std::vector<CompiledFunction>& functions);

/// A place in machine code, for those who walk its frames.
struct CodePlace {
  uint32_t func;         ///< function index
  bool compiled;         ///< false: a thunk, which is no frame of the guest
  uint32_t frame_bytes;
  uint32_t arguments;    ///< bytes above the return address, which are not the caller's
  uint32_t wasm_pc;      ///< 0 where not known
  std::span<const Landing> landings;  ///< of the call
  const std::byte* base; ///< what their targets count from
};
/// Those of the call that returns to `site`.
std::span<const Landing> landings_at(std::span<const Landing> landings, uint32_t site);

/// Code of a module as it is walked.
class WalkedImage : public engine::CodeImage {
 public:
  /// What lies at pc; `call`: pc is a return address. False where it is not of this image. Any thread.
  virtual bool find(const std::byte* pc, bool call, CodePlace& place) const = 0;
};
/// The function among `functions` (ascending) whose code holds `offset`, or null.
const FunctionRecord* function_at(std::span<const FunctionRecord> functions, uint32_t offset);
/// The site at `offset`, of a call or of an instruction that may fault, or null.
const Site* site_at(std::span<const Site> sites, uint32_t offset, bool call);
/// Walks the frames of a Machine activation outwards while the image knows the place; as CodeImage::trace.
void walk_frames(const engine::Module& module, const engine::Activation& activation, engine::Trap& trap, const WalkedImage& image);
/// Runs `code` of `image` through the entry thunk of its type, in an activation of its own; as CodeImage::enter.
bool enter_code(const WalkedImage& image, engine::Store& store, const void* thunk, const void* code,
                engine::Context* context, engine::Slot* slots);

class Image final : public WalkedImage {
 public:
  static std::shared_ptr<Image> map(std::shared_ptr<const engine::Module> module, Blob blob);
  /// Runs the code where it lies.
  static std::shared_ptr<Image> map(std::shared_ptr<const engine::Module> module, MappedBlob file);
  ~Image() override;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  [[nodiscard]] const void* entry(uint32_t defined_func) const override;
  [[nodiscard]] const void* const* code() const override { return code_.data(); }
  bool enter(engine::Store& store, engine::FuncInstance& func, engine::Slot* slots) const override;
  void trace(const engine::Activation& activation, engine::Trap& trap) const override;

  [[nodiscard]] const BlobView& blob() const { return blob_; }
  /// The entry thunk of a type, by its index; null where there is none.
  [[nodiscard]] const void* thunk_of(uint32_t type) const {
    return base_ && blob_.enter_of_type[type] != engine::NoIndex ? base_ + blob_.enter_of_type[type] : nullptr;
  }
  [[nodiscard]] const std::byte* base() const { return base_; }
  /// Lets people's tools know of this code.
  void tell(const Audience& audience);
  bool find(const std::byte* pc, bool call, CodePlace& place) const override;

 private:
  explicit Image(std::shared_ptr<const engine::Module> module) : module_(std::move(module)) {}
  bool map_code();
  void publish(bool mapped);

  std::shared_ptr<const engine::Module> module_;
  Blob owned_;
  MappedBlob file_;
  BlobView blob_;  // of the one or the other
  std::byte* base_ = nullptr;
  size_t mapped_ = 0;
  engine::CodeRange range_;
  std::vector<const void*> code_;  // by defined function
  std::unique_ptr<KnownToGdb> known_;
};

}  // namespace krait::jit
