#pragma once
// A local datagram socket that takes log lines, as journald's and syslog's. Never waits: when the receiver is not there or does not
// keep up, the line is lost and that is said once. Each line finds the receiver anew, so that one that was restarted is heard
// again.

#include <string>
#include <string_view>

#include "common/log/complaint.h"

namespace compositord::log {

class DatagramPlace {
 public:
  // `path`: in the file system.
  DatagramPlace(std::string_view program, std::string path);
  ~DatagramPlace();
  DatagramPlace(const DatagramPlace&) = delete;
  DatagramPlace& operator=(const DatagramPlace&) = delete;

  void send(const std::string& datagram);

 private:
  std::string path_;
  int fd_ = -1;
  Complaint complaint_;
};

}  // namespace compositord::log
