#include "k8s/secret_text_watch.h"

#include <utility>

#include "auth/base64.h"

namespace trunkline::k8s {

using telemetry::log_level;

secret_text_watch::secret_text_watch(std::string name_space, std::string name, std::string key, judge usable,
                                     std::shared_ptr<std::atomic<bool>> changed, telemetry::logger& log)
    : name_space_(std::move(name_space)),
      name_(std::move(name)),
      key_(std::move(key)),
      usable_(std::move(usable)),
      changed_(std::move(changed)),
      log_(log) {}

/// By its name, which is what a Role with `resourceNames` allows.
collection secret_text_watch::where() const {
  return {.path = "/api/v1/namespaces/" + name_space_ + "/secrets", .fields = "metadata.name=" + name_};
}

std::string secret_text_watch::text() const {
  std::lock_guard lock(mutex_);
  return text_;
}

void secret_text_watch::wait_until(moment when) const {
  std::unique_lock lock(mutex_);
  first_.wait_until(lock, when, [this] { return answered_; });
}

void secret_text_watch::answered() {
  std::lock_guard lock(mutex_);
  answered_ = true;
  first_.notify_all();
}

void secret_text_watch::complain(const std::string& why) {
  if (complaint_ == why) return;
  complaint_ = why;
  const std::string place = name_space_ + "/" + name_;
  if (why.empty()) return log_.write(log_level::info, "secret.ok", "", {{"secret", std::string_view(place)}});
  log_.write(log_level::warning, "secret.failed", why + ": what was known before stays in use",
             {{"secret", std::string_view(place)}});
}

void secret_text_watch::take(std::string text) {
  complain("");
  std::lock_guard lock(mutex_);
  if (text == text_) return;
  text_ = std::move(text);
  changed_->store(true);
}

void secret_text_watch::replace(std::vector<json> all) {
  for (const json& each : all) {
    if (k8s::name_of(each) == name_) return put(each);
  }
  complain("there is no such Secret");
}

void secret_text_watch::put(const json& object) {
  if (k8s::name_of(object) != name_) return;
  const json& data = field_of(object, "data");
  const auto bytes = auth::base64_decode(text_of(data, key_));
  if (!bytes || bytes->empty()) return complain("it holds no " + key_);
  std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (const auto judged = usable_(text); !judged) return complain(judged.error().message);
  take(std::move(text));
}

void secret_text_watch::remove(const json& object) {
  if (k8s::name_of(object) == name_) complain("it was deleted");
}

void secret_text_watch::failed(const std::string& why) {
  complain(why);
  answered();
}

}  // namespace trunkline::k8s
