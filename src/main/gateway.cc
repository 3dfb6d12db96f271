#include "main/gateway.h"

#include <openssl/rand.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <utility>

#include "grants/request_json.h"
#include "main/gateway_observer.h"
#include "main/replica_number.h"
#include "main/version.h"
#include "net/socket.h"
#include "runtime/epoll_loop.h"
#include "runtime/random.h"
#include "session/deployment_builder.h"

namespace trunkline::main {
namespace {

constexpr std::size_t waiting_jobs = 4'096;
constexpr std::size_t lookup_threads = 4;  // they only wait

/// For a gateway that is alone.
std::uint16_t random_replica_number() {
  return static_cast<std::uint16_t>(1 + load_u32(runtime::random_bytes<4>().data()) % 1'023);
}

/// Cores this process may use: its affinity mask, and a container's CPU quota (cgroup v2) where that is
/// lower.
unsigned usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  unsigned cores = std::thread::hardware_concurrency();
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) cores = static_cast<unsigned>(CPU_COUNT(&mask));
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  if (quota_file >> quota >> period && period > 0) {
    cores = std::min(cores, static_cast<unsigned>(quota / period + 0.999));
  }
  return std::max(cores, 1u);
}

/// As authorities of certificates.
result<> can_vouch(const std::string& pem) {
  const auto context = tls::client_context::build(
      {.verify = tls::verification::verify_ca, .ca_text = pem, .ca_name = "the Secret"},
      std::chrono::system_clock::now());
  return context ? result<>() : fail(context.error());
}

result<runtime::unique_fd> open_socket(const config::listener& listener) {
  const config::address& at = listener.address;
  auto address =
      at.is_unix() ? net::socket_address::unix_path(at.path) : net::socket_address::ip(at.host, at.port);
  if (!address) return fail(address.error());
  auto socket = net::listen_on(*address);
  if (!socket) socket.error().message = "listener \"" + listener.name + "\": " + socket.error().message;
  return socket;
}

}  // namespace

gateway::gateway(process_parts& parts, inheritance& inherited, control_requests& control)
    : parts_(parts),
      log_(parts.log),
      inherited_(inherited),
      key_cache_secret_(runtime::random_bytes<32>()),
      fake_salt_secret_(runtime::random_bytes<32>()),
      cancel_secret_(runtime::random_bytes<32>()),
      replica_number_(random_replica_number()),
      keys_(key_cache_secret_, limits::key_cache_entries),
      cancels_(replica_number_, cancel_secret_),
      replicas_(runtime::random_bytes<sizeof(session::instance_id)>()),
      tickets_(std::make_shared<tls::ticket_keys>()),
      tickets_rotated_(std::chrono::steady_clock::now()),
      work_(std::clamp(usable_cores(), 1u, 4u), waiting_jobs),
      lookups_(lookup_threads, waiting_jobs),
      own_tap_(audit_.add_worker()),
      tokens_(log_),
      access_({.log = log_,
               .current = [this] { return current(); },
               .audit = [this](decltype(audit::rare_event::what) what) { tell(std::move(what)); },
               .grant_over = [this](std::int64_t grant) { roles_.grant_over(grant); },
               .lines = {.ask_and_wait =
                             [this](k8s::api_question what) {
                               return parts_.kubernetes.client().ask_and_wait(std::move(what));
                             },
                         .ask = parts.kubernetes.asker()},
               .watch = parts.kubernetes.watcher(),
               .post = [this](k8s::event_note what) { parts_.kubernetes.events().post(std::move(what)); }}),
      roles_({.loop = std::make_unique<runtime::epoll_loop>(),
              .keys = {.work = &work_, .cache = &keys_},
              .guard = &loops_,
              .log = log_,
              .gateway = access_.gateway_name(),
              .current = [this] { return current(); },
              .told = [this](session::role_event what,
                             const session::ephemeral_role& role) { tell_role(what, role); }}),
      servers_(std::make_unique<runtime::epoll_loop>(),
               {.keys = {.work = &work_, .cache = &keys_},
                .lookups = &lookups_,
                .log = &log_,
                .loops = &loops_,
                .evict = [this](const pool::eviction& why) { evict(why); },
                .hold = [this](const std::shared_ptr<const pool::member>& of) { hold(of); },
                .told = parts.told_of_upstream}),
      discovery_(parts.kubernetes.client(), log_, can_vouch),
      peers_(std::make_unique<runtime::epoll_loop>(), lookups_, replicas_.peers, log_),
      commander_(*this, control) {
  services_.reset(new session::services{.log = log_,
                                        .work = work_,
                                        .keys = keys_,
                                        .cancels = cancels_,
                                        .admissions = admissions_,
                                        .loops = loops_,
                                        .fake_salt_secret = fake_salt_secret_});
  for_console_ = std::make_unique<gateway_observer>(*this);
  services_->elder = inherited_.elder();
  services_->replicas = &replicas_;
  services_->grants = &access_.waits();
  services_->roles = &roles_;
  if (inherited_.takes_over()) audit_.begin_beside();
  console_ = std::make_unique<console::desk>(*for_console_, commander_, std::string(version_number()));
  services_->console = console_.get();
}

