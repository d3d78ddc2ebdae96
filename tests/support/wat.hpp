// Modules in tests are written as text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace krait::test {

/// The binary of a module in the text format, with its name section. Bad text is a bug of the test: aborts and says where.
std::vector<std::byte> wat(std::string_view text);

}  // namespace krait::test
