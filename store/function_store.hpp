// The functions that users have uploaded: USER/FUNC -> kind and contents.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/blob_store.hpp"

namespace krait::store {

enum class FunctionKind : uint8_t {
  Python,  ///< the text of a Python file
  Wasm,    ///< a module in the binary format
};
/// "python", "wasm"
const char* name_of(FunctionKind kind);

struct FunctionInfo {
  std::string user, name;
  FunctionKind kind = FunctionKind::Python;
  Digest digest;         ///< of the contents
  uint64_t size = 0;     ///< of the contents, bytes
  std::string uploaded;  ///< UTC: "2026-01-31T12:00:00Z"
  std::string settings;  ///< the uploader's own text, kept as it is
};

/// Differs between any two uploads of a function; cheap to get.
struct FunctionStamp {
  uint64_t inode = 0;
  int64_t changed_ns = 0;
  bool operator==(const FunctionStamp&) const = default;
};

struct Function {
  FunctionInfo info;
  Bytes contents;
};

struct Listing {
  std::vector<FunctionInfo> functions;  ///< by user, then by name
  std::vector<Error> damaged;           ///< one for each entry that cannot be read
};

/// Longest name of a user or a function, bytes.
constexpr size_t MaxNameBytes = 200;
/// Largest contents of a function, bytes.
constexpr uint64_t MaxFunctionBytes = uint64_t{256} << 20;

/// Nothing where `name` may be the name of a user or a function: 1 to MaxNameBytes of A-Z a-z 0-9 _ - and, but not in
/// front, the dot. `what` ("user", "function") is for the error.
Result<void> check_name(std::string_view what, std::string_view name);

/// $KRAIT_HOME, else $XDG_DATA_HOME/krait, else $HOME/.local/share/krait. An error where none of the three is set.
Result<std::filesystem::path> default_home();

/// The functions of one home folder. Any thread; any number of processes at once. A put() replaces what was there in
/// one step: every get(), in any process, sees the old function or the new one, whole; and the next get() after put()
/// returned, the new.
class FunctionStore {
 public:
  /// Touches nothing yet: the folder is made at the first put().
  explicit FunctionStore(std::filesystem::path home);

  Result<FunctionInfo> put(const std::string& user, const std::string& name, FunctionKind kind,
                           std::span<const std::byte> contents, std::string settings = {});
  /// Of the function as it is now, by one system call; nothing where there is none.
  [[nodiscard]] Result<std::optional<FunctionStamp>> stamp(const std::string& user, const std::string& name) const;
  /// Nothing where there is no such function. An error where it is damaged.
  [[nodiscard]] Result<std::optional<Function>> get(const std::string& user, const std::string& name) const;
  /// The functions of one user, or of all where `user` is empty.
  [[nodiscard]] Result<Listing> list(const std::string& user = {}) const;
  /// False where there was no such function.
  Result<bool> remove(const std::string& user, const std::string& name);

  [[nodiscard]] const std::filesystem::path& home() const { return home_; }

 private:
  [[nodiscard]] std::filesystem::path manifest_path(const std::string& user, const std::string& name) const;
  [[nodiscard]] Result<std::optional<FunctionInfo>> info(const std::string& user, const std::string& name) const;
  Result<void> drop_unused();

  std::filesystem::path home_;
  BlobStore blobs_;
};

}  // namespace krait::store
