// Many upstreams and few watches: who hears what, and what happens while one watch takes over from another.
#include "k8s/slice_watches.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json slice(const std::string& service, const std::string& address, const std::string& name = "") {
  return json::parse(fmt::format(
      R"({{"metadata":{{"name":"{}","labels":{{"kubernetes.io/service-name":"{}"}}}},"addressType":"IPv4",)"
      R"("ports":[{{"name":"postgres","port":5432}}],"endpoints":[{{"addresses":["{}"]}}]}})",
      name.empty() ? service + "-1" : name, service, address));
}

struct one_upstream {
  explicit one_upstream(const config::kubernetes_discovery& what)
      : feed(std::make_shared<pool::endpoint_feed>()), reader(std::make_shared<slice_reader>(what, feed)) {}

  std::vector<std::string> addresses() const {
    std::vector<std::string> made;
    if (const auto now = feed->now())
      for (const auto& each : now->endpoints)
        made.push_back(each.address.host_text());
    return made;
  }

  std::shared_ptr<pool::endpoint_feed> feed;
  std::shared_ptr<slice_reader> reader;
};

one_upstream of_service(const std::string& service, const std::string& name_space = "prod") {
  return one_upstream({.name_space = name_space, .service = service});
}

/// Watches that are open, with their sinks, in the order in which they began.
struct SliceWatches : testing::Test {
  struct watch {
    collection of;
    std::shared_ptr<object_sink> sink;
    std::weak_ptr<const void> ticket;
  };

  std::vector<watch> begun;
  slice_watches all{[this](collection of, std::shared_ptr<object_sink> sink) {
    auto ticket = std::make_shared<int>(0);
    begun.push_back({.of = std::move(of), .sink = std::move(sink), .ticket = ticket});
    return ticket;
  }};

  void add(const one_upstream& one) { all.add(one.reader); }
  std::vector<watch> open() const {
    auto made = begun;
    std::erase_if(made, [](const watch& each) { return each.ticket.expired(); });
    return made;
  }
  std::vector<std::string> selectors() const {
    std::vector<std::string> made;
    for (const watch& each : open())
      made.push_back(each.of.labels);
    return made;
  }
};

TEST_F(SliceWatches, ANamespaceSharesOne) {
  const auto a = of_service("a"), b = of_service("b"), same = of_service("b"), far = of_service("a", "test");
  for (const auto* each : {&a, &b, &same, &far})
    add(*each);
  all.refresh();
  EXPECT_THAT(selectors(),
              ElementsAre("kubernetes.io/service-name in (a,b)", "kubernetes.io/service-name=a"));
  EXPECT_EQ(open()[1].of.path, "/apis/discovery.k8s.io/v1/namespaces/test/endpointslices");
  open()[0].sink->replace({slice("a", "10.0.0.1"), slice("b", "10.0.0.2"), slice("c", "10.0.0.3")});
  EXPECT_THAT(a.addresses(), ElementsAre("10.0.0.1"));
  EXPECT_THAT(b.addresses(), ElementsAre("10.0.0.2"));
  EXPECT_THAT(same.addresses(), ElementsAre("10.0.0.2"));
  EXPECT_EQ(far.feed->now(), nullptr);
  int told = 0;
  a.feed->set_listener([&] { ++told; });
  open()[0].sink->put(slice("b", "10.0.0.4"));
  EXPECT_THAT(b.addresses(), ElementsAre("10.0.0.4"));
  EXPECT_EQ(told, 0) << "of others' changes nobody hears";
  open()[0].sink->failed("gone");
  EXPECT_EQ(a.feed->problem(), "gone");
  EXPECT_EQ(far.feed->problem(), "");
  open()[0].sink->confirmed(moment{} + std::chrono::seconds(7));
  EXPECT_EQ(same.feed->confirmed(), moment{} + std::chrono::seconds(7));
}

