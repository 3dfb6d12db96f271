#include "runtime/send_batch.h"

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace trunkline::runtime {

send_batch::send_batch() = default;

send_batch::~send_batch() {
  if (ring_ != nullptr) ::io_uring_queue_exit(ring_.get());
}

int send_batch::open() {
  io_uring_params wanted{};
  wanted.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  auto ring = std::make_unique<io_uring>();
  const int code = ::io_uring_queue_init_params(limits::sends_per_batch, ring.get(), &wanted);
  if (code != 0) return -code;
  ::io_uring_register_ring_fd(ring.get());  // saves a look-up for each call; it works without
  ring_ = std::move(ring);
  entries_.reserve(limits::sends_per_batch);
  flushing_.reserve(limits::sends_per_batch);
  return 0;
}

send_batch::sent send_batch::take(const batched_sender& from) {
  for (auto* batch : {&flushing_, &entries_}) {
    const auto found =
        std::find_if(batch->begin(), batch->end(), [&](const entry& each) { return each.from == &from; });
    if (found == batch->end()) continue;
    found->from = nullptr;
    return std::move(found->what);
  }
  std::unreachable();
}

void send_batch::flush() {
  while (!entries_.empty()) {
    flushing_.swap(entries_);
    std::erase_if(flushing_, [](const entry& each) { return each.from == nullptr; });
    if (flushing_.size() > 1) submit(flushing_);  // a single one is cheaper as a call of its own
    for (entry& each : flushing_) {
      if (each.from != nullptr) each.from->on_flushed();
    }
    flushing_.clear();
  }
}

void send_batch::submit(std::vector<entry>& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    io_uring_sqe* request = ::io_uring_get_sqe(ring_.get());
    const auto bytes = batch[i].what.data.bytes();
    // With MSG_DONTWAIT a send ends inside the call: none is ever in flight, and no buffer waits for a peer.
    ::io_uring_prep_send(request, batch[i].from->native_handle(), bytes.data(), bytes.size(),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
    request->user_data = i;
  }
  unsigned seen = 0;
  while (seen < batch.size()) {
    const int code = ::io_uring_submit_and_wait(ring_.get(), static_cast<unsigned>(batch.size()) - seen);
    if (!collect(batch, seen) && code < 0 && code != -EINTR) {
      // Out of memory, or forbidden meanwhile: what was not sent is sent in the usual way, now and from here
      // on.
      ::io_uring_queue_exit(ring_.get());
      ring_.reset();
      return;
    }
  }
}

/// False: there was nothing.
bool send_batch::collect(std::vector<entry>& batch, unsigned& seen) {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* done = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, done) {
    batch[done->user_data].what.outcome = done->res;
    ++count;
  }
  ::io_uring_cq_advance(ring_.get(), count);
  seen += count;
  return count > 0;
}

}  // namespace trunkline::runtime
