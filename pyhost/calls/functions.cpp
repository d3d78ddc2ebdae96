// The stamp is read before the contents: contents newer than their stamp are looked up once more, older ones never stay.
#include "pyhost/calls/functions.hpp"

namespace krait::pyhost::calls {
namespace {

Refusal broken(const Error& error) { return {Refusal::Kind::Broken, error.to_string()}; }

}  // namespace

Answer<std::shared_ptr<FunctionVersion>> FunctionTable::find(const std::string& user, const std::string& name) {
  for (const auto& checked : {store::check_name("user", user), store::check_name("function", name)})
    if (!checked) return Refusal{Refusal::Kind::Invalid, checked.error().message};
  const Key key = user + "/" + name;
  const Refusal unknown{Refusal::Kind::Unknown, "no function " + key};
  const auto stamp = store_.stamp(user, name);
  if (!stamp) return broken(stamp.error());
  if (!stamp->has_value()) return unknown;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second.version->stamp == **stamp) {
      recent_.splice(recent_.begin(), recent_, found->second.place);
      return found->second.version;
    }
  }
  auto function = store_.get(user, name);
  if (!function) return broken(function.error());
  if (!function->has_value()) return unknown;
  auto version = std::make_shared<FunctionVersion>();
  version->info = std::move((*function)->info);
  version->stamp = **stamp;
  auto& contents = (*function)->contents;
  if (version->info.kind == store::FunctionKind::Python)
    version->source.assign(reinterpret_cast<const char*>(contents.data()), contents.size());
  else
    version->contents = std::move(contents);
  auto limits = LimitChanges::parse(version->info.settings);
  if (!limits) return Refusal{Refusal::Kind::Broken, key + ": " + limits.error().message};
  version->limits = *limits;

  const std::lock_guard lock(mutex_);
  auto [entry, added] = entries_.try_emplace(key);
  if (added) entry->second.place = recent_.insert(recent_.begin(), key);
  entry->second.version = version;
  if (entries_.size() > cap_) {
    entries_.erase(recent_.back());
    recent_.pop_back();
  }
  return version;
}

}  // namespace krait::pyhost::calls
