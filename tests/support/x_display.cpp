#include "tests/support/x_display.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace compositord::test {

namespace {

std::string lock_file(int number) { return "/tmp/.X" + std::to_string(number) + "-lock"; }

// Tests run side by side, each case in a process of its own.
int free_number() {
  static int used = 0;
  int number = 1000 + (static_cast<int>(::getpid()) * 4 + used++) % 50'000;
  while (std::filesystem::exists(lock_file(number))) ++number;
  return number;
}

}  // namespace

XDisplay::XDisplay(const RuntimeDir& dir) : dir_(dir), name_(":" + std::to_string(free_number())) {
  // A server without rights does not make this directory.
  if (::mkdir("/tmp/.X11-unix", 01777) == 0) ::chmod("/tmp/.X11-unix", 01777);
}

XDisplay::~XDisplay() {
  std::error_code ignored;
  std::filesystem::remove(socket_path(), ignored);
  std::filesystem::remove(lock_file(std::stoi(name_.substr(1))), ignored);
}

std::string XDisplay::socket_path() const { return "/tmp/.X11-unix/X" + name_.substr(1); }

CompositorProcess XDisplay::xvfb() const {
  return {dir_, {"/usr/bin/Xvfb", name_, "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset", "-ac"}, {}};
}

CompositorProcess XDisplay::xorg() const {
  const std::string config = dir_.path() + "/dummy.conf";
  std::ofstream(config)
      << "Section \"Device\"\n  Identifier \"dummy\"\n  Driver \"dummy\"\n  VideoRam 256000\nEndSection\n";
  return {dir_,
          {"/usr/lib/xorg/Xorg", name_, "-config", config, "-noreset", "-nolisten", "tcp", "-novtswitch", "-ac",
           "-logfile", dir_.path() + "/xorg.log"},
          {}};
}

CompositorProcess XDisplay::xephyr(const XDisplay& host) const {
  return {dir_,
          {"/usr/bin/Xephyr", name_, "-screen", "800x600", "-noreset", "-nolisten", "tcp", "-ac"},
          {"DISPLAY=" + host.name()}};
}

CompositorProcess XDisplay::client(std::vector<std::string> arguments) const {
  return {dir_, std::move(arguments), {"DISPLAY=" + name_, "LIBGL_ALWAYS_SOFTWARE=1"}};
}

}  // namespace compositord::test
