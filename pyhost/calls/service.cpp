// The service's face: what may be asked from any thread.
#include "pyhost/calls/service.hpp"

#include <algorithm>

#include "io/coroutine.hpp"
#include "pyhost/calls/core.hpp"

namespace krait::pyhost {

using calls::Call;
using calls::Core;

const char* name_of(CallEnd end) {
  switch (end) {
    case CallEnd::Returned: return "returned";
    case CallEnd::Raised: return "raised";
    case CallEnd::Trapped: return "trapped";
    case CallEnd::TimedOut: return "timed out";
    case CallEnd::Cancelled: return "cancelled";
    case CallEnd::Failed: return "failed";
  }
  return "";
}

namespace {

Refusal no_call(CallId id) { return {Refusal::Kind::Unknown, "no call " + std::to_string(id)}; }
Refusal broken(const Error& error) { return {Refusal::Kind::Broken, error.to_string()}; }

}  // namespace

struct Service::Impl : Core {
  using Core::Core;
};

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Service>> Service::start(io::Runtime& runtime, store::FunctionStore functions,
                                                std::shared_ptr<const PythonRuntime> python, ServiceOptions options) {
  auto impl = std::make_unique<Impl>(runtime, std::move(functions), std::move(python), std::move(options));
  for (size_t i = 0; i < runtime.shards(); ++i)
    impl->lanes.push_back(std::make_unique<calls::Lane>(*impl, runtime.shard(i)));
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

Service::~Service() {
  shutdown(std::chrono::nanoseconds(0));
  impl_->lanes.clear();
}

Answer<CallId> Service::submit(CallSpec spec) {
  Core& core = *impl_;
  const auto refuse = [&](Refusal refusal) {
    core.refused++;
    return refusal;
  };
  if (core.ending) return refuse({Refusal::Kind::Ending, "the service is being shut down"});
  if (core.queued >= core.options.max_queued)
    return refuse({Refusal::Kind::Full, std::to_string(core.options.max_queued) + " calls are waiting already: try again later"});
  auto function = core.functions.find(spec.user, spec.function);
  if (!function) return refuse(std::move(function.error()));
  auto call = std::make_shared<Call>();
  call->limits = spec.limits.within((*function)->limits.over(core.options.limits));
  call->spec = std::move(spec);
  call->function = std::move(*function);
  call->chain = std::make_shared<calls::Chain>();
  call->chain->max_calls = call->limits.chain_count;
  call->chain->max_depth = call->limits.chain_depth;
  call->chain->max_bytes = call->limits.chain_bytes;
  call->chain->first = call;
  call->chain->live = 1;
  call->submitted_ns = calls::monotonic_ns();
  core.submitted++;
  core.place(call);
  return call->id;
}

Answer<CallReport> Service::wait(CallId id, io::Deadline deadline) {
  const auto call = impl_->table.find(id);
  if (!call) return no_call(id);
  const auto watcher = std::make_shared<io::FutureCore>();
  if (call->watch(watcher)) {
    const int status = watcher->wait(deadline);
    if (status != 0) call->unwatch(watcher);
    if (status == -ETIMEDOUT) return Refusal{Refusal::Kind::TimedOut, "call " + std::to_string(id) + " has not ended yet"};
    if (status != 0) return Refusal{Refusal::Kind::Cancelled, "the wait for call " + std::to_string(id) + " was cancelled"};
  }
  return call->report;
}

Answer<CallReport> Service::call(CallSpec spec, io::Deadline deadline) {
  const auto id = submit(std::move(spec));
  if (!id) return id.error();
  auto report = wait(*id, deadline);
  if (!report) cancel(*id);
  else drop(*id);
  return report;
}

bool Service::cancel(CallId id) {
  const auto call = impl_->table.find(id);
  if (!call) return false;
  impl_->cancel(call);
  return true;
}

std::optional<CallState> Service::state(CallId id) const {
  const auto call = impl_->table.find(id);
  if (!call) return std::nullopt;
  const std::lock_guard lock(call->mutex);
  return call->state;
}

std::optional<std::string> Service::user_of(CallId id) const {
  const auto call = impl_->table.find(id);
  return call ? std::optional(call->spec.user) : std::nullopt;
}

bool Service::drop(CallId id) { return impl_->table.drop(id); }

Answer<store::FunctionInfo> Service::upload(UploadSpec spec) {
  Core& core = *impl_;
  for (const auto& checked : {store::check_name("user", spec.user), store::check_name("function", spec.function)})
    if (!checked) return Refusal{Refusal::Kind::Invalid, checked.error().message};
  if (spec.kind == store::FunctionKind::Python) {
    const auto base = core.base();
    if (!base) return broken(base.error());
    auto python = calls::bare_python(core.python, *base);
    if (!python) return broken(python.error());
    const std::string_view text(reinterpret_cast<const char*>(spec.contents.data()), spec.contents.size());
    const auto diagnostic = (*python)->check(text, spec.shown_as.empty() ? spec.function + ".py" : spec.shown_as);
    if (!diagnostic) return broken(diagnostic.error());
    if (diagnostic->has_value()) return Refusal{Refusal::Kind::Invalid, (*diagnostic)->text};
  } else if (const auto module = engine::Module::compile(std::span<const std::byte>(spec.contents)); !module) {
    return Refusal{Refusal::Kind::Invalid, module.error().to_string()};
  }
  auto stored = core.functions.store().put(spec.user, spec.function, spec.kind, spec.contents, spec.limits.to_json());
  if (!stored) return broken(stored.error());
  core.prepare(spec.user, spec.function);
  return std::move(*stored);
}

Answer<bool> Service::remove(const std::string& user, const std::string& function) {
  for (const auto& checked : {store::check_name("user", user), store::check_name("function", function)})
    if (!checked) return Refusal{Refusal::Kind::Invalid, checked.error().message};
  auto removed = impl_->functions.store().remove(user, function);
  if (!removed) return broken(removed.error());
  return *removed;
}

Answer<store::Listing> Service::list(const std::string& user) const {
  if (!user.empty())
    if (const auto checked = store::check_name("user", user); !checked)
      return Refusal{Refusal::Kind::Invalid, checked.error().message};
  auto listing = impl_->functions.store().list(user);
  if (!listing) return broken(listing.error());
  return std::move(*listing);
}

Answer<std::optional<store::Function>> Service::get(const std::string& user, const std::string& function) const {
  auto got = impl_->functions.store().get(user, function);
  if (!got) return broken(got.error());
  return std::move(*got);
}

ServiceStats Service::stats() const {
  const Core& core = *impl_;
  const uint64_t running = core.running, waiting = core.waiting;
  return {core.queued, running - std::min(running, waiting), waiting, core.sandboxes, core.idle, core.idle_bytes, core.submitted, core.ended, core.refused};
}

void Service::shutdown(std::chrono::nanoseconds drain) {
  Core& core = *impl_;
  core.ending = true;
  std::shared_ptr<io::FutureCore> quiet;
  {
    const std::lock_guard lock(core.quiet_mutex);
    if (!core.quiet) core.quiet = std::make_shared<io::FutureCore>();
    quiet = core.quiet;
    if (core.ended == core.submitted) return;
  }
  if (drain.count() > 0 && quiet->wait(drain) == 0) return;
  for (const auto& call : core.table.all()) core.cancel(call);
  (void)quiet->wait({});
}

}  // namespace krait::pyhost
