// The EndpointSlices of one watch, handed to those of several upstreams whom they concern. An upstream that
// goes over from one watch to another hears the old one until the new one has listed everything: a new watch
// that does not get its list takes nothing from anybody. Told on the client's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "k8s/slice_reader.h"

namespace trunkline::k8s {

using slice_readers = std::vector<std::shared_ptr<slice_reader>>;

class shared_slices final : public object_sink {
 public:
  /// `number` is this watch's alone, and not 0. `before`: the watch that tells some of them now, or null; it
  /// is dropped with the first list.
  shared_slices(slice_readers to, std::uint64_t number, std::shared_ptr<const void> before);

  /// What a successor needs as its `before`, where `own` is this one's watch. Any thread.
  std::shared_ptr<const void> before_successor(std::shared_ptr<const void> own);

  void replace(std::vector<json> all) override;
  void put(const json& object) override;
  void remove(const json& object) override;
  void confirmed(moment now) override;
  void failed(const std::string& why) override;

 private:
  template <class Do>
  void each_of(const std::string& service, Do what);
  bool tells(const slice_reader& one) const { return one.told_by == number_; }
  void has_listed();

  const slice_readers to_;
  const std::uint64_t number_;
  std::multimap<std::string, slice_reader*> by_service_;
  std::map<std::string, std::string> services_;  // of the slices, by their names
  std::mutex mutex_;
  bool listed_ = false;
  std::shared_ptr<const void> before_;
};

}  // namespace trunkline::k8s
