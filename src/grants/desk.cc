#include "grants/desk.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits_kubernetes.h"
#include "grants/quorum.h"

namespace trunkline::grants {

namespace {

/// So often a step looks again because somebody was faster; each time, somebody got further.
constexpr int attempts = 32;

constexpr std::array<std::string_view, change_kinds> change_names = {
    "request", "approve", "grant", "deny", "withdraw", "timeout", "revoke", "expire"};

std::unexpected<refusal> refuse(refusal::kind what, std::string message) {
  return std::unexpected(refusal{what, std::move(message)});
}

std::unexpected<refusal> no_store(const store_failure& why) {
  if (why.what == store_failure::kind::refused) return refuse(refusal::kind::not_allowed, why.message);
  if (why.what == store_failure::kind::full)
    return refuse(refusal::kind::unavailable, "the store of requests is full");
  return refuse(refusal::kind::unavailable, "the store of requests does not work at the moment");
}

std::string sentence_of(const record& of) {
  return "request " + std::to_string(of.id) + " is " + std::string(name_of(of.now));
}

/// Ends what the clock has ended; nothing: it goes on.
std::optional<change::kind> due_end(const record& of, wall_time now) {
  if (of.now == state::open && of.answer_by <= now) return change::kind::timeout;
  if (of.now == state::active && of.until <= now) return change::kind::expire;
  return std::nullopt;
}

void end(record& of, state as, wall_time now, std::string by, std::string reason) {
  of.now = as;
  of.over = now;
  of.over_by = std::move(by);
  of.over_reason = std::move(reason);
  of.gateways.clear();
}

void end_by_clock(record& of, change::kind how, wall_time now) {
  if (how == change::kind::timeout) {
    end(of, state::timed_out, now, "", "nobody has answered in time");
  } else {
    end(of, state::expired, now, "", "");
  }
}

void grant(record& of, wall_time now) {
  of.now = state::active;
  of.from = now;
  of.until = now + of.length;
  of.gateways.clear();
}

bool may_see(const record& of, const person& who) {
  return who.administrator || same_person(of.what.principal, who.principal) ||
         !entries_of(of.rule, who).empty();
}

void add(std::vector<std::string>& to, const std::string& what) {
  if (std::find(to.begin(), to.end(), what) == to.end()) to.push_back(what);
}

record draft_of(const question& what, const std::string& gateway, wall_time now) {
  record made;
  made.what = what.what;
  made.groups = what.groups;
  if (made.groups.size() > limits::access_groups) made.groups.resize(limits::access_groups);
  made.client = what.client;
  made.reason = what.reason.substr(0, limits::access_reason_bytes);
  made.role = what.role;
  made.rule = what.rule;
  made.asked = now;
  made.answer_by = now + what.rule.wait;
  made.length = what.length.count() > 0 ? what.length : limits::access_grant;
  made.by_hand = what.by_hand;
  made.place = what.place;
  if (!what.by_hand) made.gateways = {gateway};
  return made;
}

}  // namespace

std::string_view name_of(change::kind which) {
  return change_names[static_cast<std::size_t>(which)];
}

desk::desk(store& kept, std::string gateway, desk_bounds at)
    : kept_(kept), gateway_(std::move(gateway)), at_(at) {}

stored<> desk::begin() {
  auto known = catch_up();
  fresh_.clear();
  return known;
}

void desk::remember(const record& what) {
  if (what.unjudged.empty() || what.erased)
    unjudged_.erase(what.id);
  else
    unjudged_.insert(what.id);
  const auto known = live_.find(what.id);
  if (known != live_.end()) {
    if (known->second.version > what.version) return;
    if (known->second.now == state::open) --open_;
    live_.erase(known);
  }
  if (!is_live(what.now)) return;
  if (what.now == state::open) ++open_;
  live_.emplace(what.id, what);
}

void desk::told(change::kind what, const record& of, std::string by, std::string reason) {
  changes_.push_back({.what = what, .of = of, .by = std::move(by), .reason = std::move(reason)});
}

stored<> desk::catch_up() {
  for (;;) {
    auto some = kept_.changed_since(seen_, limits::access_batch);
    if (!some) return std::unexpected(some.error());
    for (record& each : *some) {
      seen_ = each.version;
      remember(each);
      fresh_.push_back(std::move(each));
    }
    if (some->size() < limits::access_batch) return {};
  }
}

stored<std::vector<record>> desk::refresh(wall_time now) {
  if (auto known = catch_up(); !known) return std::unexpected(known.error());
  for (const record& each : fresh_)
    if (each.erased) tell_erased(each, now);
  return std::exchange(fresh_, {});
}

/// Nobody wrote that: one of those who see it tells of it. Rather two of them than none.
void desk::tell_erased(const record& of, wall_time now) {
  const auto alive = kept_.alive(now);
  if (alive && alive->contains(gateway_) && *alive->begin() != gateway_) return;
  told(of.now == state::revoked ? change::kind::revoke : change::kind::withdraw, of, "", of.over_reason);
}

/// Nothing: somebody else was faster.
answer<std::optional<record>> desk::write(record changed) {
  auto written = kept_.update({std::move(changed)});
  if (!written) return no_store(written.error());
  if (written->empty()) return std::nullopt;
  remember(written->front());
  return std::move(written->front());
}

answer<record> desk::change_one(std::int64_t id, wall_time now, const step& decide) {
  for (int i = 0; i < attempts; ++i) {
    auto found = kept_.find(id);
    if (!found) return no_store(found.error());
    if (!*found) return refuse(refusal::kind::not_found, "there is no request " + std::to_string(id));
    record changed = std::move(**found);
    if (due_end(changed, now)) {
      auto ended = settled(std::move(changed), now);
      if (!ended) return std::unexpected(ended.error());
      continue;
    }
    auto made = decide(changed);
    if (!made) return std::unexpected(made.error());
    if (!made->changed) return changed;
    auto written = write(std::move(changed));
    if (!written) return std::unexpected(written.error());
    if (!*written) continue;
    const bool granted =
        made->tell && made->tell->what == change::kind::approve && (*written)->now == state::active;
    if (made->tell)
      told(made->tell->what, **written, std::move(made->tell->by), std::move(made->tell->reason));
    if (granted) told(change::kind::grant, **written, (*written)->approvals.back().by);
    return std::move(**written);
  }
  return refuse(refusal::kind::unavailable, "too many change this request at once; try again");
}

/// What the clock has ended is written so.
answer<std::optional<record>> desk::settled(record found, wall_time now) {
  const auto due = due_end(found, now);
  if (!due) return found;
  end_by_clock(found, *due, now);
  auto written = write(std::move(found));
  if (written && *written) told(*due, **written, "");
  if (!written) return written;
  return std::nullopt;
}

answer<> desk::has_room(const std::string& principal) {
  if (auto newest = catch_up(); !newest) return no_store(newest.error());
  if (open_ >= at_.open) return refuse(refusal::kind::limit, "too many requests for access are open");
  const auto own = std::count_if(live_.begin(), live_.end(), [&](const auto& each) {
    return each.second.now == state::open && same_person(each.second.what.principal, principal);
  });
  if (static_cast<std::size_t>(own) < at_.open_of_principal) return {};
  return refuse(refusal::kind::limit, "too many requests for access of \"" + principal + "\" are open");
}

/// Nothing: somebody else has just asked the same.
answer<std::optional<record>> desk::create(const question& what, wall_time now) {
  if (what.rule.reason && what.reason.empty())
    return refuse(refusal::kind::invalid, "a reason is needed to ask for this access");
  if (auto room = has_room(what.what.principal); !room) return std::unexpected(room.error());
  auto made = kept_.create(draft_of(what, gateway_, now));
  if (!made && made.error().what == store_failure::kind::conflict) return std::nullopt;
  if (!made) return no_store(made.error());
  remember(*made);
  told(change::kind::request, *made, made->what.principal, made->reason);
  return std::move(*made);
}

/// Nothing: it has changed meanwhile.
answer<std::optional<record>> desk::join(record found, const question& what) {
  if (found.now == state::active) return found;
  record joined = found;
  if (what.by_hand) {
    joined.by_hand = true;
  } else {
    add(joined.gateways, gateway_);
  }
  if (joined.reason.empty()) joined.reason = what.reason.substr(0, limits::access_reason_bytes);
  if (joined == found) return found;
  return write(std::move(joined));
}

answer<record> desk::ask(const question& what, wall_time now) {
  for (int i = 0; i < attempts; ++i) {
    auto found = kept_.find_live(what.what);
    if (!found) return no_store(found.error());
    if (!*found) {
      auto made = create(what, now);
      if (!made) return std::unexpected(made.error());
      if (!*made) continue;
      return std::move(**made);
    }
    // Another gateway may have looked at it first.
    if (!what.place.empty() && (*found)->place == what.place) return std::move(**found);
    if (!what.place.empty())
      return refuse(refusal::kind::wrong_state, sentence_of(**found) + ", and is for the same");
    auto current = settled(std::move(**found), now);
    if (!current) return std::unexpected(current.error());
    if (!*current) continue;
    auto joined = join(std::move(**current), what);
    if (!joined) return std::unexpected(joined.error());
    if (*joined) return std::move(**joined);
  }
  return refuse(refusal::kind::unavailable, "too many change this request at once; try again");
}

answer<bool> desk::waits_elsewhere(const record& of, wall_time now) {
  if (of.gateways.empty()) return false;
  const auto alive = kept_.alive(now);
  if (!alive) return no_store(alive.error());
  return std::any_of(of.gateways.begin(), of.gateways.end(),
                     [&](const std::string& each) { return alive->contains(each); });
}

answer<record> desk::leave(std::int64_t id, bool stays, wall_time now) {
  return change_one(id, now, [&](record& of) -> answer<verdict> {
    if (of.now != state::open || std::erase(of.gateways, gateway_) == 0) return verdict{};
    const auto others = waits_elsewhere(of, now);
    if (!others) return std::unexpected(others.error());
    if (stays || of.by_hand || *others) return verdict{.changed = true};
    end(of, state::withdrawn, now, of.what.principal, "nobody waits for it any more");
    return verdict{
        true, change{.what = change::kind::withdraw, .of = {}, .by = of.over_by, .reason = of.over_reason}};
  });
}

/// What an answer makes of a record, and what is told of it.
answer<desk::verdict> desk::approved(record& of, const written_answer& given, wall_time now) {
  const person& by = given.by;
  if (of.now != state::open) return refuse(refusal::kind::wrong_state, sentence_of(of));
  approval made{.by = by.principal, .when = now, .reason = given.reason, .as = entries_of(of.rule, by)};
  if (given.length.count() > 0) of.length = std::min(of.length, given.length);
  if (same_person(by.principal, of.what.principal)) {
    if (!may_break_glass(of.rule, by))
      return refuse(refusal::kind::not_allowed, "nobody approves a request of their own");
    if (given.reason.empty())
      return refuse(refusal::kind::invalid, "who approves a request of their own has to give a reason");
    of.break_glass = true;
  } else if (made.as.empty()) {
    return refuse(refusal::kind::not_allowed, "the policy does not let you answer this request");
  }
  const bool again = std::any_of(of.approvals.begin(), of.approvals.end(),
                                 [&](const approval& each) { return same_person(each.by, by.principal); });
  if (again) return verdict{};
  of.approvals.push_back(std::move(made));
  if (of.break_glass || is_met(of.rule, of.what.principal, of.approvals)) grant(of, now);
  return verdict{true,
                 change{.what = change::kind::approve, .of = {}, .by = by.principal, .reason = given.reason}};
}

answer<desk::verdict> desk::denied(record& of, const written_answer& given, wall_time now) {
  const person& by = given.by;
  if (of.now != state::open) return refuse(refusal::kind::wrong_state, sentence_of(of));
  if (!by.administrator && entries_of(of.rule, by).empty())
    return refuse(refusal::kind::not_allowed, "the policy does not let you answer this request");
  end(of, state::denied, now, by.principal, given.reason);
  return verdict{true,
                 change{.what = change::kind::deny, .of = {}, .by = by.principal, .reason = given.reason}};
}

answer<desk::verdict> desk::revoked(record& of, const written_answer& given, wall_time now) {
  const person& by = given.by;
  if (of.now != state::active) return refuse(refusal::kind::wrong_state, sentence_of(of));
  if (!may_see(of, by)) return refuse(refusal::kind::not_allowed, "you may not revoke this grant");
  end(of, state::revoked, now, by.principal, given.reason);
  return verdict{true,
                 change{.what = change::kind::revoke, .of = {}, .by = by.principal, .reason = given.reason}};
}

answer<desk::verdict> desk::withdrawn(record& of, const written_answer& given, wall_time now) {
  const person& by = given.by;
  if (of.now != state::open) return refuse(refusal::kind::wrong_state, sentence_of(of));
  if (!by.administrator && !same_person(by.principal, of.what.principal))
    return refuse(refusal::kind::not_allowed, "only who asked can withdraw a request");
  end(of, state::withdrawn, now, by.principal, "");
  return verdict{true, change{.what = change::kind::withdraw, .of = {}, .by = by.principal}};
}

answer<desk::verdict> desk::answered(record& of, const written_answer& given, wall_time now) {
  switch (given.what) {
    case decision::approve:
      return approved(of, given, now);
    case decision::deny:
      return denied(of, given, now);
    case decision::revoke:
      return revoked(of, given, now);
    case decision::withdraw:
      return withdrawn(of, given, now);
  }
  return refuse(refusal::kind::invalid, "that is no answer");
}

answer<record> desk::answer_one(std::int64_t id, const written_answer& given, wall_time now) {
  return change_one(id, now, [&](record& of) { return answered(of, given, now); });
}

answer<record> desk::approve(std::int64_t id, const person& by, const std::string& reason,
                             std::chrono::milliseconds shorter, wall_time now) {
  return answer_one(id, {.id = {}, .by = by, .what = decision::approve, .reason = reason, .length = shorter},
                    now);
}

answer<record> desk::deny(std::int64_t id, const person& by, const std::string& reason, wall_time now) {
  return answer_one(id, {.id = {}, .by = by, .what = decision::deny, .reason = reason}, now);
}

answer<record> desk::withdraw(std::int64_t id, const person& by, wall_time now) {
  return answer_one(id, {.id = {}, .by = by, .what = decision::withdraw}, now);
}

answer<record> desk::revoke(std::int64_t id, const person& by, const std::string& reason, wall_time now) {
  return answer_one(id, {.id = {}, .by = by, .what = decision::revoke, .reason = reason}, now);
}

/// The first written answer that nobody has judged: whether it counts is said in the write in which it does.
answer<record> desk::judge_next(std::int64_t id, wall_time now) {
  std::optional<judged_answer> refused;
  auto judged = change_one(id, now, [&](record& of) -> answer<verdict> {
    refused.reset();
    if (of.unjudged.empty()) return verdict{};
    written_answer next = of.unjudged.front();
    const auto objection = kept_.objection(of, next);
    if (!objection) return no_store(objection.error());
    next.by.administrator = kept_.administers(next.by);
    next.by.vouched = next.what != decision::withdraw;
    record tried = of;
    answer<verdict> made = refuse(refusal::kind::not_allowed, *objection);
    if (objection->empty()) made = answered(tried, next, now);
    if (made) of = std::move(tried);
    of.unjudged.erase(of.unjudged.begin());
    of.judged.push_back({.id = next.id,
                         .by = next.by.principal,
                         .what = next.what,
                         .when = now,
                         .counted = made.has_value(),
                         .why = made ? "" : made.error().message});
    if (made) return verdict{true, std::move(made->tell)};
    refused = of.judged.back();
    return verdict{true};
  });
  if (judged && refused) refused_.emplace_back(*judged, std::move(*refused));
  return judged;
}

stored<> desk::judge(wall_time now) {
  if (auto known = catch_up(); !known) return known;
  const std::set<std::int64_t> todo = unjudged_;
  for (const std::int64_t id : todo) {
    // One write for each answer, and no more of them than a record has.
    for (std::size_t i = 0; i < limits::k8s_answers && unjudged_.contains(id); ++i) {
      const auto judged = judge_next(id, now);
      if (judged) continue;
      if (judged.error().what != refusal::kind::unavailable) break;
      return std::unexpected(store_failure{store_failure::kind::busy, judged.error().message});
    }
  }
  return {};
}

answer<record> desk::show(std::int64_t id, const person& by, wall_time now) {
  return change_one(id, now, [&](record& of) -> answer<verdict> {
    // Nobody need know what others ask for.
    if (!may_see(of, by))
      return refuse(refusal::kind::not_found, "there is no request " + std::to_string(of.id));
    return verdict{};
  });
}

answer<std::vector<record>> desk::list(const person& by, bool live_only, wall_time now) {
  auto all = live_only ? kept_.live() : kept_.latest(limits::access_listed);
  if (!all) return no_store(all.error());
  std::erase_if(*all, [&](const record& each) {
    return !may_see(each, by) || (live_only && due_end(each, now).has_value());
  });
  if (live_only) std::reverse(all->begin(), all->end());
  if (all->size() > limits::access_listed) all->resize(limits::access_listed);
  return std::move(*all);
}

stored<> desk::sweep(wall_time now) {
  std::vector<record> ended;
  for (const auto& [id, each] : live_) {
    const auto how = due_end(each, now);
    if (!how) continue;
    ended.push_back(each);
    end_by_clock(ended.back(), *how, now);
  }
  if (ended.empty()) return {};
  auto written = kept_.update(std::move(ended));
  if (!written) return std::unexpected(written.error());
  for (const record& each : *written) {
    remember(each);
    told(each.now == state::expired ? change::kind::expire : change::kind::timeout, each, "");
  }
  return {};
}

std::optional<wall_time> desk::next_due() const {
  std::optional<wall_time> first;
  for (const auto& [id, each] : live_) {
    const auto due = each.now == state::open ? each.answer_by : each.until;
    if (!first || due < *first) first = due;
  }
  return first;
}

}  // namespace trunkline::grants
