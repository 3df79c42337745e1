#include "common/wire/mdp_codec.h"

#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/log_event.h"

namespace compositord::wire {

namespace {

constexpr std::string_view kClient01 = "MDPC01";
constexpr std::string_view kClient02 = "MDPC02";
constexpr std::string_view kWorker01 = "MDPW01";
constexpr std::string_view kWorker02 = "MDPW02";

// The command bytes. 0x04 is HEARTBEAT in 0.1 and FINAL in 0.2: a version must be known before a byte is read.
enum class Command : std::uint8_t { kReady, kRequest, kPartial, kFinal, kHeartbeat, kDisconnect };

std::optional<Command> worker_command(MdpVersion version, unsigned char byte) {
  if (version == MdpVersion::k01) {
    switch (byte) {
      case 1: return Command::kReady;
      case 2: return Command::kRequest;
      case 3: return Command::kFinal;
      case 4: return Command::kHeartbeat;
      case 5: return Command::kDisconnect;
      default: return std::nullopt;
    }
  }
  switch (byte) {
    case 1: return Command::kReady;
    case 2: return Command::kRequest;
    case 3: return Command::kPartial;
    case 4: return Command::kFinal;
    case 5: return Command::kHeartbeat;
    case 6: return Command::kDisconnect;
    default: return std::nullopt;
  }
}

char worker_byte(MdpVersion version, Command command) {
  for (unsigned char byte = 1; byte <= 6; ++byte) {
    if (worker_command(version, byte) == command) return static_cast<char>(byte);
  }
  constexpr bool kVersionHasTheCommand = false;  // MDP 0.1 has no PARTIAL
  CHECK(kVersionHasTheCommand);
  return 0;
}

tl::unexpected<Error> malformed(std::string text) { return fail(Status::kMalformed, std::move(text)); }

// Walks over the frames of one message.
class Reader {
 public:
  explicit Reader(Frames&& frames) : frames_(std::move(frames)) {}
  bool at_end() const { return next_ == frames_.size(); }
  const Frame& peek() const { return frames_[next_]; }
  Frame take() { return std::move(frames_[next_++]); }
  void skip() { ++next_; }
  // In the message's own vector: most messages are a short head and one body frame, and need no second one.
  Frames rest() {
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(std::exchange(next_, 0)));
    return std::exchange(frames_, {});
  }

