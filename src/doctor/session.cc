#include "doctor/session.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/limits.h"
#include "client/login_proof.h"
#include "client/one_line.h"
#include "protocol/message_reader.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"
#include "runtime/random.h"

namespace trunkline::doctor {
namespace {

using clock = std::chrono::steady_clock;

failure failed_login(const error& why) {
  return {.what = failure::kind::login, .text = why.message};
}

failure failed(const message& error_response) {
  auto said = read_error(error_response.body);
  std::string text = fmt::format("{} ({})", said.message, said.code.view());
  return {.what = failure::kind::error, .text = std::move(text), .said = std::move(said)};
}

/// Behind the first answer to the login.
failure broken_off(failure why) {
  why.text = "the login was begun, and then " + why.text;
  return why;
}

std::vector<std::optional<std::string>> texts_of(const protocol::data_row& row) {
  std::vector<std::optional<std::string>> made;
  for (const auto& value : row)
    made.push_back(value ? std::optional<std::string>(as_text(*value)) : std::nullopt);
  return made;
}

/// Derives the keys that the proof asks for, off the loop. The time that took.
runtime::task<outcome<microseconds>> derive_for(client::login_proof* proof, line* over) {
  const auto began = clock::now();
  examination& of = over->of();
  const auto& wanted = proof->wanted();
  const secret_text& password = of.dsn->password;
  auto keys = of.keys->find(of.dsn->user, password.reveal(), wanted.salt, wanted.iterations);
  if (!keys) {
    runtime::job<auth::client_keys> work(*of.where, *of.work, over->changed());
    const bool accepted = work.start([password, salt = wanted.salt, iterations = wanted.iterations] {
      return auth::derive(password.reveal(), salt, iterations);
    });
    if (!accepted)
      co_return std::unexpected(failure{failure::kind::login, "too many keys wait to be derived"});
    while (!work.done())
      co_await over->changed().wait();
    keys = work.take();
    of.keys->put(of.dsn->user, password.reveal(), wanted.salt, wanted.iterations, *keys);
  }
  if (auto done = proof->provide(*keys); !done) co_return std::unexpected(failed_login(done.error()));
  co_return since(began);
}

}  // namespace

std::string_view answer::at(std::size_t row, std::size_t column) const {
  if (row >= rows.size() || column >= rows[row].size() || !rows[row][column]) return {};
  return *rows[row][column];
}

void session::part() {
  if (line_.is_open()) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    line_.write(goodbye);
  }
  line_.close();
}

void session::send_startup(const login_wishes& wishes) {
  const client::conninfo& dsn = *line_.of().dsn;
  std::vector<protocol::startup_parameter> sent{
      {"user", dsn.user}, {"database", dsn.database}, {"application_name", line_.of().run}};
  if (!dsn.options.empty()) sent.push_back({"options", dsn.options});
  const std::string timeout = fmt::format("{}", limits::doctor_statement.count());
  if (wishes.statement_timeout && line_.of().known.takes_timeout)
    sent.push_back({"statement_timeout", timeout});
  for (const auto& [name, value] : wishes.parameters)
    sent.push_back({name, value});
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, wishes.version, sent);
  line_.write(packet);
}

runtime::task<outcome<>> session::open(session* self, login_wishes wishes) {
  self->key_.clear();
  self->parameters_.clear();
  self->negotiated_.reset();
  auto began = clock::now();
  auto opened = co_await line::open(&self->line_);
  if (!opened) co_return opened;
  const microseconds connect = self->line_.connect_took();
  self->times_ = {.connect = connect, .tls = since(began) - connect};
  auto authenticated = co_await authenticate(self, std::move(wishes));
  if (!authenticated) co_return authenticated;
  began = clock::now();
  auto ready = co_await await_ready(self);
  self->times_.ready = since(began);
  co_return ready;
}

runtime::task<outcome<>> session::authenticate(session* self, login_wishes wishes) {
  client::login_transport below{.tls = self->line_.tls() != nullptr,
                                .local = self->line_.of().target.is_unix()};
  if (below.tls) below.binding = self->line_.tls()->session().tls_server_end_point();
  client::login_proof proof(*self->line_.of().dsn, std::move(below),
                            runtime::random_bytes<sizeof(auth::nonce)>());
  auto began = clock::now();
  self->send_startup(wishes);
  bool first = true;
  for (;;) {
    auto came = co_await line::next(&self->line_);
    if (!came && !first) co_return std::unexpected(broken_off(std::move(came.error())));
    if (!came) co_return std::unexpected(std::move(came.error()));
    if (std::exchange(first, false)) {
      self->times_.first = since(began);
      began = clock::now();
    }
    if (came->type == 'E') co_return std::unexpected(failed(*came));
    if (self->takes_aside(*came)) continue;
    if (came->type != 'R')
      co_return std::unexpected(failure{failure::kind::protocol, "no message of a login came"});
    auto step = proof.take(came->body);
    if (!step) co_return std::unexpected(failed_login(step.error()));
    self->method_ = proof.method();
    if (*step == client::login_step::accepted) break;
    if (*step == client::login_step::wants_keys) {
      auto own = co_await derive_for(&proof, &self->line_);
      if (!own) co_return std::unexpected(std::move(own.error()));
      began += *own;
    }
    auto out = proof.take_answer();
    if (!out.empty()) self->line_.write(out);
    wipe(out.data(), out.size());
  }
  self->times_.auth = since(began);
  co_return outcome<>();
}

