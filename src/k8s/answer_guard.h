// Whether what people write into an AccessRequest can be believed. Anybody who may change the object could
// write anybody's name into it; that nobody does is what the ValidatingAdmissionPolicy of deploy/admission
// sees to. So answers count only while it is in force, and whoever answers must have the right besides.
// Asks the API server each time: answers are rare, and none of this may be remembered wrongly. One thread.
#pragma once

#include <string>

#include "grants/store.h"
#include "k8s/request_cache.h"
#include "k8s/request_talk.h"

namespace trunkline::k8s {

/// Of the policy and its binding alike, and which of its versions this gateway knows: an annotation of both.
inline constexpr const char* admission_policy = "accessrequests.trunkline.dev";
inline constexpr const char* admission_version_key = "trunkline.dev/admission-version";
inline constexpr const char* admission_version = "1";

class answer_guard {
 public:
  explicit answer_guard(request_talk& by) : by_(by) {}

  /// Why the policy does not hold for what was written since `since`; empty: it holds.
  grants::stored<std::string> admission_gap(grants::wall_time since);
  /// Why that answer does not count, whatever the policy of the route says; empty: it may.
  grants::stored<std::string> objection(const request_cache::place_of& to,
                                        const grants::written_answer& what);

 private:
  grants::stored<std::string> look_at(const char* plural, grants::wall_time since,
                                      std::string (*flaw)(const json& object));
  grants::stored<bool> may_answer(const request_cache::place_of& to, const grants::person& who);

  request_talk& by_;
};

/// What makes a policy or a binding another one than the one that is needed; empty: it is that one.
std::string flaw_of_policy(const json& object);
std::string flaw_of_binding(const json& object);

}  // namespace trunkline::k8s
