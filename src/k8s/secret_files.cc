#include "k8s/secret_files.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trunkline::k8s {

namespace {

std::string path_of_memory(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

bool write_all(int to, std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto written = ::pwrite(to, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += static_cast<std::size_t>(written);
  }
  return true;
}

void wipe_memory(int descriptor, std::size_t size) {
  (void)write_all(descriptor, std::string(size, '\0'));
}

/// The whole of it: what is longer now is cut off, and what was there before is overwritten.
bool put_into(int memory, const secret_text& text, std::size_t before) {
  if (before > text.reveal().size()) wipe_memory(memory, before);
  return write_all(memory, text.reveal()) &&
         ::ftruncate(memory, static_cast<off_t>(text.reveal().size())) == 0;
}

runtime::unique_fd new_memory() {
  runtime::unique_fd made(::memfd_create("secret", MFD_CLOEXEC));
  if (made && ::fchmod(made.get(), S_IRUSR | S_IWUSR) != 0) made.reset();
  return made;
}

}  // namespace

/// Rung on the client's thread.
struct secret_files::bell {
  std::function<void()> changed;
  std::mutex mutex;
  std::condition_variable rung;

  void ring() {
    std::lock_guard lock(mutex);
    rung.notify_all();
    if (changed) changed();
  }
};

secret_files::secret_files(watch_starter watch, telemetry::logger& log, std::function<void()> changed)
    : watch_(std::move(watch)), log_(log), bell_(std::make_shared<bell>()) {
  bell_->changed = std::move(changed);
}

secret_files::~secret_files() {
  {
    std::lock_guard lock(bell_->mutex);
    bell_->changed = nullptr;
  }
  for (auto& [where, each] : secrets_) {
    each.watch->retire();
    for (auto& [key, one] : each.files)
      wipe_memory(one.memory.get(), one.content.reveal().size());
  }
}

void secret_files::begin() {
  asked_.clear();
  for (auto& [where, each] : secrets_) {
    for (auto& [key, one] : each.files) {
      secret_text now = each.watch->of(key).value;
      if (now.empty() || now.reveal() == one.content.reveal()) continue;
      if (put_into(one.memory.get(), now, one.content.reveal().size())) one.content = std::move(now);
    }
  }
}

void secret_files::follow(secret& which, const place& where, std::vector<std::string> keys) {
  auto before = std::exchange(
      which.watch, std::make_shared<secret_watch>(
                       where.first, where.second, std::move(keys), [bell = bell_] { bell->ring(); }, log_));
  if (before != nullptr) {
    which.watch->inherit(*before);
    before->retire();
  }
  which.ticket = watch_(which.watch->where(), which.watch);
}

secret_files::secret& secret_files::watched(const place& where, const std::string& key) {
  secret& found = secrets_[where];
  std::vector<std::string> keys = found.watch == nullptr ? std::vector<std::string>() : found.watch->keys();
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return found;
  keys.push_back(key);
  follow(found, where, std::move(keys));
  return found;
}

result<std::string> secret_files::path_of(const config::secret_reference& which) {
  const place where{which.name_space, which.name};
  asked_[where].insert(which.key);
  secret& from = watched(where, which.key);
  if (const auto known = from.files.find(which.key); known != from.files.end())
    return path_of_memory(known->second.memory.get());
  secret_watch::entry now = from.watch->of(which.key);
  const auto refuse = [&](const std::string& why) {
    return fail({.message = "Secret " + which.name_space + "/" + which.name + ": " + why});
  };
  if (now.value.empty()) return refuse(now.problem);
  file made{.memory = new_memory(), .content = {}};
  if (!made.memory || !put_into(made.memory.get(), now.value, 0))
    return refuse(std::string("no memory for it: ") + std::strerror(errno));
  made.content = std::move(now.value);
  std::string path = path_of_memory(made.memory.get());
  from.files.emplace(which.key, std::move(made));
  return path;
}

bool secret_files::waits() const {
  return std::any_of(asked_.begin(), asked_.end(), [this](const auto& each) {
    const auto found = secrets_.find(each.first);
    return found != secrets_.end() && !found->second.watch->answered();
  });
}

void secret_files::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(bell_->mutex);
  bell_->rung.wait_for(lock, at_most, [this] { return !waits(); });
}

void secret_files::keep_asked() {
  for (auto each = secrets_.begin(); each != secrets_.end();) {
    const auto asked = asked_.find(each->first);
    std::erase_if(each->second.files, [&](auto& one) {
      if (asked != asked_.end() && asked->second.contains(one.first)) return false;
      wipe_memory(one.second.memory.get(), one.second.content.reveal().size());
      return true;
    });
    if (asked == asked_.end()) {
      each->second.watch->retire();
      each = secrets_.erase(each);
      continue;
    }
    // A key that nobody wants is not kept, nor asked for again.
    if (each->second.watch->keys().size() > asked->second.size())
      follow(each->second, each->first, {asked->second.begin(), asked->second.end()});
    ++each;
  }
}

bool secret_files::holds(const std::string& path) const {
  return std::any_of(secrets_.begin(), secrets_.end(), [&](const auto& each) {
    return std::any_of(each.second.files.begin(), each.second.files.end(),
                       [&](const auto& one) { return path_of_memory(one.second.memory.get()) == path; });
  });
}

}  // namespace trunkline::k8s
