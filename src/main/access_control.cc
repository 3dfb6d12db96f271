#include "main/access_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/limits_kubernetes.h"
#include "config/glob.h"
#include "grants/request_json.h"
#include "grants/sqlite_store.h"
#include "k8s/own_namespace.h"
#include "runtime/random.h"
#include "session/grant_question.h"

namespace trunkline::main {

namespace {

/// By grants::change::kind.
constexpr std::array<std::string_view, grants::change_kinds> event_names = {
    "access.request",  "access.approve", "access.grant",  "access.deny",
    "access.withdraw", "access.timeout", "access.revoke", "access.expire"};

/// What an event on an AccessRequest says; by grants::change::kind.
struct event_words {
  std::string_view reason;
  std::string_view action;
};
constexpr std::array<event_words, grants::change_kinds> posted = {{{"Requested", "Request"},
                                                                   {"Approved", "Approve"},
                                                                   {"Granted", "Grant"},
                                                                   {"Denied", "Deny"},
                                                                   {"Withdrawn", "Withdraw"},
                                                                   {"TimedOut", "TimeOut"},
                                                                   {"Revoked", "Revoke"},
                                                                   {"Expired", "Expire"}}};

/// By grants::decision.
constexpr std::array<std::string_view, grants::decision_count> answer_names = {"approve", "deny", "revoke",
                                                                               "withdraw"};

std::string random_name() {
  std::string made;
  for (const std::byte each : runtime::random_bytes<8>())
    made += fmt::format("{:02x}", std::to_integer<unsigned>(each));
  return made;
}

bool is_one_of(const std::vector<std::string>& entries, const grants::person& who) {
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return config::glob_match(entry, who.principal) ||
           std::any_of(who.groups.begin(), who.groups.end(),
                       [&](const std::string& group) { return config::glob_match(entry, group); });
  });
}

audit::access_changed event_of(const grants::change& what) {
  const grants::record& of = what.of;
  return {.event = event_names[static_cast<std::size_t>(what.what)],
          .request = of.id,
          .principal = of.what.principal,
          .by = what.by,
          .reason = what.reason,
          .policy = of.what.policy,
          .route = of.what.route,
          .database = of.what.database,
          .user = of.what.user,
          .role = of.role,
          .client = of.client,
          .until = of.is_grant() ? grants::time_text(of.until) : "",
          .break_glass = of.break_glass};
}

std::unexpected<grants::refusal> refuse(grants::refusal::kind what, std::string message) {
  return std::unexpected(grants::refusal{what, std::move(message)});
}

/// The policy with an approval that would decide; from whatever address where the first that fits has none.
const access::policy* policy_for(const access::policy_set& all, const access::question& asked) {
  const auto decided = all.decide(asked);
  if (decided.what == access::outcome::wait) return decided.by;
  if (decided.by != nullptr) return nullptr;
  for (const access::policy& each : all.policies()) {
    if (each.says.approval && all.fits(each, asked) == access::misfit::source) return &each;
  }
  return nullptr;
}

}  // namespace

access_control::access_control(parts with)
    : with_(std::move(with)), log_(with_.log), gateway_(random_name()) {}

access_control::~access_control() = default;

access_control::store_place access_control::place_of(const config::settings& of) {
  if (!of.in_kubernetes.requests) return {.file = of.access.store};
  return {.objects = {.name = of.in_kubernetes.gateway, .name_space = k8s::own_namespace(of.in_kubernetes)}};
}

result<> access_control::prepare(const config::settings& next) {
  if (office_ == nullptr) objects_ = nullptr;
  opened_.reset();
  read_.reset();
  const store_place at = place_of(next);
  if (office_ != nullptr && at != store_place{} && at != place_)
    return fail(
        {.message = (at.file.empty() ? "kubernetes.requests: another store" : "access.store: another file") +
                    std::string(" needs a restart (it is ") + place_.text() + ")"});
  if (!next.admin.tokens_file.empty()) {
    auto read = grants::token_file::read(next.admin.tokens_file);
    if (!read) return fail({.message = "admin.tokensFile: " + read.error().message});
    read_ = std::move(*read);
  }
  if (office_ == nullptr && at != store_place{}) {
    if (auto opened = open_store(at); !opened) return opened;
  }
  if (objects_ == nullptr) return {};
  objects_->look_in(next.in_kubernetes.objects ? next.in_kubernetes.objects->namespaces
                                               : std::vector<std::string>());
  // Without them nobody could be let in; with an API server that is gone it is the same, and said.
  objects_->wait_until(std::chrono::steady_clock::now() + limits::k8s_connect_timeout);
  return {};
}

result<> access_control::open_store(const store_place& at) {
  if (!at.file.empty()) {
    auto opened = grants::sqlite_store::open(at.file);
    if (!opened) return fail(opened.error());
    opened_ = std::move(*opened);
    return {};
  }
  if (at.objects.name_space.empty())
    return fail({.message = "kubernetes.requests: this is no pod, and the configuration has no "
                            "kubernetes.namespace"});
  auto made = std::make_unique<k8s::request_store>(
      k8s::request_store::parts{.ask = with_.lines,
                                .watch = with_.watch,
                                .scope = at.objects,
                                .administers = [this](const auto& who) { return is_administrator(who); },
                                .log = log_});
  objects_ = made.get();
  opened_ = std::move(made);
  return {};
}