 private:
  Frames frames_;
  std::size_t next_ = 0;
};

struct Head {
  Dialect dialect;
  bool worker = false;
};

// Reads the optional delimiter and the protocol frame.
Result<Head> read_head(Reader& in) {
  Head head;
  if (in.at_end()) return malformed("the message has no frames");
  if (in.peek().empty()) {
    head.dialect.delimiter = true;
    in.skip();
    if (in.at_end()) return malformed("nothing follows the empty delimiter frame");
  }
  const Frame& protocol = in.peek();
  if (protocol == kClient02 || protocol == kWorker02) {
    head.dialect.version = MdpVersion::k02;
  } else if (protocol == kClient01 || protocol == kWorker01) {
    head.dialect.version = MdpVersion::k01;
  } else {
    return malformed(fmt::format("\"{}\" is no protocol of this bus (MDPC01, MDPW01, MDPC02, MDPW02)",
                                 escape_for_log(protocol, 24)));
  }
  head.worker = protocol == kWorker01 || protocol == kWorker02;
  in.skip();
  return head;
}

Result<std::string> read_service(Reader& in) {
  if (in.at_end()) return malformed("the service frame is missing");
  if (in.peek().empty()) return malformed("the service frame is empty");
  if (in.peek().size() > kServiceNameBytesMax) {
    return fail(Status::kTooLarge,
                fmt::format("the service name has {} bytes, more than {}", in.peek().size(), kServiceNameBytesMax));
  }
  return in.take().str();
}

Result<unsigned char> read_command_byte(Reader& in) {
  if (in.at_end()) return malformed("the command frame is missing");
  if (in.peek().size() != 1) return malformed(fmt::format("the command frame has {} bytes, not 1", in.peek().size()));
  return static_cast<unsigned char>(in.take()[0]);
}

Result<Command> read_worker_command(Reader& in, MdpVersion version) {
  const Result<unsigned char> byte = read_command_byte(in);
  if (!byte) return tl::unexpected<Error>(byte.error());
  const std::optional<Command> command = worker_command(version, *byte);
  if (!command) return malformed(fmt::format("0x{:02x} is no worker command of this version", *byte));
  return *command;
}

struct Addressed {
  std::string client_address;
  Frames body;
};

Result<Addressed> read_addressed(Reader& in) {
  if (in.at_end()) return malformed("the client address frame is missing");
  if (in.peek().empty()) return malformed("the client address frame is empty");
  Addressed out;
  out.client_address = in.take().str();
  if (in.at_end() || !in.peek().empty()) return malformed("no empty frame follows the client address");
  in.skip();
  out.body = in.rest();
  return out;
}

// 18/MDP: HEARTBEAT and DISCONNECT have no further frames. DEVIATION: more frames are ignored, as libmdp does: a peer that
// is alive and verbose isn't worth a disconnect. Test: MdpCodec.IgnoresFramesAfterAHeartbeat.
Result<ToBroker> read_from_worker(Reader& in, MdpVersion version) {
  const Result<Command> command = read_worker_command(in, version);
  if (!command) return tl::unexpected<Error>(command.error());
  switch (*command) {
    case Command::kReady: {
      Result<std::string> service = read_service(in);
      if (!service) return tl::unexpected<Error>(service.error());
      if (!in.at_end()) return malformed("frames follow the service of a READY");
      return ToBroker(mdp::WorkerReady{std::move(*service)});
    }
    case Command::kPartial:
    case Command::kFinal: {
      Result<Addressed> reply = read_addressed(in);
      if (!reply) return tl::unexpected<Error>(reply.error());
      return ToBroker(
          mdp::WorkerReply{*command == Command::kFinal, std::move(reply->client_address), std::move(reply->body)});
    }
    case Command::kHeartbeat: return ToBroker(mdp::Heartbeat{});
    case Command::kDisconnect: return ToBroker(mdp::Disconnect{});
    case Command::kRequest: break;
  }
  return malformed("a worker sent REQUEST, which only a broker sends");
}

Result<ToBroker> read_from_client(Reader& in, MdpVersion version) {
  if (version == MdpVersion::k02) {
    const Result<unsigned char> byte = read_command_byte(in);
    if (!byte) return tl::unexpected<Error>(byte.error());
    if (*byte != 1) return malformed(fmt::format("0x{:02x} is no client command (REQUEST is 0x01)", *byte));
  }
  Result<std::string> service = read_service(in);
  if (!service) return tl::unexpected<Error>(service.error());
  mdp::ClientRequest request;
  request.service = std::move(*service);
  request.body = in.rest();
  return ToBroker(std::move(request));
}

Result<FromBroker> read_at_client(Reader& in, MdpVersion version) {
  bool final = true;
  if (version == MdpVersion::k02) {
    const Result<unsigned char> byte = read_command_byte(in);
    if (!byte) return tl::unexpected<Error>(byte.error());
    if (*byte != 2 && *byte != 3) return malformed(fmt::format("0x{:02x} is no reply command", *byte));
    final = *byte == 3;
  }
  Result<std::string> service = read_service(in);
  if (!service) return tl::unexpected<Error>(service.error());
  mdp::ClientReply reply;
  reply.final = final;
  reply.service = std::move(*service);
  reply.body = in.rest();
  return FromBroker(std::move(reply));
}

Result<FromBroker> read_at_worker(Reader& in, MdpVersion version) {
  const Result<Command> command = read_worker_command(in, version);
  if (!command) return tl::unexpected<Error>(command.error());
  switch (*command) {
    case Command::kRequest: {
      Result<Addressed> request = read_addressed(in);
      if (!request) return tl::unexpected<Error>(request.error());
      return FromBroker(mdp::WorkerRequest{std::move(request->client_address), std::move(request->body)});
    }
    case Command::kHeartbeat: return FromBroker(mdp::Heartbeat{});
    case Command::kDisconnect: return FromBroker(mdp::Disconnect{});
    case Command::kReady:
    case Command::kPartial:
    case Command::kFinal: break;
  }
  return malformed("a broker sent a command that only a worker sends");
}

template <class Message>
Result<Parsed<Message>> finish(const Dialect& dialect, Result<Message>&& message) {
  if (!message) return tl::unexpected<Error>(message.error());
  return Parsed<Message>{dialect, std::move(*message)};
}

// Writes the frames before a body, into the body's own vector: a body that came in a message has the room already.
class Writer {
 public:
  // `more`: how many frames come between the protocol frame and the body.
  Writer(const Dialect& dialect, bool worker, std::size_t more, Frames&& body = {}) : frames_(std::move(body)) {
    frames_.insert(frames_.begin(), (dialect.delimiter ? 2 : 1) + more, Frame());
    if (dialect.delimiter) ++next_;
    const bool v1 = dialect.version == MdpVersion::k01;
    frames_[next_++] = worker ? (v1 ? kWorker01 : kWorker02) : (v1 ? kClient01 : kClient02);
  }
  void put(char byte) { frames_[next_++] = std::string(1, byte); }
  void put(std::string&& bytes) { frames_[next_++] = std::move(bytes); }
  Frames take() { return std::move(frames_); }

