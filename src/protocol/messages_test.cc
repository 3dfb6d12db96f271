// The remaining message groups: session start, notices, queries, rows.
#include <gtest/gtest.h>

#include "protocol/error_response.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"
#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;
using namespace std::string_view_literals;

TEST(SessionStart, BackendKeyData) {
  for (const std::size_t size : {4u, 32u, 256u}) {
    const byte_buffer key(size, std::byte{7});
    const byte_buffer message = built([&](byte_buffer& out) { append_backend_key_data(out, 42, key); });
    const auto data = decode_backend_key_data(body_of(message));
    ASSERT_TRUE(data) << size;
    EXPECT_EQ(data->pid, 42u);
    EXPECT_EQ(exact(data->key), key);
  }
  for (const std::size_t size : {0u, 3u, 257u}) {
    EXPECT_FALSE(decode_backend_key_data(big_endian(42) + byte_buffer(size))) << size;
  }
}

TEST(SessionStart, ParameterStatus) {
  const byte_buffer message =
      built([](byte_buffer& out) { append_parameter_status(out, "TimeZone", "UTC"); });
  const auto status = decode_parameter_status(body_of(message));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->name, "TimeZone");
  EXPECT_EQ(status->value, "UTC");
  EXPECT_EQ(accepted_truncations(body_of(message), decode_parameter_status), 0u);
}

TEST(SessionStart, ReadyForQuery) {
  for (const auto status :
       {transaction_status::idle, transaction_status::in_transaction, transaction_status::failed}) {
    const byte_buffer message = built([&](byte_buffer& out) { append_ready_for_query(out, status); });
    EXPECT_EQ(decode_ready_for_query(body_of(message)), status);
  }
  for (const std::string_view body : {""sv, "x"sv, "II"sv})
    EXPECT_FALSE(decode_ready_for_query(as_bytes(body)));
}