TEST_F(SliceWatches, AThousandShareAFewOfShortSelectors) {
  std::vector<one_upstream> many;
  for (int i = 0; i < 1'000; ++i) {
    many.push_back(of_service(fmt::format("database-{}", i)));
    add(many.back());
  }
  all.refresh();
  ASSERT_LE(open().size(), 5U);
  std::size_t services = 0;
  for (const auto& each : open()) {
    const auto commas =
        static_cast<std::size_t>(std::count(each.of.labels.begin(), each.of.labels.end(), ','));
    EXPECT_LE(each.of.labels.size() + 2 * commas, limits::k8s_selector_bytes + 40);
    services += commas + 1;
  }
  EXPECT_EQ(services, 1'000U);
  const auto more = of_service("more");
  add(more);
  const std::size_t before = begun.size();
  all.refresh();
  EXPECT_EQ(begun.size(), before + 1) << "others go on";
}

TEST_F(SliceWatches, AServiceWithoutSlicesIsToldAndTheOthersAreNot) {
  const auto a = of_service("a"), empty = of_service("empty");
  add(a);
  add(empty);
  all.refresh();
  open()[0].sink->replace({slice("a", "10.0.0.1")});
  EXPECT_THAT(empty.feed->problem(), HasSubstr("no EndpointSlice of prod/empty"));
  EXPECT_EQ(a.feed->problem(), "");
  open()[0].sink->remove(slice("a", "10.0.0.1"));
  EXPECT_THAT(a.addresses(), ElementsAre("10.0.0.1")) << "what is known stays";
  EXPECT_THAT(a.feed->problem(), HasSubstr("prod/a"));
}

TEST_F(SliceWatches, TheOldWatchTellsUntilTheNewOneHasItsList) {
  const auto a = of_service("a"), b = of_service("b");
  add(a);
  all.refresh();
  const auto first = begun[0].sink;
  first->replace({slice("a", "10.0.0.1")});
  add(b);
  all.refresh();
  EXPECT_THAT(selectors(),
              ElementsAre("kubernetes.io/service-name=a", "kubernetes.io/service-name in (a,b)"));
  const auto second = begun[1].sink;
  second->failed("throttled");
  EXPECT_EQ(a.feed->problem(), "") << "it has its watch";
  EXPECT_EQ(b.feed->problem(), "throttled");
  first->put(slice("a", "10.0.0.2"));
  EXPECT_THAT(a.addresses(), ElementsAre("10.0.0.2"));
  second->replace({slice("a", "10.0.0.3"), slice("b", "10.0.0.4")});
  EXPECT_THAT(selectors(), ElementsAre("kubernetes.io/service-name in (a,b)"));
  first->put(slice("a", "10.0.0.2"));
  first->replace({slice("a", "10.0.0.2")});
  first->failed("cut off");
  EXPECT_THAT(a.addresses(), ElementsAre("10.0.0.3")) << "who is late is not heard";
  EXPECT_EQ(a.feed->problem(), "");
  EXPECT_THAT(b.addresses(), ElementsAre("10.0.0.4"));
}

TEST_F(SliceWatches, WatchesDoNotPileUpWhileNoneGetsItsList) {
  const auto a = of_service("a");
  add(a);
  all.refresh();
  begun[0].sink->replace({slice("a", "10.0.0.1")});
  std::vector<one_upstream> more;
  for (int i = 0; i < 5; ++i) {
    more.push_back(of_service(fmt::format("b{}", i)));
    add(more.back());
    all.refresh();
  }
  EXPECT_EQ(open().size(), 2U) << "the one that tells, and the one that is to";
  EXPECT_EQ(selectors().front(), "kubernetes.io/service-name=a");
}

TEST_F(SliceWatches, WhoIsGoneIsNotLookedFor) {
  const auto a = of_service("a"), b = of_service("b");
  add(a);
  add(b);
  all.refresh();
  open()[0].sink->replace({});
  all.remove(*a.reader);
  all.refresh();
  open().back().sink->replace({});
  EXPECT_THAT(selectors(), ElementsAre("kubernetes.io/service-name=b"));
  all.refresh();
  EXPECT_EQ(begun.size(), 2U) << "nothing is changed";
  all.remove(*b.reader);
  all.refresh();
  EXPECT_THAT(open(), IsEmpty());
}

TEST_F(SliceWatches, ASliceMayGoOverToAnotherService) {
  const auto a = of_service("a"), b = of_service("b");
  const one_upstream cluster(
      {.name_space = "prod", .run_by = config::kubernetes_operator::zalando, .cluster = "a"});
  for (const auto* each : {&a, &b, &cluster})
    add(*each);
  all.refresh();
  auto& sink = *open()[0].sink;
  sink.replace({slice("a", "10.0.0.1", "s"), slice("a", "10.0.0.2", "t")});
  sink.put(slice("b", "10.0.0.1", "s"));
  EXPECT_THAT(a.addresses(), ElementsAre("10.0.0.2"));
  EXPECT_THAT(b.addresses(), ElementsAre("10.0.0.1"));
  std::vector<std::size_t> seen;
  cluster.feed->set_listener([&] { seen.push_back(1); });
  sink.put(slice("a-repl", "10.0.0.2", "t"));
  EXPECT_THAT(cluster.addresses(), ElementsAre("10.0.0.2"));
  EXPECT_EQ(seen.size(), 1U) << "it was in one of its services all the time";
}

}  // namespace
}  // namespace trunkline::k8s
