#include "tls/self_signed.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tls/credentials.h"
#include "tls/openssl.h"

namespace trunkline::tls {
namespace {

using extension_ptr = std::unique_ptr<X509_EXTENSION, releaser<X509_EXTENSION_free>>;

error problem(const char* what) {
  return configuration_error(std::string("cannot make a certificate: ") + what + ": " +
                             take_openssl_reason());
}

pkey_ptr make_key(key_kind kind) {
  switch (kind) {
    case key_kind::ec_p256:
      return pkey_ptr(EVP_EC_gen("P-256"));
    case key_kind::ec_p384:
      return pkey_ptr(EVP_EC_gen("P-384"));
    case key_kind::rsa_2048:
      return pkey_ptr(EVP_RSA_gen(2048));
    case key_kind::ed25519:
      return pkey_ptr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  }
  return nullptr;
}

const EVP_MD* hash_of(signature_hash hash, const EVP_PKEY& signer) {
  if (EVP_PKEY_is_a(&signer, "ED25519") == 1) return nullptr;  // it hashes by itself
  switch (hash) {
    case signature_hash::sha1:
      return EVP_sha1();
    case signature_hash::sha256:
      return EVP_sha256();
    case signature_hash::sha384:
      return EVP_sha384();
    case signature_hash::sha512:
      return EVP_sha512();
  }
  return nullptr;
}

bool add_extension(X509& certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
  const extension_ptr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

/// Names go into OpenSSL's textual form of extensions, in which a comma would begin another one.
bool usable_name(std::string_view name) {
  return !name.empty() && name.find_first_of(",;\n\r") == std::string_view::npos;
}

bool add_names(X509& certificate, const issue_request& request) {
  std::string names;
  for (const std::string& name : request.dns_names) {
    if (!usable_name(name)) return false;
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const std::string& address : request.ip_addresses) {
    if (!usable_name(address)) return false;
    names += (names.empty() ? "IP:" : ",IP:") + address;
  }
  return names.empty() || add_extension(certificate, nullptr, NID_subject_alt_name, names);
}

bool fill(X509& certificate, EVP_PKEY& key, const issue_request& request) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  X509_NAME* subject = X509_get_subject_name(&certificate);
  const auto* name = reinterpret_cast<const unsigned char*>(request.common_name.data());
  const int name_size = static_cast<int>(request.common_name.size());
  using std::chrono::system_clock;
  return X509_set_version(&certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, name_size, -1, 0) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(&certificate), system_clock::to_time_t(request.not_before)) !=
             nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), system_clock::to_time_t(request.not_after)) !=
             nullptr &&
         X509_set_pubkey(&certificate, &key) == 1;
}

bool add_purposes(X509& certificate, X509& issuer, bool authority) {
  return add_extension(certificate, &issuer, NID_basic_constraints,
                       authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
         add_extension(
             certificate, &issuer, NID_key_usage,
             authority ? "critical,keyCertSign,cRLSign,digitalSignature" : "critical,digitalSignature") &&
         add_extension(certificate, &issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, &issuer, NID_authority_key_identifier, "keyid") &&
         (authority || add_extension(certificate, &issuer, NID_ext_key_usage, "serverAuth,clientAuth"));
}

template <class Write>
std::string pem_text(Write write) {
  const bio_ptr memory(BIO_new(BIO_s_secmem()));
  if (memory == nullptr || write(memory.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

result<issued> sign(X509& certificate, EVP_PKEY& key, EVP_PKEY& signer, signature_hash hash) {
  if (X509_sign(&certificate, &signer, hash_of(hash, signer)) == 0) return fail(problem("signing"));
  issued made;
  made.certificate_pem = pem_text([&](BIO* to) { return PEM_write_bio_X509(to, &certificate); });
  made.key_pem = secret_text(pem_text(
      [&](BIO* to) { return PEM_write_bio_PrivateKey(to, &key, nullptr, nullptr, 0, nullptr, nullptr); }));
  if (made.certificate_pem.empty() || made.key_pem.empty()) return fail(problem("PEM"));
  return made;
}

result<> write_whole(int file, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(configuration_error(path + ": cannot be written: " + std::strerror(errno)));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

result<issued> issue(const issue_request& request, const issued* issuer) {
  ERR_clear_error();
  const pkey_ptr key = make_key(request.key);
  const x509_ptr certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return fail(problem("key"));
  if (!fill(*certificate, *key, request)) return fail(problem("fields"));
  if (!add_names(*certificate, request)) return fail(problem("names"));

  x509_ptr signer_certificate;
  pkey_ptr signer_key;
  if (issuer != nullptr) {
    const bio_ptr certificate_text = bio_over(issuer->certificate_pem);
    const bio_ptr key_text = bio_over(issuer->key_pem.reveal());
    signer_certificate.reset(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
    signer_key.reset(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (signer_certificate == nullptr || signer_key == nullptr) return fail(problem("issuer"));
  }
  X509& signer = signer_certificate != nullptr ? *signer_certificate : *certificate;
  const bool named = X509_set_issuer_name(certificate.get(), X509_get_subject_name(&signer)) == 1;
  if (!named || !add_purposes(*certificate, signer, request.authority)) return fail(problem("extensions"));
  return sign(*certificate, *key, signer_key != nullptr ? *signer_key : *key, request.hash);
}

result<> write_private(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return fail(configuration_error(temporary + ": cannot be created: " + std::strerror(errno)));
  auto written = write_whole(file, temporary, content);
  close(file);
  if (written && rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail(configuration_error(path + ": cannot be replaced: " + std::strerror(errno)));
  }
  if (!written) unlink(temporary.c_str());
  return written;
}

}  // namespace trunkline::tls
