#include "session/chunk_editor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/limits.h"

namespace trunkline::session {
namespace {

struct ChunkEditor : testing::Test {
  runtime::buffer holding(std::string_view text) {
    runtime::buffer made = buffers.lend(runtime::buffer_size::small);
    std::memcpy(made.room().data(), text.data(), text.size());
    made.commit(text.size());
    return made;
  }
  std::string finish(chunk_editor& editor) {
    std::string sent;
    editor.finish([&](runtime::buffer each) {
      sent += as_text(each.bytes());
      where = each.bytes().data();
    });
    return sent;
  }
  runtime::buffer_pool buffers;
  const std::byte* where = nullptr;
};

TEST_F(ChunkEditor, PassesAnUntouchedChunkOnWithoutACopy) {
  auto source = holding("abcdef");
  const std::byte* memory = source.bytes().data();
  chunk_editor editor(source, buffers);
  editor.keep(2);
  editor.keep(4);
  EXPECT_EQ(finish(editor), "abcdef");
  EXPECT_EQ(where, memory);
  EXPECT_TRUE(source.empty());
}

TEST_F(ChunkEditor, ReplacesInsertsAndLeavesOut) {
  auto source = holding("abcdef");
  chunk_editor editor(source, buffers);
  editor.insert(as_bytes("<"));
  editor.keep(1);
  editor.replace(2, as_bytes("XYZ"));
  editor.keep(1);
  editor.replace(2, {});
  EXPECT_EQ(finish(editor), "<aXYZd");
  EXPECT_TRUE(source.empty());
}

TEST_F(ChunkEditor, WhatWasNotLookedAtStays) {
  auto source = holding("abcdef");
  chunk_editor editor(source, buffers);
  editor.keep(2);
  EXPECT_EQ(finish(editor), "ab");
  EXPECT_EQ(as_text(source.bytes()), "cdef");
  chunk_editor again(source, buffers);
  again.replace(1, {});
  EXPECT_EQ(finish(again), "");
  EXPECT_EQ(as_text(source.bytes()), "def");
}

TEST_F(ChunkEditor, GrowsBeyondOneBuffer) {
  const std::string large(3 * limits::buffer_bytes_large, 'x');
  auto source = holding("ab");
  chunk_editor editor(source, buffers);
  editor.keep(1);
  editor.replace(0, as_bytes(large));
  editor.keep(1);
  EXPECT_EQ(finish(editor), "a" + large + "b");
}

}  // namespace
}  // namespace trunkline::session