gateway::~gateway() {
  stop();
}

result<> gateway::start(const config::snapshot& settings) {
  auto setup = deploy(settings);
  if (!setup) return fail(setup.error());
  auto opened = access_.prepare(*settings);
  if (opened) opened = open_sockets(**setup, sockets_);
  if (opened) opened = audit_.configure(settings->audit, settings->tracing);
  if (!opened) {
    if (inherited_.takes_over()) sockets_.clear();  // their files are still the elder's
    return opened;
  }
  access_.apply(*settings);
  const unsigned count = settings->workers != 0 ? settings->workers : usable_cores();
  for (unsigned i = 0; i < count; ++i) {
    workers_.push_back(
        std::make_unique<session::worker>(i, std::make_unique<runtime::epoll_loop>(), *services_));
  }
  std::vector<runtime::loop*> loops;
  for (auto& each : workers_)
    loops.push_back(&each->where());
  pools_ = std::make_unique<pool::link_pools>(std::move(loops));
  services_->pools = pools_.get();
  for (auto& each : workers_) {
    each->set_peers(workers_);
    each->audit_into(audit_.add_worker(), audit_);
  }
  audit_.start();
  servers_.start();
  publish(std::move(*setup));
  for (auto& each : workers_)
    each->start();
  listens_.store(true);
  return {};
}

result<> gateway::reload(const config::snapshot& settings) {
  auto done = replace(settings);
  if (!done) discovery_.want(*current()->settings);
  return done;
}

result<> gateway::replace(const config::snapshot& settings) {
  auto setup = deploy(settings);
  if (!setup) return fail(setup.error());
  sockets next;
  for (auto& [name, entry] : sockets_) {
    const auto same = std::find_if(settings->listeners.begin(), settings->listeners.end(),
                                   [&](const config::listener& each) { return each.name == name; });
    if (same != settings->listeners.end() && same->address == entry.address) {
      next[name] = entry;
    }
  }
  if (auto opened = access_.prepare(*settings); !opened) return opened;
  if (auto opened = open_sockets(**setup, next); !opened) return opened;
  if (auto opened = audit_.configure(settings->audit, settings->tracing); !opened) return opened;
  sockets_ = std::move(next);
  access_.apply(*settings);
  publish(std::move(*setup));
  tell_reload(true, "");
  return {};
}

result<std::shared_ptr<const session::deployment>> gateway::deploy(const config::snapshot& settings) {
  const auto older = current();
  if (const auto& how = settings->kubernetes; !how.kubeconfig_file.empty()) {
    if (const auto read = k8s::read_access(how, k8s::environment_variable); !read) return fail(read.error());
  }
  discovery_.want(*settings);
  // Without them no server could be trusted; with an API server that is gone it is the same, and said.
  discovery_.wait_for_secrets(limits::k8s_connect_timeout);
  (void)discovery_.secrets_changed();  // what they hold by now is used
  return session::build_deployment(
      settings,
      {.tickets = tickets_,
       .parts = &parts_.files,
       .clusters = [this](const std::string& upstream) { return servers_.of(upstream); },
       .tokens = &tokens_,
       .older = older.get(),
       .authorities = [this](const config::upstream& of) { return discovery_.authorities_of(of); }});
}

void gateway::hold(const std::shared_ptr<const pool::member>& of) {
  for (auto& each : workers_)
    each->look_at_hold(of);
}

void gateway::evict(const pool::eviction& why) {
  for (auto& each : workers_)
    each->evict(why);
}

void gateway::reload_failed(const std::string& problem) {
  reload_failures_.fetch_add(1, std::memory_order_relaxed);
  tell_reload(false, problem);
}

session::access_view gateway::access_seen() const {
  auto made = access_.seen();
  const auto of_roles = roles_.seen();
  made.roles = of_roles.roles;
  made.role_changes = {
      {"created", of_roles.created}, {"dropped", of_roles.dropped}, {"failed", of_roles.failures}};
  return made;
}

