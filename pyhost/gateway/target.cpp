// RFC 3986's percent-encoding. A '+' is itself in a path and a space in a query, as forms send it. Slashes and NULs that
// come escaped stay in their segment: the store's rules for names refuse them.
#include "pyhost/gateway/target.hpp"

#include <cstdint>

namespace krait::pyhost::gateway {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool query) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += query && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

/// Calls f with each piece between separators; false if one of them gave false.
template <typename F>
bool each_piece(std::string_view text, char separator, F f) {
  for (;;) {
    const size_t end = text.find(separator);
    if (!f(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  Target target;
  const size_t question = text.find('?');
  const bool path_good = each_piece(text.substr(1, question == text.npos ? text.npos : question - 1), '/', [&](std::string_view piece) {
    auto segment = decode(piece, false);
    if (segment) target.path.push_back(std::move(*segment));
    return segment.has_value();
  });
  if (!path_good) return std::nullopt;
  if (question == text.npos || question + 1 == text.size()) return target;
  const bool query_good = each_piece(text.substr(question + 1), '&', [&](std::string_view piece) {
    const size_t equals = piece.find('=');
    auto name = decode(piece.substr(0, equals), true);
    auto value = decode(equals == piece.npos ? std::string_view() : piece.substr(equals + 1), true);
    if (!name || !value) return false;
    target.query.emplace_back(std::move(*name), std::move(*value));
    return true;
  });
  if (!query_good) return std::nullopt;
  return target;
}

}  // namespace krait::pyhost::gateway
