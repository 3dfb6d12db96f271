#include "load_session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace trunkline::bench {
namespace {

constexpr std::size_t digest_bytes = 32;

std::string u32(std::uint32_t word) {
  const std::uint32_t wire = htonl(word);
  return {reinterpret_cast<const char*>(&wire), sizeof wire};
}

std::uint32_t big_endian(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return ntohl(word);
}

std::string message(char type, std::string_view body) {
  return type + u32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(std::string_view key, std::string_view text) {
  std::string out(digest_bytes, '\0');
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(text), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string sha256(std::string_view text) {
  std::string out(digest_bytes, '\0');
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha256(),
             nullptr);
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(bytes),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out(text.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), raw(text), static_cast<int>(text.size()));
  if (size < 0) return {};
  std::size_t keep = static_cast<std::size_t>(size);
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '='; --i)
    --keep;
  out.resize(keep);
  return out;
}

/// The value of one attribute (`r=…,s=…,i=…`) of a SCRAM message, RFC 5802 section 5.1.
std::string attribute(std::string_view text, char name) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    if (text[at] == name && at + 1 < text.size() && text[at + 1] == '=') {
      return std::string(text.substr(at + 2, comma - at - 2));
    }
    at = comma + 1;
  }
  return {};
}

}  // namespace

login_plan::~login_plan() {
  SSL_CTX_free(context_);
}

std::string login_plan::salted_password(const std::string& salt, int iterations) {
  const std::lock_guard held(lock_);
  std::string& known = salted_[{salt, iterations}];
  if (known.empty()) {
    known.resize(digest_bytes);
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                      static_cast<int>(salt.size()), iterations, EVP_sha256(), digest_bytes,
                      reinterpret_cast<unsigned char*>(known.data()));
  }
  return known;
}

SSL_CTX* login_plan::context() {
  const std::lock_guard held(lock_);
  if (context_ == nullptr) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context_, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (!certificate_file.empty()) {
      SSL_CTX_use_certificate_file(context_, certificate_file.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM);
    }
  }
  return context_;
}

load_session::~load_session() {
  SSL_free(tls_);
  if (fd_ >= 0) close(fd_);
}

bool load_session::failed(std::string why) {
  why_ = std::move(why);
  return false;
}

bool load_session::connect_tcp() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(plan_->port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("connect");
  return true;
}

bool load_session::start_tls(SSL_SESSION** ticket) {
  char answer = 0;
  if (!write_all(u32(8) + u32(80877103)) || !read_all(&answer, 1)) return failed("SSLRequest");
  if (answer != 'S') return failed("the peer refused TLS");
  tls_ = SSL_new(plan_->context());
  SSL_set_fd(tls_, fd_);
  if (ticket != nullptr && *ticket != nullptr) SSL_set_session(tls_, *ticket);
  if (SSL_connect(tls_) != 1) return failed("TLS handshake");
  return true;
}

bool load_session::login(SSL_SESSION** ticket) {
  if (!connect_tcp()) return false;
  if (plan_->tls && !start_tls(plan_->resume ? ticket : nullptr)) return false;
  std::string body = u32(3 << 16);
  for (const std::string_view text : {std::string_view("user"), std::string_view(plan_->user),
                                      std::string_view("database"), std::string_view(plan_->database)}) {
    body.append(text);
    body.push_back('\0');
  }
  body.push_back('\0');
  if (!write_all(u32(static_cast<std::uint32_t>(body.size() + 4)) + body)) return failed("start-up");
  if (!authenticate() || !until_ready()) return false;
  if (plan_->resume && ticket != nullptr) {
    // TLS 1.3 sends its tickets after the handshake; by now they have been read.
    SSL_SESSION* const newest = SSL_get1_session(tls_);
    if (newest != nullptr && SSL_SESSION_is_resumable(newest) == 1) {
      SSL_SESSION_free(*ticket);
      *ticket = newest;
    } else {
      SSL_SESSION_free(newest);
    }
  }
  return true;
}

