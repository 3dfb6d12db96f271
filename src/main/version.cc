#include "main/version.h"

#include <ares.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>

#include <CLI/Version.hpp>

namespace trunkline::main {

namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string sanitizers() {
#if defined(__SANITIZE_ADDRESS__)
  return ", address sanitizer";
#elif defined(__SANITIZE_THREAD__)
  return ", thread sanitizer";
#else
  return "";
#endif
}

}  // namespace

std::string version_text() {
  return fmt::format(
      "trunkline {}\n"
      "build: {}, {}{}\n"
      "openssl: {} (built with {})\n"
      "yaml-cpp: {}\n"
      "fmt: {}.{}.{}\n"
      "cli11: {}\n"
      "c-ares: {} (built with {})\n"
      "libc: glibc {} {}\n",
      TRUNKLINE_VERSION, TRUNKLINE_BUILD, compiler(), sanitizers(), OpenSSL_version(OPENSSL_VERSION_STRING),
      OPENSSL_VERSION_STR, TRUNKLINE_YAML_CPP, FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
      FMT_VERSION % 100, CLI11_VERSION, ::ares_version(nullptr), ARES_VERSION_STR, gnu_get_libc_version(),
      gnu_get_libc_release());
}

std::string_view version_number() {
  return TRUNKLINE_VERSION;
}

}  // namespace trunkline::main
