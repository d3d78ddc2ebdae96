// A tier that is opened when it is first asked for anything.
#include <mutex>

#include "store/state.hpp"

namespace krait::store {
namespace {

class LazyState final : public StateTier {
 public:
  LazyState(std::filesystem::path folder, std::function<void(const Error&)> failed, StateOptions options)
      : folder_(std::move(folder)), failed_(std::move(failed)), options_(options) {}

  StateResult<std::optional<StateInfo>> info(const StateKey& key) override {
    StateTier* tier = open();
    return tier ? tier->info(key) : StateResult<std::optional<StateInfo>>(error_);
  }
  StateResult<std::optional<Piece>> read(const StateKey& key, uint64_t offset, uint64_t length) override {
    StateTier* tier = open();
    return tier ? tier->read(key, offset, length) : StateResult<std::optional<Piece>>(error_);
  }
  StateResult<std::vector<Bytes>> read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes) override {
    StateTier* tier = open();
    return tier ? tier->read_log(key, first, count, max_bytes) : StateResult<std::vector<Bytes>>(error_);
  }
  StateResult<std::vector<StateEntry>> list(const std::string& user, StateKind kind, const std::string& prefix) override {
    StateTier* tier = open();
    return tier ? tier->list(user, kind, prefix) : StateResult<std::vector<StateEntry>>(error_);
  }
  [[nodiscard]] bool waits() const override { return true; }
  void submit(StateChange change, StateDone done) override {
    StateTier* tier = open();
    if (tier) tier->submit(std::move(change), std::move(done));
    else done(error_);
  }

 private:
  /// Null where it cannot be opened: then error_ says why.
  StateTier* open() {
    std::call_once(once_, [this] {
      auto opened = StateStore::open(folder_, options_);
      if (opened) {
        tier_ = std::move(*opened);
        return;
      }
      failed_(opened.error());
      error_ = {StateError::Kind::Io, opened.error().message};
    });
    return tier_.get();
  }

  const std::filesystem::path folder_;
  const std::function<void(const Error&)> failed_;
  const StateOptions options_;
  std::once_flag once_;
  std::shared_ptr<StateStore> tier_;
  StateError error_;
};

}  // namespace

std::shared_ptr<StateTier> state_at_first_use(std::filesystem::path folder, std::function<void(const Error&)> failed,
                                              StateOptions options) {
  return std::make_shared<LazyState>(std::move(folder), std::move(failed), options);
}

}  // namespace krait::store