void gateway::tell_role(session::role_event what, const session::ephemeral_role& role) {
  const bool created = what == session::role_event::created;
  tell(audit::access_changed{.event = created ? "access.role.create" : "access.role.drop",
                             .request = role.grant,
                             .principal = role.principal,
                             .by = {},
                             .reason = {},
                             .policy = {},
                             .route = role.route,
                             .database = role.database,
                             .user = {},
                             .role = role.name,
                             .client = {},
                             .until = created ? grants::time_text(role.until) : ""});
}

/// There is little to tell: where even this ring is full, the log has it.
void gateway::tell_reload(bool ok, const std::string& problem) {
  tell(audit::config_reloaded{
      .generation = current()->settings->generation, .reason = "", .ok = ok, .problem = problem});
}

void gateway::tell(decltype(audit::rare_event::what) what) {
  const auto setup = current();
  if (setup == nullptr || !setup->settings->is_audited()) return;
  auto event = std::make_unique<audit::rare_event>();
  event->when = std::chrono::steady_clock::now();
  event->what = std::move(what);
  std::lock_guard lock(own_tap_mutex_);
  if (!own_tap_.has_room(audit::tap::cost(sizeof(void*)))) return;
  own_tap_.write(std::move(event));
  own_tap_.publish();
  audit_.notify();
}

result<> gateway::open_sockets(const session::deployment& setup, sockets& into) {
  for (const auto& each : setup.settings->listeners) {
    auto& entry = into[each.name];
    if (entry.fd == nullptr) {
      auto given = inherited_.socket(socket_use::listener, each.name, each.address);
      auto socket = given ? result<runtime::unique_fd>(std::move(*given)) : open_socket(each);
      if (!socket) return fail(socket.error());
      entry = {each.address, std::make_shared<runtime::unique_fd>(std::move(*socket))};
    }
    // Linux hands these on to accepted sockets, which saves the calls for each.
    net::apply_options(entry.fd->get(), setup.socket_options);
  }
  return {};
}

/// The number and the keys of new sessions, and where the other replicas are.
void gateway::identify(const config::settings& settings) {
  const config::replicas& said = settings.replicas;
  std::uint16_t number = said.number;
  if (number == 0 && (said.has_peers() || !said.key.empty()))
    number = replica_number_of(own_host_name(), settings.listeners.front().address.text());
  if (number == 0) number = replica_number_;
  const auto now = std::chrono::steady_clock::now();
  replicas_.keys.set(said.key.reveal(), now);
  const bool shared = !said.key.empty();
  cancels_.identify(number, shared ? replicas_.keys.valid(now).front().cancel : cancel_secret_);
  if (replicas_.number.exchange(number) != number && (shared || said.has_peers()))
    log_.write(telemetry::log_level::info, "replicas", "this is one of several",
               {{"number", static_cast<std::int64_t>(number)}});
  peers_.configure(said);
}

void gateway::publish(std::shared_ptr<const session::deployment> setup) {
  identify(*setup->settings);
  const auto older = current();
  for (const auto& warning : setup->warnings) {
    const bool told =
        older != nullptr && std::ranges::find(older->warnings, warning) != older->warnings.end();
    if (!told) log_.write(telemetry::log_level::warning, "config", warning);
  }
  {
    std::lock_guard lock(current_mutex_);
    current_ = setup;
  }
  if (older != nullptr) retired_.push_back(older);
  std::vector<std::shared_ptr<const pool::watch_setup>> watched;
  discovery_.keep_only(*setup->settings);
  for (std::size_t i = 0; i < setup->settings->upstreams.size(); ++i) {
    watched.push_back(std::make_shared<const pool::watch_setup>(
        pool::watch_setup{setup->settings, i, setup->upstream_tls[i], setup->socket_options,
                          discovery_.feed_of(setup->settings->upstreams[i])}));
  }
  servers_.configure(std::move(watched));
  if (std::ranges::any_of(setup->settings->routes,
                          [](const auto& each) { return each.login && each.login->ephemeral; }))
    roles_.start();
  std::vector<session::open_listener> open;
  for (const auto& each : setup->settings->listeners)
    open.push_back({each.name, sockets_[each.name].fd});
  for (auto& each : workers_)
    each->configure(setup, open);
  parts_.files.forget_unused();
}

void gateway::tick(runtime::time_point now) {
  watch_audit();
  tokens_.prune();
  std::erase_if(retired_, [](const auto& each) { return each.use_count() == 1; });
  if (now - tickets_rotated_ < limits::tls_ticket_key_rotation) return;
  tickets_rotated_ = now;
  tickets_->rotate();
}

