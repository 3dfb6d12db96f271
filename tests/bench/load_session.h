// A blocking Postgres client for the load tools: TCP on loopback, optional TLS with session resumption, and
// SCRAM-SHA-256 whose salted password is computed once per salt. It is made to cost little, so that a login
// measures what stands behind the port. Each session belongs to one thread; `login_plan` is shared.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::bench {

/// What every login of a run has in common, and the caches that outlive one login. Thread-safe.
class login_plan {
 public:
  std::uint16_t port = 0;
  std::string user = "bench";
  std::string password = "bench";
  std::string database = "bench";
  bool tls = false;
  bool resume = false;
  bool tls12 = false;
  std::string certificate_file = {};  ///< PEM, of the client; with `key_file`, and `tls`
  std::string key_file = {};

  login_plan() = default;
  login_plan(const login_plan&) = delete;
  login_plan& operator=(const login_plan&) = delete;
  ~login_plan();

  /// SaltedPassword of RFC 5802: 32 bytes, one PBKDF2 for each new pair of salt and iterations.
  std::string salted_password(const std::string& salt, int iterations);
  /// Made at the first call; TLS 1.2 and later, the server's certificate is not verified.
  SSL_CTX* context();

 private:
  std::mutex lock_;
  std::map<std::pair<std::string, int>, std::string> salted_;
  SSL_CTX* context_ = nullptr;
};

/// One connection. Every call answers false when the session is over; `why()` then says where it ended.
class load_session {
 public:
  explicit load_session(login_plan& plan) : plan_(&plan) {}
  load_session(const load_session&) = delete;
  load_session& operator=(const load_session&) = delete;
  ~load_session();

  /// Connect, negotiate, log in, up to the first ReadyForQuery. `ticket` is the TLS session to resume, or
  /// null; it is replaced by the newest one the peer gave.
  bool login(SSL_SESSION** ticket);
  /// One simple Query, up to its ReadyForQuery.
  bool query(std::string_view sql);
  /// Any messages, whole and in wire form, whose answer ends with one ReadyForQuery.
  bool exchange(std::string_view messages);
  /// Terminate, then close.
  void end();

  /// The socket, for a caller that goes on by itself after the login (without TLS); the session still owns
  /// it.
  int fd() const { return fd_; }
  bool resumed() const { return tls_ != nullptr && SSL_session_reused(tls_) == 1; }
  const std::string& why() const { return why_; }

 private:
  bool failed(std::string why);
  bool connect_tcp();
  bool start_tls(SSL_SESSION** ticket);
  bool authenticate();
  bool scram(std::string_view mechanisms);
  bool write_all(std::string_view bytes);
  bool read_all(char* into, std::size_t size);
  bool next_message(char& type, std::string& body);
  bool until_ready();

  login_plan* plan_;
  int fd_ = -1;
  SSL* tls_ = nullptr;
  std::vector<char> input_;
  std::size_t input_at_ = 0;
  std::string why_;
};

}  // namespace trunkline::bench
