#include "session/statement_rules.h"

#include <algorithm>
#include <string>

namespace trunkline::session {

using config::statement_class;
using sql::guard_fact;

namespace {

struct class_rule {
  guard_fact fact;
  statement_class which;
  statement_refusal refusal;
};

constexpr std::array<class_rule, 5> class_rules{
    {{guard_fact::roles, statement_class::roles, statement_refusal::roles},
     {guard_fact::ddl, statement_class::ddl, statement_refusal::ddl},
     {guard_fact::server_files, statement_class::copy_program, statement_refusal::copy_program},
     {guard_fact::code, statement_class::do_block, statement_refusal::do_block},
     {guard_fact::unqualified_write, statement_class::unqualified_write,
      statement_refusal::unqualified_write}}};

std::string_view what_of(statement_refusal why) {
  switch (why) {
    case statement_refusal::ddl:
      return "does not allow statements that define things (ddl)";
    case statement_refusal::copy_program:
      return "does not allow statements that reach programs or files of the server (copyProgram)";
    case statement_refusal::do_block:
      return "does not allow code that the gateway cannot read, such as DO (do)";
    case statement_refusal::roles:
      return "does not allow the management of roles (roles)";
    case statement_refusal::unqualified_write:
      return "does not allow UPDATE or DELETE without WHERE, nor TRUNCATE (unqualifiedWrite)";
    case statement_refusal::role:
      return "does not let the session leave its role";
    case statement_refusal::read_only:
      return "does not let the session write (level read)";
    case statement_refusal::setting:
      return "does not allow settings that the gateway cannot follow";
    case statement_refusal::hidden:
      return "does not allow functions that run a text of SQL";
    case statement_refusal::unreadable:
      return "does not allow a statement that the gateway cannot read";
    case statement_refusal::fastpath:
      return "does not allow calls of functions beside SQL (fastpath)";
  }
  return "does not allow it";
}

bool has(std::uint32_t facts, guard_fact which) {
  return (facts & sql::bit(which)) != 0;
}

}  // namespace

std::optional<statement_refusal> judge(const access::guard_rules& rules, std::uint32_t facts) {
  if (facts == 0) return std::nullopt;
  if (has(facts, guard_fact::doubt)) return statement_refusal::unreadable;
  for (const auto& each : class_rules)
    if (has(facts, each.fact) && rules.denies(each.which)) return each.refusal;
  if (rules.role && has(facts, guard_fact::leaves_role)) return statement_refusal::role;
  const bool writes = has(facts, guard_fact::leaves_read_only) || has(facts, guard_fact::large_objects);
  if (rules.read_only && writes) return statement_refusal::read_only;
  if (has(facts, guard_fact::lexical) || has(facts, guard_fact::any_setting))
    return statement_refusal::setting;
  if (has(facts, guard_fact::runs_text)) return statement_refusal::hidden;
  return std::nullopt;
}

error refusal_error(statement_refusal why, const access::policy& by) {
  error made{.reaction = error_reaction::reject,
             .code = sqlstates::insufficient_privilege,
             .message = "access policy \"" + by.says.name + "\" " + std::string(what_of(why))};
  if (why == statement_refusal::unreadable)
    made.hint =
        "It is too long, or not in the grammar that the gateway knows: send it in simpler or smaller pieces.";
  else if (by.by_rbac)
    made.hint = "Kubernetes RBAC gives no more: the verbs write and admin on the postgresroute would.";
  else
    made.hint = "Whoever runs the gateway can say which policy would allow it.";
  return made;
}

bool is_replication_command(std::string_view text) {
  constexpr std::array<std::string_view, 10> commands{"BASE_BACKUP",           "IDENTIFY_SYSTEM",
                                                      "READ_REPLICATION_SLOT", "CREATE_REPLICATION_SLOT",
                                                      "DROP_REPLICATION_SLOT", "ALTER_REPLICATION_SLOT",
                                                      "START_REPLICATION",     "TIMELINE_HISTORY",
                                                      "UPLOAD_MANIFEST",       "SHOW"};
  const auto begin = text.find_first_not_of(" \t\n\r\f\v");
  if (begin == std::string_view::npos) return false;
  std::string word(text.substr(begin, text.find_first_of(" \t\n\r\f\v;(", begin) - begin));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
  return std::find(commands.begin(), commands.end(), word) != commands.end();
}

std::string failing_text(const access::policy& by) {
  return "SELECT \"refused by access policy\".\"" + by.says.name + "\"";
}

}  // namespace trunkline::session
