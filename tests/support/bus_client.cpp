#include "tests/support/bus_client.h"

#include <sdbus-c++/sdbus-c++.h>

#include <cstdint>

namespace compositord::test {

BusClient::BusClient(const std::string& socket_path)
    : connection_(sdbus::createSessionBusConnectionWithAddress("unix:path=" + socket_path)) {}

BusClient::~BusClient() = default;

bool BusClient::take_name(const std::string& name) {
  constexpr std::uint32_t kReplaceExisting = 2;
  constexpr std::uint32_t kIsPrimaryOwner = 1;
  const auto bus = sdbus::createProxy(*connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus");
  std::uint32_t answer = 0;
  bus->callMethod("RequestName")
      .onInterface("org.freedesktop.DBus")
      .withArguments(name, kReplaceExisting)
      .storeResultsTo(answer);
  return answer == kIsPrimaryOwner;
}

void BusClient::emit(const std::string& path, const std::string& interface, const std::string& signal) {
  const auto object = sdbus::createObject(*connection_, path);
  sdbus::Signal message = object->createSignal(interface, signal);
  message.send();
}

}  // namespace compositord::test
