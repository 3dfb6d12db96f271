#include "main/access_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "config/glob.h"
#include "grants/request_json.h"
#include "runtime/random.h"
#include "session/grant_question.h"

namespace trunkline::main {

namespace {

/// By grants::change::kind.
constexpr std::array<std::string_view, grants::change_kinds> event_names = {
    "access.request",  "access.approve", "access.grant",  "access.deny",
    "access.withdraw", "access.timeout", "access.revoke", "access.expire"};

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

access_control::access_control(telemetry::logger& log,
                               std::function<std::shared_ptr<const session::deployment>()> current,
                               std::function<void(decltype(audit::rare_event::what))> audit,
                               std::function<void(std::int64_t)> grant_over)
    : log_(log),
      current_(std::move(current)),
      audit_(std::move(audit)),
      grant_over_(std::move(grant_over)),
      gateway_(random_name()) {}

access_control::~access_control() = default;

result<> access_control::prepare(const config::settings& next) {
  opened_.reset();
  read_.reset();
  const std::string& path = next.access.store;
  if (office_ != nullptr && !path.empty() && path != store_path_)
    return fail({.message = "access.store: another file needs a restart (it is " + store_path_ + ")"});
  if (!next.admin.tokens_file.empty()) {
    auto read = grants::token_file::read(next.admin.tokens_file);
    if (!read) return fail({.message = "admin.tokensFile: " + read.error().message});
    read_ = std::move(*read);
  }
  if (office_ != nullptr || path.empty()) return {};
  auto opened = grants::sqlite_store::open(path);
  if (!opened) return fail(opened.error());
  opened_ = std::move(*opened);
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
  store_path_ = next.access.store;
  office_ = std::make_unique<grants::office>(
      grants::office::parts{.kept = std::move(opened_),
                            .gateway = gateway_,
                            .tell = [this](const grants::change& what) { tell(what); },
                            .log = log_,
                            .grant_over = [this](const grants::record& of) { grant_over_(of.id); }});
  waits_.open(*office_);
  open_.store(office_.get());
  log_.write(telemetry::log_level::info, "access", "requests and grants are kept",
             {{"store", std::string_view(store_path_)}});
}

void access_control::begin_leaving() {
  if (auto* at = desk()) at->begin_leaving();
}

void access_control::stop() {
  open_.store(nullptr);
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

void access_control::tell(const grants::change& what) {
  log_change(what);
  audit_(event_of(what));
  std::lock_guard lock(mutex_);
  for (const auto& each : hooks_)
    each->tell(what);
}

std::optional<grants::person> access_control::who(const secret_text& token) {
  auto found = by_token_file(token);
  if (!found) found = by_issuer(token);
  if (!found) return found;
  std::lock_guard lock(mutex_);
  found->administrator = is_one_of(administrators_, *found);
  return found;
}

std::optional<grants::person> access_control::by_token_file(const secret_text& token) {
  std::lock_guard lock(mutex_);
  return tokens_ == nullptr ? std::nullopt : tokens_->who(token);
}

std::optional<grants::person> access_control::by_issuer(const secret_text& token) {
  const auto setup = current_();
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
  audit_(audit::operator_acted{.event = "access.refused",
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
  const auto setup = current_();
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
