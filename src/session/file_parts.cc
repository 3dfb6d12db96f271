#include "session/file_parts.h"

#include <openssl/x509.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "auth/scram_keys.h"
#include "identity/desk.h"
#include "runtime/file_stamp.h"

namespace trunkline::session {

namespace {

/// OpenSSL's default, or what the environment says in its place.
std::string system_path(const char* variable, const char* otherwise) {
  const char* said = std::getenv(variable);
  return said != nullptr ? said : otherwise;
}

std::string key_of(const tls::client_settings& from) {
  std::string key;
  // With its length, so that two texts are never one.
  const auto add = [&key](const std::string& text) { key += std::to_string(text.size()) + ":" + text; };
  const auto add_file = [&](const std::string& path) {
    add(path);
    if (!path.empty()) add(runtime::stamp_text(path));
  };
  add(std::to_string(static_cast<int>(from.verify)) + std::to_string(static_cast<int>(from.min_version)) +
      (from.resumes ? "r" : "-"));
  add_file(from.ca_file);
  add_file(from.cert_file);
  add_file(from.key_file);
  if (from.ca_text) {
    add(*from.ca_text);
    add(from.ca_name);
  } else if (from.verify != tls::verification::none && from.ca_file.empty()) {
    add_file(system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file()));
    add_file(system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
  }
  return key;
}

result<std::shared_ptr<const auth::user_file>> read_users(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) return fail({.message = path + ": cannot be read"});
  auto users = auth::user_file::parse(text.view(), path);
  if (!users) return fail(users.error());
  return std::make_shared<const auth::user_file>(std::move(*users));
}

/// Keys in the place of a password that are none would only be refused by the server.
result<> check_keys(const config::server_user& who) {
  if (!auth::looks_like_client_keys(who.password.reveal())) return {};
  auto keys = auth::parse_client_keys(who.password.reveal());
  if (keys) return {};
  keys.error().message = "credentials of user \"" + who.user + "\": " + keys.error().message;
  return fail(std::move(keys.error()));
}

}  // namespace

template <class Part>
template <class Make>
result<std::shared_ptr<const Part>> file_parts::shelf<Part>::get(std::string key, Make make) {
  if (const auto known = entries.find(key); known != entries.end()) {
    known->second.used = true;
    return known->second.part;
  }
  result<std::shared_ptr<const Part>> made = make();
  if (made) entries.emplace(std::move(key), entry{.part = *made});
  return made;
}

template <class Part>
void file_parts::shelf<Part>::forget_unused() {
  for (auto each = entries.begin(); each != entries.end();)
    each = std::exchange(each->second.used, false) ? std::next(each) : entries.erase(each);
}

result<std::shared_ptr<const tls::client_context>> file_parts::context_of(
    const tls::client_settings& settings) {
  return contexts_.get(key_of(settings), [&] {
    return tls::client_context::build(settings, std::chrono::system_clock::now());
  });
}

result<std::shared_ptr<const auth::user_file>> file_parts::users_of(const std::string& path) {
  return users_.get(path + " " + runtime::stamp_text(path), [&] { return read_users(path); });
}

void file_parts::forget_unused() {
  contexts_.forget_unused();
  users_.forget_unused();
}

tls::client_settings client_settings_of(const config::upstream_tls& from) {
  tls::client_settings made;
  made.ca_file = from.ca_file;
  made.cert_file = from.cert_file;
  made.key_file = from.key_file;
  made.verify = from.mode == config::upstream_tls_mode::verify_full ? tls::verification::verify_full
                : from.mode == config::upstream_tls_mode::verify_ca ? tls::verification::verify_ca
                                                                    : tls::verification::none;
  return made;
}

result<> check_credentials(const config::credentials& login) {
  if (auto sound = check_keys(login.usual); !sound) return sound;
  for (const auto& each : login.principals)
    if (auto sound = check_keys(each.as); !sound) return sound;
  return login.ephemeral ? check_keys(login.ephemeral->as) : result<>();
}

std::string examine(file_parts& with, const config::upstream& one) {
  if (one.tls.mode == config::upstream_tls_mode::disable || !one.found.in_kubernetes.ca_secret.empty())
    return "";
  const auto context = with.context_of(client_settings_of(one.tls));
  return context ? "" : context.error().message;
}

std::string examine(file_parts& with, const config::route& one) {
  if (const auto sound = identity::check_key_files(one.auth); !sound) return sound.error().message;
  if (one.login) {
    if (const auto sound = check_credentials(*one.login); !sound) return sound.error().message;
  }
  if (one.auth.verifier_file.empty()) return "";
  const auto users = with.users_of(one.auth.verifier_file);
  return users ? "" : users.error().message;
}

}  // namespace trunkline::session
