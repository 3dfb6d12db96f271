#include "main/pgbouncer_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace trunkline::main {

namespace {

error refusal(sqlstate code, std::string message, std::string hint) {
  return {.source = error_source::client,
          .reaction = error_reaction::reject,
          .code = code,
          .message = std::move(message),
          .hint = std::move(hint)};
}

config::loaded load_conversion(const pgbouncer::conversion& from, const std::string& ini_file,
                               std::uint64_t generation) {
  config::load_options options{.generation = generation};
  options.environment = [&from](const std::string& name) -> std::optional<std::string> {
    const auto secret = from.secrets.find(name);
    return secret == from.secrets.end() ? std::nullopt : std::optional(secret->second.reveal());
  };
  auto loaded = config::load_text(from.yaml, ini_file, options);
  for (auto* list : {&loaded.problems, &loaded.warnings}) {
    for (auto& each : *list)
      each.line = 0;  // of the YAML, which nobody sees
  }
  for (const pgbouncer::note& each : from.notes) {
    if (each.why == pgbouncer::fate::no_equal)
      loaded.warnings.push_back(pgbouncer::problem_at(each.where, each.key, "no equal: " + each.text, ""));
  }
  if (loaded.value != nullptr) {
    auto own = std::make_shared<config::settings>(*loaded.value);
    own->admin.address.reset();
    loaded.value = std::move(own);
  }
  return loaded;
}

}  // namespace

std::expected<pgbouncer::conversion, std::vector<config::problem>> convert_pgbouncer(
    const ini_place& from, const ini_overrides& overrides) {
  std::error_code failed;
  const pgbouncer::surroundings here{.folder = std::filesystem::current_path(failed).string(),
                                     .has_ipv6 = ::access("/proc/net/if_inet6", R_OK) == 0,
                                     .replica_key = from.replica_key};
  auto file = pgbouncer::read_ini(from.file, here.read);
  if (!file) return std::unexpected(std::vector{std::move(file.error())});
  for (const auto& [key, value] : overrides) {
    file->entries.push_back({.section = "pgbouncer",
                             .key = key,
                             .value = secret_text(value),
                             .where = {.file = "SET", .line = 0}});
  }
  auto settings = pgbouncer::read_settings(*file);
  if (!settings) return std::unexpected(std::move(settings.error()));
  return pgbouncer::convert(*settings, here);
}

config::loaded pgbouncer_source::read(std::uint64_t generation) {
  const auto made = convert_pgbouncer(from_, overrides_);
  if (!made) {
    config::loaded failed;
    failed.problems = made.error();
    return failed;
  }
  wishes_ = made->process;
  return load_conversion(*made, from_.file, generation);
}

config::loaded pgbouncer_source::load(std::uint64_t generation) {
  overrides_.clear();
  before_.reset();
  return read(generation);
}

config::loaded pgbouncer_source::load_changed(std::uint64_t generation) {
  auto loaded = read(generation);
  if (loaded.value == nullptr && before_) overrides_ = std::move(*before_);
  before_.reset();
  return loaded;
}

result<> pgbouncer_source::set(const std::string& key, const std::string& value) {
  const auto* known = pgbouncer::find_setting("pgbouncer", key);
  if (known == nullptr)
    return fail(
        refusal(sqlstate("42704"), "unknown parameter: " + key, "SET takes settings of [pgbouncer]."));
  if (known->becomes != pgbouncer::fate::mapped) {
    return fail(refusal(sqlstates::feature_not_supported, fmt::format("{} cannot be set here", key),
                        fmt::format("{}: {}.", name_of(known->becomes), known->word)));
  }
  before_ = overrides_;
  overrides_[key] = value;
  return {};
}

}  // namespace trunkline::main