/// Whoever is refused with 58030 is sent to the log: here is what it says.
void gateway::watch_audit() {
  audit::audit_state seen = audit_.state();
  const auto lost = static_cast<std::int64_t>(seen.dropped - audit_told_.dropped);
  if (seen.blocked != audit_told_.blocked || seen.problem != audit_told_.problem) {
    if (seen.blocked) {
      log_.write(telemetry::log_level::error, "audit", "cannot be written: " + seen.problem);
    } else if (!seen.problem.empty()) {
      log_.write(telemetry::log_level::warning, "audit", seen.problem);
    } else {
      log_.write(telemetry::log_level::info, "audit", "is written again");
    }
  }
  if (lost > 0) log_.write(telemetry::log_level::warning, "audit", "events were lost", {{"events", lost}});
  audit_told_ = std::move(seen);
}

void gateway::drain(std::chrono::milliseconds grace) {
  access_.begin_leaving();
  services_->draining.store(true);
  const bool many = sessions() > limits::drain_at_once;
  const auto spread = many ? std::min(grace / 2, limits::drain_spread) : std::chrono::milliseconds(0);
  for (auto& each : workers_)
    each->drain(spread);
}

std::vector<handed_socket> gateway::sockets_to_hand_over() const {
  std::vector<handed_socket> all;
  for (const auto& [name, entry] : sockets_)
    all.push_back({socket_use::listener, name, entry.address.text(), entry.fd->get()});
  return all;
}

void gateway::hand_over(runtime::unique_fd link) {
  leaving_.store(true);
  listens_.store(false);
  for (auto& each : workers_)
    each->configure(current(), {});
  sockets_.clear();  // their files are the other's now
  workers_.front()->serve_younger(std::move(link));
}

void gateway::close_listeners() {
  leaving_.store(true);
  listens_.store(false);
  services_->draining.store(true);
  for (auto& each : workers_)
    each->configure(current(), {});
  for (auto& [name, entry] : sockets_) {
    if (entry.address.is_unix()) ::unlink(entry.address.path.c_str());
  }
  sockets_.clear();
}

void gateway::pause_all() {
  for (const auto& each : servers_.all())
    servers_.with(each->name(), [](pool::cluster_watch& watch) { watch.pause([](const auto&) {}); });
}

void gateway::resume_all() {
  for (const auto& each : servers_.all())
    servers_.with(each->name(), [](pool::cluster_watch& watch) { watch.resume(); });
}

void gateway::stop() {
  access_.begin_leaving();
  listens_.store(false);
  services_->draining.store(true);
  for (auto& each : workers_)
    each->stop();
  for (auto& each : workers_)
    each->join();
  roles_.stop();
  parts_.kubernetes.client().stop();
  servers_.stop();
  peers_.stop();
  lookups_.stop();
  tokens_.stop();
  work_.stop();  // nothing reports to a loop any more
  const bool was_blocked = audit_.blocked();
  audit_.stop();
  watch_audit();
  if (!workers_.empty() && was_blocked && audit_.blocked())
    log_.write(telemetry::log_level::error, "audit",
               "what could not be written was still held at the end and is lost");
  console_.reset();  // what it still works out is handed to a loop
  workers_.clear();
  access_.stop();
  for (auto& [name, entry] : sockets_) {
    if (entry.address.is_unix()) ::unlink(entry.address.path.c_str());
  }
  sockets_.clear();
}

std::shared_ptr<const session::deployment> gateway::current() const {
  std::lock_guard lock(current_mutex_);
  return current_;
}

session::audit_view gateway::audit_state() const {
  const audit::audit_state seen = audit_.state();
  return {.enabled = seen.enabled,
          .blocked = seen.blocked,
          .problem = seen.problem,
          .events = seen.events,
          .dropped = seen.dropped,
          .lag_seconds = seen.lag_seconds};
}

std::vector<std::pair<std::string, std::uint64_t>> gateway::rbac_reviews() const {
  const auto& seen = tokens_.access_reviews();
  return {{"allowed", seen.allowed.load(std::memory_order_relaxed)},
          {"denied", seen.denied.load(std::memory_order_relaxed)},
          {"failed", seen.failed.load(std::memory_order_relaxed)}};
}

std::vector<std::pair<std::string, std::uint64_t>> gateway::cancels() const {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  all.reserve(session::cancel_results);
  for (std::size_t i = 0; i < session::cancel_results; ++i) {
    all.emplace_back(session::cancel_result_names[i],
                     services_->cancel_requests.of(static_cast<session::cancel_result>(i)));
  }
  return all;
}

std::size_t gateway::sessions() const {
  std::size_t total = 0;
  for (const auto& each : workers_)
    total += each->sessions();
  return total;
}

std::vector<std::string> gateway::listening() const {
  std::vector<std::string> all;
  for (const auto& [name, entry] : sockets_) {
    all.push_back(name + " " + net::socket_address::of_self(entry.fd->get()).text());
  }
  return all;
}

}  // namespace trunkline::main
