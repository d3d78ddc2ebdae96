// Faasm's state calls, from a wasm function.
#include <doctest/doctest.h>

#include "engine/module.hpp"
#include "pyhost/command.hpp"
#include "pyhost/state/local_state.hpp"
#include "tests/pyhost/scratch.hpp"
#include "tests/support/wat.hpp"

using namespace krait;
using namespace krait::pyhost;

namespace {

constexpr const char* Head = R"((module
  (import "env" "__faasm_read_state" (func $read_state (param i32 i32 i32) (result i32)))
  (import "env" "__faasm_read_state_offset" (func $read_state_offset (param i32 i32 i32 i32 i32)))
  (import "env" "__faasm_read_state_ptr" (func $read_state_ptr (param i32 i32) (result i32)))
  (import "env" "__faasm_read_state_offset_ptr" (func $read_state_offset_ptr (param i32 i32 i32 i32) (result i32)))
  (import "env" "__faasm_write_state" (func $write_state (param i32 i32 i32)))
  (import "env" "__faasm_write_state_offset" (func $write_state_offset (param i32 i32 i32 i32 i32)))
  (import "env" "__faasm_write_state_from_file" (func $write_state_from_file (param i32 i32) (result i32)))
  (import "env" "__faasm_flag_state_dirty" (func $flag_state_dirty (param i32 i32)))
  (import "env" "__faasm_flag_state_offset_dirty" (func $flag_state_offset_dirty (param i32 i32 i32 i32)))
  (import "env" "__faasm_push_state" (func $push_state (param i32)))
  (import "env" "__faasm_push_state_partial" (func $push_state_partial (param i32)))
  (import "env" "__faasm_push_state_partial_mask" (func $push_state_partial_mask (param i32 i32)))
  (import "env" "__faasm_pull_state" (func $pull_state (param i32 i32)))
  (import "env" "__faasm_lock_state_read" (func $lock_state_read (param i32)))
  (import "env" "__faasm_lock_state_write" (func $lock_state_write (param i32)))
  (import "env" "__faasm_unlock_state_read" (func $unlock_state_read (param i32)))
  (import "env" "__faasm_unlock_state_write" (func $unlock_state_write (param i32)))
  (import "env" "__faasm_append_state" (func $append_state (param i32 i32 i32)))
  (import "env" "__faasm_read_appended_state" (func $read_appended_state (param i32 i32 i32 i32)))
  (import "env" "__faasm_clear_appended_state" (func $clear_appended_state (param i32)))
  (memory (export "memory") 1 40)
  (data (i32.const 16) "a\00") (data (i32.const 32) "b\00") (data (i32.const 48) "new\00") (data (i32.const 64) "/in/file\00")
  (data (i32.const 96) "mask\00") (data (i32.const 112) "log\00") (data (i32.const 128) "none\00")
  (data (i32.const 256) "0123456789") (data (i32.const 272) "\00\01\00\00\00\00\00\00\00\01")
  (func $expect (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
  (func $byte (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "_start") (local $p i32)
)";

struct Faasm {
  std::shared_ptr<store::StateTier> global = store::memory_state();
  std::shared_ptr<LocalState> state = std::make_shared<LocalState>(global);
  test::ScratchFolder scratch;

  Ended run(const std::string& body) {
    const auto bytes = test::wat(std::string(Head) + body + "))");
    const auto module = engine::Module::compile(std::span<const std::byte>(bytes));
    REQUIRE(module.ok());
    scratch.write("file", "from a file");
    CommandOptions options;
    options.mounts = {{scratch.path().string(), "/in", true}};
    options.state = state;
    options.user = "anna";
    auto ended = run_command(*module, options);
    REQUIRE_MESSAGE(ended.ok(), (ended.ok() ? "" : ended.error().message));
    return std::move(*ended);
  }
  void fine(const std::string& body) {
    const Ended ended = run(body);
    CHECK_MESSAGE(!ended.trap, (ended.trap ? ended.trap->to_string() : ""));
  }
  void traps(const std::string& body, const char* why) {
    const Ended ended = run(body);
    REQUIRE(ended.trap);
    CHECK_MESSAGE(ended.trap->message.find(why) != std::string::npos, ended.trap->message);
  }
  std::string pushed(const char* key) {
    const auto piece = global->read({"anna", key}, 0, 1'000'000);
    if (!piece->has_value()) return "(none)";
    return {reinterpret_cast<const char*>((*piece)->bytes.data()), (*piece)->bytes.size()};
  }
};

}  // namespace

TEST_CASE("a wasm function reads, writes, pushes and pulls") {
  Faasm faasm;
  faasm.fine(R"(
    (call $expect (call $read_state (i32.const 16) (i32.const 0) (i32.const 0)) (i32.const 0))
    (call $write_state (i32.const 16) (i32.const 256) (i32.const 10))
    (call $expect (call $read_state (i32.const 16) (i32.const 0) (i32.const 0)) (i32.const 10))
    (call $expect (call $read_state (i32.const 16) (i32.const 1024) (i32.const 4)) (i32.const 10))
    (call $expect (i32.load (i32.const 1024)) (i32.const 0x33323130))
    (call $expect (call $byte (i32.const 1028)) (i32.const 0))
    (call $push_state (i32.const 16))
    (call $write_state_offset (i32.const 16) (i32.const 12) (i32.const 10) (i32.const 258) (i32.const 2))
    (call $read_state_offset (i32.const 16) (i32.const 12) (i32.const 9) (i32.const 1024) (i32.const 3))
    (call $expect (i32.load (i32.const 1024)) (i32.const 0x33333239))
    (call $push_state_partial (i32.const 16))
    (call $write_state (i32.const 16) (i32.const 256) (i32.const 1))
    (call $pull_state (i32.const 16) (i32.const 12))
    (call $expect (call $read_state (i32.const 16) (i32.const 0) (i32.const 0)) (i32.const 12))
    (call $expect (call $write_state_from_file (i32.const 48) (i32.const 64)) (i32.const 11))
    (call $expect (call $write_state_from_file (i32.const 48) (i32.const 128)) (i32.const -44))
    (call $push_state (i32.const 48))
    (call $append_state (i32.const 112) (i32.const 256) (i32.const 3))
    (call $append_state (i32.const 112) (i32.const 259) (i32.const 3))
    (call $read_appended_state (i32.const 112) (i32.const 2048) (i32.const 5) (i32.const 9))
    (call $expect (call $byte (i32.const 2052)) (i32.const 0x34))
    (call $expect (call $byte (i32.const 2053)) (i32.const 0))
    (call $lock_state_write (i32.const 16)) (call $unlock_state_write (i32.const 16))
    (call $lock_state_read (i32.const 16)) (call $lock_state_read (i32.const 16)) (call $unlock_state_read (i32.const 16)))");
  CHECK(faasm.pushed("a") == "012345678923");
  CHECK(faasm.pushed("new") == "from a file");
  CHECK(faasm.global->read_log({"anna", "log"}, 0, 9, 1'000)->size() == 2);
  CHECK(faasm.state->locks().held() == 0);
  faasm.fine("(call $clear_appended_state (i32.const 112))");
  CHECK(faasm.global->read_log({"anna", "log"}, 0, 9, 1'000)->empty());
}

TEST_CASE("pointers to state are copies that flags and masks bring back") {
  Faasm faasm;
  faasm.fine(R"(
    (call $write_state (i32.const 16) (i32.const 256) (i32.const 10))
    (local.set $p (call $read_state_ptr (i32.const 16) (i32.const 10)))
    (call $expect (i32.load (local.get $p)) (i32.const 0x33323130))
    (i32.store8 (local.get $p) (i32.const 65))
    (i32.store8 offset=9 (local.get $p) (i32.const 66))
    (call $flag_state_offset_dirty (i32.const 16) (i32.const 10) (i32.const 9) (i32.const 1))
    (call $push_state_partial (i32.const 16))
    (call $expect (call $read_state_offset_ptr (i32.const 16) (i32.const 10) (i32.const 4) (i32.const 2)) (i32.add (local.get $p) (i32.const 4)))
    (call $expect (call $byte (local.get $p)) (i32.const 65)))");
  CHECK(faasm.pushed("a") == "012345678B");
  faasm.fine(R"(
    (local.set $p (call $read_state_ptr (i32.const 16) (i32.const 10)))
    (memory.fill (local.get $p) (i32.const 67) (i32.const 10))
    (memory.copy (call $read_state_ptr (i32.const 96) (i32.const 10)) (i32.const 272) (i32.const 10))
    (call $push_state_partial_mask (i32.const 16) (i32.const 96)))");
  CHECK(faasm.pushed("a") == "0C2345678C");
  faasm.fine(R"(
    (local.set $p (call $read_state_ptr (i32.const 48) (i32.const 100000)))
    (memory.fill (local.get $p) (i32.const 68) (i32.const 100000))
    (call $flag_state_dirty (i32.const 48) (i32.const 100000))
    (call $push_state (i32.const 48)))");
  CHECK(faasm.pushed("new") == std::string(100'000, 'D'));
}

TEST_CASE("what a wasm function asks wrongly is a trap that says why, and touches nothing") {
  Faasm faasm;
  faasm.fine("(call $write_state (i32.const 16) (i32.const 256) (i32.const 10)) (call $push_state (i32.const 16))");
  faasm.traps("(call $push_state (i32.const 128))", "__faasm_push_state of the state 'none': there is no such key");
  faasm.traps("(call $pull_state (i32.const 128) (i32.const 1))", "no such key");
  faasm.traps("(call $read_state_offset (i32.const 16) (i32.const 20) (i32.const 8) (i32.const 1024) (i32.const 3))", "past the end");
  faasm.traps("(call $read_state_offset (i32.const 16) (i32.const 10) (i32.const -1) (i32.const 1024) (i32.const 2))", "past the end");
  faasm.traps("(drop (call $read_state_ptr (i32.const 16) (i32.const 11)))", "past the end");
  faasm.traps("(drop (call $read_state_ptr (i32.const 48) (i32.const -1)))", "no room in memory");
  faasm.traps("(drop (call $read_state (i32.const 16) (i32.const 65530) (i32.const 10)))", "not inside the memory");
  faasm.traps("(call $write_state (i32.const 16) (i32.const -1) (i32.const 2))", "not inside the memory");
  faasm.traps("(call $push_state (i32.const -5))", "not inside the memory");
  faasm.traps("(memory.fill (i32.const 65500) (i32.const 1) (i32.const 36)) (call $push_state (i32.const 65500))", "not inside the memory");
  faasm.traps("(memory.fill (i32.const 1024) (i32.const 1) (i32.const 4096)) (call $push_state (i32.const 1024))", "INVAL");
  faasm.traps("(call $unlock_state_write (i32.const 16))", "no such lock");
  faasm.traps("(call $lock_state_write (i32.const 16)) (call $lock_state_write (i32.const 16))", "DEADLK");
  CHECK(faasm.state->locks().held() == 0);  // a trap gives back what the call held
  CHECK(faasm.pushed("a") == "0123456789");
}
