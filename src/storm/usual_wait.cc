#include "storm/usual_wait.h"

#include "base/limits.h"

namespace trunkline::storm {

void usual_wait::inside(microseconds took, microseconds now) {
  if (now - turned_ >= limits::storm_usual_window) {
    before_ = recent_;
    recent_.clear();
    turned_ = now;
  }
  recent_.record(took);
  if (++unseen_ >= limits::storm_usual_samples) look();
}

void usual_wait::look() {
  unseen_ = 0;
  hdr_histogram both = before_;
  both.merge(recent_);
  median_ = both.at(0.5);
  most_ = both.at(0.99);
  was_known_ = true;
}

usual_wait::microseconds usual_wait::beyond(microseconds took) const {
  return took > most_ ? took - median_ : microseconds(0);
}

}  // namespace trunkline::storm
