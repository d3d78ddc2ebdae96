// The initial state that instances of a module share: table images and memory images.
//
// A table or memory that the module defines is frozen where all of its active segments have constant offsets and
// lie inside: then no instance can tell its image from segments that were run one by one. Others take the
// spec's way, segment by segment.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/memory.hpp"
#include "engine/module.hpp"
#include "engine/table.hpp"

namespace krait::engine {

class CodeImage;

struct Frozen {
  using TableImages = std::vector<std::shared_ptr<const TableImage>>;

  /// An image for each table, or null for the spec's way. Entries hold code addresses, so each code image has its
  /// own set; `home` is any instance of the module that runs on it.
  std::shared_ptr<const TableImages> tables_for(Instance& home);
  /// An image for each memory, or null. Made at the second call: a module that is instantiated once needs none.
  std::vector<std::shared_ptr<const MemoryImage>> memories_for(const Module& module);

 private:
  std::mutex mutex_;
  struct ForCode {
    const CodeImage* code;  // null: interpreted only
    std::weak_ptr<CodeImage> alive;
    std::shared_ptr<const TableImages> images;
    [[nodiscard]] bool stale() const { return code && alive.expired(); }
  };
  std::vector<ForCode> tables_;
  std::vector<std::shared_ptr<const MemoryImage>> memories_;
  unsigned memory_requests_ = 0;
};

}  // namespace krait::engine
