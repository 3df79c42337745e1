// A compositor for tests: the real libwayland on its Wayland socket, with outputs and nothing else, and the documented IPC of a
// compositor that can't run here. It is what its file is called: a copy named Hyprland or niri behaves as that one. One named weston has
// no IPC, but the interfaces for screenshots of weston 12 and newer and of before, and the words of weston_capture_server.h.
//
//   NAME DISPLAY      the Wayland socket's name, in $XDG_RUNTIME_DIR
//
// The file "behaviour" in $XDG_RUNTIME_DIR, read at each request, says how honest it is: empty or missing for honest, else
//   lies      says success and changes nothing        refuses   changes nothing and says so
//   silent    reads and never answers                  closes    closes without an answer
//   half      sends half of its outputs and closes     garbage   answers with bytes that mean nothing
//   huge      answers without an end                   huge_event  begins an event without an end
//   bad_config finds its configuration bad when it reads it again
//   bad_event sends an event that is none              half_wall  refuses what is for HDMI-A-1, and is honest besides
// The requests are written to the file "requests", one a line.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <wayland-server-protocol.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/scripted/scripted_ipc.h"
#include "tests/support/weston_capture_server.h"

namespace compositord::test {

namespace {

constexpr std::size_t kHugeBytes = 8U << 20U;

class Compositor;

// One connection to the IPC.
struct Client {
  Compositor* owner = nullptr;
  int fd = -1;
  wl_event_source* source = nullptr;
  std::string received;
  std::string unsent;
  bool has_events = false;
  bool answered = false;  // it is closed when all is sent
};

// One output as Wayland shows it.
struct Shown {
  ScriptedOutput output;
  wl_global* global = nullptr;
  std::list<wl_resource*> resources;
};

class Compositor {
 public:
  Compositor(std::unique_ptr<ScriptedIpc> ipc, std::string dir)
      : ipc_(std::move(ipc)), dir_(std::move(dir)), display_(wl_display_create()), outputs_(scripted_outputs()) {}

  bool serve(const std::string& name, const std::string& socket_name) {
    // The IPC before Wayland: who finds the display may ask at once.
    if (ipc_ != nullptr && !listen_at(make_sockets(name, socket_name), false)) return false;
    if (ipc_ == nullptr) offer_screenshots();
    show_outputs();
    if (wl_display_add_socket(display_, socket_name.c_str()) != 0) return false;
    wl_display_run(display_);
    return true;
  }

 private:
  void offer_screenshots() {
    wl_display_init_shm(display_);
    const auto look = [](wl_resource* output) {
      const ScriptedOutput& o = static_cast<Shown*>(wl_resource_get_user_data(output))->output;
      return CapturedOutput{o.mode.width, o.mode.height, o.name == "DP-1" ? 0xd0'2020U : 0x20'20d0U};
    };
    captures_ = std::make_unique<WestonCaptureServer>(display_, 2, look, [this] { return behaviour(); });
    offer_punishing_screenshooter(display_);
  }

  // Makes what Hyprland and niri make for their sockets; the path of the one for requests.
  std::string make_sockets(const std::string& name, const std::string& socket_name) {
    if (!ipc_->has_event_socket())
      return dir_ + "/" + name + "." + socket_name + "." + std::to_string(::getpid()) + ".sock";
    const std::string folder = dir_ + "/hypr/abc123_1";
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/hyprland.lock") << ::getpid() << "\n" << socket_name << "\n";
    listen_at(folder + "/.socket2.sock", true);
    return folder + "/.socket.sock";
  }

