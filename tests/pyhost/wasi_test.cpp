// WASI as a module sees it: the table against what is registered, stdio, waiting; and errno both ways.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "pyhost/command.hpp"
#include "tests/pyhost/files.hpp"
#include "tests/support/wat.hpp"

using namespace krait::pyhost;
using namespace krait::test;
namespace engine = krait::engine;

namespace {

std::shared_ptr<const engine::Module> module_of(std::string_view text) {
  auto module = engine::Module::compile(wat(text));
  REQUIRE_MESSAGE(module.ok(), module.error().to_string());
  return *module;
}

Stdio quiet() { return {}; }

/// Parameters as letters: i for i32, I for i64.
std::string letters(const engine::FuncType& type) {
  std::string text;
  for (engine::ValType t : type.params) text += t == engine::ValType::I32 ? 'i' : t == engine::ValType::I64 ? 'I' : '?';
  return text;
}

}  // namespace

TEST_CASE("every function of preview 1 is there, with the signature of the standard") {
  // As the standard lists them; sock_accept came later.
  const std::map<std::string, std::string> standard = {
      {"args_get", "ii"}, {"args_sizes_get", "ii"}, {"environ_get", "ii"}, {"environ_sizes_get", "ii"}, {"clock_res_get", "ii"},
      {"clock_time_get", "iIi"}, {"fd_advise", "iIIi"}, {"fd_allocate", "iII"}, {"fd_close", "i"}, {"fd_datasync", "i"},
      {"fd_fdstat_get", "ii"}, {"fd_fdstat_set_flags", "ii"}, {"fd_fdstat_set_rights", "iII"}, {"fd_filestat_get", "ii"},
      {"fd_filestat_set_size", "iI"}, {"fd_filestat_set_times", "iIIi"}, {"fd_pread", "iiiIi"}, {"fd_prestat_get", "ii"},
      {"fd_prestat_dir_name", "iii"}, {"fd_pwrite", "iiiIi"}, {"fd_read", "iiii"}, {"fd_readdir", "iiiIi"}, {"fd_renumber", "ii"},
      {"fd_seek", "iIii"}, {"fd_sync", "i"}, {"fd_tell", "ii"}, {"fd_write", "iiii"}, {"path_create_directory", "iii"},
      {"path_filestat_get", "iiiii"}, {"path_filestat_set_times", "iiiiIIi"}, {"path_link", "iiiiiii"}, {"path_open", "iiiiiIIii"},
      {"path_readlink", "iiiiii"}, {"path_remove_directory", "iii"}, {"path_rename", "iiiiii"}, {"path_symlink", "iiiii"},
      {"path_unlink_file", "iii"}, {"poll_oneoff", "iiii"}, {"proc_exit", "i"}, {"proc_raise", "i"}, {"sched_yield", ""},
      {"random_get", "ii"}, {"sock_accept", "iii"}, {"sock_recv", "iiiiii"}, {"sock_send", "iiiii"}, {"sock_shutdown", "ii"}};
  std::map<std::string, std::string> registered;
  for (const auto& function : wasi_functions()) {
    CHECK(function->module == WasiModule);
    CHECK(registered.emplace(function->name, letters(function->type)).second);
    const std::vector<engine::ValType> errno_result(function->name == "proc_exit" ? 0 : 1, engine::ValType::I32);
    CHECK(function->type.results == errno_result);
  }
  CHECK(registered == standard);
}

TEST_CASE("no function traps, whatever it is given") {
  // Calls each with all parameters 0, then with all ones. Only proc_exit and proc_raise may leave.
  for (const auto& function : wasi_functions()) {
    if (function->name.starts_with("proc_")) continue;
    CAPTURE(function->name);
    for (const char* value : {"0", "-1", "3"}) {
      std::string params, args;
      for (engine::ValType t : function->type.params) {
        params += std::string(" ") + engine::name_of(t);
        args += std::string(" (") + engine::name_of(t) + ".const " + value + ")";
      }
      const std::string text = "(module (import \"wasi_snapshot_preview1\" \"" + function->name + "\" (func $f (param" + params +
                               ") (result i32))) (memory (export \"memory\") 1) (func (export \"go\") (result i32) (call $f" + args +
                               ")))";
      CommandOptions options;
      options.stdio = quiet();
      const auto invoked = invoke_export(module_of(text), "go", {}, options);
      REQUIRE(invoked.ok());
      CHECK_FALSE(invoked->ended.trap.has_value());
      REQUIRE(invoked->results.size() == 1);
      const int result = std::stoi(invoked->results[0]);
      CHECK(result >= 0);
      CHECK(result <= 76);
    }
  }
}

