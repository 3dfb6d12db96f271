// What the API of requests for access needs of the gateway. Implemented by main; by fakes in tests. Any
// thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/redacted.h"
#include "grants/office.h"

namespace trunkline::admin {

/// What somebody asks for who is not connected.
struct access_wish {
  std::string route;
  std::string database;
  std::string user;  ///< of the database; empty: named as who asks
  std::string reason;
  std::chrono::milliseconds length{0};  ///< of the grant; 0: as long as the policy allows
};

class access_source {
 public:
  virtual ~access_source() = default;
  /// Null: there is no store, and nobody can ask for anything.
  virtual grants::office* desk() = 0;
  /// Whose token it is; nothing: nobody's.
  virtual std::optional<grants::person> who(const secret_text& token) = 0;
  /// What the policies say of that wish. A refusal where there is no such route, or nothing to be asked for.
  virtual grants::answer<grants::question> question_of(const grants::person& who,
                                                       const access_wish& wish) = 0;
  /// Somebody wanted to change something and may not, or cannot. `who` null: nobody knows whose token it is.
  virtual void refused(const grants::person* who, const std::string& command, const std::string& why) = 0;
};

}  // namespace trunkline::admin
