// HOME/functions/USER/FUNC.json says what a function is; its contents are the blob of that digest in HOME/blobs.
//
// Invariants.
//  1. A manifest has its name only after its blob has: a reader that finds the one finds the other, unless a newer
//     manifest took its place meanwhile; then the reader starts again.
//  2. Who changes manifests, or removes blobs, holds HOME/lock; so a blob that put() wrote is not removed as unused
//     before its manifest stands. A blob that a crash between the two left unused goes with the next one that is
//     replaced.
#include "store/function_store.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

namespace krait::store {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int ManifestFormat = 1;
constexpr std::string_view ManifestSuffix = ".json";

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string write_manifest(const FunctionInfo& info) {
  json manifest{{"format", ManifestFormat},
                {"kind", name_of(info.kind)},
                {"sha256", info.digest.hex()},
                {"size", info.size},
                {"uploaded", info.uploaded}};
  if (!info.settings.empty()) manifest["settings"] = info.settings;
  return manifest.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
}

/// Fills in all but the names; false where the text is not a manifest.
bool read_manifest(std::span<const std::byte> text, FunctionInfo& info) {
  const char* begin = reinterpret_cast<const char*>(text.data());
  const json manifest = json::parse(begin, begin + text.size(), nullptr, /*allow_exceptions=*/false);
  const auto string_at = [&](const char* key) {
    const auto it = manifest.find(key);
    return it != manifest.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  if (!manifest.is_object()) return false;
  const auto format = manifest.find("format"), size = manifest.find("size");
  if (format == manifest.end() || *format != ManifestFormat) return false;
  if (size == manifest.end() || !size->is_number_unsigned()) return false;
  const auto digest = Digest::parse(string_at("sha256"));
  const std::string kind = string_at("kind");
  if (!digest || (kind != "python" && kind != "wasm")) return false;
  info.kind = kind == "python" ? FunctionKind::Python : FunctionKind::Wasm;
  info.digest = *digest;
  info.size = size->get<uint64_t>();
  info.uploaded = string_at("uploaded");
  info.settings = string_at("settings");
  return true;
}

Result<void> check_names(const std::string& user, const std::string& name) {
  if (auto checked = check_name("user", user); !checked) return checked;
  return check_name("function", name);
}

/// The name for an error message: what cannot be printed replaced, what is long cut.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '?';
  return "'" + text + (name.size() > 40 ? "...'" : "'");
}

}  // namespace

const char* name_of(FunctionKind kind) { return kind == FunctionKind::Python ? "python" : "wasm"; }

Result<void> check_name(std::string_view what, std::string_view name) {
  const std::string which = std::string(what) + " name ";
  if (name.empty()) return Error{"the " + which + "is empty"};
  if (name.size() > MaxNameBytes)
    return Error{which + shown(name) + " has " + std::to_string(name.size()) + " bytes: at most " +
                 std::to_string(MaxNameBytes) + " are allowed"};
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '-' && c != '.')
      return Error{which + shown(name) + ": only A-Z, a-z, 0-9, '_', '-' and '.' are allowed"};
  }
  if (name[0] == '.' || name[0] == '-') return Error{which + shown(name) + " may not begin with '" + name[0] + "'"};
  return {};
}

Result<fs::path> default_home() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const std::string home = variable("KRAIT_HOME"); !home.empty()) return fs::path(home);
  // The XDG specification: a relative path is to be ignored.
  if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/')) return fs::path(data) / "krait";
  if (const std::string home = variable("HOME"); !home.empty()) return fs::path(home) / ".local" / "share" / "krait";
  return Error{"no place for the store: set KRAIT_HOME to a folder"};
}

FunctionStore::FunctionStore(fs::path home) : home_(std::move(home)), blobs_(home_ / "blobs") {}

fs::path FunctionStore::manifest_path(const std::string& user, const std::string& name) const {
  return home_ / "functions" / user / (name + std::string(ManifestSuffix));
}

Result<FunctionInfo> FunctionStore::put(const std::string& user, const std::string& name, FunctionKind kind,
                                        std::span<const std::byte> contents, std::string settings) {
  if (auto checked = check_names(user, name); !checked) return checked.error();
  if (contents.size() > MaxFunctionBytes)
    return Error{"the function has " + std::to_string(contents.size()) + " bytes: at most " +
                 std::to_string(MaxFunctionBytes) + " are allowed"};
  const fs::path path = manifest_path(user, name), temporary = home_ / "tmp";
  for (const fs::path& folder : {temporary, path.parent_path()})
    if (auto made = make_folders(folder); !made) return made.error();
  const auto lock = lock_file(home_ / "lock");
  if (!lock) return lock.error();
  if (auto cleaned = remove_leftovers(temporary); !cleaned) return cleaned.error();

  const auto old = info(user, name);  // where it is damaged, this put is the cure
  const auto digest = blobs_.put(contents);
  if (!digest) return digest.error();
  FunctionInfo info{user, name, kind, *digest, contents.size(), utc_now(), std::move(settings)};
  const std::string text = write_manifest(info);
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(text))};
  if (auto written = write_file(path, temporary, parts); !written) return written.error();
  const bool replaced = !old.ok() || (old->has_value() && (*old)->digest != info.digest);
  if (replaced)
    if (auto dropped = drop_unused(); !dropped) return dropped.error();
  return info;
}

