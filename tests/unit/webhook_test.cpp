// The webhook against a real HTTP server that also hangs, fails, redirects and hangs up.
#include "broker/notify/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/msg/value.h"
#include "tests/support/http_receiver.h"
#include "tests/support/sample_notification.h"
#include "tests/support/stop_fd.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::sample_notification;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using End = Attempt::End;

class WebhookTest : public ::testing::Test {
 protected:
  WebhookTest() {
    // A proxy of the machine that runs the tests is not what they are about.
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
  }
  Attempt post(const std::string& path, Duration timeout = seconds(10)) {
    config_.url = server_.url(path);
    return Webhook(config_).attempt(sample_notification(), timeout, stop_.get());
  }
  // The next request that the server got.
  msg::Value request() {
    auto json = msg::decode_json(server_.next());
    return json ? *json : msg::Value();
  }
  static std::string text(const msg::Value& map, const std::string& key) {
    const msg::Value* value = map.find(key);
    return value != nullptr && value->is_string() ? *value->if_string() : "none";
  }
  static std::string header(const msg::Value& request, const std::string& name) {
    return text(*request.find("headers"), name);
  }

  test::HttpReceiver server_;
  test::StopFd stop_;
  test::TempDir dir_;
  NotifierConfig config_;
};

TEST_F(WebhookTest, PostsTheAlertsJsonWithAKeyAgainstDoubles) {
  EXPECT_EQ(post("/ok").end, End::kDelivered);
  const msg::Value got = request();
  EXPECT_EQ(text(got, "method"), "POST");
  EXPECT_EQ(text(got, "body"), sample_notification().json);
  EXPECT_EQ(header(got, "content-type"), "application/json");
  EXPECT_EQ(header(got, "idempotency-key"), "\"a1/1\"");
  EXPECT_EQ(header(got, "user-agent"), "compositord");
}

TEST_F(WebhookTest, PostsATemplateWithHeadersOfItsOwn) {
  config_.body = R"({"text": "{{title}} at {{labels.site}}: {{text}}"})";
  config_.headers = {{"X-Team", "screens"}};
  config_.headers_file = dir_.path() / "headers";
  std::ofstream(config_.headers_file) << "Authorization: Bearer secret\r\n\n";
  EXPECT_EQ(post("/ok").end, End::kDelivered);
  const msg::Value got = request();
  EXPECT_EQ(text(got, "body"), R"({"text": "wall-3/wayland-1: the compositor was killed at berlin: )"
                               R"(The compositor was \"killed\" by signal 9 <SIGKILL>."})");
  EXPECT_EQ(header(got, "x-team"), "screens");
  EXPECT_EQ(header(got, "authorization"), "Bearer secret");
}

TEST_F(WebhookTest, TheKeyIsOneHeaderWhateverAnOutputIsCalled) {
  config_.url = server_.url("/ok");
  EXPECT_EQ(Webhook(config_).attempt(sample_notification("a\r\nX-Evil: 1 \"é%/1"), seconds(10), stop_.get()).end,
            End::kDelivered);
  const msg::Value got = request();
  EXPECT_EQ(header(got, "idempotency-key"), "\"a%0D%0AX-Evil:%201%20%22%C3%A9%25/1\"");
  EXPECT_EQ(header(got, "x-evil"), "none");
}

TEST_F(WebhookTest, ReadsItsUrlFromAFileAtEachAttempt) {
  config_.url_file = dir_.path() / "url";
  Webhook webhook(config_);
  const Attempt missing = webhook.attempt(sample_notification(), seconds(10), stop_.get());
  EXPECT_EQ(missing.end, End::kFailed);
  EXPECT_THAT(missing.error, HasSubstr("url can't be read or is empty"));
  std::ofstream(config_.url_file) << server_.url("/ok") << "\n";
  EXPECT_EQ(webhook.attempt(sample_notification(), seconds(10), stop_.get()).end, End::kDelivered);
}

TEST_F(WebhookTest, WhatMayGoBetterLaterIsAFailureAndTheRestARefusal) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) {
    const Attempt attempt = post("/status/" + std::to_string(status));
    EXPECT_EQ(attempt.end, End::kFailed) << status;
    EXPECT_EQ(attempt.error, "127.0.0.1 answered HTTP " + std::to_string(status));
  }
  for (const int status : {400, 401, 403, 404, 410, 413, 304}) {
    EXPECT_EQ(post("/status/" + std::to_string(status)).end, End::kRefused) << status;
  }
}

TEST_F(WebhookTest, TellsHowLongTheReceiverWantsToBeLeftAlone) {
  EXPECT_EQ(post("/busy/7/1").retry_after, seconds(7));
  EXPECT_EQ(post("/busy/99999999999999999/1").retry_after, std::chrono::hours(24));
  EXPECT_EQ(post("/status/503").retry_after, Duration{});
}

