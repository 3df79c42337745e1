#include "agent/capture/screenshot_runner.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

void say(std::uint64_t command_id, Status status, std::string error, DriverOutputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = command_id;
  finished.status = status;
  finished.error = std::move(error);
  finished.result = msg::Value::map();
  out.events.emplace_back(std::move(finished));
}

msg::Value result_of(const Screenshot& screenshot) {
  msg::Value outputs = msg::Value::array();
  for (const std::string& output : screenshot.outputs) outputs.push(output);
  return msg::Value::map({{"format", "png"},
                          {"width", screenshot.size.width_px},
                          {"height", screenshot.size.height_px},
                          {"bytes", std::uint64_t{screenshot.png.size()}},
                          {"outputs", std::move(outputs)},
                          {"sha256", screenshot.sha256}});
}

}  // namespace

void ScreenshotRunner::execute(std::uint64_t command_id, const msg::Value& params, Instant now, Instant deadline,
                               DriverOutputs& out) {
  auto request = parse_screenshot_request(params);
  if (!request) return say(command_id, request.error().status, request.error().text, out);
  if (now >= deadline) return say(command_id, Status::kDeadline, "the deadline had passed; there is no picture", out);
  if (jobs_.size() > kWaitingMax) {
    return say(command_id, Status::kLimit,
               fmt::format("a screenshot is being made and {} are waiting already; ask again later", kWaitingMax), out);
  }
  jobs_.push_back(Job{command_id, std::move(*request), deadline});
  service(now, out);
}

void ScreenshotRunner::poll_fds(std::vector<pollfd>& fds) const {
  if (capture_) capture_->poll_fds(fds);
  if (encoder_.is_busy()) fds.push_back(pollfd{encoder_.fd(), POLLIN, 0});
}

Instant ScreenshotRunner::next_deadline() const noexcept {
  const bool may_begin = step_ == Step::kIdle && !jobs_.empty() && !encoder_.is_busy();
  if (step_ == Step::kSending || may_begin) return Instant{};  // at once
  Instant next = capture_ ? capture_->next_deadline() : kNever;
  for (const Job& job : jobs_) next = std::min(next, job.deadline);
  return next;
}

void ScreenshotRunner::service(Instant now, DriverOutputs& out) {
  end_late(now, out);
  if (step_ == Step::kSending) send(out);
  encode(out);
  if (step_ == Step::kIdle && !jobs_.empty() && !encoder_.is_busy()) begin(out);
  if (step_ == Step::kCapturing) capture(now, out);
}

void ScreenshotRunner::end_late(Instant now, DriverOutputs& out) {
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    if (now < job->deadline) {
      ++job;
      continue;
    }
    const bool at_work = step_ != Step::kIdle && job == jobs_.begin();
    const std::string_view why = !at_work                    ? "the deadline passed before the screenshot's turn"
                                 : step_ == Step::kCapturing ? "the compositor did not give its picture in time"
                                                             : "the deadline passed before the picture was sent";
    say(job->id, Status::kDeadline, std::string(why), out);
    if (!at_work) {
      job = jobs_.erase(job);
      continue;
    }
    drop_front();
    job = jobs_.begin();
  }
}

void ScreenshotRunner::begin(DriverOutputs& out) {
  step_ = Step::kCapturing;
  auto capture = factory_(jobs_.front().request);
  if (!capture) return fail_front(capture.error(), out);
  capture_ = std::move(*capture);
}

void ScreenshotRunner::capture(Instant now, DriverOutputs& out) {
  auto shot = capture_->service(now);
  if (!shot) return;
  capture_.reset();
  if (!*shot) return fail_front(shot->error(), out);
  step_ = Step::kEncoding;
  if (auto begun = encoder_.begin(std::move(**shot), jobs_.front().request); !begun) fail_front(begun.error(), out);
}

void ScreenshotRunner::encode(DriverOutputs& out) {
  auto screenshot = encoder_.take();
  if (!screenshot || step_ != Step::kEncoding) return;
  if (!*screenshot) return fail_front(screenshot->error(), out);
  screenshot_ = std::move(**screenshot);
  step_ = Step::kSending;
}

void ScreenshotRunner::send(DriverOutputs& out) {
  const std::uint64_t id = jobs_.front().id;
  const std::string& png = screenshot_.png;
  for (int i = 0; i < kPartsPerTurnMax && sent_bytes_ < png.size(); ++i) {
    out.events.emplace_back(driver_event::CommandPart{id, png.substr(sent_bytes_, kCommandPartBytesMax)});
    sent_bytes_ = std::min(sent_bytes_ + kCommandPartBytesMax, png.size());
  }
  if (sent_bytes_ < png.size()) return;
  driver_event::CommandFinished finished;
  finished.command_id = id;
  finished.status = Status::kDone;
  finished.result = result_of(screenshot_);
  out.events.emplace_back(std::move(finished));
  drop_front();
}

void ScreenshotRunner::fail_front(const Error& error, DriverOutputs& out) {
  if (error.status == Status::kUnsupported) refusal_ = error.text;
  say(jobs_.front().id, error.status, error.text, out);
  drop_front();
}

void ScreenshotRunner::drop_front() {
  jobs_.pop_front();
  step_ = Step::kIdle;
  capture_.reset();
  encoder_.cancel();
  screenshot_ = Screenshot{};
  sent_bytes_ = 0;
}

void ScreenshotRunner::on_gone(std::string_view what, DriverOutputs& out) {
  for (const Job& job : jobs_) say(job.id, Status::kGone, fmt::format("{} ended under the command", what), out);
  if (!jobs_.empty()) drop_front();
  jobs_.clear();
}

}  // namespace compositord::agent
