#pragma once
// A stranger on a session bus: takes names that others have.

#include <memory>
#include <string>

namespace sdbus {
class IConnection;
}

namespace compositord::test {

class BusClient {
 public:
  explicit BusClient(const std::string& socket_path);
  ~BusClient();  // leaves the bus, and with it its names
  BusClient(const BusClient&) = delete;
  BusClient& operator=(const BusClient&) = delete;

  // Takes it away from its owner, too, where that one allows it. Whether it has it now.
  bool take_name(const std::string& name);
  void emit(const std::string& path, const std::string& interface, const std::string& signal);

 private:
  std::unique_ptr<sdbus::IConnection> connection_;
};

}  // namespace compositord::test
