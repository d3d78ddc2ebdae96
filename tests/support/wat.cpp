#include "tests/support/wat.hpp"

#include <wabt/binary-writer.h>
#include <wabt/error.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace krait::test {

std::vector<std::byte> wat(std::string_view text) {
  wabt::Features features;
  features.EnableAll();
  features.disable_memory64();
  wabt::Errors errors;
  wabt::WastParseOptions parse(features);
  std::unique_ptr<wabt::Module> module;
  const auto lexer = wabt::WastLexer::CreateBufferLexer("test.wat", text.data(), text.size(), &errors);
  wabt::MemoryStream stream;
  const wabt::WriteBinaryOptions write(features, true, false, true);
  if (wabt::Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &parse)) ||
      wabt::Failed(wabt::WriteBinaryModule(&stream, module.get(), write))) {
    for (const wabt::Error& error : errors)
      std::fprintf(stderr, "wat:%d:%d: %s\n", error.loc.line, error.loc.first_column, error.message.c_str());
    std::abort();
  }
  const auto& data = stream.output_buffer().data;
  std::vector<std::byte> bytes(data.size());
  std::memcpy(bytes.data(), data.data(), data.size());
  return bytes;
}

}  // namespace krait::test