void access_control::apply(const config::settings& next) {
  hooks gone;
  {
    std::lock_guard lock(mutex_);
    tokens_ = read_ ? std::make_shared<const grants::token_file>(std::move(*read_)) : nullptr;
    administrators_ = next.access.administrators;
    gone = std::exchange(hooks_, {});
    for (const auto& each : next.access.webhooks) {
      grants::webhook_target to{
          .url = each.url, .secret = each.secret, .slack = each.format == config::webhook_format::slack};
      const auto same =
          std::find_if(gone.begin(), gone.end(), [&](const auto& hook) { return hook->target() == to; });
      hooks_.push_back(same != gone.end() ? *same
                                          : std::make_shared<grants::webhook>(std::move(to), gateway_, log_));
    }
    std::erase_if(gone, [&](const auto& hook) {
      return std::find(hooks_.begin(), hooks_.end(), hook) != hooks_.end();
    });
    for (const auto& each : gone) {
      delivered_before_ += each->delivered();
      lost_before_ += each->lost();
    }
  }
  gone.clear();  // what they still have to say goes first
  if (opened_ == nullptr) return;
  open_office(place_of(next));
}

void access_control::open_office(const store_place& at) {
  place_ = at;
  office_ = std::make_unique<grants::office>(grants::office::parts{
      .kept = std::move(opened_),
      .gateway = gateway_,
      .tell = [this](const grants::change& what) { tell(what); },
      .log = log_,
      .grant_over = [this](const grants::record& of) { with_.grant_over(of.id); },
      .question_of = [this](const grants::wish& what) { return question_of_wish(what); },
      .refused =
          [this](const grants::record& of, const grants::judged_answer& what) {
            const grants::person by{.principal = what.by};
            refused(
                &by,
                std::string(answer_names[static_cast<std::size_t>(what.what)]) + " " + std::to_string(of.id),
                what.why);
          }});
  waits_.open(*office_);
  open_.store(office_.get());
  const std::string place = place_.text();
  log_.write(telemetry::log_level::info, "access", "requests and grants are kept",
             {{"store", std::string_view(place)}});
}

void access_control::begin_leaving() {
  if (auto* at = desk()) at->begin_leaving();
}

void access_control::stop() {
  open_.store(nullptr);
  objects_ = nullptr;
  office_.reset();
  std::lock_guard lock(mutex_);
  hooks_.clear();
}

/// Break-glass is a warning wherever it is read.
void access_control::log_change(const grants::change& what) {
  const grants::record& of = what.of;
  const bool loud = of.break_glass && what.what == grants::change::kind::approve;
  log_.write(loud ? telemetry::log_level::warning : telemetry::log_level::info,
             event_names[static_cast<std::size_t>(what.what)],
             loud ? "BREAK-GLASS: somebody has approved a request of their own" : "",
             {{"request", of.id},
              {"principal", std::string_view(of.what.principal)},
              {"by", std::string_view(what.by)},
              {"reason", std::string_view(what.reason)},
              {"policy", std::string_view(of.what.policy)},
              {"route", std::string_view(of.what.route)},
              {"database", std::string_view(of.what.database)},
              {"user", std::string_view(of.what.user)}});
}

/// On the object, where the request is one.
void access_control::post_event(const grants::change& what) {
  const grants::record& of = what.of;
  const auto slash = of.place.find('/');
  if (slash == std::string::npos) return;
  const event_words& words = posted[static_cast<std::size_t>(what.what)];
  std::string text =
      fmt::format("request {} of {} for database {}", of.id, of.what.principal, of.what.database);
  if (!what.by.empty()) text += ", by " + what.by;
  if (!what.reason.empty()) text += ": " + what.reason;
  with_.post({.about = {.api_version = "trunkline.dev/v1alpha1",
                        .kind = "AccessRequest",
                        .name_space = of.place.substr(0, slash),
                        .name = of.place.substr(slash + 1),
                        .uid = of.object_id},
              .warning = of.break_glass && what.what == grants::change::kind::approve,
              .reason = std::string(words.reason),
              .action = std::string(words.action),
              .text = std::move(text)});
}

void access_control::tell(const grants::change& what) {
  log_change(what);
  post_event(what);
  with_.audit(event_of(what));
  std::lock_guard lock(mutex_);
  for (const auto& each : hooks_)
    each->tell(what);
}

std::optional<grants::person> access_control::who(const secret_text& token) {
  auto found = by_token_file(token);
  if (!found) found = by_issuer(token);
  if (!found) return found;
  found->administrator = is_administrator(*found);
  return found;
}

bool access_control::is_administrator(const grants::person& who) const {
  std::lock_guard lock(mutex_);
  return is_one_of(administrators_, who);
}

std::optional<grants::person> access_control::by_token_file(const secret_text& token) {
  std::lock_guard lock(mutex_);
  return tokens_ == nullptr ? std::nullopt : tokens_->who(token);
}

