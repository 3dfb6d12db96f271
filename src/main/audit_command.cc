#include "main/audit_command.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "audit/line_view.h"
#include "audit/verify.h"
#include "config/load.h"
#include "main/audit_output.h"
#include "main/child_process.h"
#include "main/options.h"

namespace trunkline::main {

namespace {

using audit::line_filter;
using audit::line_view;
using nlohmann::json;

int complain(const std::string& what) {
  fmt::print(stderr, "trunkline audit: {}\n", terminal_safe(what));
  return exit_usage;
}

/// False: stdout takes no more (a pipe whose reader is gone), or never did.
bool flushed() {
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

audit_style style_of_terminal() {
  if (::isatty(STDOUT_FILENO) == 0) return {};
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return {true, known ? std::size_t{size.ws_col} : 0};
}

json parsed(std::string_view line) {
  return json::parse(line, nullptr, false);
}

bool read_duration(std::string_view text, double& seconds) {
  const auto number = std::from_chars(text.begin(), text.end(), seconds);
  if (number.ec != std::errc{} || !(seconds >= 0) || seconds > 1e9) return false;
  const std::string_view unit(number.ptr, static_cast<std::size_t>(text.end() - number.ptr));
  constexpr std::pair<std::string_view, double> units[]{
      {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    seconds *= factor;
    return true;
  }
  return false;
}

result<std::string> folder_of(const audit_options& options) {
  if (!options.path.empty()) return options.path;
  if (options.config_file.empty())
    return fail({.message = "which audit? -c FILE or --path DIR says where it is"});
  const auto loaded = config::load_file(options.config_file);
  if (loaded.value == nullptr)
    return fail(
        {.message = loaded.problems.empty() ? "the configuration is wrong" : loaded.problems[0].render()});
  for (const auto& sink : loaded.value->audit.sinks)
    if (sink.type == config::audit_sink_type::file) return sink.path;
  return fail({.message = options.config_file + ": audit has no file sink"});
}

result<> bound(const std::string& text, const char* name, std::optional<std::int64_t>& to) {
  if (text.empty()) return {};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::int64_t moment = 0;
  if (!read_moment(text, std::chrono::duration_cast<std::chrono::microseconds>(now).count(), moment))
    return fail(
        {.message = fmt::format("--{} {}: a time such as 2026-11-25T14:00:00Z or an age such as 5m, 2h, 3d",
                                name, text)});
  to = moment;
  return {};
}

result<line_filter> filter_of(const audit_options& options, audit::archive& from) {
  line_filter filter;
  if (auto good = bound(options.since, "since", filter.since_us); !good) return fail(good.error());
  if (auto good = bound(options.until, "until", filter.until_us); !good) return fail(good.error());
  if (!options.slower_than.empty() && !read_duration(options.slower_than, filter.slower_than))
    return fail({.message = "--slower-than " + options.slower_than + ": a duration such as 100ms or 2s"});
  filter.event = options.event;
  filter.session = options.session;
  filter.principal = options.principal;
  filter.database = options.database;
  filter.sqlstate = options.sqlstate;
  filter.text = options.text;
  if (!options.fingerprint.empty()) filter.fingerprints.push_back(options.fingerprint);
  if (!options.statement.empty()) {
    auto found = from.find_statements(options.statement);
    if (!options.fingerprint.empty())
      std::erase_if(found, [&](const std::string& each) { return each != options.fingerprint; });
    filter.no_fingerprint_fits = found.empty();
    filter.fingerprints = std::move(found);
  }
  return filter;
}

result<audit::archive> open_archive(const audit_options& options) {
  const auto folder = folder_of(options);
  if (!folder) return fail(folder.error());
  auto opened = audit::archive::open(*folder);
  if (!opened) return opened;
  if (opened->segments().empty()) return fail({.message = *folder + ": there are no audit-*.jsonl segments"});
  const auto added = opened->catch_up();
  if (!opened->index_problem().empty())
    fmt::print(stderr, "trunkline audit: {}; every line is read instead\n",
               terminal_safe(opened->index_problem()));
  else if (added && *added > 0)
    fmt::print(stderr, "trunkline audit: the index was completed: {} blocks\n", *added);
  return opened;
}

void print_line(std::string_view line, const audit_options& options, const audit_style& style) {
  if (options.output == "json") {
    fmt::print("{}\n", line);
    return;
  }
  const json read = parsed(line);
  if (read.is_object()) print_audit_row(read, style);
}

int list(const audit_options& options, audit::archive& from, line_filter filter) {
  const audit_style style = style_of_terminal();
  if (options.sessions) filter.event = "session.start";
  if (options.output == "text") print_audit_heading(style);
  const auto done = from.backward(filter, options.limit, [&](std::string_view line, const line_view&) {
    print_line(line, options, style);
    return std::ferror(stdout) == 0;
  });
  return done ? (flushed() ? exit_good : exit_failure) : complain(done.error().message);
}

int tail(const audit_options& options, audit::archive& from, const line_filter& filter) {
  const audit_style style = style_of_terminal();
  audit::archive_place place;
  // Where the end is, before what is there is shown: a line may come twice, never not at all... unless
  // neither misses.
  const auto nowhere = [](std::string_view, const line_view&) { return true; };
  if (auto done = from.follow(filter, place, nowhere); !done) return complain(done.error().message);
  std::vector<std::string> newest;
  auto done = from.backward(filter, options.limit, [&](std::string_view line, const line_view&) {
    newest.emplace_back(line);
    return true;
  });
  for (; done && !newest.empty(); newest.pop_back())
    print_line(newest.back(), options, style);
  while (done && options.follow && flushed()) {
    pause_for(std::chrono::milliseconds(200));
    done = from.follow(filter, place, [&](std::string_view line, const line_view&) {
      print_line(line, options, style);
      return true;
    });
  }
  return done ? (flushed() ? exit_good : exit_failure) : complain(done.error().message);
}

int export_lines(const audit_options& options, audit::archive& from, const line_filter& filter) {
  if (options.format == "csv") print_audit_csv_head();
  const auto done = from.forward(filter, [&](std::string_view line, const line_view&) {
    if (options.format == "json") {
      fmt::print("{}\n", line);
    } else if (const json read = parsed(line); read.is_object()) {
      print_audit_csv(read);
    }
    return std::ferror(stdout) == 0;
  });
  return done ? (flushed() ? exit_good : exit_failure) : complain(done.error().message);
}

/// A session by its name, or one event by its number.
result<line_filter> filter_of_id(const std::string& id, std::uint64_t& seq) {
  line_filter filter;
  const auto number = std::from_chars(id.data(), id.data() + id.size(), seq);
  if (number.ec == std::errc{} && number.ptr == id.data() + id.size() && seq > 0) return filter;
  seq = 0;
  filter.session = id;
  return filter;
}

int show(const audit_options& options, audit::archive& from) {
  const audit_style style = style_of_terminal();
  std::uint64_t seq = 0;
  const auto filter = filter_of_id(options.id, seq);
  std::uint64_t shown = 0;
  const auto done = from.forward(*filter, [&](std::string_view line, const line_view& view) {
    if (seq != 0 && view.seq != seq) return view.seq < seq || from.has_lanes();
    ++shown;
    if (options.output == "json") {
      fmt::print("{}\n", line);
    } else if (const json read = parsed(line); read.is_object()) {
      print_audit_event(read, style);
    }
    return (seq == 0 || from.has_lanes()) && std::ferror(stdout) == 0;
  });
  if (!done) return complain(done.error().message);
  if (shown == 0) {
    fmt::print(stderr, "trunkline audit: nothing is known of {}\n", terminal_safe(options.id));
    return exit_failure;
  }
  return flushed() ? exit_good : exit_failure;
}

void wait_seconds(double seconds) {
  if (seconds <= 0) return;
  std::fflush(stdout);
  pause_for(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1'000)));
}

/// The statements as they were typed, then, after as long as they took, what they came to.
void replay_event(const json& line, const audit_options& options) {
  const std::string event = audit_text(line, "event");
  if (event != "exchange") {
    fmt::print("-- {} ", audit_text(line, "time"));
    print_audit_row(line, {});
    return;
  }
  for (const json& each : line.value("statements", json::array())) {
    const std::string text = audit_text(each, "text");
    fmt::print("{}=> ", terminal_safe(audit_text(line, "database")));
    const std::string shown = terminal_safe(text.empty() ? audit_text(each, "fingerprint") : text);
    // About as fast as a quick typist, and never longer than a pause may be.
    const double typing =
        std::min(options.max_pause, static_cast<double>(shown.size()) * 0.02) / options.speed;
    constexpr std::size_t pieces = 16;
    for (std::size_t i = 0; i < pieces; ++i) {
      const std::size_t begin = shown.size() * i / pieces;
      fmt::print("{}", std::string_view(shown).substr(begin, shown.size() * (i + 1) / pieces - begin));
      wait_seconds(typing / pieces);
    }
    const std::string parameters = audit_text(each, "parameters");
    fmt::print(";{}\n", parameters.empty() ? "" : "   -- " + terminal_safe(parameters));
  }
  wait_seconds(std::min(audit_seconds(line), options.max_pause) / options.speed);
  fmt::print("{}   -- {:.3f} ms\n", terminal_safe(audit_result(line)), audit_seconds(line) * 1'000);
}

int replay(const audit_options& options, audit::archive& from) {
  line_filter filter;
  filter.session = options.id;
  std::int64_t before_us = 0;
  std::uint64_t shown = 0;
  const auto done = from.forward(filter, [&](std::string_view line, const line_view& view) {
    const json read = parsed(line);
    if (!read.is_object()) return true;
    // A line is written when its exchange has ended.
    const auto began = view.time_us - static_cast<std::int64_t>(view.seconds * 1e6);
    const double pause = before_us == 0 ? 0 : static_cast<double>(began - before_us) / 1e6;
    wait_seconds(std::clamp(pause, 0.0, options.max_pause) / options.speed);
    before_us = view.time_us;
    ++shown;
    replay_event(read, options);
    return flushed();
  });
  if (!done) return complain(done.error().message);
  if (shown == 0)
    fmt::print(stderr, "trunkline audit: nothing is known of session {}\n", terminal_safe(options.id));
  return shown > 0 && flushed() ? exit_good : exit_failure;
}

int check_chain(const audit_options& options) {
  const auto folder = folder_of(options);
  if (!folder) return complain(folder.error().message);
  std::uint64_t told = 0;
  const auto report = audit::verify(*folder, options.removed_before, [&](const audit::verify_finding& one) {
    constexpr std::uint64_t most = 1'000;
    if (++told > most) return;
    fmt::print("{}: {}{}: {}\n", one.wrong ? "FINDING" : "note", terminal_safe(one.segment),
               one.line == 0 ? "" : fmt::format(":{}", one.line), one.what);
    if (told == most) fmt::print("further ones are counted only\n");
  });
  if (!report) return complain(report.error().message);
  if (report->segments == 0) return complain(*folder + ": there are no audit-*.jsonl segments");
  fmt::print("{}: {} lines in {} segments, {} bytes; {} findings, {} recovered ends, {} gaps ({} events)\n",
             report->findings == 0 ? "clean" : "NOT CLEAN", report->lines, report->segments, report->bytes,
             report->findings, report->recovered, report->gaps, report->lost_events);
  for (const auto& [lane, last] : report->lanes) {
    const std::string of = lane == 0 ? "" : fmt::format(" of lane {}", lane);
    fmt::print("last line{}: number {}, sha256 {}\n", of, last.seq, last.hash);
  }
  return flushed() && report->findings == 0 ? exit_good : exit_failure;
}

void add_place(CLI::App& to, audit_options& options) {
  to.add_option("-c,--config", options.config_file,
                "the gateway's configuration: the folder is that of its file sink");
  to.add_option("--path", options.path, "the folder with the segments");
}

void add_filters(CLI::App& to, audit_options& options) {
  to.add_option("--since", options.since, "RFC 3339, or an age: 5m, 2h, 3d");
  to.add_option("--until", options.until, "the same");
  to.add_option("--principal", options.principal, "who");
  to.add_option("--database", options.database, "where");
  to.add_option("--fingerprint", options.fingerprint, "of a statement, 16 hex digits");
  to.add_option("--sqlstate", options.sqlstate, "of an error");
  to.add_option("--slower-than", options.slower_than, "exchanges of at least 100ms, 2s...");
  to.add_option("--text", options.text, "part of a statement's text, in any case");
  to.add_option("--statement", options.statement, "part of a normalised statement, by the index");
  to.add_option("--event", options.event, "exchange, session.start, session.end...");
  to.add_option("--session", options.session, "by its ID");
}

void add_output(CLI::App& to, audit_options& options) {
  to.add_option("--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
}

}  // namespace

bool read_moment(const std::string& text, std::int64_t now_us, std::int64_t& moment_us) {
  std::string_view age = text;
  if (age.ends_with(" ago")) age.remove_suffix(4);
  double seconds = 0;
  if (read_duration(age, seconds)) {
    moment_us = now_us - static_cast<std::int64_t>(seconds * 1e6);
    return true;
  }
  const bool only_date = text.size() == 10;
  const auto time = audit::read_time(only_date ? text + "T00:00:00Z" : text);
  if (time) moment_us = *time;
  return time.has_value();
}

void add_audit_command(CLI::App& app, audit_options& options) {
  auto* audit = app.add_subcommand("audit", "reads the audit: who ran what, where the time went");
  audit->require_subcommand(1);
  auto* ls = audit->add_subcommand("ls", "the newest events that fit, newest first");
  auto* tail_command = audit->add_subcommand("tail", "the newest events, oldest first");
  auto* export_command = audit->add_subcommand("export", "all lines that fit, oldest first");
  auto* show_command = audit->add_subcommand("show", "a whole session, or one event by its number");
  auto* replay_command = audit->add_subcommand("replay", "a session at its own pace");
  auto* verify_command =
      audit->add_subcommand("verify", "whether any line was changed, removed, added or moved");
  for (CLI::App* each : {ls, tail_command, export_command, show_command, replay_command, verify_command})
    add_place(*each, options);
  for (CLI::App* each : {ls, tail_command, export_command})
    add_filters(*each, options);
  for (CLI::App* each : {ls, tail_command, show_command})
    add_output(*each, options);
  for (CLI::App* each : {ls, tail_command})
    each->add_option("--limit", options.limit, "at most so many; 100")
        ->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}));
  ls->add_flag("--sessions", options.sessions, "sessions by their starts instead of all events");
  tail_command->add_flag("-f,--follow", options.follow, "and what comes");
  export_command->add_option("--format", options.format, "json or csv")
      ->check(CLI::IsMember({"json", "csv"}));
  verify_command->add_flag("--removed-before", options.removed_before,
                           "the oldest segments may have been removed");
  for (CLI::App* each : {show_command, replay_command})
    each->add_option("id", options.id, "of a session")->required();
  replay_command->add_option("--speed", options.speed, "so many times as fast")
      ->check(CLI::Range(0.01, 10'000.0));
  replay_command->add_option("--max-pause", options.max_pause, "no pause is longer: 3s")
      ->transform(CLI::Validator(
          [](std::string& text) {
            double seconds = 0;
            if (!read_duration(text, seconds)) return std::string("a duration such as 500ms or 3s");
            text = fmt::format("{}", seconds);
            return std::string();
          },
          "DURATION"));
}

int run_audit(const CLI::App& app, const audit_options& options) {
  const CLI::App* const command = app.get_subcommand("audit")->get_subcommands().front();
  const std::string name = command->get_name();
  if (name == "verify") return check_chain(options);
  auto from = open_archive(options);
  if (!from) return complain(from.error().message);
  if (name == "show") return show(options, *from);
  if (name == "replay") return replay(options, *from);
  const auto filter = filter_of(options, *from);
  if (!filter) return complain(filter.error().message);
  if (name == "ls") return list(options, *from, *filter);
  if (name == "tail") return tail(options, *from, *filter);
  return export_lines(options, *from, *filter);
}

}  // namespace trunkline::main
