#include "tls/credentials.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/limits.h"
#include "base/redacted.h"
#include "tls/certificate.h"

namespace trunkline::tls {
namespace {

constexpr auto expiry_notice = std::chrono::days(14);

using file_ptr = std::unique_ptr<FILE, decltype([](FILE* file) { std::fclose(file); })>;

result<secret_text> read_file(const std::string& path) {
  const file_ptr file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return fail(configuration_error(path + ": cannot be read: " + std::strerror(errno)));
  std::string text;
  char block[8192];
  for (std::size_t count = 0; (count = std::fread(block, 1, sizeof block, file.get())) > 0;) {
    text.append(block, count);
    if (text.size() > limits::certificate_file_bytes)
      return fail(configuration_error(path + ": is larger than 4 MiB"));
  }
  const bool broken = std::ferror(file.get()) != 0;
  const int reason = errno;
  wipe(block, sizeof block);
  if (broken) return fail(configuration_error(path + ": cannot be read: " + std::strerror(reason)));
  return secret_text(std::move(text));
}

/// The end of the PEM blocks is told by "no start line"; any other error is one.
bool at_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  return code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
}

result<x509_stack_ptr> parse_certificates(const std::string& text, const std::string& path) {
  const bio_ptr bio = bio_over(text);
  x509_stack_ptr stack(sk_X509_new_null());
  ERR_clear_error();
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    // OpenSSL reads the extensions at the first use; here, before threads share what they are kept in.
    X509_check_purpose(one, -1, 0);
    sk_X509_push(stack.get(), one);
  }
  if (!at_end_of_pem())
    return fail(configuration_error(path + ": broken certificate: " + take_openssl_reason()));
  ERR_clear_error();
  if (sk_X509_num(stack.get()) == 0) {
    return fail(
        configuration_error(path + ": holds no certificate (expected PEM, -----BEGIN CERTIFICATE-----)"));
  }
  return stack;
}

result<x509_stack_ptr> read_certificates(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  return parse_certificates(text->reveal(), path);
}

int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

result<pkey_ptr> read_key(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  const bio_ptr bio = bio_over(text->reveal());
  bool passphrase = false;
  ERR_clear_error();
  pkey_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &passphrase));
  if (key != nullptr) return key;
  const bool empty = text->reveal().find("PRIVATE KEY-----") == std::string::npos;
  const std::string reason = take_openssl_reason();
  if (passphrase) {
    return fail(configuration_error(path + ": the key is protected by a passphrase",
                                    "store it without one and let file permissions protect it"));
  }
  if (empty)
    return fail(
        configuration_error(path + ": holds no private key (expected PEM, -----BEGIN PRIVATE KEY-----)"));
  return fail(configuration_error(path + ": broken private key: " + reason));
}

void warn_of_validity(const std::string& file, const X509& leaf, std::chrono::system_clock::time_point now,
                      std::vector<std::string>& warnings) {
  const certificate_facts facts = facts_of(leaf);
  if (facts.not_after < now) {
    warnings.push_back(file + ": the certificate has expired (subject " + facts.subject + ")");
  } else if (facts.not_after < now + expiry_notice) {
    const auto left = std::chrono::floor<std::chrono::days>(facts.not_after - now).count();
    warnings.push_back(file + ": the certificate expires in " + std::to_string(left) + " days");
  }
  if (facts.not_before > now) warnings.push_back(file + ": the certificate is not valid yet");
}

void warn_of_permissions(const std::string& file, std::vector<std::string>& warnings) {
  struct stat facts{};
  if (stat(file.c_str(), &facts) != 0) return;
  if ((facts.st_mode & S_IROTH) != 0)
    warnings.push_back(file + ": the private key is readable by everybody");
  else if ((facts.st_mode & S_IRGRP) != 0)
    warnings.push_back(file + ": the private key is readable by its group");
}

}  // namespace

error configuration_error(std::string message, std::string hint) {
  return {.source = error_source::gateway,
          .reaction = error_reaction::reject,
          .code = sqlstates::internal_error,
          .message = std::move(message),
          .hint = std::move(hint)};
}

result<x509_stack_ptr> parse_authorities(const std::string& text, const std::string& name) {
  return parse_certificates(text, name);
}

result<credentials> load_credentials(const std::string& cert_file, const std::string& key_file,
                                     std::chrono::system_clock::time_point now,
                                     std::vector<std::string>& warnings) {
  auto chain = read_certificates(cert_file);
  if (!chain) return fail(chain.error());
  auto key = read_key(key_file);
  if (!key) return fail(key.error());
  credentials loaded;
  loaded.leaf.reset(sk_X509_shift(chain->get()));
  loaded.chain = std::move(*chain);
  loaded.key = std::move(*key);
  if (X509_check_private_key(loaded.leaf.get(), loaded.key.get()) != 1) {
    ERR_clear_error();
    return fail(
        configuration_error(key_file + ": the key does not belong to the first certificate in " + cert_file,
                            "the server's own certificate comes first in the file, then its intermediates"));
  }
  warn_of_validity(cert_file, *loaded.leaf, now, warnings);
  warn_of_permissions(key_file, warnings);
  return loaded;
}

result<x509_stack_ptr> load_authorities(const std::string& file) {
  return read_certificates(file);
}

result<> use_credentials(SSL_CTX& context, const credentials& from, const std::string& cert_file) {
  ERR_clear_error();
  if (SSL_CTX_use_cert_and_key(&context, from.leaf.get(), from.key.get(), from.chain.get(), 1) == 1)
    return {};
  return fail(configuration_error(cert_file + ": cannot be used: " + take_openssl_reason()));
}

}  // namespace trunkline::tls
