// One collection of the API, listed and then watched, as a machine without I/O: it says what to ask, is fed
// what comes, and says when to ask again. Follows kubernetes.io, "API Concepts": lists in pages of one
// version, watches from there on with bookmarks, 410 Gone, Retry-After. What its sink has been told stays as
// it is through every failure. Pure; one thread; times are the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits_kubernetes.h"
#include "base/result.h"
#include "http/exchanges.h"
#include "k8s/object.h"

namespace trunkline::k8s {

using moment = std::chrono::steady_clock::time_point;

/// Which objects: "/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices", and which of them.
struct collection {
  std::string path;
  std::string labels = {};  ///< a selector, such as "app=db,tier!=test"; empty: all
  std::string fields = {};  ///< such as "metadata.name=db-ca"
  bool operator==(const collection&) const = default;
};

/// Who wants the objects. Called on the watch's thread. Objects come as the API server sends them: nothing of
/// them is certain but that they have a name and a version.
class object_sink {
 public:
  virtual ~object_sink() = default;
  /// All there is.
  virtual void replace(std::vector<json> all) = 0;
  virtual void put(const json& object) = 0;
  virtual void remove(const json& object) = 0;
  /// The API server says that what the sink was told is so.
  virtual void confirmed(moment now) = 0;
  /// It does not say anything useful; it is asked again.
  virtual void failed(const std::string& why) = 0;
};

class collection_watch {
 public:
  collection_watch(collection of, object_sink& sink) : of_(std::move(of)), sink_(sink) {}

  struct question {
    std::string target;  ///< path and query
    std::chrono::milliseconds timeout{0};
  };
  /// What to ask now. `chance` is from 0 to 1, anything of it.
  question ask(moment now, double chance);
  /// A part of the answer, first an empty one. False: the rest is not wanted.
  bool take(long status, std::string_view bytes, moment now);
  /// The answer is over, or never came. How long to wait before the next question.
  std::chrono::milliseconds over(const http::exchange_end& how, moment now, double chance);
  /// Now and then: a watch that goes on well has worked.
  void tick(moment now);
  /// What was answered so far is another server's: from the beginning.
  void forget();
  /// The question could not even be asked.
  std::chrono::milliseconds give_up(const std::string& why, double chance);

 private:
  enum class stage : std::uint8_t { list, watch };

  std::string selectors() const;
  bool take_lines(moment now);
  bool take_event(std::string_view line, moment now);
  bool advance(const std::string& version);
  std::chrono::milliseconds end_list(const http::exchange_end& how, moment now, double chance);
  std::chrono::milliseconds end_watch(const http::exchange_end& how, moment now, double chance);
  result<> take_page();
  void list_again();
  bool refuse(std::string why);
  std::chrono::milliseconds fail_with(const std::string& why, double chance,
                                      std::chrono::seconds retry_after = {});
  std::chrono::milliseconds back_off(double chance);
  std::string describe(const http::exchange_end& how) const;

  const collection of_;
  object_sink& sink_;
  stage stage_ = stage::list;
  std::string version_;    // what the sink has; empty: nothing yet
  std::string received_;   // of this answer, and not yet used
  std::string bad_;        // why this answer is no good
  bool accepted_ = false;  // the answer has begun, and well
  bool gone_ = false;      // the version is too old
  bool page_too_long_ = false;
  // A list under way:
  std::vector<json> listed_;
  std::size_t listed_bytes_ = 0;
  std::string continue_;
  std::size_t page_objects_ = limits::k8s_page_objects;
  moment began_{};
  int failures_ = 0;  // in a row
};

}  // namespace trunkline::k8s
