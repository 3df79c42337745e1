#include "tests/bench/round_trips.h"

#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/bench/percentiles.h"

namespace compositord::bench {

namespace {

constexpr std::size_t kNumberBytes = 8;
constexpr int kLateAnswersWaitMs = 200;

// Big end first: the first byte is 0 for longer than anybody measures, and no call of the bus begins with 0. The body is
// as opaque to the broker as it is to the proxy.
void write_number(char* to, std::uint64_t number) {
  for (std::size_t i = kNumberBytes; i-- > 0; number >>= 8U) to[i] = static_cast<char>(number & 0xffU);
}

std::uint64_t read_number(std::string_view from) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) number = number << 8U | static_cast<unsigned char>(from[i]);
  return number;
}

}  // namespace

Faults& Faults::operator+=(const Faults& more) noexcept {
  lost += more.lost;
  duplicates += more.duplicates;
  wrong += more.wrong;
  return *this;
}

RoundTrips::RoundTrips(RawContext& context, const std::string& endpoint, Load load)
    : load_(std::move(load)), socket_(context, ZMQ_DEALER), body_(load_.body_bytes, 'x') {
  CHECK(load_.body_bytes >= 2 * kNumberBytes);
  socket_.connect(endpoint);
}

Slice RoundTrips::run(Duration time, std::uint64_t answers_max) {
  Slice slice;
  std::vector<double> latencies_us;
  RawMessage answer;
  first_ += requests_.size();
  requests_.clear();
  const Instant start = monotonic_now();
  Instant now = start;
  std::size_t outstanding = 0;
  for (; outstanding < load_.outstanding; ++outstanding) send_next();
  bool measuring = true;
  while (outstanding > 0) {
    if (!socket_.receive(answer)) {
      slice.faults.lost += outstanding;
      break;
    }
    now = monotonic_now();
    Request* const request = match(answer, slice.faults);
    if (request == nullptr) continue;
    request->answered = true;
    --outstanding;
    latencies_us.push_back(std::chrono::duration<double, std::micro>(now - request->sent).count());
    if (!measuring) continue;
    ++slice.answers;
    slice.seconds = std::chrono::duration<double>(now - start).count();
    measuring = now - start < time && (answers_max == 0 || slice.answers < answers_max);
    if (!measuring) continue;
    send_next();
    ++outstanding;
  }
  slice.p50_us = percentile(latencies_us, 0.50);
  slice.p99_us = percentile(std::move(latencies_us), 0.99);
  return slice;
}

void RoundTrips::send_next() {
  const std::uint64_t number = first_ + requests_.size();
  write_number(body_.data(), number);
  write_number(body_.data() + body_.size() - kNumberBytes, number);
  requests_.push_back(Request{monotonic_now()});
  socket_.send({"MDPC02", "\x01", load_.service, body_});
}

RoundTrips::Request* RoundTrips::match(RawMessage& answer, Faults& faults) {
  const bool framed = answer.size() == 4 && answer.frame(0) == "MDPC02" && answer.frame(1) == "\x03" &&
                      answer.frame(2) == load_.service && answer.frame(3).size() == body_.size();
  if (!framed) {
    ++faults.wrong;
    return nullptr;
  }
  const std::string_view body = answer.frame(3);
  const std::uint64_t number = read_number(body);
  const std::size_t filling = body.size() - 2 * kNumberBytes;
  // All bodies have the same filling, so the last one sent shows what this one must have.
  const bool unchanged = read_number(body.substr(kNumberBytes + filling)) == number &&
                         std::memcmp(body.data() + kNumberBytes, body_.data() + kNumberBytes, filling) == 0;
  if (!unchanged || number >= first_ + requests_.size()) {
    ++faults.wrong;
    return nullptr;
  }
  if (number < first_ || requests_[number - first_].answered) {
    ++faults.duplicates;
    return nullptr;
  }
  return &requests_[number - first_];
}

Faults RoundTrips::late_answers() {
  Faults faults;
  RawMessage answer;
  zmq_setsockopt(socket_.handle(), ZMQ_RCVTIMEO, &kLateAnswersWaitMs, sizeof(kLateAnswersWaitMs));
  while (socket_.receive(answer)) {
    if (match(answer, faults) != nullptr) ++faults.wrong;  // it was counted as lost and came after all
  }
  return faults;
}

}  // namespace compositord::bench
