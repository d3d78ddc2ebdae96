// One input of the fuzz target: any bytes, through decoder, validator, instantiation and interpreter.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace krait::fuzz {

/// Compiles the bytes; a module is instantiated with made-up imports and its start and exports run, within fixed
/// bounds of polls, memory, table elements, stack and call depth. Ends in a bounded time for any input. Returns what
/// came of it: "rejected: ...", "not instantiated: ..." or "ran N exports, M trapped".
std::string run_input(std::span<const std::byte> bytes);

}  // namespace krait::fuzz
