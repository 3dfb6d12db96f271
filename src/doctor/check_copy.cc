// Does COPY pass, in both directions? It is the one conversation in which the client sends without being
// asked.
#include <fmt/format.h>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "protocol/message_writer.h"

namespace trunkline::doctor {
namespace {

constexpr std::size_t line_bytes = 1024;
constexpr std::size_t lines = limits::doctor_copy_bytes / line_bytes;

/// Counts the lines of a COPY to this side.
runtime::task<outcome<std::size_t>> copy_out(session* one) {
  auto begun = co_await session::query(
      one, fmt::format("copy (select repeat('x', {}) from generate_series(1, {})) to stdout", line_bytes - 1,
                       lines));
  if (!begun) co_return std::unexpected(std::move(begun.error()));
  if (begun->error)
    co_return std::unexpected(failure{failure::kind::error, begun->error->message, begun->error});
  // CopyOutResponse, the data and what ends it are all in the answer.
  std::size_t counted = 0;
  for (const char each : begun->types)
    counted += each == 'd' ? 1 : 0;
  co_return counted;
}

/// A temporary table takes them: nothing of it stays.
runtime::task<outcome<std::string>> copy_in(session* one) {
  auto made = co_await session::query(
      one, "begin; create temporary table trunkline_doctor (line text) on commit drop");
  if (!made) co_return std::unexpected(std::move(made.error()));
  if (made->error)
    co_return std::unexpected(failure{failure::kind::error, made->error->message, made->error});
  auto begun = co_await session::query(one, "copy pg_temp.trunkline_doctor from stdin");
  if (!begun) co_return std::unexpected(std::move(begun.error()));
  if (begun->error)
    co_return std::unexpected(failure{failure::kind::error, begun->error->message, begun->error});
  std::string text(line_bytes - 1, 'x');
  text += '\n';
  std::vector<std::byte> data;
  for (std::size_t i = 0; i < lines; ++i)
    protocol::message_writer(data, 'd').bytes(as_bytes(text));
  protocol::message_writer(data, 'c');
  auto ended = co_await session::ask(one, std::move(data));
  if (!ended) co_return std::unexpected(std::move(ended.error()));
  if (ended->error)
    co_return std::unexpected(failure{failure::kind::error, ended->error->message, ended->error});
  const std::string tag = ended->tag;
  auto over = co_await session::query(one, "rollback");
  if (!over) co_return std::unexpected(std::move(over.error()));
  co_return tag;
}

judgement broken(std::string what, std::string evidence, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = std::move(what),
      .evidence = {std::move(evidence)},
      .weight = severity::broken,
      .where = middle_of(known),
      .explanation =
          "Dumps, restores and bulk loads use COPY. A hop that reads the protocol and does not know "
          "it, or cuts connections that only go one way, breaks them.",
      .fix =
          "A hop that passes COPY; its time-outs for one-way traffic (HAProxy: timeout client and server).",
      .pathologies = {"P08", "P59"}};
}

/// The server itself would not: no rights, or a replica.
bool is_refusal(const failure& why) {
  return why.has_code("42501") || why.has_code("25006");
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  auto began = std::chrono::steady_clock::now();
  auto out = co_await copy_out(&one);
  if (!out)
    co_return judgements{
        broken("COPY from the server does not come to its end", out.error().text, of->known)};
  if (*out != lines)
    co_return judgements{
        broken("COPY from the server loses lines", fmt::format("{} of {} came", *out, lines), of->known)};
  const double mib = static_cast<double>(limits::doctor_copy_bytes) / (1024 * 1024);
  std::vector<std::string> evidence{
      fmt::format("{:.0f} MiB from the server in {}", mib, text_of(since(began)))};
  began = std::chrono::steady_clock::now();
  auto in = co_await copy_in(&one);
  if (!in && is_refusal(in.error()))
    co_return judgements{
        fine("COPY from the server passes; to the server it could not be tried: " + in.error().text,
             std::move(evidence))};
  if (!in)
    co_return judgements{broken("COPY to the server does not come to its end", in.error().text, of->known)};
  if (*in != fmt::format("COPY {}", lines))
    co_return judgements{broken("COPY to the server loses lines", *in, of->known)};
  evidence.push_back(fmt::format("{:.0f} MiB to the server in {}", mib, text_of(since(began))));
  co_return judgements{fine("COPY passes both ways", std::move(evidence))};
}

}  // namespace

const check copy_check{.id = "copy", .title = "COPY passes both ways", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
