#include "audit/statement_names.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::audit {
namespace {

/// NAMEDATALEN - 1: what a server's hash table compares.
std::string_view key_of(std::string_view name) {
  return name.substr(0, 63);
}

}  // namespace

const prepared_ref* statement_names::of_session::find(std::string_view name) const {
  if (name.empty()) return unnamed ? &unnamed : nullptr;
  const auto found = named_.find(key_of(name));
  return found == named_.end() ? nullptr : &found->second->statement;
}

portal* statement_names::of_session::find_portal(std::string_view name) {
  if (name.empty()) return &unnamed_portal;
  const auto found = portals.find(key_of(name));
  return found == portals.end() ? nullptr : &found->second;
}

portal& statement_names::of_session::make_portal(std::string_view name) {
  if (name.empty()) return unnamed_portal;
  const auto found = portals.find(key_of(name));
  if (found != portals.end()) return found->second;
  if (portals.size() >= limits::audit_statements_per_session) portals.clear();
  return portals[std::string(key_of(name))];
}

void statement_names::of_session::close_portal(std::string_view name) {
  if (name.empty()) {
    unnamed_portal = portal{};
  } else if (const auto found = portals.find(key_of(name)); found != portals.end()) {
    portals.erase(found);
  }
}

void statement_names::of_session::close_portals() {
  unnamed_portal.statement.reset();
  unnamed_portal.unknown.clear();
  unnamed_portal.walk = 0;
  if (!portals.empty()) portals.clear();
}

void statement_names::of_session::doubt() {
  if (unnamed) unnamed->uncertain = true;
  for (const auto& [name, which] : named_)
    which->statement->uncertain = true;
}

std::size_t statement_names::own_bytes(const prepared_statement& statement) {
  return sizeof(prepared_statement) + sizeof(node) + 128 + 2 * statement.name.size() +
         4 * statement.types.size();
}

void statement_names::hold_text(const statement_list& list) {
  if (!list) return;
  auto& text = texts_[list.get()];
  if (text.users++ == 0) {
    for (const auto& one : *list)
      text.bytes += sizeof one + one.text.size() + one.normalised.size() + one.json.size();
    bytes_ += text.bytes;
  }
}

void statement_names::release_text(const statement_list& list) {
  const auto found = texts_.find(list.get());
  if (found == texts_.end() || --found->second.users != 0) return;
  bytes_ -= found->second.bytes;
  texts_.erase(found);
}

void statement_names::put(of_session& session, prepared_ref statement) {
  erase(session, statement->name);
  if (statement->name.empty()) {
    session.unnamed = std::move(statement);
    return;
  }
  if (session.named_.size() >= limits::audit_statements_per_session) remove(session.ages_.front());
  hold_text(statement->list);
  const std::size_t own = own_bytes(*statement);
  bytes_ += own;
  all_.push_back({std::move(statement), &session, own, {}});
  const auto which = std::prev(all_.end());
  which->age = session.ages_.insert(session.ages_.end(), which);
  session.named_[std::string(key_of(which->statement->name))] = which;
  while (bytes_ > limits::audit_statement_bytes && all_.size() > 1)
    remove(all_.begin());
}

void statement_names::erase(of_session& session, std::string_view name) {
  if (name.empty()) {
    if (session.unnamed) removed_.push_back(std::move(session.unnamed));
    session.unnamed.reset();
    return;
  }
  const auto found = session.named_.find(key_of(name));
  if (found != session.named_.end()) remove(found->second);
}

void statement_names::remove(order::iterator which) {
  of_session& owner = *which->owner;
  bytes_ -= which->bytes;
  release_text(which->statement->list);
  owner.ages_.erase(which->age);
  owner.named_.erase(std::string(key_of(which->statement->name)));
  removed_.push_back(std::move(which->statement));
  all_.erase(which);
}

void statement_names::forget(of_session& session) {
  erase(session, {});
  session.close_portals();
  while (!session.ages_.empty())
    remove(session.ages_.front());
}

}  // namespace trunkline::audit
