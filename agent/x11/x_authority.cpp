#include "agent/x11/x_authority.h"

#include <unistd.h>
#include <X11/Xauth.h>

#include <array>
#include <memory>

namespace compositord::agent::x11 {

XCookie find_x_cookie(const std::string& display) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return {};
  const std::string host_name(host.data());
  const std::string number = display.substr(1);
  std::string method = "MIT-MAGIC-COOKIE-1";
  std::array<char*, 1> methods{method.data()};
  const std::array<int, 1> lengths{static_cast<int>(method.size())};
  constexpr unsigned short kFamilyLocal = 256;  // Source: X11/Xauth.h
  const std::unique_ptr<Xauth, decltype(&XauDisposeAuth)> found(
      XauGetBestAuthByAddr(kFamilyLocal, static_cast<unsigned short>(host_name.size()), host_name.c_str(),
                           static_cast<unsigned short>(number.size()), number.c_str(), 1, methods.data(),
                           lengths.data()),
      &XauDisposeAuth);
  if (!found) return {};
  return XCookie{std::string(found->name, found->name_length), std::string(found->data, found->data_length)};
}

}  // namespace compositord::agent::x11
