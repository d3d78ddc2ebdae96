// Functions as text, for people: `krait disasm`, tests, traces.
#pragma once

#include <string>

#include "engine/instruction.hpp"
#include "engine/module.hpp"

namespace krait::engine {

/// The instruction in the text format, without indentation: "i32.load offset=8", "call 12 ;; name".
std::string to_string(const Module& module, const Instruction& instruction);

/// A function of a module, an instruction a line behind its byte offset, indented by nesting. An
/// imported function gives its import line.
std::string disassemble(const Module& module, uint32_t func);

}  // namespace krait::engine
