#pragma once
// A real HTTP server that stands for a webhook's receiver: tests/support/py/http_receiver.py, which says what each path does.

#include <sys/types.h>

#include <string>

namespace compositord::test {

class HttpReceiver {
 public:
  // `certificate`: a file with that and its key makes it speak https.
  explicit HttpReceiver(const std::string& certificate = {});
  ~HttpReceiver();
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;

  std::string url(const std::string& path) const;
  // The next request as a line of JSON; empty when none comes within `wait_ms`.
  std::string next(int wait_ms = 10'000);

 private:
  pid_t pid_ = 0;
  int out_ = -1;
  std::string read_;
  std::string port_;
  std::string scheme_;
};

}  // namespace compositord::test