TEST_CASE("errno maps both ways") {
  CHECK(errno_from_host(0) == Errno::Success);
  CHECK(errno_from_host(ENOENT) == Errno::NoEnt);
  CHECK(errno_from_host(EWOULDBLOCK) == Errno::Again);
  CHECK(errno_from_host(EOPNOTSUPP) == Errno::NotSup);
  CHECK(errno_from_host(EMFILE) == static_cast<Errno>(33));
  CHECK(errno_from_host(EXDEV) == static_cast<Errno>(75));
  CHECK(errno_from_host(123456) == Errno::Io);
  std::set<int> values;
  const std::pair<int, int> table[] = {
#define ERRNO(name, value, host) {value, host},
#include "pyhost/errno.def"
#undef ERRNO
  };
  for (const auto& [value, host] : table) {
    CHECK(values.insert(value).second);
    CHECK(static_cast<int>(errno_from_host(host)) == value);
    CHECK(name_of(static_cast<Errno>(value)) != std::string("unknown"));
  }
  CHECK(values.size() == 75);  // 1 to 75; 76 is ENOTCAPABLE, which no host has
}

TEST_CASE("stdio goes where the caller says") {
  const auto module = module_of(R"((module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\64\00\00\00")
    (func (export "_start")
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (i32.store (i32.const 4) (i32.const 2))
      (if (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (call $exit (i32.const 7)))))");
  const std::string input("bytes in\0and out", 16);
  auto out = std::make_shared<BufferSink>(100);
  auto err = std::make_shared<BufferSink>(100);
  const auto* bytes = reinterpret_cast<const std::byte*>(input.data());
  CommandOptions options;
  options.stdio = {bytes_source({bytes, bytes + input.size()}), out, err};
  const auto ended = run_command(module, options);
  REQUIRE(ended.ok());
  CHECK(ended->status == 7);
  CHECK_FALSE(ended->trap.has_value());
  CHECK(out->text() == input);
  CHECK(err->text() == "by");
}

TEST_CASE("waits go through the waiter, and end when it says so") {
  struct Recorder : Waiter {
    int sleeps = 0, polls = 0, transfers = 0, yields = 0;
    bool cancelled = false;
    bool sleep_until(Deadline deadline) override {
      sleeps++;
      return !cancelled && blocking_waiter().sleep_until(deadline);
    }
    bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override {
      polls++;
      return !cancelled && blocking_waiter().poll(fds, deadline);
    }
    bool before_transfer(int fd, short events) override {
      transfers++;
      return !cancelled && blocking_waiter().before_transfer(fd, events);
    }
    void yield() override { yields++; }
  };
  const auto module = module_of(R"((module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\80\00\00\00\10\00\00\00")
    (data (i32.const 528) "\01")       ;; a clock: monotonic, relative, 1 ms
    (data (i32.const 536) "\40\42\0f")
    (func (export "read") (result i32) (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "sleep") (result i32) (call $poll (i32.const 512) (i32.const 1024) (i32.const 1) (i32.const 8)))
    (func (export "yield") (result i32) (call $yield))))");
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(write(ends[1], "x", 1) == 1);
  Recorder recorder;
  CommandOptions options;
  options.stdio = {host_file(ends[0], true), nullptr, nullptr};
  options.waiter = &recorder;
  const auto result = [&](const char* name) {
    const auto invoked = invoke_export(module, name, {}, options);
    return invoked && !invoked->results.empty() ? std::stoi(invoked->results[0]) : -1;
  };
  CHECK(result("read") == 0);
  CHECK(recorder.transfers == 1);
  CHECK(result("sleep") == 0);
  CHECK(recorder.sleeps == 1);
  CHECK(result("yield") == 0);
  CHECK(recorder.yields == 1);
  recorder.cancelled = true;
  CHECK(result("read") == static_cast<int>(Errno::Intr));
  CHECK(result("sleep") == static_cast<int>(Errno::Intr));
  close(ends[1]);
}

