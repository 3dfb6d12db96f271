#include "k8s/secret_watch.h"

#include <algorithm>
#include <utility>

#include "auth/base64.h"

namespace trunkline::k8s {

using telemetry::log_level;

secret_watch::secret_watch(std::string name_space, std::string name, std::vector<std::string> keys,
                           std::function<void()> told, telemetry::logger& log)
    : name_space_(std::move(name_space)),
      name_(std::move(name)),
      keys_(std::move(keys)),
      log_(log),
      told_(std::move(told)) {}

/// By its name, which is what a Role with `resourceNames` allows.
collection secret_watch::where() const {
  return {.path = "/api/v1/namespaces/" + name_space_ + "/secrets", .fields = "metadata.name=" + name_};
}

bool secret_watch::answered() const {
  std::lock_guard lock(mutex_);
  return answered_;
}

secret_watch::entry secret_watch::of(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = values_.find(key);
  if (found != values_.end()) return {.value = found->second, .problem = {}};
  if (!problem_.empty()) return {.value = {}, .problem = problem_};
  return {.value = {}, .problem = answered_ ? "it holds no " + key : "the API server has not told it yet"};
}

void secret_watch::inherit(const secret_watch& from) {
  std::scoped_lock lock(mutex_, from.mutex_);
  for (const std::string& key : keys_)
    if (const auto known = from.values_.find(key); known != from.values_.end()) values_.insert(*known);
}

void secret_watch::retire() {
  std::lock_guard lock(mutex_);
  told_ = nullptr;
}

void secret_watch::replace(std::vector<json> all) {
  for (const json& each : all)
    if (name_of(each) == name_) return put(each);
  answer({}, "there is no such Secret");
}

void secret_watch::put(const json& object) {
  if (name_of(object) != name_) return;
  const json& data = field_of(object, "data");
  std::map<std::string, secret_text> values;
  std::string problem;
  for (const std::string& key : keys_) {
    const auto bytes = auth::base64_decode(text_of(data, key));
    if (bytes && !bytes->empty())
      values[key] = secret_text(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
    else
      problem = "it holds no " + key;
  }
  answer(std::move(values), problem);
}

void secret_watch::remove(const json& object) {
  if (name_of(object) == name_) answer({}, "it was deleted");
}

void secret_watch::failed(const std::string& why) {
  answer({}, why);
}

void secret_watch::answer(std::map<std::string, secret_text> values, const std::string& problem) {
  std::function<void()> told;
  {
    std::lock_guard lock(mutex_);
    bool differs = !std::exchange(answered_, true);
    for (auto& [key, value] : values) {
      secret_text& known = values_[key];
      differs = differs || known.reveal() != value.reveal();
      known = std::move(value);
    }
    if (differs) told = told_;
    if (problem != problem_ && told_ != nullptr) {
      const std::string place = name_space_ + "/" + name_;
      problem_ = problem;
      if (problem.empty())
        log_.write(log_level::info, "secret.ok", "", {{"secret", std::string_view(place)}});
      else
        log_.write(log_level::warning, "secret.failed", problem + ": what was known before stays in use",
                   {{"secret", std::string_view(place)}});
    }
  }
  if (told) told();
}

}  // namespace trunkline::k8s
