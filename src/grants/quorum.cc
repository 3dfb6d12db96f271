#include "grants/quorum.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/glob.h"

namespace trunkline::grants {

namespace {

bool fits(const std::string& entry, const person& who) {
  return config::glob_match(entry, who.principal) ||
         std::any_of(who.groups.begin(), who.groups.end(),
                     [&](const std::string& group) { return config::glob_match(entry, group); });
}

bool one_as(const std::vector<const approval*>& counted, const std::string& entry) {
  return std::any_of(counted.begin(), counted.end(), [&](const approval* each) {
    return std::find(each->as.begin(), each->as.end(), entry) != each->as.end();
  });
}

/// One of each person, without who asked.
std::vector<const approval*> counted(const std::string& asked_by, const std::vector<approval>& all) {
  std::vector<const approval*> made;
  for (const approval& each : all) {
    const bool known = std::any_of(made.begin(), made.end(),
                                   [&](const approval* other) { return same_person(other->by, each.by); });
    if (!known && !same_person(each.by, asked_by)) made.push_back(&each);
  }
  return made;
}

}  // namespace

std::vector<std::string> entries_of(const config::access_approval& rule, const person& who) {
  std::vector<std::string> made;
  if (rule.any_of.empty() && rule.all_of.empty() && who.vouched) made.emplace_back("RBAC");
  for (const auto* list : {&rule.any_of, &rule.all_of}) {
    for (const std::string& entry : *list) {
      if (fits(entry, who) && std::find(made.begin(), made.end(), entry) == made.end()) made.push_back(entry);
    }
  }
  return made;
}

bool is_met(const config::access_approval& rule, const std::string& asked_by,
            const std::vector<approval>& approvals) {
  const auto by = counted(asked_by, approvals);
  if (by.size() < std::max(rule.count, 1u)) return false;
  const bool any = rule.any_of.empty() || std::any_of(rule.any_of.begin(), rule.any_of.end(),
                                                      [&](const auto& entry) { return one_as(by, entry); });
  return any && std::all_of(rule.all_of.begin(), rule.all_of.end(),
                            [&](const auto& entry) { return one_as(by, entry); });
}

bool may_break_glass(const config::access_approval& rule, const person& who) {
  return std::any_of(rule.break_glass.begin(), rule.break_glass.end(),
                     [&](const auto& entry) { return fits(entry, who); });
}

std::string what_is_missing(const record& of) {
  const auto by = counted(of.what.principal, of.approvals);
  std::vector<std::string> parts;
  const bool any =
      of.rule.any_of.empty() || std::any_of(of.rule.any_of.begin(), of.rule.any_of.end(),
                                            [&](const auto& entry) { return one_as(by, entry); });
  if (!any) parts.push_back(fmt::format("somebody of {}", fmt::join(of.rule.any_of, " or ")));
  for (const std::string& entry : of.rule.all_of) {
    if (!one_as(by, entry)) parts.push_back("somebody of " + entry);
  }
  const std::size_t needed = std::max(of.rule.count, 1u);
  const std::size_t missing = by.size() < needed ? needed - by.size() : 0;
  if (missing > std::max<std::size_t>(parts.size(), 1))
    return fmt::format("{} approvals, among them {}", missing, fmt::join(parts, " and "));
  if (parts.empty()) return missing == 1 ? "1 more approval" : fmt::format("{} more approvals", missing);
  return fmt::format("{}", fmt::join(parts, " and "));
}

}  // namespace trunkline::grants
