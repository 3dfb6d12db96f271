// As few watches of EndpointSlices as there can be: upstreams of one namespace share one whose selector names
// the services of all of them, and begin another where it would be too long. Rights are those that a watch
// for each would need. Owner: discovery; one thread, which is not the client's.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "k8s/shared_slices.h"
#include "k8s/watch_starter.h"

namespace trunkline::k8s {

class slice_watches {
 public:
  explicit slice_watches(watch_starter start) : start_(std::move(start)) {}

  // With the next `refresh`:
  void add(std::shared_ptr<slice_reader> one);
  void remove(const slice_reader& one);
  /// Watches whose upstreams are others now begin anew; the rest goes on.
  void refresh();

 private:
  struct group {
    slice_readers to;
    std::size_t selector_bytes = 0;
    bool changed = false;
    std::shared_ptr<shared_slices> sink = {};
    std::shared_ptr<const void> watch = {};
  };

  group& group_for(const slice_reader& one);
  void begin(group& of);

  const watch_starter start_;
  std::uint64_t last_number_ = 0;
  std::list<group> groups_;  // none without upstreams after `refresh`
};

}  // namespace trunkline::k8s
