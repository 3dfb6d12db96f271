// `trunkline scram-keys --verifier TEXT`: a password on standard input becomes the keys that log in where a
// server holds this verifier of it, for a `passwordFile` without the password.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace trunkline::main {

void add_scram_keys_command(CLI::App& app, std::string& verifier);

/// 0: the keys are on standard output; 1: it is not the verifier's password; 2: there is no verifier, or no
/// password.
int print_scram_keys(const std::string& verifier);

}  // namespace trunkline::main
