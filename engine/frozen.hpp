// The initial state that instances of a module share: table images and memory images.
//
// A table or memory that the module defines is frozen where all of its active segments have constant offsets and
// lie inside: then no instance can tell its image from segments that were run one by one. Others take the
// spec's way, segment by segment.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/instance.hpp"
#include "engine/memory.hpp"
#include "engine/module.hpp"
#include "engine/table.hpp"

namespace krait::engine {

class CodeImage;

/// Images of a module's tables, by table index; null where a table has none. Entries hold code addresses, so each
/// code image has a set of its own. Any thread.
class TableImageSets {
 public:
  using Images = std::vector<std::shared_ptr<const TableImage>>;

  /// The set for the code that `home` runs on; `make(home, index)` gives a table's image at the first request.
  template <typename Make>
  std::shared_ptr<const Images> of(Instance& home, Make make) {
    std::lock_guard lock(mutex_);
    if (auto known = find(home)) return known;
    auto images = std::make_shared<Images>(home.module().tables.size());
    for (uint32_t i = home.module().imported_tables; i < images->size(); ++i) (*images)[i] = make(home, i);
    keep(home, images);
    return images;
  }

 private:
  struct ForCode {
    const CodeImage* code;  // null: interpreted only
    std::weak_ptr<CodeImage> alive;
    std::shared_ptr<const Images> images;
    [[nodiscard]] bool stale() const { return code && alive.expired(); }
  };
  std::shared_ptr<const Images> find(Instance& home);
  void keep(Instance& home, std::shared_ptr<const Images> images);

  std::mutex mutex_;
  std::vector<ForCode> sets_;
};

struct Frozen {
  /// An image for each table, or null for the spec's way. `home` is any instance of the module.
  std::shared_ptr<const TableImageSets::Images> tables_for(Instance& home);
  /// An image for each memory, or null. Made at the second call: a module that is instantiated once needs none.
  std::vector<std::shared_ptr<const MemoryImage>> memories_for(const Module& module);

 private:
  std::mutex mutex_;
  TableImageSets tables_;
  std::vector<std::shared_ptr<const MemoryImage>> memories_;
  unsigned memory_requests_ = 0;
};

}  // namespace krait::engine
