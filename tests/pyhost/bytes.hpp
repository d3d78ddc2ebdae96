// Text as bytes and back.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace krait::test {

/// Of `text`, which must outlive it.
inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::vector<std::byte> copied_bytes(std::string_view text) { return {bytes_of(text).begin(), bytes_of(text).end()}; }
inline std::string text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace krait::test
