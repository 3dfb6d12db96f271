#include "identity/reviewer.h"

#include <utility>

#include "base/limits.h"
#include "identity/files.h"
#include "identity/joined.h"

namespace trunkline::identity {

namespace {

/// Gives a client back whatever happens.
class borrowed_client {
 public:
  borrowed_client(std::mutex& mutex, std::vector<http::client*>& from) : mutex_(mutex), from_(from) {
    std::lock_guard lock(mutex_);
    mine_ = from_.back();
    from_.pop_back();
  }
  borrowed_client(const borrowed_client&) = delete;
  borrowed_client& operator=(const borrowed_client&) = delete;
  ~borrowed_client() {
    std::lock_guard lock(mutex_);
    from_.push_back(mine_);
  }
  http::client* operator->() const { return mine_; }

 private:
  std::mutex& mutex_;
  std::vector<http::client*>& from_;
  http::client* mine_ = nullptr;
};

}  // namespace

reviewer::reviewer(const config::kubernetes_auth& of)
    : url_(api_url(of.api_server, "/apis/authentication.k8s.io/v1/tokenreviews")),
      token_file_(of.token_file),
      audiences_(of.audiences),
      threads_(limits::token_review_threads, limits::token_review_waiting) {
  for (std::size_t i = 0; i < limits::token_review_threads; ++i) {
    all_.push_back(std::make_unique<http::client>(of.ca_file));
    free_.push_back(all_.back().get());
  }
}

result<auth::token_verdict> reviewer::ask(const secret_text& token) {
  const borrowed_client client(mutex_, free_);
  auto own = read_token_file(token_file_);
  if (!own) return fail(own.error());
  const secret_text body(auth::token_review_body(token.reveal(), audiences_));
  const auto answer = client->send({.url = url_,
                                    .headers = {"Content-Type: application/json", "Accept: application/json"},
                                    .bearer = std::move(*own),
                                    .body = &body.reveal(),
                                    .timeout = limits::token_review_timeout,
                                    .answer_bytes = limits::issuer_answer_bytes});
  if (!answer) return fail({.message = url_ + ": " + answer.error().message});
  // 201 Created is what an API server answers to a create.
  if (answer->status != 200 && answer->status != 201)
    return fail({.message = url_ + ": it answers with status " + std::to_string(answer->status)});
  return auth::read_token_review(answer->body, audiences_);
}

void reviewer::stop() {
  for (auto& each : all_)
    each->end_at({});
  threads_.stop();
}

}  // namespace trunkline::identity
