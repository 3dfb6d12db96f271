// For tests of pools: a pool of two workers on a simulated loop, a server that lets everybody in, and clients
// that wait for a connection. Owner: the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "pool/link_pool.h"
#include "protocol/authentication.h"
#include "protocol/error_response.h"
#include "protocol/frame.h"
#include "protocol/query_messages.h"
#include "protocol/session_start.h"
#include "runtime/simulated_loop.h"

namespace trunkline::pool {

/// Its end of one connection: answers a start-up message and simple queries.
class backend final : private runtime::stream_handler {
 public:
  backend(runtime::loop& where, std::unique_ptr<runtime::byte_stream> stream, std::uint32_t pid,
          const std::string& refusal)
      : loop_(where), stream_(std::move(stream)), pid_(pid), refusal_(refusal) {
    stream_->set_handler(this);
    stream_->resume_receiving();
  }

  bool open() const { return open_; }
  bool said_goodbye() const { return said_goodbye_; }
  std::uint32_t pid() const { return pid_; }
  std::uint32_t queries() const { return queries_; }
  void close() {
    open_ = false;
    stream_->close();
  }
  void say(const protocol::byte_buffer& what) {
    for (auto& part : loop_.buffers().copies(what))
      stream_->send(std::move(part));
  }

 private:
  void on_received(runtime::buffer data) override {
    if (std::exchange(started_, true)) return read(data.bytes());
    protocol::byte_buffer out;
    if (!refusal_.empty()) {
      protocol::append_error_response(out, {.code = sqlstates::invalid_authorization, .message = refusal_});
    } else {
      protocol::append_authentication_ok(out);
      protocol::append_parameter_status(out, "TimeZone", "UTC");
      protocol::append_backend_key_data(out, pid_, byte_span(key_));
      protocol::append_ready_for_query(out, protocol::transaction_status::idle);
    }
    say(out);
  }
  void on_end(runtime::stream_end) override { close(); }
  /// Whole messages: nobody cuts them here.
  void read(byte_span bytes) {
    while (!bytes.empty()) {
      const auto message = std::get<protocol::frame>(protocol::next_frame(bytes, 1'000'000));
      said_goodbye_ = said_goodbye_ || message.type == 'X';
      if (message.type == 'Q') answer();
      bytes = bytes.subspan(message.size);
    }
  }
  void answer() {
    ++queries_;
    protocol::byte_buffer out;
    protocol::append_ready_for_query(out, protocol::transaction_status::idle);
    say(out);
  }

  runtime::loop& loop_;
  std::unique_ptr<runtime::byte_stream> stream_;
  const std::uint32_t pid_;
  const std::string& refusal_;
  const std::vector<std::byte> key_ = std::vector<std::byte>(4);
  std::uint32_t queries_ = 0;
  bool started_ = false;
  bool open_ = true;
  bool said_goodbye_ = false;
};

/// A client of one worker's shelf.
class waiting_client final : public claim {
 public:
  waiting_client(link_pool& of, unsigned worker, std::vector<const waiting_client*>* order = nullptr)
      : shelf_(of.shelf(worker)), order_(order) {}
  ~waiting_client() override {
    if (has != nullptr) shelf_.discard(std::move(has));
  }
  /// True: at once.
  bool ask() {
    has = shelf_.take(*this);
    return has != nullptr;
  }
  void give_back() { shelf_.give_back(std::move(has)); }
  std::uint32_t pid() const { return has == nullptr ? 0 : has->server_pid; }

  std::unique_ptr<link> has;
  std::optional<connect_failure> failure;

 private:
  void granted(std::unique_ptr<link> made) override {
    has = std::move(made);
    if (order_ != nullptr) order_->push_back(this);
  }
  void refused(const connect_failure& why) override { failure = why; }

  link_shelf& shelf_;
  std::vector<const waiting_client*>* order_;
};

class pool_test : public testing::Test {
 protected:
  pool_test() {
    upstream.name = "db";
    upstream.tls.mode = config::upstream_tls_mode::disable;
    upstream.pool.size = 2;
    loop.set_accepter([this](std::unique_ptr<runtime::byte_stream> stream) {
      backends.push_back(std::make_unique<backend>(loop, std::move(stream), ++last_pid_, refusal));
    });
    auto view = std::make_shared<cluster_view>();
    const config::address address{.host = "db", .port = 5432};
    routing::endpoint one{.id = 1, .name = address.text(), .address = address};
    one.state = routing::endpoint_state::up;
    one.resolved = true;
    view->known.endpoints.push_back(one);
    view->addresses.push_back({*net::socket_address::ip("127.0.0.1", 5432)});
    view->members.push_back(std::make_shared<member>(1, one.name, address, 1000));
    servers->publish(view, true);
  }
  ~pool_test() override {
    for (unsigned worker = 0; worker < 2; ++worker)
      pools.close_shelves(worker);
    loop.settle();
  }

  /// As a login does: with what the configuration says now.
  std::shared_ptr<link_pool> pool_of(const std::string& user, const std::string& database = "app") {
    auto made =
        pools.find_or_make({.upstream = "db", .database = database, .user = user, .settings = {}}, {});
    auto source = std::make_shared<link_source>();
    auto kept = std::make_shared<const config::upstream>(upstream);
    source->upstream = kept.get();
    source->keeps = kept;
    source->of = servers;
    source->target = config::route_target::any;
    source->startup_packet = std::vector<std::byte>(8);
    source->secret.user = user;
    made->set_source(std::move(source));
    return made;
  }
  std::size_t open_backends() const {
    std::size_t all = 0;
    for (const auto& each : backends)
      all += each->open() ? 1 : 0;
    return all;
  }
  /// Some clients' connections, taken all at once and given back.
  void warm(link_pool& pool, unsigned worker, std::size_t how_many) {
    std::vector<std::unique_ptr<waiting_client>> clients;
    for (std::size_t i = 0; i < how_many; ++i) {
      clients.push_back(std::make_unique<waiting_client>(pool, worker));
      clients.back()->ask();
    }
    loop.settle();
    for (auto& each : clients) {
      ASSERT_NE(each->has, nullptr);
      each->give_back();
    }
    loop.settle();
  }

  runtime::simulated_loop loop;
  config::upstream upstream;
  std::string refusal;  ///< what the server tells whoever comes; empty: it lets them in
  std::vector<std::unique_ptr<backend>> backends;
  std::shared_ptr<cluster> servers = std::make_shared<cluster>("db");
  link_pools pools{{&loop, &loop}};

 private:
  std::uint32_t last_pid_ = 0;
};

}  // namespace trunkline::pool
