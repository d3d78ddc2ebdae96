// Short forms for tests on files and directories.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "pyhost/vfs.hpp"

namespace krait::test {

using pyhost::Directory;
using pyhost::Errno;
using pyhost::File;
using pyhost::IoResult;
using pyhost::OpenHow;

template <typename T>
Errno error_of(const IoResult<T>& result) {
  return result ? Errno::Success : result.error();
}

inline IoResult<uint64_t> put(File& file, std::string_view text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return file.write({&piece, 1});
}
inline std::string get(File& file, size_t size = 1000) {
  std::string text(size, '\0');
  const iovec piece{text.data(), text.size()};
  const auto n = file.read({&piece, 1});
  text.resize(n ? *n : 0);
  return n ? text : std::string("error ") + name_of(n.error());
}
inline std::shared_ptr<File> open_for(Directory& at, const std::string& path, OpenHow how) {
  auto file = at.open(path, how);
  REQUIRE_MESSAGE(file.ok(), path, ": ", name_of(error_of(file)));
  return *file;
}
inline void make_file(Directory& at, const std::string& path, std::string_view text = "") {
  auto file = open_for(at, path, OpenHow{.write = true, .create = true, .truncate = true});
  REQUIRE(put(*file, text).ok());
}
inline std::string contents(Directory& at, const std::string& path) {
  auto file = at.open(path, OpenHow{});
  return file ? get(**file) : std::string("error ") + name_of(file.error());
}
inline std::shared_ptr<Directory> directory_at(Directory& at, const std::string& path) {
  return std::static_pointer_cast<Directory>(open_for(at, path, OpenHow{.directory = true}));
}

}  // namespace krait::test