 private:
  Frames frames_;
  std::size_t next_ = 0;
};

Frames worker_command_message(const Dialect& dialect, Command command) {
  Writer out(dialect, true, 1);
  out.put(worker_byte(dialect.version, command));
  return out.take();
}

Frames client_message(const Dialect& dialect, char command, std::string&& service, Frames&& body) {
  const bool has_command = dialect.version == MdpVersion::k02;
  Writer out(dialect, false, has_command ? 2 : 1, std::move(body));
  if (has_command) out.put(command);
  out.put(std::move(service));
  return out.take();
}

Frames addressed_message(const Dialect& dialect, Command command, std::string&& address, Frames&& body) {
  Writer out(dialect, true, 3, std::move(body));
  out.put(worker_byte(dialect.version, command));
  out.put(std::move(address));
  return out.take();  // the third one stays empty
}

}  // namespace

Result<Parsed<ToBroker>> parse_at_broker(Frames&& frames) {
  Reader in(std::move(frames));
  const Result<Head> head = read_head(in);
  if (!head) return tl::unexpected<Error>(head.error());
  return finish(head->dialect, head->worker ? read_from_worker(in, head->dialect.version)
                                            : read_from_client(in, head->dialect.version));
}

Result<Parsed<FromBroker>> parse_from_broker(Frames&& frames) {
  Reader in(std::move(frames));
  const Result<Head> head = read_head(in);
  if (!head) return tl::unexpected<Error>(head.error());
  return finish(head->dialect,
                head->worker ? read_at_worker(in, head->dialect.version) : read_at_client(in, head->dialect.version));
}

Frames serialize(const Dialect& dialect, mdp::ClientRequest message) {
  return client_message(dialect, 1, std::move(message.service), std::move(message.body));
}
Frames serialize(const Dialect& dialect, mdp::ClientReply message) {
  CHECK(message.final || dialect.version == MdpVersion::k02);
  return client_message(dialect, message.final ? 3 : 2, std::move(message.service), std::move(message.body));
}
Frames serialize(const Dialect& dialect, mdp::WorkerReady message) {
  Writer out(dialect, true, 2);
  out.put(worker_byte(dialect.version, Command::kReady));
  out.put(std::move(message.service));
  return out.take();
}
Frames serialize(const Dialect& dialect, mdp::WorkerRequest message) {
  return addressed_message(dialect, Command::kRequest, std::move(message.client_address), std::move(message.body));
}
Frames serialize(const Dialect& dialect, mdp::WorkerReply message) {
  return addressed_message(dialect, message.final ? Command::kFinal : Command::kPartial,
                           std::move(message.client_address), std::move(message.body));
}
Frames serialize(const Dialect& dialect, mdp::Heartbeat) {
  return worker_command_message(dialect, Command::kHeartbeat);
}
Frames serialize(const Dialect& dialect, mdp::Disconnect) {
  return worker_command_message(dialect, Command::kDisconnect);
}

}  // namespace compositord::wire
