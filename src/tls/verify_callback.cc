#include "tls/verify_callback.h"

#include "tls/certificate.h"
#include "tls/engine_seed.h"

namespace trunkline::tls {
namespace {

constexpr std::size_t names_shown = 5;

std::string names_of(const certificate_facts& facts) {
  std::string text;
  std::size_t shown = 0;
  for (const auto* list : {&facts.dns_names, &facts.ip_addresses}) {
    for (const std::string& name : *list) {
      if (++shown > names_shown) return text + ", ...";
      text += (text.empty() ? "" : ", ") + name;
    }
  }
  return text.empty() ? facts.common_name : text;
}

std::string reason_of(int problem, const X509* leaf, const X509* current) {
  const std::string words = X509_verify_cert_error_string(problem);
  switch (problem) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      if (leaf == nullptr) return words;
      return words + " (certificate is for " + names_of(facts_of(*leaf)) + ")";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      if (current == nullptr) return words;
      return words + " (issuer " + facts_of(*current).issuer + " is not trusted)";
    default:
      if (current == nullptr) return words;
      return words + " (subject " + facts_of(*current).subject + ")";
  }
}

}  // namespace

int note_verification(int verdict, X509_STORE_CTX* store) {
  if (verdict == 1) return verdict;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  engine* running = ssl == nullptr ? nullptr : engine_access::of(ssl);
  if (running == nullptr) return verdict;
  const std::string why = reason_of(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get0_cert(store),
                                    X509_STORE_CTX_get_current_cert(store));
  engine_access::fail(*running, "certificate verify failed: " + why);
  return verdict;
}

}  // namespace trunkline::tls
