// Memory for objects of one size that come and go in large numbers while others, made beside them, stay: kept
// apart from those, so that what they leave is whole pages, and goes back to the system
// (docs/decisions/0021). Any thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <set>

namespace trunkline::runtime {

class object_slab {
 public:
  /// `object_bytes`: at most a sixteenth of a block.
  explicit object_slab(std::size_t object_bytes);
  object_slab(const object_slab&) = delete;
  object_slab& operator=(const object_slab&) = delete;

  /// Aligned as `operator new` does. Throws std::bad_alloc.
  void* take();
  void give_back(void* object) noexcept;
  /// That are held from the system.
  std::size_t blocks() const;

  static constexpr std::size_t block_bytes = 64 * 1024;

 private:
  struct block;
  block* add_block();

  const std::size_t object_bytes_;
  mutable std::mutex mutex_;
  std::size_t blocks_ = 0;
  std::set<block*> with_room_;  // the first one is filled first, so that the last ones empty
};

// A sanitizer sees what becomes of an object only where each is an allocation.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool uses_slabs = false;
#elif defined(__has_feature)
inline constexpr bool uses_slabs = !__has_feature(address_sanitizer);
#else
inline constexpr bool uses_slabs = true;
#endif

/// A class whose objects are kept like that: `class relay : slab_object<relay>`. Final classes only.
template <class T>
class slab_object {
 public:
  static void* operator new(std::size_t bytes) {
    if constexpr (uses_slabs) return slab().take();
    return ::operator new(bytes);
  }
  static void operator delete(void* object) {
    if constexpr (uses_slabs) return slab().give_back(object);
    ::operator delete(object);
  }

 private:
  static object_slab& slab() {
    static auto* const made = new object_slab(sizeof(T));  // outlives whatever is destroyed at exit
    return *made;
  }
};

}  // namespace trunkline::runtime