bool load_session::authenticate() {
  char type = 0;
  std::string body;
  while (next_message(type, body)) {
    if (type == 'E') return failed("refused: " + body);
    if (type != 'R' || body.size() < 4) return failed("no Authentication message");
    const std::uint32_t code = big_endian(body.data());
    if (code == 0) return true;
    if (code != 10) return failed("an authentication method this tool does not know");
    if (!scram(std::string_view(body).substr(4))) return false;
  }
  return failed("the peer left while logging in");
}

bool load_session::scram(std::string_view mechanisms) {
  if (mechanisms.find("SCRAM-SHA-256") == std::string_view::npos) return failed("no SCRAM-SHA-256");
  std::string random(18, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(random.size()));
  const std::string bare = "n=,r=" + to_base64(random);
  const std::string first = "n,," + bare;
  std::string initial("SCRAM-SHA-256\0", 14);
  initial += u32(static_cast<std::uint32_t>(first.size())) + first;
  char type = 0;
  std::string body;
  if (!write_all(message('p', initial)) || !next_message(type, body)) return failed("SASL initial response");
  if (type != 'R' || big_endian(body.data()) != 11) return failed("SASL refused: " + body);

  const std::string server_first = body.substr(4);
  const std::string salt = from_base64(attribute(server_first, 's'));
  const std::string salted = plan_->salted_password(salt, std::atoi(attribute(server_first, 'i').c_str()));
  const std::string without_proof = "c=biws,r=" + attribute(server_first, 'r');
  const std::string client_key = hmac(salted, "Client Key");
  std::string proof = hmac(sha256(client_key), bare + "," + server_first + "," + without_proof);
  for (std::size_t i = 0; i < proof.size(); ++i)
    proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  if (!write_all(message('p', without_proof + ",p=" + to_base64(proof))) || !next_message(type, body)) {
    return failed("SASL response");
  }
  if (type != 'R' || big_endian(body.data()) != 12) return failed("SASL refused: " + body);
  return true;
}

bool load_session::query(std::string_view sql) {
  std::string body(sql);
  body.push_back('\0');
  return exchange(message('Q', body));
}

bool load_session::exchange(std::string_view messages) {
  return write_all(messages) && until_ready();
}

void load_session::end() {
  write_all(message('X', ""));
  if (tls_ != nullptr) SSL_shutdown(tls_);
  SSL_free(std::exchange(tls_, nullptr));
  close(std::exchange(fd_, -1));
}

bool load_session::until_ready() {
  char type = 0;
  std::string body;
  while (next_message(type, body)) {
    if (type == 'Z') {
      std::vector<char>().swap(input_);
      input_at_ = 0;
      return true;
    }
    if (type == 'E') return failed("error: " + body);
  }
  return failed("the peer left before ReadyForQuery");
}

bool load_session::next_message(char& type, std::string& body) {
  char header[5];
  if (!read_all(header, sizeof header)) return false;
  type = header[0];
  const std::uint32_t length = big_endian(header + 1);
  if (length < 4 || length > 1'000'000) return failed("a lying length");
  body.resize(length - 4);
  return read_all(body.data(), body.size());
}

bool load_session::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done =
        tls_ != nullptr ? static_cast<ssize_t>(SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())))
                        : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool load_session::read_all(char* into, std::size_t size) {
  while (size > 0) {
    if (input_at_ == input_.size()) {
      // Before TLS starts nothing may be read ahead: the handshake's bytes belong to OpenSSL.
      const std::size_t ask = plan_->tls && tls_ == nullptr ? size : 8192;
      input_.resize(ask);
      input_at_ = 0;
      const auto got = tls_ != nullptr
                           ? static_cast<ssize_t>(SSL_read(tls_, input_.data(), static_cast<int>(ask)))
                           : recv(fd_, input_.data(), ask, 0);
      input_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (got <= 0) return false;
    }
    const std::size_t step = std::min(size, input_.size() - input_at_);
    std::memcpy(into, input_.data() + input_at_, step);
    into += step;
    size -= step;
    input_at_ += step;
  }
  return true;
}

}  // namespace trunkline::bench
