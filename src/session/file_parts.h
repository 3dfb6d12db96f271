// What configurations make of files: TLS contexts towards servers, and lists of users. Those who want the
// same share one, and what a reload does not change, in what is said or in the files, is not made anew.
// Owner: the command; the thread that reloads.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "auth/user_file.h"
#include "base/result.h"
#include "config/settings.h"
#include "tls/client_context.h"

namespace trunkline::session {

class file_parts {
 public:
  /// As `tls::client_context::build`.
  result<std::shared_ptr<const tls::client_context>> context_of(const tls::client_settings& settings);
  /// Of a verifier file.
  result<std::shared_ptr<const auth::user_file>> users_of(const std::string& path);
  /// What was not asked for since it was last called is forgotten.
  void forget_unused();

 private:
  template <class Part>
  struct shelf {
    struct entry {
      std::shared_ptr<const Part> part;
      bool used = true;
    };
    std::map<std::string, entry> entries;  // by all that it was made of

    template <class Make>
    result<std::shared_ptr<const Part>> get(std::string key, Make make);
    void forget_unused();
  };

  shelf<tls::client_context> contexts_;
  shelf<auth::user_file> users_;
};

tls::client_settings client_settings_of(const config::upstream_tls& from);
/// Keys in the place of a password that are none would only be refused by the server.
result<> check_credentials(const config::credentials& login);
/// What is wrong with the files and Secrets that an object names, for a human; empty: nothing.
std::string examine(file_parts& with, const config::upstream& one);
std::string examine(file_parts& with, const config::route& one);

}  // namespace trunkline::session
