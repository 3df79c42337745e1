#include "agent/x11/randr_command_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent::x11 {

namespace {

// RandR wants the screen's size in mm too; programs make a resolution of it. 96 dots per inch is what they expect.
std::uint32_t mm_of(std::uint32_t px) { return std::max(1U, px * 254 / 960); }

constexpr std::string_view kStatusNames[] = {"success", "invalid configuration time", "invalid time", "failed"};

KnownOutput known(const ScreenOutput& output) {
  return KnownOutput{output.output, output.output.current_mode.has_value(), true};
}

}  // namespace

void RandrCommandRunner::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params,
                                 Instant now, Instant deadline, DriverOutputs& out) {
  queue_.add(command_id, parse_randr_request(method, params), now, deadline, out);
}

void RandrCommandRunner::service(Instant now, DriverOutputs& out) {
  end_late(now, out);
  if (!awaits_) take_answer(out);
  if (!awaits_ && step_ == Step::kIdle && !queue_.empty()) read(Step::kReadBefore);
}

void RandrCommandRunner::ask() {
  awaits_ = true;
  answer_ = Answer::kNone;
}

void RandrCommandRunner::answered(Answer answer) {
  awaits_ = false;
  answer_ = std::exchange(is_late_, false) ? Answer::kNone : answer;
}

void RandrCommandRunner::read(Step step) {
  step_ = step;
  ask();
  read_screen_outputs(connection_, edid_, [this](std::optional<ScreenOutputs> screen) {
    read_ = std::move(screen);
    answered(read_ ? Answer::kRead : Answer::kNothingRead);
  });
}

void RandrCommandRunner::take_answer(DriverOutputs& out) {
  switch (std::exchange(answer_, Answer::kNone)) {
    case Answer::kNone: return;
    case Answer::kNothingRead: return finish(Status::kFailed, "the X server does not tell its outputs", out);
    // What it does not do may be the second of two wishes: what became of the first is read.
    case Answer::kRefused: return read(Step::kReadBack);
    case Answer::kModeMade: return read(Step::kReadBefore);
    case Answer::kChanged: return read(Step::kReadBack);
    case Answer::kRead:
      if (failure_) return undo_next(*read_, out);
      if (step_ == Step::kReadBefore) return on_before(*read_, out);
      return on_read_back(*read_, out);
  }
}

void RandrCommandRunner::on_before(const ScreenOutputs& screen, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  const std::vector<OutputCommand>& wishes = job.request.wishes;
  for (const OutputCommand& wish : wishes) {
    const auto output = find_output(wish, screen);
    if (!output && wish_ > 0) return fail_wish(output.error(), screen, out);
    if (!output) return finish(output.error().status, output.error().text, out);
  }
  if (job.before.empty()) look(screen, job.before);
  while (wish_ < wishes.size() && shows(wishes[wish_], *screen.find(wishes[wish_].output))) next_wish();
  if (wish_ == wishes.size()) {
    look(screen, job.after);
    if (shows(job.request, screen)) return finish(Status::kDone, {}, out);
    return fail_wish(Error{Status::kFailed, "the X server did all of it, and undid a part for a later one"}, screen,
                     out);
  }
  const OutputCommand& wish = wishes[wish_];
  const ScreenOutput& output = *screen.find(wish.output);
  const auto planned = plan_change(wish, screen, place_of(wish.output));
  if (!planned) {
    if (wish_ > 0) return fail_wish(planned.error(), screen, out);
    return finish(planned.error().status, planned.error().text, out);
  }
  if (planned->new_mode) {
    if (has_made_mode_)
      return fail_wish(Error{Status::kFailed, "the X server took the mode and does not show it"}, screen, out);
    has_made_mode_ = true;
    return make_mode(*planned->new_mode);
  }
  if (wish.method == OutputMethod::kDisable) remember_place(output);
  change(*planned, screen.config_time);
}

std::optional<OutputPlace> RandrCommandRunner::place_of(const std::string& output) const {
  const auto remembered = places_.find(output);
  return remembered == places_.end() ? std::nullopt : std::optional<OutputPlace>(remembered->second);
}

void RandrCommandRunner::fail_wish(Error error, const ScreenOutputs& screen, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  look(screen, job.after);
  if (!job.request.several) return finish(error.status, std::move(error.text), out);
  failure_ = std::move(error);
  undo_.begin(job.before);
  undo_next(screen, out);
}

void RandrCommandRunner::undo_next(const ScreenOutputs& screen, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  const auto shows_wish = [](const OutputCommand& wish, const KnownOutput& output) {
    if (wish.method == OutputMethod::kScale) return true;  // an X server's outputs have none; it was not changed
    return agent::shows(wish, output);
  };
  look(screen, job.after);
  while (const auto wish = undo_.next(job.after, shows_wish)) {
    const auto planned = plan_change(*wish, screen, place_of(wish->output));
    // A mode that is gone is not made anew for this: it can only be one that somebody else has just taken away.
    if (planned && !planned->new_mode) return change(*planned, screen.config_time);
  }
  finish(failure_->status, failure_->text + undo_sentence(undo_.is_complete(job.after, shows_wish)), out);
}

void RandrCommandRunner::next_wish() {
  ++wish_;
  has_made_mode_ = false;
}