TEST(SessionStart, NegotiateProtocolVersion) {
  const std::vector<std::string_view> options{"_pq_.a", "_pq_.bc"};
  const byte_buffer message =
      built([&](byte_buffer& out) { append_negotiate_protocol_version(out, {3, 2}, options); });
  const auto negotiated = decode_negotiate_protocol_version(body_of(message));
  ASSERT_TRUE(negotiated);
  EXPECT_EQ(negotiated->newest, (protocol_version{3, 2}));
  EXPECT_EQ(negotiated->unknown_options, options);
  EXPECT_EQ(accepted_truncations(body_of(message), decode_negotiate_protocol_version), 0u);
  EXPECT_FALSE(decode_negotiate_protocol_version(big_endian(0x30002) + big_endian(0xffff'ffff)));
}

TEST(NoticeFields, FindsFields) {
  const notice_fields fields{as_bytes("SFATALE\0VFATAL\0C57P01\0Mgoing away\0\0"sv)};
  EXPECT_TRUE(fields.is_fatal());
  EXPECT_EQ(fields.code(), sqlstates::admin_shutdown);
  EXPECT_EQ(fields.message(), "going away");
  EXPECT_EQ(fields.find('H'), std::nullopt);
}

TEST(NoticeFields, UntranslatedSeverityWins) {
  EXPECT_EQ(notice_fields{as_bytes("SFEHLER\0VERROR\0\0"sv)}.severity(), "ERROR");
  EXPECT_FALSE(notice_fields{as_bytes("SFATAL\0VERROR\0\0"sv)}.is_fatal());
  EXPECT_TRUE(notice_fields{as_bytes("SPANIC\0C58030\0\0"sv)}.is_fatal());
}

TEST(NoticeFields, TruncationYieldsWholeFieldsOnly) {
  const std::string_view body = "SERROR\0VERROR\0C42601\0Msyntax\0\0"sv;
  for (std::size_t size = 0; size <= body.size(); ++size) {
    const byte_buffer cut = exact(as_bytes(body.substr(0, size)));
    const notice_fields fields{cut};
    EXPECT_EQ(fields.find('V'), size >= 14 ? std::optional{"ERROR"sv} : std::nullopt) << size;
    EXPECT_EQ(fields.code(), size >= 21 ? sqlstate{"42601"} : sqlstate{}) << size;
  }
}

TEST(ErrorResponse, CarriesItsFields) {
  const byte_buffer message = error_response({error_source::gateway, error_reaction::close,
                                              sqlstates::cannot_connect_now, "not accepting", "try later"});
  EXPECT_EQ(message[0], std::byte{'E'});
  EXPECT_EQ(load_u32(message.data() + 1), message.size() - 1);
  EXPECT_EQ(as_text(body_of(message)), "SFATAL\0VFATAL\0C57P03\0Mnot accepting\0Htry later\0Rtrunkline\0\0"sv);
}

TEST(ErrorResponse, LeavesOutAnEmptyHintButNeverTheMessage) {
  const byte_buffer message = error_response({});
  const notice_fields fields{body_of(message)};
  EXPECT_FALSE(fields.find('H'));
  EXPECT_FALSE(fields.message().empty());
  EXPECT_EQ(fields.code(), sqlstates::internal_error);
}

TEST(ErrorResponse, NoMessageSmugglesAField) {
  const byte_buffer message = error_response({.message = std::string{"bad\0C00000\0"sv}});
  EXPECT_EQ(notice_fields{body_of(message)}.message(), "bad");
  EXPECT_EQ(notice_fields{body_of(message)}.code(), sqlstates::internal_error);
}

TEST(QueryMessages, AreWrittenAsTheDocumentsSay) {
  const auto text = [](const byte_buffer& bytes) { return std::string{as_text(bytes)}; };
  EXPECT_EQ(text(built([](byte_buffer& out) { append_query(out, "SELECT 1"); })), "Q\0\0\0\x0dSELECT 1\0"sv);
  const std::uint32_t oids[] = {23};
  EXPECT_EQ(text(built([&](byte_buffer& out) { append_parse(out, "s", "q", oids); })),
            "P\0\0\0\x0es\0q\0\0\1\0\0\0\x17"sv);
  const std::optional<std::string_view> values[] = {"ab", std::nullopt};
  EXPECT_EQ(text(built([&](byte_buffer& out) { append_bind(out, "", "s", values); })),
            "B\0\0\0\x17\0s\0\0\0\0\2\0\0\0\2ab\xff\xff\xff\xff\0\0"sv);
  EXPECT_EQ(text(built([](byte_buffer& out) { append_describe(out, describe_target::portal, ""); })),
            "D\0\0\0\6P\0"sv);
  EXPECT_EQ(text(built([](byte_buffer& out) { append_close(out, describe_target::statement, "s"); })),
            "C\0\0\0\7Ss\0"sv);
  EXPECT_EQ(text(built([](byte_buffer& out) { append_execute(out, "", 1); })), "E\0\0\0\x09\0\0\0\0\1"sv);
  EXPECT_EQ(text(built(append_sync)), "S\0\0\0\4"sv);
  EXPECT_EQ(text(built(append_flush)), "H\0\0\0\4"sv);
  EXPECT_EQ(text(built(append_terminate)), "X\0\0\0\4"sv);
}

TEST(QueryMessages, DecodeQuery) {
  EXPECT_EQ(decode_query(as_bytes("SELECT 1\0"sv)), "SELECT 1");
  EXPECT_FALSE(decode_query(as_bytes("SELECT 1"sv)));
  EXPECT_FALSE(decode_query(as_bytes("SELECT 1\0x"sv)));
}

byte_buffer row_description() {
  return built([](byte_buffer& out) {
    message_writer{out, 'T'}
        .u16(2)
        .text("name")
        .u32(1)
        .u16(2)
        .u32(25)
        .u16(0xffff)
        .u32(0xffff'ffff)
        .u16(0)
        .text("n")
        .u32(0)
        .u16(0)
        .u32(23)
        .u16(4)
        .u32(0xffff'ffff)
        .u16(1);
  });
}

TEST(RowMessages, RowDescription) {
  const byte_buffer message = row_description();
  const auto fields = decode_row_description(body_of(message));
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 2u);
  EXPECT_EQ((*fields)[0].name, "name");
  EXPECT_EQ((*fields)[0].type_size, -1);
  EXPECT_EQ((*fields)[1].type_oid, 23u);
  EXPECT_EQ((*fields)[1].format, 1u);
  EXPECT_EQ(accepted_truncations(body_of(message), decode_row_description), 0u);
}

TEST(RowMessages, DataRow) {
  const byte_buffer message = built([](byte_buffer& out) {
    message_writer{out, 'D'}.u16(3).u32(2).bytes(as_bytes("ab")).u32(0xffff'ffff).u32(0);
  });
  const auto row = decode_data_row(body_of(message));
  ASSERT_TRUE(row);
  ASSERT_EQ(row->size(), 3u);
  EXPECT_EQ(as_text(*(*row)[0]), "ab");
  EXPECT_FALSE((*row)[1]);
  EXPECT_TRUE((*row)[2] && (*row)[2]->empty());
  EXPECT_EQ(accepted_truncations(body_of(message), decode_data_row), 0u);
}

TEST(RowMessages, LyingCountsAndLengthsAreErrors) {
  EXPECT_FALSE(decode_data_row(as_bytes("\xff\xff"sv)));
  EXPECT_FALSE(decode_data_row(as_bytes("\0\1\x7f\xff\xff\xff"sv)));
  EXPECT_FALSE(decode_data_row(as_bytes("\0\0x"sv)));
  EXPECT_FALSE(decode_row_description(as_bytes("\xff\xff"sv)));
  EXPECT_TRUE(decode_data_row(as_bytes("\0\0"sv)));
}

TEST(RowMessages, CommandComplete) {
  EXPECT_EQ(decode_command_complete(as_bytes("SELECT 1\0"sv)), "SELECT 1");
  EXPECT_FALSE(decode_command_complete(as_bytes("SELECT 1"sv)));
}

}  // namespace
}  // namespace trunkline::protocol
