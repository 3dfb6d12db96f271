#include "runtime/owned_thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace trunkline::runtime {

/// A thread inherits the mask of the one that makes it.
owned_thread::owned_thread(const std::string& name, std::move_only_function<void()> body) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([work = std::move(body)]() mutable { work(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

}  // namespace trunkline::runtime