void RandrCommandRunner::look(const ScreenOutputs& screen, std::vector<KnownOutput>& outputs) const {
  std::vector<KnownOutput> all;
  all.reserve(screen.outputs.size());
  for (const ScreenOutput& output : screen.outputs) all.push_back(known(output));
  outputs = outputs_of(queue_.front().request, all);
}

void RandrCommandRunner::make_mode(const RandrChange::NewMode& mode) {
  step_ = Step::kMakeMode;
  ask();
  if (mode.mode != XCB_NONE) return add_mode(mode.output, mode.mode);
  const auto cookie = xcb_randr_create_mode(connection_.xcb(), connection_.screen()->root, mode.info,
                                            static_cast<std::uint32_t>(mode.name.size()), mode.name.c_str());
  connection_.expect(cookie, [this, output = mode.output](const void* reply) {
    const auto* made = static_cast<const xcb_randr_create_mode_reply_t*>(reply);
    if (made != nullptr) return add_mode(output, made->mode);
    if (!is_late_) refusal_ = "it makes no such mode";
    answered(Answer::kRefused);
  });
}

void RandrCommandRunner::add_mode(xcb_randr_output_t output, xcb_randr_mode_t mode) {
  xcb_randr_add_output_mode(connection_.xcb(), output, mode);
  // Adding has no answer of its own; what comes after it has.
  connection_.expect(xcb_get_input_focus(connection_.xcb()), [this](const void*) { answered(Answer::kModeMade); });
}

void RandrCommandRunner::change(const RandrChange& change, xcb_timestamp_t config_time) {
  step_ = Step::kChange;
  ask();
  set_screen_size(change.width_px_during, change.height_px_during);
  const ScreenCrtc& crtc = change.crtc;
  const auto cookie =
      xcb_randr_set_crtc_config(connection_.xcb(), crtc.id, XCB_CURRENT_TIME, config_time,
                                static_cast<std::int16_t>(crtc.x), static_cast<std::int16_t>(crtc.y), crtc.mode,
                                crtc.rotation, static_cast<std::uint32_t>(crtc.outputs.size()), crtc.outputs.data());
  connection_.expect(cookie, [this, change](const void* reply) {
    const auto* config = static_cast<const xcb_randr_set_crtc_config_reply_t*>(reply);
    const bool is_done = config != nullptr && config->status == XCB_RANDR_SET_CONFIG_SUCCESS;
    if (is_done) set_screen_size(change.width_px_after, change.height_px_after);
    if (!is_done && !is_late_) {
      const std::size_t status = config == nullptr ? 4 : config->status;
      refusal_ = std::string(status < std::size(kStatusNames) ? kStatusNames[status] : "an X error");
    }
    answered(Answer::kChanged);
  });
}

void RandrCommandRunner::set_screen_size(std::uint32_t width_px, std::uint32_t height_px) {
  if (width_px == 0 || height_px == 0) return;
  xcb_randr_set_screen_size(connection_.xcb(), connection_.screen()->root, static_cast<std::uint16_t>(width_px),
                            static_cast<std::uint16_t>(height_px), mm_of(width_px), mm_of(height_px));
}

void RandrCommandRunner::remember_place(const ScreenOutput& output) {
  if (!output.output.current_mode || places_.size() >= kPlacesMax) return;
  OutputPlace place;
  place.x = output.output.x;
  place.y = output.output.y;
  place.rotation = rotation_of(output.output.transform);
  for (std::size_t i = 0; i < output.mode_ids.size(); ++i) {
    msg::Mode mode = output.output.modes[i];
    mode.preferred = output.output.current_mode->preferred;
    if (mode == *output.output.current_mode) place.mode = output.mode_ids[i];
  }
  places_[output.output.name] = place;
}

void RandrCommandRunner::on_read_back(const ScreenOutputs& screen, DriverOutputs& out) {
  OutputCommandQueue::Entry& job = queue_.front();
  look(screen, job.after);
  const OutputCommand& wish = job.request.wishes[wish_];
  const ScreenOutput* output = screen.find(wish.output);
  if (refusal_.empty() && output != nullptr && shows(wish, *output)) return on_before(screen, out);
  std::string error = "the X server said success and did not do it";
  if (output == nullptr) error = "the X server said success, and the output is gone";
  if (!refusal_.empty()) error = "the X server refused: " + refusal_;
  fail_wish(Error{Status::kFailed, std::move(error)}, screen, out);
}

void RandrCommandRunner::end_late(Instant now, DriverOutputs& out) {
  if (step_ != Step::kIdle && queue_.front_is_late(now)) {
    const bool sent = step_ == Step::kChange || step_ == Step::kReadBack;
    finish(Status::kDeadline,
           sent ? "the X server did not show the change in time; its outcome is unknown"
                : "the X server did not answer in time; nothing was changed",
           out);
  }
  queue_.end_waiting(step_ != Step::kIdle, now, out);
}

void RandrCommandRunner::on_gone(DriverOutputs& out) {
  queue_.end_all(Status::kGone, "the display ended under the command", out);
  step_ = Step::kIdle;
}

void RandrCommandRunner::finish(Status status, std::string error, DriverOutputs& out) {
  queue_.finish(status, std::move(error), out);
  step_ = Step::kIdle;
  wish_ = 0;
  has_made_mode_ = false;
  refusal_.clear();
  failure_.reset();
  is_late_ = awaits_;
  answer_ = Answer::kNone;
}

}  // namespace compositord::agent::x11