TEST_F(WebhookTest, AReceiverThatHangsCostsTheTimeoutAndNoMore) {
  const Instant before = monotonic_now();
  const Attempt attempt = post("/hang", milliseconds(200));
  EXPECT_EQ(attempt.end, End::kFailed);
  EXPECT_THAT(attempt.error, HasSubstr("timed out"));
  EXPECT_LT(monotonic_now() - before, seconds(5));
  EXPECT_EQ(post("/slow/100").end, End::kDelivered);
}

TEST_F(WebhookTest, AReceiverThatHangsIsLeftAtOnceWhenTheBrokerEnds) {
  std::thread stopper([this] {
    server_.next();  // the request is there
    stop_.stop();
  });
  EXPECT_EQ(post("/hang", std::chrono::hours(1)).end, End::kStopped);
  stopper.join();
}

TEST_F(WebhookTest, AnAnswerThatEndsHalfWayIsAFailure) {
  EXPECT_EQ(post("/half").end, End::kFailed);
  EXPECT_EQ(post("/cut").end, End::kFailed);
  config_.url = "http://127.0.0.1:1/secret";
  const Attempt attempt = Webhook(config_).attempt(sample_notification(), seconds(10), stop_.get());
  EXPECT_EQ(attempt.end, End::kFailed);
  EXPECT_THAT(attempt.error, AllOf(HasSubstr("127.0.0.1: Failed to connect"), Not(HasSubstr("secret"))));
}

TEST_F(WebhookTest, FollowsAFewRedirectsAndSendsTheBodyAgain) {
  EXPECT_EQ(post("/redirect/3").end, End::kDelivered);
  for (const std::string path : {"/redirect/3", "/redirect/2", "/redirect/1", "/redirect/0"}) {
    const msg::Value got = request();
    EXPECT_EQ(text(got, "path"), path);
    EXPECT_EQ(text(got, "body"), sample_notification().json);
  }
  const Attempt attempt = post("/redirect/4");
  EXPECT_EQ(attempt.end, End::kRefused);
  EXPECT_THAT(attempt.error, HasSubstr("Maximum (3) redirects followed"));
}

TEST_F(WebhookTest, TakesItsHeadersToNobodyElse) {
  config_.headers = {{"X-Api-Key", "sesame"}};
  const Attempt attempt = post("/redirect/1");
  EXPECT_EQ(attempt.end, End::kRefused);
  EXPECT_THAT(attempt.error, HasSubstr("a redirect to 127.0.0.1; it is not followed"));
  EXPECT_EQ(text(request(), "path"), "/redirect/1");
  EXPECT_EQ(server_.next(0), "");
}

TEST_F(WebhookTest, A302KeepsThePost) {
  EXPECT_EQ(post("/moved").end, End::kDelivered);
  EXPECT_EQ(text(request(), "method"), "POST");
  EXPECT_EQ(text(request(), "method"), "POST");
}

TEST_F(WebhookTest, IsRedirectedToHttpOnly) {
  for (const std::string to : {"file:%2F%2F%2Fetc%2Fpasswd", "ftp:%2F%2F127.0.0.1%2Fx", "gopher:%2F%2F127.0.0.1%2Fx"}) {
    const Attempt attempt = post("/to/" + to);
    EXPECT_EQ(attempt.end, End::kRefused) << to;
    EXPECT_THAT(attempt.error, HasSubstr("not supported or disabled")) << to;
  }
}

// Who could pretend to be the receiver would get every alert, and the credentials with it.
TEST_F(WebhookTest, AServerWithACertificateOfItsOwnMakingGetsNothing) {
  const std::string file = dir_.path() / "own.pem";
  const std::string command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout " + file +
                              " -out - >> " + file + " 2> /dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  test::HttpReceiver secure(file);
  config_.url = secure.url("/ok");
  const Attempt attempt = Webhook(config_).attempt(sample_notification(), seconds(10), stop_.get());
  EXPECT_EQ(attempt.end, End::kFailed);
  EXPECT_THAT(attempt.error, HasSubstr("certificate"));
  EXPECT_EQ(secure.next(0), "");
}

// No text may show what is in a URL beside its host: who knows it can post there.
TEST_F(WebhookTest, ErrorsHaveNoCredentials) {
  config_.url = server_.url("/status/401?token=abc");
  config_.url.replace(0, 7, "http://ann:sesame@");
  const Attempt attempt = Webhook(config_).attempt(sample_notification(), seconds(10), stop_.get());
  EXPECT_EQ(attempt.end, End::kRefused);
  for (const std::string secret : {"ann", "sesame", "abc", "token"}) EXPECT_THAT(attempt.error, Not(HasSubstr(secret)));
}

}  // namespace
}  // namespace compositord::broker