  bool listen_at(const std::string& path, bool for_events) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 16) != 0)
      return false;
    wl_event_loop_add_fd(loop(), fd, WL_EVENT_READABLE, for_events ? on_event_client : on_request_client, this);
    return true;
  }

  wl_event_loop* loop() { return wl_display_get_event_loop(display_); }

  static int on_request_client(int fd, std::uint32_t, void* data) {
    return static_cast<Compositor*>(data)->take_client(fd, false);
  }
  static int on_event_client(int fd, std::uint32_t, void* data) {
    return static_cast<Compositor*>(data)->take_client(fd, true);
  }
  int take_client(int listener, bool has_events) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return 0;
    clients_.push_back(Client{this, fd, nullptr, {}, {}, has_events});
    clients_.back().source = wl_event_loop_add_fd(loop(), fd, WL_EVENT_READABLE, on_client, &clients_.back());
    return 0;
  }

  static int on_client(int, std::uint32_t mask, void* data) {
    auto& client = *static_cast<Client*>(data);
    client.owner->serve_client(client, mask);
    return 0;
  }
  void serve_client(Client& client, std::uint32_t mask) {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(client.fd, buffer.data(), buffer.size(), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN) || (mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) return drop(client);
    if (n > 0 && !client.has_events) client.received.append(buffer.data(), static_cast<std::size_t>(n));
    if (!client.answered && ipc_->is_request(client.received)) answer(client);
    flush(client);
  }

  std::string behaviour() const {
    std::string word;
    std::ifstream(dir_ + "/behaviour") >> word;
    return word;
  }

  void answer(Client& client) {
    const std::string request = std::exchange(client.received, {});
    std::ofstream(dir_ + "/requests", std::ios::app) << request.substr(0, request.find('\n')) << "\n";
    std::string how = behaviour();
    if (how == "half_wall" && request.find("HDMI-A-1") != std::string::npos) how = "refuses";
    if (how == "silent") return;
    client.answered = true;
    ScriptedOutputs changed = outputs_;
    ScriptedIpc::Answer answer = ipc_->answer(request, changed);
    if ((answer.of_change || answer.of_reload) && how == "refuses") answer.text = ipc_->refusal();
    if (how == "bad_config" && !answer.if_bad.empty()) answer.text = answer.if_bad;
    if (answer.of_reload && how != "refuses" && how != "lies") tell(ipc_->reload_event(how == "bad_config"));
    if (answer.of_outputs && how == "half") answer.text.resize(answer.text.size() / 2);
    if (how == "garbage") answer.text = "\x1b[31m\xff\xfe{{{\n";
    if (how == "closes") answer.text.clear();
    if (answer.of_outputs && how == "huge") answer.text = std::string(kHugeBytes, '[');
    if (how == "huge_event") tell(std::string(kHugeBytes, 'x'));
    if (how == "bad_event") tell("nothing that anybody knows\n");
    client.unsent += answer.text;
    client.has_events = answer.begins_events;
    if (!answer.of_change || how == "lies" || how == "refuses") return;
    const ScriptedOutputs before = std::exchange(outputs_, changed);
    show_outputs();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const bool was_there = i < before.size() && before[i].active;
      if (was_there != outputs_[i].active) tell(ipc_->hotplug_event(outputs_[i].name, outputs_[i].active));
    }
  }

  void tell(const std::string& event) {
    for (Client& client : clients_) {
      if (!client.has_events) continue;
      client.unsent += event;
      wl_event_source_fd_update(client.source, WL_EVENT_READABLE | WL_EVENT_WRITABLE);
    }
  }

  void flush(Client& client) {
    while (!client.unsent.empty()) {
      const ssize_t n = ::send(client.fd, client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return drop(client);
      client.unsent.erase(0, static_cast<std::size_t>(n));
    }
    if (client.unsent.empty() && client.answered && !client.has_events) return drop(client);
    const std::uint32_t writable = client.unsent.empty() ? 0 : WL_EVENT_WRITABLE;
    wl_event_source_fd_update(client.source, WL_EVENT_READABLE | writable);
  }

  void drop(Client& client) {
    wl_event_source_remove(client.source);
    ::close(client.fd);
    clients_.remove_if([&](const Client& c) { return &c == &client; });
  }

  // Makes Wayland show what the outputs are now.
  void show_outputs() {
    for (const ScriptedOutput& output : outputs_) {
      Shown& shown = shown_of(output.name);
      const bool changed = !(shown.output == output);
      shown.output = output;
      if (output.active && shown.global == nullptr) {
        shown.global = wl_global_create(display_, &wl_output_interface, 4, &shown, on_bind);
      } else if (!output.active && shown.global != nullptr) {
        wl_global_destroy(std::exchange(shown.global, nullptr));
      } else if (changed) {
        for (wl_resource* resource : shown.resources) describe(resource, shown.output);
      }
    }
  }
  Shown& shown_of(const std::string& name) {
    for (Shown& shown : shown_) {
      if (shown.output.name == name) return shown;
    }
    shown_.emplace_back().output.name = name;
    return shown_.back();
  }
  static void on_bind(wl_client* client, void* data, std::uint32_t version, std::uint32_t id) {
    auto& shown = *static_cast<Shown*>(data);
    static constexpr struct wl_output_interface kRequests {
      [](wl_client*, wl_resource* resource) { wl_resource_destroy(resource); }
    };
    wl_resource* resource = wl_resource_create(client, &wl_output_interface, static_cast<int>(version), id);
    wl_resource_set_implementation(resource, &kRequests, &shown, [](wl_resource* gone) {
      static_cast<Shown*>(wl_resource_get_user_data(gone))->resources.remove(gone);
    });
    shown.resources.push_back(resource);
    describe(resource, shown.output);
  }
  static void describe(wl_resource* to, const ScriptedOutput& o) {
    wl_output_send_geometry(to, o.x, o.y, 600, 340, WL_OUTPUT_SUBPIXEL_UNKNOWN, "ACME", "Wall", o.transform);
    wl_output_send_mode(to, WL_OUTPUT_MODE_CURRENT, o.mode.width, o.mode.height, o.mode.refresh_mhz);
    wl_output_send_scale(to, o.scale > 1 ? 2 : 1);
    wl_output_send_name(to, o.name.c_str());
    wl_output_send_done(to);
  }

  std::unique_ptr<ScriptedIpc> ipc_;
  std::string dir_;
  wl_display* display_;  // ends with the process
  ScriptedOutputs outputs_;
  std::list<Client> clients_;
  std::list<Shown> shown_;
  std::unique_ptr<WestonCaptureServer> captures_;
};

}  // namespace
}  // namespace compositord::test

int main(int argc, char** argv) {
  const char* dir = std::getenv("XDG_RUNTIME_DIR");
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  const bool is_weston = name == "weston";
  if (is_weston && argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("weston 14.0.2");
    return 0;
  }
  if (argc != 2 || dir == nullptr || (name != "Hyprland" && name != "niri" && !is_weston)) {
    std::fputs("usage: Hyprland|niri|weston DISPLAY, with XDG_RUNTIME_DIR\n", stderr);
    return 2;
  }
  using compositord::test::scripted_hyprland;
  using compositord::test::scripted_niri;
  using Ipc = std::unique_ptr<compositord::test::ScriptedIpc>;
  Ipc ipc = is_weston ? Ipc() : name == "niri" ? scripted_niri() : scripted_hyprland();
  compositord::test::Compositor compositor(std::move(ipc), dir);
  return compositor.serve(name, argv[1]) ? 0 : 1;
}
