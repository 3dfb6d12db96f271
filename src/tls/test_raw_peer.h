// For tests: the other side as plain OpenSSL with memory BIOs, so that an engine meets TLS that is not ours,
// with settings that ours never has (old versions, other ALPN, key updates, renegotiation).
#pragma once

#include <openssl/ssl.h>

#include "tls/openssl.h"
#include "tls/test_support.h"

namespace trunkline::tls::test {

class raw_peer {
 public:
  explicit raw_peer(SSL_CTX& context, bool server = false) : ssl_(SSL_new(&context)) {
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
    if (server)
      SSL_set_accept_state(ssl_);
    else
      SSL_set_connect_state(ssl_);
  }
  ~raw_peer() { SSL_free(ssl_); }
  raw_peer(const raw_peer&) = delete;
  raw_peer& operator=(const raw_peer&) = delete;

  SSL* ssl() { return ssl_; }

  /// Alternates with the engine until both are done or stuck. True: both are established.
  bool handshake(engine& other) {
    int mine = 0;
    status its = status::want_input;
    for (int round = 0; round < 20; ++round) {
      if (mine != 1) mine = SSL_do_handshake(ssl_);
      if (mine != 1 && failure_reason == 0) failure_reason = ERR_GET_REASON(ERR_peek_error());
      ERR_clear_error();
      bytes out = take();
      bytes in;
      if (its != status::ok && its != status::failed) its = run(other, out, in);
      drain(other, in, 4096);
      give(in);
      if (mine == 1 && its == status::ok) {
        left_for_engine = out;
        return true;
      }
    }
    return false;
  }

  /// What we wrote and the engine has not consumed.
  bytes take() {
    bytes out = std::move(left_for_engine);
    left_for_engine.clear();
    std::byte block[4096];
    for (int count = 0; (count = BIO_read(SSL_get_wbio(ssl_), block, sizeof block)) > 0;) {
      out.insert(out.end(), block, block + count);
    }
    return out;
  }
  void give(byte_span in) { BIO_write(SSL_get_rbio(ssl_), in.data(), static_cast<int>(in.size())); }

  void write(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string read() {
    std::string text;
    char block[4096];
    for (int count = 0; (count = SSL_read(ssl_, block, sizeof block)) > 0;)
      text.append(block, static_cast<std::size_t>(count));
    return text;
  }
  /// All that we wrote goes to the engine, and what it answers comes back.
  status exchange(engine& other, std::string* plain = nullptr) {
    bytes out = take();
    bytes got;
    bytes answer;
    const status what = link::receive(other, out, got, answer);
    if (plain != nullptr) plain->append(as_text(got));
    give(answer);
    return what;
  }
  void send_from(engine& other, std::string_view text) {
    bytes wire;
    link::transmit(other, as_bytes(text), wire);
    give(wire);
  }

  bytes left_for_engine;
  int failure_reason = 0;  ///< OpenSSL's, of a failed handshake

 private:
  static status run(engine& other, bytes& out, bytes& in) {
    status what = status::want_output_space;
    while (what == status::want_output_space)
      what = advance(other, out, in, {});
    return what;
  }

  SSL* ssl_;
};

inline ssl_context_ptr raw_client(int max_version = TLS1_3_VERSION) {
  ssl_context_ptr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  return context;
}

inline ssl_context_ptr raw_server(const certificate_source& own, int max_version = TLS1_3_VERSION) {
  ssl_context_ptr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  SSL_CTX_use_certificate_chain_file(context.get(), own.cert_file.c_str());
  SSL_CTX_use_PrivateKey_file(context.get(), own.key_file.c_str(), SSL_FILETYPE_PEM);
  return context;
}

inline void offer_alpn(raw_peer& peer, std::string_view wire_list) {
  SSL_set_alpn_protos(peer.ssl(), reinterpret_cast<const unsigned char*>(wire_list.data()),
                      static_cast<unsigned int>(wire_list.size()));
}

}  // namespace trunkline::tls::test
