// YAML line by line, for a configuration that is made here: block style, texts always in double quotes. One
// user at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::pgbouncer {

class yaml_writer {
 public:
  /// `key:` with what follows below it, up to `close`.
  void open(std::string_view key);
  void close() { --depth_; }
  /// What follows, up to `close`, is one entry of a list.
  void open_item();

  /// A word or number that needs no quotes.
  void plain(std::string_view key, std::string_view value);
  /// Quoted; `${` in it stands for itself.
  void text(std::string_view key, std::string_view value);
  /// The value of an environment variable.
  void variable(std::string_view key, std::string_view name);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void comment(std::string_view text);

  std::string take() { return std::move(out_); }

 private:
  void start(std::string_view key);

  std::string out_;
  int depth_ = 0;
  bool item_ = false;
};

}  // namespace trunkline::pgbouncer
