// A service on a store of its own, for tests.
#pragma once

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "pyhost/calls/service.hpp"
#include "tests/pyhost/engine_main.hpp"
#include "tests/pyhost/python_fixture.hpp"
#include "tests/pyhost/scratch.hpp"

namespace krait::test {

inline std::vector<std::byte> copy_of(std::string_view text) {
  const auto bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

/// Null, and a message, where it is not built.
inline std::shared_ptr<const pyhost::PythonRuntime> python_runtime() {
  static const auto loaded = load_python(chosen_compiler());
  if (!loaded) MESSAGE("skipped: the Python runtime is not built");
  return loaded;
}

struct Serving {
  ScratchFolder folder;
  std::unique_ptr<io::Runtime> io;
  std::unique_ptr<pyhost::Service> service;

  explicit Serving(pyhost::ServiceOptions options = {}, unsigned shards = 1) {
    io::Options with;
    with.shards = shards;
    auto runtime = io::Runtime::start(with);
    REQUIRE_MESSAGE(runtime.ok(), runtime.error().message);
    io = std::move(*runtime);
    auto made = pyhost::Service::start(*io, store::FunctionStore(folder.path() / "home"), python_runtime(), std::move(options));
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    service = std::move(*made);
  }

  void upload(const std::string& function, std::string_view source, pyhost::LimitChanges limits = {}, const std::string& user = "u") {
    const auto stored = service->upload({user, function, store::FunctionKind::Python, copy_of(source), limits});
    REQUIRE_MESSAGE(stored.ok(), stored.error().message);
  }
  pyhost::CallReport call(const std::string& function, std::string_view input = {}, const std::string& entry = "faasm_main",
                          const std::string& user = "u") {
    auto report = service->call({user, function, entry, copy_of(input), {}});
    REQUIRE_MESSAGE(report.ok(), report.error().message);
    return std::move(*report);
  }
};

}  // namespace krait::test
