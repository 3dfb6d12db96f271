// Who may use the API: a file with a line for each token, without the tokens themselves.
//
//     # name   SHA-256 of the token, as `printf %s "$TOKEN" | sha256sum` says   groups
//     bob      9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 dba,leads
//
// Tokens are random and long, so that a fast hash is no help to who reads the file. Immutable; any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/sha256.h"
#include "base/redacted.h"
#include "base/result.h"
#include "grants/record.h"

namespace trunkline::grants {

class token_file {
 public:
  /// `name` is for messages. Errors name the line.
  static result<token_file> parse(std::string_view text, const std::string& name);
  /// Reads it; at most 1 MiB.
  static result<token_file> read(const std::string& path);

  /// Takes the same time whatever the token is.
  std::optional<person> who(const secret_text& token) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    auth::digest hash;
    person who;
  };
  std::vector<entry> entries_;
};

}  // namespace trunkline::grants
