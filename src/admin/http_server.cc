#include "admin/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "admin/http_visit.h"
#include "base/limits.h"
#include "net/socket.h"
#include "runtime/epoll_loop.h"
#include "runtime/owned_thread.h"

namespace trunkline::admin {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_every = 1s;
constexpr int accepts_per_turn = 16;

}  // namespace

result<open_admin_socket> open_admin(const config::address& where) {
  auto address = where.is_unix() ? net::socket_address::unix_path(where.path)
                                 : net::socket_address::ip(where.host, where.port);
  if (!address) return fail(address.error());
  auto socket = net::listen_on(*address);
  if (!socket) {
    socket.error().message = "admin: " + socket.error().message;
    return fail(socket.error());
  }
  return adopt_admin(where, std::move(*socket));
}

open_admin_socket adopt_admin(const config::address& where, runtime::unique_fd socket) {
  open_admin_socket made{.socket = std::move(socket), .address = where};
  if (!where.is_unix()) made.address.port = net::socket_address::of_self(made.socket.get()).port();
  return made;
}

class http_server::acceptor final : public runtime::accept_handler {
 public:
  acceptor(core& owner, open_admin_socket where);
  ~acceptor() override;
  void leave_file() { owns_file_ = false; }
  void on_acceptable() override;

 private:
  bool accept_one();
  void watch();

  core& owner_;
  open_admin_socket where_;
  std::unique_ptr<runtime::accept_watch> watch_;
  runtime::timer retry_;
  bool owns_file_ = true;
};

/// Everything that lives on the loop, and the threads around it.
class http_server::core {
 public:
  explicit core(site& shown);
  ~core();

  void listen(open_admin_socket where);
  void hand_over();
  runtime::loop& loop() { return loop_; }
  void take(int socket, const host_policy& hosts);

 private:
  void run();
  static void tick(void* self);
  static void over(void* self, visit* which);
  void drop(std::vector<std::unique_ptr<visit>>::iterator which);

  runtime::epoll_loop loop_;
  site& shown_;
  // Behind the loop, to which finished jobs are posted; before the visits, which submit them.
  runtime::work_pool brief_{1, limits::admin_waiting_requests};
  runtime::work_pool patient_{1, limits::admin_waiting_requests};
  std::unique_ptr<acceptor> acceptor_;
  std::vector<std::unique_ptr<visit>> visits_;  // the oldest first
  runtime::timer tick_;
  runtime::owned_thread thread_;
};

http_server::acceptor::acceptor(core& owner, open_admin_socket where)
    : owner_(owner),
      where_(std::move(where)),
      retry_(owner.loop().timers(), [](void* self) { static_cast<acceptor*>(self)->watch(); }, this) {
  watch();
}

http_server::acceptor::~acceptor() {
  if (owns_file_ && where_.address.is_unix()) ::unlink(where_.address.path.c_str());
}

void http_server::acceptor::watch() {
  watch_ = owner_.loop().watch_listener(where_.socket.get(), *this);
}

void http_server::acceptor::on_acceptable() {
  for (int i = 0; i < accepts_per_turn && accept_one(); ++i) {
  }
}

bool http_server::acceptor::accept_one() {
  const int socket = ::accept4(where_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) {
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno != EAGAIN) {  // out of descriptors or memory
      watch_.reset();
      retry_.arm(owner_.loop().now() + limits::accept_retry);
    }
    return false;
  }
  owner_.take(socket, host_policy(where_.address));
  return true;
}

http_server::core::core(site& shown)
    : shown_(shown), tick_(loop_.timers(), &core::tick, this), thread_("admin", [this] { run(); }) {}

http_server::core::~core() {
  loop_.post([this] {
    tick_.disarm();
    acceptor_.reset();
    visits_.clear();
    loop_.stop();
  });
  thread_.join();
}

void http_server::core::run() {
  tick(this);
  loop_.run();
}

void http_server::core::tick(void* self) {
  auto* owner = static_cast<core*>(self);
  owner->shown_.tick();
  owner->tick_.arm(owner->loop_.now() + tick_every);
}

void http_server::core::listen(open_admin_socket where) {
  loop_.post([this, next = std::move(where)]() mutable {
    acceptor_.reset();
    acceptor_ = std::make_unique<acceptor>(*this, std::move(next));
  });
}

void http_server::core::hand_over() {
  loop_.post([this] {
    if (acceptor_ != nullptr) acceptor_->leave_file();
    acceptor_.reset();
  });
}

void http_server::core::take(int socket, const host_policy& hosts) {
  if (visits_.size() >= limits::admin_connections) {
    const auto spare =
        std::find_if(visits_.begin(), visits_.end(), [](const auto& each) { return each->is_spare(); });
    drop(spare == visits_.end() ? visits_.begin() : spare);
  }
  const visit_context where{.loop = loop_, .shown = shown_, .brief = brief_, .patient = patient_};
  visits_.push_back(std::make_unique<visit>(where, hosts, socket));
  visits_.back()->start(&core::over, this);
}

void http_server::core::over(void* self, visit* which) {
  auto* owner = static_cast<core*>(self);
  auto& all = owner->visits_;
  owner->drop(std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.get() == which; }));
}

void http_server::core::drop(std::vector<std::unique_ptr<visit>>::iterator which) {
  loop_.dispose(std::move(*which));
  visits_.erase(which);
}

http_server::http_server(site& shown) : core_(std::make_unique<core>(shown)) {}

http_server::~http_server() = default;

void http_server::hand_over() {
  core_->hand_over();
}

void http_server::listen(open_admin_socket where) {
  core_->listen(std::move(where));
}

}  // namespace trunkline::admin
