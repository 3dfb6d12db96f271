// What a context hands to a new engine, and what OpenSSL's callbacks may touch of an engine. Private to this
// room.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <utility>

#include "tls/engine.h"

namespace trunkline::tls {

struct engine_seed {
  SSL* ssl = nullptr;  ///< the engine takes it over; null: memory is out, the engine starts as failed
  std::shared_ptr<const void> context;
  std::string name = {};     ///< client role: what we connect to
  std::string problem = {};  ///< not empty: the engine starts as failed with this text
  bool server = false;
  bool direct = false;
};

/// Valid in callbacks only: the engine whose call is running.
struct engine_access {
  static handover* collected(const SSL* ssl) {
    const engine* running = of(const_cast<SSL*>(ssl));
    return running == nullptr ? nullptr : running->handover_.get();
  }
  static engine* of(SSL* ssl) { return static_cast<engine*>(SSL_get_app_data(ssl)); }
  static bool direct(const engine& e) { return e.direct_; }
  static void set_name(engine& e, std::string name) {
    e.name_ = std::make_unique<std::string>(std::move(name));
  }
  static std::string name(const engine& e) { return e.name_ == nullptr ? std::string() : *e.name_; }
  static void fail(engine& e, std::string text) { e.fail_with(std::move(text)); }
};

}  // namespace trunkline::tls
