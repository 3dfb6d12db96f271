#include "http/http_client.h"

#include <array>
#include <utility>

#include "http/curl_parts.h"

namespace trunkline::http {

using std::chrono::steady_clock;

/// libcurl's side of it.
class client::transfer {
 public:
  explicit transfer(const client& owner) : owner_(owner), handle_(new_curl_handle()) {}

  result<answer> run(const request& what);

 private:
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    auto* const mine = static_cast<transfer*>(self);
    const std::size_t bytes = size * count;
    mine->too_long_ = mine->body_.size() + bytes > mine->bytes_most_;
    if (mine->too_long_) return 0;
    mine->body_.append(data, bytes);
    return bytes;
  }
  static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto last = static_cast<transfer*>(self)->owner_.last_moment_.load(std::memory_order_relaxed);
    return steady_clock::now().time_since_epoch().count() >= last ? 1 : 0;
  }
  void prepare(const request& what);
  error failure(CURLcode code) const;

  const client& owner_;
  curl_handle handle_;
  std::array<char, CURL_ERROR_SIZE> said_{};
  std::string body_;
  std::size_t bytes_most_ = 0;
  bool too_long_ = false;
};

void client::transfer::prepare(const request& what) {
  CURL* handle = handle_.get();
  ::curl_easy_setopt(handle, CURLOPT_URL, what.url.c_str());
  ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  const char* const path = what.unix_socket.empty() ? nullptr : what.unix_socket.c_str();
  ::curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, path);
  ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!owner_.ca_file_.empty()) ::curl_easy_setopt(handle, CURLOPT_CAINFO, owner_.ca_file_.c_str());
  ::curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(what.timeout.count()));
  ::curl_easy_setopt(handle, CURLOPT_USERAGENT, "trunkline");
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, said_.data());
  if (what.body == nullptr) {
    ::curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  } else {
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.body->size()));
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS, what.body->data());
  }
  ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &transfer::take);
  ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
  ::curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &transfer::progress);
  ::curl_easy_setopt(handle, CURLOPT_XFERINFODATA, this);
}

error client::transfer::failure(CURLcode code) const {
  if (too_long_) return {.message = "the answer is longer than " + std::to_string(bytes_most_) + " bytes"};
  const std::string said = said_.front() == '\0' ? ::curl_easy_strerror(code) : said_.data();
  return {.reaction = error_reaction::retry, .message = said};
}

result<answer> client::transfer::run(const request& what) {
  if (handle_ == nullptr) return fail({.message = "libcurl cannot be used"});
  body_.clear();
  bytes_most_ = what.answer_bytes;
  too_long_ = false;
  said_.front() = '\0';
  prepare(what);
  const header_list headers = headers_of(what.headers, what.bearer);
  ::curl_easy_setopt(handle_.get(), CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = ::curl_easy_perform(handle_.get());
  ::curl_easy_setopt(handle_.get(), CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return fail(failure(code));
  answer made;
  ::curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &made.status);
  made.retry_after = retry_after_of(handle_.get());
  made.body = std::move(body_);
  return made;
}

client::client(std::string ca_file)
    : ca_file_(std::move(ca_file)), transfer_(std::make_unique<transfer>(*this)) {}

client::~client() = default;

result<answer> client::send(const request& what) {
  return transfer_->run(what);
}

}  // namespace trunkline::http
