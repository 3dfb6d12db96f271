#include "session/pooled_server.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/prefetch.h"
#include "protocol/message_writer.h"
#include "protocol/query_messages.h"
#include "protocol/session_start.h"

namespace trunkline::session {

using runtime::buffer;
using runtime::sending;
using runtime::stream_end;
using telemetry::cause;

namespace {

pooled_start start_of(const pooled_rest& from) {
  return {.pool = from.pool,
          .settings = pool::setting_map::unpacked(from.settings.str()),
          .rules = from.own == nullptr ? sql::lexical_rules() : from.own->rules};
}

}  // namespace

pooled_server::pooled_server(const pooled_terms& terms, pooled_start start)
    : pooled_server(terms, start, pool::link_shelf::client_place(start.pool->shelf(terms.worker))) {}

pooled_server::pooled_server(const pooled_terms& terms, pooled_rest from)
    : pooled_server(terms, start_of(from), std::move(from.place)) {
  if (from.own == nullptr) return;
  settings_ = std::move(from.own->settings);
  statements_ = std::move(from.own->statements);
  unnamed_ = std::move(from.own->unnamed);
  unnamed_version_ = from.own->unnamed_version;
}

pooled_server::pooled_server(const pooled_terms& terms, pooled_start start,
                             pool::link_shelf::client_place place)
    : terms_(terms),
      start_(std::move(start)),
      shelf_(start_.pool->shelf(terms_.worker)),
      place_(std::move(place)),
      fin_(
          shelf_.where(),
          [](void* self) { static_cast<pooled_server*>(self)->handler_->on_end({stream_end::kind::fin, 0}); },
          this),
      due_(
          shelf_.where(), [](void* self) { static_cast<pooled_server*>(self)->deliver_due(); }, this),
      failing_(
          shelf_.where(),
          [](void* opaque) {
            auto* self = static_cast<pooled_server*>(opaque);
            const auto why = std::move(self->failure_);
            self->owner_->pool_failed(why->first, std::move(why->second));
          },
          this),
      settings_(start_.settings) {
  watch_tags_ = watches_always();
}

pooled_server::~pooled_server() {
  close();
}

// ---- as a stream ----

void pooled_server::resume_receiving() {
  receiving_ = true;
  if (link_ != nullptr) link_->stream->resume_receiving();
  if (listening_ != nullptr) due_.schedule();  // nothing is told within the call
}

void pooled_server::pause_receiving() {
  receiving_ = false;
  // What the gateway itself asked is read whatever the client takes.
  if (link_ != nullptr && doing_ != doing::errand) link_->stream->pause_receiving();
}

sending pooled_server::send(buffer data) {
  if (closed_) return sending::broken;
  if (failure_ != nullptr) return sending::held;
  if (pending_.empty() && doing_ == doing::flow) process(data);
  if (closed_) return sending::broken;
  if (data.empty()) return stalled_ || (link_ != nullptr && held_) ? sending::held : sending::done;
  pending_.push_back(loop().buffers().compact(std::move(data)));
  return sending::held;
}

std::size_t pooled_server::unsent() {
  std::size_t total = link_ == nullptr ? 0 : link_->stream->unsent();
  for (const buffer& each : pending_)
    total += each.size();
  return total;
}

void pooled_server::finish_sending() {
  // Without a Terminate before it the client has vanished, whatever runs for it: others wait for the
  // connection.
  if (!finishing_) return fin_.schedule();
  look_at_rest();
}

int pooled_server::native_handle() const {
  return link_ == nullptr ? -1 : link_->stream->native_handle();
}

void pooled_server::close() {
  if (closed_) return;
  closed_ = true;
  fin_.cancel();
  due_.cancel();
  failing_.cancel();
  pending_.clear();
  if (claim::waits()) shelf_.give_up(*this);
  stop_listening();
  if (told_pin_ != nullptr) owner_->pin_changed(std::exchange(told_pin_, nullptr), nullptr);
  if (link_ != nullptr) dispose_of_link();
}

// ---- a client that does nothing for long ----

bool pooled_server::may_rest() const {
  const bool nothing_here = link_ == nullptr && !claim::waits() && doing_ == doing::flow && !closed_ &&
                            cancels_ == 0 && pending_.empty() && gathered_.empty() && passing_ == 0 &&
                            answer_.empty() && answer_left_ == 0;
  const bool nothing_due = !fin_.scheduled() && !due_.scheduled() && failure_ == nullptr && !finishing_ &&
                           !owes_ready_ && !withholding_ && edits_.empty() && preparing_.empty() &&
                           cancelling_ == cancelling::nothing;
  return nothing_here && nothing_due && listening_ == nullptr && pinned() == nullptr &&
         told_pin_ == nullptr && traces_.empty() && queue_.at_rest() && queue_.certain();
}

pooled_rest pooled_server::rest() {
  pooled_rest kept{
      .pool = start_.pool, .place = std::move(place_), .settings = shared_text(start_.settings.packed())};
  if (statements_ != nullptr && statements_->size() == 0) statements_.reset();
  if (statements_ != nullptr || !unnamed_.empty() || settings_ != start_.settings ||
      start_.rules != sql::lexical_rules()) {
    kept.own.reset(new pooled_rest::own_state{std::move(settings_), start_.rules, std::move(statements_),
                                              std::move(unnamed_), unnamed_version_});
  }
  closed_ = true;
  return kept;
}

// ---- the connection ----

/// Nothing under way on it, in either direction.
bool pooled_server::link_at_rest() const {
  return doing_ != doing::errand && queue_.at_rest() && queue_.certain() && passing_ == 0 &&
         answer_left_ == 0 && answer_.empty();
}

/// The client is gone: the next one gets the connection as if nobody had had it, or not at all.
void pooled_server::dispose_of_link() {
  auto used = std::move(link_);
  if (!link_at_rest() || cancels_ > 0) {
    if (doing_ == doing::flow && queue_.awaits_answer()) owner_->abandoned(cancel_target_of(*used));
    return shelf_.discard(std::move(used));
  }
  if (traces_.is_beyond_reset()) return shelf_.discard(std::move(used));
  const bool open = status_ != 'I';
  if (!carries() || traces_.must_inspect() || traces_.tainted())
    return shelf_.recycle(std::move(used), open, "DISCARD ALL");
  if (open) return shelf_.recycle(std::move(used), true, "");
  shelf_.give_back(std::move(used));
}

void pooled_server::adopt(std::unique_ptr<pool::link> made) {
  assignments_->add();
  link_ = std::move(made);
  held_ = false;
  settings_seen_ = false;
  link_->stream->set_handler(this);
  if (receiving_) link_->stream->resume_receiving();
}

void pooled_server::release() {
  link_->tainted_by = traces_.tainted() ? terms_.session : 0;
  traces_.connection_left();
  link_->stream->pause_receiving();
  status_ = 'I';
  shelf_.give_back(std::move(link_));
}

void pooled_server::granted(std::unique_ptr<pool::link> made) {
  adopt(std::move(made));
  doing_ = doing::flow;
  owner_->lease_waited();
  process_pending();
}

void pooled_server::refused(const pool::connect_failure& why) {
  doing_ = doing::flow;
  owner_->lease_waited();  // what it waited for in vain was a connection, not a server
  using kind = pool::connect_failure::kind;
  fail(why.what == kind::crowded ? cause::limit
       : why.what == kind::tls   ? cause::tls_server
                                 : cause::server_unreachable,
       why.why);
}

/// One step each of the way from here to what its client has sent, and to what is known of it.
void pooled_server::nears(unsigned others) {
  if (others == 3) return prefetch(this, sizeof *this);
  if (others == 2) {
    prefetch(owner_, pooled_owner::bytes);
    return prefetch(pending_.data(), sizeof(buffer));
  }
  owner_->lease_nears(others);
  if (others == 0 || pending_.empty()) return;
  const byte_span sent = pending_.front().bytes();
  prefetch(sent.data(), std::min(sent.size(), limits::buffer_bytes_tiny));
}

void pooled_server::fail(cause what, error why) {
  if (link_ != nullptr) link_->unfit = true;
  if (failure_ != nullptr) return;
  failure_ = std::make_unique<std::pair<cause, error>>(what, std::move(why));
  failing_.schedule();
}

bool pooled_server::leave() {
  if (link_ == nullptr) return true;
  link_->unfit = true;
  return carries();
}

void pooled_server::look_at_hold() {
  const bool held = link_ != nullptr && link_->lease.on()->held.load(std::memory_order_relaxed);
  if (held && doing_ == doing::flow && link_at_rest() && status_ == 'I') {
    doing_ = doing::rest;
    link_->lease.on()->resting.fetch_add(1, std::memory_order_relaxed);
  } else if (!held && doing_ == doing::rest) {
    doing_ = doing::flow;
    if (link_ != nullptr) link_->lease.on()->resting.fetch_sub(1, std::memory_order_relaxed);
    process_pending();
  }
}

// ---- what the gateway asks on its own ----

void pooled_server::begin_sync() {
  settings_seen_ = true;
  std::string query;
  if (link_->tainted_by != 0 && link_->tainted_by != terms_.session) {
    query = "RESET ALL;RESET role;";
    link_->settings.clear();
  }
  if (link_->tainted_by == terms_.session) traces_.taint();
  link_->tainted_by = 0;
  if (knows_others_sequences() && start_.pool->sequences_are_read()) {
    query += "DISCARD SEQUENCES;";
    link_->sequences_of = 0;
  }
  if (query.empty() && link_->settings == settings_) return;
  query += pool::settings_query(link_->settings, settings_);
  if (query.empty()) return;
  begin_errand(side_errand::purpose::settings, query);
}

void pooled_server::begin_errand(side_errand::purpose what, std::string_view query) {
  doing_ = doing::errand;
  link_->unnamed = {};  // a simple query ends it
  errand_ = std::make_unique<side_errand>(what);
  std::vector<std::byte> out;
  protocol::append_query(out, query);
  for (buffer& part : loop().buffers().copies(out))
    link_->stream->send(std::move(part));
  link_->stream->resume_receiving();
}

void pooled_server::errand_over() {
  const auto done = std::move(errand_);
  doing_ = doing::flow;
  if (!receiving_) link_->stream->pause_receiving();
  std::vector<std::byte> told;
  for (const auto& each : done->notifications())
    if (!is_told_by_hub(each)) protocol::message_writer(told, 'A').bytes(each);
  for (buffer& part : loop().buffers().copies(told))
    handler_->on_received(std::move(part));
  if (closed_) return;
  if (done->what() == side_errand::purpose::settings) {
    if (done->failed()) {
      error why = done->problem();
      why.message = "the session's settings cannot be set on another server connection: " + why.message;
      return fail(cause::internal, std::move(why));
    }
    link_->settings = settings_;
    for (const auto& [name, value] : done->parameters().entries()) {
      start_.rules.learn(name, value);
      if (owes_ready_) withheld_.set(name, value);
    }
  } else if (done->what() == side_errand::purpose::inspection) {
    take_inspection(*done);
  }
  // After an inspection the transaction is over; after the other errands the client's work begins.
  if (owes_ready_ || done->what() == side_errand::purpose::inspection) look_at_rest();
  if (!closed_) process_pending();
  if (!closed_) look_at_rest();
}

void pooled_server::begin_inspection() {
  begin_errand(side_errand::purpose::inspection,
               traces_.inspection(start_.pool->who().user, known_settings()));
}

void pooled_server::take_inspection(const side_errand& done) {
  if (status_ == 'T') status_ = done.status();
  if (done.failed()) return traces_.not_known();
  traces_.take(done.rows(), known_settings(), status_ == 'I');
  settings_seen_ = settings_ == link_->settings;
}

}  // namespace trunkline::session