Result<std::optional<FunctionStamp>> FunctionStore::stamp(const std::string& user, const std::string& name) const {
  if (auto checked = check_names(user, name); !checked) return checked.error();
  struct stat s{};
  const fs::path path = manifest_path(user, name);
  if (::stat(path.c_str(), &s) == 0)
    return std::optional(FunctionStamp{s.st_ino, int64_t{s.st_ctim.tv_sec} * 1'000'000'000 + s.st_ctim.tv_nsec});
  if (errno == ENOENT || errno == ENOTDIR) return std::optional<FunctionStamp>{};
  return system_error("read", path);
}

Result<std::optional<FunctionInfo>> FunctionStore::info(const std::string& user, const std::string& name) const {
  const fs::path path = manifest_path(user, name);
  const auto text = read_file(path);
  if (!text) return text.error();
  if (!text->has_value()) return std::optional<FunctionInfo>{};
  FunctionInfo info{user, name};
  if (!read_manifest(**text, info))
    return Error{"damaged or of a newer krait: " + path.string() + ": upload " + user + "/" + name + " again"};
  return std::optional<FunctionInfo>(std::move(info));
}

Result<std::optional<Function>> FunctionStore::get(const std::string& user, const std::string& name) const {
  if (auto checked = check_names(user, name); !checked) return checked.error();
  Result<Fd> lock = Fd();
  for (const bool locked : {false, true}) {
    if (locked) lock = lock_file(home_ / "lock");
    auto found = info(user, name);
    if (!found) return found.error();
    if (!found->has_value()) return std::optional<Function>{};
    const Digest digest = (*found)->digest;
    auto contents = blobs_.get(digest);
    if (!contents) return Error{user + "/" + name + ": " + contents.error().message};
    if (contents->has_value()) return std::optional<Function>(Function{std::move(**found), std::move(**contents)});
    // Replaced between the two reads; or, where it is the same with all writers kept out, really gone.
    if (locked)
      return Error{user + "/" + name + ": its blob is missing: " + blobs_.path_of(digest).string() +
                   ": upload it again"};
  }
  return std::optional<Function>{};
}

Result<Listing> FunctionStore::list(const std::string& user) const {
  std::vector<std::string> users{user};
  if (user.empty()) {
    auto found = list_folder(home_ / "functions");
    if (!found) return found.error();
    users = std::move(*found);
  } else if (auto checked = check_name("user", user); !checked) {
    return checked.error();
  }
  Listing listing;
  for (const std::string& owner : users) {
    const auto files = list_folder(home_ / "functions" / owner);
    if (!files) {
      listing.damaged.push_back(files.error());
      continue;
    }
    for (const std::string& file : *files) {
      if (!file.ends_with(ManifestSuffix)) continue;
      auto found = info(owner, file.substr(0, file.size() - ManifestSuffix.size()));
      if (!found)
        listing.damaged.push_back(found.error());
      else if (found->has_value())
        listing.functions.push_back(std::move(**found));
    }
  }
  return listing;
}

Result<bool> FunctionStore::remove(const std::string& user, const std::string& name) {
  if (auto checked = check_names(user, name); !checked) return checked.error();
  const fs::path path = manifest_path(user, name);
  if (const auto text = read_file(path); text.ok() && !text->has_value()) return false;
  const auto lock = lock_file(home_ / "lock");
  if (!lock) return lock.error();
  auto removed = remove_file(path);
  if (!removed || !*removed) return removed;
  if (auto dropped = drop_unused(); !dropped) return dropped.error();
  return true;
}

Result<void> FunctionStore::drop_unused() {
  const auto listing = list();
  const auto blobs = blobs_.list();
  // Where a manifest cannot be read, what it refers to is not known: then nothing is unused.
  if (!listing || !blobs || !listing->damaged.empty()) return {};
  std::set<Digest> used;
  for (const FunctionInfo& info : listing->functions) used.insert(info.digest);
  for (const Digest& digest : *blobs) {
    if (used.contains(digest)) continue;
    if (auto removed = blobs_.remove(digest); !removed) return removed.error();
  }
  return {};
}

}  // namespace krait::store
