// `trunkline access request | ls | approve | deny | withdraw | revoke | whoami`: requests for access and
// answers to them, over the API of a running gateway. Options are plain values, filled by the command line;
// each command prints to stdout and answers an exit code (options.h). Main thread only.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace trunkline::main {

struct request_options {
  std::string config_file;  ///< its admin.address is where the gateway answers
  std::string admin_url;    ///< or this: http://HOST:PORT, https://..., unix:/PATH
  std::string ca_file;      ///< vouches for a gateway behind https; empty: the system's authorities
  std::string token_file;   ///< empty: the environment's TRUNKLINE_TOKEN
  std::string output = "text";
  std::string route, database, user;  ///< of request
  std::string reason;
  std::string length;   ///< of the grant, such as 30m
  std::int64_t id = 0;  ///< of approve, deny, withdraw and revoke
  bool all = false;
};

/// Adds the sub-commands to `trunkline access`; `options` must outlive the parsing.
void add_request_commands(CLI::App& access, request_options& options);
/// Runs the one that was given.
int run_request(const CLI::App& app, const request_options& options);

}  // namespace trunkline::main
