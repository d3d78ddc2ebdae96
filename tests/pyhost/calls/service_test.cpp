// The service: calls from submit to report.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;

TEST_CASE("a call's report has all that the call did") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("echo", "import sys\nfrom pyfaasm import *\ndef faasm_main():\n  print('out')\n  print('err', file=sys.stderr)\n"
                         "  write_output(get_input())\n  return 3\n");
  const CallReport report = serving.call("echo", std::string_view("a\0b", 3));
  CHECK(report.id > 0);
  CHECK(report.end == CallEnd::Returned);
  CHECK(report.status == 3);
  CHECK(text_of(report.output) == std::string_view("a\0b", 3));
  CHECK(report.out == "out\n");
  CHECK(report.err == "err\n");
  CHECK_FALSE(report.failure.has_value());
  CHECK(report.error.empty());
  CHECK(report.times.run > 0);
  CHECK_FALSE(serving.service->state(report.id).has_value());  // call() drops what it returns
}

TEST_CASE("what is refused says why") {
  if (!python_runtime()) return;
  Serving serving;
  const auto kind_of = [&](CallSpec spec) { return serving.service->submit(std::move(spec)).error().kind; };
  CHECK(kind_of({"u", "absent", "faasm_main", {}, {}}) == Refusal::Kind::Unknown);
  CHECK(kind_of({"../u", "f", "faasm_main", {}, {}}) == Refusal::Kind::Invalid);
  const auto upload = serving.service->upload({"u", "bad", krait::store::FunctionKind::Python, krait::test::copy_of("def f(:\n"), {}, {}});
  REQUIRE_FALSE(upload.ok());
  CHECK(upload.error().kind == Refusal::Kind::Invalid);
  CHECK(upload.error().message.find("SyntaxError") != std::string::npos);
  CHECK(serving.service->wait(12345).error().kind == Refusal::Kind::Unknown);
  serving.service->shutdown(0s);
  CHECK(kind_of({"u", "f", "faasm_main", {}, {}}) == Refusal::Kind::Ending);
}

TEST_CASE("a new upload is what the next call runs") {
  if (!python_runtime()) return;
  Serving serving;
  for (const char* text : {"one", "two", "three"}) {
    serving.upload("f", std::string("def faasm_main():\n  return '") + text + "'\n");
    CHECK(text_of(serving.call("f").output) == text);
  }
  CHECK(*serving.service->remove("u", "f"));
  CHECK_FALSE(serving.service->submit({"u", "f", "faasm_main", {}, {}}).ok());
}

TEST_CASE("calls that come while their function is still loaded all go on when it is") {
  if (!python_runtime()) return;
  Serving serving({}, 2);
  // It fails, and so is loaded anew for each call; the others wait for it meanwhile.
  serving.upload("f", "import time\ntime.sleep(0.02)\nraise ValueError('no')\n");
  std::vector<CallId> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(*serving.service->submit({"u", "f", "faasm_main", {}, {}}));
  for (const CallId id : calls) {
    const auto report = serving.service->wait(id, krait::io::Deadline::in(60'000'000'000));
    REQUIRE(report.ok());
    CHECK(report->failure->type == "ValueError");
  }
}

TEST_CASE("calls from coroutines run beside one another, and one can be cancelled") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("nap", "import time\ndef faasm_main():\n  time.sleep(0.05)\n  return 'slept'\n");
  serving.upload("spin", "def faasm_main():\n  while True: pass\n");
  int done = 0;
  serving.io->shard(0).run([&] {
    const auto spinning = serving.service->submit({"u", "spin", "faasm_main", {}, {}});
    krait::io::Scope scope;
    for (int i = 0; i < 4; ++i)
      scope.spawn([&] {
        const auto report = serving.service->call({"u", "nap", "faasm_main", {}, {}});
        if (report.ok() && text_of(report->output) == "slept") ++done;
      });
    (void)scope.join();
    (void)serving.service->cancel(*spinning);
    const auto ended = serving.service->wait(*spinning);
    if (ended.ok() && ended->end == CallEnd::Cancelled) done += 10;
  });
  CHECK(done == 14);
}
