// For the tests and benchmarks of this room: throwaway certificates in files, and two engines joined in
// memory.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "tls/client_context.h"
#include "tls/self_signed.h"
#include "tls/server_context.h"

namespace trunkline::tls::test {

using namespace std::chrono_literals;
using bytes = std::vector<std::byte>;

template <class T>
T value_of(result<T> outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().message);
  return std::move(*outcome);
}

inline std::chrono::system_clock::time_point now() {
  return std::chrono::system_clock::now();
}

/// A folder that goes with the object.
class scratch {
 public:
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "trunkline-tls-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::string write(const std::string& name, std::string_view content) const {
    const std::string path = path_ + "/" + name;
    if (auto done = write_private(path, content); !done) throw std::runtime_error(done.error().message);
    return path;
  }

 private:
  std::string path_;
};

inline issue_request request(std::string name, std::vector<std::string> dns = {}) {
  return {.common_name = std::move(name),
          .dns_names = std::move(dns),
          .not_before = now() - 1h,
          .not_after = now() + 24h * 90};
}

inline issued authority(std::string name) {
  issue_request asked = request(std::move(name));
  asked.authority = true;
  return value_of(issue(asked));
}

/// Files of one certificate.
struct stored {
  std::string cert_file;
  std::string key_file;
};

inline stored store(const scratch& where, const std::string& name, const issued& made) {
  return {where.write(name + ".crt", made.certificate_pem),
          where.write(name + ".key", made.key_pem.reveal())};
}

/// How the bytes between two engines are cut: at most so many per call.
struct cut {
  std::size_t input = 1 << 20;
  std::size_t output = 32 * 1024;
};

/// Takes what an engine has to send, `space` bytes at a time.
inline void drain(engine& from, bytes& wire, std::size_t space) {
  bytes block(space);
  while (from.pending_output() > 0) {
    const step done = from.flush(block);
    wire.insert(wire.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(done.produced));
    if (done.produced == 0) break;
  }
}

/// One call of handshake() with bytes from `in`, whose consumed part is removed, and output to `out`.
inline status advance(engine& who, bytes& in, bytes& out, cut how, std::size_t* moved_bytes = nullptr) {
  bytes block(how.output);
  const std::size_t given = std::min(in.size(), how.input);
  const step done = who.handshake(byte_span(in).first(given), block);
  in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(done.consumed));
  out.insert(out.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(done.produced));
  if (moved_bytes != nullptr) *moved_bytes += done.consumed + done.produced;
  return done.what;
}

struct link {
  engine client;
  engine server;
  bytes to_server = {};
  bytes to_client = {};
  bytes received_by_client = {};
  bytes received_by_server = {};
  std::size_t moved_bytes = 0;
  status client_status = status::want_output_space;
  status server_status = status::want_input;

  static bool over(status what) { return what == status::ok || what == status::failed; }

  /// Runs both sides until neither can go on. True: both are established.
  bool handshake(cut how = {}) {
    for (int idle = 0; idle < 3;) {
      const std::size_t before = moved_bytes;
      const status client_was = client_status;
      const status server_was = server_status;
      if (!over(client_status)) client_status = advance(client, to_client, to_server, how, &moved_bytes);
      if (!over(server_status)) server_status = advance(server, to_server, to_client, how, &moved_bytes);
      if (client_status == status::failed) drain(client, to_server, how.output);
      if (server_status == status::failed) drain(server, to_client, how.output);
      const bool moved = before != moved_bytes || client_was != client_status || server_was != server_status;
      idle = moved ? 0 : idle + 1;
      if (over(client_status) && over(server_status)) break;
    }
    return client_status == status::ok && server_status == status::ok;
  }

  /// Decrypts all of `wire`; the last status.
  static status receive(engine& who, bytes& wire, bytes& plain, bytes& answer, cut how = {}) {
    bytes block(how.output);
    while (true) {
      const std::size_t given = std::min(wire.size(), how.input);
      const step done = who.decrypt(byte_span(wire).first(given), block);
      wire.erase(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(done.consumed));
      plain.insert(plain.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(done.produced));
      drain(who, answer, 4096);
      if (done.what == status::failed || done.what == status::peer_closed) return done.what;
      if (wire.empty() && done.what != status::want_output_space) return done.what;
    }
  }
  status client_receives(cut how = {}) {
    return receive(client, to_client, received_by_client, to_server, how);
  }
  status server_receives(cut how = {}) {
    return receive(server, to_server, received_by_server, to_client, how);
  }

  static void transmit(engine& who, byte_span plain, bytes& wire, cut how = {}) {
    bytes block(how.output);
    for (status what = status::want_output_space; what == status::want_output_space;) {
      const step done = who.encrypt(plain.first(std::min(plain.size(), how.input)), block);
      plain = plain.subspan(done.consumed);
      wire.insert(wire.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(done.produced));
      what = done.what == status::ok && !plain.empty() ? status::want_output_space : done.what;
    }
  }
  void client_sends(byte_span plain, cut how = {}) { transmit(client, plain, to_server, how); }
  void server_sends(byte_span plain, cut how = {}) { transmit(server, plain, to_client, how); }
};

/// Contexts of both roles over one authority, and links between them.
class world {
 public:
  world() : root(authority("Test Root")), ca_file(files.write("ca.crt", root.certificate_pem)) {
    tickets = std::make_shared<ticket_keys>();
    server.certificates = {source("server", {"db.example.org"})};
    client.verify = verification::verify_full;
    client.ca_file = ca_file;
  }

  certificate_source source(const std::string& name, std::vector<std::string> dns,
                            key_kind key = key_kind::ec_p256, signature_hash hash = signature_hash::sha256) {
    issue_request asked = request(name, std::move(dns));
    asked.key = key;
    asked.hash = hash;
    return source_of(name, asked);
  }
  certificate_source source_of(const std::string& name, const issue_request& asked) {
    const stored where = store(files, name, value_of(issue(asked, &root)));
    return {.cert_file = where.cert_file, .key_file = where.key_file};
  }

  std::shared_ptr<const server_context> server_side() const {
    return value_of(server_context::build(server, tickets, now()));
  }
  std::shared_ptr<const client_context> client_side() const {
    return value_of(client_context::build(client, now()));
  }

  link join(std::string_view name = "db.example.org", negotiation how = negotiation::ssl_request) const {
    return {client_side()->connect(name, how), server_side()->accept(how)};
  }

  scratch files;
  issued root;
  std::string ca_file;
  std::shared_ptr<ticket_keys> tickets;
  server_settings server;
  client_settings client;
};

inline bytes pattern(std::size_t size, unsigned seed = 1) {
  bytes made(size);
  for (std::byte& b : made) {
    seed = seed * 1664525u + 1013904223u;
    b = static_cast<std::byte>(seed >> 24);
  }
  return made;
}

}  // namespace trunkline::tls::test
