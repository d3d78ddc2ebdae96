#include "tests/support/compiler.hpp"

#include <string>

namespace krait::test {

Result<std::unique_ptr<engine::Compiler>> compiler_named(std::string_view engine) {
  if (engine == "interp") return std::unique_ptr<engine::Compiler>();
  return Error{"no engine is called '" + std::string(engine) + "'; this build has: interp"};
}

}  // namespace krait::test
