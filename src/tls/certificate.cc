#include "tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "tls/openssl.h"

namespace trunkline::tls {
namespace {

using general_names_ptr = std::unique_ptr<GENERAL_NAMES, releaser<GENERAL_NAMES_free>>;
using bignum_ptr = std::unique_ptr<BIGNUM, releaser<BN_free>>;

std::string take_openssl_text(char* text) {
  std::string copy = text == nullptr ? "" : text;
  OPENSSL_free(text);
  return copy;
}

std::string text_of(const X509_NAME* name) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (memory == nullptr || name == nullptr) return {};
  X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool printable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return !text.empty();
}

std::string common_name_of(const X509_NAME* name) {
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;)
    last = at;
  if (last < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return printable(text) ? text : std::string();
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int size = ASN1_STRING_length(address);
  const int family = size == 4 ? AF_INET : size == 16 ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC) return {};
  if (inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

void add_text(std::vector<std::string>& to, const ASN1_IA5STRING* from) {
  const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(from)),
                              static_cast<std::size_t>(ASN1_STRING_length(from)));
  if (printable(text)) to.emplace_back(text);
}

void read_alternative_names(const X509& certificate, certificate_facts& facts) {
  const general_names_ptr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) add_text(facts.dns_names, name->d.dNSName);
    if (name->type == GEN_URI) add_text(facts.uris, name->d.uniformResourceIdentifier);
    if (name->type == GEN_EMAIL) add_text(facts.emails, name->d.rfc822Name);
    if (name->type != GEN_IPADD) continue;
    std::string address = address_text(name->d.iPAddress);
    if (!address.empty()) facts.ip_addresses.push_back(std::move(address));
  }
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
  tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  // What certificates call no end is the year 9999 (RFC 5280, 4.1.2.5): more than a clock of nanoseconds can
  // tell, with which it is compared.
  constexpr auto last =
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::time_point::max());
  return std::min<std::chrono::sys_seconds>(std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts))),
                                            last);
}

}  // namespace

certificate_facts facts_of(const x509_st& certificate) {
  certificate_facts facts;
  facts.subject = text_of(X509_get_subject_name(&certificate));
  facts.common_name = common_name_of(X509_get_subject_name(&certificate));
  facts.issuer = text_of(X509_get_issuer_name(&certificate));
  const bignum_ptr serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  if (serial != nullptr) facts.serial = take_openssl_text(BN_bn2hex(serial.get()));
  read_alternative_names(certificate, facts);
  facts.not_before = time_of(X509_get0_notBefore(&certificate));
  facts.not_after = time_of(X509_get0_notAfter(&certificate));
  ERR_clear_error();
  return facts;
}

std::vector<std::byte> server_end_point_of(const x509_st& certificate) {
  int hash = NID_undef;
  // X509_get_signature_info wants to cache extensions in the certificate, hence not const; the caching has a
  // lock.
  if (X509_get_signature_info(const_cast<X509*>(&certificate), &hash, nullptr, nullptr, nullptr) != 1)
    hash = NID_undef;
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  const EVP_MD* digest = hash == NID_undef ? nullptr : EVP_get_digestbynid(hash);
  std::vector<std::byte> out(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  if (digest == nullptr ||
      X509_digest(&certificate, digest, reinterpret_cast<unsigned char*>(out.data()), &size) != 1) {
    size = 0;
  }
  ERR_clear_error();
  out.resize(size);
  return out;
}

}  // namespace trunkline::tls