TEST_CASE("descriptors: the lowest free number, and a limit") {
  DescriptorTable table(4);
  for (uint32_t i = 0; i < 4; i++) CHECK(*table.add({null_stream(), 0, 0, {}, nullptr}) == i);
  CHECK(error_of(table.add({null_stream(), 0, 0, {}, nullptr})) == Errno::MFile);
  CHECK(table.close(1) == Errno::Success);
  CHECK(table.close(1) == Errno::BadF);
  CHECK(*table.add({null_stream(), 0, 0, {}, nullptr}) == 1);
  CHECK(table.renumber(3, 0) == Errno::Success);
  CHECK(table.get(3) == nullptr);
  CHECK(table.renumber(3, 0) == Errno::BadF);
  CHECK(table.open_count() == 3);
  CHECK(table.get(UINT32_MAX) == nullptr);
}

TEST_CASE("exports are called with arguments as text") {
  const auto module = module_of(R"((module
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
    (func (export "half") (param f32) (result f32) (f32.div (local.get 0) (f32.const 2)))
    (func (export "same") (param v128) (result v128) (local.get 0))
    (func (export "ref") (param externref) (result externref) (local.get 0))
    (func (export "trap") (unreachable))))");
  CommandOptions options;
  options.stdio = quiet();
  const auto results = [&](const char* name, std::vector<std::string> arguments) {
    auto invoked = invoke_export(module, name, arguments, options);
    return invoked ? invoked->results : std::vector<std::string>{"error: " + invoked.error().message};
  };
  using Texts = std::vector<std::string>;
  CHECK(results("add", {"40", "2"}) == Texts{"42"});
  CHECK(results("add", {"0xffffffff", "0"}) == Texts{"-1"});
  CHECK(results("add", {"-2147483648", "-1"}) == Texts{"2147483647"});
  CHECK(results("swap", {"-9223372036854775808", "0.1"}) == Texts{"0.1", "-9223372036854775808"});
  CHECK(results("swap", {"18446744073709551615", "nan"}) == Texts{"nan", "-1"});
  CHECK(results("swap", {"1", "-inf"}) == Texts{"-inf", "1"});
  CHECK(results("half", {"5"}) == Texts{"2.5"});
  CHECK(results("same", {"0x000102030405060708090a0b0c0d0e0f"}) == Texts{"0x000102030405060708090a0b0c0d0e0f"});
  CHECK(results("ref", {"null"}) == Texts{"null"});
  for (const char* bad : {"", " 1", "1x", "4294967296", "-2147483649", "one", "0x", "--1"}) {
    CAPTURE(bad);
    CHECK(results("add", {bad, "1"})[0].starts_with("error: argument 1 of add is an i32"));
  }
  CHECK(results("add", {"1"})[0].starts_with("error: add is"));
  CHECK(results("none", {})[0] == "error: the module exports no function named 'none'");
  const auto trapped = invoke_export(module, "trap", {}, options);
  REQUIRE(trapped.ok());
  CHECK(trapped->ended.status == Ended::TrapStatus);
  REQUIRE(trapped->ended.trap.has_value());
  CHECK(trapped->ended.trap->to_string().find("trap") != std::string::npos);
}

TEST_CASE("mounts as text") {
  const auto guest = [](const char* text) {
    auto mount = parse_mount(text);
    return mount ? mount->host + " at " + mount->guest + (mount->read_only ? ", read-only" : "") : mount.error().message;
  };
  CHECK(guest("/a/b::/c") == "/a/b at /c");
  CHECK(guest("/a/b::c") == "/a/b at /c");
  CHECK(guest("/a::") == "/a at /");
  CHECK(guest("/a/b/") == "/a/b/ at /a/b");
  CHECK(guest(".") == ". at /");
  CHECK(guest("sub/./dir") == "sub/./dir at /sub/dir");
  CHECK(guest("/a::/b:ro") == "/a at /b, read-only");
  CHECK(guest("/a:ro") == "/a at /a, read-only");
  CHECK(guest("::/c").starts_with("a folder to show the guest is missing"));
}
