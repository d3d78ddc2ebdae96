// What a PythonRuntime is made of; for the sources of pyhost/python.hpp only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/compiler.hpp"
#include "pyhost/dynlink/loader.hpp"
#include "pyhost/python.hpp"

namespace krait::pyhost {

struct PythonRuntime::Parts {
  std::shared_ptr<const engine::Module> module;
  std::shared_ptr<const Mapping> stdlib;
  std::vector<std::pair<std::string, std::shared_ptr<const Mapping>>> extensions;  ///< by their paths in a sandbox
  std::string identity;
  std::shared_ptr<ImageCache> cache;
  engine::Linker linker;
  std::unique_ptr<SideModules> side_modules;
  engine::Compiler* compiler = nullptr;
  std::shared_ptr<engine::CodeImage> code;  // kept: a compiler forgets an image that no instance uses
};

}  // namespace krait::pyhost