runtime::task<outcome<>> session::await_ready(session* self) {
  for (;;) {
    auto came = co_await line::next(&self->line_);
    if (!came) co_return std::unexpected(broken_off(std::move(came.error())));
    if (came->type == 'Z') co_return outcome<>();
    if (came->type == 'E') co_return std::unexpected(failed(*came));
    if (!self->takes_aside(*came))
      co_return std::unexpected(failure{failure::kind::protocol, "ReadyForQuery did not come"});
  }
}

bool session::takes_aside(const message& came) {
  if (came.type == 'N') return true;
  if (came.type == 'S') {
    if (const auto status = protocol::decode_parameter_status(came.body))
      parameters_.insert_or_assign(client::one_line(status->name, limits::doctor_message_bytes),
                                   client::one_line(status->value, limits::doctor_message_bytes));
    return true;
  }
  if (came.type == 'K') {
    if (const auto key = protocol::decode_backend_key_data(came.body)) {
      key_pid_ = key->pid;
      key_.assign(key->key.begin(), key->key.end());
    }
    return true;
  }
  if (came.type == 'v') {
    if (const auto told = protocol::decode_negotiate_protocol_version(came.body)) {
      negotiated_ = told->newest;
      unknown_options_.assign(told->unknown_options.begin(), told->unknown_options.end());
    }
    return true;
  }
  if (came.type != 'A') return false;
  protocol::message_reader reader(came.body);
  (void)reader.u32();
  (void)reader.text();
  const std::string_view payload = reader.text();
  if (notifications_.size() < limits::doctor_rows) notifications_.emplace_back(payload);
  return true;
}

runtime::task<outcome<answer>> session::query(session* self, std::string sql) {
  std::vector<std::byte> request;
  protocol::append_query(request, sql);
  return ask(self, std::move(request));
}

runtime::task<outcome<answer>> session::ask(session* self, std::vector<std::byte> request) {
  if (!self->line_.is_open())
    co_return std::unexpected(failure{failure::kind::closed, "the session had ended before"});
  self->line_.write(request);
  co_return co_await take(self);
}

runtime::task<outcome<answer>> session::take(session* self) {
  answer made;
  for (;;) {
    auto came = co_await line::next(&self->line_);
    if (!came) {
      // The server's last word says more than the end of the connection.
      if (made.error && made.error->fatal)
        co_return std::unexpected(failure{failure::kind::error, made.error->message, made.error});
      co_return std::unexpected(std::move(came.error()));
    }
    if (came->type == 'D') {
      ++made.row_count;
      if (made.rows.size() >= limits::doctor_rows) continue;
      if (const auto row = protocol::decode_data_row(came->body)) made.rows.push_back(texts_of(*row));
      continue;
    }
    if (self->takes_aside(*came)) continue;
    made.types += came->type;
    if (came->type == 'E') made.error = read_error(came->body);
    if (came->type == 'C')
      if (const auto tag = protocol::decode_command_complete(came->body)) made.tag = *tag;
    if (came->type == 'Z') {
      made.status = came->body.empty() ? 'I' : static_cast<char>(came->body.front());
      co_return made;
    }
    if (came->type == 'G' || came->type == 'W') co_return made;
  }
}

runtime::task<outcome<>> session::cancel(session* self, bool over_tls) {
  line extra(self->line_.of());
  auto connected = co_await line::connect(&extra);
  if (!connected) co_return connected;
  if (over_tls) {
    auto accepted = co_await line::ask_for_tls(&extra);
    if (!accepted) co_return std::unexpected(std::move(accepted.error()));
    if (*accepted != 'S') co_return std::unexpected(failure{failure::kind::tls, "TLS is refused"});
    auto secured = co_await line::start_tls(&extra, self->line_.of().any_tls, self->line_.of().host(),
                                            tls::negotiation::ssl_request);
    if (!secured) co_return secured;
  }
  std::vector<std::byte> request;
  protocol::append_cancel_request(request, self->key_pid_, self->key_);
  extra.write(request);
  auto ended = co_await line::await_end(&extra);
  if (!ended) co_return std::unexpected(std::move(ended.error()));
  co_return outcome<>();
}

}  // namespace trunkline::doctor
