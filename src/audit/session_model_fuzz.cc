// Any records of any taps, lost and cut ones too: each line is valid JSON, and what is kept is bounded. The
// input: a byte with the configuration, then records. Each of them: its kind with flags, its request, the
// size of its body (one byte each), the message's type where it is a message, the body. What an exchange's
// end brings along follows behind its own size.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "audit/session_model.h"
#include "base/limits.h"

namespace {

using namespace trunkline;
using namespace trunkline::audit;

constexpr std::chrono::steady_clock::time_point now{std::chrono::seconds{1'000}};
constexpr std::size_t records_at_most = 512;
/// So many records come thousands of times, not more.
constexpr int floods_at_most = 3;

void require(bool holds) {
  if (!holds) std::abort();
}

class checker final : public session_model::output {
 public:
  void event(std::string_view body, const event_facts& facts) override {
    require(nlohmann::json::accept('{' + std::string(body) + '}'));
    require(!facts.event.empty() && body.size() < 4 * limits::audit_event_bytes);
  }
  void span(span_record span) override {
    require(span.trace_id.size() == 32 && span.parent_span_id.size() == 16 && !span.name.empty());
    require(span.start_unix_ns <= span.end_unix_ns);
  }
  void lost(std::uint64_t) override {}
};

class input {
 public:
  explicit input(byte_span rest) : rest_(rest) {}

  bool empty() const { return rest_.empty(); }
  unsigned number() { return empty() ? 0U : std::to_integer<unsigned>(take(1)[0]); }
  byte_span take(std::size_t size) {
    const byte_span taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  byte_span rest_;
};

template <class Value>
byte_span bytes_of(const Value& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof value};
}

void give(session_model& model, std::size_t tap, std::unique_ptr<rare_event> event) {
  rare_event* const given = event.release();
  model.record(tap, {.kind = tap_kind::event, .session = given->session}, bytes_of(given));
}

/// Texts of clients, servers and the configuration are whatever the body is.
decltype(rare_event::what) happening(unsigned which, byte_span body) {
  const std::string text(as_text(body));
  const bool flag = (which & 8) != 0;
  if (which % 5 == 0) {
    session_started start;
    start.client = start.server_name = start.principal = start.user = start.database =
        start.application_name = text;
    if (flag) start.tls_version = text;
    return start;
  }
  if (which % 5 == 1) {
    session_login login;
    login.ok = flag;
    login.code = sqlstate(text);
    login.method = login.principal = login.reason = login.endpoint = login.server_user = text;
    if (!flag) login.groups = {text, text};
    return login;
  }
  if (which % 5 == 2) {
    session_ended end;
    end.detail = end.likely = text;
    end.transaction_status = text.empty() ? '-' : text[0];
    end.client = leg_state{-1, which, which};
    return end;
  }
  if (which % 5 == 3) return cancel_served{text, text};
  if (flag) return operator_acted{"console.command", text, text, text, text.empty(), text, which};
  return config_reloaded{which, text, flag, text};
}

telemetry::exchange_facts facts_of(unsigned request, byte_span body) {
  const auto at = [&](std::size_t i) { return i < body.size() ? std::to_integer<unsigned>(body[i]) : 0U; };
  telemetry::exchange_facts facts;
  facts.began = now;
  facts.total = std::chrono::microseconds{at(0)};
  facts.phases.fill(std::chrono::nanoseconds{static_cast<int>(at(1)) - 8});
  facts.last_request = request;
  facts.kind = static_cast<telemetry::exchange_kind>(at(2));
  facts.how = static_cast<telemetry::outcome>(at(3));
  facts.transaction_status = static_cast<char>(at(4));
  facts.code = sqlstate(as_text(body.subspan(std::min<std::size_t>(5, body.size()))));
  return facts;
}

void feed(session_model& model, input& from, int& floods) {
  const unsigned what = from.number();
  const unsigned request = from.number();
  const unsigned size = from.number();
  const unsigned session = 1 + (what >> 3) % 2;  // sessions 1 and 2, each of its own tap
  tap_header head{.kind = what & 1 ? tap_kind::client_message : tap_kind::server_message,
                  .session = session,
                  .request = request};
  switch (what & 7) {
    case 0:
    case 1:
    case 2:
    case 3: {
      head.type = static_cast<char>(from.number());
      head.last = what & 16 ? 0 : 1;
      head.cut = what & 32 ? 1 : 0;
      const byte_span body = from.take(size);
      head.length = body.size() << (what & 32 ? 20 : 0);
      // What is long or often said is said in few bytes here.
      std::vector<std::byte> more(body.begin(), body.end());
      for (int i = 0; what & 64 && i < 9; ++i)
        more.insert(more.end(), body.begin(), body.end());
      const unsigned times = (what & 128) != 0 && floods-- > 0 ? 4'000 : 1;
      for (unsigned i = 0; i < times; ++i)
        model.record(session, head, more);
      return;
    }
    case 4: {
      head.kind = (what & 16) != 0 ? tap_kind::messages : tap_kind::exchange_end;
      const byte_span body = from.take(size);
      const telemetry::exchange_facts facts = facts_of(request, body);
      std::vector<std::byte> payload;
      if (head.kind == tap_kind::exchange_end) payload.assign(bytes_of(facts).begin(), bytes_of(facts).end());
      const byte_span gathered = (what & 16) != 0 ? body : from.take((what & 32) != 0 ? from.number() : 0);
      payload.insert(payload.end(), gathered.begin(), gathered.end());
      const unsigned times = (what & 128) != 0 && floods-- > 0 ? 4'000 : 1;
      for (unsigned i = 0; i < times; ++i)
        model.record(session, head, payload);
      return;
    }
    case 5:
      head.kind = tap_kind::gap;
      return model.record(session, head, bytes_of(tap_gap{request, size, now, now}));
    case 6:
      return give(
          model, session,
          std::make_unique<rare_event>(what & 16 ? 0 : session, now, happening(request, from.take(size))));
    default:
      // A payload that is none of its kind, and the end of a batch.
      head.kind = static_cast<tap_kind>(request);
      if (size < sizeof(void*)) model.record(session, head, from.take(size));
      model.release();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  input from({reinterpret_cast<const std::byte*>(data), size});
  checker out;
  session_model model({"01234567", "host"}, out);
  const unsigned how = from.number();
  config::audit settings;
  settings.parameters = std::array{config::audit_parameters::full, config::audit_parameters::redacted,
                                   config::audit_parameters::off}[how % 3];
  settings.query_text = (how & 16) != 0;
  model.configure(settings, (how & 32) != 0, (how & 64) != 0);
  int floods = floods_at_most;
  for (std::size_t records = 0; !from.empty() && records < records_at_most; ++records) {
    if (records == 16) {
      settings.query_text = (how & 128) != 0;
      model.configure(settings, true, true);
    }
    feed(model, from, floods);
    require(model.bytes() < 8 * limits::audit_exchange_bytes);
  }
  return 0;
}
