#include "jit/opt.hpp"
namespace krait::jit {
void fold(Function& f) { clean(f); }
}  // namespace krait::jit
