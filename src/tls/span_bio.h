// A BIO that reads from the caller's span and writes into the caller's span. What finds no room in the output
// goes to a spill, so that OpenSSL never sees a write fail and never keeps a half-written record. Private to
// this room.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/bytes.h"

struct bio_st;

namespace trunkline::tls {

/// The spans of one call; on the stack of that call.
struct span_io {
  byte_span in;
  mutable_byte_span out;
  std::unique_ptr<std::vector<std::byte>>& spill;
  std::size_t taken = 0;
  std::size_t given = 0;
};

/// Null when memory is out.
bio_st* new_span_bio();

/// Connects a span BIO to a call's spans while it lives.
class span_bio_scope {
 public:
  span_bio_scope(bio_st* bio, span_io& io);
  ~span_bio_scope();
  span_bio_scope(const span_bio_scope&) = delete;
  span_bio_scope& operator=(const span_bio_scope&) = delete;

 private:
  bio_st* bio_;
};

/// Writes what fits of `bytes` to `out` and spills the rest; all of it where something was spilled before, to
/// keep the order. The bytes written to `out`.
std::size_t write_or_spill(byte_span bytes, mutable_byte_span out,
                           std::unique_ptr<std::vector<std::byte>>& spill);

/// Moves what fits of the spill into `space`; frees the spill when it is empty.
std::size_t drain_spill(std::unique_ptr<std::vector<std::byte>>& spill, mutable_byte_span space);

}  // namespace trunkline::tls
