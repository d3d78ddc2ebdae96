// The judge's rules. Every assertion passes, fails, or is skipped for a reason that the module itself gives:
// a module is skipped only where the engine rejects it by the name of a feature ("... is not supported"), and with
// it what is asserted of its instances and what imports from them.
#include "tests/spec/script.hpp"

#include <optional>
#include <unordered_map>
#include <variant>

#include "engine/linker.hpp"
#include "tests/spec/spectest.hpp"
#include "tests/spec/values.hpp"
#include "tests/support/file.hpp"

namespace krait::spec {

using engine::Extern;
using engine::FuncInstance;
using engine::GlobalInstance;
using engine::InstantiateError;
using engine::Instance;
using engine::Module;
using engine::Outcome;
using engine::Slot;
using engine::Trap;
using engine::TrapKind;
using engine::ValType;

uint64_t Report::skips() const {
  uint64_t sum = 0;
  for (const auto& [reason, count] : skipped) sum += count;
  return sum;
}

void Report::add(const Report& other) {
  passed += other.passed;
  for (const auto& [reason, count] : other.skipped) skipped[reason] += count;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

namespace {

using ModulePtr = std::shared_ptr<const Module>;

struct Verdict {
  enum Kind : uint8_t { Pass, Fail, Skip } kind = Pass;
  std::string text;  ///< what differs, or the reason
};
Verdict pass() { return {}; }
Verdict skip(std::string reason) { return {Verdict::Skip, std::move(reason)}; }
Verdict fail(const std::string& expected, const std::string& got) {
  return {Verdict::Fail, "expected " + expected + ", got " + got};
}

/// A module that a script speaks of: its instance, or why there is none.
struct Named {
  Instance* instance = nullptr;
  Verdict absent = {Verdict::Fail, "there is no such module"};
};

/// What an action gave: values laid out as `types`, or a trap.
struct Values {
  std::vector<ValType> types;
  std::vector<Slot> slots;
};

/// The reason where the engine rejects a module by a feature's name: "memory64 is not supported".
std::optional<Verdict> unsupported(const Error& error) {
  constexpr std::string_view Words = "not supported";
  const size_t at = error.message.find(Words);
  if (at == std::string::npos) return std::nullopt;
  return skip(error.message.substr(0, at + Words.size()));
}

/// Later features turn some assertions of 2.0 around; its suites are judged without these features.
engine::Features features_of(const std::string& suite) {
  const bool old = suite.starts_with("wasm2.0");
  return {.multi_table = !suite.ends_with("2.0+proposals/threads"),  // threads were proposed on top of 1.0
          .multi_memory = !old || suite.ends_with("/multi-memory"),
          .global_in_const = !old};
}

/// The suites spell some traps longer than the spec does ("uninitialized element 2").
bool says(const Trap& trap, const std::string& text) {
  return trap.message.starts_with(text) || text.starts_with(text_of(trap.kind));
}

class Script {
 public:
  Script(std::filesystem::path json, std::string suite, engine::Compiler* compiler)
      : path_(std::move(json)), suite_(std::move(suite)), store_({.compiler = compiler}) {
    define_spectest(linker_, store_);
  }

  Report run(std::atomic<uint32_t>& line);

 private:
  using Handler = Verdict (Script::*)(const Json&);
  static const std::unordered_map<std::string, Handler>& handlers();

  Verdict module(const Json& command);
  Verdict module_definition(const Json& command);
  Verdict module_instance(const Json& command);
  Verdict register_module(const Json& command);
  Verdict action(const Json& command);
  Verdict assert_return(const Json& command);
  Verdict assert_trap(const Json& command);
  Verdict assert_exhaustion(const Json& command) { return assert_trap(command); }
  Verdict assert_exception(const Json& command);
  Verdict assert_rejected(const Json& command);
  Verdict assert_unlinkable(const Json& command);
  Verdict assert_uninstantiable(const Json& command);

  Result<ModulePtr> compile(const Json& command) const;
  Verdict define(const std::string& name, const ModulePtr& module);
  Verdict not_linked(const Module& module, const InstantiateError& error) const;
  Named& named(const Json& command, const char* key);
  std::variant<Values, Trap, Verdict> act(const Json& action);
  std::variant<Values, Trap, Verdict> invoke(FuncInstance& func, const Json& arguments);
  /// How the instantiation of the command's module fails, or a verdict where it does not.
  std::variant<InstantiateError, Verdict> instantiate_error(const Json& command);

  std::filesystem::path path_;
  std::string suite_;
  engine::Store store_;
  engine::Linker linker_;
  Named current_;
  std::unordered_map<std::string, Named> named_;
  std::unordered_map<std::string, ModulePtr> definitions_;
  std::unordered_map<std::string, Verdict> absent_;  // registered names without an instance
};

const std::unordered_map<std::string, Script::Handler>& Script::handlers() {
  static const std::unordered_map<std::string, Handler> Table = {
      {"module", &Script::module},
      {"module_definition", &Script::module_definition},
      {"module_instance", &Script::module_instance},
      {"register", &Script::register_module},
      {"action", &Script::action},
      {"assert_return", &Script::assert_return},
      {"assert_trap", &Script::assert_trap},
      {"assert_exhaustion", &Script::assert_exhaustion},
      {"assert_exception", &Script::assert_exception},
      {"assert_invalid", &Script::assert_rejected},
      {"assert_malformed", &Script::assert_rejected},
      {"assert_unlinkable", &Script::assert_unlinkable},
      {"assert_uninstantiable", &Script::assert_uninstantiable},
  };
  return Table;
}

Report Script::run(std::atomic<uint32_t>& line) {
  Report report;
  const auto text = test::read_file(path_);
  const Json script = text ? Json::parse(reinterpret_cast<const char*>(text->data()),
                                         reinterpret_cast<const char*>(text->data() + text->size()), nullptr, false)
                           : Json();
  const std::string file = suite_ + "/" + path_.filename().string();
  if (!script.contains("commands")) {
    report.failures.push_back(file + ": expected wast2json's commands");
    return report;
  }
  for (const Json& command : script["commands"]) {
    const std::string type = command.at("type");
    line = command.at("line").get<uint32_t>();
    const auto handler = handlers().find(type);
    const Verdict verdict = handler == handlers().end() ? fail("a known command", type)
                                                        : (this->*handler->second)(command);
    const bool counts = type.starts_with("assert_");
    if (verdict.kind == Verdict::Fail)
      report.failures.push_back(file + ":" + std::to_string(line) + ": " + type + ": " + verdict.text);
    else if (counts && verdict.kind == Verdict::Pass)
      ++report.passed;
    else if (counts)
      ++report.skipped[verdict.text];
  }
  return report;
}

// -- modules --

Result<ModulePtr> Script::compile(const Json& command) const {
  auto bytes = test::read_file(path_.parent_path() / command.at("filename").get<std::string>());
  if (!bytes) return std::move(bytes.error());
  return Module::compile(std::move(*bytes), features_of(suite_));
}

/// An import that is missing because its module was skipped is no fault of the linker.
Verdict Script::not_linked(const Module& module, const InstantiateError& error) const {
  if (error.stage == InstantiateError::Stage::Link)
    for (const engine::Import& import : module.imports)
      if (const auto it = absent_.find(import.module); it != absent_.end()) return it->second;
  return fail("an instance", error.to_string());
}

Verdict Script::define(const std::string& name, const ModulePtr& module) {
  const auto instance = linker_.instantiate(store_, module);
  const Verdict verdict = instance ? pass() : not_linked(*module, instance.error());
  current_ = instance ? Named{*instance, {}} : Named{nullptr, verdict};
  if (!name.empty()) named_[name] = current_;
  return verdict;
}

Verdict Script::module(const Json& command) {
  const std::string name = command.value("name", "");
  const auto module = compile(command);
  if (module) return define(name, *module);
  const Verdict verdict = unsupported(module.error()).value_or(fail("a module", module.error().to_string()));
  current_ = {nullptr, verdict};
  if (!name.empty()) named_[name] = current_;
  return verdict;
}

Verdict Script::module_definition(const Json& command) {
  const auto module = compile(command);
  if (!module) return unsupported(module.error()).value_or(fail("a module", module.error().to_string()));
  definitions_[command.value("name", "")] = *module;
  return pass();
}

Verdict Script::module_instance(const Json& command) {
  const auto it = definitions_.find(command.value("module", ""));
  if (it == definitions_.end()) return fail("a definition of the module", "none");
  return define(command.value("name", ""), it->second);
}

Named& Script::named(const Json& command, const char* key) {
  return command.contains(key) ? named_[command[key].get<std::string>()] : current_;
}

Verdict Script::register_module(const Json& command) {
  const std::string as = command.at("as");
  const Named& target = named(command, "name");
  absent_.erase(as);
  if (target.instance)
    linker_.define_instance(as, *target.instance);
  else
    absent_[as] = target.absent;
  return target.instance ? pass() : target.absent;
}

Verdict Script::assert_rejected(const Json& command) {
  if (command.value("module_type", "") == "text") return skip("the text format is not the engine's");
  const std::string text = command.at("text");
  const auto module = compile(command);
  if (module) return fail("an error: " + text, "a module");
  if (auto verdict = unsupported(module.error())) return *verdict;
  if (module.error().offset == Error::NoOffset) return fail("an error with its byte offset", module.error().message);
  return pass();
}

std::variant<InstantiateError, Verdict> Script::instantiate_error(const Json& command) {
  const std::string text = command.at("text");
  const auto module = compile(command);
  if (!module)
    return unsupported(module.error()).value_or(fail("a module, then: " + text, module.error().to_string()));
  auto instance = linker_.instantiate(store_, *module);
  if (instance) return fail("an error: " + text, "an instance");
  return std::move(instance.error());
}

Verdict Script::assert_unlinkable(const Json& command) {
  const auto result = instantiate_error(command);
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  const auto& error = std::get<InstantiateError>(result);
  if (error.stage == InstantiateError::Stage::Link) return pass();
  return fail("no link: " + command.at("text").get<std::string>(), error.to_string());
}

Verdict Script::assert_uninstantiable(const Json& command) {
  const auto result = instantiate_error(command);
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  const auto& error = std::get<InstantiateError>(result);
  const std::string text = command.at("text");
  if (error.stage == InstantiateError::Stage::Run && says(error.trap, text)) return pass();
  return fail("a trap: " + text, error.to_string());
}

// -- actions --

std::variant<Values, Trap, Verdict> Script::invoke(FuncInstance& func, const Json& arguments) {
  std::vector<Slot> slots;
  for (const Json& argument : arguments)
    if (const auto put = put_argument(argument, slots); !put) return fail("an argument", put.error().message);
  if (slots.size() != func.type->param_slots)
    return fail("a function of these arguments", func.type->to_string());
  slots.resize(std::max(func.type->param_slots, func.type->result_slots));
  Outcome<> done = store_.call(func, slots);
  if (!done) return std::move(done.error());
  return Values{func.type->results, std::move(slots)};
}

std::variant<Values, Trap, Verdict> Script::act(const Json& action) {
  const Named& target = named(action, "module");
  if (!target.instance) return target.absent;
  const std::string field = action.at("field");
  if (action.at("type") == "get") {
    const GlobalInstance* global = target.instance->export_global(field);
    if (!global) return fail("a global '" + field + "'", "none");
    return Values{{global->type.type}, {global->cell.low, global->cell.high}};
  }
  FuncInstance* func = target.instance->export_func(field);
  if (!func) return fail("a function '" + field + "'", "none");
  return invoke(*func, action.at("args"));
}

std::string values_text(const Values& values) {
  std::string text;
  uint32_t at = 0;
  for (ValType type : values.types) {
    text += (text.empty() ? "" : ", ") + to_text(type, &values.slots[at]);
    at += slots_of(type);
  }
  return "[" + text + "]";
}

std::string list_text(const Json& patterns) {
  std::string text;
  for (const Json& pattern : patterns) text += (text.empty() ? "" : ", ") + to_text(pattern);
  return "[" + text + "]";
}

bool all_match(const Json& patterns, const Values& values) {
  if (patterns.size() != values.types.size()) return false;
  uint32_t at = 0;
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (!matches(patterns[i], values.types[i], &values.slots[at])) return false;
    at += slots_of(values.types[i]);
  }
  return true;
}

Verdict Script::action(const Json& command) {
  const auto result = act(command.at("action"));
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  const auto* trap = std::get_if<Trap>(&result);
  return trap ? fail("a return", "trap: " + trap->message) : pass();
}

Verdict Script::assert_return(const Json& command) {
  const auto result = act(command.at("action"));
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  // `either` of the single result stands beside or inside `expected`.
  const Json expected = command.contains("either")
                            ? Json::array({{{"type", "either"}, {"values", command["either"]}}})
                            : command.at("expected");
  const auto* values = std::get_if<Values>(&result);
  if (values && all_match(expected, *values)) return pass();
  return fail(list_text(expected), values ? values_text(*values) : "trap: " + std::get<Trap>(result).message);
}

Verdict Script::assert_trap(const Json& command) {
  const std::string text = command.at("text");
  const auto result = act(command.at("action"));
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  const auto* trap = std::get_if<Trap>(&result);
  if (trap && says(*trap, text)) return pass();
  return fail("trap: " + text, trap ? "trap: " + trap->message : values_text(std::get<Values>(result)));
}

Verdict Script::assert_exception(const Json& command) {
  const auto result = act(command.at("action"));
  if (const auto* verdict = std::get_if<Verdict>(&result)) return *verdict;
  const auto* trap = std::get_if<Trap>(&result);
  if (trap && trap->kind == TrapKind::UncaughtException) return pass();
  return fail("an exception", trap ? "trap: " + trap->message : values_text(std::get<Values>(result)));
}

}  // namespace

Report run_script(const std::filesystem::path& json, const std::string& suite, engine::Compiler* compiler,
                  std::atomic<uint32_t>& line) {
  return Script(json, suite, compiler).run(line);
}

}  // namespace krait::spec
