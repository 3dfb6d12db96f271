#include "storm/fault.h"

#include <array>

#include "base/limits.h"
#include "client/one_line.h"

namespace trunkline::storm {
namespace {

using enum answer_is;

constexpr std::array<fault_facts, 27> all_facts{{
    {"no_address", refused, "The host's name was not resolved."},
    {"refused", refused, "Nobody listens there, or a firewall says so."},
    {"unreachable", refused, "The network has no way to that address."},
    {"timed_out", missing, "No answer came in time; the connection still stood."},
    {"reset", missing, "Somebody on the path reset the connection (RST) before the answer was complete."},
    {"closed_early", missing,
     "Somebody on the path closed the connection (FIN) before the answer was complete."},
    {"tls_failed", refused, "TLS was not agreed on: certificate, version, or a hop that does not speak it."},
    {"not_postgres", wrong, "What answers there does not speak PostgreSQL's protocol."},
    {"out_of_protocol", wrong,
     "A message came that PostgreSQL never sends there: a hop lost or changed bytes."},
    {"login_refused", refused, "The login was refused: user, password, or an access rule."},
    {"no_capacity", refused, "A limit was reached: connections of the server, a pool, or memory."},
    {"not_accepting", refused, "The server, or a proxy before it, takes no logins now."},
    {"server_ended", missing, "The server, or a proxy for it, ended the session and said so."},
    {"server_lost", missing, "A proxy told that its connection to the server broke."},
    {"server_error", refused, "The server, or a proxy, refused a statement that must work."},
    {"lost_prepared", refused,
     "A prepared statement was not where the client had prepared it: a pooler changed the server "
     "connection."},
    {"statement_timeout", missing, "The server gave up: statement_timeout passed."},
    {"stray_cancel", wrong, "A statement was cancelled that nobody had asked to cancel."},
    {"lost_cancel", missing,
     "A CancelRequest had no effect: it did not reach the server that runs the statement."},
    {"lost_notification", missing, "A notification did not arrive at a session that listened for it."},
    {"foreign_answer", wrong, "A client got rows that were made for another client."},
    {"stale_answer", wrong,
     "A client got rows of an earlier request: an answer was left over on the connection."},
    {"lost_row", missing, "Rows are missing from a result."},
    {"duplicate_row", wrong, "A row came twice."},
    {"corrupt_row", wrong, "A row came with other bytes than it had."},
    {"wrong_answer", wrong, "The answer is well-formed, and not the one to this request."},
    {"late", late, "The answer is right, and came later than the bound."},
}};
static_assert(all_facts.size() == static_cast<std::size_t>(fault::late) + 1);

bool is_prepared_fault(std::string_view code) {
  return code == "26000" || code == "42P05";
}

}  // namespace

const fault_facts& facts_of(fault which) {
  return all_facts[static_cast<std::size_t>(which)];
}

std::string_view name_of(answer_is which) {
  constexpr std::array<std::string_view, 4> names{"wrong", "missing", "refused", "late"};
  return names[static_cast<std::size_t>(which)];
}

std::string one_line(std::string_view text) {
  return trunkline::client::one_line(text, limits::storm_message_bytes);
}

fault fault_of(const sqlstate& code, stage where) {
  const std::string_view text = code.view();
  const std::string_view group = text.substr(0, 2);
  if (is_prepared_fault(text)) return fault::lost_prepared;
  if (text == "57014") return fault::stray_cancel;
  if (text == "57P03") return fault::not_accepting;
  if (text.starts_with("57P") || text == "25P03" || text == "25P04") return fault::server_ended;
  if (group == "53") return fault::no_capacity;
  if (group == "08") return where < stage::lease ? fault::login_refused : fault::server_lost;
  if (where < stage::query) return fault::login_refused;
  return fault::server_error;
}

}  // namespace trunkline::storm
