// The host module that the spec's scripts import from.
#pragma once

#include "engine/linker.hpp"

namespace krait::spec {

/// Defines module "spectest" in the linker; its parts live in the store.
void define_spectest(engine::Linker& linker, engine::Store& store);

}  // namespace krait::spec
