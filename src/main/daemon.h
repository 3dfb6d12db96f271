// What a program does that is started the old way, as PgBouncer is: into the background, as another user,
// with a file for its process number and one for its log. Before any thread is made; each tells on standard
// error why it cannot.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"

namespace trunkline::main {

/// Into the background, as PgBouncer goes: twice forked, a session of its own, nothing open. Only the last
/// child returns.
result<> become_daemon();

/// For good: its groups too.
result<> become_user(const std::string& name);

/// The file with this process's number; gone when this is.
class pid_file {
 public:
  /// Fails where another process is alive by that file. An empty path: nothing is done.
  static result<std::unique_ptr<pid_file>> write(const std::string& path);
  /// Whether `write` would fail because of another process.
  static result<> check(const std::string& path);
  explicit pid_file(std::string path) : path_(std::move(path)) {}
  pid_file(const pid_file&) = delete;
  pid_file& operator=(const pid_file&) = delete;
  ~pid_file();

 private:
  std::string path_;
};

/// The log's file: in place of standard error, or beside it.
class log_file {
 public:
  /// An empty path: no file. `instead`: standard error leads to the file, or nowhere without one.
  static result<std::unique_ptr<log_file>> open(const std::string& path, bool instead);
  log_file(std::string path, bool instead) : path_(std::move(path)), instead_(instead) {}
  log_file(const log_file&) = delete;
  log_file& operator=(const log_file&) = delete;
  ~log_file();

  /// After a rotation: what comes from now on goes to the file of that name.
  result<> reopen();
  /// Beside standard error; null: it is in its place, or there is none.
  std::FILE* beside() const { return beside_; }

 private:
  std::string path_;
  bool instead_;
  std::FILE* beside_ = nullptr;
};

}  // namespace trunkline::main
