#pragma once
// Carries out the commands on the outputs of one X screen, one at a time, and believes only what it reads back.
//
//   kIdle -> kReadBefore -> kChange -> kReadBack -> kIdle
//              ^-- kMakeMode <-|   (where the output lacks the mode)
//              ^---------------------------|   (the next wish: an X server is told one after the other)
//   where one of several wishes fails, kChange -> kReadBack again and again, until what was done before is taken back

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/driver.h"
#include "agent/output/output_command_queue.h"
#include "agent/output/output_undo.h"
#include "agent/x11/randr_command.h"
#include "agent/x11/screen_outputs.h"
#include "agent/x11/x_connection.h"
#include "common/base/instant.h"

namespace compositord::agent::x11 {

class RandrCommandRunner {
 public:
  static constexpr std::size_t kPlacesMax = 64;

  RandrCommandRunner(XConnection& connection, const xcb_atom_t& edid) : connection_(connection), edid_(edid) {}

  // Queues it, or ends it at once: kMalformed, kNotFound, kLimit when the queue is full.
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out);
  // Goes on with what has been answered, and ends what is over its deadline.
  void service(Instant now, DriverOutputs& out);
  // The display is gone: everything ends with kGone.
  void on_gone(DriverOutputs& out);
  Instant next_deadline() const noexcept { return queue_.next_deadline(); }

 private:
  enum class Step { kIdle, kReadBefore, kMakeMode, kChange, kReadBack };

  // What an answer to one of our questions was.
  enum class Answer { kNone, kRead, kNothingRead, kModeMade, kChanged, kRefused };

  void ask();
  void answered(Answer answer);
  void read(Step step);
  void take_answer(DriverOutputs& out);
  void on_before(const ScreenOutputs& screen, DriverOutputs& out);
  void on_read_back(const ScreenOutputs& screen, DriverOutputs& out);
  // It fails with this; what was done of several wishes is taken back before.
  void fail_wish(Error error, const ScreenOutputs& screen, DriverOutputs& out);
  void undo_next(const ScreenOutputs& screen, DriverOutputs& out);
  std::optional<OutputPlace> place_of(const std::string& output) const;
  void next_wish();
  void look(const ScreenOutputs& screen, std::vector<KnownOutput>& outputs) const;
  void make_mode(const RandrChange::NewMode& mode);
  void add_mode(xcb_randr_output_t output, xcb_randr_mode_t mode);
  void change(const RandrChange& change, xcb_timestamp_t config_time);
  void set_screen_size(std::uint32_t width_px, std::uint32_t height_px);
  void remember_place(const ScreenOutput& output);
  void end_late(Instant now, DriverOutputs& out);
  void finish(Status status, std::string error, DriverOutputs& out);

  XConnection& connection_;
  const xcb_atom_t& edid_;
  OutputCommandQueue queue_;    // the front one is at work unless kIdle
  std::size_t wish_ = 0;        // of the one at work: those before it are done
  bool has_made_mode_ = false;  // for that wish
  std::string refusal_;         // what the server said to its change, when it did not say success
  OutputUndo undo_;
  std::optional<Error> failure_;  // why it is undone
  Step step_ = Step::kIdle;
  bool awaits_ = false;   // an answer is owed; nothing is asked before it came
  bool is_late_ = false;  // … to a command that has ended
  Answer answer_ = Answer::kNone;
  std::optional<ScreenOutputs> read_;
  std::map<std::string, OutputPlace> places_;  // of outputs that we disabled
};

}  // namespace compositord::agent::x11
