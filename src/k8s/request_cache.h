// All AccessRequests that this gateway may see, as the API server last told of them, by watches or in answer
// to what the gateway wrote, whichever is newer. Everything that changes has the next number, so that the
// desk can ask for what it has not seen. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "k8s/access_request.h"
#include "k8s/collection_watch.h"

namespace trunkline::k8s {

class request_cache {
 public:
  /// `now` is for the end of what was deleted.
  request_cache(request_scope of, std::function<grants::wall_time()> now);

  /// Called on any thread when something has changed, until there is another one.
  void listen(std::function<void()> changed);

  // What the API server says:
  /// All there is in that namespace; empty: anywhere.
  void replace(const std::string& name_space, const std::vector<json>& all);
  void put(const json& object);
  void remove(const json& object);
  /// In answer to what this gateway wrote, or asked. A list may be older than that.
  /// The record that it is, if any; with version 0 where the watch knows something newer by now, so that
  /// whoever changes it looks again.
  std::optional<grants::record> answered(const json& object);
  void remove(const std::string& place);

  // What is known:
  std::optional<grants::record> find(std::int64_t id) const;
  /// A grant before a request, and an older one before a younger.
  std::optional<grants::record> find_live(const std::string& subject) const;
  std::vector<grants::record> live() const;
  std::vector<grants::record> changed_since(std::int64_t number, std::size_t most) const;
  std::vector<grants::record> latest(std::size_t most) const;
  std::vector<grants::wish> wishes() const;

  /// What a write needs of an object.
  struct place_of {
    std::string name_space;
    std::string name;
    std::string uid;
    std::string version;
    std::int64_t generation = 0;
    grants::wall_time created{};
    std::int64_t number = 0;  ///< of the last change
    json spec = nullptr;      ///< of a draft
  };
  std::optional<place_of> at(const std::string& place) const;
  std::optional<place_of> at(std::int64_t id) const;
  /// One that a gateway has made for this subject without coming to write its status.
  std::optional<place_of> draft_of(const std::string& subject) const;
  /// Drafts from before.
  std::vector<place_of> drafts(grants::wall_time before) const;
  /// The next free number behind a name's beginning.
  std::int64_t next_name(const std::string& name_space, const std::string& base) const;
  /// What ended before, and the oldest that have ended where there are more than `most`.
  std::vector<place_of> to_forget(grants::wall_time before, std::size_t most) const;
  /// Since this was called last: what cannot be read, as sentences for the log.
  std::vector<std::string> take_problems();

 private:
  struct entry {
    access_request what;
    std::int64_t generation = 0;
    std::int64_t number = 0;
    json spec = nullptr;
    bool watched = false;  ///< a watch has told of it
  };
  using entries = std::map<std::string, entry>;  // by place

  void put_locked(const json& object, bool watched);
  void remove_locked(entries::iterator which);
  void index(entry& added);
  void forget_index(const entry& gone);
  void bury(const entry& gone);
  void complain(const access_request& of);
  static place_of written(const entry& of);
  grants::record told(const entry& of) const;
  void wake();

  const request_scope scope_;
  const std::function<grants::wall_time()> now_;
  mutable std::mutex mutex_;
  std::function<void()> changed_;
  entries all_;
  std::map<std::int64_t, std::string> by_id_;
  std::multimap<std::string, std::string> by_subject_;  // live ones
  std::map<std::int64_t, std::string> by_number_;       // records
  std::map<std::int64_t, grants::record> buried_;       // were live when they were deleted
  std::vector<std::string> problems_;
  std::int64_t number_ = 0;
};

/// What a watch says goes there.
class request_sink final : public object_sink {
 public:
  /// `name_space` empty: all of them. `told`: the API server answers, or it does not.
  request_sink(std::shared_ptr<request_cache> to, std::string name_space, std::function<void(bool)> told);

  void replace(std::vector<json> all) override;
  void put(const json& object) override { to_->put(object); }
  void remove(const json& object) override { to_->remove(object); }
  void confirmed(moment) override;
  void failed(const std::string& why) override;

  bool is_listed() const;
  /// Empty: none.
  std::string problem() const;

 private:
  const std::shared_ptr<request_cache> to_;
  const std::string name_space_;
  const std::function<void(bool)> told_;
  mutable std::mutex mutex_;
  bool listed_ = false;
  std::string problem_;
};

}  // namespace trunkline::k8s
