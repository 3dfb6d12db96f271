#include "k8s/answer_guard.h"

#include <algorithm>
#include <utility>

namespace trunkline::k8s {

namespace {

constexpr const char* group = "trunkline.dev";
constexpr const char* plural_name = "accessrequests";

bool has_text(const json& list, std::string_view text) {
  return list.is_array() && std::any_of(list.begin(), list.end(), [&](const json& each) {
           return each.is_string() && each.get_ref<const std::string&>() == text;
         });
}

bool is_known_version(const json& object) {
  return text_of(field_of(field_of(object, "metadata"), "annotations"), admission_version_key) ==
         admission_version;
}

/// Whether it is for some objects only.
bool is_narrowed(const json& matching) {
  const auto narrows = [&](const char* key) {
    const json& value = field_of(matching, key);
    return !value.is_null() && !value.empty();
  };
  return narrows("namespaceSelector") || narrows("objectSelector") || narrows("excludeResourceRules");
}

bool covers(const json& rule) {
  const json& operations = field_of(rule, "operations");
  const bool writes =
      (has_text(operations, "CREATE") && has_text(operations, "UPDATE")) || has_text(operations, "*");
  return writes && has_text(field_of(rule, "apiGroups"), group) &&
         has_text(field_of(rule, "apiVersions"), "*") && has_text(field_of(rule, "resources"), plural_name) &&
         field_of(rule, "resourceNames").is_null();
}

}  // namespace

std::string flaw_of_policy(const json& object) {
  const json& spec = field_of(object, "spec");
  if (!is_known_version(object)) return "is of another version than this gateway";
  if (text_of(spec, "failurePolicy") == "Ignore") return "lets pass what it cannot judge";
  if (!field_of(spec, "matchConditions").empty() || !field_of(spec, "paramKind").is_null())
    return "does not hold for everything";
  const json& matching = field_of(spec, "matchConstraints");
  const json& rules = field_of(matching, "resourceRules");
  const bool covered = rules.is_array() && std::any_of(rules.begin(), rules.end(), covers);
  if (!covered || is_narrowed(matching)) return "does not hold for all requests";
  return field_of(spec, "validations").empty() ? "validates nothing" : "";
}

std::string flaw_of_binding(const json& object) {
  const json& spec = field_of(object, "spec");
  if (!is_known_version(object)) return "is of another version than this gateway";
  if (text_of(spec, "policyName") != admission_policy) return "binds another policy";
  if (!has_text(field_of(spec, "validationActions"), "Deny")) return "does not deny anything";
  const json& matching = field_of(spec, "matchResources");
  const bool narrowed = is_narrowed(matching) || !field_of(matching, "resourceRules").empty();
  return narrowed || !field_of(spec, "paramRef").is_null() ? "does not hold for all requests" : "";
}

grants::stored<std::string> answer_guard::look_at(const char* plural, grants::wall_time since,
                                                  std::string (*flaw)(const json& object)) {
  const std::string what = std::string(plural) + "/" + admission_policy;
  const auto got = by_.ask({.target = "/apis/admissionregistration.k8s.io/v1/" + what});
  if (got.is_missing()) return "there is no " + what;
  if (!got.ok()) return std::unexpected(failure_of(got));
  if (std::string wrong = flaw(got.body); !wrong.empty()) return what + " " + wrong;
  const auto made = time_of(text_of(field_of(got.body, "metadata"), "creationTimestamp"));
  if (!made || *made > since) return what + " is younger than the request";
  return "";
}

grants::stored<std::string> answer_guard::admission_gap(grants::wall_time since) {
  auto gap = look_at("validatingadmissionpolicies", since, flaw_of_policy);
  if (!gap || !gap->empty()) return gap;
  return look_at("validatingadmissionpolicybindings", since, flaw_of_binding);
}

grants::stored<bool> answer_guard::may_answer(const request_cache::place_of& to, const grants::person& who) {
  const json asked{{"apiVersion", "authorization.k8s.io/v1"},
                   {"kind", "SubjectAccessReview"},
                   {"spec",
                    {{"user", who.principal},
                     {"groups", who.groups},
                     {"resourceAttributes",
                      {{"group", group},
                       {"version", "v1alpha1"},
                       {"resource", plural_name},
                       {"subresource", "approval"},
                       {"verb", "update"},
                       {"namespace", to.name_space},
                       {"name", to.name}}}}}};
  const auto got = by_.ask(
      {.method = "POST", .target = "/apis/authorization.k8s.io/v1/subjectaccessreviews", .body = asked});
  if (!got.ok()) return std::unexpected(failure_of(got));
  const json& status = field_of(got.body, "status");
  return flag_of(status, "allowed", false) && !flag_of(status, "denied", false);
}

grants::stored<std::string> answer_guard::objection(const request_cache::place_of& to,
                                                    const grants::written_answer& what) {
  // Only what gives access has to be proof against what was written before the policy was there.
  const bool gives = what.what == grants::decision::approve;
  auto gap = admission_gap(gives ? to.created : grants::wall_time::max());
  if (!gap) return gap;
  if (!gap->empty()) return "answers in objects do not count: " + *gap;
  if (what.what == grants::decision::withdraw) return "";
  const auto may = may_answer(to, what.by);
  if (!may) return std::unexpected(may.error());
  if (*may) return "";
  return "RBAC does not let " + what.by.principal +
         ", with the groups of the answer, update accessrequests/approval here";
}

}  // namespace trunkline::k8s
