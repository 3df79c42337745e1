#pragma once
// A local datagram socket that stands in for journald's and syslog's.

#include <filesystem>
#include <string>

namespace compositord::test {

class DatagramListener {
 public:
  explicit DatagramListener(const std::filesystem::path& path);
  ~DatagramListener();
  DatagramListener(const DatagramListener&) = delete;
  DatagramListener& operator=(const DatagramListener&) = delete;

  // The next datagram; empty when none comes within 5 s.
  std::string next();

 private:
  int fd_;
};

}  // namespace compositord::test
