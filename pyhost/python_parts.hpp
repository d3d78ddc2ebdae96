// What a PythonRuntime is made of; for the sources of pyhost/python.hpp only.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/compiler.hpp"
#include "pyhost/dynlink/loader.hpp"
#include "pyhost/python.hpp"

namespace krait::pyhost {

/// A file mapped read-only; the page cache is its one copy.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat s{};
    if (fd < 0 || fstat(fd, &s) < 0) {
      const std::string why = std::strerror(errno);
      if (fd >= 0) ::close(fd);
      return Error{"cannot read " + path + ": " + why};
    }
    auto file = std::shared_ptr<MappedFile>(new MappedFile);
    file->size_ = static_cast<size_t>(s.st_size);
    if (file->size_ != 0) file->bytes_ = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const std::string why = std::strerror(errno);
    ::close(fd);
    if (file->bytes_ == MAP_FAILED) return Error{"cannot map " + path + ": " + why};
    return std::shared_ptr<const MappedFile>(std::move(file));
  }
  ~MappedFile() {
    if (bytes_ && bytes_ != MAP_FAILED) munmap(bytes_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(bytes_), size_}; }

 private:
  MappedFile() = default;
  void* bytes_ = nullptr;
  size_t size_ = 0;
};

struct PythonRuntime::Parts {
  std::shared_ptr<const engine::Module> module;
  std::shared_ptr<const MappedFile> stdlib;
  std::vector<std::pair<std::string, std::shared_ptr<const MappedFile>>> extensions;  ///< by their paths in a sandbox
  std::string identity;
  std::shared_ptr<ImageCache> cache;
  engine::Linker linker;
  std::unique_ptr<SideModules> side_modules;
  engine::Compiler* compiler = nullptr;
  std::shared_ptr<engine::CodeImage> code;  // kept: a compiler forgets an image that no instance uses
};

}  // namespace krait::pyhost
