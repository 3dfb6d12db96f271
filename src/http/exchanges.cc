#include "http/exchanges.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/limits.h"
#include "http/curl_parts.h"

namespace trunkline::http {

namespace {

struct multi_closer {
  void operator()(CURLM* handle) const { ::curl_multi_cleanup(handle); }
};

/// A peer that is gone without a word is found out by the keepalive, also in the middle of what we say.
int watch_over(void*, curl_socket_t socket, curlsocktype) {
  const int probes = limits::keepalive_probes;
  const auto unanswered = static_cast<unsigned>(limits::tcp_user_timeout.count());
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
  return CURL_SOCKOPT_OK;
}

/// Referred to for as long as the exchange goes on.
curl_blob blob_of(const std::string& text) {
  return {.data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
}

}  // namespace

struct exchanges::multi {
  std::unique_ptr<CURLM, multi_closer> handle;
};

class exchanges::exchange {
 public:
  exchange(exchange_request what, exchange_listener& told)
      : what_(std::move(what)), told_(told), curl_(new_curl_handle()) {}
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange() {
    if (curl_ != nullptr && in_ != nullptr) ::curl_multi_remove_handle(in_, curl_.get());
  }

  bool begin(CURLM* in) {
    if (curl_ == nullptr || in == nullptr) return false;
    prepare();
    if (::curl_multi_add_handle(in, curl_.get()) != CURLM_OK) return false;
    in_ = in;
    return true;
  }
  void end(CURLcode code) {
    ::curl_multi_remove_handle(std::exchange(in_, nullptr), curl_.get());
    exchange_end how;
    ::curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &how.status);
    how.retry_after = retry_after_of(curl_.get());
    how.date = date_of(curl_.get());
    if (unwanted_)
      how.failure = "is not read any further";
    else if (code != CURLE_OK)
      how.failure = said_.front() == '\0' ? ::curl_easy_strerror(code) : said_.data();
    told_.ended(how);  // may be the end of this object
  }

 private:
  bool hand_on(std::string_view bytes) {
    long status = 0;
    ::curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    unwanted_ = !told_.take(status, bytes);
    return !unwanted_;
  }
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    const std::size_t bytes = size * count;
    return static_cast<exchange*>(self)->hand_on({data, bytes}) ? bytes : 0;
  }
  /// The last line is empty.
  static std::size_t take_header(char* line, std::size_t size, std::size_t count, void* self) {
    const std::size_t bytes = size * count;
    const bool last = std::string_view(line, bytes) == "\r\n";
    return !last || static_cast<exchange*>(self)->hand_on({}) ? bytes : 0;
  }
  void prepare();
  void prepare_method();
  void prepare_tls();

  const exchange_request what_;
  exchange_listener& told_;
  curl_handle curl_;
  header_list headers_;
  CURLM* in_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> said_{};
  bool unwanted_ = false;
};

void exchanges::exchange::prepare() {
  CURL* handle = curl_.get();
  ::curl_easy_setopt(handle, CURLOPT_PRIVATE, this);
  ::curl_easy_setopt(handle, CURLOPT_URL, what_.url.c_str());
  ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(what_.connect_timeout.count()));
  ::curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(what_.timeout.count()));
  ::curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  ::curl_easy_setopt(handle, CURLOPT_TCP_KEEPIDLE, static_cast<long>(limits::keepalive_idle.count()));
  ::curl_easy_setopt(handle, CURLOPT_TCP_KEEPINTVL, static_cast<long>(limits::keepalive_interval.count()));
  ::curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, &watch_over);
  ::curl_easy_setopt(handle, CURLOPT_USERAGENT, "trunkline");
  ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, said_.data());
  ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &exchange::take);
  ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
  ::curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &exchange::take_header);
  ::curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
  headers_ = headers_of(what_.headers, what_.bearer);
  ::curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_.get());
  prepare_method();
  prepare_tls();
}

void exchanges::exchange::prepare_method() {
  CURL* handle = curl_.get();
  ::curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, what_.method.c_str());
  if (what_.body.empty()) return;
  ::curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what_.body.size()));
  ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS, what_.body.data());
}

void exchanges::exchange::prepare_tls() {
  CURL* handle = curl_.get();
  ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  const auto set = [handle](CURLoption option, const std::string& text) {
    if (text.empty()) return;
    curl_blob blob = blob_of(text);
    ::curl_easy_setopt(handle, option, &blob);
  };
  set(CURLOPT_CAINFO_BLOB, what_.tls.authorities);
  set(CURLOPT_SSLCERT_BLOB, what_.tls.certificate);
  set(CURLOPT_SSLKEY_BLOB, what_.tls.key.reveal());
}

void exchanges::closer::operator()(exchange* which) const {
  delete which;
}

exchanges::exchanges() : multi_(std::make_unique<multi>()) {
  // The global initialisation comes first.
  if (new_curl_handle() != nullptr) multi_->handle.reset(::curl_multi_init());
}

exchanges::~exchanges() = default;

exchanges::handle exchanges::begin(exchange_request what, exchange_listener& told) {
  handle made(new exchange(std::move(what), told));
  if (!made->begin(multi_->handle.get())) made.reset();
  return made;
}

void exchanges::turn(std::chrono::milliseconds at_most) {
  CURLM* all = multi_->handle.get();
  if (all == nullptr) return;
  int running = 0;
  ::curl_multi_perform(all, &running);
  int left = 0;
  bool some = false;
  // What has ended is told one at a time: a listener may drop others.
  while (const CURLMsg* message = ::curl_multi_info_read(all, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    some = true;
    char* self = nullptr;
    ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
    const CURLcode code = message->data.result;
    reinterpret_cast<exchange*>(self)->end(code);
  }
  if (some) return;  // there may be more to do at once
  ::curl_multi_poll(all, nullptr, 0, static_cast<int>(at_most.count()), nullptr);
}

void exchanges::wake() {
  if (multi_->handle != nullptr) ::curl_multi_wakeup(multi_->handle.get());
}

}  // namespace trunkline::http
