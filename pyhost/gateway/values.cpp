// State and shared files over HTTP: to seed what functions read, and to fetch what they left.
//
// A shared file is a value of its own kind, whose key is its path; shared_files.cpp says what stands for folders. A path that a guest
// could not reach is refused: an empty part, a dot, a file within a file.
#include "pyhost/gateway/values.hpp"

#include "pyhost/gateway/answers.hpp"
#include "store/function_store.hpp"

namespace krait::pyhost::gateway {

using http::Request;
using http::Response;
using nlohmann::json;
using store::StateKind;

namespace {

Response failed(Errno error, const std::string& name) {
  switch (error) {
    case Errno::NoEnt:
      return failure(404, "unknown", "there is no " + name);
    case Errno::Inval:
      return failure(400, "invalid", "no name: 1 to 300 bytes are one");
    case Errno::NoMem:
    case Errno::NoSpc:
      return failure(507, "full", "the user's share of state is used up");
    case Errno::Canceled:
      return failure(503, "cancelled", "the request was cancelled");
    default:
      return failure(500, "broken", name + ": " + name_of(error));
  }
}

std::string join(std::span<const std::string> parts) {
  std::string all;
  for (const std::string& part : parts) all += (&part == parts.data() ? "" : "/") + part;
  return all;
}

bool is_path(std::span<const std::string> parts) {
  for (const std::string& part : parts)
    if (part.empty() || part == "." || part == ".." || part.find('/') != part.npos || part.find('\0') != part.npos) return false;
  return true;
}

/// Whether a file at this path would be one within a file, or in place of a folder.
IoResult<bool> in_the_way(LocalState& state, const std::string& user, std::span<const std::string> parts) {
  for (size_t n = 1; n < parts.size(); ++n) {
    const auto size = state.size({user, join(parts.first(n)), StateKind::File});
    if (size) return true;
    if (size.error() != Errno::NoEnt) return size.error();
  }
  const auto inside = state.list(user, StateKind::File, join(parts) + "/");
  if (!inside) return inside.error();
  return !inside->empty();
}

Response list(LocalState& state, const std::string& user, StateKind kind) {
  const auto entries = state.list(user, kind, "");
  if (!entries) return failed(entries.error(), user);
  json all = json::array();
  for (const store::StateEntry& entry : *entries)
    if (kind != StateKind::File || !entry.key.ends_with('/')) all.push_back({{"key", entry.key}, {"bytes", entry.size}});
  return as_json(200, {{"user", user}, {"keys", all}});
}

Response put(LocalState& state, const LocalState::Key& key, const std::string& body) {
  auto done = state.write(key, std::as_bytes(std::span(body)));
  if (done) done = state.push(key, ValueBytes::Push::Whole);
  if (!done) return failed(done.error(), key.key);
  return as_json(200, {{"user", key.user}, {"key", key.key}, {"bytes", body.size()}});
}

Response get(LocalState& state, const LocalState::Key& key) {
  // What other processes have pushed; not known to the global tier is no error, it may be here alone.
  if (const auto fresh = state.refresh(key); !fresh && fresh.error() != Errno::NoEnt) return failed(fresh.error(), key.key);
  const auto value = state.read_all(key);
  if (!value) return failed(value.error(), key.key);
  return {200, {{"Content-Type", "application/octet-stream"}}, text_of(*value)};
}

Response remove(LocalState& state, const LocalState::Key& key) {
  if (const auto size = state.size(key); !size) return failed(size.error(), key.key);
  if (const auto done = state.remove(key); !done) return failed(done.error(), key.key);
  return {204, {}, ""};
}

}  // namespace

Response values(LocalState& state, const Request& request, const Target& target) {
  const StateKind kind = target.path[0] == "s" ? StateKind::Value : StateKind::File;
  const std::string& user = target.path[1];
  if (const auto checked = store::check_name("user", user); !checked) return failure(400, "invalid", checked.error().message);
  const std::string& method = request.method;
  const bool reads = method == "GET" || method == "HEAD";
  const auto parts = std::span(target.path).subspan(2);
  if (parts.empty()) return reads ? list(state, user, kind) : wrong_method("GET, HEAD");
  const LocalState::Key key{user, join(parts), kind};
  if (kind == StateKind::File && !is_path(parts)) return failure(400, "invalid", "no path: it has an empty part, a dot or a NUL");
  if (reads) return get(state, key);
  if (method == "DELETE") return remove(state, key);
  if (method != "PUT") return wrong_method("GET, HEAD, PUT, DELETE");
  if (kind == StateKind::File) {
    const auto conflict = in_the_way(state, user, parts);
    if (!conflict) return failed(conflict.error(), key.key);
    if (*conflict) return failure(409, "conflict", key.key + " is a folder, or lies within a file");
  }
  return put(state, key, request.body);
}

Target faasm_file(const std::string& path) {
  Target target{{"file", "python"}, {}};
  for (size_t at = path.starts_with('/') ? 1 : 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    target.path.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return target;
}

}  // namespace krait::pyhost::gateway
