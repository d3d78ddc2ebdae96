// A code cache in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>

#include "jit/code_cache.hpp"

namespace krait::test {

class MemoryCache final : public jit::CodeCache {
 public:
  jit::CodeKey key_of(const engine::Module& module, std::string_view compiler) override {
    jit::CodeKey key{};  // good enough for the few modules of a test
    for (const std::byte b : module.bytes()) key[0] = static_cast<uint8_t>(key[0] * 31 + static_cast<uint8_t>(b));
    for (size_t i = 0; i < compiler.size(); ++i) key[1 + i % 31] ^= static_cast<uint8_t>(compiler[i]);
    return key;
  }
  int find(const jit::CodeKey& key) override {
    std::lock_guard lock(mutex_);
    const auto found = files_.find(key);
    if (found == files_.end()) return -1;
    const int fd = memfd_create("code", MFD_CLOEXEC);
    if (write(fd, found->second.data(), found->second.size()) != static_cast<ssize_t>(found->second.size())) std::abort();
    return fd;
  }
  void keep(const jit::CodeKey& key, std::span<const std::byte> bytes) override {
    std::lock_guard lock(mutex_);
    files_[key].assign(bytes.begin(), bytes.end());
  }
  void reject(const jit::CodeKey& key, const std::string& why, bool for_good) override {
    std::lock_guard lock(mutex_);
    if (for_good) files_.erase(key);
    rejected_.push_back(why);
  }
  [[nodiscard]] std::map<jit::CodeKey, std::vector<std::byte>> files() const {
    std::lock_guard lock(mutex_);
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& rejected() const { return rejected_; }

 private:
  mutable std::mutex mutex_;
  std::map<jit::CodeKey, std::vector<std::byte>> files_;
  std::vector<std::string> rejected_;
};

}  // namespace krait::test
