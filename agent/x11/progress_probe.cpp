#include "agent/x11/progress_probe.h"

#include <algorithm>

namespace compositord::agent::x11 {

void ProgressProbe::start() {
  state_ = State::kServer;
  server_.start();
}

void ProgressProbe::on_event(const xcb_generic_event_t& event) { frame_extents_.on_event(event); }

bool ProgressProbe::service(const Target& target, Instant now) {
  notice(target);
  if (state_ == State::kServer && server_.take_answer()) {
    state_ = State::kClient;
    ask_client(target, now);
  }
  if (state_ != State::kClient || !service_client(target, now)) return false;
  state_ = State::kIdle;
  recheck_at_ = trial_until_ = kNever;
  asked_ = nullptr;
  return true;
}

void ProgressProbe::notice(const Target& target) {
  const bool is_known = target.client == nullptr ? known_.pid == 0 : target.client->is_same_process(known_);
  if (is_known) return;
  known_ = target.client == nullptr ? Peer{} : target.client->peer();
  paint_question_ = frame_extents_question_ = Question{};
  if (asked_ == nullptr) return;
  asked_->cancel();  // it was meant for its predecessor
  asked_ = nullptr;
}

void ProgressProbe::ask_client(const Target& target, Instant now) {
  if (target.client == nullptr) return;
  if (target.composites && target.corner && now >= paint_question_.not_before) {
    paint_.move_to(target.corner->first, target.corner->second);
    return begin(paint_, paint_question_, now);
  }
  if (target.manages && now >= frame_extents_question_.not_before) {
    begin(frame_extents_, frame_extents_question_, now);
  }
}

void ProgressProbe::begin(ClientProbe& probe, Question& question, Instant now) {
  asked_ = &probe;
  question_ = &question;
  trial_until_ = question.is_proven ? kNever : now + kTrial;
  probe.start(now);
}

bool ProgressProbe::service_client(const Target& target, Instant now) {
  recheck_at_ = kNever;
  // First: what a stopped process did not do, the server may have shown without it.
  if (target.client != nullptr && target.client->look().stopped) {
    recheck_at_ = now + kStoppedRecheck;
    if (trial_until_ != kNever) trial_until_ = now + kTrial;  // it had no chance to answer
    return false;
  }
  if (asked_ != nullptr && asked_->service(now)) {
    const bool is_proof = asked_ != &paint_ || paint_.was_composited();
    if (is_proof) question_->is_proven = true;
    question_->try_again = kTrialAgainFirst;
    if (asked_ == &paint_ && is_proof) paint_question_.not_before = now + kPaintInterval;
    return true;
  }
  if (asked_ == nullptr) return true;
  if (now < trial_until_) return false;
  give_up_trial(now);
  return true;
}

void ProgressProbe::give_up_trial(Instant now) {
  asked_->cancel();
  question_->not_before = now + question_->try_again;
  question_->try_again = std::min(question_->try_again * 2, kTrialAgainMax);
}

Instant ProgressProbe::next_deadline() const noexcept {
  if (state_ != State::kClient) return kNever;
  if (recheck_at_ != kNever) return recheck_at_;  // stopped: nothing else is looked at
  const Instant next = asked_ == nullptr ? kNever : asked_->next_deadline();
  return std::min(next, trial_until_);
}

}  // namespace compositord::agent::x11
