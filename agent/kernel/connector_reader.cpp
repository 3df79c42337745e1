#include "agent/kernel/connector_reader.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

// The thread writes `connectors`, then makes `done` readable, and touches nothing behind that.
struct ConnectorReader::Reading {
  FileDescriptor done{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Connectors connectors;
};

Result<void> ConnectorReader::start() {
  if (reading_ != nullptr) {
    again_ = true;
    return {};
  }
  auto reading = std::make_shared<Reading>();
  if (!reading->done.is_open()) return fail(Status::kFailed, fmt::format("no eventfd: {}", std::strerror(errno)));
  try {
    std::thread([reading, folder = folder_] {
      reading->connectors = read_connectors(folder);
      const std::uint64_t one = 1;
      static_cast<void>(::write(reading->done.get(), &one, sizeof one));
    }).detach();
  } catch (const std::system_error& error) {
    return fail(Status::kFailed, fmt::format("no thread to read the connectors: {}", error.what()));
  }
  reading_ = std::move(reading);
  return {};
}

void ConnectorReader::poll_fds(std::vector<pollfd>& fds) const {
  if (reading_ != nullptr) fds.push_back(pollfd{reading_->done.get(), POLLIN, 0});
}

Result<std::optional<Connectors>> ConnectorReader::take() {
  std::uint64_t count = 0;
  if (reading_ == nullptr || ::read(reading_->done.get(), &count, sizeof count) != sizeof count) return std::nullopt;
  std::optional<Connectors> connectors = std::move(reading_->connectors);
  reading_.reset();
  if (std::exchange(again_, false)) {
    if (auto started = start(); !started) return tl::unexpected(started.error());
  }
  return connectors;
}

}  // namespace compositord::agent
