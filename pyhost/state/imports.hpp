// State as guests call it.
#pragma once

#include "engine/linker.hpp"
#include "pyhost/state/local_state.hpp"
#include "pyhost/wasi.hpp"

namespace krait::pyhost {

/// The session of the sandbox that calls; made, over a tier in memory, where the sandbox has none.
StateSession& state_of(const engine::Caller& caller);
StateSession& state_of(Sandbox& sandbox);

/// The folder of the files that the sandbox's user shares between its functions (faasm://), for the sandbox's own tree. Positions,
/// sizes, folders, unlink and rename work; links and times do not.
std::shared_ptr<Directory> shared_files(Sandbox& sandbox);
/// Where it is mounted: the path "faasm://a/b" is then a's b in it.
constexpr const char* SharedFilesMount = "faasm:";

/// The functions state_* of the module "krait", for Python; guest/krait_state.h says what each does.
void define_state(engine::Linker& linker);
/// Faasm's state calls, of the module "env", for wasm functions in other languages. They return nothing that could tell of an error, so
/// an error is a trap that names the call, the key and why. The *_ptr calls give a copy in memory of the guest's own, grown for it:
/// it is good until the call ends, what is written there reaches the state by flag_state_dirty, flag_state_offset_dirty or a masked
/// push, and asking again brings the value into the same place, unless it has become larger.
void define_faasm_state(engine::Linker& linker);

}  // namespace krait::pyhost
