#include "broker/notify/desktop_notifier.h"

#include <fmt/format.h>
#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace compositord::broker {

namespace {

constexpr const char* kName = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
// Alerts whose notification can be replaced. Those beyond it get a second one.
constexpr std::size_t kShownMax = 1'000;
// "Urgency Levels": 0 low, 1 normal, 2 critical. "If 0, never expire", if -1 the server's own setting.
constexpr std::uint8_t kNormal = 1;
constexpr std::uint8_t kCritical = 2;
constexpr std::int32_t kNever = 0;
constexpr std::int32_t kAsUsual = -1;

// All changes of one alert have this part of `dedupe` in common.
std::string alert_of(const std::string& dedupe) { return dedupe.substr(0, dedupe.rfind('/')); }

// "The body may contain […] markup. Notification servers that don't support it": those that say body-markup do.
std::string escape_markup(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string body_for(sdbus::IProxy& desktop, const std::string& text, std::chrono::microseconds timeout) {
  std::vector<std::string> capabilities;
  desktop.callMethod("GetCapabilities").onInterface(kName).withTimeout(timeout).storeResultsTo(capabilities);
  const bool markup = std::find(capabilities.begin(), capabilities.end(), "body-markup") != capabilities.end();
  return markup ? escape_markup(text) : text;
}

// sdbus-c++ 1.2 leaks a bus that can't be opened: one whose socket is not there is not tried.
void expect_socket(const std::string& bus) {
  constexpr std::string_view kPathAddress = "unix:path=";
  if (!bus.starts_with(kPathAddress)) return;
  const std::string path = bus.substr(kPathAddress.size(), bus.find_first_of(",;") - kPathAddress.size());
  std::error_code error;
  if (std::filesystem::exists(path, error)) return;
  throw sdbus::Error("org.freedesktop.DBus.Error.FileNotFound", "there is no bus at " + path);
}

std::uint32_t notify(const std::string& bus, const Notification& n, std::uint32_t replaces,
                     std::chrono::microseconds timeout) {
  expect_socket(bus);
  const auto connection =
      bus.empty() ? sdbus::createSessionBusConnection() : sdbus::createSessionBusConnectionWithAddress(bus);
  const auto desktop = sdbus::createProxy(*connection, kName, kPath);
  const bool stays = n.state == "firing" && n.severity == "critical";
  std::map<std::string, sdbus::Variant> hints;
  hints.emplace("urgency", sdbus::Variant(stays ? kCritical : kNormal));
  hints.emplace("category", sdbus::Variant(std::string("device.error")));
  std::uint32_t id = 0;
  desktop->callMethod("Notify")
      .onInterface(kName)
      .withTimeout(timeout)
      .withArguments(std::string("compositord"), replaces, std::string("video-display"), n.title,
                     body_for(*desktop, n.text, timeout), std::vector<std::string>{}, hints, stays ? kNever : kAsUsual)
      .storeResultsTo(id);
  return id;
}

}  // namespace

DesktopNotifier::DesktopNotifier(NotifierConfig config) : config_(std::move(config)) {}

Attempt DesktopNotifier::attempt(const Notification& notification, Duration timeout, int /*stop_fd*/) {
  const std::string alert = alert_of(notification.dedupe);
  const auto shown = shown_.find(alert);
  const std::uint32_t replaces = shown == shown_.end() ? 0 : shown->second;
  // Two calls share the time.
  const auto each = std::chrono::duration_cast<std::chrono::microseconds>(timeout) / 2;
  try {
    const std::uint32_t id = notify(config_.bus, notification, replaces, each);
    if (notification.state != "firing") {
      shown_.erase(alert);
    } else if (shown_.size() < kShownMax || replaces != 0) {
      shown_[alert] = id;
    }
  } catch (const sdbus::Error& error) {
    return {Attempt::End::kFailed, fmt::format("the desktop's notifications: {}", error.getMessage()), {}};
  }
  return {Attempt::End::kDelivered, {}, {}};
}

}  // namespace compositord::broker
