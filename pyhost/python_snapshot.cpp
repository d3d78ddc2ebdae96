// A snapshot's bytes: the engine's, the shared libraries', and the length of those at the end.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "pyhost/dynlink/loader.hpp"
#include "pyhost/python.hpp"
#include "pyhost/python_parts.hpp"

namespace krait::pyhost {
namespace {

struct Footer {
  uint64_t linked_bytes = 0;
  uint32_t magic = 0x4c53524b, version = 1;  // "KRSL"
};

const Error Broken{"not a snapshot of this version of krait; make it again"};

std::vector<std::byte> with_footer(std::vector<std::byte> bytes, const LinkedState* linked) {
  const std::vector<std::byte> more = linked ? linked->encode() : std::vector<std::byte>();
  const Footer footer{more.size()};
  const size_t at = bytes.size();
  bytes.resize(at + more.size() + sizeof footer);
  if (!more.empty()) std::memcpy(bytes.data() + at, more.data(), more.size());
  std::memcpy(bytes.data() + at + more.size(), &footer, sizeof footer);
  return bytes;
}

/// The libraries' bytes in front of a footer of a file of `size` bytes; nothing where it is none.
std::optional<uint64_t> linked_bytes(const Footer& footer, uint64_t size) {
  const Footer want;
  if (footer.magic != want.magic || footer.version != want.version || footer.linked_bytes > size - sizeof footer) return std::nullopt;
  return footer.linked_bytes;
}

}  // namespace

std::vector<std::byte> PythonSnapshot::encode() const { return with_footer(state_->encode(), linked_.get()); }
std::vector<std::byte> PythonSnapshot::encode_plain() const { return with_footer(state_->encode_plain(), linked_.get()); }

Result<std::shared_ptr<const PythonSnapshot>> PythonSnapshot::with_linked(const PythonRuntime& runtime,
                                                                          std::shared_ptr<const engine::Snapshot> state,
                                                                          std::span<const std::byte> linked) {
  std::shared_ptr<const LinkedState> libraries;
  if (!linked.empty()) {
    auto decoded = LinkedState::decode(linked, *runtime.parts().side_modules);
    if (!decoded) return std::move(decoded.error());
    libraries = std::move(*decoded);
  }
  if (state->outside() != (libraries ? libraries->outside.size() : 0)) return Broken;
  return std::shared_ptr<const PythonSnapshot>(new PythonSnapshot(std::move(state), std::move(libraries)));
}

Result<std::shared_ptr<const PythonSnapshot>> PythonSnapshot::map(const PythonRuntime& runtime, int fd, std::optional<uint64_t> given) {
  auto state = engine::Snapshot::map(*runtime.parts().module, fd);
  if (!state) return std::move(state.error());
  struct stat info{};
  Footer footer;
  if (fstat(fd, &info) != 0) return Broken;
  const uint64_t whole = given.value_or(static_cast<uint64_t>(info.st_size));
  if (whole < sizeof footer || whole > static_cast<uint64_t>(info.st_size)) return Broken;
  const auto at = static_cast<off_t>(whole - sizeof footer);
  if (pread(fd, &footer, sizeof footer, at) != static_cast<ssize_t>(sizeof footer)) return Broken;
  const auto size = linked_bytes(footer, whole);
  if (!size) return Broken;
  std::vector<std::byte> linked(*size);
  if (pread(fd, linked.data(), linked.size(), at - static_cast<off_t>(*size)) != static_cast<ssize_t>(*size)) return Broken;
  return with_linked(runtime, std::move(*state), linked);
}

Result<std::shared_ptr<const PythonSnapshot>> PythonSnapshot::decode(const PythonRuntime& runtime, std::span<const std::byte> bytes) {
  Footer footer;
  if (bytes.size() < sizeof footer) return Broken;
  std::memcpy(&footer, bytes.last(sizeof footer).data(), sizeof footer);
  const auto size = linked_bytes(footer, bytes.size());
  if (!size) return Broken;
  const std::span<const std::byte> state_bytes = bytes.first(bytes.size() - sizeof footer - *size);
  auto state = engine::Snapshot::decode(*runtime.parts().module, state_bytes);
  if (!state) return std::move(state.error());
  return with_linked(runtime, std::move(*state), bytes.subspan(state_bytes.size(), *size));
}

}  // namespace krait::pyhost