std::optional<grants::person> access_control::by_issuer(const secret_text& token) {
  const auto setup = with_.current();
  if (setup == nullptr || setup->admin_tokens == nullptr) return std::nullopt;
  if (token.empty() || token.reveal().size() > limits::token_bytes) return std::nullopt;
  const auto who = setup->admin_tokens->judge(token.reveal(), limits::admin_issuer_patience);
  if (who == nullptr) return std::nullopt;
  return grants::person{.principal = who->principal, .groups = who->groups};
}

/// Who is known is told each time. Of the others, who may be as many as they like, one in a second.
void access_control::refused(const grants::person* who, const std::string& command, const std::string& why) {
  std::uint64_t times = 1;
  if (who == nullptr) {
    std::lock_guard lock(mutex_);
    ++strangers_;
    const auto now = std::chrono::steady_clock::now();
    if (now - strangers_told_ < limits::strangers_told) return;
    strangers_told_ = now;
    times = std::exchange(strangers_, 0);
  }
  const std::string_view by = who == nullptr ? std::string_view() : std::string_view(who->principal);
  log_.write(telemetry::log_level::info, "access.refused", why,
             {{"by", by}, {"command", std::string_view(command)}, {"times", std::int64_t(times)}});
  with_.audit(audit::operator_acted{.event = "access.refused",
                                    .by = std::string(by),
                                    .client = {},
                                    .command = command,
                                    .ok = false,
                                    .problem = why,
                                    .times = times});
}

grants::answer<grants::question> access_control::question_of(const grants::person& who,
                                                             const admin::access_wish& wish) {
  using kind = grants::refusal::kind;
  const auto setup = with_.current();
  const auto& routes = setup->settings->routes;
  const auto route = std::find_if(routes.begin(), routes.end(),
                                  [&](const config::route& each) { return each.name == wish.route; });
  if (route == routes.end()) return refuse(kind::not_found, "there is no route \"" + wish.route + "\"");
  if (wish.database.empty()) return refuse(kind::invalid, "a database is needed to ask for");
  if (setup->policies == nullptr || !setup->policies->governs(*route))
    return refuse(kind::invalid, "there are no policies, and nothing to be asked for");
  const auth::identity identity{.principal = who.principal, .groups = who.groups};
  const std::string user = wish.user.empty() ? who.principal : wish.user;
  const access::question asked{.who = &identity,
                               .user = user,
                               .database = wish.database,
                               .route = &*route,
                               .route_index = static_cast<std::size_t>(route - routes.begin()),
                               .source = std::nullopt,
                               .when = std::chrono::system_clock::now()};
  const access::policy* const by = policy_for(*setup->policies, asked);
  if (by == nullptr)
    return refuse(kind::invalid,
                  "no policy lets you ask for this database over this route, or none is needed");
  auto made = session::question_of(
      {.who = &identity, .user = user, .database = wish.database, .client = "api", .reason = wish.reason},
      *route, *by);
  made.by_hand = true;
  if (wish.length.count() > 0) {
    const auto most = made.length.count() > 0 ? made.length : limits::access_grant;
    made.length = std::min(most, wish.length);
  }
  return made;
}

/// Of somebody who has made an object: about a route of the object's namespace.
grants::answer<grants::question> access_control::question_of_wish(const grants::wish& what) {
  const auto setup = with_.current();
  const auto& routes = setup->settings->routes;
  const auto is_it = [&](const config::route& each, const std::string& name) {
    const bool here =
        (each.name_space.empty() ? place_.objects.name_space : each.name_space) == what.name_space;
    return here && each.name == name;
  };
  for (const std::string& name : {what.name_space + "/" + what.route, what.route}) {
    const auto route = std::find_if(routes.begin(), routes.end(),
                                    [&](const config::route& each) { return is_it(each, name); });
    if (route == routes.end()) continue;
    auto made = question_of(what.by, {.route = route->name,
                                      .database = what.database,
                                      .user = what.user,
                                      .reason = what.reason,
                                      .length = what.length});
    if (made) made->client = "kubernetes";
    return made;
  }
  return refuse(grants::refusal::kind::not_found,
                "there is no route \"" + what.route + "\" in namespace \"" + what.name_space + "\"");
}

session::access_view access_control::seen() const {
  session::access_view made;
  const grants::office* const at = open_.load();
  if (at == nullptr) return made;
  const auto figures = at->seen();
  made = {.enabled = true,
          .works = figures.works,
          .open = figures.open,
          .active = figures.active,
          .refused = figures.refused,
          .waiting = waits_.waiting()};
  for (std::size_t i = 0; i < grants::change_kinds; ++i)
    made.changes.emplace_back(name_of(static_cast<grants::change::kind>(i)), figures.changes[i]);
  std::lock_guard lock(mutex_);
  made.hooks_delivered = delivered_before_;
  made.hooks_lost = lost_before_;
  for (const auto& each : hooks_) {
    made.hooks_delivered += each->delivered();
    made.hooks_lost += each->lost();
  }
  return made;
}

}  // namespace trunkline::main
